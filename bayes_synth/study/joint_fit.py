"""Answer questions about several treated units from one joint posterior."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack, cast, final

import numpy as np
import pandas as pd

from bayes_synth.api import Fit
from bayes_synth.errors import ResultError
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.alarms import Alarm
from bayes_synth.results.convergence import uncalibrated
from bayes_synth.results.effects import Effect, IntervalKind, require_interval
from bayes_synth.results.frames import summary_row
from bayes_synth.study.aggregates import Weights, aggregate, contrast, until
from bayes_synth.study.alarms import alarms_of_study
from bayes_synth.study.cells import By, Cells, cells_of
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.extend import longer_fits
from bayes_synth.study.files import save_study
from bayes_synth.study.headline import calibration_in_words, headline
from bayes_synth.study.pooled import Pooled, pool
from bayes_synth.words import preformatted, public, texts

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.checks.result import Checks
    from bayes_synth.plots.look import CanvasOptions

__all__ = ["JointFit"]

ADDED = ("average", "total")
"""Effects that are one number in every study."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class JointFit:
    """Answer questions about the joint posterior of several treated units.

    ``bs.SyntheticControl().fit(study)`` returns it. Draw ``d`` of one unit goes together with draw
    ``d`` of every other, so that any function of the draws has the right uncertainty.

    Parameters
    ----------
    study
        The data that were fitted.
    fits
        The fit of each treated unit, with the same draws; everything a :class:`bayes_synth.Fit` can
        be asked works on each.
    sets
        One row per member of the placebo sets that kappa was learnt from: ``set``, ``donor``,
        ``role`` (the treated unit whose start it took), ``start``, ``horizon``, ``error``, ``sd``,
        ``z``, ``score`` (the z-score of the mean error of the whole set), ``step``, ``ok``; None
        when the intervals are not calibrated, or for one unit.

    Notes
    -----
    Given its weights, a unit's forecast error is driven by its own shocks minus its donors'
    weighted ones. Those of the donors are drawn once for all units, so errors of units correlate by
    the donors and the periods that they share; apart from that they are independent. A shock that
    hits treated units and no donor is not in it: no donor can show one.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), American Economic Review 111(12),
    algorithm 4, for placebo sets.

    Examples
    --------
    >>> joint.study.treated
    ('u00', 'u01')
    >>> joint.fits["u00"].panel.start
    2012
    >>> joint.effect("average").measure
    'sales per period (mean of 2 units, each once)'
    """

    study: AbstractStudyData[Any]
    fits: Mapping[str, Fit]
    sets: pd.DataFrame | None = None

    def effect(
        self,
        estimand: str = "average",
        *,
        by: By | None = None,
        weights: Weights = "unit",
        balanced: int | None = None,
    ) -> Effect:
        """Return the posterior of an effect of all treated units.

        Parameters
        ----------
        estimand
            ``"average"`` per period; ``"total"``, summed over units and periods; ``"cumulative"``,
            the running total over event time (or over time, with ``by="time"``); ``"relative"``,
            the total over the size of the total counterfactual.
        by
            None for one number, or one per ``"treated"`` unit, ``"start"``, ``"event"`` (periods
            since a unit's own start, 0 first) or ``"time"`` (calendar period).
        weights
            What an average is of. ``"unit"``: every unit counts once, whatever the number of its
            periods. ``"cell"``: every treated period of a unit counts once. A mapping such as
            populations: units count by these numbers. Totals, running totals and relative effects
            add up cells, each times its unit's number where a mapping is given.
        balanced
            Only units with an outcome at every event time from 0 to this one, and only these
            periods, so that the units behind each event time are the same.

        Returns
        -------
        Effect
            Draws with dims ``(chain, draw)`` and that of ``by``, in outcome units. Coordinates
            ``units`` and ``cells`` say how many stand behind each value.

        Raises
        ------
        ResultError
            R050 for an unknown estimand or ``by``, R051 for weights and R052 for a ``balanced``
            that cannot be used, R004 when a relative effect means nothing.

        Examples
        --------
        >>> joint.effect("average", by="treated").draws.dims
        ('chain', 'draw', 'treated')
        """
        return aggregate(until(self._cells, balanced), estimand, by, weights, self.study.outcome)

    def contrast(
        self,
        a: str | Sequence[str],
        b: str | Sequence[str],
        *,
        weights: Weights = "unit",
    ) -> Effect:
        """Return the difference of the average effects of two groups of units.

        Parameters
        ----------
        a, b
            Labels of the treated units of each group.
        weights
            As in :meth:`effect`.

        Returns
        -------
        Effect
            Draws of the average of ``a`` minus that of ``b``, dims ``(chain, draw)``, in outcome
            units per period: ``.probability(above=0)`` is the probability that ``a`` had the larger
            effect.

        Raises
        ------
        DesignError
            D070 for a label that is not a treated unit's.
        ResultError
            R053 for empty groups, or for a unit in both.

        Examples
        --------
        >>> 0 <= joint.contrast("u00", "u01").probability(above=0) <= 1
        True
        """
        groups = tuple(texts(a)), tuple(texts(b))
        for group in groups:
            self.study.require_treated(group)
        return contrast(self._cells, groups, weights, self.study.outcome)

    def summary(
        self,
        *,
        by: By | None = None,
        weights: Weights = "unit",
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
    ) -> pd.DataFrame:
        """Summarise the effects in a table.

        Parameters
        ----------
        by
            None for average, total and relative effect, a row each; else the average effect by
            ``"treated"``, ``"start"``, ``"event"`` or ``"time"``.
        weights
            As in :meth:`effect`.
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Columns as of :meth:`bayes_synth.Fit.summary`, without the diagnostics, and ``units``
            and ``cells``, how many stand behind each row. The relative effect is left out where it
            means nothing (R004). ``attrs["calibration"]`` says what the intervals rest on.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.
        ResultError
            As in :meth:`effect`.

        Examples
        --------
        >>> joint.summary().index.tolist()
        ['average', 'total', 'relative']
        """
        require_interval(ci_prob, ci_kind)
        rows = self._rows(weights) if by is None else self._levels(by, weights)
        table = pd.DataFrame(
            {
                label: summary_row(effect, ci_prob, ci_kind)
                | {"units": units, "cells": cells, "measure": effect.measure}
                for label, (effect, units, cells) in rows.items()
            }
        ).T.infer_objects()
        if self.model.scale == "log":
            table[["mean", "sd"]] = np.nan
        table = table.rename_axis("effect" if by is None else by)
        table.attrs = {"calibration": self.calibration}
        return table

    def keep(self, units: str | Sequence[str]) -> "JointFit":
        """Return the joint posterior of these treated units only: the same draws, nothing refitted.

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
        >>> joint.keep("u01").study.treated
        ('u01',)
        """
        study = self.study.keep(units)
        return JointFit(study, {unit: self.fits[unit] for unit in study.treated}, self.sets)

    def extend(self, study: AbstractStudyData["JointFit"], *, strict: bool = False) -> "JointFit":
        """Take in rows that have arrived since: weights stay, counterfactuals go on.

        Parameters
        ----------
        study
            The fitted data with later times, all other rows unchanged.
        strict
            As in :meth:`bayes_synth.SyntheticControl.fit`.

        Returns
        -------
        JointFit
            What a fresh fit of ``study`` with this model, these settings and this seed gives, bit
            for bit; this joint fit itself if there is no new row.

        Raises
        ------
        OptionError
            O001 unless ``study`` is a Study.
        ResultError
            R040 when fitted rows have changed, with their cells; R041 for other treated units,
            starts, donors or pools; R042 when times are lost or new ones are not the latest; R043
            when units have not converged; R044 when their draws cannot be made again; R055 when
            units that were fitted with these were left out since.
        SamplingFailed
            As in :meth:`bayes_synth.SyntheticControl.fit`.

        Warns
        -----
        ConvergenceWarning
            As in :meth:`bayes_synth.Fit.extend`.

        Notes
        -----
        Every calendar period has shocks of its own, so counterfactuals of earlier periods keep
        their draws, until calibrated, as in :meth:`bayes_synth.Fit.extend`. The placebo sets are
        the same, and are refitted over the longer windows: kappa changes.

        Examples
        --------
        >>> joint = joint.extend(longer_study)  # doctest: +SKIP
        """
        longer = longer_fits(self.study, self.fits, study, strict=strict)
        return self if longer is None else cast("JointFit", longer)

    def pooled(self, *, prior_sd: float | None = None, random_seed: int = 0) -> Pooled:
        """Pool the units' average effects towards their mean, beside the headline.

        Parameters
        ----------
        prior_sd
            Scale of the half-normal prior on the standard deviation of effects over units, in
            outcome units; None: the units' typical predictive standard deviation.
        random_seed
            Seed of the draws.

        Returns
        -------
        Pooled
            Effects per unit, drawn together; the expected effect on one more unit; the
            heterogeneity of effects, and how far its prior decides it.

        Raises
        ------
        ResultError
            R054 for fewer than two units, or a prior that is not positive.

        Examples
        --------
        >>> pooled = joint.pooled(random_seed=1)
        """
        if len(self.fits) < 2 or not (prior_sd is None or 0 < prior_sd < np.inf):
            raise ResultError(
                "R054",
                "pooling needs two treated units and a positive prior_sd, got "
                f"{len(self.fits)} units and prior_sd={prior_sd!r}.",
            )
        average = self.effect("average", by="treated").draws
        inflation = np.ones(average.shape[:2])
        first = next(iter(self.fits.values())).idata
        if "calibration" in first.children:
            group = first["calibration"].to_dataset().transpose("chain", "draw", ...)
            inflation = (group["kappa"] / np.sqrt(group["lambda"])).to_numpy()
        rng = np.random.default_rng(random_seed)
        return pool(average, inflation, self.study.outcome, rng, prior_sd)

    def plot(
        self,
        *,
        by: By = "event",
        weights: Weights = "unit",
        balanced: int | None = None,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        backend: str | None = None,
        **options: "Unpack[CanvasOptions]",
    ) -> "PlotCollection":
        """Plot the average effect by event time or time with its band, or by unit or start.

        Parameters
        ----------
        by, weights, balanced
            As in :meth:`effect`.
        ci_prob, ci_kind
            Probability of the intervals and of the band, and the intervals' kind.
        backend, **options
            As in :func:`bayes_synth.plots.plot_effect`. Labels: effect, time. Parts: band,
            interval, median, zero, legend, title, xlabel, ylabel, yticks.

        Returns
        -------
        arviz_plots.PlotCollection
            Event times begin at 0, a unit's first treated period: earlier ones are in the sample
            that the weights were fitted to. The title says how many units stand behind each.

        Raises
        ------
        ResultError
            As in :meth:`effect`; R006 when the backend is not installed.
        OptionError
            O001, O004 and O040 as in :func:`bayes_synth.plots.plot_effect`.

        Examples
        --------
        >>> figure = joint.plot(by="event")
        """
        from bayes_synth.study.plot import plot_study

        interval = ci_prob, ci_kind
        return plot_study(self, by, weights, balanced, interval, backend, **options)

    def plot_units(
        self,
        estimand: str = "average",
        *,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        backend: str | None = None,
        **options: "Unpack[CanvasOptions]",
    ) -> "PlotCollection":
        """Plot the effect on every unit, one row each, the units with alarms marked.

        Parameters
        ----------
        estimand, ci_prob, ci_kind, backend, **options
            See :func:`bayes_synth.plots.plot_effects`, also for errors.

        Returns
        -------
        arviz_plots.PlotCollection
            One row per unit with median and interval.

        Examples
        --------
        >>> figure = joint.plot_units()
        """
        from bayes_synth.plots.forest import plot_effects

        return plot_effects(
            self.fits, estimand, ci_prob=ci_prob, ci_kind=ci_kind, backend=backend, **options
        )

    def check(
        self,
        *,
        only: Sequence[str] | None = None,
        random_seed: int = 0,
        progressbar: bool = True,
    ) -> "Checks":
        """Ask whether the joint answer is believable; single units have ``bs.checks.run(fit)``.

        Parameters
        ----------
        only
            Names of the checks to ask; None for all: ``"common_shocks"``,
            ``"leave_one_unit_out"``, ``"event_composition"`` and ``"placebo_in_time"``, which fits
            the study once more.
        random_seed, progressbar
            Seed of that fit, and whether to show bars.

        Returns
        -------
        bayes_synth.checks.Checks
            The answers by name, each with a verdict, a sentence with the numbers, a table and, but
            for the first, a picture.

        Raises
        ------
        OptionError
            O001 for an unknown check.

        Warns
        -----
        ConvergenceWarning
            S004 after an interrupt (Ctrl-C).

        Examples
        --------
        >>> joint.check(only=["leave_one_unit_out"]).verdict in ("pass", "caution", "fail")
        True
        """
        from bayes_synth.study.checks.run import run

        return run(self, only=only, random_seed=random_seed, progressbar=progressbar)

    def report(
        self, *, by: By = "event", ci_prob: float = 0.95, checks: "Checks | bool" = False
    ) -> str:
        """Write down what was asked, found and assumed, as text.

        Parameters
        ----------
        by
            By what the second table lists the average effect.
        ci_prob
            Probability of the intervals.
        checks
            What :meth:`check` gave, or True to ask it.

        Returns
        -------
        str
            The headline with its alarms, the data, the effects, the average by ``by`` and by unit,
            and what the intervals rest on. :meth:`bayes_synth.Fit.report` has a page for each unit.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1).
        ResultError
            R050 for another ``by``, R061 for the checks of another joint fit.

        Examples
        --------
        >>> print(joint.report().splitlines()[0])
        JointFit: sales, 2 treated units
        """
        from bayes_synth.study.report import report

        return report(self, by, ci_prob, self.check() if checks is True else checks)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the joint fit into one file, so that :func:`bayes_synth.load` reads it back.

        Parameters
        ----------
        path
            A name that ends in ``.nc``, ``.zarr`` (a folder) or ``.zarr.zip`` (one file). It has a
            group per unit, as the file of a fit, the data, and the placebo sets.
        overwrite
            Whether an existing file or zarr folder may be replaced.

        Raises
        ------
        LoadError
            As in :meth:`bayes_synth.Fit.save`.

        Examples
        --------
        >>> joint.save("joint.nc")
        """
        save_study(self.study, self.fits, self.sets, path, overwrite=overwrite)

    @property
    def model(self) -> AbstractSyntheticControl:
        """Return the model that was fitted; its noise is the chosen one if it was ``"auto"``.

        Examples
        --------
        >>> joint.model == bs.SyntheticControl()
        True
        """
        return next(iter(self.fits.values())).model

    @property
    def converged(self) -> bool:
        """Tell whether every unit's draws have converged and nothing was interrupted.

        Examples
        --------
        >>> joint.converged
        False
        """
        return all(fit.converged for fit in self.fits.values())

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """List what must be read first, as pairs of code and sentence; empty when nothing must.

        An alarm of single units says of how many, and names them.
        """
        return alarms_of_study(self.fits, self.sets)

    @property
    def calibration(self) -> str:
        """Say in words on how many placebo sets the intervals rest.

        Examples
        --------
        >>> print(joint.calibration)
        not calibrated (no placebo could be made of 12 donors for 1 treated)
        """
        return calibration_in_words(self.fits, self.sets)

    @cached_property
    def correlation(self) -> pd.DataFrame:
        """Return the correlation of the units' average effects, by unit, from shared donors.

        It is taken before the calibration, which multiplies all units by the same heavy-tailed
        number in each draw and leaves what their errors share as it is.
        """
        units = list(self.fits)
        flat = [
            uncalibrated(fit.idata)
            .where(fit.idata["predictions_constant_data"]["outcome"].notnull())
            .mean("time")
            .to_numpy()
            .ravel()
            for fit in self.fits.values()
        ]
        return pd.DataFrame(np.atleast_2d(np.corrcoef(flat)), index=units, columns=units)

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return headline(self)

    def _repr_html_(self) -> str:
        return preformatted(headline(self))

    @cached_property
    def _cells(self) -> dict[str, Cells]:
        return {unit: cells_of(fit) for unit, fit in self.fits.items()}

    def _rows(self, weights: Weights) -> dict[str, tuple[Effect, int, int]]:
        """Return the effects that are one number, with their numbers of units and cells."""
        counts = len(self.fits), sum(each.count for each in self._cells.values())
        rows = {name: (self.effect(name, weights=weights), *counts) for name in ADDED}
        try:
            rows["relative"] = (self.effect("relative", weights=weights), *counts)
        except ResultError as error:
            if error.code != "R004":
                raise
        return rows

    def _levels(self, by: By, weights: Weights) -> dict[object, tuple[Effect, int, int]]:
        """Return the average effect of each level, with its numbers of units and cells."""
        effect = self.effect("average", by=by, weights=weights)
        rows = {}
        for place, label in enumerate(effect.draws[by].to_index()):
            draws = effect.draws.isel({by: place}, drop=True)
            counts = int(effect.draws["units"][place]), int(effect.draws["cells"][place])
            rows[label] = (Effect(draws, effect.estimand, effect.measure), *counts)
        return rows
