"""Say how far a number may lie from what endless sampling would give: its Monte Carlo error.

References
----------
Vehtari et al. (2021), Bayesian Analysis 16(2), section 4, for means, and for quantiles, whose error
is largest in the tails.
"""

import arviz_stats
import numpy as np
import xarray as xr

__all__ = ["NEAR", "end_errors", "mean_error", "median_error", "two_sided", "two_sided_error"]

NEAR = 2.0
"""A number within so many Monte Carlo errors of a threshold may lie on its other side."""


def mean_error(draws: xr.DataArray) -> float:
    """Return the Monte Carlo error of the mean, in the measure of the draws."""
    return _error(draws, method="mean")


def median_error(draws: xr.DataArray) -> float:
    """Return the Monte Carlo error of the median, in the measure of the draws."""
    return _error(draws, method="median")


def end_errors(draws: xr.DataArray, *ends: float) -> tuple[float, ...]:
    """Return the Monte Carlo errors of quantiles that were read off the draws.

    Parameters
    ----------
    draws
        Dims ``(chain, draw)``.
    ends
        The quantiles, such as both ends of an interval; what share of the draws they leave below
        is counted, so that the ends of an HDI have an error, too.

    Returns
    -------
    tuple of float
        One error per end, in the measure of the draws.
    """
    below = [float((draws <= end).mean()) for end in ends]
    least = 1 / draws.size
    inside = np.clip(below, least, 1 - least)
    return tuple(_error(draws, method="quantile", prob=float(share)) for share in inside)


def two_sided(draws: xr.DataArray) -> float:
    """Return twice the probability of zero's rarer side: 1 in the middle, 0 far out.

    It is on the scale of a two-sided p-value: below 0.05 where the 95 % equal-tailed interval
    leaves zero out.
    """
    return min(1.0, 2 * float(min((draws > 0).mean(), (draws < 0).mean())))


def two_sided_error(draws: xr.DataArray) -> float:
    """Return the Monte Carlo error of :func:`two_sided`."""
    rarer = draws > 0 if float(draws.median()) < 0 else draws < 0
    return 2 * mean_error(rarer.astype(float))


def _error(draws: xr.DataArray, **what: object) -> float:
    """Ask ArviZ, which has no error of draws that are all equal: none is right."""
    values = np.asarray(draws.transpose("chain", "draw"), float)
    if np.ptp(values) == 0:
        return 0.0
    return float(arviz_stats.mcse(values, **what))
