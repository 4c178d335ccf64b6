"""Is it believable? One question per check, each with a verdict, a sentence, a table and a picture.

``run(fit)`` asks all of them; each is a function of a fit and can be called alone. References stand in each one.
"""

from bayes_synth.checks.concentration import concentration
from bayes_synth.checks.result import Check, Checks, Verdict
from bayes_synth.checks.run import run

__all__ = ["Check", "Checks", "Verdict", "concentration", "run"]
