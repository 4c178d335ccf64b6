"""Treat missing outcomes as the caller chose: every drop is reported, and nothing is ever filled.

Imports :mod:`bayes_synth.data.remarks`, errors and words only.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import pandas as pd

from bayes_synth.data.remarks import Remark
from bayes_synth.errors import OptionError, PanelError
from bayes_synth.words import listed, short, suggestion

__all__ = ["MISSING", "Missing", "complete", "unseen"]

Missing = Literal["error", "drop_donors", "drop_times", "model"]
MISSING: tuple[str, ...] = get_args(Missing)


def complete(
    table: pd.DataFrame, missing: str, treated: Sequence[str], notes: list[Remark]
) -> pd.DataFrame:
    """Treat missing outcomes as ``missing`` says; ``"model"`` keeps those of treated units.

    Parameters
    ----------
    table
        Outcomes, one row per time and one column per unit.
    missing
        One of :data:`MISSING`; see :meth:`Panel.from_long`.
    treated
        Labels of the treated units, whose missing outcomes ``"model"`` leaves in place.
    notes
        Takes up a remark on what was dropped.

    Raises
    ------
    OptionError
        O001 for an unknown rule.
    PanelError
        P025 for missing outcomes with ``missing="error"``, or when dropping leaves nothing; P027
        when a treated unit's outcomes are missing with ``"drop_donors"``.
    """
    if not isinstance(missing, str) or missing not in MISSING:
        hint = suggestion(str(missing), MISSING)
        raise OptionError("O001", f"missing must be a known rule, got {missing!r}. {hint}")
    counts = _missing_counts(table)
    if not len(counts):
        return table
    names = _counted(counts, table)
    if missing == "error":
        raise PanelError(
            "P025",
            f"{len(counts)} of {table.shape[1]} units have missing outcomes: {names}.\n"
            "  Drop the donors with missing='drop_donors', the times with missing='drop_times', "
            "or model around the treated unit's missing outcomes with missing='model'."
            f"{_absent_rows(table)}",
        )
    kept = (
        _without_times(table, notes)
        if missing == "drop_times"
        else _without_donors(table, missing, treated, notes)
    )
    if kept.empty:
        text = f"no data are left after dropping missing outcomes ({names}): fill them yourself."
        raise PanelError("P025", text)
    return kept


def unseen(pre: pd.Series, post: pd.Series) -> list[Remark]:
    """Say what missing outcomes of the treated series mean, before and after the start.

    Returns
    -------
    list of Remark
        P027 for the pre-period and P028 for the post-period; empty when no outcome is missing.
    """
    notes = []
    if times := _missing_labels(pre):
        text = f"the treated unit has no outcome at {times}: the weights are learnt without them."
        notes.append(Remark("P027", "warned", text))
    if times := _missing_labels(post):
        text = (
            f"the treated unit has no outcome at {times}: no effect there, "
            "and averages and totals leave it out."
        )
        notes.append(Remark("P028", "warned", text))
    return notes


def _without_times(table: pd.DataFrame, notes: list[Remark]) -> pd.DataFrame:
    """Drop every time at which the outcome of any unit is missing."""
    kept = table.dropna(axis=0)
    lost = table.index.difference(kept.index)
    text = f"{len(lost)} times with missing outcomes dropped: {listed(map(short, lost))}."
    notes.append(Remark("P026", "warned", text))
    return kept


def _without_donors(
    table: pd.DataFrame, missing: str, treated: Sequence[str], notes: list[Remark]
) -> pd.DataFrame:
    """Drop every donor with a missing outcome; refuse a treated unit with one unless modelled."""
    counts = _missing_counts(table)
    mine = [str(unit) for unit in counts.index if unit in treated]
    if mine and missing != "model":
        raise PanelError(
            "P027",
            f"the treated unit itself has missing outcomes: {listed(mine)}. "
            "Use missing='model' or missing='drop_times'.",
        )
    lost = counts.drop(index=mine)
    if len(lost):
        text = f"{len(lost)} donors with missing outcomes dropped: {_counted(lost, table)}."
        notes.append(Remark("P026", "warned", text))
    return table.drop(columns=lost.index)


def _missing_counts(table: pd.DataFrame) -> pd.Series:
    """Count the missing outcomes of each unit that has any."""
    return table.isna().sum()[lambda count: count > 0]


def _absent_rows(table: pd.DataFrame) -> str:
    """Say that a row that is not there may mean zero, and how to write the zeros."""
    absent = table.attrs.get("absent", 0)
    if not absent:
        return ""
    unit, time, outcome = table.attrs["names"]
    return (
        f"\n  {absent} of the missing outcomes have no row. If no row means zero (no sales that "
        f"day), write the zeros, and read the result with from_wide: "
        f"df.set_index([{time!r}, {unit!r}])[{outcome!r}].unstack(fill_value=0)."
    )


def _counted(counts: pd.Series, table: pd.DataFrame) -> str:
    """Name units with how many of their outcomes are missing."""
    return listed(f"{unit} ({count} of {len(table)} times)" for unit, count in counts.items())


def _missing_labels(series: pd.Series) -> str:
    """Name the times at which a series has no outcome; empty text when there are none."""
    return listed(map(short, series.index[series.isna()]))
