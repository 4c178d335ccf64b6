"""Noise processes as frozen values: their likelihood in the graph, their forecasts in numpy."""

from bayes_synth.noise.ar1 import AR1
from bayes_synth.noise.base import AbstractNoise
from bayes_synth.noise.iid import IID
from bayes_synth.noise.local_level import LocalLevel
from bayes_synth.noise.local_linear_trend import LocalLinearTrend

__all__ = ["AR1", "IID", "AbstractNoise", "LocalLevel", "LocalLinearTrend"]


def __dir__() -> list[str]:
    return sorted(__all__)
