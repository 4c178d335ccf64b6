"""Covariates: series per unit and time that drive the outcome, such as price or weather."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.series_table import AbstractSeriesTable
from bayes_synth.data.validation import ROUNDING
from bayes_synth.errors import PanelError
from bayes_synth.words import listed, short

__all__ = ["CovariateTable", "read_covariates", "require_informative"]

DIMS = ("covariate", "time", "unit")


@final
@dataclass(frozen=True, eq=False)
class CovariateTable(AbstractSeriesTable):
    """Hold the covariates of all units of a panel at all of its times.

    Parameters
    ----------
    series
        Dims ``(covariate, time, unit)``, finite numbers as the user gave them.

    Raises
    ------
    PanelError
        P063 for a number that is missing or not finite.
    """

    DIM: ClassVar[str] = DIMS[0]

    @staticmethod
    def require_complete(name: str, table: pd.DataFrame) -> None:
        """Refuse missing or infinite numbers, see :func:`_require_complete`."""
        _require_complete(name, table)

    def at(self, times: pd.Index, start: Any) -> "CovariateTable":
        """Return them at some of the times, without those that do not change before ``start``."""
        kept = self.series.sel(time=times.to_numpy())
        early = kept.to_numpy()[:, np.asarray(times < start)]
        return CovariateTable(kept[~np.array([_is_still(table) for table in early], dtype=bool)])


def read_covariates(
    data: Any, columns: tuple[str, str, str], wanted: Any, outcomes: xr.DataArray, start: Any
) -> CovariateTable:
    """Read covariates from the frame that the outcomes were read from.

    Parameters
    ----------
    data, columns
        The frame, and its columns of units, times and outcomes.
    wanted
        Name or names of the covariates' columns.
    outcomes
        The panel's outcomes, dims ``(time, unit)``.
    start
        Label of the first treated period.

    Raises
    ------
    PanelError
        P060 for names that are no list of other columns, P061 for a covariate that repeats the
        outcome, P062 for one that does not change before ``start``, P063 for missing numbers, P064
        for one that is the same for all units, P065 for one known for treated units only, and those
        of reading a column.
    """
    from bayes_synth.data.readers import read_long

    names, (unit, time, outcome) = _names(wanted, columns), columns
    times, units = outcomes.indexes["time"], outcomes["unit"].values.tolist()
    tables = []
    for name in names:
        table = read_long(data, unit=unit, time=time, outcome=name, notes=[])
        tables.append(table.reindex(index=times, columns=units))
        _require_complete(name, tables[-1], start)
        require_informative(name, tables[-1], start)
        _require_another(name, outcome, tables[-1].to_numpy(float), outcomes.to_numpy())
    stacked = np.stack([table.to_numpy(float) for table in tables])
    coords = {"covariate": list(names), "time": times.to_numpy(), "unit": units}
    return CovariateTable(xr.DataArray(stacked, dims=DIMS, coords=coords))


def _names(wanted: Any, taken: tuple[str, str, str]) -> tuple[str, ...]:
    """Return the names of covariates; refuse what is no list of distinct other columns."""
    names = (wanted,) if isinstance(wanted, str) else wanted
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise PanelError("P060", f"covariates must be names of columns, got {wanted!r}.")
    if not names:
        raise PanelError("P060", "covariates must name a column, got none; leave it out.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise PanelError("P060", f"covariates must differ, got {twice[0]!r} twice.")
    if used := [name for name in names if name in taken]:
        raise PanelError(
            "P060",
            f"covariates must be other columns than units, times and outcome, got {used[0]!r}.",
        )
    return tuple(names)


def _require_complete(name: str, table: pd.DataFrame, start: Any = None) -> None:
    """Refuse missing or infinite numbers.

    Raises
    ------
    PanelError
        P065 where whole units lack the covariate, P063 for single cells.
    """
    finite = np.isfinite(table.to_numpy(float))
    without = [str(label) for label in table.columns[~finite.any(axis=0)]]
    if without and len(without) < table.shape[1]:
        raise PanelError(
            "P065",
            f"covariate {name!r} must be measured for donors and treated units alike, got none for "
            f"{len(without)} of {table.shape[1]} units: {listed(without)}.\n"
            "  Leave these units or this covariate out.",
        )
    if finite.all():
        return
    cells = [
        f"{table.columns[j]} at {short(table.index[t])}" for t, j in np.argwhere(~finite).tolist()
    ]
    late = "" if start is None else _late(table.index[~finite.all(axis=1)], start)
    raise PanelError(
        "P063",
        f"covariate {name!r} must be known for every unit at every time, got {len(cells)} missing: "
        f"{listed(cells)}.\n  {late}Leave these units, these times or this covariate out; nothing "
        "is filled.",
    )


def _late(times: pd.Index, start: Any) -> str:
    """Say why numbers from ``start`` on are needed, if all that are missing lie there."""
    if (times < start).any():
        return ""
    return f"The counterfactual from start={short(start)} on needs them. "


def require_informative(name: str, table: pd.DataFrame, start: Any) -> None:
    """Refuse a covariate that cannot say anything about the treated unit.

    Raises
    ------
    PanelError
        P062 for one that does not change before ``start``, P064 for one that is the same for all
        units.
    """
    values, early = table.to_numpy(float), np.asarray(table.index < start)
    if _is_still(values[early]):
        raise PanelError(
            "P062",
            f"covariate {name!r} must change before start={short(start)} in some unit, got one "
            "number per unit there.\n  What differs between units only is a predictor: "
            "bs.Panel.from_long(..., predictors=bs.Predictors([...])).",
        )
    if (np.ptp(values, axis=1) <= ROUNDING * np.abs(values).max()).all():
        raise PanelError(
            "P064",
            f"covariate {name!r} must differ between units, got the same for all at every time: "
            "what all share cancels out, because the weights sum to one. Leave it out.",
        )


def _is_still(values: np.ndarray) -> bool:
    """Tell whether no unit changes, dims ``(time, unit)``."""
    if not values.size:
        return True
    return bool((np.ptp(values, axis=0) <= ROUNDING * np.abs(values).max()).all())


def _require_another(name: str, outcome: str, values: np.ndarray, outcomes: np.ndarray) -> None:
    """Refuse a covariate that is the outcome, in the same or in another measure.

    Raises
    ------
    PanelError
        P061.
    """
    seen = np.isfinite(outcomes)
    x, y = values[seen], outcomes[seen]
    x, y = x - x.mean(), y - y.mean()
    explained = (x @ y) ** 2 / ((x @ x) * (y @ y))
    if explained > 1 - ROUNDING:
        raise PanelError(
            "P061",
            f"covariate {name!r} must not repeat the outcome, got {outcome!r} itself or a multiple "
            "of it: it would explain the effect away. Leave it out.",
        )
