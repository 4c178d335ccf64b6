"""Is it believable? One question per check, each with a verdict, a sentence, a table and a picture.

``run(fit)`` asks all of them; each is a function of a fit and can be called alone. References stand in each one.
"""

from bayes_synth.checks.anticipation import anticipation
from bayes_synth.checks.backdating import backdating
from bayes_synth.checks.concentration import concentration
from bayes_synth.checks.convex_hull import convex_hull
from bayes_synth.checks.detectable import detectable
from bayes_synth.checks.fit_quality import fit_quality
from bayes_synth.checks.hidden_bias import hidden_bias
from bayes_synth.checks.leave_one_out import leave_one_out
from bayes_synth.checks.likeness import likeness
from bayes_synth.checks.overfitting import overfitting
from bayes_synth.checks.placebo_in_space import placebo_in_space
from bayes_synth.checks.prior_sensitivity import prior_sensitivity
from bayes_synth.checks.result import Check, Checks, Verdict
from bayes_synth.checks.run import run
from bayes_synth.checks.screen import screen
from bayes_synth.checks.spillover import spillover

__all__ = [
    "Check",
    "Checks",
    "Verdict",
    "anticipation",
    "backdating",
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
