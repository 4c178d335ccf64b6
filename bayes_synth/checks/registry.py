"""Checks that a run asks, each declared where it is defined."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, final

from bayes_synth.checks.result import Check
from bayes_synth.registry import Registry

__all__ = ["QUESTIONS", "Question", "check"]


@final
@dataclass(frozen=True)
class Question:
    """Describe a check to :func:`bayes_synth.checks.run`; :func:`check` makes one.

    Parameters
    ----------
    name
        The function's name.
    question
        The question that it answers.
    function
        Takes a fit, or a panel, and returns a :class:`Check`.
    place
        Questions are asked in the order of their places.
    refits
        Whether it refits the model, and so takes ``random_seed``, ``progressbar`` and ``refit``.
    of
        Whether it takes a fit or a panel.

    Examples
    --------
    >>> bs.checks.QUESTIONS["convex_hull"].question
    'Can a weighted average of the donors reach the treated unit?'
    """

    name: str
    question: str
    function: Callable[..., Check]
    place: float
    refits: bool
    of: Literal["fit", "panel"]

    def ask(self, fit: Any, **options: Any) -> Check:
        """Ask about this fit, or about its panel, with those of the options that it takes."""
        known = signature(self.function).parameters
        taken = {name: value for name, value in options.items() if name in known}
        return self.function(fit.panel if self.of == "panel" else fit, **taken)


QUESTIONS: Registry[Question] = Registry("check")
"""The checks by name, each registered where it is defined."""


def check[**P](
    question: str, *, place: float = 100, refits: bool = False, of: Literal["fit", "panel"] = "fit"
) -> Callable[[Callable[P, Check]], Callable[P, Check]]:
    """Register a function as a check under its own name; :class:`Question` explains the options.

    Examples
    --------
    >>> @bs.checks.check("Is the past long?", place=20)
    ... def long_past(fit):
    ...     periods = len(fit.panel.pre)
    ...     verdict = "pass" if periods > 20 else "caution"
    ...     return bs.checks.Check(
    ...         "long_past",
    ...         "Is the past long?",
    ...         verdict,
    ...         f"{periods} periods.",
    ...         pd.DataFrame(),
    ...     )
    >>> long_past(fit).verdict
    'pass'
    """

    def declared(function: Callable[P, Check]) -> Callable[P, Check]:
        name = getattr(function, "__name__", "")
        QUESTIONS.add(name, Question(name, question, function, place, refits, of))
        return function

    return declared
