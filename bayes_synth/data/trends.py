"""Compare how a treated unit moved before the treatment with how its donors moved.

Plain numpy on arrays, shared by the remark on a panel and by the alarm of a fit, which asks on the
scale of its model.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

__all__ = ["MEASURES", "Trend", "changes", "compared", "outside", "persistence", "slopes"]

CHANCE, PERSISTENT_CHANCE = 0.01, 0.08
"""Two-sided chances, in a Student-t law fitted to the donors, below which a movement is outside.

The second holds where movements go on.
"""
PERSISTS = 0.6
"""Movements go on where the donors' slopes in both halves of the pre-period correlate so much."""
FEWEST = 4
"""Fewest donors and pre-periods from which a movement is judged."""


class Trend(NamedTuple):
    """Hold a movement of the treated unit: its name, its size, and the donors' range and spread.

    ``z`` is its distance from the donors' mean in their sds, those of a new draw.
    """

    measure: str
    own: float
    low: float
    high: float
    z: float


def slopes(series: np.ndarray) -> np.ndarray:
    """Return the least-squares slopes per period, dims ``(time, ...)`` to ``(...)``."""
    time = np.arange(len(series)) - (len(series) - 1) / 2
    return np.asarray(np.tensordot(time, series, 1) / (time**2).sum())


def changes(series: np.ndarray) -> np.ndarray:
    """Return the mean of the last eighth of the periods minus that of the first eighth."""
    width = max(1, len(series) // 8)
    return np.asarray(series[-width:].mean(0) - series[:width].mean(0))


MEASURES = {"slope": slopes, "change": changes}
"""Movements that are compared, by what messages call them."""


def persistence(donors: np.ndarray) -> float:
    """Correlate the donors' slopes in the first half of the periods with those in the second.

    Dims ``(time, donor)``; 0 where there is too little to tell.
    """
    half = len(donors) // 2
    if half < FEWEST or donors.shape[1] < FEWEST:
        return 0.0
    first, second = slopes(donors[:half]), slopes(donors[-half:])
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def outside(own: np.ndarray, donors: np.ndarray) -> list[Trend]:
    """Return the movements of the treated unit that lie outside those of all donors, and far.

    Parameters
    ----------
    own, donors
        Series in the pre-periods that have an outcome, dims ``(time,)`` and ``(time, donor)``.

    Notes
    -----
    Of exchangeable units one in ten lies outside the range of so many donors, so distance counts
    too: it must be rare, or less rare where the donors' own movements go on, since only then does
    the treated unit's leave the synthetic control behind.
    """
    periods, count = donors.shape
    if count < FEWEST or periods < FEWEST:
        return []
    # Scaled first, so that no square overflows.
    size = max(float(np.abs(own).max()), float(np.abs(donors).max())) or 1.0
    own, donors = own / size, donors / size
    chance = PERSISTENT_CHANCE if persistence(donors) > PERSISTS else CHANCE
    found = []
    for name, measure in MEASURES.items():
        mine, theirs = float(measure(own)), measure(donors)
        spread = float(theirs.std(ddof=1)) * np.sqrt(1 + 1 / count)
        low, high = float(theirs.min()), float(theirs.max())
        if spread > 0 and not low <= mine <= high:
            z = (mine - float(theirs.mean())) / spread
            if 2 * stdtr(count - 1, -abs(z)) < chance:
                found.append(Trend(name, mine * size, low * size, high * size, z))
    return found


def compared(found: Iterable[Trend], factor: float = 1.0) -> str:
    """Put movements into words, each with the donors' range; ``factor`` gives their measure."""
    return " and ".join(
        f"{each.measure} ({factor * each.own:+.3g}, donors {factor * each.low:+.3g} to "
        f"{factor * each.high:+.3g})"
        for each in found
    )
