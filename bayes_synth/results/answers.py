"""Every number that one asks of a fit.

Nothing here samples, and a fit that was read from a file answers without PyMC.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise.base import MIXING
from bayes_synth.results.calibrated import Calibrated, read_calibration
from bayes_synth.results.convergence import (
    Convergence,
    convergence_of,
    diagnose,
    diagnose_weights,
    uncalibrated,
    watched,
)
from bayes_synth.results.effects import Effect, IntervalKind, interval, require_interval
from bayes_synth.results.estimands import ESTIMANDS, effect_draws, pointwise
from bayes_synth.results.fit_verdict import FitVerdict, fit_verdict
from bayes_synth.results.record import RunRecord
from bayes_synth.results.simplex import Projection, core_donors, project
from bayes_synth.results.windows import effect_of
from bayes_synth.words import public

__all__ = ["AbstractFit"]

PROJECTED = 5
"""The counterfactual is projected on at most so many donors."""


@dataclass(frozen=True, eq=False, repr=False)
class AbstractFit(ABC):
    """Hold a panel, a model and the draws, and answer questions; see :class:`bayes_synth.Fit`."""

    panel: Panel
    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord = field(default_factory=RunRecord)

    def effect(self, estimand: str = "average", *, window: slice | None = None) -> Effect:
        """Return the posterior of the effect.

        Parameters
        ----------
        estimand
            ``"pointwise"``: in each period; ``"average"``: per period, over the window;
            ``"cumulative"``: summed over the window; ``"relative"``: cumulative effect over the
            size of the cumulative counterfactual; ``"log_ratio"``: log of the cumulative outcome
            over the cumulative counterfactual, which treats gains and losses alike.
        window
            Part of the post-period by label, ends included, such as ``slice(1990, 1995)``.
            Default: all of it.

        Returns
        -------
        Effect
            Draws with dims ``(chain, draw)``, and ``time`` for ``"pointwise"``.

        Raises
        ------
        ResultError
            R002 for a window that has no post-periods or goes beyond them, R004 when a ratio
            means nothing, R005 for an unknown estimand.
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
            Index ``effect``: average, cumulative, relative, log_ratio. Columns mean, median, sd,
            lower, upper, ci_prob, ci_kind, p_below_0, p_above_0, ess_bulk, ess_tail, r_hat, mcse;
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
        rows = {name: _summary_row(self.effect(name), ci_prob, ci_kind) for name in names}
        diagnosed = diagnose(effects[names]).drop(columns="ok")
        table = pd.DataFrame(rows).T.infer_objects().rename_axis("effect")
        table = pd.concat([table, diagnosed[["ess_bulk", "ess_tail", "r_hat", "mcse"]]], axis=1)
        if self.model.scale == "log":
            heavy = [name for name in names if name != "log_ratio"]
            table.loc[heavy, ["mean", "sd", "mcse"]] = np.nan
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
        draws = self._draws("posterior", "weights")
        flat = draws.to_numpy().reshape(-1, draws.sizes["donor"])
        bounds = interval(draws, ci_prob, ci_kind)
        core, probability = core_donors(flat)
        projection = self._projection(flat.mean(0))
        table = pd.DataFrame(
            {
                "mean": flat.mean(0),
                "sd": flat.std(0, ddof=1),
                "lower": bounds.sel(ci_bound="lower").to_numpy(),
                "upper": bounds.sel(ci_bound="upper").to_numpy(),
                "p_above_1_percent": (flat > 0.01).mean(0),
                "core": np.isin(np.arange(flat.shape[1]), core),
                "projected": [projection.weights.get(j, 0.0) for j in range(flat.shape[1])],
            },
            index=pd.Index(self.panel.donors, name="donor", dtype=object),
        ).sort_values("mean", ascending=False, kind="stable")
        table.attrs = {"core_probability": probability, "projection_loss": projection.loss}
        table.attrs |= {"ci_prob": ci_prob, "ci_kind": ci_kind}
        return table

    def diagnostics(self) -> pd.DataFrame:
        """Diagnose everything that was sampled.

        Returns
        -------
        pandas.DataFrame
            Rows ``average effect``, the noise parameters, and ``weights[...]`` per donor; columns
            r_hat, ess_bulk, ess_tail, mcse (Monte Carlo error of the mean, in outcome units;
            weights are shares) and ``ok``. ``attrs`` has the verdicts in words (``convergence``,
            ``fit``), the number of ``divergences``, the ``attempts`` at sampling (one mapping
            each: ``target_accept``, ``tune``, ``problems``, ``divergences``, ``kept``), what an
            interrupt left undone (``partial``) and the ``warnings`` given when the panel was read
            and while fitting.
        """
        table = pd.concat([diagnose(self._watched), self._weight_diagnostics])
        attempts = [
            attempt._asdict() | {"problems": list(attempt.problems)}
            for attempt in self.record.attempts
        ]
        table.attrs = {
            "convergence": str(self.convergence),
            "fit": str(self.fit_verdict),
            "divergences": self.convergence.divergences,
            "attempts": attempts,
            "partial": list(self.record.partial),
            "warnings": list(self.record.warnings),
        }
        return table

    @property
    def ok(self) -> bool:
        """Tell whether effect and noise have converged and nothing was interrupted.

        The repr and :meth:`diagnostics` say more.
        """
        return self.convergence.ok

    @property
    def calibration(self) -> Calibrated:
        """Say what the donors' own synthetic controls tell about the forecast error.

        It has kappa, the donors' z-scores, and which donors were set aside.
        """
        counts = len(self.panel.donors), len(self.panel.treated)
        group = self.idata.children.get("calibration")
        return read_calibration(
            group, self.model.calibration, counts, self.record.calibration_stopped
        )

    @property
    def weights_ok(self) -> bool:
        """Tell whether every weight has converged.

        R-hat is at most 1.01, and both effective sample sizes are at least 400.
        """
        return bool(self._weight_diagnostics["ok"].all())

    @property
    def effects(self) -> xr.Dataset:
        """Draws of every estimand that these data allow, by name.

        An estimand that was declared after the fit was made or saved is computed now.
        """
        stored = self.idata["effects"].to_dataset()
        if set(ESTIMANDS) <= set(stored):
            return stored
        observed = self._draws("predictions_constant_data", "outcome")
        computed = effect_draws(observed, self._draws("predictions", "counterfactual"))
        return computed.assign(dict(stored.data_vars))

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
        problem, posterior = self.problem, self.idata["posterior"]
        inputs, process = problem.inputs, self.model.process
        average = inputs.scale.forward(uncalibrated(self.idata)).mean("time")
        draws = {
            name: posterior[name].to_numpy().reshape(-1) / problem.parameter_unit(name)
            for name in process.parameters
        }
        mixing = None
        if MIXING in posterior:
            mixing = posterior[MIXING].mean(("chain", "draw")).to_numpy()
        return fit_verdict(
            inputs,
            process,
            draws,
            mixing,
            len(problem.observed),
            float(average.var()) / inputs.step**2,
        )

    @property
    def synthetic(self) -> xr.DataArray:
        """Return donors @ weights plus the constant level over all times: no noise, no drift.

        Dims ``(chain, draw, time)``, outcome units.
        """
        weights, level = self._draws("posterior", "weights"), self._draws("posterior", "level")
        scale = outcome_scale(self.model.scale)
        weighted: xr.DataArray = xr.dot(
            scale.forward(self.panel.donor_outcomes), weights, dim="donor"
        )
        synthetic: xr.DataArray = scale.back(weighted + level)
        return synthetic.transpose("chain", "draw", "time").rename("synthetic")

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

    def to_frame(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Return what the plots show as numbers, one row per time.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index: times. Columns ``period`` (pre, post), ``observed``, ``synthetic`` (median), and
            median, lower and upper of ``counterfactual``, ``effect`` and, from ``start`` on,
            ``cumulative``, all in outcome units. Before ``start`` the effect is observed minus
            replicate.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.
        """
        observed, counterfactual = self.panel.treated_outcome, self.counterfactual
        effect = pointwise(observed, counterfactual)
        running = effect.sel(time=self.panel.post.to_numpy()).cumsum("time")
        bands = {"counterfactual": counterfactual, "effect": effect, "cumulative": running}
        period = np.where(self.panel.times < self.panel.start, "pre", "post")
        table = pd.DataFrame(
            {"period": period, "observed": observed.to_numpy()}, index=self.panel.times
        )
        table["synthetic"] = self.synthetic.median(("chain", "draw")).to_numpy()
        for name, draws in bands.items():
            table = table.join(_band(draws, name, ci_prob, ci_kind))
        return table

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

    def _projection(self, weights: np.ndarray) -> Projection:
        donors = outcome_scale(self.model.scale).forward(self.panel.donor_outcomes).to_numpy()
        return project(
            donors, donors @ weights, most=PROJECTED, level=self.model.process.level_sd > 0
        )


def _summary_row(effect: Effect, ci_prob: float, ci_kind: IntervalKind) -> dict[str, Any]:
    lower, upper = effect.interval(ci_prob, ci_kind).to_numpy()
    return {
        "mean": float(effect.draws.mean()),
        "median": float(effect.draws.median()),
        "sd": float(effect.draws.std(ddof=1)),
        "lower": float(lower),
        "upper": float(upper),
        "ci_prob": ci_prob,
        "ci_kind": ci_kind,
        "p_below_0": effect.probability(below=0),
        "p_above_0": effect.probability(above=0),
    }


def _band(draws: xr.DataArray, name: str, ci_prob: float, ci_kind: IntervalKind) -> pd.DataFrame:
    bounds = interval(draws, ci_prob, ci_kind)
    columns = {f"{name}_median": draws.median(("chain", "draw"))}
    columns |= {f"{name}_{bound}": bounds.sel(ci_bound=bound) for bound in ("lower", "upper")}
    return pd.DataFrame(
        {column: values.to_numpy() for column, values in columns.items()},
        index=draws["time"].to_index(),
    )
