"""Turn a column of times, however it is written, into the axis of a panel.

Text is read as ISO dates or refused with the line that converts the column; what numbers may mean
is in :mod:`bayes_synth.data.disguises`.
"""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from bayes_synth.data.conversions import converting_lines
from bayes_synth.data.dates import Reading, read_date, readings
from bayes_synth.data.disguises import YEARS, in_code, undisguised
from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import NO_ZONE, Zone
from bayes_synth.errors import PanelError
from bayes_synth.words import listed, short

__all__ = ["Axis", "axis_of", "look_like_times"]

EXACT = 2**53
"""Whole numbers up to this size are exact in 64-bit floats."""
WHOLE = re.compile(r"\s*-?[0-9]{1,18}\s*")
"""Text that is a whole number, such as a year."""
DECIMAL = re.compile(r"\s*-?[0-9]{1,15}\.[0-9]{1,12}\s*")
"""Text that is a number with decimals, such as 1990.25."""


class Axis(NamedTuple):
    """Hold the times as int64, float64 or datetimes without a zone, and the zone they came in."""

    times: pd.Index
    zone: Zone = NO_ZONE


def axis_of(column: Any, name: object, notes: list[Remark]) -> Axis:
    """Read times from a column or an index; ``name`` is ``"index"`` for the index of a frame.

    Days stay the days they are in their time zone, and clock times what its clock shows. Where that
    clock goes back within the data, and so shows an hour twice, clock times become UTC.

    Raises
    ------
    PanelError
        P022 for missing times, P030 for mixed kinds, P032 for what are neither times nor ISO dates,
        P034 for numbers out of range, P041 for dates written as numbers in a way that must be
        converted first, P044 for a time zone without a name.
    """
    index = pd.Index(_instants(column) if isinstance(column, nw.Series) else column, name="time")
    blank = [isinstance(value, str) and not value.strip() for value in index]
    missing = int(np.sum(index.isna() | np.array(blank, dtype=bool)))
    if missing:
        text = f"{missing} of {len(index)} times in {name!r} are missing. Fill or drop those rows."
        raise PanelError("P022", text)
    return _converted(index, str(name), notes)


def look_like_times(labels: Iterable[Any]) -> bool:
    """Test whether most labels, at least three of them, are years or dates."""
    found = [_is_time(label) for label in labels]
    return len(found) >= 3 and sum(found) > len(found) / 2


def _is_time(label: Any) -> bool:
    if isinstance(label, (dt.date, np.datetime64, pd.Period)):
        return True
    # World Bank writes "1990 [YR1990]".
    text = re.sub(r"\s*\[YR[0-9]{4}\]$|^(?:YR|[XxYy]|[A-Za-z]+_)(?=[0-9]{4}$)", "", str(label))
    reading = read_date(re.sub(r"\.0$", "", text))
    if reading is None:
        return bool(readings(text))
    return YEARS[0] <= int(reading.first.year) <= YEARS[1]


def _instants(column: nw.Series[Any]) -> Any:
    """Hand a column of times to pandas, with the zone that some frames lose on the way to numpy."""
    if not isinstance(column.dtype, nw.Datetime) or column.dtype.time_zone is None:
        return column.to_numpy()
    utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
    return pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(column.dtype.time_zone)


def _converted(index: pd.Index, name: str, notes: list[Remark]) -> Axis:
    if isinstance(index, pd.PeriodIndex):
        text = f"the periods in {name!r} are replaced by their first instants."
        notes.append(Remark("P033", "noted", text))
        index = index.to_timestamp()
    if index.dtype.kind == "b":
        raise PanelError("P032", f"{name!r} must hold times, got booleans.")
    if index.dtype.kind in "iu" and int(index.max()) <= np.iinfo("int64").max:
        return Axis(undisguised(index.astype("int64"), name, notes))
    if index.dtype.kind in "uf":
        return Axis(undisguised(_numeric(index, name), name, notes))
    if isinstance(index, pd.DatetimeIndex):
        return _local(index, name, notes)
    return _from_objects(index, name, notes)


def _numeric(index: pd.Index, name: str) -> pd.Index:
    """Convert times to int64 where all are whole; refuse infinite and huge ones."""
    if not (np.abs(index.to_numpy()) <= EXACT).all():
        text = f"{name!r} has times that are infinite or beyond 2^53. Correct or drop those rows."
        raise PanelError("P034", text)
    whole = bool((index == np.floor(index)).all())
    return index.astype("int64") if whole else index


def _from_objects(index: pd.Index, name: str, notes: list[Remark]) -> Axis:
    """Convert times stored as objects: numbers, dates, or text of one of them."""
    kinds = {_kind(value) for value in index}
    if len(kinds) > 1:
        text = f"{name!r} mixes {listed(sorted(kinds))}. Use one type for all times."
        raise PanelError("P030", text)
    if kinds == {"numbers"}:
        return _converted(pd.Index(index.astype("float64"), name="time"), name, notes)
    if kinds == {"text"}:
        return _from_text(index, name, notes)
    if not kinds <= {"dates", "dates with a time zone"}:
        cure = f" Count them: {in_code(name)} // pandas.Timedelta(1, 'D')."
        cure = cure if kinds == {"Timedelta"} else ""
        raise PanelError("P032", f"{name!r} must hold times, got {listed(sorted(kinds))}.{cure}")
    try:
        dates = pd.DatetimeIndex(pd.to_datetime(list(index)), name="time")
    except ValueError as error:
        if "Mixed timezones" in str(error):
            raise _mixed_offsets(name) from error
        text = f"dates must lie between 1678 and 2261, got {short(min(index))}."
        raise PanelError("P032", text) from error
    return _local(dates, name, notes)


def _kind(value: object) -> str:
    """Name the kind of one time: text, dates, numbers, or its type."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, (dt.date, np.datetime64)):
        zone = getattr(value, "tzinfo", None)
        return "dates" if zone is None else "dates with a time zone"
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return "numbers" if number else type(value).__name__


def _from_text(index: pd.Index, name: str, notes: list[Remark]) -> Axis:
    """Read whole numbers, or dates in ISO; refuse all else with what it might have meant."""
    if all(WHOLE.fullmatch(value) for value in index):
        return Axis(undisguised(index.astype("int64"), name, notes))
    if all(WHOLE.fullmatch(value) or DECIMAL.fullmatch(value) for value in index):
        return _converted(pd.Index(index.astype("float64"), name="time"), name, notes)
    texts = list(dict.fromkeys(index))
    read = {text: read_date(text) for text in texts}
    bad = [text for text, reading in read.items() if reading is None]
    fiscal = [text for text in texts if any("fiscal" in found for found in readings(text))]
    if bad or len(fiscal) == len(texts) > 1:
        raise _not_iso(name, texts, (bad or fiscal)[0])
    found = {text: reading for text, reading in read.items() if reading is not None}
    _note_kinds(found, name, notes)
    stamps = [found[text].first for text in index]
    if len({stamp.tzinfo is None for stamp in stamps}) > 1:
        text = f"{name!r} mixes dates with and without a time zone. Use one kind."
        raise PanelError("P030", text)
    if len({stamp.utcoffset() for stamp in stamps}) > 1:
        raise _mixed_offsets(name)
    return _local(pd.DatetimeIndex(stamps, name="time"), name, notes)


def _mixed_offsets(name: str) -> PanelError:
    column = in_code(name)
    return PanelError(
        "P030",
        f"{name!r} mixes UTC offsets, as where a clock changes.\n"
        f"  Convert it first: {column} = pandas.to_datetime({column}, utc=True); "
        "a further .tz_convert('Europe/Berlin') (of a column .dt.tz_convert) gives it a zone.",
    )


def _note_kinds(found: dict[str, Reading], name: str, notes: list[Remark]) -> None:
    """Say that quarters and weeks are replaced by their first days; refuse a mix of kinds."""
    kinds = sorted({reading.kind for reading in found.values()})
    if len(kinds) > 1 and not set(kinds) <= {"day", "clock"}:
        text = f"{name!r} mixes {listed(f'{kind}s' for kind in kinds)}. Use one kind for all times."
        raise PanelError("P030", text)
    if kinds[0] in ("quarter", "week"):
        text, reading = next(iter(found.items()))
        day = short(reading.first)
        text = f"the {kinds[0]}s in {name!r} are replaced by their first days, {text} by {day}."
        notes.append(Remark("P033", "noted", text))


def _not_iso(name: str, texts: list[str], bad: str) -> PanelError:
    """Refuse text that is no ISO date, with its readings and the lines that convert the column."""
    meant = " or ".join(readings(bad))
    lines = converting_lines(in_code(name), texts)
    known = (
        f"\n  Convert it first: {' or '.join(lines)}."
        if lines
        else ("\n  Convert it first, for example with pandas.to_datetime(..., format=...).")
    )
    reading = f", which may be {meant}" if meant else ""
    return PanelError("P032", f"{name!r} must hold ISO dates, got {bad!r}{reading}.{known}")


def _local(index: pd.DatetimeIndex, name: str, notes: list[Remark]) -> Axis:
    """Replace a time zone by what its clock shows, or by UTC where that is not one to one."""
    zone = NO_ZONE
    if index.tz is not None:
        zone = _zone_of(index, name, notes)
        index = index.tz_convert("UTC").tz_localize(None) if zone.utc else index.tz_localize(None)
    try:
        return Axis(index.as_unit("ns").rename("time"), zone)
    except ValueError as error:
        text = f"dates must lie between 1678 and 2261, got {short(index.min())}."
        raise PanelError("P032", text) from error


def _zone_of(index: pd.DatetimeIndex, name: str, notes: list[Remark]) -> Zone:
    """Say how times with a zone are kept; its clock may show one hour twice."""
    zone = str(index.tz)
    try:
        pd.Timestamp("2000-01-01", tz=zone)
    except (ValueError, KeyError) as error:
        unnamed = f"{name!r} has a time zone without a name ({zone}): tz_convert('UTC') it first."
        raise PanelError("P044", unnamed) from error
    shown = index.unique().tz_localize(None)
    if shown.is_unique:
        local = f"{name!r} is in {zone}: times are what its clock shows, and text is read in it."
        notes.append(Remark("P031", "noted", local))
        return Zone(zone)
    twice = short(shown[shown.duplicated()][0])
    utc = (
        f"the clock of {zone} goes back within {name!r}, where {twice} occurs twice: "
        f"times are kept in UTC. Text such as start is read in {zone}."
    )
    notes.append(Remark("P043", "warned", utc))
    return Zone(zone, utc=True)
