"""Priors on a number, such as the standard deviation of a noise process."""

from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.registry import saved

__all__ = ["HalfNormal", "KnownPrior", "VariableFactory"]


@runtime_checkable
class VariableFactory(Protocol):
    """Make a PyMC variable by name, as a ``Prior`` of pymc-extras does.

    Examples
    --------
    >>> class Exponential:
    ...     def create_variable(self, name):
    ...         import pymc as pm
    ...
    ...         return pm.Exponential(name, 1.0)
    >>> isinstance(Exponential(), bs.priors.VariableFactory)
    True
    """

    def create_variable(self, name: str) -> Any:
        """Create the variable in the current model context and return it."""


@runtime_checkable
class KnownPrior(Protocol):
    """Draw from a prior on a number, and evaluate its density, in numpy."""

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw from the prior, shape ``(draws,)``."""

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Return the log density at ``value``."""


@saved(data=["sigma"])
@final
@dataclass(frozen=True)
class HalfNormal:
    """Put a half-normal prior on a standard deviation, in typical steps.

    Parameters
    ----------
    sigma
        Parameter of the half-normal, in typical steps. The typical step is a robust standard
        deviation of the first differences of the treated unit's pre-period.

    Raises
    ------
    PriorError
        O007 unless ``sigma`` is positive and finite.

    Examples
    --------
    >>> bs.noise.LocalLevel(q=bs.priors.HalfNormal(0.2)).q
    HalfNormal(sigma=0.2)
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise PriorError("O007", f"sigma must be a positive number, got {self.sigma!r}.")

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw from the prior, shape ``(draws,)``, in typical steps."""
        return np.abs(rng.standard_normal(draws)) * self.sigma

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Return the log density at ``value``, which is in typical steps."""
        return np.asarray(
            np.log(2 / (self.sigma * np.sqrt(2 * np.pi))) - 0.5 * (value / self.sigma) ** 2
        )

    def __str__(self) -> str:
        return f"HalfNormal({self.sigma:g})"
