"""Remark on numbers and designs that can be fitted but deserve a look.

Each rule is a pure function of one table and yields its remarks; :data:`RULES` lists them. What
alarms of a fit look for too is found by :mod:`.broken` and :mod:`.trends`, plain numpy.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from bayes_synth.data.remark import Remark, Table
from bayes_synth.data.series_rules import SERIES_RULES
from bayes_synth.data.trends import compared, outside
from bayes_synth.errors import DesignError
from bayes_synth.words import listed, short

__all__ = ["RULES", "Remark", "Table", "remarks", "skipped"]

ALIKE = 0.9999
"""Correlation from which two donors count as one."""
APART = 100.0
"""Ratio of median sizes from which two series count as measured differently."""
OPPOSED = -0.8
"""Correlation with the treated unit below which a donor counts as moving against it."""
JUMP = 10.0
"""A step this many times a series' usual one (robust sd of the others) counts as a break."""
SHORT_PRE = 10
"""Fewer pre-periods than this are few."""
FEW_VALUES = 1 / 3
"""Fewer different values than this share of the pre-periods look rounded."""
SMALL_COUNT = 10
"""Whole numbers with a median below this, and zeros among them, count rare events."""
EXTREME = 1e10
"""Outcomes above this, or all below its inverse, are noted."""


def remarks(table: Table) -> list[Remark]:
    """Apply every rule to this table, and return the remarks in the order of their codes.

    Raises
    ------
    DesignError
        V003 when every donor is constant, V006 when a donor is the treated unit under another name.
    """
    _refuse_copies(table)
    return sorted(remark for rule in RULES for remark in rule(table))


def skipped(times: pd.Index) -> list[Remark]:
    """Warn about skipped periods: noise that drifts or persists takes every step as one period."""
    if _evenly_spaced(times):
        return []
    at = int(np.argmax(_most_regular(_steps(times))))
    where = f"after {short(times[at])} comes {short(times[at + 1])}"
    text = f"times are not evenly spaced: {where}. The noise takes every step as one period."
    return [Remark("P029", "warned", text)]


def _evenly_spaced(times: pd.Index) -> bool:
    """Test for equal steps; on a calendar also for equal numbers of months or working days."""
    if times.dtype.kind == "f" and _on_a_line(times.to_numpy()):
        return True
    return any(step.min() > 0 and np.ptp(step) <= 1e-9 * step.max() for step in _steps(times))


def _steps(times: pd.Index) -> list[np.ndarray]:
    """Return the steps between times; on a calendar also counted in months and in working days."""
    steps = [np.diff(times.to_numpy()).astype(float)]
    if isinstance(times, pd.DatetimeIndex):
        days = times.to_numpy().astype("datetime64[D]")
        steps += [np.diff(times.year * 12 + times.month), np.busday_count(days[:-1], days[1:])]
    return steps


def _most_regular(steps: Sequence[np.ndarray]) -> np.ndarray:
    """Return the steps in the count in which most are equal: weekends skip no working day."""
    known = [step for step in steps if step.min() > 0] or steps[:1]
    return max(known, key=lambda step: float((step == np.median(step)).mean()))


def _on_a_line(times: np.ndarray) -> bool:
    """Test for equal steps up to rounding, as of months written 2015.08, 2015.17, 2015.25.

    A period that is left out moves some time half a step away from the line between the ends.
    """
    line = np.linspace(times[0], times[-1], len(times))
    step = (times[-1] - times[0]) / max(len(times) - 1, 1)
    return bool(np.abs(times - line).max() < 0.13 * step)


def _lengths_rule(table: Table) -> Iterator[Remark]:
    """Warn about a short pre-period, and about a post-period that is long beside it."""
    pre, donors = len(table.before[0]), table.donors.shape[1]
    post = int(table.treated.iloc[table.pre :].count())
    if pre < SHORT_PRE:
        text = f"only {pre} pre-periods: the weights will follow their prior."
        yield Remark("D005", "warned", text)
    if post > 5 * pre:
        yield Remark(
            "D020",
            "warned",
            f"{post} post-periods are over five times the {pre} pre-periods: "
            "late effects are guesses.",
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
            f"more donors ({donors}) than pre-periods ({pre}): least squares would overfit. "
            "The sparse prior limits this; look at the fit verdict.",
        )


def _sizes_rule(table: Table) -> Iterator[Remark]:
    """Note extreme outcomes, and warn about donors of another size than the treated unit."""
    largest = max(float(table.donors.abs().to_numpy().max()), float(table.treated.abs().max()))
    if largest > EXTREME or 0 < largest < 1 / EXTREME:
        yield Remark(
            "V010",
            "noted",
            f"outcomes are as large as {largest:.3g}: they are scaled inside, "
            "and results are in outcome units.",
        )
    own, sizes = float(table.treated.abs().median()), table.donors.abs().median()
    ratio = sizes[sizes > 0] / own if own > 0 else sizes[:0]
    far = ratio.index[(ratio > APART) | (ratio < 1 / APART)]
    if len(far):
        yield Remark(
            "V009",
            "warned",
            f"{len(far)} donors are over {APART:g} times larger or smaller than the treated unit: "
            f"{listed(far)}. Check that all series are measured alike.",
        )


def _flat_rule(table: Table) -> Iterator[Remark]:
    """Warn about constant donors."""
    flat = _constant(table.donors)
    if flat:
        text = f"{len(flat)} donors never change: {listed(flat)}. They can only shift the level."
        yield Remark("V002", "warned", text)


def _twins_rule(table: Table) -> Iterator[Remark]:
    """Warn about pairs of donors that correlate almost perfectly."""
    moving = _sized(table.donors.drop(columns=_constant(table.donors)))
    close = np.triu(np.atleast_2d(np.corrcoef(moving.to_numpy(), rowvar=False)), 1)
    pairs = [f"{moving.columns[i]} and {moving.columns[j]}" for i, j in np.argwhere(close > ALIKE)]
    if pairs:
        yield Remark(
            "V005",
            "warned",
            f"{len(pairs)} pairs of donors move as one (correlation over {ALIKE}): "
            f"{listed(pairs)}. Their weights are not identified one by one; the sum is.",
        )


def _leaks_rule(table: Table) -> Iterator[Remark]:
    """Warn about donors that equal the treated unit until the start."""
    before, donors = table.before
    same = [str(name) for name in donors if np.array_equal(donors[name], before)]
    if same:
        yield Remark(
            "V007",
            "warned",
            f"{listed(same)} equal the treated unit in every pre-period: "
            "the counterfactual will be theirs. Check that they are not copies.",
        )


def _hull_rule(table: Table) -> Iterator[Remark]:
    """Warn about a treated unit that lies outside its donors' range before treatment."""
    before, donors = table.before
    above = (before - donors.max(axis=1)).clip(lower=0)
    below = (donors.min(axis=1) - before).clip(lower=0)
    outside = (above + below)[lambda distance: distance > 0]
    if len(outside):
        yield Remark(
            "V008",
            "warned",
            f"the treated unit lies outside its donors' range in {len(outside)} of {len(before)} "
            f"pre-periods, by up to {outside.max():.4g}: no weighted average reaches it. "
            "A level (the default noise has one) or scale='log' may help.",
        )


def _opposed_rule(table: Table) -> Iterator[Remark]:
    """Warn about donors that move against the treated unit before treatment."""
    before, donors = table.before
    moving = _sized(donors.drop(columns=_constant(donors)))
    low = moving.corrwith(before / before.abs().max())[lambda r: r < OPPOSED]
    if len(low):
        yield Remark(
            "V011",
            "warned",
            f"{len(low)} donors move against the treated unit before treatment "
            f"(correlation below {OPPOSED:g}): {listed(low.sort_values().index)}.",
        )


def _breaks_rule(table: Table) -> Iterator[Remark]:
    """Warn about donors that jump at the start."""
    steps = table.donors.diff().abs()
    around = steps.iloc[table.pre]
    usual = 1.4826 * steps.drop(index=steps.index[table.pre]).median()
    jumped = around[(around > JUMP * usual) & (usual > 0)]
    if len(jumped):
        yield Remark(
            "V012",
            "warned",
            f"{len(jumped)} donors jump at {short(table.donors.index[table.pre])}, "
            f"over {JUMP:g} times their usual step: {listed(jumped.index)}. "
            "Check that they were neither affected nor treated.",
        )


def _ties_rule(table: Table) -> Iterator[Remark]:
    """Warn about counts of rare events, and about series with few different values."""
    before, _ = table.before
    whole = bool((before == before.round()).all())
    if (
        whole
        and (before >= 0).all()
        and before.median() < SMALL_COUNT
        and (before == 0).mean() > 0.1
    ):
        text = (
            "the outcome counts few events, often none: normal noise suits it badly; "
            "sum over longer periods."
        )
        yield Remark("P012", "warned", text)
    elif before.nunique() < FEW_VALUES * len(before):
        yield Remark(
            "V014",
            "warned",
            f"the treated series has only {before.nunique()} values in {len(before)} pre-periods: "
            "use outcomes that are not rounded, if there are any.",
        )


def _trends_rule(table: Table) -> Iterator[Remark]:
    """Warn about a treated unit that moved before the treatment as no donor did."""
    before, donors = table.before
    found = outside(before.to_numpy(), donors.to_numpy())
    if found:
        yield Remark(
            "D040",
            "warned",
            f"before treatment the treated unit's {compared(found)} lies outside those of all "
            "donors: if it would have gone on, the effect is partly that. "
            "Add donors that moved alike.",
        )


RULES: tuple[Callable[[Table], Iterator[Remark]], ...] = (
    _lengths_rule,
    _sizes_rule,
    _flat_rule,
    _twins_rule,
    _leaks_rule,
    _hull_rule,
    _opposed_rule,
    _breaks_rule,
    _ties_rule,
    _trends_rule,
    *SERIES_RULES,
)
"""Functions of a table, each of which yields the remarks of one kind."""


def _sized(columns: pd.DataFrame) -> pd.DataFrame:
    """Scale columns to size one, so that no square of theirs overflows or vanishes."""
    return columns / columns.abs().max()


def _constant(columns: pd.DataFrame) -> list[str]:
    """Name the columns that never change."""
    return [str(name) for name in columns if np.ptp(columns[name].to_numpy()) == 0]


def _refuse_copies(table: Table) -> None:
    """Refuse donors that are all constant, and one that is the treated unit itself."""
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
            f"{listed(same)} equal the treated unit in every period, "
            "so the effect would be zero by construction.\n"
            "  Drop the copy, or name it in treated=... too.",
        )
