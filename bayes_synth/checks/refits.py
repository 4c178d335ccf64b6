"""Refits for checks: other panels and models on the compiled model of the fit, spread by the fit's own kappa.

A refit is not calibrated anew: kappa is a fact about this panel's donors, and its draws are taken from the fit.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import arviz_stats
import joblib
import numpy as np
import pandas as pd
import xarray as xr
from rich.progress import track
from threadpoolctl import threadpool_limits

from bayes_synth.calibration import Calibration, spread
from bayes_synth.draws import predicted
from bayes_synth.effects import effect_draws
from bayes_synth.fit import Fit
from bayes_synth.model import SyntheticControl, task_for
from bayes_synth.panel import Panel
from bayes_synth.placebos import R_HAT
from bayes_synth.sampling import Settings, entropy, sample

__all__ = ["Case", "Refit", "refits", "spread_by_kappa"]


class Case(NamedTuple):
    """What to refit; ``without`` names placebos whose z-scores must not enter kappa."""

    model: SyntheticControl
    panel: Panel
    without: tuple[str, ...] = ()


class Refit(NamedTuple):
    """One refit: ``effects`` as in a fit's group of that name, mean weights by donor, and whether it has settled."""

    effects: xr.Dataset
    weights: pd.Series
    ok: bool


def refits(
    fit: Fit, cases: Mapping[str, Case], *, random_seed: int = 0, progressbar: bool = True, what: str = "Refitting"
) -> dict[str, Refit]:
    """Every case, several at a time; the same answers in any order and number of cores.

    Parameters
    ----------
    fit
        Whose compiled model, size of refits (those of its calibration) and kappa are used.
    cases
        By label; a case's seed comes from its label.
    random_seed, progressbar
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    what
        Said beside the bar.
    """
    plan = fit.model.calibration or Calibration()
    settings = Settings.checked(
        draws=plan.draws,
        tune=plan.tune,
        chains=plan.chains,
        target_accept=plan.target_accept,
        sampler="nutpie",
        cores=1,
        random_seed=random_seed,
        progressbar=False,
    )
    pool = joblib.Parallel(n_jobs=joblib.cpu_count(), backend="threading", return_as="generator")
    with threadpool_limits(1, user_api="blas"):
        answers = pool(joblib.delayed(_settled)(fit, case, _seeded(settings, label)) for label, case in cases.items())
        shown = track(answers, what, total=len(cases), transient=True, disable=not progressbar)
        return dict(zip(cases, shown, strict=True))


def _seeded(settings: Settings, label: str) -> Settings:
    return replace(settings, random_seed=entropy(np.random.SeedSequence([settings.random_seed, *label.encode()])))


def _settled(fit: Fit, case: Case, settings: Settings) -> Refit:
    """A refit; one that has not settled is run once more, three times as long."""
    found = _refit(fit, case, settings)
    longer = replace(settings, draws=3 * settings.draws, tune=3 * settings.tune)
    return found if found.ok else _refit(fit, case, longer)


def _refit(fit: Fit, case: Case, settings: Settings) -> Refit:
    seed, rng = settings.streams()
    like = fit.panel if set(case.panel.donors) <= set(fit.panel.donors) else case.panel
    sampled = sample(task_for(case.model, case.panel, like=like), settings, seed)
    path, inputs = predicted(case.model, case.panel, sampled.posterior, rng)
    observed = case.panel.treated_outcome.sel(time=case.panel.post.to_numpy())
    average = path.where(observed.notnull()).mean("time")
    r_hat = float(arviz_stats.rhat(average.to_dataset(name="average"))["average"])
    path = spread_by_kappa(fit, path, observed.notnull(), inputs.scale, case.without, settings.calibration_stream())
    weights = sampled.posterior["weights"].mean(("chain", "draw")).to_numpy()[: len(case.panel.donors)]
    diverging = float(sampled.sample_stats["diverging"].mean())
    return Refit(
        effect_draws(observed, inputs.measure.back(path)),
        pd.Series(weights, index=pd.Index(case.panel.donors, dtype=object)),
        r_hat <= R_HAT and diverging <= 0.01,
    )


def spread_by_kappa(
    fit: Fit, path: xr.DataArray, seen: xr.DataArray, scale: float, without: tuple[str, ...], rng: np.random.Generator
) -> xr.DataArray:
    """A predictive path on the model's scale, spread as the fit's own was, without these placebos' evidence."""
    plan, found = fit.model.calibration, fit.calibration
    if plan is None or found.kappa is None:
        return path
    others = plan.scored(found.table.drop(index=[label for label in without if label in found.table.index]))
    coords = {dim: path[dim] for dim in ("chain", "draw")}
    draws = plan.draw(others["z"].to_numpy(), path.shape[:2], rng)
    kappa, lam = (xr.DataArray(values, dims=("chain", "draw"), coords=coords) for values in draws)
    sd = float(path.where(seen).mean("time").std(ddof=1))
    return spread(path, plan.pooled(sd, scale, others) / sd * kappa, lam)
