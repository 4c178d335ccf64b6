"""Fit: a panel, a model and the draws, and every question one asks of them.

Nothing here samples; a fit read from a file answers without PyMC.
"""

import html
import json
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, final, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth import effects as estimands
from bayes_synth.calibration import Calibrated, read_calibration
from bayes_synth.convergence import Convergence, check_convergence, diagnose, diagnose_weights
from bayes_synth.design import short, span
from bayes_synth.effects import Effect, Estimand, IntervalKind, check_interval, interval
from bayes_synth.errors import ResultError, suggestion
from bayes_synth.holdout import FitVerdict, fit_verdict
from bayes_synth.intake import time_label
from bayes_synth.model import SyntheticControl, scaled
from bayes_synth.noise.base import MIXING
from bayes_synth.outcome_scale import outcome_scale
from bayes_synth.panel import Panel
from bayes_synth.simplex import core_donors, project

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.pages import Kind

__all__ = ["Fit"]

PROJECTED = 5
SUMMARY = ("average", "cumulative", "relative", "log_ratio")


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """Posterior of one synthetic control.

    Parameters
    ----------
    panel
        The data.
    model
        What was fitted.
    idata
        All draws in the ArviZ schema, in outcome units; ``az.summary``, ``az.loo`` and ArviZ's plots take it
        as it is. Groups: ``posterior``, ``sample_stats``, ``posterior_predictive`` (pre-period),
        ``predictions`` (``counterfactual``), ``effects``, ``log_likelihood``, ``log_prior``, ``prior``,
        ``prior_predictive``, ``predictions_uncalibrated`` and ``calibration`` (unless switched off),
        ``noise_scores`` (when the noise was chosen), ``observed_data``, ``constant_data``, ``predictions_constant_data``.
        Student-t noise has no ``log_likelihood``.
    """

    panel: Panel
    model: SyntheticControl
    idata: xr.DataTree

    def effect(self, estimand: Estimand = "average", *, window: slice | None = None) -> Effect:
        """Posterior of the effect.

        Parameters
        ----------
        estimand
            ``"pointwise"`` per period, ``"average"`` per period over the window, ``"cumulative"`` over it,
            ``"relative"``: cumulative effect over the size of the cumulative counterfactual, or ``"log_ratio"``: log
            of the cumulative outcome over the cumulative counterfactual, which treats gains and losses alike.
        window
            Part of the post-period by label, ends included, such as ``slice(1990, 1995)``. Default: all.

        Raises
        ------
        ResultError
            R002 for a window without post-periods, R004 when a ratio means nothing, R005 for an unknown
            estimand.
        """
        if estimand not in get_args(Estimand):
            raise ResultError("R005", f"no estimand {estimand!r}. {suggestion(estimand, get_args(Estimand))}")
        units = {"relative": "", "log_ratio": "", "cumulative": self.panel.outcome}
        unit = units.get(estimand, f"{self.panel.outcome} per period")
        if window is None and estimand in self.idata["effects"]:
            return Effect(self._draws("effects", estimand), estimand, unit)
        keep = self._window(window)
        observed = self._draws("predictions_constant_data", "outcome").sel(time=keep)
        if observed.isnull().all():
            raise ResultError("R002", f"{self.panel.treated[0]!r} has no outcome in the window, so no effect either.")
        counterfactual = self._draws("predictions", "counterfactual").sel(time=keep)
        return Effect(estimands.estimate(estimand, observed, counterfactual), estimand, unit)

    def summary(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Average, cumulative and relative effect and log ratio, one row each, all numbers.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Columns mean, median, sd, lower, upper, ci_prob, ci_kind, p_below_0, p_above_0, ess_bulk, ess_tail,
            r_hat, mcse; ``attrs["calibration"]`` says what the intervals rest on. The relative effect
            is a fraction. It and the log ratio are left out when they mean nothing (R004). Of the relative
            effect read the median: a ratio's mean may not exist. On the log scale mean, sd and mcse are missing:
            the exponential of a Student-t has none.
        """
        check_interval(ci_prob, ci_kind)
        names = [name for name in SUMMARY if name in self.idata["effects"]]
        rows = {name: _summary_row(self.effect(name), ci_prob, ci_kind) for name in names}  # type: ignore[arg-type]
        checks = diagnose(self.idata["effects"].to_dataset()[names]).drop(columns="ok")
        table = pd.DataFrame(rows).T.infer_objects().rename_axis("effect")
        table = pd.concat([table, checks[["ess_bulk", "ess_tail", "r_hat", "mcse"]]], axis=1)
        if self.model.scale == "log":
            table.loc[[name for name in names if name != "log_ratio"], ["mean", "sd", "mcse"]] = np.nan
        table.attrs = {"calibration": str(self.calibration)}
        return table

    def weights(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Donor weights, the heaviest first.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``donor``; columns mean, sd, lower, upper, ``p_above_1_percent`` (probability that the weight
            exceeds 1 %), ``core`` (member of the smallest set of donors that holds 80 % of the weight) and
            ``projected`` (weights of the closest counterfactual on at most five donors). ``attrs`` has
            ``core_probability`` (that the set does hold 80 %), ``projection_loss`` (root mean square distance
            between the two counterfactuals, units of the model's scale), ``ci_prob`` and ``ci_kind``.

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
        """R-hat, effective sample sizes and Monte Carlo error of everything that was sampled.

        Returns
        -------
        pandas.DataFrame
            Rows ``average effect``, the noise parameters, and ``weights[...]`` per donor; columns r_hat,
            ess_bulk, ess_tail, mcse (outcome units; weights have none) and ``ok``. ``attrs`` has the verdicts
            in words (``convergence``, ``fit``), the number of ``divergences``, the ``attempts`` at sampling (one mapping
            each: ``target_accept``, ``tune``, ``problems``, ``divergences``, ``kept``), what an interrupt left undone
            (``partial``) and the ``warnings`` given when the panel was read and while fitting.
        """
        table = pd.concat([diagnose(self._watched), self._weight_diagnostics])
        table.attrs = {"convergence": str(self._convergence), "fit": str(self._fit_verdict)}
        table.attrs["divergences"] = self._convergence.divergences
        table.attrs |= {name: self._sampling.get(name, []) for name in ("attempts", "partial", "warnings")}
        return table

    @property
    def ok(self) -> bool:
        """Whether effect and noise have converged and nothing was interrupted; the repr and :meth:`diagnostics` say more."""
        return self._convergence.ok

    @property
    def calibration(self) -> Calibrated:
        """What the donors' own synthetic controls say about the forecast error: kappa, z-scores, who was set aside."""
        sizes = len(self.panel.donors), len(self.panel.treated)
        group, stopped = self.idata.children.get("calibration"), self._sampling.get("calibration_stopped", "")
        return read_calibration(group, self.model.calibration, sizes, stopped)

    @property
    def weights_ok(self) -> bool:
        """Whether every weight has R-hat at most 1.01 and both effective sample sizes at least 400."""
        return bool(self._weight_diagnostics["ok"].all())

    @cached_property
    def _convergence(self) -> Convergence:
        """The verdict on the sampler, from the draws."""
        partial = self._sampling.get("partial", ())
        return check_convergence(self._watched, self.idata["sample_stats"].to_dataset(), partial)

    @cached_property
    def _fit_verdict(self) -> FitVerdict:
        """Whether the donors forecast the treated unit in its own past; see :class:`FitVerdict`."""
        inputs, post = scaled(self.model, self.panel), self.idata["posterior"]
        unit = {n: 1.0 if n in self.model.process.unitless else inputs.scale for n in self.model.process.parameters}
        average = inputs.measure.forward(self._uncalibrated).mean("time")
        return fit_verdict(
            self.model.process,
            {name: post[name].to_numpy().reshape(-1) / unit[name] for name in unit},
            inputs.outcome,
            inputs.donor_outcomes[: inputs.periods],
            mixing=post[MIXING].mean(("chain", "draw")).to_numpy() if MIXING in post else None,
            scale=inputs.scale,
            post=len(self.panel.post),
            variance=float(average.var()) / inputs.scale**2,
        )

    @property
    def synthetic(self) -> xr.DataArray:
        """Donors @ weights plus the constant level, over all times: no noise, no drift.

        Dims ``(chain, draw, time)``, outcome units.
        """
        weights, level = self._draws("posterior", "weights"), self._draws("posterior", "level")
        measure = outcome_scale(self.model.scale)
        weighted: xr.DataArray = xr.dot(measure.forward(self.panel.donor_outcomes), weights, dim="donor")
        synthetic: xr.DataArray = measure.back(weighted + level)
        return synthetic.transpose("chain", "draw", "time").rename("synthetic")

    @property
    def counterfactual(self) -> xr.DataArray:
        """The outcome without treatment, noise included, over all times.

        Dims ``(chain, draw, time)``, outcome units: replicates before ``start``, predictions from then on.
        """
        parts = [self.idata["posterior_predictive"]["outcome"], self.idata["predictions"]["counterfactual"]]
        return xr.concat([part.rename("counterfactual") for part in parts], dim="time")

    def to_frame(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """One row per time: what the plots show, as numbers.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index: times. Columns ``period`` (pre, post), ``observed``, ``synthetic`` (median), and median, lower and
            upper of ``counterfactual``, ``effect`` and, from ``start`` on, ``cumulative``. Before ``start`` the
            effect is observed minus replicate.
        """
        observed, counterfactual = self.panel.treated_outcome, self.counterfactual
        effect = estimands.pointwise(observed, counterfactual)
        running = effect.sel(time=self.panel.post.to_numpy()).cumsum("time")
        bands = {"counterfactual": counterfactual, "effect": effect, "cumulative": running}
        period = np.where(self.panel.times < self.panel.start, "pre", "post")
        table = pd.DataFrame({"period": period, "observed": observed.to_numpy()}, index=self.panel.times)
        table["synthetic"] = self.synthetic.median(("chain", "draw")).to_numpy()
        for name, draws in bands.items():
            table = table.join(_band(draws, name, ci_prob, ci_kind))
        return table

    def plot(self, **options: Any) -> "PlotCollection":
        """Observed and counterfactual, pointwise effect, cumulative effect; see :func:`bayes_synth.plots.plot_fit`."""
        from bayes_synth.plots import plot_fit

        return plot_fit(self, **options)

    def plot_effect(self, estimand: Estimand = "average", **options: Any) -> "PlotCollection":
        """Posterior density of an effect; see :func:`bayes_synth.plots.plot_effect`."""
        from bayes_synth.plots import plot_effect

        return plot_effect(self, estimand, **options)

    def plot_weights(self, **options: Any) -> "PlotCollection":
        """Donor weights with their intervals; see :func:`bayes_synth.plots.plot_weights`."""
        from bayes_synth.plots import plot_weights

        return plot_weights(self, **options)

    def report(self, kind: "Kind" = "text", **options: Any) -> str:
        """What was asked, found and assumed, and whether to believe it; see :func:`bayes_synth.pages.report`."""
        from bayes_synth.pages import report

        return report(self, kind, **options)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the fit as netCDF or zarr, by suffix: .nc, .zarr, .zarr.zip; see :func:`bayes_synth.io.save`."""
        from bayes_synth.io import save

        save(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        from bayes_synth.report import headline

        return headline(self)

    def _repr_html_(self) -> str:
        from bayes_synth.report import headline

        table = self.summary().to_html(float_format=lambda x: f"{x:.4g}")
        return f"<pre>{html.escape(headline(self))}</pre>{table}"

    @property
    def _sampling(self) -> dict[str, Any]:
        """What the provenance says of sampling: settings, attempts, interrupts, warnings."""
        return dict(json.loads(self.idata.attrs["bayes_synth"])["sampling"])

    @property
    def _watched(self) -> xr.Dataset:
        """What convergence is judged by: the average effect and the noise's parameters."""
        noise = self.idata["posterior"].to_dataset()[list(self.model.process.parameters)]
        return xr.Dataset({"average effect": self._uncalibrated_average}).merge(noise)

    @property
    def _uncalibrated_average(self) -> xr.DataArray:
        """The sampler's own: the spread of the calibration would hide how well its draws mix."""
        observed = self._draws("predictions_constant_data", "outcome")
        return observed.mean("time") - self._uncalibrated.where(self._seen).mean("time")

    @property
    def _seen(self) -> xr.DataArray:
        """Whether the treated unit has an outcome in each post-period."""
        return self._draws("predictions_constant_data", "outcome").notnull()

    @property
    def _uncalibrated(self) -> xr.DataArray:
        group = "predictions_uncalibrated" if "predictions_uncalibrated" in self.idata.children else "predictions"
        return self._draws(group, "counterfactual")

    @cached_property
    def _weight_diagnostics(self) -> pd.DataFrame:
        draws = self._draws("posterior", "weights")
        # One donor has weight one in every draw: there is nothing to converge.
        return diagnose_weights(draws if draws.sizes["donor"] > 1 else draws.isel(donor=slice(0)))

    def _draws(self, group: str, name: str) -> xr.DataArray:
        return self.idata[group].to_dataset()[name]

    def _projection(self, weights: np.ndarray) -> Any:
        donors = outcome_scale(self.model.scale).forward(self.panel.donor_outcomes).to_numpy()
        return project(donors, donors @ weights, most=PROJECTED, level=self.model.process.level_sd > 0)

    def _window(self, window: slice | None) -> np.ndarray:
        post = pd.Index(self.panel.post)
        if window is None:
            return np.asarray(post)
        if not isinstance(window, slice) or window.step is not None:
            raise ResultError("R002", f"window={window!r} must be a slice of times, such as slice(start, end).")
        low, high = (
            None if end is None else time_label(end, post, what="window") for end in (window.start, window.stop)
        )
        # Text on a calendar means all of it: "2024-02" ends with February.
        ends = [
            end if isinstance(end, str) and isinstance(post, pd.DatetimeIndex) else label
            for end, label in ((window.start, low), (window.stop, high))
        ]
        times = post[post.slice_indexer(*ends)]
        if not len(times):
            raise ResultError("R002", f"the window has none of the post-period's {span(post)}.")
        if (low is not None and low < post[0]) or (high is not None and high > post[-1]):
            raise ResultError("R002", f"the window goes beyond the post-period, {short(post[0])} to {short(post[-1])}.")
        return np.asarray(times)


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
        {column: values.to_numpy() for column, values in columns.items()}, index=draws["time"].to_index()
    )
