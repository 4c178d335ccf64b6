"""Turn a column of times, however it is written, into the axis of a panel.

Numbers that are dates in disguise are recognised by kind: they become dates with a remark when they
can mean one thing only, and are refused with the line that converts them otherwise.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from bayes_synth.data.dates import Reading, read_date, readings
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
YEARS = (1800, 2200)
"""Years that dates written as one number are believed to be in."""


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
        P022 for missing times, P030 for mixed kinds, P032 for what are no times or no ISO dates,
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
    text = re.sub(r"\s*\[YR[0-9]{4}\]$|^(?:YR|X|y)(?=[0-9]{4}$)", "", str(label))
    reading = read_date(re.sub(r"\.0$", "", text))
    return reading is not None and YEARS[0] <= int(reading.first.year) <= YEARS[1]


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
    if index.dtype.kind in "iu" and index.max() <= np.iinfo("int64").max:
        return Axis(_undisguised(index.astype("int64"), name, notes))
    if index.dtype.kind in "uf":
        return Axis(_undisguised(_numeric(index, name), name, notes))
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
        raise PanelError("P032", f"{name!r} must hold times, got {listed(sorted(kinds))}.")
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
        return Axis(_undisguised(index.astype("int64"), name, notes))
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
    column = _written(name)
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
    lines = _converting(name, texts)
    known = (
        f"\n  Convert it first: {' or '.join(lines)}."
        if lines
        else ("\n  Convert it first, for example with pandas.to_datetime(..., format=...).")
    )
    reading = f", which may be {meant}" if meant else ""
    return PanelError("P032", f"{name!r} must hold ISO dates, got {bad!r}{reading}.{known}")


def _converting(name: str, texts: list[str]) -> list[str]:
    """Return the lines that would convert the whole column; two when the order is open."""
    column = _written(name)
    if all(any("fiscal" in found for found in readings(text)) for text in texts):
        digits = "str.extract(r'([0-9]+)')[0].astype(int)"
        return [f"{column} = {column}.{digits} (the first of the years it names, as a number)"]
    fitting = [written for written in FORMATS if _fits(texts, written)]
    return [f"{column} = pandas.to_datetime({column}, format={written!r})" for written in fitting]


def _fits(texts: list[str], written: str) -> bool:
    return bool(pd.to_datetime(pd.Series(texts), format=written, errors="coerce").notna().all())


NUMBERS = [
    order.replace("-", separator)
    for order in ("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%m-%Y")
    for separator in ("/", ".", "-")
]
NAMED = ["%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%b %Y", "%B %Y"]
NAMED += ["%b-%Y", "%d-%b-%y", "%d%b%Y"]
FORMATS = [
    written + clock for written in [*NUMBERS, *NAMED] for clock in ("", " %H:%M", " %H:%M:%S")
]
"""Ways of writing dates that are not ISO, among which a line that converts is looked for."""


def _written(name: str) -> str:
    """Write the column as code does; ``df`` stands for the caller's frame."""
    return "df.index" if name == "index" else f"df[{name!r}]"


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
        text = f"{name!r} has a time zone without a name ({zone}): tz_convert('UTC') it first."
        raise PanelError("P044", text) from error
    instants = index.unique()
    shown = instants.tz_localize(None)
    if shown.is_unique:
        text = f"{name!r} is in {zone}: times are what its clock shows, and text is read in it."
        notes.append(Remark("P031", "noted", text))
        return Zone(zone)
    twice = short(shown[shown.duplicated()][0])
    text = (
        f"the clock of {zone} goes back within {name!r}, where {twice} occurs twice: "
        f"times are kept in UTC. Text such as start is read in {zone}."
    )
    notes.append(Remark("P043", "warned", text))
    return Zone(zone, utc=True)


# --- dates in disguise ---


class Disguise(NamedTuple):
    """Describe one way of writing dates as numbers.

    ``line`` converts a column, written ``{c}``, with its text ``{t}``; without one the numbers are
    converted here, by ``dates``.
    """

    what: str
    fits: Callable[[np.ndarray], bool]
    dates: Callable[[np.ndarray], pd.DatetimeIndex]
    line: str = ""


def _undisguised(index: pd.Index, name: str, notes: list[Remark]) -> pd.Index:
    """Convert numbers that are dates when there is one reading; refuse those that need a word.

    Raises
    ------
    PanelError
        P041 with the line that converts them.
    """
    numbers = np.unique(index.to_numpy())
    disguise = next((each for each in DISGUISES if each.fits(numbers)), None)
    if disguise is None:
        return index
    first = short(disguise.dates(numbers[:1])[0])
    if not disguise.line:
        how = f"read as dates, {numbers[0]} as {first}"
        text = f"the numbers in {name!r} are {disguise.what}: {how}."
        notes.append(Remark("P040", "noted", text))
        dates: pd.Index = disguise.dates(index.to_numpy()).as_unit("ns").rename("time")
        return dates
    column = _written(name)
    line = disguise.line.format(c=column, t=f"{column}.astype(str)")
    raise PanelError(
        "P041",
        f"the numbers in {name!r} look like {disguise.what}: {numbers[0]:.16g} would be {first}.\n"
        f"  Convert it first: {column} = {line}; "
        f"if they only count periods, subtract the first: {column} -= {numbers[0]:.16g}.",
    )


def _between(numbers: np.ndarray, low: float, high: float) -> bool:
    return bool(len(numbers) and low <= numbers[0] and numbers[-1] <= high)


def _split(numbers: np.ndarray, by: int) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(numbers, by)


def _whole(numbers: np.ndarray) -> bool:
    return numbers.dtype.kind == "i"


def _written_as(pattern: str, digits: int) -> Callable[[np.ndarray], bool]:
    """Test for whole numbers of that many digits which are all dates of a likely year."""

    def fits(numbers: np.ndarray) -> bool:
        unit = 10 ** (digits - 4)
        if not _whole(numbers) or not _between(numbers, YEARS[0] * unit, (YEARS[1] + 1) * unit - 1):
            return False
        return bool(_parsed(numbers, pattern, errors="coerce").notna().all())

    return fits


def _parsed(numbers: np.ndarray, pattern: str, errors: Any = "raise") -> pd.DatetimeIndex:
    return pd.DatetimeIndex(
        pd.to_datetime(pd.Index(numbers.astype(str)), format=pattern, errors=errors)
    )


def _parser(pattern: str) -> Callable[[np.ndarray], pd.DatetimeIndex]:
    return lambda numbers: _parsed(numbers, pattern)


def _are_weeks(numbers: np.ndarray) -> bool:
    """Test for year and week in one number, over a change of year: 202352, 202401."""
    if not _whole(numbers) or not _between(numbers, 180_001, 220_053):
        return False
    years, weeks = _split(numbers, 100)
    return bool(years[0] < years[-1] and weeks.min() >= 1 and weeks.max() <= 53)


def _weeks(numbers: np.ndarray) -> pd.DatetimeIndex:
    years, weeks = _split(numbers, 100)
    first = [dt.date.fromisocalendar(int(year), 1, 1) for year in years]
    return pd.DatetimeIndex(pd.to_datetime(first) + pd.to_timedelta(7 * (weeks - 1), unit="D"))


def _are_quarters(numbers: np.ndarray) -> bool:
    """Test for year and quarter in one number, over a change of year: 20234, 20241."""
    if not _whole(numbers) or not _between(numbers, 18_001, 22_004) or len(numbers) < 3:
        return False
    years, quarters = _split(numbers, 10)
    steps = set(np.diff(numbers).tolist())
    likely = quarters.min() >= 1 and quarters.max() <= 4 and years[0] < years[-1]
    return bool(likely and steps <= {1, 7})


def _quarters(numbers: np.ndarray) -> pd.DatetimeIndex:
    years, quarters = _split(numbers, 10)
    return _parsed(100 * years + 3 * quarters - 2, "%Y%m")


def _since(origin: str, unit: Any, low: float, high: float) -> dict[str, Any]:
    return {
        "fits": lambda numbers: _between(numbers, low, high),
        "dates": lambda numbers: pd.DatetimeIndex(
            pd.to_datetime(pd.Series(numbers), unit=unit, origin=origin)
        ),
        "line": f"pandas.to_datetime({{c}}, unit={unit!r}"
        + ("" if origin == "unix" else f", origin={origin!r}")
        + ")",
    }


SECONDS = 3e8, 4.1e9
"""Seconds since 1970, from 1979 to 2099."""
DISGUISES: tuple[Disguise, ...] = (
    Disguise("dates written YYYYMMDD", _written_as("%Y%m%d", 8), _parser("%Y%m%d")),
    Disguise("months written YYYYMM", _written_as("%Y%m", 6), _parser("%Y%m")),
    Disguise(
        "ISO weeks written YYYYWW",
        _are_weeks,
        _weeks,
        "pandas.to_datetime({t} + '1', format='%G%V%u')",
    ),
    Disguise(
        "quarters written YYYYQ",
        _are_quarters,
        _quarters,
        "pandas.PeriodIndex({t}.str[:4] + 'Q' + {t}.str[4:], freq='Q').to_timestamp()",
    ),
    *(
        Disguise(
            f"clock times written {name}",
            _written_as(pattern, digits),
            _parser(pattern),
            f"pandas.to_datetime({{t}}, format={pattern!r})",
        )
        for name, pattern, digits in (
            ("YYYYMMDDHH", "%Y%m%d%H", 10),
            ("YYYYMMDDHHMM", "%Y%m%d%H%M", 12),
            ("YYYYMMDDHHMMSS", "%Y%m%d%H%M%S", 14),
        )
    ),
    *(
        Disguise(
            f"{name} since 1970, in UTC", **_since("unix", unit, *(factor * s for s in SECONDS))
        )
        for name, unit, factor in (
            ("seconds", "s", 1),
            ("milliseconds", "ms", 1e3),
            ("microseconds", "us", 1e6),
            ("nanoseconds", "ns", 1e9),
        )
    ),
    Disguise("serial dates of a spreadsheet", **_since("1899-12-30", "D", 29_221, 58_804)),
)
"""Ways of writing dates as numbers, in the order in which they are tried."""
