"""Plan several treatments at once: a plan for each cell, and contrasts between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Unpack, final

import numpy as np
import pandas as pd

from bayes_synth.api import SyntheticControl
from bayes_synth.data.history import AbstractHistory, PlanOptions
from bayes_synth.errors import PlanError, PlanWarning, warn
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.bank import bank_of, shared_bank_panel
from bayes_synth.planning.contrast import Contrast, contrasts_of
from bayes_synth.planning.make import audit_table, noise_chosen, planned_set, require_satisfiable
from bayes_synth.planning.plan import Plan
from bayes_synth.planning.request import Request, require_history
from bayes_synth.planning.told import refits_ahead
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.words import listed, preformatted, public

__all__ = ["CellPlan", "plan_cells"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class CellPlan:
    """Say what a test with several treatments could find; :func:`bayes_synth.plan_cells` makes it.

    Parameters
    ----------
    plans
        The plan of each cell, by its name. No unit of another cell is a donor.
    contrasts
        What can be said of the difference between two cells: by both names, in the order in which
        the cells were given, and by the length of the test.

    Examples
    --------
    >>> list(cells.plans)
    ['search', 'social']
    >>> cells.differences.index.names
    FrozenList(['first', 'second', 'periods'])
    """

    plans: Mapping[str, Plan]
    contrasts: Mapping[tuple[str, str, int], Contrast]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Tabulate the plans.

        Returns
        -------
        pandas.DataFrame
            Index ``cell`` and ``periods``, columns of :attr:`bayes_synth.Plan.table`.
        """
        parts = {name: plan.table for name, plan in self.plans.items()}
        return pd.concat(parts, names=["cell"])

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Tabulate the contrasts.

        Returns
        -------
        pandas.DataFrame
            Index ``first``, ``second`` and ``periods``; columns ``detectable_up`` and
            ``detectable_down`` (differences found with probability 0.8), ``width``, ``kappa``,
            ``false_positives``, ``false_positives_error``, ``audited``.
        """
        rows = {
            key: {
                "detectable_up": each.detectable(),
                "detectable_down": each.detectable(sign=-1),
                "width": each.width(),
                "kappa": float(np.mean(each.kappa)),
                "false_positives": each.false_positives.share,
                "false_positives_error": each.false_positives.error,
                "audited": each.false_positives.tests,
            }
            for key, each in self.contrasts.items()
        }
        table = pd.DataFrame(rows).T.rename_axis(["first", "second", "periods"])
        return table.astype({"audited": int})

    def contrast(self, first: str, second: str, *, periods: int | None = None) -> Contrast:
        """Return what can be said of the effect of one cell minus that of another.

        Parameters
        ----------
        first, second
            Names of the cells, in the order in which they were given.
        periods
            Length of the test; None for the only one.

        Raises
        ------
        PlanError
            H031 for a pair that was not planned, H014 for a length that was not.

        Examples
        --------
        >>> cells.contrast("search", "social").detectable() > 0
        True
        """
        pairs = sorted({key[:2] for key in self.contrasts})
        if (first, second) not in pairs:
            known = listed((f"{a} and {b}" for a, b in pairs), 8)
            raise PlanError(
                "H031",
                f"first and second must be cells in this order: {known}; got {first!r} and "
                f"{second!r}.",
            )
        length = self.plans[first].length_of(periods)
        return self.contrasts[first, second, length]

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        parts = [f"{name}: {plan!r}" for name, plan in self.plans.items()]
        return "\n".join([*parts, *map(repr, self.contrasts.values())])

    def _repr_html_(self) -> str:
        return preformatted(repr(self))


def plan_cells(
    history: AbstractHistory,
    cells: Mapping[str, str | Sequence[str]],
    *,
    periods: Any,
    effect: Any = None,
    model: AbstractSyntheticControl | None = None,
    rule: Any = None,
    random_seed: Any = None,
    **options: Unpack[PlanOptions],
) -> CellPlan:
    """Plan a test of several treatments at once, one for each cell.

    The units of all cells leave the donors, in the past windows as in the test. The error of a
    difference is learnt from differences of placebos: cells share donors and shocks.

    Parameters
    ----------
    history
        The data before the test, a :class:`bayes_synth.History`.
    cells
        Units by the name of their treatment, such as ``{"search": ["chicago"], "social":
        ["portland", "reno"]}``.
    periods, effect, rule, random_seed
        As in :meth:`bayes_synth.SyntheticControl.plan`, for every cell.
    model
        The model that will judge the test; None for the default.
    **options
        As in :meth:`bayes_synth.SyntheticControl.plan`.

    Returns
    -------
    CellPlan
        A plan for each cell, and a contrast for every two of them.

    Raises
    ------
    PlanError
        As in :meth:`bayes_synth.SyntheticControl.plan`; H030 unless there are two cells or more,
        none of which share a unit.

    Warns
    -----
    PlanWarning
        As in :meth:`bayes_synth.SyntheticControl.plan`, once for all cells.

    Examples
    --------
    >>> few = dict(draws=60, tune=60, starts=2, progressbar=False)
    >>> calibration = bs.Calibration(draws=60, tune=60, q_factors=(1.0,))
    >>> cells = bs.plan_cells(
    ...     history,
    ...     {"search": ["u00"], "social": ["u01"]},
    ...     periods=7,
    ...     effect=0.05,
    ...     model=bs.SyntheticControl(calibrate=calibration),
    ...     random_seed=1,
    ...     **few,
    ... )
    >>> cells.contrast("search", "social").members
    (('u00',), ('u01',))
    """
    require_history(history)
    units = _checked(history, cells)
    everyone = {label for each in units.values() for label in each}
    never = {*history.known(options.get("never_donors"), "never_donors")}
    requests = {
        name: Request.checked(
            history,
            mine,
            periods,
            effect,
            rule,
            random_seed,
            PlanOptions({**options, "never_donors": sorted((everyone | never) - {*mine})}),
        )
        for name, mine in units.items()
    }
    first = next(iter(requests.values()))
    panels = _panels(history, requests, sorted(everyone | never))
    latest = max(first.starts)
    panel = next(iter(panels.values()))[latest]
    chosen = noise_chosen(model or SyntheticControl(), panel, first.settings)
    ahead = sum(refits_ahead(chosen, each) for each in panels.values())
    tests = len(units) * len(first.starts) * len(first.periods)
    shown = bool(first.settings.progressbar)
    with shared_bar("Planning", shown=shown, expected=ahead + tests):
        banks = {
            size: bank_of(chosen, each, first.periods, first.settings, history.times, first.workers)
            for size, each in panels.items()
        }
        audits = {size: audit_table(bank, first) for size, bank in banks.items()}
        plans = {
            name: planned_set(history, each, banks[len(each.treated)], audits[len(each.treated)])
            for name, each in requests.items()
        }
    for plan in plans.values():
        require_satisfiable(plan)
    seen = dict.fromkeys(note for p in plans.values() for note in p.notes if note[1] == "warned")
    for code, _, text in seen:
        warn(PlanWarning, code, text)
    return CellPlan(plans, contrasts_of(plans))


def _checked(history: AbstractHistory, cells: Any) -> dict[str, tuple[str, ...]]:
    """Return the units of each cell, and refuse what are no cells.

    Raises
    ------
    PlanError
        H030, H001.
    """
    if not isinstance(cells, Mapping) or len(cells) < 2:
        text = 'cells must be units by treatment, of two or more, such as {"search": ["chicago"], '
        raise PlanError("H030", f'{text}"social": ["reno"]}}, got {cells!r}.')
    units = {str(name): history.known(each, f"cells[{name!r}]") for name, each in cells.items()}
    if empty := [name for name, each in units.items() if not each]:
        raise PlanError("H030", f"every cell must have a unit, none is in {listed(empty)}.")
    for (one, a), (two, b) in combinations(units.items(), 2):
        if both := sorted({*a} & {*b}):
            raise PlanError(
                "H030", f"cells must share no unit, {one} and {two} share {listed(both)}."
            )
    return units


def _panels(
    history: AbstractHistory, requests: Mapping[str, Request], never: Sequence[str]
) -> dict[int, dict[int, Any]]:
    """Return the panels whose donors are refitted, by size of a cell and start."""
    first = next(iter(requests.values()))
    longest = max(first.periods)
    return {
        size: {s: shared_bank_panel(history, size, s, longest, never) for s in first.starts}
        for size in sorted({len(each.treated) for each in requests.values()})
    }
