"""List the sets of units that may be treated, and count what every constraint removes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from math import comb
from typing import Any, NamedTuple, Self, final

import numpy as np
import pandas as pd

from bayes_synth.data.history import AbstractHistory
from bayes_synth.errors import PlanError
from bayes_synth.planning.cost import require_cost, shares, volumes
from bayes_synth.words import listed

__all__ = ["Candidates", "Constraints", "able_units", "candidates"]

SCREENED = 4000
"""So many sets are looked at; if there are more, so many are drawn, the same for every seed."""


@final
@dataclass(frozen=True)
class Constraints:
    """Hold what a set must satisfy.

    Parameters
    ----------
    sizes
        Numbers of treated units.
    include, exclude
        Units that every set, or no set, has.
    budget, cost_per_unit
        Money for the test, and per outcome unit that it adds.
    share
        Smallest and largest share of all outcomes.
    apart
        Pairs of units of which at most one is treated; the other is then no donor either.
    strata, at_least
        Label of each unit, and how many treated units each label needs at least.
    """

    sizes: tuple[int, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    budget: float | None = None
    cost_per_unit: float | None = None
    share: tuple[float, float] = (0.0, 1.0)
    apart: tuple[tuple[str, str], ...] = ()
    strata: Mapping[str, str] = field(default_factory=dict)
    at_least: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def checked(cls, history: AbstractHistory, sizes: Any, options: Mapping[str, Any]) -> Self:
        """Check constraints against the history and against each other.

        Raises
        ------
        PlanError
            H001 for unknown units, H009 for units that are included and excluded, H012 for a price
            that is none, H018 for sizes that hold no set or leave no donors, or units to include
            that must stay apart, H025 for a budget without a price, H026 for shares or strata that
            are none.
        """
        include = history.known(options.get("include"), "include")
        exclude = history.known(options.get("exclude"), "exclude")
        if both := sorted({*include} & {*exclude}):
            raise PlanError("H009", f"units are included or excluded, not both: {listed(both)}.")
        pairs = tuple(_pair(history, pair) for pair in options.get("apart", ()))
        chosen = _sizes(sizes, include, len(history.units) - len(exclude))
        for a, b in pairs:
            if a in include and b in include:
                raise PlanError("H018", f"{a} and {b} are to be included, but must stay apart.")
        budget, price = options.get("budget"), options.get("cost_per_unit")
        if budget is not None and price is None:
            raise PlanError("H025", "a budget needs cost_per_unit=, the money per outcome unit.")
        strata = {str(unit): str(label) for unit, label in options.get("strata", {}).items()}
        needs = {str(label): int(count) for label, count in options.get("at_least", {}).items()}
        history.known(list(strata), "strata")
        if unknown := sorted({*needs} - {*strata.values()}):
            raise PlanError("H026", f"at_least must name labels of strata, not {listed(unknown)}.")
        return cls(
            chosen,
            include,
            exclude,
            None if budget is None else require_cost(budget),
            None if price is None else require_cost(price),
            _shares(options.get("share", (0.0, 1.0))),
            pairs,
            strata,
            needs,
        )

    def neighbours(self, treated: Sequence[str]) -> set[str]:
        """Return the units that must stay apart from treated ones: they are no donors."""
        return {a if b in treated else b for a, b in self.apart if (a in treated) != (b in treated)}


class Candidates(NamedTuple):
    """Hold the sets that are left, and what removed the others.

    ``left_out`` has index ``constraint`` and columns ``sets`` (how many it removed first),
    ``example`` and ``nearest`` (the value of the nearest set that it removed, if it has one).
    """

    sets: list[tuple[str, ...]]
    left_out: pd.DataFrame


def _pair(history: AbstractHistory, pair: Any) -> tuple[str, str]:
    labels = history.known(pair, "apart")
    if len(labels) != 2:
        raise PlanError("H026", f"apart must be pairs of units, got {pair!r}.")
    return labels[0], labels[1]


def _sizes(sizes: Any, include: Sequence[str], units: int) -> tuple[int, ...]:
    given = [sizes] if isinstance(sizes, (int, np.integer)) else list(sizes)
    if not given or not all(isinstance(s, (int, np.integer)) and s >= 1 for s in given):
        raise PlanError("H018", f"sizes must be whole numbers of at least 1, got {sizes!r}.")
    if max(given) < len(include):
        text = f"{len(include)} units are to be included, more than the largest size, {max(given)}."
        raise PlanError("H018", text)
    if min(given) > units - 2:
        text = f"{units} units that may be treated leave no donors for sets of {min(given)}."
        raise PlanError("H018", text)
    return tuple(sorted({int(s) for s in given if len(include) <= s <= units - 2}))


def _shares(share: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in share)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 <= low < high <= 1:
        raise PlanError("H026", f"share must be two numbers from 0 to 1, got {share!r}.")
    return low, high


def candidates(
    history: AbstractHistory,
    limits: Constraints,
    effect: float,
    periods: int,
    *,
    additive: bool = False,
) -> Candidates:
    """List the sets within the constraints.

    Parameters
    ----------
    history, limits
        What is planned.
    effect, periods
        The effect and the length by which a set's cost is judged: the cheapest that are planned.
        An effect of zero stands for none that is stated.
    additive
        Whether the effect is in outcome units per period and unit instead of a fraction.

    Raises
    ------
    PlanError
        H019 when no set is left, with the constraint that removed most; H025 for a budget without
        an effect, which costs nothing.
    """
    if limits.budget is not None and not effect:
        raise PlanError("H025", "a budget needs effect=, on which the cost depends; state one.")
    able = able_units(history, limits)
    share, price = shares(history), _prices(history, limits, effect, periods, additive=additive)
    kept, removed = [], dict[str, list[tuple[float, tuple[str, ...]]]]()
    for units in _listed(able, limits):
        reason, value = _removed(units, limits, share, price)
        if reason:
            removed.setdefault(reason, []).append((value, units))
        else:
            kept.append(units)
    looked_at = len(kept) + sum(map(len, removed.values()))
    left_out = _left_out(removed, limits, _not_looked_at(history, able, limits, looked_at))
    if not kept:
        raise _nothing_left(left_out)
    return Candidates(kept, left_out)


def able_units(history: AbstractHistory, limits: Constraints) -> list[str]:
    """Return the units that may be treated: included, or neither excluded nor ever missing.

    Parameters
    ----------
    history, limits
        What is planned.
    """
    whole = history.outcomes.notnull().all("time").to_numpy()
    return [
        unit
        for unit, known in zip(history.units, whole, strict=True)
        if unit in limits.include or (known and unit not in limits.exclude)
    ]


def _prices(
    history: AbstractHistory, limits: Constraints, effect: float, periods: int, *, additive: bool
) -> dict[str, float]:
    """Return what the effect on every unit costs, as :meth:`AbstractPlan.cost` does."""
    per_outcome = abs(effect) * (limits.cost_per_unit or 0.0)
    if additive:
        return dict.fromkeys(history.units, per_outcome * periods)
    return {unit: per_outcome * size for unit, size in volumes(history, periods).items()}


def _not_looked_at(
    history: AbstractHistory, able: Sequence[str], limits: Constraints, looked_at: int
) -> dict[str, list[Any]]:
    """Count the sets with missing outcomes, and those that were not drawn, with a unit or set."""
    fixed = len(limits.include)
    asked = [unit for unit in history.units if unit not in limits.exclude]
    possible, left = (
        sum(comb(len(units) - fixed, size - fixed) for size in limits.sizes)
        for units in (asked, able)
    )
    lost = [unit for unit in asked if unit not in able]
    rows = {"missing outcomes": [possible - left, listed(lost), np.nan]}
    rows["not drawn"] = [left - looked_at, f"{looked_at} of {left} sets were screened", np.nan]
    return {name: row for name, row in rows.items() if row[0]}


def _listed(able: Sequence[str], limits: Constraints) -> Iterator[tuple[str, ...]]:
    """Yield all sets of every size, or as many as are screened, drawn without favour.

    Which are drawn hangs on the units alone, never on the caller's seed.
    """
    rng = np.random.default_rng(SCREENED)
    free = [unit for unit in able if unit not in limits.include]
    for size in limits.sizes:
        more, most = size - len(limits.include), SCREENED // len(limits.sizes)
        total = comb(len(free), more)
        sets: Iterable[tuple[str, ...]] = combinations(free, more)
        if total > most:
            sets = _drawn(free, more, most, rng)
        yield from (tuple(sorted((*limits.include, *units))) for units in sets)


def _drawn(
    free: Sequence[str], size: int, most: int, rng: np.random.Generator
) -> Iterator[tuple[str, ...]]:
    seen = dict[tuple[str, ...], None]()
    while len(seen) < most:
        places = rng.choice(len(free), size, replace=False)
        seen[tuple(free[k] for k in sorted(places))] = None
    return islice(seen, most)


def _removed(
    units: tuple[str, ...],
    limits: Constraints,
    share_by_unit: Mapping[str, float],
    price_by_unit: Mapping[str, float],
) -> tuple[str, float]:
    """Name the first constraint that a set breaks, and by what value."""
    if any(a in units and b in units for a, b in limits.apart):
        return "apart", np.nan
    labels = [limits.strata.get(unit) for unit in units]
    if any(labels.count(label) < count for label, count in limits.at_least.items()):
        return "at_least", np.nan
    share = sum(share_by_unit[unit] for unit in units)
    if not limits.share[0] <= share <= limits.share[1]:
        return "share", share
    cost = sum(price_by_unit[unit] for unit in units)
    if limits.budget is not None and cost > limits.budget:
        return "budget", cost
    return "", np.nan


def _left_out(
    removed: Mapping[str, list[tuple[float, tuple[str, ...]]]],
    limits: Constraints,
    rows: dict[str, list[Any]],
) -> pd.DataFrame:
    """Tabulate what every constraint removed, below ``rows`` of sets that were not looked at."""
    low, high = limits.share
    for name, sets in removed.items():
        values = [value for value, _ in sets]
        beyond = {
            "budget": lambda cost: cost,
            "share": lambda share: max(low - share, share - high),
        }
        nearest = float(min(values, key=beyond.get(name, abs)))
        rows[name] = [len(sets), " + ".join(sets[0][1]), nearest]
    columns = ["sets", "example", "nearest"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("constraint")


def _nothing_left(left_out: pd.DataFrame) -> PlanError:
    if left_out.empty:
        return PlanError("H019", "no set of these sizes is left: fewer units to exclude?")
    place = int(left_out["sets"].to_numpy().argmax())
    worst, row = left_out.index[place], left_out.iloc[place]
    near = f", the nearest at {row['nearest']:,.4g}" if np.isfinite(row["nearest"]) else ""
    return PlanError(
        "H019",
        f"no set satisfies every constraint; {worst} removed {row['sets']} of "
        f"{left_out['sets'].sum()}{near} (such as {row['example']}). Loosen it.",
    )
