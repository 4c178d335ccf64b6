"""Predictors: averages of other columns before treatment, such as income, one number per unit."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import Zone, time_span
from bayes_synth.data.validation import ROUNDING
from bayes_synth.errors import PanelError
from bayes_synth.words import listed, short

__all__ = ["PredictorTable", "Predictors", "Setting", "read_predictors"]


@final
@dataclass(frozen=True)
class Predictors:
    """Say which columns to average over which times before treatment, one number per unit.

    Parameters
    ----------
    columns
        Names of columns to average over ``window``, such as other outcomes or what drives them.
    window
        Slice of times, both ends included; None for all times before ``start``.
    special
        Predictors with times of their own, by name: pairs of a column and when it is averaged, a
        slice, one label or a list of labels. For example
        ``{"sales in 1975": ("cigsale", 1975), "beer": ("beer", slice(1984, 1988))}``.

    Raises
    ------
    PanelError
        P050 for no predictor at all, for a name that occurs twice, or for something else than a
        pair in ``special``.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.3, for predictors and for
    combinations of outcomes among them.

    Examples
    --------
    >>> bs.Predictors(["income"], special={"sales 2020": ("sales", 2020)}).columns
    ['income']
    """

    columns: Sequence[str] = ()
    window: slice | None = None
    special: Mapping[str, tuple[str, Any]] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.columns, str):
            object.__setattr__(self, "columns", (self.columns,))
        names = [*self.columns, *(self.special or {})]
        if not names:
            raise PanelError("P050", "bs.Predictors must name at least one column, got none.")
        if twice := [name for name in names if names.count(name) > 1]:
            raise PanelError("P050", f"names of predictors must differ, got {twice[0]!r} twice.")
        for name, pair in (self.special or {}).items():
            if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
                raise PanelError(
                    "P050",
                    f"special must give a column and its times, such as ('cigsale', 1975), got "
                    f"{pair!r} for {name!r}.",
                )

    @property
    def each(self) -> dict[str, tuple[str, Any]]:
        """Return the column and the times of every predictor by name."""
        return {name: (name, self.window) for name in self.columns} | dict(self.special or {})


@final
@dataclass(frozen=True, eq=False)
class PredictorTable:
    """Hold the predictors of all units of a panel.

    Parameters
    ----------
    series
        Dims ``(predictor, time, unit)``; NaN outside of a predictor's times and where it is
        missing.
    """

    series: xr.DataArray

    def __post_init__(self) -> None:
        values = np.array(self.series.to_numpy(), dtype=float)
        values.flags.writeable = False
        coords = {dim: self.series[dim].to_numpy() for dim in ("predictor", "time", "unit")}
        object.__setattr__(self, "series", xr.DataArray(values, dims=tuple(coords), coords=coords))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the predictors."""
        return tuple(self.series["predictor"].values.tolist())

    @cached_property
    def values(self) -> xr.DataArray:
        """Return each predictor's average by unit, dims ``(predictor, unit)``."""
        return self.series.mean("time")

    def of(self, units: Sequence[str]) -> xr.DataArray:
        """Return the averages of these units, dims ``(predictor, unit)``."""
        return self.values.sel(unit=list(units))

    def to_frame(self) -> pd.DataFrame:
        """Return the averages with one row per unit and one column per predictor."""
        values = self.values.transpose("unit", "predictor")
        units, names = (pd.Index(values[dim].to_numpy()) for dim in values.dims)
        return pd.DataFrame(values.to_numpy(), index=units, columns=names)

    @property
    def windows(self) -> dict[str, str]:
        """Return the times of every predictor in words, by name."""
        seen = self.series.notnull().any("unit").to_numpy()
        times = self.series.indexes["time"]
        return {name: _in_words(times[row]) for name, row in zip(self.names, seen, strict=True)}

    def before(self, start: Any) -> "PredictorTable":
        """Return what is known of every unit before an earlier start.

        Predictors that have no time before it for some unit are left out.
        """
        early = self.series.where(self.series["time"] < start)
        known = early.notnull().any("time").all("unit").to_numpy()
        return PredictorTable(early[known])

    def equals(self, other: object) -> bool:
        """Tell whether names, times, units and numbers are the same."""
        return isinstance(other, PredictorTable) and self.series.equals(other.series)


class Setting(NamedTuple):
    """Hold what a panel knows: its units, times before ``start``, start and time zone."""

    treated: tuple[str, ...]
    units: list[str]
    pre: pd.Index
    start: Any
    zone: Zone


def read_predictors(
    data: Any, unit: str, time: str, wanted: Predictors, setting: Setting, notes: list[Remark]
) -> PredictorTable:
    """Read predictors from the frame that the outcomes were read from.

    Parameters
    ----------
    data, unit, time
        The frame, and its columns of units and times.
    wanted
        The predictors.
    setting
        What the panel knows.
    notes
        Gets remarks: P055 for more predictors than donors, P056 for units with fewer times.

    Raises
    ------
    PanelError
        P051 for times from ``start`` on, P052 for a predictor that is constant over units, P053 for
        one that is missing for a unit, P054 for one without any time, and those of reading a
        column.
    """
    from bayes_synth.data.readers import read_long

    if not isinstance(wanted, Predictors):
        raise PanelError("P050", f"predictors must be a bs.Predictors([...]), got {wanted!r}.")
    columns = {column for column, _ in wanted.each.values()}
    read: dict[str, pd.DataFrame] = {
        column: read_long(data, unit=unit, time=time, outcome=column, notes=[])
        for column in sorted(columns)
    }
    frames = {
        name: _during(read[column], when, name, setting)
        for name, (column, when) in wanted.each.items()
    }
    _require_known(frames, notes)
    times = pd.Index(sorted(set().union(*(frame.index for frame in frames.values()))))
    stacked = np.stack([frame.reindex(times).to_numpy(float) for frame in frames.values()])
    coords = {"predictor": list(frames), "time": times.to_numpy(), "unit": setting.units}
    donors = len(setting.units) - len(setting.treated)
    if len(frames) >= donors:
        text = (
            f"{len(frames)} predictors for {donors} donors: weights of so few can hardly match "
            "them all; fit.balance() shows what is matched."
        )
        notes.append(Remark("P055", "noted", text))
    return PredictorTable(xr.DataArray(stacked, dims=tuple(coords), coords=coords))


def _during(table: pd.DataFrame, when: Any, name: str, setting: Setting) -> pd.DataFrame:
    """Return the rows of a column within the predictor's times, for the panel's units."""
    rows = table.loc[_within(table.index, when, setting)].reindex(columns=setting.units)
    late = rows.index[rows.notna().any(axis=1) & (rows.index >= setting.start)]
    if len(late):
        raise PanelError(
            "P051",
            f"predictors must be measured before start={short(setting.start)}, but {name!r} is "
            f"averaged over {listed(map(short, late), 3)} too: treatment may have changed it.\n"
            "  End its window before start.",
        )
    if not rows.notna().any(axis=None):
        raise PanelError(
            "P054",
            f"predictor {name!r} has no number at its times; the column has them from "
            f"{_in_words(table.index[table.notna().any(axis=1)])}.",
        )
    return rows


def _within(times: pd.Index, when: Any, setting: Setting) -> np.ndarray:
    """Return which times a predictor is averaged over."""

    def ends(label: Any) -> Any:
        return time_span(label, times, what="window", zone=setting.zone)

    if when is None:
        return np.asarray(times < setting.start)
    if isinstance(when, slice):
        first = times[0] if when.start is None else ends(when.start).first
        if when.stop is None:
            return np.asarray((times >= first) & (times < setting.start))
        return np.asarray((times >= first) & (times <= ends(when.stop).last))
    labels = when if isinstance(when, (list, tuple)) else [when]
    spans = [ends(label) for label in labels]
    return np.asarray([any(s.first <= time <= s.last for s in spans) for time in times])


def _require_known(frames: Mapping[str, pd.DataFrame], notes: list[Remark]) -> None:
    """Refuse predictors that some unit lacks, or that no units differ in."""
    for name, frame in frames.items():
        counts = frame.notna().sum()
        if lost := [str(label) for label in counts.index[counts == 0]]:
            raise PanelError(
                "P053",
                f"predictor {name!r} is missing for {len(lost)} of {len(counts)} units: "
                f"{listed(lost)}.\n  Leave these units or this predictor out, or choose times at "
                "which it is known.",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            means = np.nanmean(frame.to_numpy(float), axis=0)
        if np.ptp(means) <= ROUNDING * np.abs(means).max():
            raise PanelError(
                "P052",
                f"predictor {name!r} must differ between units, got {means[0]:g} for all: leave "
                "it out.",
            )
        fewer = counts.index[counts < counts.max()]
        if len(fewer):
            text = (
                f"predictor {name!r} is averaged over fewer times for {len(fewer)} units: "
                f"{listed(fewer)}."
            )
            notes.append(Remark("P056", "noted", text))


def _in_words(times: pd.Index) -> str:
    """Write times as their first and last one."""
    if not len(times):
        return "no time"
    first, last = short(times[0]), short(times[-1])
    return first if len(times) == 1 else f"{first} to {last}"
