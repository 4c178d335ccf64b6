"""Find the stretches at which a series is broken: zeros, filled values, lasting jumps.

Plain numpy on arrays. Remarks on a panel and alarms of a fit both ask :func:`broken_series`, so
that they agree. A zero or a repeated value is broken only where the series itself makes it
unlikely: counts with true zeros, rounded series and days on which a shop is closed are not.
Imports :mod:`bayes_synth.words` and :mod:`bayes_synth.data.placeholders` only.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from bayes_synth.data.placeholders import interpolated, placeholders, runs
from bayes_synth.words import listed, short

__all__ = [
    "AGAIN",
    "Broken",
    "broken_series",
    "cure",
    "described",
    "level_breaks",
    "repeats",
    "zeros",
]

Kind = Literal["zero", "repeat", "level", "line", "placeholder"]

CHANCE = 1e-3
"""A stretch is broken when so long a one is expected less often than this in its series."""
JUMP = 10.0
"""A step of so many usual ones (robust sd of the others) is a jump."""
LASTING = 6.0
"""A jump lasts when the means of :data:`BESIDE` periods on both sides differ by so many steps."""
LONE = 3.0
"""A jump stands alone when it is so many times the donor's largest other step, its return apart."""
RARE, ABOVE = 0.995, 4.0
"""A jump is rare among donors when it is so many times this quantile of the others' steps."""
SUDDEN = 5.0
"""A fall to exactly zero is sudden from so many usual steps on."""
BESIDE = 5
"""So many periods on each side of a jump are averaged."""
AGAIN = 2
"""Stretches of zeros that come back more often than this are how the series is."""
NEAR = 0.5
"""The neighbours of broken zeros have at least this share of the series' typical size."""
LONGER = 3
"""Where such stretches are common, a broken one is so many times as long as the others."""
TIED = 0.05
"""Values are rounded when two of them are equal with at least this chance."""
STEPPED = 1 / 3
"""Where more than this share of the other steps are none, a series moves in steps by nature."""
LEAST = 3
"""A repeated value is broken from so many equal ones on."""
ROUNDING = 1e-9
"""Steps below this share of a series' size are rounding."""


class Broken(NamedTuple):
    """Hold one broken stretch: whose it is, of which kind, and its first and last position.

    ``move`` is the mean of the stretch minus what the series was just before, in outcome units.
    """

    unit: str
    kind: Kind
    first: int
    last: int
    move: float

    def within(self, first: int, last: int) -> bool:
        """Tell whether a part of the stretch lies between these positions, ends included."""
        return self.first <= last and self.last >= first


def broken_series(
    treated: np.ndarray, donors: np.ndarray, names: Sequence[str], own: str
) -> list[Broken]:
    """Find every broken stretch of the donors and of the treated series.

    Parameters
    ----------
    treated, donors
        Outcomes, dims ``(time,)``, NaN where missing, and ``(time, donor)``.
    names, own
        Labels of the donors and of the treated unit.

    Returns
    -------
    list of Broken
        Donors in their order, then the treated unit; those of one series by position. Lasting jumps
        are looked for in donors only: one of the treated unit after ``start`` is an effect.
    """
    found: list[Broken] = []
    closed = treated == 0
    for name, series in zip(names, donors.T, strict=True):
        found += _stretches(name, series, closed)
    jumps = level_breaks(donors, names)
    stretches = {broken.unit for broken in found}
    found += [jump for jump in jumps if jump.unit not in stretches]
    shut = (donors == 0).mean(1) > 0.5 if donors.shape[1] else np.zeros(len(treated), bool)
    return [*found, *_stretches(own, treated, shut)]


def described(found: Iterable[Broken], times: pd.Index) -> list[str]:
    """Put broken stretches into words, those of one kind and the same times together."""
    groups: dict[tuple[Kind, int, int], list[str]] = {}
    for unit, kind, first, last, _ in found:
        groups.setdefault((kind, first, last), []).append(unit)
    return [_phrase(units, *key, times) for key, units in groups.items()]


def cure(found: Iterable[Broken]) -> str:
    """Say what to do about broken donors."""
    units = listed(dict.fromkeys(each.unit for each in found))
    return (
        "Make the values missing (NaN) and pass missing='drop_times', or do without the donors: "
        f"panel.drop([...]) of {units}."
    )


def _phrase(units: list[str], kind: Kind, first: int, last: int, times: pd.Index) -> str:
    several = len(units) > 1
    verb = {
        "zero": "are exactly zero" if several else "is exactly zero",
        "repeat": "repeat one value" if several else "repeats one value",
        "line": "follow a straight line" if several else "follows a straight line",
        "placeholder": "hold a row of nines" if several else "holds a row of nines",
        "level": "jump to another level" if several else "jumps to another level",
    }[kind]
    on = f"at {short(times[first])}"
    ended = ", the end" if last == len(times) - 1 and kind != "level" else ""
    until = (
        f"from {short(times[first])} to {short(times[last])} ({last - first + 1} periods{ended})"
    )
    return f"{listed(units)} {verb} {on if first == last or kind == 'level' else until}"


def _stretches(name: str, series: np.ndarray, shared: np.ndarray) -> list[Broken]:
    """Find zeros, repeated values, straight lines and placeholders of one series."""
    seen = np.isfinite(series)
    if not seen.any() or np.ptp(series[seen]) == 0:
        return []
    nines = [(first, last) for first, last in placeholders(series)]
    bare = series.copy()
    for first, last in nines:
        bare[first : last + 1] = np.nan
    found = [*zeros(bare, shared), *repeats(bare)]
    found += [("line", first, last) for first, last in interpolated(bare)]
    found += [("placeholder", first, last) for first, last in nines]
    return [
        Broken(name, kind, first, last, _move(series, first, last)) for kind, first, last in found
    ]


def zeros(series: np.ndarray, shared: np.ndarray) -> Iterator[tuple[Kind, int, int]]:
    """Yield the stretches of exact zeros that the rest of the series makes unlikely.

    Parameters
    ----------
    series
        Dims ``(time,)``, NaN where missing.
    shared
        Times at which a zero says nothing about this series, because others are zero as well.
    """
    stretches = runs(series == 0)
    usual, size = _usual_step(series), _typical_size(series)
    for first, last in stretches:
        length = last - first + 1
        others = [b - a + 1 for a, b in stretches if a != first]
        again = sum(other >= length / 2 for other in others)
        if again > AGAIN or shared[first : last + 1].mean() > 0.5:
            continue
        beside = _beside(series, first, last)
        rest = int(np.isfinite(series).sum()) - length
        share = (sum(others) + 1) / (rest + 2)
        few = len(others) <= AGAIN
        rare = _expected(length, others, share) < CHANCE
        rare &= few or length >= LONGER * max(others)
        sudden = few and beside >= SUDDEN * usual > 0
        # A series that halves over the years is small beside its median and large beside a step.
        large = beside >= min(NEAR * size, 2 * SUDDEN * usual or np.inf)
        if large and (rare or sudden):
            yield "zero", first, last


def repeats(series: np.ndarray) -> Iterator[tuple[Kind, int, int]]:
    """Yield the stretches of one value, other than zero, that are unlikely for this series."""
    same = np.append(False, np.diff(series) == 0)
    stretches = [(first - 1, last) for first, last in runs(same)]
    changes = int(np.isfinite(series).sum() - same.sum())
    for first, last in stretches:
        length = last - first + 1
        if length < LEAST or series[first] == 0:
            continue
        longer = [b - a + 1 for a, b in stretches if a != first]
        others = [*longer, *[1] * (changes - 1 - len(longer))]
        rest = np.delete(series, np.arange(first, last + 1))
        _, counts = np.unique(rest[np.isfinite(rest)], return_counts=True)
        tie = float(((counts / counts.sum()) ** 2).sum()) if len(counts) else 1.0
        few = len(longer) <= AGAIN and tie < TIED
        alone = few or length >= LONGER * max(longer, default=1)
        if (sum(longer) - len(longer)) > STEPPED * len(rest):
            continue
        if alone and _expected(length, others, tie) < CHANCE:
            yield "repeat", first, last


def level_breaks(donors: np.ndarray, names: Sequence[str]) -> list[Broken]:
    """Find lasting jumps that a donor does not share with the others.

    Steps are counted in a donor's usual one, and what most donors do in a period is taken out. A
    jump may come back: the stretch then ends where it does.
    """
    if donors.shape[1] < 3 or len(donors) < 2 * BESIDE:
        return []
    usual = np.array([_usual_step(series) for series in donors.T])
    moving = np.flatnonzero(usual > 0)
    if len(moving) < 3:
        return []
    steps = np.diff(donors[:, moving], axis=0) / usual[moving]
    # Units feel a common shock by different factors, so where all jump none stands alone.
    shared = np.maximum(1.0, np.median(np.abs(steps), axis=1, keepdims=True))
    alone = (steps - np.median(steps, axis=1, keepdims=True)) / shared
    found: list[Broken] = []
    for column, j in enumerate(moving):
        others = np.abs(np.delete(alone, column, axis=1))
        least = max(JUMP, ABOVE * float(np.quantile(others, RARE)))
        found += _jumps(names[int(j)], donors[:, j], alone[:, column], usual[j], least)
    return found


def _jumps(
    name: str, series: np.ndarray, steps: np.ndarray, usual: float, least: float
) -> Iterator[Broken]:
    """Yield the one or two lasting jumps of a donor that stand alone among its steps."""
    sizes = np.abs(steps)
    order = np.argsort(sizes)[::-1]
    rest = sizes[order[2]]
    large = sorted(int(at) for at in order[:2] if sizes[at] > max(least, LONE * rest))
    back = len(large) == 2 and steps[large[0]] * steps[large[1]] < 0
    for at in large[:1] if back else large:
        first, last = at + 1, large[1] if back else len(series) - 1
        before, after = series[max(0, first - BESIDE) : first], series[first : last + 1][:BESIDE]
        move = float(after.mean() - before.mean())
        if len(after) > 1 and len(before) > 1 and abs(move) > LASTING * usual:
            yield Broken(name, "level", first, last, move)


def _expected(length: int, others: Sequence[int], chance: float) -> float:
    """Return how many stretches of at least this length to expect, from the others' lengths.

    The chance that a stretch goes on after k periods is learnt from those that had come so far,
    starting from ``chance``, and where few had, from the chance after k - 1.
    """
    lengths = np.asarray(others)
    expected, hazard = float(len(lengths) + 1), chance
    for k in range(1, length):
        reached, longer = int((lengths >= k).sum()), int((lengths > k).sum())
        prior = max(1.0, 2 * hazard) if k == 1 and reached else 2 * hazard
        hazard = min(1.0, (longer + prior) / (reached + 2))
        expected *= hazard
    return expected


def _usual_step(series: np.ndarray) -> float:
    """Return the robust sd of the steps between values other than zero; 0 where there are none."""
    steps = np.diff(np.where(series == 0, np.nan, series))
    steps = np.abs(steps[np.isfinite(steps) & (steps != 0)])
    if not len(steps):
        return 0.0
    usual = 1.4826 * float(np.median(steps))
    return usual if usual > ROUNDING * float(np.nanmax(np.abs(series))) else 0.0


def _typical_size(series: np.ndarray) -> float:
    """Return the median size of the values other than zero."""
    sizes = np.abs(series[np.isfinite(series) & (series != 0)])
    return float(np.median(sizes)) if len(sizes) else np.inf


def _beside(series: np.ndarray, first: int, last: int, width: int = 3) -> float:
    """Return the smaller mean size of the few values before and after a stretch."""
    # A series that grows from nothing begins with zeros, and its next values are small.
    after = width if first else 1
    sides = (series[max(0, first - width) : first], series[last + 1 : last + 1 + after])
    means = [float(np.mean(np.abs(s[np.isfinite(s)]))) for s in sides if np.isfinite(s).any()]
    return min(means, default=0.0)


def _move(series: np.ndarray, first: int, last: int) -> float:
    """Return the mean of a stretch minus that of the few values before it, or after it."""
    before = series[max(0, first - BESIDE) : first]
    before = before[np.isfinite(before)]
    if not len(before):
        before = series[last + 1 :][:BESIDE]
    return float(np.nanmean(series[first : last + 1]) - np.nanmean(before))
