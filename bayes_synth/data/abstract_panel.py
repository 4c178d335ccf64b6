"""Hold a panel's outcomes, and answer what they are: who, when, what is missing, which placebos.

How they are read is in :mod:`bayes_synth.data.panel`.
"""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pandas as pd
import xarray as xr

from bayes_synth.data.auxiliary import AuxiliaryTable
from bayes_synth.data.covariates import CovariateTable
from bayes_synth.data.predictors import PredictorTable
from bayes_synth.data.remarks import Remark
from bayes_synth.data.table import Design, facts
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
from bayes_synth.words import card, html_card, listed, public, short, texts

__all__ = ["AbstractPanel"]


@dataclass(frozen=True, eq=False, repr=False)
class AbstractPanel(ABC):
    """Hold the outcomes of treated and untreated units; see :class:`bayes_synth.Panel`."""

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
    auxiliary: AuxiliaryTable | None = None

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

    @property
    def donors(self) -> tuple[str, ...]:
        """Return the labels of the untreated units, sorted.

        Examples
        --------
        >>> panel.donors[:2]
        ('donor_00', 'donor_01')
        """
        treated = set(self.treated)
        units = self.outcomes["unit"].values.tolist()
        return tuple(label for label in units if label not in treated)

    @property
    def treated_name(self) -> str:
        """Name the treated unit in words, or the mean of several.

        Examples
        --------
        >>> panel.treated_name
        'treated'
        """
        several = len(self.treated) > 1
        return f"the mean of {listed(self.treated, 3)}" if several else self.treated[0]

    @property
    def times(self) -> pd.Index:
        """Return all times, sorted.

        Examples
        --------
        >>> panel.times[[0, -1]].tolist()
        [2000, 2037]
        """
        times: pd.Index = self.outcomes.indexes["time"].rename(self.time)
        return times

    @property
    def pre(self) -> pd.Index:
        """Return the times before ``start``.

        Examples
        --------
        >>> len(panel.pre)
        30
        """
        before: pd.Index = self.times[self.times < self.start]
        return before

    @property
    def post(self) -> pd.Index:
        """Return the times from ``start`` on.

        Examples
        --------
        >>> int(panel.post[0])
        2030
        """
        after: pd.Index = self.times[self.times >= self.start]
        return after

    @property
    def missing_times(self) -> pd.Index:
        """Return the times without a treated outcome.

        The mean of several treated units needs an outcome of each.

        Examples
        --------
        >>> panel.missing_times.tolist()
        []
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

        Examples
        --------
        >>> panel.report.columns.tolist()
        ['code', 'kind', 'remark']
        """
        return pd.DataFrame(list(self.remarks), columns=["code", "kind", "remark"])

    @property
    def treated_outcome(self) -> xr.DataArray:
        """Return the treated series, dims ``(time,)``: the mean when several units are treated.

        Examples
        --------
        >>> panel.treated_outcome.dims
        ('time',)
        """
        treated = self.outcomes.sel(unit=list(self.treated))
        return treated.mean("unit", skipna=False).rename(self.outcome)

    @property
    def donor_outcomes(self) -> xr.DataArray:
        """Return the donors' series, dims ``(time, donor)``.

        Examples
        --------
        >>> panel.donor_outcomes.sizes["donor"]
        6
        """
        return self.outcomes.sel(unit=list(self.donors)).rename(unit="donor").rename(self.outcome)

    def drop(self, donors: str | Sequence[str]) -> Self:
        """Return the panel without these donors.

        Raises
        ------
        DesignError
            D008 for a treated unit, D009 for an unknown label, D014 when no donor would be left.

        Examples
        --------
        >>> panel.drop(["donor_05"]).donors
        ('donor_00', 'donor_01', 'donor_02', 'donor_03', 'donor_04')
        """
        dropped = set(self._known_donors(donors))
        return self._with_donors([label for label in self.donors if label not in dropped])

    def keep(self, donors: str | Sequence[str]) -> Self:
        """Return the panel with these donors only.

        Raises
        ------
        DesignError
            D008 for a treated unit, D009 for an unknown label, D014 when no donor would be left.

        Examples
        --------
        >>> panel.keep(["donor_00", "donor_01"]).donors
        ('donor_00', 'donor_01')
        """
        return self._with_donors(self._known_donors(donors))

    def as_if_treated(self, donor: str | Sequence[str]) -> Self:
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

        Examples
        --------
        >>> panel.as_if_treated("donor_03").treated
        ('donor_03',)
        """
        chosen = tuple(sorted(self._known_donors(donor)))
        require_as_many(chosen, self.treated)
        units = self.outcomes.sel(unit=list(self.donors))
        hidden = units["unit"].isin(chosen) & units["time"].isin(self.missing_times)
        return replace(self, outcomes=locked(units.where(~hidden)), treated=chosen)

    def backdate(self, start: Any) -> Self:
        """Make a placebo in time: treat from ``start`` on, and leave the real post-period out.

        ``start`` is a label of the pre-period; text is a date in ISO, in the time zone of the data.
        Predictors are averaged over what of their times lies before it; those without such a time
        are left out, as are covariates and auxiliary outcomes that do not change before it, and
        :attr:`report` says so.

        Raises
        ------
        DesignError
            D001 for a label of another kind, D002 unless ``start`` lies in the pre-period, D004
            when it leaves too few pre-periods.

        References
        ----------
        Abadie (2021), section 7.

        Examples
        --------
        >>> int(panel.backdate(2025).start)
        2025
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
        auxiliary, more = self._auxiliary_before(earlier)
        return replace(
            self,
            outcomes=outcomes,
            start=earlier,
            predictors=predictors,
            covariates=covariates,
            auxiliary=auxiliary,
            remarks=(*self.remarks, *notes, *more),
        )

    def _auxiliary_before(self, start: Any) -> tuple[AuxiliaryTable | None, list[Remark]]:
        """Return the auxiliary outcomes of the pre-period for an earlier start, and a remark."""
        if self.auxiliary is None:
            return None, []
        kept = self.auxiliary.at(self.pre, start, self.treated)
        lost = _lost(self.auxiliary, kept)
        text = f"constant before {short(start)}, so left out of the auxiliary outcomes: {lost}."
        return (kept if kept.names else None), [Remark("P095", "noted", text)] if lost else []

    def _known_donors(self, donors: str | Sequence[str]) -> list[str]:
        """Return donors' labels as text; refuse treated units and labels of no donor."""
        labels = texts(donors)
        require_donors(labels, self.treated, self.donors)
        return labels

    def _with_donors(self, donors: Sequence[str]) -> Self:
        units = sorted({*donors, *self.treated})
        return replace(self, outcomes=locked(self.outcomes.sel(unit=units)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractPanel):
            return NotImplemented
        names = ("treated", "start", "unit", "time", "outcome", "zone")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        units = self.outcomes["unit"].values.tolist()
        return (
            same
            and self.outcomes.equals(other.outcomes)
            and _alike(self.predictors, other.predictors, units)
            and _alike(self.covariates, other.covariates, units)
            and _alike(self.auxiliary, other.auxiliary, units)
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
        if self.auxiliary is not None:
            names = self.auxiliary.names
            words["auxiliary outcomes"] = f"{len(names)}: {listed(names, 4)}"
        return words

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return card("Panel", self.facts)

    def _repr_html_(self) -> str:
        return html_card("Panel", self.facts)


Table = PredictorTable | CovariateTable | AuxiliaryTable
"""What a panel may carry beside its outcomes."""


def _lost(before: Table, after: Table) -> str:
    """List the names that are left out."""
    lost = [name for name in before.names if name not in after.names]
    return listed(lost) if lost else ""


def _alike(one: Table | None, other: Table | None, units: list[str]) -> bool:
    """Tell whether two tables hold the same of these units."""
    if one is None or other is None:
        return one is other
    return one.series.sel(unit=units).equals(other.series.sel(unit=units))
