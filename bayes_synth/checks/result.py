"""The answer of one check, and of all of them: a question, a verdict, one sentence with the numbers."""

import html
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final, get_args

import pandas as pd

from bayes_synth.errors import ResultError
from bayes_synth.registry import Registry
from bayes_synth.words import suggestion

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = [
    "QUESTIONS", "Check", "Checks", "Question", "Verdict", "check", "graded", "not_applicable", "thresholds", "worst",
]  # fmt: skip

Verdict = Literal["pass", "caution", "fail", "not applicable"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """One question about a fit or a panel, and its answer.

    Parameters
    ----------
    name
        The function's name in :mod:`bayes_synth.checks`.
    question
        What was asked.
    verdict
        ``"pass"``, ``"caution"``, ``"fail"`` or ``"not applicable"``.
    reason
        One sentence with the numbers that decided.
    table
        All numbers; ``attrs`` has the thresholds by name.
    picture
        Draws the answer; takes ``backend``. None when there is nothing to draw.
    """

    name: str
    question: str
    verdict: Verdict
    reason: str
    table: pd.DataFrame
    picture: "Callable[..., PlotCollection] | None" = None

    def plot(self, *, backend: str | None = None) -> "PlotCollection":
        """Draw the answer.

        Parameters
        ----------
        backend
            As in :func:`bayes_synth.plots.plot_fit`.

        Raises
        ------
        ResultError
            R008 when this check has no picture.
        """
        if self.picture is None:
            raise ResultError(
                "R008",
                f"the check {self.name!r} has no picture here ({self.verdict}): see its table.",
            )
        return self.picture(backend=backend)

    def __repr__(self) -> str:
        return f"{self.verdict.upper():<14} {self.question} {self.reason}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>{self.table.to_html(float_format=lambda x: f'{x:.4g}')}"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Checks:
    """Every check of one fit, by name."""

    results: tuple[Check, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per check: ``question``, ``verdict``, ``reason``."""
        rows = [(check.name, check.question, check.verdict, check.reason) for check in self.results]
        return pd.DataFrame(rows, columns=["check", "question", "verdict", "reason"]).set_index(
            "check"
        )

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return worst(check.verdict for check in self.results)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.results)

    def __getitem__(self, name: str) -> Check:
        for check in self.results:
            if check.name == name:
                return check
        raise ResultError(
            "R005", f"no check {name!r}. {suggestion(name, [check.name for check in self.results])}"
        )

    def __repr__(self) -> str:
        counts = self.table["verdict"].value_counts()
        total = ", ".join(f"{counts[word]} {word}" for word in get_args(Verdict) if word in counts)
        return "\n".join(
            [f"Checks: {total}", *(f"  {check.name:<20} {check!r}" for check in self.results)]
        )

    def _repr_html_(self) -> str:
        return f"<strong>Checks</strong>{self.table.to_html()}"


def not_applicable(name: str, question: str, reason: str) -> Check:
    """A question that cannot be asked here, and why."""
    return Check(name, question, "not applicable", reason, pd.DataFrame())


def graded(value: float, caution: float, fail: float) -> Verdict:
    """``"pass"`` up to ``caution``, ``"fail"`` above ``fail`` or when there is no number."""
    if value <= caution:
        return "pass"
    return "caution" if value <= fail else "fail"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; those that are not applicable do not count unless all are."""
    order = get_args(Verdict)
    asked = [verdict for verdict in verdicts if verdict != order[-1]]
    return max(asked, key=order.index, default=order[-1])


def thresholds(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """The table with the thresholds that its verdict used."""
    table.attrs |= values
    return table


@final
@dataclass(frozen=True)
class Question:
    """A check as :func:`bayes_synth.checks.run` knows it; made by :func:`check`.

    Parameters
    ----------
    name
        The function's name.
    question
        What it asks.
    function
        Takes a fit, or a panel, and returns a :class:`Check`.
    place
        Questions are asked in the order of their places.
    refits
        Whether it refits the model, and so takes ``random_seed`` and ``progressbar``.
    of
        What it takes.
    """

    name: str
    question: str
    function: Callable[..., Check]
    place: float
    refits: bool
    of: Literal["fit", "panel"]

    def ask(self, fit: Any, *, random_seed: int, progressbar: bool) -> Check:
        """Ask about a fit, or about its panel."""
        options = {"random_seed": random_seed, "progressbar": progressbar} if self.refits else {}
        return self.function(fit.panel if self.of == "panel" else fit, **options)


QUESTIONS: Registry[Question] = Registry("check")
"""Every check by name."""


def check[**P](
    question: str, *, place: float = 100, refits: bool = False, of: Literal["fit", "panel"] = "fit"
) -> Callable[[Callable[P, Check]], Callable[P, Check]]:
    """Declare a function a check, under the function's own name; see :class:`Question` for the options."""

    def declared(function: Callable[P, Check]) -> Callable[P, Check]:
        name = getattr(function, "__name__", "")
        QUESTIONS.add(name, Question(name, question, function, place, refits, of))
        return function

    return declared
