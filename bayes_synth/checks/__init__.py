"""Ask whether an effect is believable: each check answers one question.

An answer has a verdict, a sentence, a table and a picture. ``run(fit)`` asks every question; each
check is a function of a fit (:func:`screen`: of a panel) that can be called alone and cites the
papers that it rests on.
"""

from bayes_synth.checks._anticipation import anticipation
from bayes_synth.checks._backdating import backdating
from bayes_synth.checks._concentration import concentration
from bayes_synth.checks._convex_hull import convex_hull
from bayes_synth.checks._detectable import detectable
from bayes_synth.checks._fit_quality import fit_quality
from bayes_synth.checks._hidden_bias import hidden_bias
from bayes_synth.checks._leave_one_out import leave_one_out
from bayes_synth.checks._likeness import likeness
from bayes_synth.checks._overfitting import overfitting
from bayes_synth.checks._placebo_in_space import placebo_in_space
from bayes_synth.checks._prior_sensitivity import prior_sensitivity
from bayes_synth.checks._run import run
from bayes_synth.checks._screen import screen
from bayes_synth.checks._spillover import spillover
from bayes_synth.checks.registry import QUESTIONS, Question, check
from bayes_synth.checks.result import Check, Checks, Verdict

__all__ = [
    "QUESTIONS",
    "Check",
    "Checks",
    "Question",
    "Verdict",
    "anticipation",
    "backdating",
    "check",
    "concentration",
    "convex_hull",
    "detectable",
    "fit_quality",
    "hidden_bias",
    "leave_one_out",
    "likeness",
    "overfitting",
    "placebo_in_space",
    "prior_sensitivity",
    "run",
    "screen",
    "spillover",
]


def __dir__() -> list[str]:
    return sorted(__all__)
