"""Series in typical steps from one location, as :class:`Problem` makes them of a panel."""

from typing import NamedTuple

import numpy as np

from bayes_synth.data.validation import ROUNDING
from bayes_synth.model.outcome_scale import OutcomeScale

__all__ = ["Inputs", "inputs_of", "typical_step"]

TO_SD = 1.4826
"""Standard deviation of a normal variable over its median distance from the median."""
WINSORISED = 0.9555
"""Standard deviation of a standard normal variable whose largest twentieth of distances is cut."""
MARGIN = 1.5
"""A winsorised sd may be so many times that of most differences: of normal ones it hardly is."""


class Inputs(NamedTuple):
    """Series in typical steps from one location, on the scale on which outcomes are modelled.

    ``outcome`` has dims ``(pre,)`` and is NaN where it is missing; ``donor_outcomes`` has
    ``(time, donor)`` over pre- and post-period. ``location`` and ``step`` are on the model's scale.
    """

    scale: OutcomeScale
    location: float
    step: float
    outcome: np.ndarray
    donor_outcomes: np.ndarray

    @property
    def periods(self) -> int:
        """Number of pre-periods."""
        return len(self.outcome)

    @property
    def missing(self) -> np.ndarray:
        """Positions of the pre-periods without outcome."""
        return np.flatnonzero(np.isnan(self.outcome))

    def on_scale(self, values: np.ndarray) -> np.ndarray:
        """Convert typical steps to values on the model's scale."""
        return np.asarray(self.location + self.step * values)

    def restore(self, values: np.ndarray) -> np.ndarray:
        """Convert typical steps to outcomes, in outcome units."""
        return np.asarray(self.scale.back(self.on_scale(values)))


def inputs_of(scale: OutcomeScale, treated: np.ndarray, donors: np.ndarray) -> Inputs:
    """Express all series in one location and one typical step, those of the treated pre-period.

    Parameters
    ----------
    scale
        The scale on which outcomes are modelled.
    treated, donors
        Series on that scale: the treated unit's pre-period, dims ``(pre,)``, and the donors', dims
        ``(time, donor)``.
    """
    location, step = float(treated[~np.isnan(treated)].mean()), typical_step(treated)
    return Inputs(scale, location, step, (treated - location) / step, (donors - location) / step)


def typical_step(series: np.ndarray) -> float:
    """Return the typical step of a series: a robust sd of its first differences.

    It is that of most differences, or two thirds of the winsorised sd where that is more: regular
    jumps count, such as those of a day of the week, single ones do not. Where most differences are
    equal it is that of the others times the root of their share; where all are, the sd of the
    series. Differences across a missing period are left out; if none are left, the series is used.
    """
    # Divided by a power of two, which changes no bit, no square overflows or vanishes.
    unit = 2.0 ** (np.frexp(np.nanmax(np.abs(series)))[1] - 1)
    return float(unit * _typical_step(series / unit))


def _typical_step(series: np.ndarray) -> float:
    """Return the typical step of a series whose largest number is between one and two."""
    steps, series = np.diff(series), series[~np.isnan(series)]
    steps = steps[~np.isnan(steps)] if np.isfinite(steps).any() else series[:1] * 0
    away = np.abs(steps - np.median(steps))
    # Equal steps of 0.1 differ by rounding alone, which must not count as variation.
    least = ROUNDING * np.abs(series).max()
    if not (away > least).any():
        return float(series.std())
    return float(max(_sd_of_most(away, least), _winsorised_sd(away) / MARGIN))


def _sd_of_most(away: np.ndarray, least: float) -> float:
    """Return the sd that the median distance says; if it is zero, that of the distances above."""
    if TO_SD * np.median(away) > least:
        return float(TO_SD * np.median(away))
    others = away[away > least]
    return float(np.sqrt(len(others) / len(away)) * _winsorised_sd(others))


def _winsorised_sd(away: np.ndarray) -> float:
    """Return the root mean square of distances, with the largest twentieth cut to the next one.

    At least two are cut, as one outlier makes two large differences.
    """
    cut = max(2, int(np.ceil(0.05 * len(away))))
    largest = np.sort(away)[max(0, len(away) - 1 - cut)]
    return float(np.sqrt(np.square(np.minimum(away, largest)).mean()) / WINSORISED)
