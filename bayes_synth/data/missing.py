"""Gaps: what a caller may choose to do about missing outcomes. Every drop is said, nothing is ever filled.

Imports :mod:`bayes_synth.errors`, :mod:`bayes_synth.design` and :mod:`bayes_synth.remarks` only.
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
    """The table without gaps, as ``missing`` says; with ``"model"`` the treated units keep theirs.

    Raises
    ------
    PanelError
        P025 for gaps with ``missing="error"`` or when nothing is left without them, P027 for a treated unit's gaps
        with ``"drop_donors"``, O001 for another word.
    """
    if not isinstance(missing, str) or missing not in MISSING:
        raise OptionError(
            "O001", f"missing={missing!r} is unknown. {suggestion(str(missing), MISSING)}"
        )
    gaps = table.isna().sum()[lambda count: count > 0]
    if not len(gaps):
        return table
    names = listed(f"{unit} ({count} of {len(table)} times)" for unit, count in gaps.items())
    if missing == "error":
        raise PanelError(
            "P025",
            f"{len(gaps)} of {table.shape[1]} units have gaps: {names}.\n"
            "  Drop the donors with missing='drop_donors', the times with missing='drop_times', or fit around the treated "
            "unit's gaps with missing='model'.",
        )
    kept = (
        _without_times(table, notes)
        if missing == "drop_times"
        else _without_donors(table, missing, treated, notes)
    )
    if kept.empty:
        raise PanelError("P025", f"nothing is left without gaps ({names}): fill them yourself.")
    return kept


def _without_times(table: pd.DataFrame, notes: list[Remark]) -> pd.DataFrame:
    kept = table.dropna(axis=0)
    lost = table.index.difference(kept.index)
    notes.append(
        Remark(
            "P026", "warned", f"{len(lost)} times with gaps dropped: {listed(map(short, lost))}."
        )
    )
    return kept


def _without_donors(
    table: pd.DataFrame, missing: str, treated: Sequence[str], notes: list[Remark]
) -> pd.DataFrame:
    gaps = table.isna().sum()[lambda count: count > 0]
    mine = [str(unit) for unit in gaps.index if unit in treated]
    if mine and missing != "model":
        raise PanelError(
            "P027",
            f"the treated unit has gaps itself: {listed(mine)}. Use missing='model' or missing='drop_times'.",
        )
    lost = gaps.drop(index=mine)
    names = listed(f"{unit} ({count} of {len(table)} times)" for unit, count in lost.items())
    if len(lost):
        notes.append(Remark("P026", "warned", f"{len(lost)} donors with gaps dropped: {names}."))
    return table.drop(columns=lost.index)


def unseen(pre: pd.Series, post: pd.Series) -> list[Remark]:
    """What it means that the treated series has gaps in either half; none, no remark."""
    found = []
    if lost := listed(map(short, pre.index[pre.isna()])):
        text = (
            f"the treated unit has no outcome at {lost}: the likelihood and the weights do without."
        )
        found.append(Remark("P027", "warned", text))
    if lost := listed(map(short, post.index[post.isna()])):
        text = f"the treated unit has no outcome at {lost}: no effect there, and averages and totals leave it out."
        found.append(Remark("P028", "warned", text))
    return found
