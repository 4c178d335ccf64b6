"""Hold the outcomes of several treated units, each with a start of its own, and of their donors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import pandas as pd
import xarray as xr

from bayes_synth.data.abstract_study import AbstractStudy
from bayes_synth.data.missing import Missing, complete
from bayes_synth.data.panel import Panel
from bayes_synth.data.readers import read_long, read_wide, read_xarray
from bayes_synth.data.remarks import Remark, skipped
from bayes_synth.data.table import Names, remarks_on, warn_about
from bayes_synth.data.times import NO_ZONE, Zone
from bayes_synth.data.validation import locked, require_numbers, require_treated
from bayes_synth.errors import DesignError
from bayes_synth.sampling.settings import require_count
from bayes_synth.study.pools import pools_of, require_pools
from bayes_synth.study.starts import first_periods, named_starts, starts_in_column
from bayes_synth.words import card, html_card, listed, public, short, span, texts

__all__ = ["PER_MEMBER", "AbstractStudyData"]

PER_MEMBER = 4
"""Donors that there must be per member of a placebo set, so that enough of them are left."""

Starts = Mapping[Any, Any] | str
Pools = Mapping[Any, Sequence[Any]] | None


@dataclass(frozen=True, eq=False, repr=False)
class AbstractStudyData[Joint](AbstractStudy[Joint]):
    """Hold outcomes, starts and donors; see :class:`bayes_synth.Study`.

    Parameters
    ----------
    outcomes
        Dims ``(time, unit)``, finite numbers, sorted along both. Outcomes of treated units may be
        missing (NaN).
    starts
        First treated period by unit. Units without a start are donors: they are never treated.
    pools
        Donors by treated unit, where these are not all donors.
    ends
        First period that is left out, by unit; :meth:`backdate` sets it to the real start.
    unit, time, outcome
        Names that the user gave them; used as axis labels.
    remarks
        Notes and warnings from when the data were read; see :attr:`report`.
    zone
        Time zone of the data, as in :class:`bayes_synth.Panel`.

    Raises
    ------
    PanelError
        P014 for other dims, P021 for labels that are not sorted, P025 for outcomes of donors that
        are not finite.
    DesignError
        D064 when nobody or everybody is treated, D066 for a treated unit in a pool of donors, and
        what a :class:`bayes_synth.Panel` of one of the units refuses.
    """

    outcomes: xr.DataArray
    starts: Mapping[str, Any]
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ends: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "unit"
    time: str = "time"
    outcome: str = "outcome"
    remarks: tuple[Remark, ...] = ()
    zone: Zone = NO_ZONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", named_starts(self.starts))
        units = [str(label) for label in self.outcomes["unit"].values]
        require_treated(self.treated, units)
        require_numbers(self.outcomes, self.treated)
        object.__setattr__(self, "outcomes", locked(self.outcomes))
        require_pools(self.pools, self.treated, self.donors)
        _ = self.panels

    @classmethod
    def from_long(
        cls,
        data: Any,
        *,
        unit: str,
        time: str,
        outcome: str,
        starts: Starts,
        donors: Pools = None,
        missing: Missing = "error",
    ) -> Self:
        """Read a study from one row per unit and time (pandas, polars or pyarrow).

        Parameters
        ----------
        data
            The frame; other columns are ignored.
        unit, time, outcome
            Column names, as in :meth:`bayes_synth.Panel.from_long`.
        starts
            First treated period by unit, such as ``{"CA": 1976, "NY": 1967}``, or the name of a
            column that is 0 before a unit's treatment and 1 from its start on. All other units are
            donors.
        donors
            Donors by treated unit, where these are not all untreated units.
        missing
            As in :meth:`bayes_synth.Panel.from_long`.

        Raises
        ------
        PanelError
            When the rows do not form a complete panel of numbers.
        DesignError
            D060 for units treated from the first period on, D061 for fewer than three pre-periods,
            D062 for a treatment that switches off, D063 for a column with other values, D064 when
            nobody or everybody is treated, D066 for a pool with a treated unit, D067 for starts
            outside of the data, D068 for one label twice, D069 for starts of another type.
        OptionError
            O001 for an unknown rule in ``missing``.

        Examples
        --------
        >>> columns = {"unit": "state", "time": "year", "outcome": "sales"}
        >>> bs.Study.from_long(
        ...     df, **columns, starts={"treated": 2030, "donor_00": 2032}
        ... ).treated
        ('donor_00', 'treated')
        """
        notes: list[Remark] = []
        table = read_long(data, unit=unit, time=time, outcome=outcome, notes=notes)
        named = (
            starts_in_column(data, starts, unit=unit, time=time)
            if isinstance(starts, str)
            else named_starts(starts)
        )
        names = Names(str(unit), str(time), str(outcome))
        return cls._from_table(table, named, donors, names, missing, notes)

    @classmethod
    def from_wide(
        cls,
        data: Any,
        *,
        starts: Mapping[Any, Any],
        time: str | None = None,
        outcome: str = "outcome",
        donors: Pools = None,
        missing: Missing = "error",
    ) -> Self:
        """Read a study from one column per unit (pandas, polars or pyarrow).

        Parameters
        ----------
        data, time, outcome
            As in :meth:`bayes_synth.Panel.from_wide`.
        starts
            First treated period by unit.
        donors, missing
            As in :meth:`from_long`.

        Raises
        ------
        PanelError, DesignError, OptionError
            As in :meth:`from_long`.

        Examples
        --------
        >>> bs.Study.from_wide(wide, starts={"treated": 2030, "donor_00": 2032}).donors
        ('donor_01', 'donor_02', 'donor_03', 'donor_04', 'donor_05')
        """
        notes: list[Remark] = []
        table = read_wide(data, time=time, notes=notes)
        names = Names(time="time" if time is None else str(time), outcome=outcome)
        return cls._from_table(table, named_starts(starts), donors, names, missing, notes)

    @classmethod
    def from_xarray(
        cls,
        data: xr.DataArray | xr.Dataset,
        *,
        starts: Mapping[Any, Any],
        unit: str = "unit",
        time: str = "time",
        outcome: str | None = None,
        donors: Pools = None,
        missing: Missing = "error",
    ) -> Self:
        """Read a study from a labelled array of xarray.

        Parameters
        ----------
        data, unit, time, outcome
            As in :meth:`bayes_synth.Panel.from_xarray`.
        starts
            First treated period by unit.
        donors, missing
            As in :meth:`from_long`.

        Raises
        ------
        PanelError, DesignError, OptionError
            As in :meth:`from_long`.

        Examples
        --------
        >>> bs.Study.from_xarray(
        ...     panel.outcomes, starts={"treated": 2030, "donor_00": 2032}
        ... ).treated
        ('donor_00', 'treated')
        """
        notes: list[Remark] = []
        table = read_xarray(data, unit=unit, time=time, outcome=outcome, notes=notes)
        own = data.name if isinstance(data, xr.DataArray) else next(iter(data.data_vars))
        names = Names(unit, time, str(outcome or own or "outcome"))
        return cls._from_table(table, named_starts(starts), donors, names, missing, notes)

    @classmethod
    def _from_table(
        cls,
        table: pd.DataFrame,
        starts: Mapping[str, Any],
        donors: Pools,
        names: Names,
        missing: str,
        notes: list[Remark],
    ) -> Self:
        chosen = tuple(starts)
        table.index.name, table.columns.name = "time", "unit"
        require_treated(chosen, [str(label) for label in table.columns])
        zone = table.attrs.get("zone", NO_ZONE)
        table = complete(table, missing, chosen, notes)
        notes += skipped(zone.instants(pd.Index(table.index)))
        first = first_periods(starts, table, zone, notes)
        untreated = [str(label) for label in table.columns if label not in first]
        study = cls(
            xr.DataArray(table, dims=("time", "unit")),
            first,
            pools_of(donors, chosen, untreated),
            unit=names.unit,
            time=names.time,
            outcome=names.outcome,
            zone=zone,
        )
        notes += [*_remarks_by_unit(study), *_few_donors(study)]
        warn_about(_first_of_each(notes))
        return replace(study, remarks=tuple(notes))

    @property
    def treated(self) -> tuple[str, ...]:
        """Return the labels of the treated units, sorted.

        Examples
        --------
        >>> study.treated
        ('u00', 'u01')
        """
        return tuple(self.starts)

    @property
    def donors(self) -> tuple[str, ...]:
        """Return the labels of the units that are never treated, sorted.

        Examples
        --------
        >>> study.donors[:2]
        ('u02', 'u03')
        """
        units = self.outcomes["unit"].values.tolist()
        return tuple(label for label in units if label not in self.starts)

    @property
    def times(self) -> pd.Index:
        """Return all times, sorted.

        Examples
        --------
        >>> study.times[[0, -1]].tolist()
        [2000, 2019]
        """
        times: pd.Index = self.outcomes.indexes["time"].rename(self.time)
        return times

    @cached_property
    def panels(self) -> dict[str, Panel]:
        """Return the panel of each treated unit: its own start, and donors that are never treated.

        Everything that exists for a panel works on each.

        Examples
        --------
        >>> study.panels["u01"].treated
        ('u01',)
        """
        return {unit: self._panel(unit) for unit in self.starts}

    def pool(self, unit: str) -> tuple[str, ...]:
        """Return the donors of one treated unit.

        Parameters
        ----------
        unit
            Its label.
        """
        return self.pools.get(unit, self.donors)

    @property
    def report(self) -> pd.DataFrame:
        """List what was dropped, sorted or converted, or looked odd, when the data were read.

        Returns
        -------
        pandas.DataFrame
            Columns ``code``, ``kind`` and ``remark``, as :attr:`bayes_synth.Panel.report`; remarks
            on one treated unit begin with its label.

        Examples
        --------
        >>> study.report.columns.tolist()
        ['code', 'kind', 'remark']
        """
        return pd.DataFrame(list(self.remarks), columns=["code", "kind", "remark"])

    def keep(self, units: str | Sequence[str]) -> Self:
        """Return the study of these treated units only, with all donors.

        Parameters
        ----------
        units
            Labels of treated units.

        Raises
        ------
        DesignError
            D070 for a label that is not a treated unit's.

        Examples
        --------
        >>> study.keep(["u01"]).treated
        ('u01',)
        """
        kept = texts(units)
        self.require_treated(kept)
        return self._without([unit for unit in self.starts if unit not in kept])

    def drop(self, units: str | Sequence[str]) -> Self:
        """Return the study without these units, treated ones or donors.

        Parameters
        ----------
        units
            Labels of units.

        Raises
        ------
        DesignError
            D007 for a label that is not in the data, D064 when no treated unit or no donor is left.

        Examples
        --------
        >>> len(study.donors), len(study.drop(["u05"]).donors)
        (12, 11)
        """
        dropped = texts(units)
        require_treated(dropped, [str(label) for label in self.outcomes["unit"].values])
        return self._without(dropped)

    def backdate(self, by: int) -> Self:
        """Make a placebo in time: every unit starts so many periods earlier, untreated until then.

        The periods from each unit's real start on are left out.

        Parameters
        ----------
        by
            Number of periods.

        Raises
        ------
        OptionError
            O010 unless ``by`` is a whole number of at least 1.
        DesignError
            D071 when it leaves a unit with fewer than three pre-periods.

        Examples
        --------
        >>> int(study.starts["u00"]), int(study.backdate(by=2).starts["u00"])
        (2012, 2010)
        """
        require_count("by", by, 1)
        times = self.times
        places = {u: int((times < start).sum()) - by for u, start in self.starts.items()}
        few = [unit for unit, place in places.items() if place < 3]
        if few:
            raise DesignError(
                "D071",
                f"three pre-periods must be left before the earlier start, got fewer for "
                f"{listed(few)} with by={by}; pass a smaller number, or drop these units.",
            )
        earlier = {unit: times[place] for unit, place in places.items()}
        return replace(self, starts=earlier, ends=dict(self.starts))

    @property
    def facts(self) -> dict[str, str]:
        """Put the study in words: treated units, starts, donors, periods, outcome."""
        counts = pd.Series(list(self.starts.values())).value_counts().sort_index()
        starts = listed((f"{short(start)} ({n})" for start, n in counts.items()), 8)
        pools = "; pools of their own for " + listed(self.pools, 3) if self.pools else ""
        many = len(self.starts)
        return {
            "treated": f"{many}: {listed(self.starts, 8)}",
            "starts": f"{len(counts)}: {starts}",
            "donors": f"{len(self.donors)}: {listed(self.donors, 4)}{pools}",
            "times": span(self.times),
            "outcome": self.outcome,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractStudyData):
            return NotImplemented
        names = ("starts", "pools", "ends", "unit", "time", "outcome", "zone")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and self.outcomes.equals(other.outcomes)

    __hash__ = None  # type: ignore[assignment]

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return card("Study", self.facts)

    def _repr_html_(self) -> str:
        return html_card("Study", self.facts)

    def _panel(self, unit: str) -> Panel:
        times = self.times
        kept = times[times < self.ends[unit]] if unit in self.ends else times
        units = sorted([unit, *self.pool(unit)])
        names = (self.unit, self.time, self.outcome)
        outcomes = self.outcomes.sel(time=kept.to_numpy(), unit=units)
        try:
            return Panel(outcomes, (unit,), self.starts[unit], *names, zone=self.zone)
        except DesignError as error:
            text = str(error).removeprefix(f"[{error.code}] ")
            raise DesignError(error.code, f"the treated unit {unit!r}: {text}") from error

    def require_treated(self, labels: Sequence[str]) -> None:
        """Refuse labels that are not those of treated units.

        Parameters
        ----------
        labels
            Labels as text.

        Raises
        ------
        DesignError
            D070.
        """
        unknown = [label for label in labels if label not in self.starts]
        if unknown:
            raise DesignError(
                "D070",
                f"units must be treated units of this study ({listed(self.starts)}), got "
                f"{listed(unknown)}; to leave donors out, use drop.",
            )

    def _without(self, dropped: Sequence[str]) -> Self:
        units = [label for label in self.outcomes["unit"].values.tolist() if label not in dropped]
        starts = {unit: start for unit, start in self.starts.items() if unit not in dropped}
        pools = {
            unit: tuple(label for label in pool if label not in dropped)
            for unit, pool in self.pools.items()
            if unit in starts
        }
        ends = {unit: end for unit, end in self.ends.items() if unit in starts}
        outcomes = self.outcomes.sel(unit=units)
        return replace(self, outcomes=outcomes, starts=starts, pools=pools, ends=ends)


def _remarks_by_unit(study: AbstractStudyData[Any]) -> list[Remark]:
    """Remark on every treated unit beside its donors; what concerns donors alone is said once."""
    said: dict[Remark, list[str]] = {}
    for unit, panel in study.panels.items():
        donors = pd.DataFrame(panel.donor_outcomes.to_pandas())
        for remark in remarks_on(panel.treated_outcome.to_series(), donors, len(panel.pre)):
            said.setdefault(remark, []).append(unit)
    return [
        Remark(code, kind, f"{listed(units, 3)}: {text}")
        for (code, kind, text), units in said.items()
    ]


def _few_donors(study: AbstractStudyData[Any]) -> list[Remark]:
    """Warn about donors that are too few for sets of two."""
    donors, units = len(study.donors), len(study.treated)
    if units == 1 or donors >= 2 * PER_MEMBER:
        return []
    text = (
        f"{donors} donors are too few for placebo sets of several: {PER_MEMBER} per member are "
        "needed. Intervals are calibrated on one donor at a time, so nothing tests how the errors "
        "of units go together."
    )
    return [Remark("D065", "warned", text)]


def _first_of_each(notes: Sequence[Remark]) -> list[Remark]:
    """Keep one warning of each code, which says how many more of its kind the report has."""
    warned = [note for note in notes if note[1] == "warned"]
    firsts = {note[0]: note for note in reversed(warned)}
    counts = {code: sum(note[0] == code for note in warned) - 1 for code in firsts}
    return [
        Remark(
            code, kind, f"{text} ({counts[code]} more: see study.report)" if counts[code] else text
        )
        for code, kind, text in reversed(firsts.values())
    ]
