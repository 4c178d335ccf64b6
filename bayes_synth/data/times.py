"""Labels of times: what a user types as a label of the panel's own time axis, and in which zone.

Text is a date in ISO or has no meaning; it is read in the time zone of the data.
"""

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd

from bayes_synth.data.dates import read_date, readings
from bayes_synth.errors import DesignError, DesignWarning, warn
from bayes_synth.words import short

__all__ = ["NO_ZONE", "Zone", "first_treated", "time_label", "time_span", "without_zone"]

NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]*)?\s*")
"""Text that is a number, such as a year."""


@final
@dataclass(frozen=True)
class Zone:
    """Describe the time zone of the data, in which a label written as text is read.

    Parameters
    ----------
    name
        Name of the zone, such as ``"Europe/Berlin"``; empty for data without one.
    utc
        False when the panel's times are what a clock in the zone shows. True when that clock goes
        back within the data and so shows one hour twice: then the panel's times are in UTC.
    """

    name: str = ""
    utc: bool = False

    def own(self, stamp: pd.Timestamp, *, what: str) -> pd.Timestamp:
        """Convert a clock time of the zone to a label of the panel.

        Raises
        ------
        DesignError
            D011 for a time that the zone's clock never shows, or shows twice.
        """
        if not self.utc or stamp.tzinfo is not None:
            return stamp
        try:
            return stamp.tz_localize(self.name).tz_convert("UTC").tz_localize(None)
        except ValueError as error:
            raise _changed_clock(stamp, self.name, what) from error

    def typed(self, start: Any) -> Any:
        """Take a stamp without a zone, typed for the data, for a time of the data's clock."""
        if isinstance(start, (dt.datetime, np.datetime64)) and not pd.isna(start):
            return self.own(pd.Timestamp(start), what="start")
        return start

    def instants(self, times: pd.Index) -> pd.Index:
        """Return the panel's times with equal steps where the zone's clock has gone forward."""
        if not self.name or self.utc:
            return times
        zoned = pd.DatetimeIndex(times).tz_localize(
            self.name, ambiguous=np.ones(len(times), dtype=bool), nonexistent="shift_forward"
        )
        days = bool((times == pd.DatetimeIndex(times).normalize()).all())
        return times if days else zoned.tz_convert("UTC").tz_localize(None)

    def converted(self, stamp: pd.Timestamp) -> pd.Timestamp:
        """Convert an instant with a zone of its own to a label of the panel."""
        return stamp.tz_convert("UTC" if self.utc else self.name).tz_localize(None)


NO_ZONE = Zone()
"""The zone of numbered times, and of dates that came without one."""


class Span(NamedTuple):
    """Hold the first and the last label that a value stands for: of ``2024-02``, a month's ends."""

    first: Any
    last: Any


def time_label(value: Any, times: pd.Index, *, what: str, zone: Zone = NO_ZONE) -> Any:
    """Read ``value`` as a label that can be compared with ``times``; dates may be text.

    Parameters
    ----------
    value
        A number for numbered times, else a date, a timestamp, a period or ISO text.
    times
        The axis.
    what
        Name of the argument, for the message.
    zone
        Time zone of the data, in which text is read.

    Raises
    ------
    DesignError
        D001 when the value cannot be a label of this time axis, D011 for text that the zone's
        clock never shows or shows twice, D012 for a time zone when the data have none.
    """
    return time_span(value, times, what=what, zone=zone).first


def time_span(value: Any, times: pd.Index, *, what: str, zone: Zone = NO_ZONE) -> Span:
    """Read ``value`` as the labels it covers: text such as ``2024-02`` covers a month.

    Parameters and errors are those of :func:`time_label`.
    """
    if isinstance(value, bool) or value is None:
        raise _unfit(value, times, what)
    if times.dtype.kind in "iuf":
        number = _number(value, times, what)
        return Span(number, number)
    if isinstance(value, (int, float, np.integer, np.floating)) and value % 1 == 0:
        value = _compact_date(int(value), times) or value
    if isinstance(value, str):
        return _text_span(value, times, what, zone)
    if isinstance(value, pd.Period):
        first, last = value.start_time, value.end_time
        return Span(zone.own(first, what=what), zone.own(last, what=what))
    if not isinstance(value, (dt.date, np.datetime64)):
        raise _unfit(value, times, what)
    try:
        stamp = pd.Timestamp(value)
    except ValueError as error:
        raise _unfit(value, times, what) from error
    if pd.isna(stamp):
        raise _unfit(value, times, what)
    label = _in_zone(stamp, times, what, zone)
    return Span(label, label)


def first_treated(start: Any, times: pd.Index, zone: Zone = NO_ZONE) -> Any:
    """Return the first time that is not before ``start``, with a warning unless it is ``start``.

    Raises
    ------
    DesignError
        D001, D011 and D012 as in :func:`time_label`, D002 when it lies outside the times.
    """
    label = time_label(start, times, what="start", zone=zone)
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


def without_zone(index: pd.DatetimeIndex, *, days: bool) -> pd.DatetimeIndex:
    """Keep days the days they are in their zone; convert clock times to UTC."""
    return index.tz_localize(None) if days else index.tz_convert("UTC").tz_localize(None)


def _text_span(text: str, times: pd.Index, what: str, zone: Zone) -> Span:
    """Read text in the zone of the data; on an axis of months, six digits are one."""
    reading = read_date(text)
    if reading is None and re.fullmatch("[0-9]{6}", text.strip()):
        reading = read_date(_compact_date(int(text), times) or "")
    if reading is None:
        raise _unfit(text, times, what)
    first = _in_zone(zone.own(reading.first, what=what), times, what, zone)
    if first.tzinfo is None and reading.first.tzinfo is not None:
        # The end of what the text names lies as far behind as it does on its own clock.
        return Span(first, first + (reading.last - reading.first))
    return Span(first, _in_zone(zone.own(reading.last, what=what), times, what, zone))


def _in_zone(stamp: pd.Timestamp, times: pd.Index, what: str, zone: Zone) -> pd.Timestamp:
    """Make a label of a stamp: midnight on an axis of days is its day, whatever its zone."""
    if stamp.tzinfo is None:
        return stamp
    calendar = pd.DatetimeIndex(times)
    if stamp == stamp.normalize() and bool((calendar == calendar.normalize()).all()):
        return stamp.tz_localize(None)
    if not zone.name:
        raise DesignError(
            "D012",
            f"{what}={str(stamp)!r} has a time zone, but the times of the data have none; "
            f"write what the data's clock shows, like {short(stamp.tz_localize(None))!r}.",
        )
    return zone.converted(stamp)


def _compact_date(number: int, times: pd.Index) -> str | None:
    """Write 20240401 in ISO, and 202404 when every time is the first of a month; else None."""
    year, rest = divmod(number, 10_000 if number > 9_999_999 else 100)
    if not 1800 <= year <= 2200:
        return None
    if number > 9_999_999:
        return f"{year:04d}-{rest // 100:02d}-{rest % 100:02d}"
    monthly = bool((pd.DatetimeIndex(times).day == 1).all())
    return f"{year:04d}-{rest:02d}" if monthly else None


def _number(value: Any, times: pd.Index, what: str) -> int | float:
    """Read a label of numbered times; whole ones become integers."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value)
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or not -math.inf < value < math.inf:
        raise _unfit(value, times, what)
    return int(value) if value % 1 == 0 else float(value)


def _unfit(value: Any, times: pd.Index, what: str) -> DesignError:
    """Say how labels of this axis are written, and what the value might have meant."""
    numbered = times.dtype.kind in "iuf"
    example = f"{times[0]}" if numbered else repr(short(times[0]))
    meant = readings(value) if isinstance(value, str) and not numbered else []
    maybe = f"it may be {' or '.join(meant)}; " if meant else ""
    return DesignError(
        "D001", f"{what}={value!r} does not fit the time axis; {maybe}write it like {example}."
    )


def _changed_clock(stamp: pd.Timestamp, zone: str, what: str) -> DesignError:
    """Say that a clock changes at this time, and how to write what was meant."""
    sides = [
        stamp.tz_localize(zone, ambiguous=summer, nonexistent="shift_forward")
        for summer in (True, False)
    ]
    if sides[0] == sides[1]:
        return DesignError(
            "D011",
            f"{what}={short(stamp)!r} never occurs in {zone}, where the clock goes forward; "
            f"write {str(sides[0])!r}.",
        )
    return DesignError(
        "D011",
        f"{what}={short(stamp)!r} occurs twice in {zone}, where the clock goes back; "
        f"write {str(sides[0])!r} or {str(sides[1])!r}.",
    )
