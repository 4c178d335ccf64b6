"""Continue a posterior beyond the pre-period, draw by draw, in typical steps."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from bayes_synth.errors import PriorError
from bayes_synth.model.graph import MISSING_RESIDUAL
from bayes_synth.model.problem import Problem
from bayes_synth.noise.base import Continuation, Shocks
from bayes_synth.results.weighted import explained, weighted_series
from bayes_synth.sampling.regression import COEFFICIENTS

__all__ = ["Continued", "ShocksOf", "continued"]

ShocksOf = Callable[[np.ndarray], Shocks]
"""Gives the shocks of the periods to come for weights, dims ``(draw, donor)``."""


class Continued(NamedTuple):
    """Hold a posterior draw by draw, and what follows from it in typical steps.

    Every array has the draws first. ``weights`` are without their padding, ``noise`` are its
    parameters, ``weighted`` is ``donors @ weights`` over all times plus what covariates explain,
    ``residual`` the outcome minus that before ``start``, and ``path`` continues the residual.
    """

    weights: np.ndarray
    noise: dict[str, np.ndarray]
    weighted: np.ndarray
    residual: np.ndarray
    path: Continuation


def continued(
    problem: Problem,
    posterior: xr.Dataset,
    rng: np.random.Generator,
    shocks_of: ShocksOf | None = None,
) -> Continued:
    """Continue every draw of the posterior beyond the pre-period.

    What is drawn for a period does not depend on how many follow it, bit for bit.

    Raises
    ------
    PriorError
        O006 when the draws of the weights leave the simplex.
    """
    inputs, process, count = problem.inputs, problem.process, len(problem.donors)
    weights = posterior["weights"].to_numpy()[..., :count].reshape(-1, count)
    if not (weights.min() >= 0 and np.allclose(weights.sum(1), 1, atol=1e-6)):
        raise PriorError(
            "O006",
            "the prior on the weights must be one on the simplex, got draws that are negative or "
            "do not sum to one.",
        )
    noise = {name: posterior[name].to_numpy().reshape(len(weights), -1) for name in process.sampled}
    noise |= {name: noise[name][:, 0] for name in process.parameters}
    weighted = weighted_series(weights, inputs.donor_outcomes, inputs.periods)
    if problem.covariates is not None:
        scaled = posterior[COEFFICIENTS].to_numpy().reshape(len(weights), -1)
        weighted += explained(problem.covariates, weights, scaled)
    residual = inputs.outcome - weighted[:, : inputs.periods]
    if len(inputs.missing):
        residual[:, inputs.missing] = (
            posterior[MISSING_RESIDUAL].to_numpy().reshape(len(weights), -1)
        )
    shocks = (
        process.draw_shocks(len(weights), len(problem.observed), rng)
        if shocks_of is None
        else shocks_of(weights)
    )
    path = process.continue_path(noise, residual, shocks, rng)
    return Continued(weights, noise, weighted, residual, path)
