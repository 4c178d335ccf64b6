"""Compute the errors of the noise process's own forecasts, period by period, standardised.

They are one-step-ahead errors over their standard deviations. If the noise is as the fit says, they
are independent and standard normal.
"""

import numpy as np

from bayes_synth.noise import AbstractNoise
from bayes_synth.noise.base import Draws

__all__ = ["innovations", "whitener"]


def innovations(noise: AbstractNoise, draws: Draws, residual: np.ndarray) -> np.ndarray:
    """Return standardised one-step-ahead errors of the second and later periods with a residual.

    The first period is judged by the level's prior alone, so it is left out.
    """
    seen = ~np.isnan(residual)
    matrix = whitener(noise, draws, np.flatnonzero(~seen), len(residual))
    return np.asarray(matrix @ residual[seen])[1:]


def whitener(noise: AbstractNoise, draws: Draws, missing: np.ndarray, periods: int) -> np.ndarray:
    """Return the matrix that turns a residual into its standardised one-step-ahead errors.

    It has no rows and columns for ``missing`` periods. With the precision written as ``U U'``, U
    upper triangular, the matrix is ``U'``, lower triangular: row t looks at no period after t. Its
    first row is arbitrary, because a free level has no precision of its own.
    ``docs/derivations.md``, section 5, has the derivation.
    """
    seen = np.setdiff1d(np.arange(periods), missing)
    precision = noise.contrast_precision(draws, np.eye(periods), missing)[np.ix_(seen, seen)]
    precision = (precision + precision.T) / 2
    precision[0, 0] += np.trace(precision)
    return np.linalg.cholesky(precision[::-1, ::-1])[::-1, ::-1].T
