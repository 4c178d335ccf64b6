"""What a check answers: a question, a verdict, one sentence with the numbers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Unpack, final, get_args

import pandas as pd

from bayes_synth.errors import ResultError
from bayes_synth.results.monte_carlo import NEAR
from bayes_synth.words import left, preformatted, public, suggestion

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import CanvasOptions

__all__ = [
    "Check",
    "Checks",
    "Verdict",
    "graded",
    "known_to",
    "not_applicable",
    "thresholds",
    "worst",
]

WRAPPED = "white-space:pre-wrap"
"""Style of a sentence in a notebook: pages cut lines that they may not wrap."""
Verdict = Literal["pass", "caution", "fail", "not applicable"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """Answer one question about a fit or a panel.

    Parameters
    ----------
    name
        The function's name in :mod:`bayes_synth.checks`.
    question
        The question that was asked.
    verdict
        ``"pass"``, ``"caution"``, ``"fail"`` or ``"not applicable"``.
    reason
        A sentence with the numbers that decided, closed by a full stop.
    table
        All numbers; ``attrs`` holds the thresholds by name.
    picture
        A function of ``backend``, and of the options of :meth:`plot` that it takes, that draws the
        answer; None when there is nothing to draw.

    Examples
    --------
    >>> check = bs.checks.concentration(fit)
    >>> check.verdict, check.name
    ('caution', 'concentration')
    >>> check.table.shape[0] > 0
    True
    """

    name: str
    question: str
    verdict: Verdict
    reason: str
    table: pd.DataFrame
    picture: "Callable[..., PlotCollection] | None" = None

    def plot(
        self, *, backend: str | None = None, **options: "Unpack[CanvasOptions]"
    ) -> "PlotCollection":
        """Draw the answer.

        Parameters
        ----------
        backend
            As in :func:`bayes_synth.plots.plot_fit`.
        **options
            ``title``, ``figsize``, ``size``, ``theme``, ``visuals`` and ``figure_kwargs`` of
            :class:`bayes_synth.plots.CanvasOptions`. Parts in ``visuals``: legend, title, xlabel,
            ylabel, yticks.

        Returns
        -------
        arviz_plots.PlotCollection
            ``savefig``, ``show`` and ``viz`` as in ArviZ.

        Raises
        ------
        ResultError
            R008 when this check has no picture; R006 when the backend is not installed.
        OptionError
            O001 for unknown parts and backends, O040 for unknown sizes and themes.
        """
        if self.picture is None:
            raise ResultError(
                "R008",
                f"the check {self.name!r} has no picture (verdict: {self.verdict}); see its table.",
            )
        return self.picture(backend=backend, **options)

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return f"{self.verdict.upper():<14} {self.question} {self.reason}"

    def _repr_html_(self) -> str:
        table = self.table.to_html(float_format=lambda number: f"{number:.4g}")
        return f"{preformatted(repr(self))}{table}"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Checks:
    """Hold the answers about one fit, by the name of the check.

    Parameters
    ----------
    results
        The answers, in the order in which they were asked.
    about
        Digest of the fit that was asked about; empty when it is not known.

    Examples
    --------
    >>> checks = bs.checks.run(fit, only=["concentration", "likeness"])
    >>> checks["likeness"].verdict
    'pass'
    """

    results: tuple[Check, ...]
    about: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """Tabulate one row per check: ``question``, ``verdict``, ``reason``."""
        columns = ("check", "question", "verdict", "reason")
        rows = [(each.name, each.question, each.verdict, each.reason) for each in self.results]
        return pd.DataFrame(rows, columns=columns).set_index("check")

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict."""
        return worst(each.verdict for each in self.results)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.results)

    def __getitem__(self, name: str) -> Check:
        for each in self.results:
            if each.name == name:
                return each
        hint = suggestion(name, [each.name for each in self.results])
        raise ResultError("R005", f"name must be that of a check in these, got {name!r}. {hint}")

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        counts = self.table["verdict"].value_counts()
        total = ", ".join(f"{counts[word]} {word}" for word in get_args(Verdict) if word in counts)
        return "\n".join(
            [f"Checks: {total}", *(f"  {each.name:<20} {each!r}" for each in self.results)]
        )

    def _repr_html_(self) -> str:
        table = self.table.reset_index().map(left).rename(columns=left)
        return f"<strong>Checks</strong>{table.to_html(index=False, border=0, escape=False)}"


def not_applicable(name: str, question: str, reason: str) -> Check:
    """Answer that the question cannot be asked here, and say why."""
    return Check(name, question, "not applicable", reason, pd.DataFrame())


def graded(value: float, caution: float, fail: float, error: float = 0.0) -> Verdict:
    """Grade a number: up to ``caution`` it passes, above ``fail`` it fails, and so does NaN.

    A number that was read off the fit's draws has a Monte Carlo ``error``. Where two of them reach
    across a threshold it is a caution, so that a pass or a fail is one with any seed;
    :func:`known_to` says so.
    """
    low, high = (_graded(value + side * NEAR * error, caution, fail) for side in (-1, 1))
    return low if low == high else "caution"


def _graded(value: float, caution: float, fail: float) -> Verdict:
    if value <= caution:
        return "pass"
    return "caution" if value <= fail else "fail"


def known_to(value: float, error: float, *limits: float) -> str:
    """Write a number's Monte Carlo error, and which threshold it cannot be told from.

    Parameters
    ----------
    value, error
        The number and its error.
    *limits
        The thresholds by which it is graded.
    """
    near = [f"{limit:g}" for limit in limits if error > 0 and abs(value - limit) <= NEAR * error]
    doubt = f", and within two of these of the threshold {near[0]}" if near else ""
    return f"(Monte Carlo error {error:.1g}{doubt})"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; those that are not applicable count only if all are."""
    order = get_args(Verdict)
    asked = [verdict for verdict in verdicts if verdict != order[-1]]
    return max(asked, key=order.index, default=order[-1])


def thresholds(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Write the thresholds that the verdict used into the attributes of the table."""
    table.attrs |= values
    return table
