"""From a panel to a fit: sample, calibrate on the donors, label, judge."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_synth.calibration import Placebos
from bayes_synth.draws import calibrated_groups, posterior_groups, prior_groups, tree
from bayes_synth.errors import ConvergenceWarning, PriorError, SamplingFailed
from bayes_synth.fit import Fit
from bayes_synth.model import SyntheticControl, scaled, task_for
from bayes_synth.noise_choice import choose_noise
from bayes_synth.panel import Panel
from bayes_synth.placebos import placebos
from bayes_synth.provenance import provenance
from bayes_synth.sampling import Sampled, Settings, sample

__all__ = ["assemble", "fit_panel"]


def fit_panel(model: SyntheticControl, panel: Panel, settings: Settings, *, strict: bool) -> Fit:
    """Sample, label, judge; see :meth:`SyntheticControl.fit`."""
    if not isinstance(panel, Panel):
        raise PriorError(
            "O001", f"fit() takes a bs.Panel, got {type(panel).__name__}; build one with bs.Panel.from_long(...)."
        )
    model, scores = choose_noise(model, panel, settings)
    plan = model.calibration
    found = placebos(model, panel, plan, settings) if plan else None
    fit = _attempt(model, panel, settings, found, scores)
    if fit._convergence.steps:
        fit = _attempt(model, panel, _stricter(settings), found, scores)
    if not fit.ok and strict:
        raise SamplingFailed("S003", f"{fit._convergence}\n  With strict=False the fit comes back, marked.")
    if not fit.ok:
        warnings.warn(f"[S003] {fit._convergence}", ConvergenceWarning, stacklevel=3)
    return fit


def _attempt(
    model: SyntheticControl, panel: Panel, settings: Settings, found: Placebos | None, scores: pd.DataFrame | None
) -> Fit:
    seed, rng = settings.streams()
    return assemble(
        model, panel, settings, sample(task_for(model, panel, like=panel), settings, seed), rng, found, scores
    )


def _stricter(settings: Settings) -> Settings:
    """A quarter of the distance to an acceptance rate of one, and twice the tuning."""
    return replace(
        settings,
        target_accept=1 - (1 - settings.target_accept) / 4,
        tune=2 * settings.tune,
        attempt=settings.attempt + 1,
    )


def assemble(
    model: SyntheticControl,
    panel: Panel,
    settings: Settings,
    sampled: Sampled,
    rng: np.random.Generator,
    found: Placebos | None = None,
    scores: pd.DataFrame | None = None,
) -> Fit:
    """A fit from the sampler's draws: labelled, in outcome units, calibrated, with its provenance."""
    groups = posterior_groups(model, panel, sampled.posterior, rng)
    if model.calibration and found is not None and len(found.table):
        groups |= calibrated_groups(
            groups, found, model.calibration, scaled(model, panel), settings.calibration_stream()
        )
    groups |= {"sample_stats": sampled.sample_stats} | prior_groups(model, panel, settings.draws, rng)
    if scores is not None:
        groups["noise_scores"] = scores.to_xarray()
    idata = tree(groups)
    idata.attrs["bayes_synth"] = provenance(model, panel, settings, sampled)
    return Fit(panel, model, idata)
