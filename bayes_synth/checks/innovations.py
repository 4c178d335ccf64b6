"""Compute the errors of the noise process's own forecasts, period by period, standardised.

They are one-step-ahead errors over their standard deviations. If the noise is as the fit says, they
are independent and standard normal.
"""

import numpy as np
import xarray as xr

from bayes_synth.model.inputs import Inputs
from bayes_synth.noise import AbstractNoise
from bayes_synth.noise.base import MIXING, Draws
from bayes_synth.results.answers import AbstractFit

__all__ = [
    "SHORT",
    "innovations",
    "jarque_bera",
    "noise_at",
    "periods_seen",
    "residual_of",
    "typical",
    "whitener",
]

SHORT = 8
"""Fewest pre-periods with an outcome that tell how residuals behave."""


def periods_seen(inputs: Inputs) -> np.ndarray:
    """Return the positions of the pre-periods that have an outcome."""
    return np.flatnonzero(~np.isnan(inputs.outcome))


def residual_of(inputs: Inputs, weights: np.ndarray) -> np.ndarray:
    """Return the outcome minus ``donors @ weights`` before treatment, in typical steps.

    It is NaN where the outcome is missing.
    """
    return np.asarray(inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ weights)


def typical(fit: AbstractFit) -> dict[str, np.ndarray]:
    """Return the noise's parameters at their posterior means, in typical steps, as one draw."""
    return _noise_in_steps(fit, fit.idata["posterior"].to_dataset().mean(("chain", "draw")))


def noise_at(fit: AbstractFit, chain: int, draw: int) -> dict[str, np.ndarray]:
    """Return the noise's parameters of one draw of the posterior, in typical steps."""
    return _noise_in_steps(fit, fit.idata["posterior"].to_dataset().isel(chain=chain, draw=draw))


def _noise_in_steps(fit: AbstractFit, values: xr.Dataset) -> dict[str, np.ndarray]:
    """Take one value of each of the noise's parameters, and divide out the typical step."""
    process = fit.model.process
    draws = {
        name: np.array([float(values[name])]) / fit.problem.parameter_unit(name)
        for name in process.parameters
    }
    return draws | ({MIXING: values[MIXING].to_numpy()[None]} if process.heavy else {})


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


def jarque_bera(z: np.ndarray) -> np.ndarray:
    """Return the statistic of Jarque and Bera (1987) per draw; dims of ``z``: ``(draw, time)``."""
    z = z - z.mean(1, keepdims=True)
    variance = (z**2).mean(1)
    skewness, kurtosis = (z**3).mean(1) / variance**1.5, (z**4).mean(1) / variance**2
    return np.asarray(z.shape[1] / 6 * (skewness**2 + (kurtosis - 3) ** 2 / 4))
