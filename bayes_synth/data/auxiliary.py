"""Auxiliary outcomes: further outcomes of the same units, which share the weights of the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.series_table import AbstractSeriesTable
from bayes_synth.data.table import Design
from bayes_synth.data.validation import ROUNDING
from bayes_synth.errors import PanelError
from bayes_synth.words import listed, short

__all__ = ["AuxiliaryTable", "read_auxiliary"]

DIMS = ("auxiliary", "time", "unit")


@final
@dataclass(frozen=True, eq=False)
class AuxiliaryTable(AbstractSeriesTable):
    """Hold the auxiliary outcomes of all units of a panel at all of its times.

    Parameters
    ----------
    series
        Dims ``(auxiliary, time, unit)``, finite numbers as the user gave them.

    Raises
    ------
    PanelError
        P091 for a number that is missing or not finite.
    """

    DIM: ClassVar[str] = DIMS[0]

    @staticmethod
    def require_complete(name: str, table: pd.DataFrame) -> None:
        """Refuse missing or infinite numbers, see :func:`_require_complete`."""
        _require_complete(name, table)

    def at(self, times: pd.Index, start: Any, treated: Sequence[str]) -> "AuxiliaryTable":
        """Return them at some of the times, without those that are constant before ``start``."""
        kept = self.series.sel(time=times.to_numpy())
        means = kept.sel(unit=list(treated)).mean("unit").to_numpy()
        early = means[:, np.asarray(times < start)]
        return AuxiliaryTable(kept[np.array([not _is_constant(own) for own in early], dtype=bool)])


def read_auxiliary(
    data: Any, columns: tuple[str, str, str], wanted: Any, design: Design
) -> AuxiliaryTable:
    """Read auxiliary outcomes from the frame that the outcomes were read from.

    Parameters
    ----------
    data, columns
        The frame, and its columns of units, times and the main outcome.
    wanted
        Name or names of the auxiliary outcomes' columns.
    design
        Outcomes, treated units and start of the panel that will carry them.

    Raises
    ------
    PanelError
        P090 for names that are no list of other columns, P091 for missing numbers, P092 for one
        that repeats another outcome, P093 for one that is constant for the treated unit before
        ``start``, P094 where treated outcomes are missing, and those of reading a column.
    """
    from bayes_synth.data.readers import read_long

    names, (unit, time, outcome) = _names(wanted, columns), columns
    _require_seen(design)
    times, units = design.outcomes.indexes["time"], design.outcomes["unit"].values.tolist()
    known = {outcome: design.outcomes.to_numpy()}
    for name in names:
        table = read_long(data, unit=unit, time=time, outcome=name, notes=[])
        table = table.reindex(index=times, columns=units)
        _require_complete(name, table)
        _require_moving(name, table, design)
        for other, values in known.items():
            _require_another(name, table.to_numpy(float), other, values)
        known[name] = table.to_numpy(float)
    coords = {"auxiliary": list(names), "time": times.to_numpy(), "unit": units}
    stacked = np.stack([known[name] for name in names])
    return AuxiliaryTable(xr.DataArray(stacked, dims=DIMS, coords=coords))


def _require_seen(design: Design) -> None:
    """Refuse missing outcomes of treated units.

    Raises
    ------
    PanelError
        P094, with the times.
    """
    seen = np.isfinite(design.outcomes.to_numpy()).all(axis=1)
    if not seen.all():
        lost = design.outcomes.indexes["time"][~seen]
        raise PanelError(
            "P094",
            "outcomes of treated units must be complete where auxiliary outcomes are used, got "
            f"{len(lost)} times without: {listed(map(short, lost))}."
            '\n  Pass missing="drop_times", or leave the auxiliary outcomes out.',
        )


def _names(wanted: Any, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of auxiliary outcomes; refuse what is no list of distinct other columns.

    Raises
    ------
    PanelError
        P090.
    """
    names = (wanted,) if isinstance(wanted, str) else wanted
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise PanelError("P090", f"auxiliary must be names of columns, got {wanted!r}.")
    if not names:
        raise PanelError("P090", "auxiliary must name a column, got none; leave it out.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise PanelError("P090", f"auxiliary outcomes must differ, got {twice[0]!r} twice.")
    if used := [name for name in names if name in taken]:
        raise PanelError(
            "P090",
            "auxiliary outcomes must be other columns than units, times and outcome, got "
            f"{used[0]!r}.",
        )
    return tuple(names)


def _require_complete(name: str, table: pd.DataFrame) -> None:
    """Refuse missing or infinite numbers.

    Raises
    ------
    PanelError
        P091, with the cells.
    """
    finite = np.isfinite(table.to_numpy(float))
    if finite.all():
        return
    cells = [
        f"{table.columns[j]} at {short(table.index[t])}" for t, j in np.argwhere(~finite).tolist()
    ]
    raise PanelError(
        "P091",
        f"auxiliary outcome {name!r} must be known for every unit at every time, got {len(cells)} "
        f"missing: {listed(cells)}.\n  Leave these units, these times or this outcome out; "
        "nothing is filled. One that is known before start only is a predictor: "
        "bs.Predictors([...]).",
    )


def _require_moving(name: str, table: pd.DataFrame, design: Design) -> None:
    """Refuse an outcome that is constant for the treated unit before ``start``.

    Raises
    ------
    PanelError
        P093.
    """
    early = table.loc[table.index < design.start, list(design.treated)].mean(axis=1)
    if _is_constant(early.to_numpy(float)):
        raise PanelError(
            "P093",
            f"auxiliary outcome {name!r} must change before start={short(design.start)}, got one "
            f"number for {listed(design.treated, 3)}: it says nothing about the weights. "
            "Leave it out.",
        )


def _is_constant(series: np.ndarray) -> bool:
    return bool(np.ptp(series) <= ROUNDING * np.abs(series).max())


def _require_another(name: str, own: np.ndarray, other: str, values: np.ndarray) -> None:
    """Refuse an outcome that is another one, in the same or in another measure.

    Raises
    ------
    PanelError
        P092.
    """
    x, y = own - own.mean(), values - values.mean()
    if (x * y).sum() ** 2 > (1 - ROUNDING) * (x * x).sum() * (y * y).sum():
        raise PanelError(
            "P092",
            f"auxiliary outcome {name!r} must not repeat {other!r}, got the same numbers or a "
            "multiple of them: one piece of evidence would count twice. Leave it out.",
        )
