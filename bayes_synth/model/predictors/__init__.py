"""Rules for predictors: what numbers measured before treatment do to the weights.

One file per rule; a new one subclasses :class:`AbstractPredictorRule` and is registered by that.
"""

from bayes_synth.model.predictors.base import AbstractPredictorRule, Apart, Traits
from bayes_synth.model.predictors.closeness import Closeness
from bayes_synth.model.predictors.matched import Matched

__all__ = ["AbstractPredictorRule", "Apart", "Closeness", "Matched", "Traits"]


def __dir__() -> list[str]:
    return ["AbstractPredictorRule", "Closeness", "Matched"]
