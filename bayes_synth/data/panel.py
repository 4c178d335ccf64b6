"""Read outcomes of treated and untreated units into a :class:`Panel`, the one front door for data.

Imports the other files of :mod:`bayes_synth.data`, errors and words, and nothing above them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import pandas as pd
import xarray as xr

from bayes_synth.data.abstract_panel import AbstractPanel
from bayes_synth.data.auxiliary import read_auxiliary
from bayes_synth.data.covariates import read_covariates
from bayes_synth.data.missing import Missing
from bayes_synth.data.predictors import Predictors, Setting, read_predictors
from bayes_synth.data.remarks import Remark
from bayes_synth.data.table import NAMES, Design, Names, design_of, remarks_on, warn_about
from bayes_synth.data.validation import require_donors
from bayes_synth.words import texts

__all__ = ["Panel", "from_table"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Panel(AbstractPanel):
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
    auxiliary
        Further outcomes of every unit over all times, which share the weights; None without any.

    Raises
    ------
    PanelError
        P014 for other dims, P021 for labels that are not sorted or occur twice, P025 for outcomes
        that are missing or not finite.
    DesignError
        D004 with fewer than three pre-periods that have an outcome, D006 with no such post-period,
        D007 for a treated unit that is not in the data, D068 for one that is named twice, D014
        without donors, V004 for a treated series that is constant before ``start``.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 3.1 and 6.

    Examples
    --------
    >>> panel = bs.Panel.from_long(
    ...     df, unit="state", time="year", outcome="sales", treated="treated", start=2030
    ... )
    >>> panel.donors
    ('donor_00', 'donor_01', 'donor_02', 'donor_03', 'donor_04', 'donor_05')
    >>> len(panel.pre), len(panel.post)
    (30, 8)
    """

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
        auxiliary: str | Sequence[str] | None = None,
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
        auxiliary
            Further outcomes that the same weights should explain before ``start``, each with noise
            and an effect of its own, such as ``["visits", "orders"]``; known for every unit at
            every time.

        Raises
        ------
        PanelError
            When the rows do not form a complete panel of numbers; P050 to P054 for predictors,
            P060 to P065 for covariates, P090 to P094 for auxiliary outcomes.
        DesignError
            When treated units, donors or start do not form a design.
        OptionError
            O001 for an unknown rule in ``missing``.

        Examples
        --------
        >>> panel = bs.Panel.from_long(
        ...     df, unit="state", time="year", outcome="sales", treated="treated", start=2030
        ... )
        >>> panel.treated, int(panel.start)
        (('treated',), 2030)
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
        if auxiliary is not None:
            design = Design(panel.outcomes, panel.treated, panel.start)
            columns = str(unit), str(time), str(outcome)
            others = read_auxiliary(data, columns, auxiliary, design)
            panel = replace(panel, auxiliary=others)
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

        Examples
        --------
        >>> bs.Panel.from_wide(wide, treated="treated", start=2030).donors[:2]
        ('donor_00', 'donor_01')
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

        Examples
        --------
        >>> array = panel.outcomes
        >>> bs.Panel.from_xarray(array, treated="treated", start=2030).start
        2030
        """
        from bayes_synth.data.readers import read_xarray

        notes: list[Remark] = []
        table = read_xarray(data, unit=unit, time=time, outcome=outcome, notes=notes)
        own = data.name if isinstance(data, xr.DataArray) else next(iter(data.data_vars))
        names = Names(unit, time, str(outcome or own or "outcome"))
        return from_table(table, treated, start, names, missing=missing, notes=notes)


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
