"""Hidden bias: ask how far the counterfactual must drift, unseen, to overturn the effect."""

from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import HOLLOW, Axes, Layer, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds
from bayes_synth.plots.common import shortened
from bayes_synth.plots.legend import Entry
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import as_text
from bayes_synth.results.estimands import per_period
from bayes_synth.results.monte_carlo import NEAR, end_errors
from bayes_synth.words import per_cent

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["hidden_bias"]

QUESTION = "How much hidden bias would overturn the effect?"


@check(QUESTION, place=14)
def hidden_bias(
    fit: AbstractFit, *, ci_prob: float = 0.95, caution: float = 0.5, fail: float = 0.1
) -> Check:
    """Find the smallest drift, beyond what the interval allows for, that brings it to zero.

    Parameters
    ----------
    fit
        The fit.
    ci_prob
        Probability of the interval of the average effect, equal-tailed.
    caution, fail
        Lower bounds: from ``caution`` on it passes, below ``fail`` it fails. They bound the drift
        of the untreated outcome over what is usual (the placebos' root mean square drift; without
        calibration the sd of the gap before treatment). A calibrated interval allows for such
        drifts already, so this is what it would take on top (our thresholds).

    Returns
    -------
    Check
        Table: rows ``constant`` and ``growing`` (linearly, from ``start`` on; the value at the
        last period); columns ``drift`` (outcome units), ``per_period`` (growing only),
        ``over_gap_sd`` (over the sd of observed minus synthetic before treatment),
        ``over_placebos`` (over the root mean square of the placebos' average gaps, each in its own
        typical steps times the treated unit's) and ``placebos_as_large`` (share of placebos whose
        average gap is at least as large as the drift's average). Negative drifts mean that the
        untreated outcome would have fallen. ``attrs`` has the Monte Carlo errors ``drift_mcse`` (of
        the interval's end) and ``judged_mcse`` (of the ratio that is judged). Not applicable when
        the interval holds zero.

    Notes
    -----
    On the log scale the placebos' gaps are in log units and are taken as shares of the average
    counterfactual.

    References
    ----------
    Rosenbaum (2002), Observational Studies, chapter 4, for the idea of sensitivity to hidden bias.
    Firpo and Possebom (2018), Journal of Causal Inference 6(2), for it in synthetic control.
    Rambachan and Roth (2023), Review of Economic Studies 90(5), for drifts that grow.

    Examples
    --------
    >>> bs.checks.hidden_bias(fit).verdict
    'pass'
    """
    effect = fit.effect("average")
    lower, upper = (float(bound) for bound in effect.interval(ci_prob))
    drift = lower if lower > 0 else upper if upper < 0 else min(lower, upper, key=abs)
    (error,) = end_errors(effect.draws, drift)
    if lower <= 0 <= upper:
        interval = f"[{as_text(effect, lower)}, {as_text(effect, upper)}] ({per_cent(ci_prob)} ETI)"
        near = "nearly none: its nearer end has a Monte Carlo error of"
        doubt = f" (or {near} {error:.1g})" if abs(drift) <= NEAR * error else ""
        reason = f"The interval {interval} of the average effect holds zero: there is nothing"
        return not_applicable("hidden_bias", QUESTION, f"{reason}{doubt} to overturn.")
    placebos = _placebo_drifts(fit)
    table = _drift_table(fit, drift, placebos)
    usual = "over_placebos" if len(placebos) else "over_gap_sd"
    size = float(table[usual]["constant"])
    relative_error = error * (size / abs(drift)) if np.isfinite(size) else 0.0
    # The smaller the drift, the worse.
    verdict = graded(-size, -caution, -fail, relative_error)
    limits = {"ci_prob": ci_prob, "caution": caution, "fail": fail, "judged_by": usual}
    limits |= {"judged_mcse": relative_error, "drift_mcse": error}
    return Check(
        "hidden_bias",
        QUESTION,
        verdict,
        _hidden_bias_reason(fit, thresholds(table, **limits)),
        table,
        partial(_draw_drifts, fit, drift, ci_prob),
    )


def _hidden_bias_reason(fit: AbstractFit, table: pd.DataFrame) -> str:
    effect, each = fit.effect("average"), per_period(len(fit.panel.treated))
    constant, attrs = table.loc["constant"].astype(float).to_dict(), table.attrs
    end = float(table["drift"]["growing"])
    size = constant[attrs["judged_by"]]
    known = known_to(size, attrs["judged_mcse"], attrs["caution"], attrs["fail"])
    sizes = [f"{constant['over_gap_sd']:.2g} sds of the gap before treatment"]
    if not np.isnan(constant["over_placebos"]):
        sizes = [f"{constant['over_placebos']:.2g} times the placebos' usual drift", *sizes]
    return (
        f"A constant drift of {as_text(effect, constant['drift'])} {each}, "
        f"{' and '.join([f'{sizes[0]} {known}', *sizes[1:]])}, or one that "
        f"grows to {as_text(effect, end)}, would bring the "
        f"{per_cent(attrs['ci_prob'])} interval to zero, on top of what it allows for."
    )


def _gap_sd(fit: AbstractFit) -> float:
    """Return the sd of observed minus synthetic before treatment, in outcome units."""
    pre = fit.panel.pre.to_numpy()
    synthetic = fit.synthetic.mean(("chain", "draw")).sel(time=pre)
    return float((fit.panel.treated_outcome.sel(time=pre) - synthetic).std(ddof=1))


def _placebo_drifts(fit: AbstractFit) -> np.ndarray:
    """Return average gaps of the placebos, rescaled to the treated unit's step; outcome units."""
    table = fit.calibration.table
    paths = fit.idata["predictions"]["counterfactual"]
    usual = paths.median(("chain", "draw")).mean("time").to_numpy()
    size = float(np.exp(-fit.problem.inputs.scale.log_slope(usual)))
    ratio = (table["error"] / table["step"]).to_numpy(float)
    return np.asarray(ratio * fit.problem.inputs.step * size)


def _drift_table(fit: AbstractFit, drift: float, placebos: np.ndarray) -> pd.DataFrame:
    gap_sd = _gap_sd(fit)
    seen = fit.panel.treated_outcome.sel(time=fit.panel.post.to_numpy()).notnull().to_numpy()
    steps = np.arange(1, len(seen) + 1)
    slope = drift / steps[seen].mean()
    usual = float(np.sqrt(np.mean(placebos**2))) if len(placebos) else np.nan
    as_large = float(np.mean(np.abs(placebos) >= abs(drift))) if len(placebos) else np.nan
    sizes = pd.Series({"constant": drift, "growing": slope * steps[seen][-1]})
    table = pd.DataFrame({"drift": sizes, "per_period": [np.nan, slope]})
    return table.assign(
        over_gap_sd=sizes.abs() / gap_sd if gap_sd > 0 else np.inf,
        over_placebos=sizes.abs() / usual,
        placebos_as_large=as_large,
    ).rename_axis("shape")


def _draw_drifts(
    fit: AbstractFit, drift: float, ci_prob: float, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    """Draw the interval of the effect that is left, by drift, and the drifts of the placebos."""
    effect, placebos = fit.effect("average"), _placebo_drifts(fit)
    lower, upper = (float(bound) for bound in effect.interval(ci_prob))
    ends = np.array([min(0, 1.6 * drift, *placebos), max(0, 1.6 * drift, *placebos)])
    shaded = {"color": "C0", "alpha": 0.3}
    layers = {
        "interval": Layer("band", ends, lower - ends, upper - ends, style=shaded),
        "median": Layer("line", ends, float(effect.draws.median()) - ends),
        "zero": Layer("horizontal", y=0),
        "drift": Layer("vertical", drift),
    }
    if len(placebos):
        layers["placebos"] = Layer("points", placebos, np.zeros(len(placebos)), style=HOLLOW)
    legend = [
        Entry("effect that is left, median", "line", "C0"),
        Entry(f"{per_cent(ci_prob)} ETI", "band", "C0", 0.3),
        Entry(
            f"brings it to zero: {as_text(effect, drift)}",
            "line",
            "B1",
            0.8,
            width=1.2,
            dash="dashed",
        ),
    ]
    legend += [Entry("drifts of placebos", "points", "gray", 0.8, hollow=True)] * bool(
        len(placebos)
    )
    title = "Effect that is left if the untreated outcome had drifted"
    measure = f"constant drift ({shortened(effect.measure, 60)})"
    axes = Axes(title, layers, measure, "average effect", legend=legend)
    return picture({"drift": axes}, options, fit=fit, height=420)
