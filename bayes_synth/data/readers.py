"""Read whatever container the user has into one table of numbers, times by units.

Only this file looks at the type of outside data. It notes what it sorted or converted.
"""

import datetime as dt
import math
import numbers
import re
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import without_zone
from bayes_synth.data.validation import require_distinct_labels, require_unique_cells
from bayes_synth.errors import PanelError
from bayes_synth.words import listed, short, suggestion

EXACT = 2**53
"""Whole numbers up to this size are exact in 64-bit floats."""
WHOLE = re.compile(r"\s*-?[0-9]{1,18}\s*")
"""Text that is a whole number, such as a year."""

__all__ = ["read_long", "read_wide", "read_xarray"]


def read_long(
    data: Any, *, unit: str, time: str, outcome: str, notes: list[Remark]
) -> pd.DataFrame:
    """Read one row per unit and time into a table of sorted times by sorted units.

    Cells without a row are missing (NaN).

    Raises
    ------
    PanelError
        When rows, labels, times or numbers cannot be used; each code is on the page *Errors*.
    """
    roles = {"unit": unit, "time": time, "outcome": outcome}
    columns = list(roles.values())
    if not all(isinstance(name, Hashable) for name in columns) or len(set(columns)) < len(columns):
        raise PanelError("P004", f"unit, time and outcome must be three columns, got {roles}.")
    frame = _columns(_frame(data, [unit, time], notes), columns)
    units, times = _labels(frame[unit], unit, notes), _times(frame[time], time, notes)
    cells = pd.Series(_numbers(frame[outcome], outcome, notes), index=[times, units])
    require_unique_cells(cells.index)
    return _sorted(cells.unstack(sort=False), notes)


def read_wide(
    data: Any,
    *,
    time: str | None,
    notes: list[Remark],
    choose: Callable[[list[str]], list[str]] = list,
) -> pd.DataFrame:
    """Read one column per unit into a table of sorted times by sorted units.

    ``choose`` takes the labels of all columns and returns those of the units.

    Raises
    ------
    PanelError
        As in :func:`read_long`.
    """
    if isinstance(data, pd.DataFrame):
        data = data.set_axis(_labels(list(data.columns), "column names", notes), axis=1)
    if not isinstance(time, Hashable):
        raise PanelError("P003", f"time must name one column, got {time!r}.")
    frame = _frame(data, [] if time is None else [time], notes)
    native = nw.to_native(frame)
    if time is None and not isinstance(native, pd.DataFrame):
        raise PanelError(
            "P003",
            "this frame has no index, so its times must be a column; name it with time=...\n"
            f"  Columns: {listed(frame.columns, 8)}.",
        )
    if time is not None:
        frame = _columns(frame, [time, *(c for c in frame.columns if c != time)])
    times = _times(native.index if time is None else frame[time], time or "index", notes)
    names = [c for c in frame.columns if c != time]
    found = list(_labels(names, "column names", []))
    labels = choose(found)
    units = [name for name, label in zip(names, found, strict=True) if label in labels]
    labels = [label for label in found if label in labels]
    columns = [_numbers(frame[name], name, notes) for name in units]
    table = pd.DataFrame(dict(zip(labels, columns, strict=True)))
    require_unique_cells(pd.MultiIndex.from_product([times, labels]))
    return _sorted(table.set_index(times), notes)


def read_xarray(
    data: Any, *, unit: str, time: str, outcome: str | None, notes: list[Remark]
) -> pd.DataFrame:
    """Read a DataArray, or one variable of a Dataset, into a table of times by units.

    Raises
    ------
    PanelError
        P014 for other dimensions or none with labels, else as in :func:`read_long`.
    """
    array = _variable(data, outcome)
    if not {unit, time} <= set(array.dims):
        raise PanelError(
            "P014",
            f"data must have the dimensions {unit!r} and {time!r}, got {listed(array.dims)}.\n"
            "  Name yours with unit=... and time=...",
        )
    array = array.squeeze([d for d in array.dims if d not in (unit, time) and array.sizes[d] == 1])
    if array.ndim > 2:
        extra = [d for d in array.dims if d not in (unit, time)]
        text = f"data must hold one outcome, got more by {listed(extra)}: select one label of each."
        raise PanelError("P014", text)
    absent = [name for name in (unit, time) if name not in array.coords]
    if absent:
        text = f"the dimensions {listed(absent)} have no labels: assign_coords(...) first."
        raise PanelError("P014", text)
    array = array.transpose(time, unit)
    return read_wide(
        pd.DataFrame(array.values, index=array[time].to_index(), columns=array[unit].to_index()),
        time=None,
        notes=notes,
    )


def _frame(data: Any, index: list[str], notes: list[Remark]) -> nw.DataFrame[Any]:
    """Wrap an eager frame; levels of a pandas index asked for by name become columns."""
    if isinstance(data, pd.DataFrame):
        levels = [n for n in data.index.names if n in index and n not in data.columns]
        if levels:
            notes.append(Remark("P006", "noted", f"{listed(levels)} taken from the row index."))
            data = data.reset_index(levels)
    if isinstance(data, pd.DataFrame) and data.columns.has_duplicates:
        twice = data.columns[data.columns.duplicated()]
        text = f"{len(twice)} column names occur twice: {listed(twice)}. Rename or drop them."
        raise PanelError("P005", text)
    try:
        frame = nw.from_native(data)
    except TypeError as error:
        array = isinstance(data, (xr.DataArray, xr.Dataset))
        hint = "\n  For xarray use Panel.from_xarray." if array else ""
        raise PanelError(
            "P001",
            "data must be a data frame (pandas, polars or pyarrow), "
            f"got {type(data).__name__}.{hint}",
        ) from error
    if not isinstance(frame, nw.DataFrame):
        raise PanelError("P007", "a lazy frame has no values yet: collect() it first.")
    if frame.is_empty():
        text = f"the frame is empty (columns: {listed(frame.columns) or 'none'})."
        raise PanelError("P002", text)
    return frame


def _columns(frame: nw.DataFrame[Any], names: list[str]) -> nw.DataFrame[Any]:
    """Select columns by name; refuse a name that does not exist."""
    for name in names:
        if name not in frame.columns:
            hint = suggestion(name, [str(c) for c in frame.columns])
            raise PanelError("P003", f"the frame has no column {name!r}. {hint}")
    return frame.select(names)


def _variable(data: Any, outcome: str | None) -> xr.DataArray:
    """Return the array itself, or the variable of a dataset that holds the outcome."""
    if isinstance(data, xr.DataArray):
        return data
    if not isinstance(data, xr.Dataset):
        text = f"data must be an xarray DataArray or Dataset, got {type(data).__name__}."
        raise PanelError("P001", text)
    names = [str(name) for name in data.data_vars]
    if outcome is None and len(names) == 1:
        return data[names[0]]
    if outcome not in names:
        text = f"outcome must name one variable of the dataset, got {outcome!r}."
        raise PanelError("P003", f"{text} {suggestion(outcome, names)}")
    return data[outcome]


def _labels(column: Any, name: str, notes: list[Remark]) -> pd.Index:
    """Write the labels of units as text; refuse missing, empty and look-alike ones."""
    raw = list(column)
    missing = sum(_is_missing(value) for value in raw)
    if missing:
        raise PanelError(
            "P022",
            f"{missing} of {len(raw)} labels in {name!r} are missing or empty. "
            "Fill or drop those rows.",
        )
    kinds = {type(value) for value in raw}
    labels = [str(value) for value in raw]
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    try:
        different = set(raw)
    except TypeError as error:
        text = f"the labels in {name!r} must be text, numbers or dates, got {names}."
        raise PanelError("P024", text) from error
    if len(set(labels)) < len(different):
        raise PanelError(
            "P024",
            f"{name!r} mixes labels that look alike but have different types ({names}). "
            "Use one type.",
        )
    if raw and kinds <= {int, np.int64, np.int32}:
        text = f"the labels in {name!r} are whole numbers: kept as text, '{labels[0]}'."
        notes.append(Remark("P039", "noted", text))
    require_distinct_labels(sorted(set(labels)), name)
    return pd.Index(labels, dtype=object, name="unit")


def _is_missing(value: object) -> bool:
    """Test for None, NaN, NaT, pd.NA and blank text."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))  # type: ignore[call-overload]
    )


def _times(column: Any, name: str, notes: list[Remark]) -> pd.Index:
    """Convert times to int64, float64 or naive datetimes.

    With a time zone, days stay the days they are there, and clock times become UTC.
    """
    index = pd.Index(_instants(column) if isinstance(column, nw.Series) else column, name="time")
    missing = int(np.sum(index.isna()))
    if missing:
        text = f"{missing} of {len(index)} times in {name!r} are missing. Fill or drop those rows."
        raise PanelError("P022", text)
    if isinstance(index, pd.PeriodIndex):
        text = f"the periods in {name!r} are replaced by their first instants."
        notes.append(Remark("P033", "noted", text))
        index = index.to_timestamp()
    if index.dtype.kind == "b":
        raise PanelError("P032", f"{name!r} must hold times, got booleans.")
    if index.dtype.kind in "iu" and index.max() <= np.iinfo("int64").max:
        whole: pd.Index = index.astype("int64")
        return whole
    if index.dtype.kind in "uf":
        return _numeric_times(index, name)
    if isinstance(index, pd.DatetimeIndex):
        return _naive(index, name, notes)
    return _parsed_times(index, name, notes)


def _instants(column: nw.Series[Any]) -> Any:
    """Hand a column of times to pandas, with the zone that some frames lose on the way to numpy."""
    if not isinstance(column.dtype, nw.Datetime) or column.dtype.time_zone is None:
        return column.to_numpy()
    utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
    return pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(column.dtype.time_zone)


def _numeric_times(index: pd.Index, name: str) -> pd.Index:
    """Convert times to int64 where all are whole; refuse infinite and huge ones."""
    if not (np.abs(index.to_numpy()) <= EXACT).all():
        text = f"{name!r} has times that are infinite or beyond 2^53. Correct or drop those rows."
        raise PanelError("P034", text)
    whole = bool((index == np.floor(index)).all())
    return index.astype("int64") if whole else index


def _parsed_times(index: pd.Index, name: str, notes: list[Remark]) -> pd.Index:
    """Convert times stored as objects: numbers, dates, or text of one of them."""
    kinds = {_kind(value) for value in index}
    if len(kinds) > 1:
        text = f"{name!r} mixes {listed(sorted(kinds))}. Use one type for all times."
        raise PanelError("P030", text)
    if kinds == {"numbers"}:
        return _times(pd.Index(index.astype("float64"), name="time"), name, notes)
    if kinds == {"text"} and all(WHOLE.fullmatch(value) for value in index):
        return index.astype("int64")
    if not kinds <= {"text", "dates", "dates with a time zone"}:
        raise PanelError("P032", f"{name!r} must hold times, got {listed(sorted(kinds))}.")
    try:
        parsed = pd.to_datetime(index, format="ISO8601", utc=False)
    except ValueError as error:
        if "Mixed timezones" in str(error):
            hint = "Convert it first with pandas.to_datetime(..., utc=True)."
            raise PanelError("P030", f"{name!r} mixes UTC offsets. {hint}") from error
        bad = _first_failing(index, lambda value: pd.to_datetime(value, format="ISO8601"))
        raise PanelError(
            "P032",
            f"{name!r} must hold ISO dates, got {bad!r}.\n"
            "  Convert it first, for example with pandas.to_datetime(..., format=...).",
        ) from error
    return _naive(pd.DatetimeIndex(parsed, name="time"), name, notes)


def _kind(value: object) -> str:
    """Name the kind of one time: text, dates, numbers, or its type."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, (dt.date, np.datetime64)):
        zone = getattr(value, "tzinfo", None)
        return "dates" if zone is None else "dates with a time zone"
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return "numbers" if number else type(value).__name__


def _first_failing(values: pd.Index, convert: Callable[[Any], Any]) -> object:
    """Return the first value that ``convert`` refuses."""
    for value in values:
        try:
            convert(value)
        except ValueError:
            return value
    return values[0]


def _naive(index: pd.DatetimeIndex, name: str, notes: list[Remark]) -> pd.DatetimeIndex:
    """Remove the time zone, and store dates in nanoseconds."""
    if index.tz is not None:
        text = f"{name!r} is in {index.tz}: days kept as they are there, clock times in UTC."
        notes.append(Remark("P031", "noted", text))
        local = index.tz_localize(None)
        index = without_zone(index, days=bool((local.normalize() == local).all()))
    try:
        return index.as_unit("ns").rename("time")
    except ValueError as error:
        text = f"dates must lie between 1678 and 2261, got {short(index.min())}."
        raise PanelError("P032", text) from error


def _numbers(column: nw.Series[Any], name: object, notes: list[Remark]) -> np.ndarray:
    """Convert outcomes to float64; refuse text, booleans, dates and complex numbers."""
    kind = column.dtype
    if kind == nw.Boolean or kind.is_temporal():
        raise PanelError("P010", f"column {str(name)!r} must hold numbers, got {kind}.")
    if kind != nw.Float64 and not kind.is_integer():
        text = f"{str(name)!r} came as {kind}: converted to 64-bit numbers."
        notes.append(Remark("P008", "noted", text))
    whole = column.drop_nulls() if kind.is_integer() else column.head(0)
    if len(whole) and max(abs(int(whole.max())), abs(int(whole.min()))) > EXACT:
        text = f"{str(name)!r} has whole numbers over 2^53, which lose their last digits."
        notes.append(Remark("V017", "warned", text))
    if kind.is_numeric():
        return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=float)
    return _from_objects(column.to_list(), str(name))


def _from_objects(values: list[Any], name: str) -> np.ndarray:
    """Convert numbers that are stored as objects; missing ones become NaN."""
    if any(isinstance(value, complex) for value in values):
        raise PanelError("P011", f"column {name!r} must hold real numbers, got complex ones.")
    bad = [value for value in values if not (_is_missing(value) or _is_real(value))]
    if bad:
        raise PanelError(
            "P009",
            f"column {name!r} must hold numbers, but {len(bad)} of {len(values)} are not: "
            f"{listed(map(repr, bad), 3)}.\n"
            "  Convert it first, for example with pandas.to_numeric "
            "after removing separators or % signs.",
        )
    return np.array([np.nan if _is_missing(value) else _float(value) for value in values])


def _is_real(value: object) -> bool:
    number = isinstance(value, (numbers.Real, Decimal))
    return number and not isinstance(value, (bool, np.bool_))


def _float(value: Any) -> float:
    """Convert to 64 bits; a number too large becomes infinite, and is refused with its cell."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def _sorted(table: pd.DataFrame, notes: list[Remark]) -> pd.DataFrame:
    """Sort times and units; refuse infinite outcomes."""
    if not table.index.is_monotonic_increasing:
        notes.append(Remark("P021", "noted", "the times were not in order: they have been sorted."))
    table = table.sort_index().sort_index(axis=1)
    infinite = np.isinf(table.to_numpy())
    if infinite.any():
        cells = listed(
            f"{table.columns[j]} at {short(table.index[i])}" for i, j in np.argwhere(infinite)
        )
        raise PanelError(
            "V001",
            f"{int(infinite.sum())} outcomes are infinite or beyond 64 bits: {cells}. "
            "Correct or drop them.",
        )
    return table
