"""Split a forecast error into its average and its deviations, and learn how it grows.

A predictive path is warped about its mean by ``t^growth``, with ``t`` the periods since ``start``.
Then it is split into ``beta a``, where ``a`` is its average and ``beta`` the regression of every
period on it, and the rest, which is uncorrelated with ``a`` and averages to zero. The average
depends on the first part alone; every other window draws on both by what it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = [
    "Forecast",
    "Parts",
    "growth_factors",
    "independent",
    "learn_growth",
    "learn_growth_over_windows",
    "split_path",
    "summarise",
]

GROWTHS = np.linspace(-1.2, 1.2, 33)
LOG_KAPPAS = np.linspace(-2.5, 2.5, 41)
TAILS = 5.0
"""The growth is learnt on a grid, beside a kappa of its own and with a Student-t likelihood."""


class Forecast(NamedTuple):
    """Hold what one refit forecast of the periods with an outcome, on the model's scale.

    ``error`` is observed minus the predictive mean, dims ``(time,)``; ``covariance`` is the
    predictive one, dims ``(time, time)``; ``doubt`` is the posterior sd of the log of the average's
    predictive sd.
    """

    error: np.ndarray
    covariance: np.ndarray
    doubt: float


class Parts(NamedTuple):
    """Hold the parts of a path about its mean; both have the dims of the path."""

    average: np.ndarray
    deviations: np.ndarray


def growth_factors(ahead: np.ndarray, growth: float, seen: np.ndarray | None = None) -> np.ndarray:
    """Return the factor of every period; its log averages to zero over the periods seen.

    Parameters
    ----------
    ahead
        Periods since ``start``, the first is 1, dims ``(time,)``.
    growth
        The power of ``ahead`` by which errors grow beyond what the model says.
    seen
        Which periods have an outcome; None: all of them.
    """
    logs = np.log(ahead)
    return np.asarray(np.exp(growth * (logs - logs[slice(None) if seen is None else seen].mean())))


def learn_growth(forecasts: Sequence[Forecast], ahead: np.ndarray, sd: float) -> float:
    """Learn by which power of the horizon the errors grow beyond what the model says.

    Every period's error over its predictive sd counts as one of ``n`` independent ones among the
    periods of its forecast, ``n = tr(C)^2 / tr(C C)`` (Satterthwaite 1946). The posterior mean is
    taken over a grid, with the prior ``growth ~ Normal(0, sd^2)``.
    """
    return learn_growth_over_windows([(forecasts, ahead)], sd)


def learn_growth_over_windows(
    windows: Sequence[tuple[Sequence[Forecast], np.ndarray]], sd: float
) -> float:
    """Learn one growth from forecasts of several windows, each with its periods since ``start``.

    See :func:`learn_growth`; windows of a single period say nothing about growth.
    """
    told = [(forecasts, ahead) for forecasts, ahead in windows if forecasts and len(ahead) > 1]
    if sd == 0 or not told:
        return 0.0
    density = -0.5 * (GROWTHS[:, None] / sd) ** 2 + np.zeros(len(LOG_KAPPAS))
    for forecasts, ahead in told:
        z = np.array([each.error / np.sqrt(np.diag(each.covariance)) for each in forecasts])
        share = np.array([independent(each.covariance) for each in forecasts]) / len(ahead)
        for row, growth in zip(density, GROWTHS, strict=True):
            scaled = (z / growth_factors(ahead, growth))[None] * np.exp(-LOG_KAPPAS)[:, None, None]
            each = (TAILS + 1) / 2 * np.log1p(scaled**2 / TAILS) + LOG_KAPPAS[:, None, None]
            row -= (each.sum(2) * share).sum(1)
    mass = np.exp(density - density.max()).sum(1)
    return float(GROWTHS @ mass / mass.sum())


def summarise(forecast: Forecast, ahead: np.ndarray, growth: float) -> dict[str, float]:
    """Summarise one forecast by its two parts.

    Returns
    -------
    dict
        ``error`` of the average and its predictive ``sd``; root mean square of the ``deviation``
        and of its predictive sd, ``deviation_sd``; ``periods``, over how many independent ones
        these are. With a single period there are no deviations: NaN.
    """
    factors = growth_factors(ahead, growth)
    covariance = factors[:, None] * forecast.covariance * factors
    variance = covariance.mean()
    row = {"error": float(forecast.error.mean()), "sd": float(np.sqrt(variance))}
    if len(ahead) < 2:
        return row | dict.fromkeys(("deviation", "deviation_sd", "periods"), np.nan)
    beta = covariance.mean(1) / variance
    rest = covariance - variance * np.outer(beta, beta)
    deviation = forecast.error - beta * forecast.error.mean()
    return row | {
        "deviation": float(np.sqrt(np.mean(deviation**2))),
        "deviation_sd": float(np.sqrt(max(np.trace(rest), 0) / len(ahead))),
        "periods": independent(rest),
    }


def split_path(path: np.ndarray, seen: np.ndarray, growth: float) -> Parts:
    """Split a predictive path about its mean, warped by the growth, into its two parts.

    Parameters
    ----------
    path
        Draws, dims ``(chain, draw, time)``.
    seen
        Which times have an outcome and count for the average, dims ``(time,)``.
    growth
        See :func:`learn_growth`.
    """
    centred = path - path.mean((0, 1))
    warped = centred * growth_factors(np.arange(1.0, path.shape[-1] + 1), growth, seen)
    average = warped[..., seen].mean(-1)
    variance = np.mean(average**2)
    beta = (
        np.einsum("cdt,cd->t", warped, average) / average.size / variance
        if variance > 0
        else np.ones(path.shape[-1])
    )
    along = average[..., None] * beta
    return Parts(along, warped - along)


def independent(covariance: np.ndarray) -> float:
    """Return how many independent numbers have a sum of squares as sure as this one's."""
    squares = float((covariance**2).sum())
    return float(np.trace(covariance)) ** 2 / squares if squares > 0 else 1.0
