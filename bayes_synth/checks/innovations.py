"""Compute the errors of the noise process's own forecasts, period by period, standardised.

They are one-step-ahead errors over their standard deviations. If the noise is as the fit says, they
are independent and standard normal.
"""

import numpy as np
import xarray as xr

from bayes_synth.model.inputs import Inputs
from bayes_synth.noise.base import MIXING
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.innovations import innovations, whitener

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
    process = fit.problem.process
    draws = {
        name: np.array([float(values[name])]) / fit.problem.parameter_unit(name)
        for name in process.parameters
    }
    return draws | ({MIXING: values[MIXING].to_numpy()[None]} if process.heavy else {})


def jarque_bera(z: np.ndarray) -> np.ndarray:
    """Return the statistic of Jarque and Bera (1987) per draw; dims of ``z``: ``(draw, time)``."""
    z = z - z.mean(1, keepdims=True)
    variance = (z**2).mean(1)
    skewness, kurtosis = (z**3).mean(1) / variance**1.5, (z**4).mean(1) / variance**2
    return np.asarray(z.shape[1] / 6 * (skewness**2 + (kurtosis - 3) ** 2 / 4))
