"""Choose which past windows are treated as if they were the test."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayes_synth.data.history import AbstractHistory
from bayes_synth.data.times import time_label
from bayes_synth.errors import DesignWarning, PlanError, warn
from bayes_synth.words import short, texts

__all__ = ["independent", "past_starts", "require_periods"]

MOST = 7
"""So many starts at most, unless asked for more."""
LEAST = 3
"""Periods that weights need at least."""
SHARE = 3
"""A test may take at most one part in so many of the history."""


def require_periods(periods: Any, times: int) -> tuple[int, ...]:
    """Return the lengths, the shortest first, and refuse those that the history cannot judge.

    Raises
    ------
    PlanError
        H004 unless they are whole numbers from 1 to a third of the history.
    """
    given = list(np.atleast_1d(np.asarray(periods, dtype=object)))
    whole = [isinstance(p, (int, np.integer)) and not isinstance(p, bool) and p >= 1 for p in given]
    if not given or not all(whole):
        raise PlanError("H004", f"periods must be whole numbers of at least 1, got {periods!r}.")
    longest, most = max(given), times // SHARE
    if longest > most:
        raise PlanError(
            "H004",
            f"periods must be at most a third of the history, {most} of {times} periods, got "
            f"{longest}; plan a shorter test or bring a longer history.",
        )
    return tuple(sorted({int(p) for p in given}))


def past_starts(history: AbstractHistory, starts: Any, longest: int) -> tuple[int, ...]:
    """Return the positions of the starts among the times, in order.

    By default up to seven, evenly spread from the middle of the history to the last one after which
    a test of the longest length still fits. At least half of the history, and three periods, come
    before each.

    Raises
    ------
    PlanError
        H005 for starts that leave too few periods before or after.
    DesignError
        D001 for labels that do not fit the time axis.

    Warns
    -----
    DesignWarning
        D003 for a label between two times.
    """
    times = len(history.times)
    first, last = max(times // 2, LEAST), times - longest
    if first > last:
        text = f"{times} periods leave no past start for a test of {longest} after at least {first}"
        raise PlanError("H005", f"{text}: plan a shorter test or bring a longer history.")
    if isinstance(starts, str) and starts == "auto":
        starts = MOST
    if isinstance(starts, (int, np.integer)) and not isinstance(starts, bool):
        if starts < 1:
            raise PlanError("H005", f"starts must be at least 1, got {starts}.")
        count = min(int(starts), last - first + 1)
        # Backwards from the end, so that the latest window is always among them.
        return tuple(sorted({int(x) for x in np.linspace(last, first, count).round()}))
    return _labelled(history, starts, last)


def _labelled(history: AbstractHistory, starts: Any, last: int) -> tuple[int, ...]:
    """Return the positions of labels that the caller named."""
    given = [starts] if isinstance(starts, str) or np.ndim(starts) == 0 else list(starts)
    if not given:
        raise PlanError("H005", 'starts must be "auto", a number or labels of times, got none.')
    found = []
    for label in given:
        time = time_label(label, history.times, what="starts", zone=history.zone)
        position = int(np.searchsorted(history.times, time))
        if not LEAST <= position <= last:
            ends = f"{short(history.times[LEAST])} to {short(history.times[last])}"
            text = f"starts must lie between {ends}, got {texts(label)[0]}"
            raise PlanError("H005", f"{text}: {LEAST} periods before, the test's length after.")
        if history.times[position] != time:
            text = f"starts={texts(label)[0]} falls between two times"
            first = short(history.times[position])
            warn(DesignWarning, "D003", f"{text}; the pretend test starts at {first}.")
        found.append(position)
    return tuple(sorted(set(found)))


def independent(starts: Sequence[int], periods: int) -> int:
    """Count how many of the windows can be taken so that no two overlap."""
    count, free = 0, -1
    for start in sorted(starts):
        if start >= free:
            count, free = count + 1, start + periods
    return count
