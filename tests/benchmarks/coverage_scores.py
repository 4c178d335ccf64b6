"""Score one fit of a unit without effect (or with a known one) for the scoreboard: numbers only."""

import warnings
from typing import Any

import numpy as np
import xarray as xr
from real_panels import sdid_effect, simplex_effect

import bayes_synth as bs
from bayes_synth.results.convergence import watched

LEVELS = (0.5, 0.8, 0.9, 0.95)
NEGATIVE = "iid, not calibrated, halved"
HALF_NORMAL, LOCAL_LEVEL = bs.priors.HalfNormal, bs.noise.LocalLevel
MODELS: dict[str, bs.SyntheticControl] = {
    "default": bs.SyntheticControl(),
    "one part, as in 0.1": bs.SyntheticControl(
        calibrate=bs.Calibration(degrees_of_freedom=5, pooling=0.5, growth_sd=0, q_factors=(1.0,))
    ),
    "q prior x 0.5": bs.SyntheticControl(noise=LOCAL_LEVEL(q=HALF_NORMAL(0.25))),
    "q prior x 0.25": bs.SyntheticControl(noise=LOCAL_LEVEL(q=HALF_NORMAL(0.125))),
    "free initial level": bs.SyntheticControl(noise=LOCAL_LEVEL(initial_level=np.inf)),
    NEGATIVE: bs.SyntheticControl(noise=bs.noise.IID(), calibrate=False),
}


def score_fit(
    panel: bs.Panel, model: str, *, truth: float, seed: int, draws: int = 1000
) -> dict[str, Any]:
    """Fit through the public API and score against the true average effect, in outcome units."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.errors.ConvergenceWarning)  # recorded below as ``ok``
        fit = MODELS[model].fit(
            panel,
            draws=draws,
            tune=draws,
            chains=4 if draws >= 1000 else 2,
            cores=1,
            random_seed=seed,
            progressbar=False,
        )
    average = fit.effect("average").draws.to_numpy().ravel()
    raw = watched(fit.panel, fit.model, fit.idata)["average effect"].to_numpy().ravel()
    if model == NEGATIVE:
        average = average.mean() + 0.5 * (average - average.mean())
    pre, outcome = len(panel.pre), panel.treated_outcome.to_numpy()
    donors = panel.donor_outcomes.to_numpy()
    return {
        "mean": float(average.mean()),
        "truth": truth,
        "crps": crps(average, truth),
        "bounds": {str(level): quantiles(average, level) for level in LEVELS},
        "uncalibrated": quantiles(raw, 0.95),
        "pointwise": pointwise(fit.effect("pointwise").draws, truth),
        "statements": statements(fit, truth),
        "factor": fit.calibration.width_ratio,
        "alarms": [code for code, _ in fit.alarms],
        "kappa": None if fit.calibration.kappa is None else float(fit.calibration.kappa.mean()),
        "ok": fit.ok,
        "fit_ratio": fit.fit_verdict.ratio,
        "simplex": simplex_effect(outcome, donors, pre),
        "sdid": sdid_effect(outcome, donors, pre),
        "pre_sd": float(outcome[:pre].std(ddof=1)),
        "pre_mean": float(outcome[:pre].mean()),
        "trend": float(np.polyfit(np.arange(pre), outcome[:pre], 1)[0]),
    }


def quantiles(draws: np.ndarray, level: float) -> list[float]:
    """Equal-tailed interval."""
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]).tolist()


def crps(draws: np.ndarray, truth: float) -> float:
    """Continuous ranked probability score of the draws (Gneiting and Raftery 2007, eq. 21)."""
    ordered, n = np.sort(draws), len(draws)
    spread = (2 * np.arange(1, n + 1) - n - 1) @ ordered / n**2
    return float(np.abs(draws - truth).mean() - spread)


def interval_score(low: Any, high: Any, truth: Any, alpha: float = 0.05) -> Any:
    """Winkler's score of a central interval, its width plus a penalty (Gneiting, Raftery 2007, eq.
    43).
    """
    return high - low + 2 / alpha * (np.maximum(low - truth, 0) + np.maximum(truth - high, 0))


def statements(fit: bs.Fit, truth: float) -> dict[str, float]:
    """Share of intervals that hold a constant effect, by statement and level, and of bands."""
    effect = fit.effect("pointwise").draws
    paths = effect.to_numpy().reshape(-1, effect.sizes["time"]) - truth
    parts = np.array_split(np.arange(paths.shape[1]), min(3, paths.shape[1]))
    thirds = np.stack([paths[:, part].mean(1) for part in parts], axis=1)
    running = paths.cumsum(1)
    draws = {
        "first": paths[:, :1],
        "single": paths,
        "first third": thirds[:, :1],
        "last third": thirds[:, -1:],
        "thirds": thirds,
        "running": running,
    }
    held = {
        f"{name} {level}": _held(values, level)
        for name, values in draws.items()
        for level in LEVELS
    }
    for name in ("pointwise", "cumulative"):
        band = fit.effect(name).band(0.95).to_numpy()
        low, high = band if band.shape[0] == 2 else band.T
        true = truth * (np.ones(len(low)) if name == "pointwise" else np.arange(1, len(low) + 1))
        held[f"band {name}"] = float(((low <= true) & (true <= high)).all())
    return held


def _held(paths: np.ndarray, level: float) -> float:
    low, high = np.quantile(paths, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return float(((low <= 0) & (high >= 0)).mean())


def pointwise(effect: xr.DataArray, truth: float) -> dict[str, float]:
    """Share of post-periods whose interval holds the truth; the effect is constant over them."""
    paths = effect.to_numpy().reshape(-1, effect.sizes["time"])
    covered = {}
    for level in LEVELS:
        low, high = np.quantile(paths, [(1 - level) / 2, (1 + level) / 2], axis=0)
        covered[str(level)] = float(((low <= truth) & (truth <= high)).mean())
    return covered
