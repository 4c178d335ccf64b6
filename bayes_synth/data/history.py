"""Hold outcomes before a test: a panel without treated units and without a start.

Tests are planned on it. Its final class, :class:`bayes_synth.History`, knows how.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal, Self, TypedDict

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.labels import near_miss
from bayes_synth.data.missing import Missing, complete
from bayes_synth.data.panel import Panel
from bayes_synth.data.remarks import Remark, skipped
from bayes_synth.data.table import Names, warn_about
from bayes_synth.data.times import NO_ZONE, Zone, time_span
from bayes_synth.data.validation import locked
from bayes_synth.errors import PanelError, PlanError
from bayes_synth.words import card, html_card, listed, public, short, span, texts

__all__ = ["AbstractHistory", "PlanOptions"]


class PlanOptions(TypedDict, total=False):
    """Options of a plan that are rarely changed.

    Parameters
    ----------
    starts
        ``"auto"``: up to seven past starts, evenly spread over the second half of the history. A
        number asks for so many, labels of times for these.
    never_donors
        Units that shall not serve as donors, such as neighbours into which the treatment may spill.
    additive
        Whether effects are in outcome units per period and treated unit instead of fractions.
    draws, tune, chains, sampler, cores
        As in :meth:`bayes_synth.SyntheticControl.fit`; by default 500, 500, 2, ``"auto"``, all.
    backend, n_jobs
        Where past starts are refitted, as in :func:`bayes_synth.fit_many`: processes, Dask or Ray.
        None for both, outside of ``joblib.parallel_config(...)``: in threads of this process.
    store
        A folder that keeps the refits of every past start, so that a plan that was interrupted goes
        on from them.
    progressbar
        Whether to show one.
    """

    starts: Literal["auto"] | int | Sequence[Any]
    never_donors: str | Sequence[str]
    additive: bool
    draws: int
    tune: int
    chains: int
    sampler: str
    cores: int | None
    backend: str | None
    n_jobs: int | None
    store: str | PathLike[str] | None
    progressbar: bool


@dataclass(frozen=True, eq=False, repr=False)
class AbstractHistory(ABC):
    """Hold the outcomes of units that nobody has treated; see :class:`bayes_synth.History`."""

    outcomes: xr.DataArray
    unit: str = "unit"
    time: str = "time"
    outcome: str = "outcome"
    remarks: tuple[Remark, ...] = ()
    zone: Zone = NO_ZONE

    def __post_init__(self) -> None:
        if self.outcomes.dims != ("time", "unit"):
            text = f"outcomes must have the dims ('time', 'unit'), got {self.outcomes.dims}."
            raise PanelError("P014", text)
        object.__setattr__(self, "outcomes", locked(self.outcomes))

    @abstractmethod
    def planned(self, model: Any, treated: Any, request: Mapping[str, Any]) -> Any:
        """Plan a test with this model; see :meth:`bayes_synth.SyntheticControl.plan`.

        ``request`` are the other arguments of that method, by name.
        """

    @classmethod
    def from_long(
        cls, data: Any, *, unit: str, time: str, outcome: str, missing: Missing = "error"
    ) -> Self:
        """Read a history from one row per unit and time (pandas, polars or pyarrow).

        Parameters
        ----------
        data, unit, time, outcome
            As in :meth:`bayes_synth.Panel.from_long`.
        missing
            What to do about missing outcomes: raise an ``"error"``, ``"drop_donors"`` (units) or
            ``"drop_times"`` with any, or ``"model"`` them: they stay missing. A unit with missing
            outcomes can then be treated, while it is left out as a donor wherever it has none.

        Raises
        ------
        PanelError
            When the rows do not form a complete table of numbers.
        OptionError
            O001 for an unknown rule in ``missing``.

        Examples
        --------
        >>> history = bs.History.from_long(df, unit="state", time="year", outcome="sales")
        >>> len(history.times)
        38
        """
        from bayes_synth.data.readers import read_long

        notes: list[Remark] = []
        table = read_long(data, unit=unit, time=time, outcome=outcome, notes=notes)
        return cls._of(table, Names(str(unit), str(time), str(outcome)), missing, notes)

    @classmethod
    def from_wide(
        cls,
        data: Any,
        *,
        time: str | None = None,
        outcome: str = "outcome",
        missing: Missing = "error",
    ) -> Self:
        """Read a history from one column per unit; see :meth:`bayes_synth.Panel.from_wide`.

        Parameters
        ----------
        data, time, outcome
            As in :meth:`bayes_synth.Panel.from_wide`.
        missing
            As in :meth:`from_long`.

        Raises
        ------
        PanelError, OptionError
            As in :meth:`from_long`.

        Examples
        --------
        >>> len(bs.History.from_wide(wide).units)
        7
        """
        from bayes_synth.data.readers import read_wide

        notes: list[Remark] = []
        table = read_wide(data, time=time, notes=notes)
        names = Names(time="time" if time is None else str(time), outcome=outcome)
        return cls._of(table, names, missing, notes)

    @classmethod
    def from_xarray(
        cls,
        data: xr.DataArray | xr.Dataset,
        *,
        unit: str = "unit",
        time: str = "time",
        outcome: str | None = None,
        missing: Missing = "error",
    ) -> Self:
        """Read a history from a labelled array of xarray.

        Parameters
        ----------
        data, unit, time, outcome
            As in :meth:`bayes_synth.Panel.from_xarray`.
        missing
            As in :meth:`from_long`.

        Raises
        ------
        PanelError, OptionError
            As in :meth:`from_long`.

        Examples
        --------
        >>> len(bs.History.from_xarray(panel.outcomes).times)
        38
        """
        from bayes_synth.data.readers import read_xarray

        notes: list[Remark] = []
        table = read_xarray(data, unit=unit, time=time, outcome=outcome, notes=notes)
        own = data.name if isinstance(data, xr.DataArray) else next(iter(data.data_vars))
        return cls._of(table, Names(unit, time, str(outcome or own or "outcome")), missing, notes)

    @classmethod
    def _of(cls, table: pd.DataFrame, names: Names, missing: str, notes: list[Remark]) -> Self:
        zone = table.attrs.get("zone", NO_ZONE)
        units = [str(label) for label in table.columns]
        if len(units) < 2:
            raise PanelError("P037", f"the data hold a single unit ({listed(units)}): no donors.")
        table = complete(table, missing, units if missing == "model" else (), notes)
        notes += skipped(zone.instants(pd.Index(table.index)))
        table.index.name, table.columns.name = "time", "unit"
        warn_about(notes)
        outcomes = xr.DataArray(table, dims=("time", "unit"))
        return cls(outcomes, names.unit, names.time, names.outcome, tuple(notes), zone)

    @property
    def units(self) -> tuple[str, ...]:
        """Return the labels of the units, sorted.

        Examples
        --------
        >>> history.units[:2]
        ('u00', 'u01')
        """
        return tuple(self.outcomes["unit"].values.tolist())

    @property
    def times(self) -> pd.Index:
        """Return all times, sorted.

        Examples
        --------
        >>> str(history.times[0].date())
        '2024-01-01'
        """
        times: pd.Index = self.outcomes.indexes["time"].rename(self.time)
        return times

    @property
    def report(self) -> pd.DataFrame:
        """List what was dropped, excluded, sorted or converted, as ``panel.report`` does.

        Examples
        --------
        >>> history.report.columns.tolist()
        ['code', 'kind', 'remark']
        """
        return pd.DataFrame(list(self.remarks), columns=["code", "kind", "remark"])

    def exclude(self, units: str | Sequence[str] | None, window: slice) -> Self:
        """Leave out periods of an earlier test, which are no untreated history.

        Parameters
        ----------
        units
            The units that were treated then. Their outcomes in the window become missing: as
            treated units they are fitted without these periods, and as donors they are left out of
            every panel that holds them. None leaves the times out for all units, as if the
            history went from the last period before to the first one after.
        window
            The periods by label, ends included, such as ``slice("2024-03-01", "2024-03-31")``.

        Returns
        -------
        History
            A new one; :attr:`report` says what was excluded. Nothing is filled.

        Raises
        ------
        PlanError
            H001 for an unknown unit, H002 for a window without a period of this history.
        DesignError
            D001, D011 and D012 for labels that do not fit the time axis.

        Examples
        --------
        >>> history.exclude("u01", slice("2024-01-10", "2024-01-12")).report["remark"].iloc[-1]
        'u01: 2024-01-10 to 2024-01-12 excluded.'
        """
        chosen = self.known(units, "exclude")
        inside = self._inside(window)
        where = f"{short(self.times[inside][0])} to {short(self.times[inside][-1])}"
        who = listed(chosen) if units is not None else "all units"
        note = Remark("H003", "noted", f"{who}: {where} excluded.")
        if units is None:
            outcomes = self.outcomes.isel(time=np.flatnonzero(~inside))
        else:
            hidden = self.outcomes["unit"].isin(chosen) & xr.DataArray(inside, dims="time")
            outcomes = self.outcomes.where(~hidden).transpose("time", "unit")
        return replace(self, outcomes=outcomes, remarks=(*self.remarks, note))

    def known(self, units: Any, option: str) -> tuple[str, ...]:
        """Return labels as sorted text, and refuse those of no unit.

        Parameters
        ----------
        units
            One label, several or None.
        option
            Name of the argument, for the message.

        Raises
        ------
        PlanError
            H001.
        """
        labels = texts(units)
        for label in labels:
            if label not in self.units:
                hint = near_miss(label, self.units)
                raise PlanError(
                    "H001", f"{option} must name units of the history: {label!r}. {hint}"
                )
        return tuple(sorted(labels))

    def panel(
        self, treated: Sequence[str], first: int, periods: int, never: Sequence[str] = ()
    ) -> Panel:
        """Return the panel of a pretend test: a past window treated as if it were the test.

        Parameters
        ----------
        treated
            Labels of the units.
        first, periods
            Position of its start among the times, and its length. Nothing later is seen.
        never
            Units that are no donors. Those with a missing outcome are none either.

        Raises
        ------
        DesignError
            As :class:`bayes_synth.Panel`.
        """
        rows = self.outcomes.isel(time=slice(first + periods))
        whole = rows.notnull().all("time").to_numpy()
        out = {*never} - {*treated}
        chosen = [
            label
            for label, complete_ in zip(self.units, whole, strict=True)
            if label in treated or (complete_ and label not in out)
        ]
        return Panel(
            rows.sel(unit=chosen),
            tuple(sorted(treated)),
            self.times[first],
            self.unit,
            self.time,
            self.outcome,
            zone=self.zone,
        )

    def series(self, units: Sequence[str]) -> np.ndarray:
        """Return the mean of these ``units``, dims ``(time,)``, NaN where one is missing."""
        return self.outcomes.sel(unit=list(units)).mean("unit", skipna=False).to_numpy()

    def _inside(self, window: slice) -> np.ndarray:
        """Tell which times a window holds."""
        inside = np.ones(len(self.times), dtype=bool)
        ends = (window.start, window.stop) if isinstance(window, slice) else (window, window)
        if ends[0] is not None:
            label = time_span(ends[0], self.times, what="window", zone=self.zone).first
            inside &= np.asarray(self.times >= label)
        if ends[1] is not None:
            label = time_span(ends[1], self.times, what="window", zone=self.zone).last
            inside &= np.asarray(self.times <= label)
        if not inside.any():
            where = f"{short(self.times[0])} to {short(self.times[-1])}"
            text = f"the window must hold periods of the history ({where}), got {ends}."
            raise PlanError("H002", text)
        return inside

    @property
    def facts(self) -> dict[str, str]:
        """Put the history in words: units, periods, outcome, missing outcomes."""
        words = {
            "units": f"{len(self.units)}: {listed(self.units, 4)}",
            "history": span(self.times),
            "outcome": self.outcome,
        }
        if count := int(self.outcomes.isnull().sum()):
            words["missing"] = f"{count} outcomes, which nothing fills"
        return words

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractHistory):
            return NotImplemented
        names = ("unit", "time", "outcome", "zone")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and self.outcomes.equals(other.outcomes)

    __hash__ = None  # type: ignore[assignment]

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return card("History", self.facts)

    def _repr_html_(self) -> str:
        return html_card("History", self.facts)
