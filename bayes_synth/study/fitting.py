"""Fit every unit of a study, with shocks and calibration in common."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bayes_synth.api import Fit
from bayes_synth.errors import SamplingFailed
from bayes_synth.fitting.calendar_choice import choose_calendar
from bayes_synth.fitting.extend import Posteriors, remembered
from bayes_synth.fitting.fit_panel import Prepared, Shared, fit_panel, fit_prepared
from bayes_synth.fitting.memory import SHARE, available, draw_bytes
from bayes_synth.fitting.noise_choice import choose_noise
from bayes_synth.fitting.scale_choice import choose_scale
from bayes_synth.model.calibration import require_excluded
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.settings import Settings, entropy
from bayes_synth.sampling.task import Sampled
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.evidence import SetEvidence, learn_from_sets, placebos_of
from bayes_synth.study.joint_fit import JointFit
from bayes_synth.study.members import positions, refit_sets
from bayes_synth.study.sets import placebo_sets
from bayes_synth.study.shocks import CalendarShocks, label_seed
from bayes_synth.study.workers import HERE, UnitTask, Workers
from bayes_synth.words import listed

__all__ = ["fit_jointly"]

KAPPA = 7
"""Stream of kappa and lambda, beside those of the units."""
REMEMBERED = 2**28
"""Draws of so many bytes are remembered for :meth:`JointFit.extend`; others are sampled again."""
COLUMNS = ("set", "donor", "role", "start", "horizon", "error", "sd", "z", "score", "step", "ok")
"""What the table of a joint fit's placebo sets shows of each member."""


def fit_jointly(
    study: AbstractStudyData[Any],
    model: AbstractSyntheticControl,
    settings: Settings,
    *,
    strict: bool,
    workers: Workers = HERE,
) -> JointFit:
    """Fit every treated unit; see :meth:`bayes_synth.SyntheticControl.fit`.

    Each unit has its own posterior of weights and noise: with one pool of donors and one start,
    least squares over correlated equations is least squares of each (Zellner 1962, JASA 57). What
    the units share enters the joint predictive.

    Raises
    ------
    SamplingFailed
        As for one unit; S005 when the draws of all units would take too much memory.
    KeyboardInterrupt
        When it is interrupted: a part of the units is not the study. What a store holds is kept.
    """
    if len(study.treated) == 1:
        return _alone(study, model, settings, strict=strict)
    _require_memory(study, model, settings)
    earliest = min(study.treated, key=lambda unit: (study.starts[unit], unit))
    first = study.panels[earliest]
    choice = choose_scale(model, first, settings)
    model, scores = choose_noise(choice.model, first, settings)
    model, seasons = choose_calendar(model, first, settings)
    evidence, each = _calibrated(study, model, settings, workers)
    prepared = {
        unit: Prepared(
            Problem.of(model, panel, pool=study.donors),
            each.get(unit),
            scores,
            choice,
            seasons,
            _shared(study, unit, model, settings),
        )
        for unit, panel in study.panels.items()
    }
    return JointFit(study, _fitted(prepared, settings, workers, strict=strict), _table(evidence))


def _fitted(
    prepared: Mapping[str, Prepared], settings: Settings, workers: Workers, *, strict: bool
) -> dict[str, Fit]:
    """Sample and label every unit; the draws are remembered while they are small."""
    tasks = {
        unit: UnitTask(each.problem, each.alternatives, _unit_settings(settings, unit))
        for unit, each in prepared.items()
    }
    fits: dict[str, Fit] = {}
    remembering = 0
    shown = bool(settings.progressbar)
    with bar("Fitting the treated units", len(tasks), shown=shown) as counted:
        for unit, posteriors in workers.sampled(tasks):
            fitted = fit_prepared(
                prepared[unit],
                tasks[unit].settings,
                strict=strict,
                draw=partial(_whole, posteriors),
            )
            fit = Fit(prepared[unit].problem.panel, *fitted)
            remembering += posteriors.nbytes
            fits[unit] = remembered(fit, posteriors) if remembering <= REMEMBERED else fit
            counted.tick()
    return {unit: fits[unit] for unit in prepared}


def _shared(
    study: AbstractStudyData[Any], unit: str, model: AbstractSyntheticControl, settings: Settings
) -> Shared:
    """Return what a unit has in common with the others."""
    donors, seed = study.panels[unit].donors, settings.random_seed
    return Shared(
        CalendarShocks(seed).of(unit, donors, positions(study, unit), model.process),
        entropy(np.random.SeedSequence([seed, KAPPA])),
        listed(study.treated),
        seed,
    )


def _unit_settings(settings: Settings, unit: str) -> Settings:
    """Return the settings with the unit's own seed, which hangs on its label and the study's."""
    seed = np.random.SeedSequence([settings.random_seed, label_seed(unit)])
    return replace(settings, random_seed=entropy(seed), progressbar=False)


def _alone(
    study: AbstractStudyData[Any],
    model: AbstractSyntheticControl,
    settings: Settings,
    *,
    strict: bool,
) -> JointFit:
    """Fit the only unit as it would be fitted without a study, bit for bit."""
    ((unit, panel),) = study.panels.items()
    posteriors = Posteriors()
    fitted = fit_panel(model, panel, settings, strict=strict, draw=posteriors.sample)
    return JointFit(study, {unit: remembered(Fit(panel, *fitted), posteriors)})


def _calibrated(
    study: AbstractStudyData[Any],
    model: AbstractSyntheticControl,
    settings: Settings,
    workers: Workers,
) -> tuple[Sequence[SetEvidence], dict[str, Placebos]]:
    """Refit the placebo sets; nothing where the model is not to be calibrated or no set is left."""
    plan = model.calibration
    if plan is None:
        return (), {}
    require_excluded(plan.exclude, study.donors)
    sets = placebo_sets(study, plan)
    if not sets.members:
        return (), {}
    refitting = refit_sets(study, model, plan, sets, settings, workers)
    if not refitting.sets:
        return (), {}
    power = min(1.0, sets.independent / len(refitting.sets))
    evidence = learn_from_sets(refitting, study, plan, power)
    each = partial(placebos_of, evidence, refitting, study)
    return evidence, {unit: each(unit, power) for unit in study.treated}


def _table(evidence: Sequence[SetEvidence]) -> pd.DataFrame | None:
    """Return the members of the sets under the most probable prior on ``q``."""
    if not evidence:
        return None
    best = max(evidence, key=lambda each: each.share)
    scores = {name: each.score for each in best.sets for name in each.names}
    scored = best.rows.assign(score=pd.Series(scores))
    return scored[list(COLUMNS)].rename_axis("member")


def _whole(
    posteriors: Posteriors,
    problem: Problem,
    settings: Settings,
    seed: int,
    *,
    partial: bool = False,
) -> Sampled:
    """Sample; an interrupt ends the study, because draws of its units go together."""
    return posteriors.sample(problem, settings, seed, partial=False)


def _require_memory(
    study: AbstractStudyData[Any], model: AbstractSyntheticControl, settings: Settings
) -> None:
    """Refuse a study whose draws would take too much of the available memory."""
    free, size = available(), settings.size
    each: Any = (draw_bytes(model, panel, size.chains) for panel in study.panels.values())
    per_draw = sum(each)
    needed = per_draw * size.total
    if free is None or needed <= SHARE * free:
        return
    fitting = int(SHARE * free / per_draw / size.chains)
    raise SamplingFailed(
        "S005",
        f"{size.chains} chains of {size.draws} draws of {len(study.treated)} treated units would "
        f"take {needed / 1e9:.2g} GB; the limit is {SHARE * free / 1e9:.2g} GB, {SHARE:.0%} of the "
        f"available memory.\n  Up to {fitting} draws per chain fit: pass draws=....",
    )
