"""Find values that a program wrote in place of missing ones: 9999, -999, straight lines.

Plain numpy on one series; :mod:`bayes_synth.data.broken` asks with zeros and repeated values.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["held", "interpolated", "placeholders", "runs"]

NINES = tuple(float(sign * (10**digits - 1)) for digits in range(2, 8) for sign in (-1, 1))
"""Numbers that stand for a missing one in files: 99, -99, 999, -999 and so on."""
FAR = 3.0
"""A placeholder lies so many ranges of the other values outside them."""
STRAIGHT = 5
"""At least so many steps, one after the other, are all but equal in a straight line."""
CHANCE = 1e-3
"""A line is interpolated when so straight a one is expected less often than this."""
ROUNDING = 1e-9
"""Differences below this share of a series' size are rounding."""
TIED = 0.05
"""A series is rounded when two of its steps are equal with at least this chance."""
HELD = 0.6
"""Share of steps that are none in a series that holds its values for several periods each."""
SMOOTH = 0.1
"""Share of such steps below which the other series change in every period."""


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return first and last position of every stretch of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def placeholders(series: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and last position of every stretch of nines far outside the other values."""
    seen = np.isfinite(series)
    for value in np.intersect1d(series[seen], NINES):
        others = series[seen & (series != value)]
        distance = max(others.min() - value, value - others.max()) if len(others) > 2 else 0.0
        if distance > FAR * max(np.ptp(others), np.abs(others).max() / 10):
            yield from runs(series == value)


def interpolated(series: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and last position of every straight line that the rest makes unlikely."""
    size = float(np.nanmax(np.abs(series)))
    steps = np.diff(series)
    straight = (np.abs(np.diff(steps)) <= ROUNDING * size) & (np.abs(steps[1:]) > ROUNDING * size)
    for first, last in runs(straight):
        length = last - first + 1
        if length > len(straight) / 2 or _tied(np.delete(steps, np.s_[first : last + 2]), size):
            continue
        share = (int(straight.sum()) - length + 1) / (len(straight) - length + 2)
        if length + 1 >= STRAIGHT and len(straight) * share**length < CHANCE:
            # The line begins a step before its first and ends a step behind its last bend.
            yield first, last + 2


def _tied(steps: np.ndarray, size: float) -> bool:
    """Tell whether steps are equal so often, other than zero, that the series is rounded."""
    moving = np.round(steps[np.abs(steps) > ROUNDING * size] / size, 8)
    _, counts = np.unique(moving, return_counts=True)
    return len(moving) < 2 or float(((counts / counts.sum()) ** 2).sum()) > TIED


def held(donors: np.ndarray) -> np.ndarray:
    """Return the columns that hold each value for several periods while most others do not.

    Zeros are left out: days on which nothing happens follow one another by nature.
    """
    steps = np.diff(donors, axis=0)
    none = ((steps == 0) & (donors[1:] != 0)).mean(0) if len(steps) else np.zeros(donors.shape[1])
    moving = np.ptp(donors, axis=0) > 0
    if not moving.any() or float(np.median(none[moving])) > SMOOTH:
        return np.zeros(0, dtype=int)
    return np.flatnonzero(moving & (none >= HELD))
