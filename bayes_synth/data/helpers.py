"""Find columns among the donors that are not untreated units: aggregates, copies, dummies, clocks.

Plain numpy on arrays, for the remarks on a panel.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["aggregates", "clocks", "dummies", "near_copies"]

EXACT = 1e-3
"""An aggregate's steps are those of its parts but for this share (root mean square)."""
WITHOUT = 10.0
"""Without the treated unit an aggregate is missed by so many times more."""
SPARE = 3
"""So many more periods than parts are needed to call a fit exact."""
RIDGE = 1e-10
"""Added to mean squares of one, so that what is exactly explained can be inverted."""
CANDIDATES = 10
"""At most so many donors are tried as aggregates."""
ALIKE = 0.9995
"""Correlation of steps from which a donor nearly copies the treated unit."""
CLOSER = 10.0
"""And so many times as close to it, in one minus the correlation, as the median donor is."""
LAGS = 14
"""A copy may be the treated unit of so many periods before."""
FEWEST = 8
"""Fewest steps that tell a copy."""


def dummies(donors: np.ndarray, names: Sequence[str]) -> list[str]:
    """Name the donors whose only values are 0 and 1, or two other small whole numbers."""
    values = {name: np.unique(x) for name, x in zip(names, donors.T, strict=True)}
    return [name for name, x in values.items() if len(x) == 2 and set(x) <= {-1.0, 0.0, 1.0, 2.0}]


def clocks(donors: np.ndarray, names: Sequence[str], times: pd.Index) -> list[str]:
    """Name the donors that count periods, repeat a cycle of whole numbers, or name dates."""
    parts = _parts(times)
    return [
        name
        for name, x in zip(names, donors.T, strict=True)
        if _counts(x) or _cycles(x) or any(np.array_equal(x - x[0], y - y[0]) for y in parts)
    ]


def _parts(times: pd.Index) -> list[np.ndarray]:
    """Return year, quarter, month, week and days of dates; none of numbered times."""
    if not isinstance(times, pd.DatetimeIndex):
        return []
    weeks = times.isocalendar().week.to_numpy(dtype=float)
    parts = [times.year, times.quarter, times.month, times.day, times.day_of_year, times.hour]
    columns = [weeks, *(np.asarray(part, dtype=float) for part in parts)]
    columns.append(columns[1] * 100 + columns[3])
    return [column for column in columns if np.ptp(column) > 0]


def _counts(series: np.ndarray) -> bool:
    """Tell whether a series grows by the same whole number in every period."""
    steps = np.diff(series)
    return len(steps) > 3 and bool((steps == steps[0]).all() and steps[0] == round(steps[0]) != 0)


def _cycles(series: np.ndarray) -> bool:
    """Tell whether whole numbers repeat themselves with a period, at least twice."""
    if not (series == np.round(series)).all() or len(np.unique(series)) < 3:
        return False
    return any(
        bool((series[cycle:] == series[:-cycle]).all())
        for cycle in range(2, len(series) // 2 + 1)
        if series[cycle] == series[0]
    )


def near_copies(treated: np.ndarray, donors: np.ndarray, names: Sequence[str]) -> list[str]:
    """Name the donors whose steps before treatment are all but those of the treated unit.

    ``treated`` and ``donors`` hold the pre-periods that have an outcome. Exact copies have a remark
    of their own and are left out.
    """
    own, steps = np.diff(treated), np.diff(donors, axis=0)
    if len(own) < FEWEST or np.ptp(own) == 0:
        return []
    moving = [j for j in range(len(names)) if np.ptp(steps[:, j]) > 0]
    apart = {j: _apart(treated, donors[:, j]) for j in moving}
    # Where all units share a strong season, all correlate: a copy is closer than the others are.
    usual = float(np.median(list(apart.values()))) if apart else 0.0
    return [
        names[j]
        for j, distance in apart.items()
        if distance < min(1 - ALIKE, usual / CLOSER) and not np.array_equal(donors[:, j], treated)
    ]


def _apart(treated: np.ndarray, donor: np.ndarray) -> float:
    """Return one minus the largest correlation of steps: as they are, of logarithms, or later."""
    pairs = [(treated, donor)]
    if treated.min() > 0:
        pairs.append((np.log(treated), donor))
        pairs += [(np.log(treated), np.log(donor))] if donor.min() > 0 else []
    lags = range(1, min(LAGS, len(treated) - FEWEST) + 1)
    pairs += [(treated[:-lag], donor[lag:]) for lag in lags]
    steps = [(np.diff(own), np.diff(other)) for own, other in pairs]
    moving = [pair for pair in steps if min(np.ptp(pair[0]), np.ptp(pair[1])) > 0]
    return 1 - max((_correlation(*pair) for pair in moving), default=0.0)


def aggregates(treated: np.ndarray, donors: np.ndarray, names: Sequence[str]) -> list[str]:
    """Name the donors that are sums or averages, with any weights, of the treated unit and others.

    Parameters
    ----------
    treated, donors
        Outcomes at all times with a treated outcome, dims ``(time,)`` and ``(time, donor)``.
    names
        Labels of the donors.

    Notes
    -----
    An aggregate's steps are a non-negative combination of the treated unit's steps and those of
    other donors, exact but for rounding, which no combination without the treated unit reaches.
    Where there are too many donors for that, the sum and the mean of all others are looked for.
    """
    steps = np.diff(np.column_stack([treated, donors]), axis=0)
    # Scaled first, so that no square overflows.
    steps = steps / (np.abs(steps).max() or 1.0)
    size = np.sqrt((steps**2).mean(0))
    # Of two units one is a multiple of the other: that is a copy and no aggregate.
    if donors.shape[1] < 2 or size[0] == 0:
        return []
    scaled = steps / np.where(size > 0, size, 1.0)
    moving = np.flatnonzero(size > 0)
    found = [j for j in _candidates(scaled, moving) if _is_aggregate(scaled, moving, j)]
    found += [j for j in _totals(steps) if j not in found]
    return [names[j - 1] for j in found]


def _totals(steps: np.ndarray) -> list[int]:
    """Return the columns that are the sum or the mean of all others, the treated unit included."""
    if len(steps) <= SPARE:
        return []
    rest = steps.sum(1, keepdims=True) - steps
    apart = 1 - _correlations(steps, rest)
    without = 1 - _correlations(steps, rest - steps[:, :1])
    # One minus a correlation is half a squared distance.
    near = (apart < EXACT**2 / 2) & (without > WITHOUT**2 * np.maximum(apart, 1e-13))
    return [int(j) for j in np.flatnonzero(near) if j > 0]


def _candidates(scaled: np.ndarray, moving: np.ndarray) -> list[int]:
    """Return the columns that others may add up to: all but explained, or close to the mean."""
    columns = scaled[:, moving]
    periods, count = columns.shape
    if periods > count + SPARE:
        gram = columns.T @ columns / periods + RIDGE * np.eye(count)
        left = 1 / np.diag(np.linalg.inv(gram))
        order = np.argsort(left)
        chosen = [int(k) for k in order[:CANDIDATES] if left[k] < (WITHOUT * EXACT) ** 2]
    else:
        total = columns.sum(1, keepdims=True) - columns
        close = -np.abs(_correlations(columns, total))
        chosen = [int(k) for k in np.argsort(close)[:CANDIDATES]]
    return [int(moving[k]) for k in chosen if moving[k] > 0]


def _is_aggregate(scaled: np.ndarray, moving: np.ndarray, j: int) -> bool:
    """Tell whether column j is a combination of others that needs column 0, the treated unit."""
    from scipy.optimize import nnls

    others = [int(k) for k in moving if k not in (0, j)]
    weights, distance = nnls(scaled[:, [0, *others]], scaled[:, j])
    parts = int((weights > EXACT).sum())
    limit = EXACT * np.sqrt(len(scaled))
    if weights[0] <= EXACT or parts < 2 or parts + SPARE > len(scaled) or distance > limit:
        return False
    without = nnls(scaled[:, others], scaled[:, j])[1]
    return bool(without > WITHOUT * max(distance, np.finfo(float).eps))


def _correlations(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the uncentred correlation of each column with its partner."""
    sizes = np.sqrt((left**2).sum(0) * (right**2).sum(0))
    return np.asarray((left * right).sum(0) / np.where(sizes > 0, sizes, 1.0))


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Return the correlation of two series; scaled first, so that no square overflows."""
    return float(np.corrcoef(left / np.abs(left).max(), right / np.abs(right).max())[0, 1])
