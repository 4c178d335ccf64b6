"""Fit quality: ask whether the donors follow the treated unit, out of sample first."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.innovations import (
    SHORT,
    innovations,
    jarque_bera,
    noise_at,
    periods_seen,
    residual_of,
    typical,
)
from bayes_synth.checks.pictures.layers import GREY, Axes, Layer, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds, worst
from bayes_synth.plots.legend import Entry
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.fit_verdict import FAIR, GOOD, WEIGHTS
from bayes_synth.results.weighted import adjusted

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["fit_quality"]

QUESTION = "Do the donors follow the treated unit before treatment?"
DRAWS, REPLICATES = 100, 4000


@check(QUESTION, place=1)
def fit_quality(
    fit: AbstractFit,
    *,
    caution: float = GOOD,
    fail: float = FAIR,
    weights: float = WEIGHTS,
    rmse: float = 0.5,
    p_value: float = 0.01,
) -> Check:
    """Ask whether the donors follow the treated unit before treatment.

    Parameters
    ----------
    fit
        The fit.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the held-out
        error with donors over that of the unit's own past, the better of a local level with a drift
        and without one, from rolling origins (as in the headline; at 1 the donors add nothing).
    weights
        Upper bound: up to ``weights`` it passes, above it is a caution. It bounds the held-out
        error with these weights over that with the donors' plain mean. At 1 the weights add
        nothing, which donors that are all alike explain; well above 1 they do harm (our
        threshold).
    rmse
        Upper bound: up to ``rmse`` it passes, above 1 it fails, because the unit's own mean would
        do better. It bounds the root mean square gap over the pre-period's standard deviation.
        That is in sample, so it comes second (Abadie 2021, section 3.3, warns of a bad fit and
        gives no number; ours is half of the sd, above what noise alone brings on clean simulated
        panels).
    p_value
        Lower bound: from ``p_value`` on it passes, below it is a caution. It bounds the posterior
        predictive p-value of each of five residual statistics, two-sided for mean, trend and
        autocorrelation; such p-values err towards passing (our threshold).

    Returns
    -------
    Check
        Table: one row per statistic with ``value``, ``p_value`` and its Monte Carlo error
        ``p_mcse`` (residuals only) and ``verdict``.
        Residuals are one-step-ahead errors over their standard deviations, under draws of weights
        and noise. ``noise_share_...`` is a parameter's share of the variance of the average
        counterfactual; it informs and has no verdict.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 3.3 and 5. Gelman, Meng and Stern
    (1996), Statistica Sinica 6, for posterior predictive p-values of discrepancies. Jarque and
    Bera (1987), International Statistical Review 55(2), for the statistic of normality.

    Examples
    --------
    >>> bs.checks.fit_quality(fit).verdict
    'pass'
    """
    inputs = adjusted(fit.problem, fit.idata).inputs
    if len(periods_seen(inputs)) < SHORT:
        few = f"{len(periods_seen(inputs))} pre-periods with an outcome are too few"
        return not_applicable("fit_quality", QUESTION, f"{few}; at least {SHORT} are needed.")
    held_out = _held_out(fit, caution, fail, weights)
    parts = held_out, _in_sample(fit, rmse), _residual_tests(fit, p_value)
    table = pd.concat(parts).rename_axis("statistic")
    limits = {"caution": caution, "fail": fail, "weights": weights}
    limits |= {"rmse": rmse, "p_value": p_value}
    return Check(
        "fit_quality",
        QUESTION,
        worst(table["verdict"]),
        _fit_quality_reason(fit, thresholds(table, **limits)),
        table,
        partial(_draw_residuals, fit),
    )


def _statistic_rows(rows: Mapping[str, tuple[float, float, str]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(
        dict(rows), orient="index", columns=["value", "p_value", "verdict"]
    )


def _held_out(fit: AbstractFit, caution: float, fail: float, weights: float) -> pd.DataFrame:
    """Tabulate held-out errors, and what the variance of the forecast consists of."""
    judged = fit.fit_verdict
    ratios = {
        "held_out_error_ratio": (judged.ratio_own, caution, fail),
        "held_out_over_plain_mean": (judged.ratio_mean, weights, np.inf),
    }
    rows = {
        name: (ratio, np.nan, graded(ratio, *limits) if np.isfinite(ratio) else "not applicable")
        for name, (ratio, *limits) in ratios.items()
    }
    shares = {
        f"noise_share_{name}": (share, np.nan, "not applicable")
        for name, share in judged.noise_share.items()
    }
    return _statistic_rows(rows | shares)


def _in_sample(fit: AbstractFit, rmse: float) -> pd.DataFrame:
    pre = fit.panel.pre.to_numpy()
    observed = fit.panel.treated_outcome.sel(time=pre)
    gap = observed - fit.synthetic.mean(("chain", "draw")).sel(time=pre)
    ratio = float(np.sqrt((gap**2).mean()) / observed.std(ddof=1))
    return _statistic_rows({"rmse_over_sd": (ratio, np.nan, graded(ratio, rmse, 1.0))})


def _correlation(z: np.ndarray, w: np.ndarray) -> np.ndarray:
    z, w = z - z.mean(1, keepdims=True), w - w.mean(1, keepdims=True)
    return np.asarray((z * w).sum(1) / np.sqrt((z**2).sum(1) * (w**2).sum(1)))


STATISTICS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "residual_mean": (lambda z: z.mean(1), True),
    "residual_trend": (lambda z: _correlation(z, np.arange(z.shape[1], dtype=float)[None]), True),
    "residual_autocorrelation": (lambda z: _correlation(z[:, 1:], z[:, :-1]), True),
    "residual_jarque_bera": (jarque_bera, False),
    "residual_largest": (lambda z: np.abs(z).max(1), False),
}
"""Functions of residuals, dims ``(draw, time)``, and whether small values are odd too."""


def _residual_tests(fit: AbstractFit, p_value: float) -> pd.DataFrame:
    """Compare statistics of the residuals with those of independent standard normal ones."""
    residuals = _residual_draws(fit)
    expected = np.random.default_rng(0).standard_normal((REPLICATES, residuals.shape[1]))
    rows, errors = {}, {}
    for name, (statistic, two_sided) in STATISTICS.items():
        values, reference = statistic(residuals), np.sort(statistic(expected))
        tails = 1 - np.searchsorted(reference, values) / REPLICATES
        above, sides = float(tails.mean()), 1 + two_sided
        p = min(1.0, sides * min(above, 1 - above)) if two_sided else above
        errors[name] = float(sides * tails.std() / np.sqrt(len(tails)))
        rows[name] = (float(values.mean()), p, graded(-p, -p_value, np.inf, errors[name]))
    return _statistic_rows(rows).assign(p_mcse=pd.Series(errors))


def _residual_draws(fit: AbstractFit) -> np.ndarray:
    """Return standardised residuals, dims ``(draw, time)``, for draws spread over the posterior."""
    inputs = adjusted(fit.problem, fit.idata).inputs
    weights = fit.idata["posterior"]["weights"].to_numpy()
    chosen = np.unique(np.linspace(0, weights.shape[0] * weights.shape[1] - 1, DRAWS).astype(int))
    places = np.column_stack(np.unravel_index(chosen, weights.shape[:2])).tolist()
    noise = fit.problem.process
    pairs = ((noise_at(fit, chain, draw), weights[chain, draw]) for chain, draw in places)
    return np.array([innovations(noise, draws, residual_of(inputs, w)) for draws, w in pairs])


def _fit_quality_reason(fit: AbstractFit, table: pd.DataFrame) -> str:
    share = float(table["value"]["rmse_over_sd"])
    gap = f"in sample the gap's RMSE is {share:.2g} of the pre-period's sd"
    odd = table[table["p_value"].notna() & (table["verdict"] != "pass")]
    names: list[str] = odd.index.astype(str).str.removeprefix("residual_").tolist()
    limit = table.attrs["p_value"]
    rows = [
        f"{name} p = {p:.2g} {known_to(p, error, limit)}"
        for name, p, error in zip(names, odd["p_value"], odd["p_mcse"], strict=True)
    ]
    usual = "the residuals look like the noise that was assumed"
    residuals = f"odd in the residuals: {', '.join(rows)}" if rows else usual
    return f"Out of sample: {fit.fit_verdict}; {gap}; {residuals}."


def _draw_residuals(fit: AbstractFit, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw residuals at the posterior mean over time, and their autocorrelations."""
    inputs = adjusted(fit.problem, fit.idata).inputs
    weights = fit.idata["posterior"]["weights"].mean(("chain", "draw")).to_numpy()
    z = innovations(fit.problem.process, typical(fit), residual_of(inputs, weights))
    times = fit.panel.pre.to_numpy()[periods_seen(inputs)][1:]
    residuals = {
        "line": Layer("line", times, z, style={"alpha": 0.5, "width": 1}),
        "points": Layer("points", times, z),
    }
    title = "What the noise did not expect before treatment, in its sds"
    legend = [Entry("19 of 20 lie within these", "line", "B1", 0.8, width=1.2, dash="dashed")]
    first = Axes(
        title,
        _references(2) | residuals,
        fit.panel.time,
        "standardised residual",
        legend=legend,
        limits=_limits(z, 2),
    )
    panels = {"residuals": first, "autocorrelation": _autocorrelation_axes(z)}
    return picture(panels, options, fit=fit)


def _limits(values: np.ndarray, bound: float) -> tuple[float, float]:
    """Return limits that hold the numbers and both lines of reference."""
    reach = 1.15 * max(bound, float(np.nanmax(np.abs(values))))
    return -reach, reach


def _references(bound: float) -> dict[str, Layer]:
    lines = {"low": -bound, "high": bound}
    ends = {name: Layer("horizontal", y=height) for name, height in lines.items()}
    return {"zero": Layer("horizontal", y=0, style=GREY | {"width": 1.0, "linestyle": "C0"})} | ends


def _autocorrelation_axes(z: np.ndarray) -> Axes:
    lags = np.arange(1, min(10, len(z) // 2) + 1)
    centred = z - z.mean()
    correlations = np.array([(centred[k:] * centred[:-k]).sum() for k in lags]) / (centred**2).sum()
    bars = {
        f"lag_{k}": Layer("line", np.array([k, k]), np.array([0, r]), style={"width": 4})
        for k, r in zip(lags, correlations, strict=True)
    }
    layers = bars | _references(2 / np.sqrt(len(z)))
    title = "Their autocorrelation"
    limits = _limits(correlations, 2 / np.sqrt(len(z)))
    return Axes(title, layers, "lag (periods)", "correlation", limits=limits)
