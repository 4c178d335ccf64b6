"""Compare how a treated unit moved before the treatment with how its donors moved.

Plain numpy on arrays, shared by the remark on a panel and by the alarm of a fit, which asks on the
scale of its model.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

__all__ = ["MEASURES", "Trend", "changes", "outside", "slopes"]

CHANCE = 0.04
"""Two-sided chance, in a Student-t law fitted to the donors, below which a movement is outside."""
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


def outside(own: np.ndarray, donors: np.ndarray) -> list[Trend]:
    """Return the movements of the treated unit that lie outside those of all donors, and far.

    Parameters
    ----------
    own, donors
        Series in the pre-periods that have an outcome, dims ``(time,)`` and ``(time, donor)``.
    """
    periods, count = donors.shape
    if count < FEWEST or periods < FEWEST:
        return []
    found = []
    for name, measure in MEASURES.items():
        mine, theirs = float(measure(own)), measure(donors)
        spread = float(theirs.std(ddof=1)) * np.sqrt(1 + 1 / count)
        low, high = float(theirs.min()), float(theirs.max())
        if spread > 0 and not low <= mine <= high:
            z = (mine - float(theirs.mean())) / spread
            if 2 * stdtr(count - 1, -abs(z)) < CHANCE:
                found.append(Trend(name, mine, low, high, z))
    return found
