"""Read when every treated unit started: from a mapping, or from a column of zeros and ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from bayes_synth.data.readers import read_long
from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import Zone, time_label
from bayes_synth.data.validation import MIN_PRE
from bayes_synth.errors import DesignError
from bayes_synth.words import listed, short

__all__ = ["first_periods", "named_starts", "starts_in_column"]


def named_starts(starts: Any) -> dict[str, Any]:
    """Return starts by the unit's label as text.

    Raises
    ------
    DesignError
        D064 when nobody is treated, D068 for one label twice, D069 for anything but a mapping.
    """
    if not isinstance(starts, Mapping):
        raise DesignError(
            "D069",
            "starts must map each treated unit to its first treated period, or name a column of "
            f"zeros and ones, got {type(starts).__name__}; write starts={{'CA': 1976}}.",
        )
    labels = [str(label) for label in starts]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise DesignError(
            "D068",
            f"starts must name each unit once, got {listed(twice)} as several labels that read "
            "alike; keep one of each.",
        )
    if not labels:
        raise DesignError(
            "D064",
            "starts must name at least one treated unit, got none; units without a start "
            "are donors.",
        )
    return dict(sorted(zip(labels, starts.values(), strict=True)))


def starts_in_column(data: Any, column: str, *, unit: str, time: str) -> dict[str, Any]:
    """Read the first period in which a column of zeros and ones is one, by unit.

    Units that are never one have no start: they are donors.

    Raises
    ------
    DesignError
        D062 for a treatment that switches off again, D063 for other values or missing ones, D064
        when the column is zero everywhere.
    """
    frame = nw.from_native(data, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame) and column in frame.columns:
        numbers = nw.col(column).cast(nw.Float64)
        boolean = frame[column].dtype == nw.Boolean
        data = nw.to_native(frame.with_columns(numbers)) if boolean else data
    notes: list[Remark] = []
    table = read_long(data, unit=unit, time=time, outcome=column, notes=notes)
    odd = [str(label) for label in table if not set(table[label].dropna()) <= {0.0, 1.0}]
    if odd:
        raise DesignError(
            "D063",
            f"the column {column!r} must be 0 before a unit's treatment and 1 from its start on, "
            f"got other values for {listed(odd)}; pass starts={{unit: first period}} instead.",
        )
    _require_known(table, column)
    _require_lasting(table, column)
    return named_starts({str(u): table.index[table[u] == 1][0] for u in table if table[u].any()})


def _require_known(table: pd.DataFrame, column: str) -> None:
    """Refuse a period of a treated unit for which the column says nothing."""
    treated = [label for label in table if (table[label] == 1).any()]
    unsaid = [
        f"{label} at {listed(map(short, table.index[table[label].isna()]), 2)}"
        for label in treated
        if table[label].isna().any()
    ]
    if unsaid:
        raise DesignError(
            "D063",
            f"the column {column!r} must be 0 or 1 in every period of a treated unit, got nothing "
            f"for {listed(unsaid, 3)}; fill it, or pass starts={{unit: first period}}.",
        )


def _require_lasting(table: pd.DataFrame, column: str) -> None:
    """Refuse a treatment that ends within the data."""
    ended = [
        f"{label} at {short(table.index[np.flatnonzero(np.diff(table[label]) < 0)[0] + 1])}"
        for label in table
        if (table[label].diff() < 0).any()
    ]
    if ended:
        raise DesignError(
            "D062",
            f"the column {column!r} must stay 1 once a unit is treated, got 0 again for "
            f"{listed(ended, 3)}.\n  A treatment that ends has no effect of its own here: cut the "
            "data off where it ends, or pass starts={unit: first period} and read the effect "
            "after the end with window=.",
        )


def first_periods(
    starts: Mapping[str, Any], outcomes: pd.DataFrame, zone: Zone, notes: list[Remark]
) -> dict[str, Any]:
    """Find every unit's first treated period among the times of the data.

    Parameters
    ----------
    starts
        What the user typed, by unit.
    outcomes
        One row per time and one column per unit, NaN where missing.
    zone
        In which time zone text is read.
    notes
        Takes up a remark on starts that fall between two times.

    Raises
    ------
    DesignError
        D001, D011 and D012 for labels that do not fit the time axis, D060 for units treated from
        the first period on, D061 for fewer than three pre-periods, D067 for starts after the data.
    """
    times = pd.Index(outcomes.index)
    labels = {
        unit: time_label(zone.typed(start), times, what=f"the start of {unit}", zone=zone)
        for unit, start in starts.items()
    }
    _require_inside(labels, times)
    first = {unit: times[times >= label][0] for unit, label in labels.items()}
    seen = {u: int(outcomes[u][times < label].notna().sum()) for u, label in first.items()}
    few = [f"{u} ({n} before {short(first[u])})" for u, n in seen.items() if n < MIN_PRE]
    if few:
        raise DesignError(
            "D061",
            f"every treated unit needs {MIN_PRE} periods with an outcome before its start, got "
            f"fewer for {listed(few)}.\n  {_leave_out(list(few), seen)}",
        )
    for unit, label in labels.items():
        if first[unit] != label:
            text = (
                f"the start of {unit}, {short(label)}, falls between two times; its first treated "
                f"period is {short(first[unit])}."
            )
            notes.append(Remark("D003", "warned", text))
    return first


def _leave_out(few: Sequence[str], seen: Mapping[str, int]) -> str:
    units = [unit for unit, number in seen.items() if number < MIN_PRE]
    return f"Drop them from the data and from starts: {units[:8]!r}."


def _require_inside(labels: Mapping[str, Any], times: pd.Index) -> None:
    """Refuse starts outside of the data."""
    always = [unit for unit, label in labels.items() if label <= times[0]]
    if always:
        raise DesignError(
            "D060",
            f"a treated unit must start after the first period, {short(times[0])}, got units that "
            f"are treated from it on: {listed(always)}.\n  Drop them from the data and from "
            f"starts, {always[:8]!r}: without a past they have no synthetic control, and as they "
            "are treated they are no donors either.",
        )
    late = [f"{unit} ({short(label)})" for unit, label in labels.items() if label > times[-1]]
    if late:
        raise DesignError(
            "D067",
            f"a start must lie within the data, which end at {short(times[-1])}, got "
            f"{listed(late)}.\n  Leave these units out of starts: until then they are donors, "
            "unless they anticipate their treatment.",
        )
