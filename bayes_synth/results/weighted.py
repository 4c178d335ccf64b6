"""Weighted donors over all times, and what covariates add to them.

A row of either does not depend on how many periods follow it, bit for bit.
"""

import numpy as np
import xarray as xr

from bayes_synth.model.covariates import CovariateSeries
from bayes_synth.model.problem import Problem
from bayes_synth.sampling.regression import COEFFICIENTS

__all__ = ["adjusted", "explained", "weighted_series"]

BLOCK = 8
"""Post-periods whose weighted donors are computed at a time."""


def weighted_series(weights: np.ndarray, donors: np.ndarray, pre: int) -> np.ndarray:
    """Return ``weights @ donors.T``, dims ``(draw, time)``.

    The last bit of a matrix product may depend on the shapes, so the post-period is multiplied in
    blocks of one shape, the last one filled up with zeros.
    """
    product = np.empty((len(weights), len(donors)))
    product[:, :pre] = weights @ np.ascontiguousarray(donors[:pre]).T
    for first in range(pre, len(donors), BLOCK):
        rows = np.zeros((BLOCK, donors.shape[1]))
        count = len(donors[first : first + BLOCK])
        rows[:count] = donors[first : first + BLOCK]
        product[:, first : first + count] = (weights @ rows.T)[:, :count]
    return product


def explained(covariates: CovariateSeries, weights: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """Return what covariates explain of treated minus weighted donors, dims ``(draw, time)``.

    ``scaled`` are the coefficients in prior sds, dims ``(draw, covariate)``.
    """
    treated, donors = covariates.scaled
    total = np.zeros((len(weights), treated.shape[1]))
    for k, own in enumerate(treated):
        apart = own - weighted_series(weights, donors[k].T, covariates.periods)
        total += scaled[:, k, None] * apart
    return total


def adjusted(problem: Problem, idata: xr.DataTree) -> Problem:
    """Return the problem less what covariates explain, at their coefficients' posterior means.

    Without covariates it is the problem itself.
    """
    if problem.covariates is None:
        return problem
    means = idata["posterior"][COEFFICIENTS].mean(("chain", "draw")).to_numpy()
    # What does not change before the start has no coefficient, and no step to divide by.
    per_step = np.where(means == 0, 0, problem.covariates.per_step)
    return problem.given(means * per_step / problem.inputs.step)
