"""Remark on single series: broken ones, coarse ones, and columns that are not untreated units.

The series are looked at by :mod:`.broken`, :mod:`.placeholders` and :mod:`.helpers`, plain numpy.
"""

from collections.abc import Callable, Iterator

from bayes_synth.data.broken import AGAIN, broken_series, cure, described
from bayes_synth.data.helpers import aggregates, clocks, dummies, near_copies
from bayes_synth.data.placeholders import held, runs
from bayes_synth.data.remark import Remark, Table
from bayes_synth.words import listed, short

__all__ = ["SERIES_RULES", "aggregates_rule", "broken_rule", "coarse_rule", "helpers_rule"]


def broken_rule(table: Table) -> Iterator[Remark]:
    """Warn about stretches of zeros, of one repeated value, and on another level."""
    own, names = "the treated unit", [str(name) for name in table.donors]
    found = broken_series(table.treated.to_numpy(), table.donors.to_numpy(), names, own)
    # A jump at the start itself has a remark of its own.
    donors = [each for each in found if each.unit != own]
    donors = [each for each in donors if each.kind != "level" or each.first > table.pre]
    times = table.donors.index
    if zeros := [each for each in donors if each.kind == "zero"]:
        text = (
            f"donors are broken by zeros: {'; '.join(described(zeros, times))}. {cure(zeros)} "
            "If they are real, keep them."
        )
        yield Remark("V040", "warned", text)
    if filled := [each for each in donors if each.kind in ("repeat", "line", "placeholder")]:
        text = (
            "donors hold values that look filled in where there were none: "
            f"{'; '.join(described(filled, times))}. {cure(filled)}"
        )
        yield Remark("V041", "warned", text)
    if levels := [each for each in donors if each.kind == "level" and each.last >= table.pre]:
        text = (
            f"donors jump to another level after treatment: {'; '.join(described(levels, times))}. "
            f"Check that they were neither affected nor treated. {cure(levels)}"
        )
        yield Remark("V042", "warned", text)
    if mine := [each for each in found if each.unit == own]:
        text = (
            f"{'; '.join(described(mine, times))}, unlike its other values: if these are not real, "
            "make them missing (NaN) and pass missing='model'."
        )
        yield Remark("V043", "warned", text)


def coarse_rule(table: Table) -> Iterator[Remark]:
    """Warn about donors that change more rarely than the others, and times without any outcome."""
    names, times = [str(name) for name in table.donors], table.donors.index
    donors = table.donors.to_numpy()
    helpers = {*dummies(donors, names), *clocks(donors, names, times)}
    if coarse := [names[j] for j in held(donors) if names[j] not in helpers]:
        text = (
            f"{listed(coarse)} hold each value for several periods, as where weeks or quarters "
            "are written on days: use periods of the coarsest series, or do without them."
        )
        yield Remark("D080", "warned", text)
    none = (donors == 0).all(1) & ((table.treated == 0) | table.treated.isna()).to_numpy()
    if 0 < len(runs(none)) <= AGAIN and not (donors[~none] == 0).any():
        text = (
            f"every unit is exactly zero at {listed(map(short, times[none]))}: if nothing was "
            "recorded, drop these times; if all were closed, keep them."
        )
        yield Remark("D081", "warned", text)


def helpers_rule(table: Table) -> Iterator[Remark]:
    """Warn about columns among the donors that are not untreated units."""
    names, donors = [str(name) for name in table.donors], table.donors.to_numpy()
    cure = "Leave such columns out, or name the donors with donors=[...]."
    flags = dummies(donors, names)
    if flags:
        text = f"{listed(flags)} hold only two small whole numbers, as dummies do. {cure}"
        yield Remark("V045", "warned", text)
    if counters := [n for n in clocks(donors, names, table.donors.index) if n not in flags]:
        text = f"{listed(counters)} count periods or name dates, as calendars do. {cure}"
        yield Remark("V046", "warned", text)


def aggregates_rule(table: Table) -> Iterator[Remark]:
    """Warn about donors that contain the treated unit."""
    names, seen = [str(name) for name in table.donors], table.treated.notna().to_numpy()
    treated, donors = table.treated.to_numpy()[seen], table.donors.to_numpy()[seen]
    if totals := aggregates(treated, donors, names):
        yield Remark(
            "V044",
            "warned",
            f"{listed(totals)} are sums or averages of the treated unit and other donors: they "
            "contain the effect and hide part of it. Drop them.",
        )
    before, others = table.before
    if copies := near_copies(before.to_numpy(), others.to_numpy(), names):
        yield Remark(
            "V047",
            "warned",
            f"{listed(copies)} move before treatment almost exactly as the treated unit does: "
            "check whether they are copies, totals that it dominates, or columns made from it.",
        )


SERIES_RULES: tuple[Callable[[Table], Iterator[Remark]], ...] = (
    broken_rule,
    coarse_rule,
    helpers_rule,
    aggregates_rule,
)
"""The rules of this file, in the order in which they are asked."""
