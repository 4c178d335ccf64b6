"""Series in typical steps from one location, as :class:`Problem` makes them of a panel."""

from typing import NamedTuple

import numpy as np

from bayes_synth.data.validation import ROUNDING
from bayes_synth.model.outcome_scale import OutcomeScale

__all__ = ["Inputs", "inputs_of", "typical_step"]


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
    """Return the typical step of a series: the robust sd of its first differences.

    Where that is zero it is their sd, and where that is zero too the sd of the series itself.
    Differences across a missing period are left out; if none are left, the series is used.
    """
    steps, series = np.diff(series), series[~np.isnan(series)]
    steps = steps[~np.isnan(steps)] if np.isfinite(steps).any() else series[:1] * 0
    candidates = (1.4826 * np.median(np.abs(steps - np.median(steps))), steps.std(), series.std())
    # Equal steps of 0.1 differ by rounding alone, which must not count as variation.
    least = ROUNDING * np.abs(series).max()
    return float(next(value for value in candidates if value > least))
