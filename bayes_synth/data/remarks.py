"""What about a panel's numbers and design deserves a look, though it can be fitted.

Pure functions of one table, the treated units and the start. Imports :mod:`bayes_synth.errors` and
:mod:`bayes_synth.design` only.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayes_synth.errors import DesignError
from bayes_synth.words import listed, short

__all__ = ["Remark", "Table", "remarks", "skipped"]

ALIKE = 0.9999
"""Correlation from which two donors count as one."""
APART = 100.0
"""Ratio of typical sizes from which two series count as measured in other units."""
OPPOSED = -0.8
JUMP = 10.0
"""A step this many times a series' usual one (robust sd of the others) counts as a break."""
SHORT_PRE = 10
FEW_VALUES = 1 / 3
SMALL_COUNT = 10
EXTREME = 1e10


class Remark(NamedTuple):
    """One thing to know: its code, whether it was ``"warned"`` about or only ``"noted"``, and the sentence."""

    code: str
    kind: str
    text: str


class Table(NamedTuple):
    """The outcomes of a panel, in parts: treated series (several averaged), donors' columns, number of pre-periods."""

    treated: pd.Series
    donors: pd.DataFrame
    pre: int

    @property
    def before(self) -> tuple[pd.Series, pd.DataFrame]:
        """Treated series and donors in those pre-periods in which the treated unit has an outcome."""
        series = self.treated.iloc[: self.pre].dropna()
        return series, self.donors.loc[series.index]


def remarks(table: Table) -> list[Remark]:
    """Every remark on this table, in the order of their codes.

    Raises
    ------
    DesignError
        V003 when every donor is constant, V006 when a donor is the treated unit under another name.
    """
    _refuse_copies(table)
    return sorted(remark for check in CHECKS for remark in check(table))


def skipped(times: pd.Index) -> list[Remark]:
    """Skipped periods: noise that wanders or remembers takes every step as one period."""
    if _evenly_spaced(times):
        return []
    at = int(np.argmax(np.diff(times.to_numpy())))
    where = f"after {short(times[at])} comes {short(times[at + 1])}"
    text = f"times are not evenly spaced: {where}. The noise takes every step as one period."
    return [Remark("P029", "warned", text)]


def _evenly_spaced(times: pd.Index) -> bool:
    """Equal steps; on a calendar also equal numbers of months or of working days."""
    steps = [np.diff(times.to_numpy()).astype(float)]
    if isinstance(times, pd.DatetimeIndex):
        days = times.to_numpy().astype("datetime64[D]")
        steps += [np.diff(times.year * 12 + times.month), np.busday_count(days[:-1], days[1:])]
    return any(step.min() > 0 and np.ptp(step) <= 1e-9 * step.max() for step in steps)


def _lengths(table: Table) -> Iterator[Remark]:
    pre, donors = len(table.before[0]), table.donors.shape[1]
    post = int(table.treated.iloc[table.pre :].count())
    if pre < SHORT_PRE:
        yield Remark(
            "D005", "warned", f"only {pre} pre-periods: the weights will follow their prior."
        )
    if post > 5 * pre:
        yield Remark(
            "D020",
            "warned",
            f"{post} post-periods are over five times the {pre} pre-periods: late effects are guesses.",
        )
    elif post > pre:
        yield Remark(
            "D019",
            "warned",
            f"{post} post-periods are more than the {pre} pre-periods: late effects are uncertain.",
        )
    if donors > pre:
        yield Remark(
            "D022",
            "noted",
            f"{donors} donors and {pre} pre-periods: least squares would overfit; the sparse prior and the fit verdict guard.",
        )


def _sizes(table: Table) -> Iterator[Remark]:
    largest = max(float(table.donors.abs().to_numpy().max()), float(table.treated.abs().max()))
    if largest > EXTREME or 0 < largest < 1 / EXTREME:
        yield Remark(
            "V010",
            "noted",
            f"outcomes are as large as {largest:.3g}: scaled inside, results are in your units.",
        )
    own, sizes = float(table.treated.abs().median()), table.donors.abs().median()
    ratio = sizes[sizes > 0] / own if own > 0 else sizes[:0]
    far = ratio.index[(ratio > APART) | (ratio < 1 / APART)]
    if len(far):
        yield Remark(
            "V009",
            "warned",
            f"{len(far)} donors are over {APART:g} times larger or smaller than the treated unit: {listed(far)}. "
            "The same unit of measurement?",
        )


def _flat(table: Table) -> Iterator[Remark]:
    flat = _constant(table.donors)
    if flat:
        yield Remark(
            "V002",
            "warned",
            f"{len(flat)} donors never change: {listed(flat)}. They can only shift the level.",
        )


def _twins(table: Table) -> Iterator[Remark]:
    moving = _sized(table.donors.drop(columns=_constant(table.donors)))
    close = np.triu(np.atleast_2d(np.abs(np.corrcoef(moving.to_numpy(), rowvar=False))), 1)
    pairs = [f"{moving.columns[i]} and {moving.columns[j]}" for i, j in np.argwhere(close > ALIKE)]
    if pairs:
        yield Remark(
            "V005",
            "warned",
            f"{len(pairs)} pairs of donors move as one (correlation over {ALIKE}): {listed(pairs)}. "
            "Their weights are not identified one by one; the sum is.",
        )


def _leaks(table: Table) -> Iterator[Remark]:
    before, donors = table.before
    same = [str(name) for name in donors if np.array_equal(donors[name], before)]
    if same:
        yield Remark(
            "V007",
            "warned",
            f"{listed(same)} equal the treated unit in every pre-period: the counterfactual will be theirs. A copy?",
        )


def _hull(table: Table) -> Iterator[Remark]:
    before, donors = table.before
    above, below = (
        (before - donors.max(axis=1)).clip(lower=0),
        (donors.min(axis=1) - before).clip(lower=0),
    )
    out = (above + below)[lambda gap: gap > 0]
    if len(out):
        yield Remark(
            "V008",
            "warned",
            f"the treated unit lies outside its donors' range in {len(out)} of {len(before)} pre-periods, by up to "
            f"{out.max():.4g}: no weighted average reaches it. A level (the default noise has one) or scale='log' may help.",
        )


def _opposed(table: Table) -> Iterator[Remark]:
    before, donors = table.before
    moving = _sized(donors.drop(columns=_constant(donors)))
    low = moving.corrwith(before / before.abs().max())[lambda r: r < OPPOSED]
    if len(low):
        yield Remark(
            "V011",
            "warned",
            f"{len(low)} donors move against the treated unit before treatment (correlation below {OPPOSED:g}): "
            f"{listed(low.sort_values().index)}.",
        )


def _breaks(table: Table) -> Iterator[Remark]:
    steps = table.donors.diff().abs()
    around = steps.iloc[table.pre]
    usual = 1.4826 * steps.drop(index=steps.index[table.pre]).median()
    jumped = around[(around > JUMP * usual) & (usual > 0)]
    if len(jumped):
        yield Remark(
            "V012",
            "warned",
            f"{len(jumped)} donors jump at {short(table.donors.index[table.pre])}, over {JUMP:g} times their usual step: "
            f"{listed(jumped.index)}. Were they affected, or treated too?",
        )


def _ties(table: Table) -> Iterator[Remark]:
    before, _ = table.before
    whole = bool((before == before.round()).all())
    if (
        whole
        and (before >= 0).all()
        and before.median() < SMALL_COUNT
        and (before == 0).mean() > 0.1
    ):
        text = "the outcome counts few events, often none: normal noise suits it badly; sum over longer periods."
        yield Remark("P012", "warned", text)
    elif before.nunique() < FEW_VALUES * len(before):
        yield Remark(
            "V014",
            "warned",
            f"the treated series has only {before.nunique()} values in {len(before)} pre-periods: rounded?",
        )


CHECKS: tuple[Callable[[Table], Iterator[Remark]], ...] = (
    _lengths, _sizes, _flat, _twins, _leaks, _hull, _opposed, _breaks, _ties,
)  # fmt: skip


def _sized(columns: pd.DataFrame) -> pd.DataFrame:
    """Columns of size one, so that no square of theirs overflows or vanishes."""
    return columns / columns.abs().max()


def _constant(columns: pd.DataFrame) -> list[str]:
    return [str(name) for name in columns if np.ptp(columns[name].to_numpy()) == 0]


def _refuse_copies(table: Table) -> None:
    if len(_constant(table.donors)) == table.donors.shape[1]:
        raise DesignError(
            "V003",
            f"all {table.donors.shape[1]} donors are constant: no weights can follow anything.",
        )
    seen = table.treated.notna()
    same = [
        str(name)
        for name in table.donors
        if np.array_equal(table.donors[name][seen], table.treated[seen])
    ]
    if same:
        raise DesignError(
            "V006",
            f"{listed(same)} equal the treated unit in every period, so the effect would be zero by construction.\n"
            f"  Drop the copy, or name it in treated=... too.",
        )
