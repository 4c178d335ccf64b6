"""Fit: whether the donors follow the treated unit before treatment, out of sample first, and what they leave behind."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.checks.innovations import (
    SHORT,
    innovations,
    noise_at,
    periods_seen,
    residual_of,
    typical,
)
from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.checks.result import Check, check, graded, not_applicable, thresholds, worst
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.fit_verdict import FAIR, GOOD

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["fit_quality"]

QUESTION = "Do the donors follow the treated unit before treatment?"
DRAWS, REPLICATES = 100, 4000


@check(QUESTION, place=1)
def fit_quality(
    fit: AbstractFit,
    *,
    caution: float = GOOD,
    fail: float = FAIR,
    rmse: float = 0.5,
    p_value: float = 0.01,
) -> Check:
    """Whether the donors follow the treated unit before treatment.

    Parameters
    ----------
    fit
        The fit.
    caution, fail
        Held-out error with donors over the error of a local level without donors, from rolling origins: the largest that
        passes, and that is not failed (as in the headline; at 1 the donors add nothing).
    rmse
        Largest root mean square gap over the pre-period's standard deviation that passes; above 1 the unit's own mean
        would do better, and the check fails. In sample, so it comes second (Abadie 2021, section 3.3, warns of a bad fit
        and gives no number; ours is half of the sd, above what noise alone brings on clean simulated panels).
    p_value
        Smallest posterior predictive p-value of a residual statistic that passes, two-sided for mean, trend and
        autocorrelation; there are five, and such p-values err towards passing (our threshold).

    Returns
    -------
    Check
        Table: one row per statistic with ``value``, ``p_value`` (residuals only) and ``verdict``. Residuals are
        one-step-ahead errors over their standard deviations, under draws of weights and noise. ``noise_share_...`` is a
        parameter's share of the variance of the average counterfactual; it informs and has no verdict.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 3.3 and 5. Gelman, Meng and Stern (1996), Statistica
    Sinica 6, for posterior predictive p-values of discrepancies. Jarque and Bera (1987), International Statistical
    Review 55(2), for the statistic of normality.
    """
    inputs = fit.problem.inputs
    if len(periods_seen(inputs)) < SHORT:
        reason = f"{len(periods_seen(inputs))} pre-periods with an outcome are too few; at least {SHORT} are needed."
        return not_applicable("fit_quality", QUESTION, reason)
    table = pd.concat(
        [_outside(fit, caution, fail), _inside(fit, rmse), _left_behind(fit, p_value)]
    )
    table = table.rename_axis("statistic")
    return Check(
        "fit_quality",
        QUESTION,
        worst(table["verdict"]),
        _reason(fit, table),
        thresholds(table, caution=caution, fail=fail, rmse=rmse, p_value=p_value),
        partial(_draw, fit),
    )


def _rows(rows: dict[str, tuple[float, float, str]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "p_value", "verdict"])


def _outside(fit: AbstractFit, caution: float, fail: float) -> pd.DataFrame:
    """Held-out error, and what the forecast's variance is made of."""
    found = fit.fit_verdict
    verdict = graded(found.ratio, caution, fail) if np.isfinite(found.ratio) else "not applicable"
    rows = {"held_out_error_ratio": (found.ratio, np.nan, verdict)}
    shares = {
        f"noise_share_{name}": (share, np.nan, "not applicable")
        for name, share in found.noise_share.items()
    }
    return _rows(rows | shares)


def _inside(fit: AbstractFit, rmse: float) -> pd.DataFrame:
    pre = fit.panel.pre.to_numpy()
    observed = fit.panel.treated_outcome.sel(time=pre)
    gap = observed - fit.synthetic.mean(("chain", "draw")).sel(time=pre)
    ratio = float(np.sqrt((gap**2).mean()) / observed.std(ddof=1))
    return _rows({"rmse_over_sd": (ratio, np.nan, graded(ratio, rmse, 1.0))})


def _correlation(z: np.ndarray, w: np.ndarray) -> np.ndarray:
    z, w = z - z.mean(1, keepdims=True), w - w.mean(1, keepdims=True)
    return np.asarray((z * w).sum(1) / np.sqrt((z**2).sum(1) * (w**2).sum(1)))


def _jarque_bera(z: np.ndarray) -> np.ndarray:
    z = z - z.mean(1, keepdims=True)
    spread = (z**2).mean(1)
    skewness, kurtosis = (z**3).mean(1) / spread**1.5, (z**4).mean(1) / spread**2
    return np.asarray(z.shape[1] / 6 * (skewness**2 + (kurtosis - 3) ** 2 / 4))


STATISTICS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "residual_mean": (lambda z: z.mean(1), True),
    "residual_trend": (lambda z: _correlation(z, np.arange(z.shape[1], dtype=float)[None]), True),
    "residual_autocorrelation": (lambda z: _correlation(z[:, 1:], z[:, :-1]), True),
    "residual_jarque_bera": (_jarque_bera, False),
    "residual_largest": (lambda z: np.abs(z).max(1), False),
}
"""Functions of residuals with dims draw and time, and whether small values are as odd as large ones."""


def _left_behind(fit: AbstractFit, least: float) -> pd.DataFrame:
    """Statistics of the residuals, against residuals that are what they should be: independent, standard normal."""
    found = _residual_draws(fit)
    expected = np.random.default_rng(0).standard_normal((REPLICATES, found.shape[1]))
    rows = {}
    for name, (statistic, two_sided) in STATISTICS.items():
        values, reference = statistic(found), np.sort(statistic(expected))
        above = 1 - float(np.searchsorted(reference, values).mean()) / REPLICATES
        p = min(1.0, 2 * min(above, 1 - above)) if two_sided else above
        rows[name] = (float(values.mean()), p, "pass" if p >= least else "caution")
    return _rows(rows)


def _residual_draws(fit: AbstractFit) -> np.ndarray:
    """Standardised one-step-ahead residuals, dims draw and time, for draws spread evenly over the posterior."""
    inputs, weights = fit.problem.inputs, fit.idata["posterior"]["weights"].to_numpy()
    chosen = np.unique(np.linspace(0, weights.shape[0] * weights.shape[1] - 1, DRAWS).astype(int))
    places = np.column_stack(np.unravel_index(chosen, weights.shape[:2])).tolist()
    noise = fit.model.process
    pairs = ((noise_at(fit, chain, draw), weights[chain, draw]) for chain, draw in places)
    return np.array([innovations(noise, draws, residual_of(inputs, w)) for draws, w in pairs])


def _reason(fit: AbstractFit, table: pd.DataFrame) -> str:
    share = float(table["value"]["rmse_over_sd"])
    gap = f"in sample the gap's RMSE is {share:.2g} of the pre-period's sd"
    odd = table[table["p_value"].notna() & (table["verdict"] != "pass")]["p_value"]
    names: list[str] = odd.index.astype(str).str.removeprefix("residual_").tolist()
    rows = [f"{name} (p = {p:.2g})" for name, p in zip(names, odd, strict=True)]
    return f"Out of sample: {fit.fit_verdict}; {gap}; " + (
        f"odd in the residuals: {', '.join(rows)}."
        if rows
        else "the residuals look like the noise that was assumed."
    )


def _draw(fit: AbstractFit, *, backend: str | None = None) -> "PlotCollection":
    """Residuals at the posterior mean over time, and their autocorrelations."""
    inputs, weights = (
        fit.problem.inputs,
        fit.idata["posterior"]["weights"].mean(("chain", "draw")).to_numpy(),
    )
    z = innovations(fit.model.process, typical(fit), residual_of(inputs, weights))
    times = fit.panel.pre.to_numpy()[periods_seen(inputs)][1:]
    lags = np.arange(1, min(10, len(z) // 2) + 1)
    centred = z - z.mean()
    correlations = np.array([(centred[k:] * centred[:-k]).sum() for k in lags]) / (centred**2).sum()
    bound = 2 / np.sqrt(len(z))
    residuals = {
        "zero": Layer("horizontal", y=0),
        "low": Layer("horizontal", y=-2),
        "high": Layer("horizontal", y=2),
        "line": Layer("line", times, z, style={"alpha": 0.5, "width": 1}),
        "points": Layer("points", times, z),
    }
    bars = {
        f"lag_{k}": Layer("line", np.array([k, k]), np.array([0, r]), style={"width": 4})
        for k, r in zip(lags, correlations, strict=True)
    }
    references = {
        "zero": Layer("horizontal", y=0),
        "low": Layer("horizontal", y=-bound),
        "high": Layer("horizontal", y=bound),
    }
    title = "What the noise did not expect before treatment\none-step-ahead errors over their sd (19 of 20 within 2)"
    panels = {
        "residuals": Axes(title, residuals, fit.panel.time, "standardised residual"),
        "autocorrelation": Axes(
            "Their autocorrelation (dashed: 2 / sqrt(n))",
            bars | references,
            "lag (periods)",
            "correlation",
        ),
    }
    return picture(panels, fit=fit, backend=backend)
