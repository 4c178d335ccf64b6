"""What the noise process did not expect, period by period: one-step-ahead errors over their standard deviations.

If the noise is what the fit says it is, they are independent and standard normal.
"""

import numpy as np
import xarray as xr

from bayes_synth.model.inputs import Inputs
from bayes_synth.noise import AbstractNoise
from bayes_synth.noise.base import MIXING, Draws
from bayes_synth.results.answers import AbstractFit

__all__ = ["SHORT", "innovations", "noise_at", "periods_seen", "residual_of", "typical", "whitener"]

SHORT = 8
"""Fewer pre-periods with an outcome say nothing about how residuals behave."""


def periods_seen(inputs: Inputs) -> np.ndarray:
    """Positions of the pre-periods that have an outcome."""
    return np.flatnonzero(~np.isnan(inputs.outcome))


def residual_of(inputs: Inputs, weights: np.ndarray) -> np.ndarray:
    """Outcome minus ``donors @ weights`` before treatment, in units of the scale; NaN in gaps."""
    return np.asarray(inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ weights)


def typical(fit: AbstractFit) -> dict[str, np.ndarray]:
    """The noise's parameters at their posterior means, in units of the scale, each with one draw."""
    return _sized(fit, fit.idata["posterior"].to_dataset().mean(("chain", "draw")))


def noise_at(fit: AbstractFit, chain: int, draw: int) -> dict[str, np.ndarray]:
    """The noise's parameters of one draw, in units of the scale."""
    return _sized(fit, fit.idata["posterior"].to_dataset().isel(chain=chain, draw=draw))


def _sized(fit: AbstractFit, found: xr.Dataset) -> dict[str, np.ndarray]:
    process = fit.model.process
    draws = {
        n: np.array([float(found[n])]) / fit.problem.parameter_unit(n) for n in process.parameters
    }
    return draws | ({MIXING: found[MIXING].to_numpy()[None]} if process.heavy else {})


def innovations(noise: AbstractNoise, draws: Draws, residual: np.ndarray) -> np.ndarray:
    """Standardised one-step-ahead errors of the second and later periods that have a residual.

    The first period is judged by the level's prior alone, so it is left out.
    """
    seen = ~np.isnan(residual)
    return np.asarray(
        whitener(noise, draws, np.flatnonzero(~seen), len(residual)) @ residual[seen]
    )[1:]


def whitener(noise: AbstractNoise, draws: Draws, gaps: np.ndarray, periods: int) -> np.ndarray:
    """Lower triangular matrix that turns a residual into its standardised one-step-ahead errors; gaps are left out.

    ``docs/derivations.md``, section 5, has the derivation.

    With the precision written as ``U U'``, U upper triangular, it is ``U'``: row t looks at no period after t. Its
    first row is arbitrary, because a free level has no precision of its own.
    """
    seen = np.setdiff1d(np.arange(periods), gaps)
    precision = noise.contrast_precision(draws, np.eye(periods), gaps)[np.ix_(seen, seen)]
    precision = (precision + precision.T) / 2
    precision[0, 0] += np.trace(precision)
    return np.linalg.cholesky(precision[::-1, ::-1])[::-1, ::-1].T
