"""From a panel to a fit: sample, calibrate on the donors, label, judge."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bayes_synth.calibration import Placebos
from bayes_synth.convergence import DRAWS
from bayes_synth.draws import calibrated_groups, posterior_groups, prior_groups, tree
from bayes_synth.errors import ConvergenceWarning, PriorError, SamplingFailed
from bayes_synth.fit import Fit
from bayes_synth.memory import check_memory
from bayes_synth.model import SyntheticControl, scaled, task_for
from bayes_synth.noise_choice import choose_noise
from bayes_synth.panel import Panel
from bayes_synth.placebos import placebos
from bayes_synth.provenance import add_to_sampling, provenance
from bayes_synth.sampling import Sampled, Settings, sample

__all__ = ["account", "assemble", "fit_panel", "recorded", "stricter"]


def fit_panel(model: SyntheticControl, panel: Panel, settings: Settings, *, strict: bool) -> Fit:
    """Sample, label, judge; see :meth:`SyntheticControl.fit`."""
    if not isinstance(panel, Panel):
        raise PriorError(
            "O001", f"fit() takes a bs.Panel, got {type(panel).__name__}; build one with bs.Panel.from_long(...)."
        )
    check_memory(model, panel, settings)
    model, scores = choose_noise(model, panel, settings)
    plan = model.calibration
    found = placebos(model, panel, plan, settings) if plan else None
    stopped = _stopped(found) if found else ""
    if stopped and strict:
        raise _unfinished(f"calibration {stopped}")
    attempt = partial(_attempt, model, panel, found=found, scores=scores)
    # After one interrupt the next is not for us to catch.
    fit = attempt(settings, whole=bool(stopped))
    attempts = [fit]
    interrupted = ""
    if _worth_another(fit):
        try:
            attempts.append(attempt(stricter(settings), whole=True))
        except KeyboardInterrupt:
            interrupted = "second attempt interrupted, the first is kept"
        except SamplingFailed as error:
            interrupted = f"second attempt failed, the first is kept ({error.code})"
    return _judged(attempts, interrupted, strict=strict)


def _judged(attempts: list[Fit], interrupted: str, *, strict: bool) -> Fit:
    """The attempt to keep, with its record; what is wrong with it is warned about, or raised."""
    fit = min(reversed(attempts), key=_trouble)
    partial = [*fit._sampling["partial"], *([interrupted] if interrupted else [])]
    if partial and strict:
        raise _unfinished("; ".join(partial))
    more = {"partial": partial} if interrupted else {}
    fit = recorded(fit, **more, attempts=[_account(each, kept=each is fit) for each in attempts])
    if fit._convergence.problems and strict:
        raise SamplingFailed("S003", f"{fit._convergence}\n  With strict=False the fit comes back, marked.")
    return _warned(fit)


def _worth_another(fit: Fit) -> bool:
    """Whether smaller steps, or more sweeps of slices, might mend what is wrong."""
    verdict, draws = fit._convergence, fit.idata["posterior"].to_dataset().sizes
    enough = draws["chain"] * draws["draw"] >= DRAWS
    mixing = bool(verdict.problems) and enough and fit._sampling["sampled_by"] == "slice"
    return (verdict.steps or mixing) and not verdict.partial


def _trouble(fit: Fit) -> tuple[int, int]:
    """What attempts are compared by, nothing of the effect; of equals the one with smaller steps is kept."""
    return len(fit._convergence.problems), fit._convergence.divergences


def _account(fit: Fit, *, kept: bool) -> dict[str, Any]:
    return account(fit._sampling, fit._convergence.problems, fit._convergence.divergences, kept=kept)


def account(settings: Mapping[str, Any], problems: Sequence[str], divergences: int, *, kept: bool) -> dict[str, Any]:
    """One attempt in plain values."""
    how = {name: settings[name] for name in ("target_accept", "tune")}
    return how | {"problems": list(problems), "divergences": divergences, "kept": kept}


def recorded(fit: Fit, **more: Any) -> Fit:
    """The fit with more in its provenance."""
    fit.idata.attrs["bayes_synth"] = add_to_sampling(fit.idata.attrs["bayes_synth"], **more)
    # A fit keeps its verdict once asked: where that changes, ask a new one.
    return replace(fit) if "partial" in more else fit


def _warned(fit: Fit) -> Fit:
    """What is to be said of the fit, said, and kept with what was said of its panel."""
    verdict, said = fit._convergence, [f"[{code}] {text}" for code, kind, text in fit.panel.remarks if kind == "warned"]
    if verdict.problems:
        said.append(f"[S003] {verdict}")
        warnings.warn(f"[S003] {verdict}", ConvergenceWarning, stacklevel=5)
    if verdict.partial:
        text = f"PARTIAL: {'; '.join(verdict.partial)}. Run it again for all of it."
        said.append(f"[S004] {text}")
        warnings.warn(f"[S004] {text}", ConvergenceWarning, stacklevel=5)
    return recorded(fit, warnings=said)


def _unfinished(what: str) -> SamplingFailed:
    return SamplingFailed("S004", f"{what}. With strict=False what is whole comes back, marked.")


def _attempt(
    model: SyntheticControl,
    panel: Panel,
    settings: Settings,
    *,
    found: Placebos | None,
    scores: pd.DataFrame | None,
    whole: bool,
) -> Fit:
    seed, rng = settings.streams()
    sampled = sample(task_for(model, panel, like=panel), settings, seed, partial=not whole)
    return assemble(model, panel, settings, sampled, rng, found, scores)


def stricter(settings: Settings) -> Settings:
    """A quarter of the distance to an acceptance rate of one, and twice the tuning; slices look at the attempt's number."""
    return replace(
        settings,
        target_accept=1 - (1 - settings.target_accept) / 4,
        tune=2 * settings.tune,
        attempt=settings.attempt + 1,
    )


def _stopped(found: Placebos) -> str:
    """An interrupt of the refits, and which intervals it leaves."""
    left = "calibrated on those that were whole" if found.enough else "too few to calibrate on"
    return f"{found.stopped}, {left}" if found.stopped else ""


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
    if model.calibration and found is not None and found.enough:
        groups |= calibrated_groups(
            groups, found, model.calibration, scaled(model, panel), settings.calibration_stream()
        )
    groups |= {"sample_stats": sampled.sample_stats} | prior_groups(model, panel, settings.draws, rng)
    if scores is not None:
        groups["noise_scores"] = scores.to_xarray()
    idata = tree(groups)
    idata.attrs["bayes_synth"] = provenance(model, panel, settings, sampled, stopped=_stopped(found) if found else "")
    return Fit(panel, model, idata)
