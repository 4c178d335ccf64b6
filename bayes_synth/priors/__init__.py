"""Specify priors as frozen values that know their PyMC graph, their draws and their density.

Two kinds of prior can be added, each in a file of its own:

- A prior on the weights is a frozen dataclass that inherits from :class:`AbstractWeightsPrior` and
  implements its abstract methods. Defining it registers it; the class keyword ``data`` names the
  fields that enter the graph as data, so that another value needs no new compilation:
  ``class Sparse(AbstractWeightsPrior, data=["strength"])``.
- A prior on a number, such as the standard deviation of a noise process, is a frozen dataclass with
  ``create_variable(name)``, ``sample(draws, rng)`` and ``log_density(value)`` under the decorator
  :func:`saved`; see :class:`VariableFactory` and :class:`KnownPrior`.

Fits that use a registered prior can be saved and loaded. PyMC is imported inside the methods that
build a graph, so that a saved fit can be read without it.
"""

from bayes_synth.priors.coefficients import Coefficients
from bayes_synth.priors.dirichlet import Dirichlet
from bayes_synth.priors.dirichlet import concentration_for as concentration_for
from bayes_synth.priors.limits import Limits as Limits
from bayes_synth.priors.numbers import HalfNormal, VariableFactory
from bayes_synth.priors.numbers import KnownPrior as KnownPrior
from bayes_synth.priors.weights import AbstractWeightsPrior
from bayes_synth.priors.weights import CustomWeights as CustomWeights
from bayes_synth.priors.weights import as_weights_prior as as_weights_prior
from bayes_synth.registry import saved

__all__ = [
    "AbstractWeightsPrior",
    "Coefficients",
    "Dirichlet",
    "HalfNormal",
    "VariableFactory",
    "saved",
]


def __dir__() -> list[str]:
    return sorted(__all__)
