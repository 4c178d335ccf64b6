"""Choose which units to treat: screen, sample, and claim on windows that took no part in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from bayes_synth.api import SyntheticControl
from bayes_synth.data.history import AbstractHistory, PlanOptions
from bayes_synth.errors import OptionError, PlanError
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.bank import Bank, bank_of, shared_bank_panel
from bayes_synth.planning.candidates import (
    Candidates,
    Constraints,
    able_units,
    candidates,
)
from bayes_synth.planning.choice import Choice
from bayes_synth.planning.make import audit_table, judge, noise_chosen, planned_set
from bayes_synth.planning.operating import Law, Window
from bayes_synth.planning.plan import Plan
from bayes_synth.planning.request import Request, require_history
from bayes_synth.planning.screen import screened
from bayes_synth.planning.told import refits_ahead
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.sampling.settings import Size, require_count
from bayes_synth.words import suggestion

__all__ = ["ChoiceOptions", "choose_treated"]

SAMPLED = 3
"""So many sets are sampled per finalist."""
SMALL = Size(200, 200, 2)
"""How much each of them is sampled."""


class ChoiceOptions(PlanOptions, total=False):
    """Constraints and options of a choice.

    Parameters
    ----------
    include, exclude
        Units that every set, or no set, has.
    budget, cost_per_unit
        Money for the test, and per outcome unit that it adds.
    share
        Smallest and largest share of all outcomes, such as ``(0.02, 0.2)``.
    apart
        Pairs of units of which at most one is treated; the other is then no donor either.
    strata, at_least
        Label by unit, and by label how many treated units it needs at least.
    most
        Number of finalists.
    """

    include: str | Sequence[str]
    exclude: str | Sequence[str]
    budget: float
    cost_per_unit: float
    share: tuple[float, float]
    apart: Sequence[tuple[str, str]]
    strata: Mapping[str, str]
    at_least: Mapping[str, int]
    most: int


def choose_treated(
    history: AbstractHistory,
    *,
    sizes: Any,
    periods: Any,
    effect: Any = None,
    model: AbstractSyntheticControl | None = None,
    rule: Any = None,
    random_seed: Any = None,
    **options: Unpack[ChoiceOptions],
) -> Choice:
    """Compare sets of units that might be treated, and plan the best ones.

    Sets are screened by least squares, the best of them sampled on early past windows, and the
    finalists planned on later windows that do not overlap those: what a winner promised when it was
    chosen is too good, what it promises on the others is not.

    Parameters
    ----------
    history
        The data before the test, a :class:`bayes_synth.History`.
    sizes
        Number of treated units, or several.
    periods, effect, rule, random_seed
        As in :meth:`bayes_synth.SyntheticControl.plan`. Sets are ranked by the power at the
        smallest stated effect and the longest test; without an effect by the expected width.
    model
        The model that will judge the test; None for the default.
    **options
        Constraints: ``include``, ``exclude``, ``budget`` with ``cost_per_unit``, ``share`` (two
        numbers), ``apart`` (pairs), ``strata`` with ``at_least``; ``most``, the number of finalists
        (6); and those of :meth:`bayes_synth.SyntheticControl.plan`.

    Returns
    -------
    Choice
        Table, plans, ties, and what each constraint removed.

    Raises
    ------
    PlanError
        As in :meth:`bayes_synth.SyntheticControl.plan`; H018 for sizes and units that allow no set,
        H019 when constraints remove every set, H025 for a budget without a price or an effect, H026
        for shares or strata that are none, H027 when the history has no windows left to claim on.
    OptionError
        O061 for an unknown option, O010 for a number of finalists below one.

    Examples
    --------
    >>> few = dict(draws=60, tune=60, starts=2, progressbar=False)
    >>> calibration = bs.Calibration(draws=60, tune=60, q_factors=(1.0,))
    >>> choice = bs.choose_treated(
    ...     history,
    ...     sizes=[1, 2],
    ...     periods=7,
    ...     effect=0.05,
    ...     include=["u00"],
    ...     most=1,
    ...     model=bs.SyntheticControl(calibrate=calibration),
    ...     random_seed=1,
    ...     **few,
    ... )
    >>> "u00" in choice.best.treated
    True
    """
    require_history(history)
    most, plain = _options(options)
    limits = Constraints.checked(history, sizes, options)
    first = limits.include or _stand_in(history, limits, options)
    base = Request.checked(history, first, periods, effect, rule, random_seed, plain)
    early, late = split_windows(base)
    size = base.effects[0] if base.effects else 0.0
    found = candidates(history, limits, size, min(base.periods), additive=base.additive)
    seen = early[-1] + max(base.periods)
    kept = screened(history, found.sets, seen, max(base.periods), SAMPLED * most)
    chosen_model = model or SyntheticControl()
    panel = shared_bank_panel(history, 1, early[-1], max(base.periods), base.never)
    chosen_model = noise_chosen(chosen_model, panel, base.settings)
    counts = sorted({len(units) for units in kept})
    panels = {
        count: {
            start: shared_bank_panel(history, count, start, max(base.periods), base.never)
            for start in base.starts
            if start in (*early, *late)
        }
        for count in counts
    }
    ahead = sum(refits_ahead(chosen_model, each) for each in panels.values())
    with shared_bar("Choosing", shown=bool(base.settings.progressbar), expected=ahead):
        banks = {
            count: bank_of(
                chosen_model, each, base.periods, base.settings, history.times, base.workers
            )
            for count, each in panels.items()
        }
        search = _Search(history, base, limits, banks, early, late)
        return search.choice(kept, found, most)


def _stand_in(
    history: AbstractHistory, limits: Constraints, options: ChoiceOptions
) -> tuple[str, ...]:
    """Return a unit by which a request is checked while nobody is chosen: one that may be treated.

    Units that shall not be donors may be treated, but a request has no unit in both roles.
    """
    never = history.known(options.get("never_donors"), "never_donors")
    able = able_units(history, limits)
    return tuple([unit for unit in able if unit not in never] or history.units)[:1]


def _options(options: ChoiceOptions) -> tuple[int, PlanOptions]:
    """Return the number of finalists, and the options that a plan has too."""
    known = tuple(PlanOptions.__annotations__)
    own = [name for name in ChoiceOptions.__annotations__ if name not in known]
    for name in options:
        if name not in (*known, *own):
            hint = suggestion(name, (*own, *known))
            raise OptionError("O061", f"{name!r} is no option of a choice. {hint}")
    most = options.get("most", 6)
    require_count("most", most, 1)
    plain: Any = {name: value for name, value in options.items() if name in known}
    return most, plain


def split_windows(request: Request) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Divide the starts: the first third to choose by, and those after it to claim on.

    No claim window overlaps one that was used for choosing.

    Raises
    ------
    PlanError
        H027 when none is left.
    """
    starts, longest = request.starts, max(request.periods)
    early = starts[: max(1, len(starts) // 3)]
    late = tuple(start for start in starts if start >= early[-1] + longest)
    if not late:
        raise PlanError(
            "H027",
            f"the history must hold windows of {longest} periods to choose by and others to claim "
            f"on; after the first, none of {len(starts)} starts is free of overlap. Plan a shorter "
            "test, or judge sets that you name with SyntheticControl.plan.",
        )
    return early, late


class _Scored(NamedTuple):
    """Hold a set, its power or negative width on the windows for choosing, and the error."""

    units: tuple[str, ...]
    score: float
    error: float


class _Search(NamedTuple):
    """Hold what sampling sets needs."""

    history: AbstractHistory
    base: Request
    limits: Constraints
    banks: dict[int, Bank]
    early: tuple[int, ...]
    late: tuple[int, ...]

    def request(self, units: tuple[str, ...], starts: tuple[int, ...]) -> Request:
        """Return the request for one set on these windows."""
        never = {*self.base.never, *self.limits.neighbours(units)} - {*units}
        return replace(self.base, treated=units, never=tuple(sorted(never)), starts=starts)

    def scored(self, units: tuple[str, ...]) -> _Scored:
        """Sample a set on the windows for choosing."""
        request = self.request(units, self.early)
        quick = replace(request.settings, size=SMALL)
        request = replace(request, settings=quick, periods=(max(request.periods),))
        judged = judge(self.history, request, self.banks[len(units)])
        draws = judged.draws.isel(periods=0).to_numpy()
        observed = judged.table["observed"]
        windows = [Window(d.ravel(), float(o)) for d, o in zip(draws, observed, strict=True)]
        law = Law(windows, request.rule, request.additive)
        if not request.effects:
            return _Scored(units, -law.width(0.95)[1], np.nan)
        each = law.by_window(request.effects[0])
        noise = np.sqrt(np.maximum(each * (1 - each), 0.01) / draws[0].size).mean()
        spread = each.std(ddof=1) if len(each) > 1 else 0.0
        return _Scored(
            units, float(each.mean()), float(np.hypot(noise, spread / np.sqrt(len(each))))
        )

    def choice(self, kept: list[tuple[str, ...]], found: Candidates, most: int) -> Choice:
        """Sample the screened sets, plan the best, and tabulate them."""
        scored = sorted((self.scored(units) for units in kept), key=lambda s: (-s.score, s.units))
        finalists = scored[:most]
        audits = {
            count: audit_table(bank, replace(self.base, starts=self.late))
            for count, bank in self.banks.items()
            if count in {len(each.units) for each in finalists}
        }
        plans = {}
        for each in finalists:
            count, request = len(each.units), self.request(each.units, self.late)
            own = audits[count]
            inside = own["unit"].map(lambda label, s=each.units: bool({*label.split(" + ")} & {*s}))
            audit = own[~inside].reset_index(drop=True)
            plans[each.units] = planned_set(self.history, request, self.banks[count], audit)
        times = self.history.times
        windows = tuple(times[list(self.early)]), tuple(times[list(self.late)])
        table = self._table(finalists, plans)
        return Choice(table, plans, found.left_out, (len(found.sets), len(kept)), windows)

    def _table(
        self, finalists: Sequence[_Scored], plans: Mapping[tuple[str, ...], Plan]
    ) -> pd.DataFrame:
        """Tabulate the finalists, the best first."""
        rows, best = [], finalists[0]
        for rank, each in enumerate(finalists, 1):
            plan = plans[each.units]
            gap, error = best.score - each.score, np.hypot(best.error, each.error)
            first = plan.table.groupby(level="periods").first()
            for length, row in first.iterrows():
                rows.append(
                    {
                        "units": each.units,
                        "size": len(each.units),
                        "periods": length,
                        "rank": rank,
                        "tied": bool(rank == 1 or gap <= 2 * error),
                        "power_when_chosen": each.score if self.base.effects else np.nan,
                        "power_when_chosen_error": each.error,
                        **{name: row[name] for name in SHOWN},
                        "cost": self._cost(plan, int(length)),  # type: ignore[call-overload]
                        "verdict": plan.verdict,
                    }
                )
        table = pd.DataFrame(rows)
        table.attrs["ranked_by"] = "power" if self.base.effects else "expected width"
        return table

    def _cost(self, plan: Plan, length: int) -> float:
        """Return what the smallest stated effect costs; NaN without a price."""
        price = self.limits.cost_per_unit
        if price is None or not self.base.effects:
            return np.nan
        return plan.cost(per_unit=price, effect=self.base.effects[0], periods=length)


SHOWN = (
    "power",
    "detectable_up",
    "detectable_down",
    "width_share",
    "false_positives",
    "false_positives_error",
    "share",
)
"""Columns of a plan's table that a choice shows."""
