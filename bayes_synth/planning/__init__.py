"""Plan a test with the posterior that will judge it."""

from bayes_synth.planning.cost import Spend
from bayes_synth.planning.history import History
from bayes_synth.planning.plan import Plan

__all__ = ["History", "Plan", "Spend"]
