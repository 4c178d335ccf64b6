"""Panel: the one front door for data.

Imports :mod:`bayes_synth.intake` for containers and :mod:`bayes_synth.errors`, nothing above.
"""

import html
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import pandas as pd
import xarray as xr

from bayes_synth.data.missing import Missing, complete, unseen
from bayes_synth.data.readers import first_treated, read_long, read_wide, read_xarray
from bayes_synth.data.remarks import Remark, Table, remarks, skipped
from bayes_synth.data.validation import (
    locked,
    one_start,
    require_numbers,
    require_periods,
    require_treated,
    require_varies,
)
from bayes_synth.errors import DesignError, DesignWarning, PanelError, PanelWarning, warn
from bayes_synth.words import HERE, listed, short, span, suggestion, texts

__all__ = ["Panel", "from_table"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Outcomes of treated and untreated units over time, complete and sorted.

    Build one with :meth:`from_long`, :meth:`from_wide` or :meth:`from_xarray`; every method returns
    a new panel, and neither the panel nor the object it came from ever changes.

    Parameters
    ----------
    outcomes
        Dims ``(time, unit)``, finite numbers, sorted along both, in the user's units. Treated units may lack some (NaN).
    treated
        Labels of the treated units. Several are averaged: their mean is the treated series.
    start
        Label of the first treated period.
    unit, time, outcome
        What the user calls them; used as axis labels.
    remarks
        What was noted or warned about when the panel was read; see :attr:`report`.

    Raises
    ------
    DesignError
        D004 with fewer than three pre-periods that have an outcome, D006 with no such post-period, D007 for a treated
        unit that is not in the data, D014 without donors.

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
    ) -> "Panel":
        """Panel from one row per unit and time (pandas, polars or pyarrow).

        Parameters
        ----------
        data
            The frame; other columns are ignored. Levels of a pandas index count as columns.
        unit, time, outcome
            Column names. Times are integers, dates or ISO text.
        treated
            One label, or several units treated at the same time.
        start
            Label of the first treated period, of the same type as the times.
        missing
            What to do about gaps: ``"error"``, ``"drop_donors"`` that have any, ``"drop_times"`` at which any unit has
            one, or ``"model"``: donors with gaps are dropped, the treated unit's stay. Its missing pre-periods then
            drop out of the likelihood, exactly, and its missing post-periods out of the effect. What was dropped or is
            missing stands in :attr:`report`, with a warning; nothing is ever filled.

        Raises
        ------
        PanelError
            When the rows do not form a complete panel of numbers.
        DesignError
            When treated units, donors or start do not form a design.
        """
        notes: list[Remark] = []
        table = read_long(data, unit=unit, time=time, outcome=outcome, notes=notes)
        return from_table(
            table,
            treated,
            start,
            missing=missing,
            notes=notes,
            unit=unit,
            time=time,
            outcome=outcome,
        )

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
    ) -> "Panel":
        """Panel from one column per unit.

        Parameters
        ----------
        data
            The frame. With pandas the index holds the times unless ``time`` names a column.
        treated, start
            As in :meth:`from_long`.
        time
            The column of times; required for frames without an index (polars, pyarrow).
        outcome
            What the numbers are, for axis labels.
        missing
            As in :meth:`from_long`.

        Raises
        ------
        PanelError, DesignError
            As in :meth:`from_long`.
        """
        notes: list[Remark] = []
        table = read_wide(data, time=time, notes=notes)
        return from_table(
            table,
            treated,
            start,
            missing=missing,
            notes=notes,
            unit="unit",
            time=time or "time",
            outcome=outcome,
        )

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
        """Panel from a labelled array.

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
        notes: list[Remark] = []
        table = read_xarray(data, unit=unit, time=time, outcome=outcome, notes=notes)
        name = (
            outcome
            or (data.name if isinstance(data, xr.DataArray) else next(iter(data.data_vars)))
            or "outcome"
        )
        return from_table(
            table,
            treated,
            start,
            missing=missing,
            notes=notes,
            unit=unit,
            time=time,
            outcome=str(name),
        )

    @property
    def donors(self) -> tuple[str, ...]:
        """Labels of the untreated units, sorted."""
        treated = set(self.treated)
        return tuple(
            label for label in self.outcomes["unit"].values.tolist() if label not in treated
        )

    @property
    def treated_name(self) -> str:
        """The treated unit in words, or the mean of several."""
        return (
            self.treated[0] if len(self.treated) == 1 else f"the mean of {listed(self.treated, 3)}"
        )

    @property
    def times(self) -> pd.Index:
        """All times, sorted."""
        times: pd.Index = self.outcomes.indexes["time"].rename(self.time)
        return times

    @property
    def pre(self) -> pd.Index:
        """Times before ``start``."""
        before: pd.Index = self.times[self.times < self.start]
        return before

    @property
    def post(self) -> pd.Index:
        """Times from ``start`` on."""
        after: pd.Index = self.times[self.times >= self.start]
        return after

    @property
    def missing_times(self) -> pd.Index:
        """Times without a treated outcome; the mean of several treated units needs an outcome of each."""
        return self.times[self.treated_outcome.isnull().to_numpy()]

    @property
    def gaps(self) -> pd.Index:
        """Deprecated: the missing times."""
        text = "Panel.gaps is called Panel.missing_times now; the old name goes with version 0.3."
        warnings.warn(text, DeprecationWarning, stacklevel=2, skip_file_prefixes=HERE)
        return self.missing_times

    @property
    def report(self) -> pd.DataFrame:
        """What was dropped, sorted, converted, or looked odd when the panel was read.

        Returns
        -------
        pandas.DataFrame
            Columns ``code``, ``kind`` (``"warned"`` or ``"noted"``) and ``remark``; empty for a panel without any, and
            for one that was built directly or loaded with a fit. The page *Errors* explains the codes.
        """
        return pd.DataFrame(list(self.remarks), columns=["code", "kind", "remark"])

    @property
    def treated_outcome(self) -> xr.DataArray:
        """The treated series, dims ``(time,)``: the mean when several units are treated."""
        return (
            self.outcomes.sel(unit=list(self.treated))
            .mean("unit", skipna=False)
            .rename(self.outcome)
        )

    @property
    def donor_outcomes(self) -> xr.DataArray:
        """The donors' series, dims ``(time, donor)``."""
        return self.outcomes.sel(unit=list(self.donors)).rename(unit="donor").rename(self.outcome)

    def drop(self, donors: str | Sequence[str]) -> "Panel":
        """The panel without these donors.

        Raises
        ------
        DesignError
            D009 for a label that is no donor, D014 when none would be left.
        """
        gone = set(self._known_donors(donors))
        return self._with_units([label for label in self.donors if label not in gone])

    def keep(self, donors: str | Sequence[str]) -> "Panel":
        """The panel with these donors only.

        Raises
        ------
        DesignError
            D009 for a label that is no donor, D014 when none would be left.
        """
        return self._with_units(self._known_donors(donors))

    def as_if_treated(self, donor: str | Sequence[str]) -> "Panel":
        """A placebo in space: this donor as the treated unit; the real treated units leave.

        Where their series has gaps, the donor's outcomes are left out too: it shall know no more than they do.

        Parameters
        ----------
        donor
            One donor, or as many as there are treated units: a mean of three units needs a mean of
            three donors as its placebo.

        Raises
        ------
        DesignError
            D009 for a label that is no donor, D024 for another number of donors than treated units,
            D014 when no donor would be left.

        References
        ----------
        Abadie, Diamond and Hainmueller (2010), section 2.4.
        """
        chosen = tuple(sorted(self._known_donors(donor)))
        if len(chosen) != len(self.treated):
            raise DesignError(
                "D024",
                f"{len(self.treated)} units are treated and averaged, so a placebo averages as many donors; "
                f"got {len(chosen)}: {listed(chosen)}.",
            )
        units = self.outcomes.sel(unit=list(self.donors))
        hidden = units["unit"].isin(chosen) & units["time"].isin(self.missing_times)
        return replace(self, outcomes=locked(units.where(~hidden)), treated=chosen)

    def backdate(self, start: Any) -> "Panel":
        """A placebo in time: as if treated from ``start`` on; the real treated periods leave.

        Raises
        ------
        DesignError
            D002 unless ``start`` lies in the pre-period, D004 when it leaves too few pre-periods.

        References
        ----------
        Abadie (2021), section 7.
        """
        early = first_treated(start, self.pre)
        return replace(
            self, outcomes=locked(self.outcomes.sel(time=self.pre.to_numpy())), start=early
        )

    def _known_donors(self, donors: str | Sequence[str]) -> list[str]:
        labels = texts(donors)
        for label in labels:
            if label in self.treated:
                raise DesignError("D008", f"{label!r} is treated, so it is no donor.")
            if label not in self.donors:
                raise DesignError(
                    "D009", f"{label!r} is no donor of this panel. {suggestion(label, self.donors)}"
                )
        return labels

    def _with_units(self, donors: Sequence[str]) -> "Panel":
        return replace(
            self, outcomes=locked(self.outcomes.sel(unit=sorted({*donors, *self.treated})))
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Panel):
            return NotImplemented
        names = ("treated", "start", "unit", "time", "outcome")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and self.outcomes.equals(other.outcomes)

    __hash__ = None  # type: ignore[assignment]

    @property
    def facts(self) -> dict[str, str]:
        """The panel in words: treated units, start, donors, periods, outcome and missing times."""
        several = len(self.treated) > 1
        note = (
            f" (mean of {len(self.treated)} units; a placebo is a mean of as many donors)"
            if several
            else ""
        )
        return {
            "treated": listed(self.treated, 3) + note,
            "start": short(self.start),
            "donors": f"{len(self.donors)}: {listed(self.donors, 4)}",
            "pre": span(self.pre),
            "post": span(self.post),
            "outcome": self.outcome,
            **(
                {"missing": f"no treated outcome at {listed(map(short, self.missing_times))}"}
                if len(self.missing_times)
                else {}
            ),
        }

    def __repr__(self) -> str:
        rows = (f"  {name:<8} {text}" for name, text in self.facts.items())
        return "\n".join(["Panel", *rows])

    def _repr_html_(self) -> str:
        cell = "<tr><th style='text-align:left'>{}</th><td style='text-align:left'>{}</td></tr>"
        rows = "".join(cell.format(html.escape(n), html.escape(t)) for n, t in self.facts.items())
        return f"<strong>Panel</strong><table>{rows}</table>"


def from_table(
    table: pd.DataFrame,
    treated: Any,
    start: Any,
    *,
    missing: str = "error",
    notes: list[Remark],
    quiet: bool = False,
    unit: str = "unit",
    time: str = "time",
    outcome: str = "outcome",
) -> Panel:
    """A panel from a table of sorted times by sorted units; its remarks are warned about unless ``quiet``."""
    chosen = tuple(sorted(texts(treated)))
    table.index.name, table.columns.name = "time", "unit"
    if table.shape[1] < 2:
        raise PanelError(
            "P037", f"the data hold a single unit ({listed(table.columns)}): no donors to weight."
        )
    require_treated(chosen, [str(label) for label in table.columns])
    table = complete(table, missing, chosen, notes)
    times = pd.Index(table.index)
    notes += skipped(times)
    first = first_treated(one_start(start, chosen), times)
    panel = Panel(
        locked(xr.DataArray(table, dims=("time", "unit"))), chosen, first, unit, time, outcome
    )
    series, donors = panel.treated_outcome.to_series(), table[list(panel.donors)]
    notes += unseen(series[: len(panel.pre)], series[len(panel.pre) :])
    notes += remarks(Table(series, donors, len(panel.pre)))
    for code, kind, text in [] if quiet else notes:
        if kind == "warned":
            category = DesignWarning if code.startswith("D") else PanelWarning
            warn(category, code, text)
    return replace(panel, remarks=tuple(notes))
