"""Require of labels, outcomes and designs what every panel needs, and lock outcomes.

Imports labels, errors and words only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.labels import near_miss, require_names
from bayes_synth.errors import DesignError, PanelError
from bayes_synth.words import listed, short

__all__ = [
    "ROUNDING",
    "locked",
    "one_start",
    "require_as_many",
    "require_donors",
    "require_numbers",
    "require_periods",
    "require_treated",
    "require_unique_cells",
    "require_varies",
]

MIN_PRE = 3
"""Pre-periods that weights need at least."""
ROUNDING = 1e-9
"""Differences below this share of a series count as rounding, not as variation."""


def require_unique_cells(cells: pd.Series, names: tuple[str, str, str]) -> None:
    """Refuse a cell (time and unit) that occurs more than once; exact copies are told apart.

    ``names`` are the columns of unit, time and outcome.
    """
    again = cells.index.duplicated(keep=False)
    if not again.any():
        return
    twice = cells[again]
    keys = twice.index.unique()
    known = twice.groupby(level=[0, 1], sort=False).nunique(dropna=False)
    different = known.index[known > 1]
    unit, time, outcome = names
    by = f"[{unit!r}, {time!r}]"
    if not len(different):
        raise PanelError(
            "P020",
            f"{len(keys)} cells occur more than once, each time with the same outcome: "
            f"{_cells(keys)}.\n  If a join or an export has copied the rows, drop the copies: "
            f"df.drop_duplicates([{unit!r}, {time!r}, {outcome!r}]); adding them up would double "
            "these cells.",
        )
    raise PanelError(
        "P020",
        f"{len(keys)} cells occur more than once, {len(different)} of them with different "
        f"outcomes: {_cells(different)}.\n"
        f"  If they are parts of a whole, add them: df.groupby({by})[{outcome!r}].sum(); if they "
        "are readings of one thing, average them: .mean(); if another column tells them apart, "
        "it belongs to the unit.",
    )


def _cells(keys: pd.Index) -> str:
    return listed(f"{unit} at {short(time)}" for time, unit in keys)


def require_treated(treated: Sequence[str], units: Sequence[str]) -> None:
    """Refuse a design without treated units, with one that is named twice or not in the data."""
    if not treated:
        raise DesignError("D014", "nobody is treated: name at least one unit with treated=...")
    if twice := sorted({label for label in treated if treated.count(label) > 1}):
        raise DesignError(
            "D068", f"treated must name each unit once, got {listed(twice)} twice: name it once."
        )
    require_names(treated, units)


def require_periods(donors: int, pre: int, post: int, start: Any) -> None:
    """Refuse a design without donors, with too few pre-periods or without a post-period."""
    if not donors:
        text = "no donors are left: synthetic control needs at least one untreated unit."
        raise DesignError("D014", text)
    if pre < MIN_PRE:
        raise DesignError(
            "D004",
            f"{pre} periods before start={short(start)}; "
            f"at least {MIN_PRE} are needed to learn weights.",
        )
    if not post:
        text = f"no periods from start={short(start)} on: there is no effect to measure."
        raise DesignError("D006", text)


def require_donors(labels: Sequence[str], treated: Sequence[str], donors: Sequence[str]) -> None:
    """Refuse treated units and labels of no donor.

    Raises
    ------
    DesignError
        D008 for a treated unit, D009 for an unknown label.
    """
    for label in labels:
        if label in treated:
            raise DesignError("D008", f"{label!r} is treated; name donors only.")
        if label not in donors:
            hint = near_miss(label, donors)
            raise DesignError("D009", f"{label!r} must be a donor of this panel. {hint}")


def require_as_many(chosen: Sequence[str], treated: Sequence[str]) -> None:
    """Refuse a placebo of more or fewer donors than units are treated.

    Raises
    ------
    DesignError
        D024.
    """
    if len(chosen) != len(treated):
        raise DesignError(
            "D024",
            f"{len(treated)} units are treated and averaged, so a placebo must average as many "
            f"donors, got {len(chosen)}: {listed(chosen)}.",
        )


def require_varies(pre: np.ndarray) -> None:
    """Refuse a treated series that is constant before ``start``."""
    if np.ptp(pre) <= ROUNDING * np.abs(pre).max():
        text = f"the treated series is constant ({pre[0]:g}) before start: nothing to match."
        raise DesignError("V004", text)


def one_start(start: Any, treated: Sequence[str]) -> Any:
    """Return the common start when one is given per unit, else the start as it is."""
    if not isinstance(start, Mapping):
        return start
    if len({str(date) for date in start.values()}) != 1:
        dates = listed(f"{unit}: {date}" for unit, date in start.items())
        raise DesignError(
            "D021",
            f"the treated units must start at one time, got {dates}; fit one panel per start.",
        )
    if {str(unit) for unit in start} != set(treated):
        text = f"start must name the treated units ({listed(treated)}), got {listed(start)}."
        raise DesignError("D021", text)
    return next(iter(start.values()))


def require_numbers(outcomes: xr.DataArray, treated: Sequence[str]) -> None:
    """Refuse outcomes that are not sorted, unique and finite; a treated unit's may be missing."""
    if outcomes.dims != ("time", "unit"):
        text = f"outcomes must have the dims ('time', 'unit'), got {outcomes.dims}."
        raise PanelError("P014", text)
    axes = [outcomes.indexes[dim] for dim in outcomes.dims]
    if not all(axis.is_monotonic_increasing and axis.is_unique for axis in axes):
        text = "times and units must be sorted and occur once; bs.Panel.from_wide sorts them."
        raise PanelError("P021", text)
    allowed = np.isfinite(outcomes) | (outcomes.isnull() & outcomes["unit"].isin(list(treated)))
    if not allowed.all():
        raise PanelError(
            "P025",
            "every donor's outcome must be a finite number; "
            "bs.Panel.from_wide names the ones that are not.",
        )


def locked(outcomes: xr.DataArray) -> xr.DataArray:
    """Copy outcomes, with numbers that cannot be written to."""
    values = np.array(outcomes.to_numpy(), dtype=float)
    values.flags.writeable = False
    coords = {
        "time": outcomes["time"].to_numpy(),
        "unit": np.array(outcomes["unit"].to_numpy(), dtype=object),
    }
    return xr.DataArray(values, dims=("time", "unit"), coords=coords)
