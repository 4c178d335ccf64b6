"""What a test costs: per outcome unit that the treatment adds, or by a change of what is spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.data.history import AbstractHistory
from bayes_synth.errors import PlanError
from bayes_synth.words import listed

__all__ = ["Spend", "require_cost", "share_of", "shares", "volume_of", "volumes"]


@final
@dataclass(frozen=True)
class Spend:
    """Describe what is spent per unit and period, and how the test changes it.

    Parameters
    ----------
    per_period
        Money per period, by unit.
    change
        Factor of the change: -1 goes dark, 0.5 spends half as much again.

    Raises
    ------
    PlanError
        H012 for money below zero or a change below -1 or of 0.

    Examples
    --------
    >>> dark = bs.Spend({"u00": 900, "u01": 400}, change=-1.0)
    >>> plan.cost(spend=dark, periods=10)
    -13000.0
    """

    per_period: Mapping[str, float]
    change: float = -1.0

    def __post_init__(self) -> None:
        given = {str(unit): float(money) for unit, money in dict(self.per_period).items()}
        object.__setattr__(self, "per_period", given)
        bad = [unit for unit, money in given.items() if not 0 <= money < np.inf]
        if bad:
            raise PlanError(
                "H012", f"per_period must be money of at least 0, not so: {listed(bad)}."
            )
        if not -1 <= self.change < np.inf or self.change == 0:
            text = f"change must be at least -1 (go dark) and not 0, got {self.change!r}."
            raise PlanError("H012", text)

    def cost(self, treated: tuple[str, ...], periods: int) -> float:
        """Return the change of what is spent on these units; negative when money is withheld.

        Parameters
        ----------
        treated, periods
            The units, and for how many periods.

        Raises
        ------
        PlanError
            H013 for a unit without an entry.

        Examples
        --------
        >>> bs.Spend({"u00": 900}, change=0.5).cost(("u00",), 10)
        4500.0
        """
        absent = [unit for unit in treated if unit not in self.per_period]
        if absent:
            raise PlanError(
                "H013", f"per_period must name every treated unit, not {listed(absent)}."
            )
        return self.change * periods * sum(self.per_period[unit] for unit in treated)


def volume_of(history: AbstractHistory, treated: tuple[str, ...], periods: int) -> float:
    """Return the outcome of these units over the last so many periods, summed.

    Where outcomes of a unit are missing the mean of its others stands for them.
    """
    return sum(volumes(history, periods)[unit] for unit in treated)


def volumes(history: AbstractHistory, periods: int) -> dict[str, float]:
    """Return the outcome of every unit over the last so many periods; see :func:`volume_of`."""
    last = history.outcomes.isel(time=slice(-periods, None)).mean("time")
    return dict(zip(history.units, (periods * last).to_numpy().tolist(), strict=True))


def share_of(history: AbstractHistory, treated: tuple[str, ...]) -> float:
    """Return the share of all outcomes of the history that is these units'."""
    return sum(shares(history)[unit] for unit in treated)


def shares(history: AbstractHistory) -> dict[str, float]:
    """Return every unit's share of all outcomes of the history."""
    sums = history.outcomes.sum("time")
    return dict(zip(history.units, (sums / sums.sum()).to_numpy().tolist(), strict=True))


def require_cost(per_unit: Any) -> float:
    """Return a price per outcome unit, and refuse what is none.

    Raises
    ------
    PlanError
        H012.
    """
    number = isinstance(per_unit, (int, float, np.integer, np.floating))
    if not number or isinstance(per_unit, bool) or not 0 < per_unit < np.inf:
        text = f"the cost per outcome unit must be a positive number, got {per_unit!r}."
        raise PlanError("H012", text)
    return float(per_unit)
