"""Read whatever container the user has into one table of numbers, times by units.

Only this file looks at the type of outside data. It notes what it sorted or converted.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.axis import axis_of, look_like_times
from bayes_synth.data.labels import is_missing, labels_of
from bayes_synth.data.outcomes import numbers_of
from bayes_synth.data.remarks import Remark
from bayes_synth.data.validation import require_unique_cells
from bayes_synth.errors import DesignError, PanelError
from bayes_synth.words import listed, short, suggestion

__all__ = ["read_long", "read_wide", "read_xarray", "require_no_indicator"]


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
    unit, time, outcome = frame.columns
    units, (times, zone) = labels_of(frame[unit], unit, notes), axis_of(frame[time], time, notes)
    cells = pd.Series(numbers_of(frame[outcome], outcome, notes), index=[times, units])
    require_unique_cells(cells, (unit, time, outcome))
    table = _sorted(cells.unstack(sort=False), notes)
    table.attrs |= {"zone": zone, "absent": table.size - len(cells), "names": frame.columns}
    return table


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
    if not isinstance(time, Hashable):
        raise PanelError("P003", f"time must name one column, got {time!r}.")
    if isinstance(data, pd.DataFrame):
        _require_upright(data)
        time = str(time) if time in data.columns else time
        data = data.set_axis(labels_of(list(data.columns), "column names", notes), axis=1)
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
    times, zone = axis_of(native.index if time is None else frame[time], time or "index", notes)
    names = [c for c in frame.columns if c != time]
    found = list(labels_of(names, "column names", []))
    labels = choose(found)
    units = [name for name, label in zip(names, found, strict=True) if label in labels]
    labels = [label for label in found if label in labels]
    columns = [numbers_of(frame[name], name, notes) for name in units]
    table = pd.DataFrame(dict(zip(labels, columns, strict=True))).set_index(times)
    cells = pd.Series(table.to_numpy().ravel(), pd.MultiIndex.from_product([times, labels]))
    require_unique_cells(cells, ("unit", time or "index", "outcome"))
    table = _sorted(table, notes)
    table.attrs["zone"] = zone
    return table


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


def require_no_indicator(data: Any, treated: Any, unit: Any, time: Any) -> None:
    """Refuse a column of zeros and ones for ``treated``, with the units and the start it means.

    Raises
    ------
    DesignError
        D010.
    """
    if isinstance(data, pd.DataFrame) and data.columns.has_duplicates:
        return  # Refused where the frame is read.
    frame = nw.from_native(data, eager_only=True, pass_through=True)
    hashable = isinstance(unit, Hashable) and isinstance(time, Hashable)
    if not isinstance(frame, nw.DataFrame) or not hashable or unit == time:
        return
    if not {unit, time} <= set(frame.columns):
        return
    keys = _columns(frame, [unit, time])
    labels, times = keys[str(unit)].to_list(), keys[str(time)].to_list()
    known = set(map(str, labels))
    named = isinstance(treated, str) and treated in frame.columns and treated not in known
    column = not isinstance(treated, str) and len(frame) > 1 and np.ndim(treated) == 1
    if named:
        values = frame[treated].to_list()
    elif column and len(treated) == len(frame) and not set(map(str, treated)) <= known:
        values = list(treated)
    else:
        return
    _refuse_column(treated if named else None, values, labels, times)


ON, OFF = {"1", "true", "yes", "y", "treated", "t"}, {"0", "false", "no", "n", "control", "c", "-1"}
"""Words for treated and not treated in a column, in small letters."""


def _refuse_column(
    name: str | None, values: list[Any], labels: list[Any], times: list[Any]
) -> None:
    """Refuse a column in place of units, with the units and the start it means if it is clear.

    Raises
    ------
    DesignError
        D010.
    """
    words = {_word(value) for value in values}
    shown = f" ({name!r})" if name else ""
    clear = words <= ON | OFF | {""} and words & ON and words - ON
    if not clear:
        raise DesignError(
            "D010",
            f"treated must name units, got a column{shown} of "
            f"{listed(map(repr, sorted(words)), 3)}: write the labels of the treated units, "
            "and the first treated period as start.",
        )
    on = [_word(value) in ON for value in values]
    units = list(dict.fromkeys(label for label, yes in zip(labels, on, strict=True) if yes))
    first = min(t for t, yes in zip(times, on, strict=True) if yes)
    kind = "zeros and ones" if words == {"0", "1"} else f"{listed(map(repr, sorted(words)), 3)}"
    raise DesignError(
        "D010",
        f"treated must name units, got a column of {kind}{shown}. "
        f"It is {'1' if kind == 'zeros and ones' else 'on'} for {listed(units)}, first at "
        f"{short(first)}: treated={units[:5]!r}, start={short(first)!r}"
        f"{' (1 before start too: give the start yourself)' if _always(on, labels) else ''}.",
    )


def _word(value: Any) -> str:
    """Write one value of a treatment column as a word: True and 1.0 are ``"1"``."""
    if is_missing(value):
        return ""
    number = isinstance(value, (bool, np.bool_, int, float, np.number))
    return f"{float(value):g}" if number else str(value).strip().lower()


def _always(on: list[bool], labels: list[Any]) -> bool:
    """Test whether the ones mark units at all times, not only from the start on."""
    ever = {label for label, yes in zip(labels, on, strict=True) if yes}
    return all(yes for label, yes in zip(labels, on, strict=True) if label in ever)


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


def _columns(frame: nw.DataFrame[Any], names: Sequence[Any]) -> nw.DataFrame[Any]:
    """Select columns by name, and call them by text; refuse a name that does not exist."""
    for name in names:
        if name not in frame.columns:
            hint = suggestion(name, [str(c) for c in frame.columns])
            if look_like_times(frame.columns):
                hint = f"{hint} The columns are times: {ON_ITS_SIDE}"
            raise PanelError("P003", f"the frame has no column {name!r}. {hint}")
    native = nw.to_native(frame)
    if isinstance(native, pd.DataFrame):
        # Columns may be called by numbers, which narwhals takes for positions.
        native = native[list(names)].set_axis([str(name) for name in names], axis=1)
        return nw.from_native(native, eager_only=True)
    return frame.select(names)


ON_ITS_SIDE = (
    "turn the frame with df.set_index('unit').T, 'unit' being the column of units, "
    "and use bs.Panel.from_wide."
)


def _require_upright(data: pd.DataFrame) -> None:
    """Refuse a frame with one row per unit and one column per time.

    Raises
    ------
    PanelError
        P042.
    """
    if not look_like_times(data.columns) or look_like_times(data.index):
        return
    texts = [c for c in data if all(isinstance(value, str) for value in data[c].head(3))]
    named = all(isinstance(label, str) for label in data.index)
    if not named and (not texts or look_like_times(data[texts[0]])):
        return
    line = "df.T" if named else f"df.set_index({texts[0]!r}).T"
    raise PanelError(
        "P042",
        "the frame lies on its side: it has one column per time "
        f"({listed(data.columns[-3:])}) and one row per unit.\n"
        f"  Turn it: bs.Panel.from_wide({line}, ...); drop other columns first.",
    )


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
