"""Hold outcomes of treated and untreated units in a :class:`Panel`, the one front door for data.

Imports the other files of :mod:`bayes_synth.data`, errors and words, and nothing above them.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import pandas as pd
import xarray as xr

from bayes_synth.data.covariates import CovariateTable, read_covariates
from bayes_synth.data.missing import Missing
from bayes_synth.data.predictors import Predictors, PredictorTable, Setting, read_predictors
from bayes_synth.data.remarks import Remark
from bayes_synth.data.table import NAMES, Design, Names, design_of, facts, remarks_on, warn_about
from bayes_synth.data.times import NO_ZONE, Zone, first_treated
from bayes_synth.data.validation import (
    locked,
    require_as_many,
    require_donors,
    require_numbers,
    require_periods,
    require_treated,
    require_varies,
)
from bayes_synth.errors import deprecated
from bayes_synth.words import listed, public, short, texts

__all__ = ["Panel", "from_table"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Hold the outcomes of treated and untreated units over time, complete and sorted.

    Build one with :meth:`from_long`, :meth:`from_wide` or :meth:`from_xarray`; every method returns
    a new panel, and neither the panel nor the object it came from ever changes.

    Parameters
    ----------
    outcomes
        Dims ``(time, unit)``, finite numbers as the user gave them, sorted along both. Outcomes of
        treated units may be missing (NaN).
    treated
        Labels of the treated units. Several are averaged: their mean is the treated series.
    start
        Label of the first treated period.
    unit, time, outcome
        Names that the user gave them; used as axis labels.
    remarks
        Notes and warnings from when the panel was read; see :attr:`report`.
    zone
        Time zone of the data, in which labels of times that are text are read. Times are what the
        clock shows in it; where that clock goes back within the data, they are in UTC.
    predictors
        Averages of other columns before ``start``, one per unit; None without any.
    covariates
        Further series of every unit over all times, which drive the outcome; None without any.

    Raises
    ------
    PanelError
        P014 for other dims, P021 for labels that are not sorted or occur twice, P025 for outcomes
        that are missing or not finite.
    DesignError
        D004 with fewer than three pre-periods that have an outcome, D006 with no such post-period,
        D007 for a treated unit that is not in the data, D014 without donors, V004 for a treated
        series that is constant before ``start``.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 3.1 and 6.
    """

    outcomes: xr.DataArray
    treated: tuple[str, ...]
    start: Any
    unit: str = "unit"
    time: str = "time"
    outcome: str = "outcome"
    remarks: tuple[Remark, ...] = ()
    zone: Zone = NO_ZONE
    predictors: PredictorTable | None = None
    covariates: CovariateTable | None = None

    def __post_init__(self) -> None:
        require_numbers(self.outcomes, self.treated)
        object.__setattr__(self, "outcomes", locked(self.outcomes))
        require_treated(self.treated, self.outcomes["unit"].values.tolist())
        seen = self.times.difference(self.missing_times)
        require_periods(
            len(self.donors),
            int((seen < self.start).sum()),
            int((seen >= self.start).sum()),
            self.start,
        )
        require_varies(self.treated_outcome.sel(time=seen[seen < self.start].to_numpy()).to_numpy())

    @classmethod
    def from_long(
        cls,
        data: Any,
        *,
        unit: str,
        time: str,
        outcome: str,
        treated: str | Sequence[Any],
        start: Any,
        missing: Missing = "error",
        predictors: Predictors | None = None,
        covariates: str | Sequence[str] | None = None,
    ) -> "Panel":
        """Read a panel from one row per unit and time (pandas, polars or pyarrow).

        Parameters
        ----------
        data
            The frame; other columns are ignored. Levels of a pandas index count as columns.
        unit, time, outcome
            Column names. Times are integers, dates or text in ISO, also ``"2024-04"``,
            ``"2024Q2"`` and ``"2024-W05"``. Dates with a time zone are kept as its clock shows
            them.
        treated
            One label, or several units treated at the same time. Their mean is what is fitted, so
            averages are per unit; a total is summed over periods and treated units.
        start
            Label of the first treated period, of the same type as the times. Text is a date in
            ISO, in the time zone of the data; a timestamp with a zone of its own is converted.
        missing
            What to do about missing outcomes: raise an ``"error"``, ``"drop_donors"`` or
            ``"drop_times"`` with any, or ``"model"`` them: donors with missing outcomes are
            dropped, while the treated unit's stay missing. Its missing pre-periods then drop out
            of the likelihood, exactly, and its missing post-periods out of the effect. A warning
            and :attr:`report` say what was dropped or is missing; nothing is ever filled.
        predictors
            Further columns whose averages before ``start`` the panel carries, such as
            ``bs.Predictors(["income", "beer"], window=slice(1980, 1988))``.
        covariates
            Further columns that drive the outcome and are known for every unit at every time, also
            from ``start`` on, such as ``["price", "temperature"]``. Treatment must not touch them:
            what it changes through them would be taken for part of the counterfactual.

        Raises
        ------
        PanelError
            When the rows do not form a complete panel of numbers; P050 to P054 for predictors,
            P060 to P065 for covariates.
        DesignError
            When treated units, donors or start do not form a design.
        OptionError
            O001 for an unknown rule in ``missing``.
        """
        from bayes_synth.data.readers import read_long, require_no_indicator

        require_no_indicator(data, treated, unit, time)
        notes: list[Remark] = []
        table = read_long(data, unit=unit, time=time, outcome=outcome, notes=notes)
        names = Names(str(unit), str(time), str(outcome))
        panel = from_table(table, treated, start, names, missing=missing, notes=notes)
        if covariates is not None:
            columns = str(unit), str(time), str(outcome)
            known = read_covariates(data, columns, covariates, panel.outcomes, panel.start)
            panel = replace(panel, covariates=known)
        if predictors is None:
            return panel
        units, more = panel.outcomes["unit"].values.tolist(), list(panel.remarks)
        setting = Setting(panel.treated, units, panel.pre, panel.start, panel.zone)
        found = read_predictors(data, unit, time, predictors, setting, more)
        return replace(panel, predictors=found, remarks=tuple(more))

    @classmethod
    def from_wide(
        cls,
        data: Any,
        *,
        treated: str | Sequence[Any],
        start: Any,
        time: str | None = None,
        outcome: str = "outcome",
        missing: Missing = "error",
        donors: str | Sequence[Any] | None = None,
    ) -> "Panel":
        """Read a panel from one column per unit (pandas, polars or pyarrow).

        Parameters
        ----------
        data
            The frame. With pandas the index holds the times unless ``time`` names a column.
        treated, start
            As in :meth:`from_long`.
        time
            The column of times; required for frames without an index (polars, pyarrow).
        outcome
            Name of the outcome, for axis labels.
        missing
            As in :meth:`from_long`.
        donors
            The columns that are donors; every other column but the treated ones is ignored. None
            for all of them.

        Raises
        ------
        PanelError, DesignError
            As in :meth:`from_long`; D008 for a treated unit among ``donors``, D009 for one that is
            no column.
        """
        from bayes_synth.data.readers import read_wide

        notes: list[Remark] = []
        table = read_wide(data, time=time, notes=notes, choose=partial(_chosen, treated, donors))
        names = Names(time="time" if time is None else str(time), outcome=outcome)
        return from_table(table, treated, start, names, missing=missing, notes=notes)

    @classmethod
    def from_xarray(
        cls,
        data: xr.DataArray | xr.Dataset,
        *,
        treated: str | Sequence[Any],
        start: Any,
        unit: str = "unit",
        time: str = "time",
        outcome: str | None = None,
        missing: Missing = "error",
    ) -> "Panel":
        """Read a panel from a labelled array of xarray.

        Parameters
        ----------
        data
            An array with the two dimensions, or a dataset that holds one.
        treated, start
            As in :meth:`from_long`.
        unit, time
            Names of the dimensions.
        outcome
            The variable, when ``data`` is a dataset with several.
        missing
            As in :meth:`from_long`.

        Raises
        ------
        PanelError, DesignError
            As in :meth:`from_long`.
        """
        from bayes_synth.data.readers import read_xarray

        notes: list[Remark] = []
        table = read_xarray(data, unit=unit, time=time, outcome=outcome, notes=notes)
        own = data.name if isinstance(data, xr.DataArray) else next(iter(data.data_vars))
        names = Names(unit, time, str(outcome or own or "outcome"))
        return from_table(table, treated, start, names, missing=missing, notes=notes)

    @property
    def donors(self) -> tuple[str, ...]:
        """Return the labels of the untreated units, sorted."""
        treated = set(self.treated)
        units = self.outcomes["unit"].values.tolist()
        return tuple(label for label in units if label not in treated)

    @property
    def treated_name(self) -> str:
        """Name the treated unit in words, or the mean of several."""
        several = len(self.treated) > 1
        return f"the mean of {listed(self.treated, 3)}" if several else self.treated[0]

    @property
    def times(self) -> pd.Index:
        """Return all times, sorted."""
        times: pd.Index = self.outcomes.indexes["time"].rename(self.time)
        return times

    @property
    def pre(self) -> pd.Index:
        """Return the times before ``start``."""
        before: pd.Index = self.times[self.times < self.start]
        return before

    @property
    def post(self) -> pd.Index:
        """Return the times from ``start`` on."""
        after: pd.Index = self.times[self.times >= self.start]
        return after

    @property
    def missing_times(self) -> pd.Index:
        """Return the times without a treated outcome.

        The mean of several treated units needs an outcome of each.
        """
        return self.times[self.treated_outcome.isnull().to_numpy()]

    @property
    def gaps(self) -> pd.Index:
        """Return the missing times; deprecated, use :attr:`missing_times`."""
        deprecated("Panel.gaps", "Panel.missing_times")
        return self.missing_times

    @property
    def report(self) -> pd.DataFrame:
        """List what was dropped, sorted or converted, or looked odd, when the panel was read.

        Returns
        -------
        pandas.DataFrame
            Columns ``code``, ``kind`` (``"warned"`` or ``"noted"``) and ``remark``; empty for a
            panel without any, and for one that was built directly or loaded with a fit. The page
            *Errors* explains the codes.
        """
        return pd.DataFrame(list(self.remarks), columns=["code", "kind", "remark"])

    @property
    def treated_outcome(self) -> xr.DataArray:
        """Return the treated series, dims ``(time,)``: the mean when several units are treated."""
        treated = self.outcomes.sel(unit=list(self.treated))
        return treated.mean("unit", skipna=False).rename(self.outcome)

    @property
    def donor_outcomes(self) -> xr.DataArray:
        """Return the donors' series, dims ``(time, donor)``."""
        return self.outcomes.sel(unit=list(self.donors)).rename(unit="donor").rename(self.outcome)

    def drop(self, donors: str | Sequence[str]) -> "Panel":
        """Return the panel without these donors.

        Raises
        ------
        DesignError
            D008 for a treated unit, D009 for an unknown label, D014 when no donor would be left.
        """
        dropped = set(self._known_donors(donors))
        return self._with_donors([label for label in self.donors if label not in dropped])

    def keep(self, donors: str | Sequence[str]) -> "Panel":
        """Return the panel with these donors only.

        Raises
        ------
        DesignError
            D008 for a treated unit, D009 for an unknown label, D014 when no donor would be left.
        """
        return self._with_donors(self._known_donors(donors))

    def as_if_treated(self, donor: str | Sequence[str]) -> "Panel":
        """Make a placebo in space: treat this donor, and leave the real treated units out.

        Times that are missing for the treated units are removed for the donor too, so that the
        placebo is fitted to the same periods.

        Parameters
        ----------
        donor
            One donor, or as many as there are treated units: a mean of three units needs a mean of
            three donors as its placebo.

        Raises
        ------
        DesignError
            D008 for a treated unit, D009 for an unknown label, D024 for another number of donors
            than treated units, D014 when no donor would be left.

        References
        ----------
        Abadie, Diamond and Hainmueller (2010), section 2.4.
        """
        chosen = tuple(sorted(self._known_donors(donor)))
        require_as_many(chosen, self.treated)
        units = self.outcomes.sel(unit=list(self.donors))
        hidden = units["unit"].isin(chosen) & units["time"].isin(self.missing_times)
        return replace(self, outcomes=locked(units.where(~hidden)), treated=chosen)

    def backdate(self, start: Any) -> "Panel":
        """Make a placebo in time: treat from ``start`` on, and leave the real post-period out.

        ``start`` is a label of the pre-period; text is a date in ISO, in the time zone of the data.
        Predictors are averaged over what of their times lies before it; those without such a time
        are left out, as are covariates that do not change before it, and :attr:`report` says so.

        Raises
        ------
        DesignError
            D001 for a label of another kind, D002 unless ``start`` lies in the pre-period, D004
            when it leaves too few pre-periods.

        References
        ----------
        Abadie (2021), section 7.
        """
        earlier = first_treated(start, self.pre, self.zone)
        outcomes = locked(self.outcomes.sel(time=self.pre.to_numpy()))
        predictors, covariates, notes = self.predictors, self.covariates, []
        if self.predictors is not None:
            predictors = self.predictors.before(earlier)
            lost = _lost(self.predictors, predictors)
            text = f"no time before {short(earlier)}, so left out of the predictors: {lost}."
            notes += [Remark("P058", "noted", text)] if lost else []
        if self.covariates is not None:
            covariates = self.covariates.at(self.pre, earlier)
            lost = _lost(self.covariates, covariates)
            still = f"no change before {short(earlier)}, so left out of the covariates: {lost}."
            notes += [Remark("P066", "noted", still)] if lost else []
        return replace(
            self,
            outcomes=outcomes,
            start=earlier,
            predictors=predictors,
            covariates=covariates,
            remarks=(*self.remarks, *notes),
        )

    def _known_donors(self, donors: str | Sequence[str]) -> list[str]:
        """Return donors' labels as text; refuse treated units and labels of no donor."""
        labels = texts(donors)
        require_donors(labels, self.treated, self.donors)
        return labels

    def _with_donors(self, donors: Sequence[str]) -> "Panel":
        units = sorted({*donors, *self.treated})
        return replace(self, outcomes=locked(self.outcomes.sel(unit=units)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Panel):
            return NotImplemented
        names = ("treated", "start", "unit", "time", "outcome", "zone")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        units = self.outcomes["unit"].values.tolist()
        return (
            same
            and self.outcomes.equals(other.outcomes)
            and _alike(self.predictors, other.predictors, units)
            and _alike(self.covariates, other.covariates, units)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def facts(self) -> dict[str, str]:
        """Put the panel in words: treated units, start, donors, periods, outcome, missing times."""
        design = Design(self.outcomes.rename(self.outcome), self.treated, self.start)
        words = facts(design, self.donors, (self.pre, self.post), self.missing_times)
        if self.predictors is not None:
            windows = (f"{name} ({when})" for name, when in self.predictors.windows.items())
            words["predictors"] = f"{len(self.predictors.names)}: {listed(windows, 4)}"
        if self.covariates is not None:
            names = self.covariates.names
            words["covariates"] = f"{len(names)}: {listed(names, 4)}" if names else "0"
        return words

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        rows = (f"  {name:<8} {text}" for name, text in self.facts.items())
        return "\n".join(["Panel", *rows])

    def _repr_html_(self) -> str:
        cell = "<tr><th style='text-align:left'>{}</th><td style='text-align:left'>{}</td></tr>"
        rows = "".join(cell.format(html.escape(n), html.escape(t)) for n, t in self.facts.items())
        return f"<strong>Panel</strong><table>{rows}</table>"


def _lost(before: PredictorTable | CovariateTable, after: PredictorTable | CovariateTable) -> str:
    """List the names that are left out."""
    lost = [name for name in before.names if name not in after.names]
    return listed(lost) if lost else ""


def _alike(
    one: PredictorTable | CovariateTable | None,
    other: PredictorTable | CovariateTable | None,
    units: list[str],
) -> bool:
    """Tell whether two tables hold the same of these units."""
    if one is None or other is None:
        return one is other
    return one.series.sel(unit=units).equals(other.series.sel(unit=units))


def _chosen(treated: Any, donors: Any, columns: list[str]) -> list[str]:
    """Return the columns that are treated or named as donors; all of them when none is named."""
    if donors is None:
        return columns
    wanted, mine = texts(donors), texts(treated)
    require_donors(wanted, mine, [label for label in columns if label not in mine])
    return [*wanted, *mine]


def from_table(
    table: pd.DataFrame,
    treated: Any,
    start: Any,
    names: Names = NAMES,
    *,
    missing: str = "error",
    notes: list[Remark],
    quiet: bool = False,
) -> Panel:
    """Make a panel of a table of sorted times and units; warn about its remarks unless ``quiet``.

    ``notes`` are the reader's remarks, to which the panel's are added; all else, and the errors, as
    in :meth:`Panel.from_long`.
    """
    design = design_of(table, treated, start, missing, notes)
    outcomes, chosen, first, zone = design
    panel = Panel(outcomes, chosen, first, names.unit, names.time, names.outcome, zone=zone)
    notes += remarks_on(
        panel.treated_outcome.to_series(),
        table[list(panel.donors)].loc[panel.times],
        len(panel.pre),
    )
    if not quiet:
        warn_about(notes)
    return replace(panel, remarks=tuple(notes))
