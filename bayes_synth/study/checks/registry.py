"""Checks that a joint fit is asked, each declared where it is defined."""

from collections.abc import Callable

from bayes_synth.checks.registry import Question
from bayes_synth.checks.result import Check
from bayes_synth.registry import Registry

__all__ = ["STUDY_QUESTIONS", "study_check"]

STUDY_QUESTIONS: Registry[Question] = Registry("check of a study")
"""The checks of a study by name, each registered where it is defined."""


def study_check[**P](
    question: str, *, place: float = 100, refits: bool = False
) -> Callable[[Callable[P, Check]], Callable[P, Check]]:
    """Register a function of a joint fit as a check under its own name.

    Parameters
    ----------
    question, place, refits
        As in :class:`bayes_synth.checks.Question`.
    """

    def declared(function: Callable[P, Check]) -> Callable[P, Check]:
        name = getattr(function, "__name__", "")
        STUDY_QUESTIONS.add(name, Question(name, question, function, place, refits, "fit"))
        return function

    return declared
