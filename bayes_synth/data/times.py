"""Labels of times: what a user types as a label of the panel's own time axis."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd

from bayes_synth.errors import DesignError, DesignWarning, warn
from bayes_synth.words import short

__all__ = ["first_treated", "time_label", "without_zone"]


def time_label(value: Any, times: pd.Index, *, what: str) -> Any:
    """Read ``value`` as a label that can be compared with ``times``; dates may be text.

    Parameters
    ----------
    value
        A number for numbered times, else a date, a timestamp, a period or ISO text.
    times
        The axis.
    what
        Name of the argument, for the message.

    Raises
    ------
    DesignError
        D001 when the value cannot be a label of this time axis.
    """
    example = f"{times[0]}" if times.dtype.kind in "iuf" else repr(str(times[0])[:10])
    wrong = DesignError(
        "D001", f"{what}={value!r} does not fit the time axis; write it like {example}."
    )
    if isinstance(value, bool) or value is None:
        raise wrong
    value = value.to_timestamp() if isinstance(value, pd.Period) else value
    if times.dtype.kind in "iuf":
        value = _as_number(value)
        if (
            not isinstance(value, (int, float, np.integer, np.floating))
            or not -math.inf < value < math.inf
        ):
            raise wrong
        return int(value) if value % 1 == 0 else float(value)
    if not isinstance(value, (str, dt.date, np.datetime64)):
        raise wrong
    try:
        stamp = pd.Timestamp(value)
    except ValueError as error:
        raise wrong from error
    if pd.isna(stamp):
        raise wrong
    calendar = pd.DatetimeIndex(times)
    days = stamp == stamp.normalize() and bool((calendar == calendar.normalize()).all())
    return stamp if stamp.tzinfo is None else without_zone(pd.DatetimeIndex([stamp]), days=days)[0]


def first_treated(start: Any, times: pd.Index) -> Any:
    """Return the first time that is not before ``start``, with a warning unless it is ``start``.

    Raises
    ------
    DesignError
        D001 when ``start`` does not fit the axis, D002 when it lies outside the times.
    """
    label = time_label(start, times, what="start")
    if not times[0] <= label <= times[-1]:
        ends = f"{short(times[0])} to {short(times[-1])}"
        raise DesignError("D002", f"start={short(label)} lies outside the times, {ends}.")
    first = times[times >= label][0]
    if first != label:
        text = (
            f"start={short(label)} falls between two times; "
            f"the first treated period is {short(first)}."
        )
        warn(DesignWarning, "D003", text)
    return first


def _as_number(value: Any) -> Any:
    """Convert a number written as text, and return anything else as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def without_zone(index: pd.DatetimeIndex, *, days: bool) -> pd.DatetimeIndex:
    """Keep days the days they are in their zone; convert clock times to UTC."""
    return index.tz_localize(None) if days else index.tz_convert("UTC").tz_localize(None)
