"""Priors on the parameters of a noise process: which are accepted, their draws, their density."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.priors import HalfNormal, KnownPrior, VariableFactory

__all__ = ["SdPrior", "log_density", "prior_draws", "require_sd_priors"]

SdPrior = HalfNormal | VariableFactory
"""A prior on a standard deviation."""


def prior_draws(prior: Any, name: str, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a parameter from its prior; one of another library is drawn by PyMC."""
    if isinstance(prior, KnownPrior):
        return prior.sample(draws, rng)
    import pymc as pm

    with pm.Model():
        return np.asarray(pm.draw(prior.create_variable(name), draws=draws, random_seed=rng))


def log_density(prior: Any, value: np.ndarray) -> np.ndarray:
    """Return the log density of a parameter's prior; NaN for one of another library."""
    return (
        prior.log_density(value) if isinstance(prior, KnownPrior) else np.full(value.shape, np.nan)
    )


def require_sd_priors(priors: Mapping[str, Any], degrees_of_freedom: float) -> None:
    """Refuse priors of a noise process, and degrees of freedom, that make no sense.

    Raises
    ------
    PriorError
        O006 for a bare number where a prior belongs, O007 unless ``degrees_of_freedom`` exceeds 2.
    """
    for name, prior in priors.items():
        if not isinstance(prior, VariableFactory | HalfNormal):
            hint = (
                f"bs.priors.HalfNormal({prior!r})"
                if isinstance(prior, (int, float))
                else "bs.priors.HalfNormal(1)"
            )
            raise PriorError("O006", f"{name} must be a prior, got {prior!r}; write {name}={hint}.")
    if not (isinstance(degrees_of_freedom, Real) and degrees_of_freedom > 2):
        raise PriorError(
            "O007",
            f"degrees_of_freedom must exceed 2 (np.inf: normal noise), got {degrees_of_freedom!r}.",
        )
