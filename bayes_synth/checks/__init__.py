"""Is it believable? One question per check, each with a verdict, a sentence, a table and a picture.

``run(fit)`` asks all of them; each is a function of a fit and can be called alone. References stand in each one.
"""

from bayes_synth.checks.concentration import concentration
from bayes_synth.checks.convex_hull import convex_hull
from bayes_synth.checks.detectable import detectable
from bayes_synth.checks.fit_quality import fit_quality
from bayes_synth.checks.hidden_bias import hidden_bias
from bayes_synth.checks.likeness import likeness
from bayes_synth.checks.overfitting import overfitting
from bayes_synth.checks.result import Check, Checks, Verdict
from bayes_synth.checks.run import run
from bayes_synth.checks.screen import screen

__all__ = [
    "Check",
    "Checks",
    "Verdict",
    "concentration",
    "convex_hull",
    "detectable",
    "fit_quality",
    "hidden_bias",
    "likeness",
    "overfitting",
    "run",
    "screen",
]
