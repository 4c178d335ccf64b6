"""Every number that one asks of a fit.

Nothing here samples, and a fit that was read from a file answers without PyMC.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise.base import MIXING, Draws
from bayes_synth.results.alarms import Alarm, Evidence, alarms_of
from bayes_synth.results.balance import balance_table
from bayes_synth.results.bands import BandKind
from bayes_synth.results.calibrated import Calibrated, read_calibration
from bayes_synth.results.convergence import (
    Convergence,
    convergence_of,
    diagnose,
    diagnose_weights,
    uncalibrated,
    watched,
)
from bayes_synth.results.effects import Effect, IntervalKind, require_interval
from bayes_synth.results.estimands import ESTIMANDS, effect_draws
from bayes_synth.results.fit_verdict import FitVerdict, fit_verdict
from bayes_synth.results.frames import path_frame, summary_row, with_old_row
from bayes_synth.results.record import RunRecord
from bayes_synth.results.weight_table import weight_table
from bayes_synth.results.weighted import adjusted
from bayes_synth.results.width_ratio import width_ratio
from bayes_synth.results.windows import Window, effect_of, stored_effects
from bayes_synth.sampling.regression import COEFFICIENTS
from bayes_synth.words import public

__all__ = ["AbstractFit"]


@dataclass(frozen=True, eq=False, repr=False)
class AbstractFit(ABC):
    """Hold a panel, a model and the draws, and answer questions; see :class:`bayes_synth.Fit`."""

    panel: Panel
    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord = field(default_factory=RunRecord)

    def effect(self, estimand: str = "average", *, window: Window | None = None) -> Effect:
        """Return the posterior of the effect.

        Parameters
        ----------
        estimand
            ``"average"``: per period and treated unit, the mean over the window and over the
            treated units; ``"total"``: summed over the window and over the treated units;
            ``"relative"``: total over the size of the total counterfactual; ``"log_ratio"``: log
            of the total outcome over the total counterfactual, which treats gains and losses
            alike. Paths: ``"pointwise"``: in each period, the mean of the treated units;
            ``"cumulative"``: the running total from the window's first period on, summed over the
            treated units; its last value is the total.
        window
            Part of the post-period by label, ends included, such as ``slice(1990, 1995)``, or a
            list of parts that do not overlap, such as the bursts of a campaign:
            ``[slice("2024-04-01", "2024-04-14"), slice("2024-05-01", None)]``. Text is a date in
            ISO, in the time zone of the data, and means all of what it names: ``slice("2024-04",
            "2024-04")`` is April. What happened after a campaign's end is the effect over
            ``slice(end, None)``. Default: all of the post-period.

        Returns
        -------
        Effect
            Draws with dims ``(chain, draw)``, and ``time`` for a path, in outcome units; ratios are
            pure numbers. With several treated units the measure says whether it is of their mean
            (``per unit, mean of 2``) or of their sum (``sum of 2 units``).

        Raises
        ------
        ResultError
            R002 for a window that has no post-periods or goes beyond them, R004 when a ratio
            means nothing, R005 for an unknown estimand, R033 for windows that overlap.
        """
        return effect_of(self.panel, self.idata, estimand, window)

    def summary(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Summarise every effect that is one number, in a row each.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``effect``: average (per period and treated unit), total (summed over periods and
            treated units), cumulative (the running total at its end, which is the total; this row
            goes with version 0.3), relative, log_ratio. Columns mean, median, sd, lower, upper,
            ci_prob, ci_kind, p_below_0, p_above_0, p_two_sided, ess_bulk, ess_tail, r_hat, mcse,
            mcse_lower, mcse_upper and measure (in which the row's numbers are). ``p_two_sided`` is
            twice the smaller of the two probabilities before it, on the scale of two-sided
            p-values; the three mcse are Monte Carlo errors of the mean and of the interval's ends.
            ``attrs["calibration"]`` says what the intervals rest on. The relative effect is a
            fraction. It and the log ratio are left out when they mean nothing (R004). Of the
            relative effect read the median: a ratio's mean may not exist. On the log scale mean,
            sd and mcse are NaN, because the exponential of a Student-t has none.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.
        """
        require_interval(ci_prob, ci_kind)
        effects = self.effects
        names = [name for name in ESTIMANDS if name in effects and not ESTIMANDS[name].path]
        rows = {name: summary_row(self.effect(name), ci_prob, ci_kind) for name in names}
        diagnosed = diagnose(effects[names]).drop(columns="ok")
        table = pd.DataFrame(rows).T.infer_objects().rename_axis("effect")
        ends = table[["mcse_lower", "mcse_upper"]]
        checked = diagnosed[["ess_bulk", "ess_tail", "r_hat", "mcse"]]
        table = pd.concat([table.drop(columns=ends.columns), checked, ends], axis=1)
        table["measure"] = [self.effect(name).measure for name in names]
        if self.model.scale == "log":
            heavy = [name for name in names if name != "log_ratio"]
            table.loc[heavy, ["mean", "sd", "mcse"]] = np.nan
        table = with_old_row(table)
        table.attrs = {"calibration": str(self.calibration)}
        return table

    def weights(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Summarise the donors' weights, the heaviest first.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``donor``; columns mean, sd, lower, upper, ``p_above_1_percent`` (probability
            that the weight exceeds 1 %), ``core`` (member of the smallest set of donors that holds
            80 % of the weight) and ``projected`` (weights of the closest counterfactual on at most
            five donors). ``attrs`` has ``core_probability`` (that the set does hold 80 %),
            ``projection_loss`` (root mean square distance between the two counterfactuals, on the
            model's scale), ``ci_prob`` and ``ci_kind``.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Notes
        -----
        Similar donors trade weight: the counterfactual is known better than its weights.
        """
        donors = outcome_scale(self.model.scale).forward(self.panel.donor_outcomes).to_numpy()
        return weight_table(
            self._draws("posterior", "weights"),
            self.panel.donors,
            donors,
            level=self.model.process.level_sd > 0,
            ci_prob=ci_prob,
            ci_kind=ci_kind,
        )

    def balance(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Compare the predictors of the treated unit, of its synthetic control and of the donors.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``predictor``; columns ``treated`` (the mean of several), ``synthetic`` (posterior
            mean of the weighted donors), ``lower``, ``upper``, ``donors`` (plain mean) and ``sd``
            (over all units), each in the predictor's own measure. ``attrs`` has the ``times`` that
            each is averaged over.

        Raises
        ------
        ResultError
            P057 when the panel carries no predictors.
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Notes
        -----
        The draws of the weights say all of it; whether the model has a rule for predictors or not
        does not matter. A level, which the weights may leave to the noise, is no part of it.
        """
        return balance_table(self._draws("posterior", "weights"), self.panel, ci_prob, ci_kind)

    def diagnostics(self) -> pd.DataFrame:
        """Diagnose everything that was sampled.

        Returns
        -------
        pandas.DataFrame
            Rows ``average effect``, the noise parameters, and ``weights[...]`` per donor; columns
            r_hat, ess_bulk, ess_tail, mcse (Monte Carlo error of the mean, in outcome units;
            weights are shares) and ``ok``. ``attrs`` has the verdicts in words (``convergence``,
            ``fit``), the ``alarms`` (pairs of code and sentence), the number of ``divergences``,
            the ``attempts`` at sampling (one mapping each: ``target_accept``, ``tune``,
            ``problems``, ``divergences``, ``kept``), what an interrupt left undone (``partial``)
            and the ``warnings`` given when the panel was read and while fitting.
        """
        table = pd.concat([diagnose(self._watched), self._weight_diagnostics])
        attempts = [
            attempt._asdict() | {"problems": list(attempt.problems)}
            for attempt in self.record.attempts
        ]
        table.attrs = {
            "convergence": str(self.convergence),
            "fit": str(self.fit_verdict),
            "alarms": [list(each) for each in self.alarms],
            "divergences": self.convergence.divergences,
            "attempts": attempts,
            "partial": list(self.record.partial),
            "warnings": list(self.record.warnings),
        }
        return table

    @property
    def converged(self) -> bool:
        """Tell whether effect and noise have converged and nothing was interrupted.

        It is about the sampler alone. Whether the posterior may be believed is another question:
        see ``fit.alarms``, :attr:`fit_verdict`, :attr:`calibration` and
        :func:`bayes_synth.checks.run`. No flag says "may be used", because no computation can know
        that no donor was affected.
        """
        return self.convergence.ok

    @property
    def ok(self) -> bool:
        """Return :attr:`converged`, under its older name.

        ``if fit.ok:`` sounds like "may be used", which it does not say: write ``fit.converged`` for
        the sampler, and ``not fit.alarms`` for nothing known against the fit.
        """
        return self.converged

    @cached_property
    def calibration(self) -> Calibrated:
        """Say what the donors' own synthetic controls tell about the forecast error.

        It has kappa, the donors' z-scores, which donors were set aside, and how much wider all this
        has made the interval (``width_ratio``).
        """
        counts, plan = (len(self.panel.donors), len(self.panel.treated)), self.model.calibration
        group, stopped = self.idata.children.get("calibration"), self.record.calibration_stopped
        found = read_calibration(group, plan, counts, stopped)
        return replace(found, width_ratio=width_ratio(self.idata))

    @property
    def weights_ok(self) -> bool:
        """Tell whether every weight has an R-hat of at most 1.01 and both ESS of at least 400."""
        return bool(self._weight_diagnostics["ok"].all())

    @property
    def effects(self) -> xr.Dataset:
        """Draws of every estimand that these data allow, by name.

        An estimand that was declared after the fit was made or saved is computed now.
        """
        stored = stored_effects(self.idata)
        if set(ESTIMANDS) <= set(stored):
            return stored
        observed = self._draws("predictions_constant_data", "outcome")
        counterfactual = self._draws("predictions", "counterfactual")
        computed = effect_draws(observed, counterfactual, units=len(self.panel.treated))
        return computed.assign(dict(stored.data_vars))

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """List what must be read first, as pairs of code and sentence; empty when nothing must.

        The page *Alarms* says what each code means and what to do.
        """
        weights = self._draws("posterior", "weights").mean(("chain", "draw")).to_numpy()
        known = self.convergence, self.fit_verdict, self.calibration
        return alarms_of(
            Evidence.of(adjusted(self.problem, self.idata), weights, *self._noise, known)
        )

    @cached_property
    def problem(self) -> Problem:
        """Prepare the model and the panel as arrays, once for all that computes with them."""
        return Problem.of(self.model, self.panel)

    @cached_property
    def convergence(self) -> Convergence:
        """Judge the sampler by its draws."""
        return convergence_of(
            self._watched, self.idata["sample_stats"].to_dataset(), self.record.partial
        )

    @cached_property
    def fit_verdict(self) -> FitVerdict:
        """Judge whether the donors forecast the treated unit in its own past."""
        inputs, process = adjusted(self.problem, self.idata).inputs, self.problem.process
        average = inputs.scale.forward(uncalibrated(self.idata)).mean("time")
        variance = float(average.var()) / inputs.step**2
        return fit_verdict(inputs, process, *self._noise, len(self.problem.observed), variance)

    @cached_property
    def _noise(self) -> tuple[Draws, np.ndarray | None]:
        """Return draws of the noise's parameters in typical steps, and the mean mixing, if any."""
        posterior, mixing = self.idata["posterior"], None
        draws = {
            name: posterior[name].to_numpy().reshape(-1) / self.problem.parameter_unit(name)
            for name in self.model.process.parameters
        }
        if MIXING in posterior:
            mixing = posterior[MIXING].mean(("chain", "draw")).to_numpy()
        return draws, mixing

    @property
    def _fit_verdict(self) -> FitVerdict:
        """Return the fit verdict under the name that scripts of version 0.1 know."""
        return self.fit_verdict

    @property
    def synthetic(self) -> xr.DataArray:
        """Return donors @ weights plus the constant level over all times: no noise, no drift.

        What covariates explain is part of it. Dims ``(chain, draw, time)``, outcome units.
        """
        weights, level = self._draws("posterior", "weights"), self._draws("posterior", "level")
        scale = outcome_scale(self.model.scale)
        weighted: xr.DataArray = xr.dot(
            scale.forward(self.panel.donor_outcomes), weights, dim="donor"
        )
        if self.problem.covariates is not None:
            weighted = weighted + self._explained(weights)
        synthetic: xr.DataArray = scale.back(weighted + level)
        return synthetic.transpose("chain", "draw", "time").rename("synthetic")

    def _explained(self, weights: xr.DataArray) -> xr.DataArray:
        """Return what covariates explain of treated minus weighted donors, on the model's scale."""
        panel = self.panel
        assert panel.covariates is not None
        donors = panel.covariates.of(panel.donors).rename(unit="donor")
        apart = panel.covariates.of(panel.treated).mean("unit") - xr.dot(
            donors, weights, dim="donor"
        )
        coefficients = self._draws("posterior", COEFFICIENTS)
        explained: xr.DataArray = xr.dot(coefficients, apart, dim="covariate")
        return explained

    @property
    def counterfactual(self) -> xr.DataArray:
        """Return the outcome without treatment, noise included, over all times.

        Dims ``(chain, draw, time)``, outcome units: replicates before ``start``, predictions from
        then on.
        """
        parts = [
            self.idata["posterior_predictive"]["outcome"],
            self.idata["predictions"]["counterfactual"],
        ]
        return xr.concat([part.rename("counterfactual") for part in parts], dim="time")

    def to_frame(
        self,
        *,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        band: BandKind = "none",
    ) -> pd.DataFrame:
        """Return what the plots show as numbers, one row per time.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.
        band
            ``"simultaneous"`` adds bands that hold the whole path from ``start`` on with
            probability ``ci_prob``; ``"none"`` does not.

        Returns
        -------
        pandas.DataFrame
            Index: times. Columns ``period`` (pre, post), ``observed``, ``synthetic`` (median),
            ``gap`` (observed minus synthetic), and median, lower and upper of ``counterfactual``,
            ``effect`` (observed minus counterfactual) and, from ``start`` on, ``cumulative``, all
            in outcome units; with a band also ``effect_band_lower``, ``effect_band_upper``,
            ``cumulative_band_lower`` and ``cumulative_band_upper``. Before ``start`` the effect is
            observed minus replicate. With several treated units everything is of their mean, but
            ``cumulative`` is summed over them; ``attrs["measures"]`` says so of each, and
            ``attrs["bands"]`` what each band holds.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Notes
        -----
        Gap and effect are two questions. The synthetic outcome is what the weighted donors and the
        level give, without noise and drift: the classical picture, whose gap before ``start`` shows
        how well the donors fit. The counterfactual is what would have been seen: forecasts carry
        noise and drift on, so the effect may be smaller than the gap, and before ``start``, where
        it is observed minus a replicate, it is near zero by construction. Intervals and
        probabilities are about the effect.
        """
        paths = {"effect": self.effect("pointwise"), "cumulative": self.effect("cumulative")}
        return path_frame(
            self.panel,
            self.synthetic,
            self.counterfactual,
            paths,
            ci_prob=ci_prob,
            ci_kind=ci_kind,
            band=band,
        )

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    @abstractmethod
    def __repr__(self) -> str:
        """Tell the result in one screen."""

    @property
    def _watched(self) -> xr.Dataset:
        return watched(self.panel, self.model, self.idata)

    @cached_property
    def _weight_diagnostics(self) -> pd.DataFrame:
        draws = self._draws("posterior", "weights")
        # One donor has weight one in every draw: there is nothing to converge.
        return diagnose_weights(draws if draws.sizes["donor"] > 1 else draws.isel(donor=slice(0)))

    def _draws(self, group: str, name: str) -> xr.DataArray:
        return self.idata[group].to_dataset()[name]
