"""Refit the members of the placebo sets, each as if it had been one of the treated units."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bayes_synth.errors import DesignError
from bayes_synth.fitting.placebos import answer_of, bind_refits, is_usable, run_refits
from bayes_synth.fitting.refit import settled
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.forecast_error import Forecast
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise.base import AbstractNoise, Draws
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.overlap import Response, response_of
from bayes_synth.study.sets import Member, Sets, placebo_panel

__all__ = ["Refitted", "Refitting", "Spread", "horizon", "name_of", "positions", "refit_sets"]

PATHS = 4000
"""So many paths give the sd of an average by its horizon."""

Spread = Mapping[int, tuple[float, float]]
"""Noise's sd of the average, and of the deviations from it, by the number of periods."""


class Refitted(NamedTuple):
    """Hold what one refit gives.

    ``forecast``, ``row`` and ``gap`` are those of a placebo; ``ahead`` are its periods since the
    start, the first is 1; ``response`` and ``spread`` are of its noise.
    """

    forecast: Forecast
    row: dict[str, float]
    gap: np.ndarray
    ahead: np.ndarray
    response: Response
    spread: Spread


class Refitting(NamedTuple):
    """Hold the answers of all sets that could be refitted.

    ``answers`` by name and factor on the prior sd of ``q``; ``sets`` are the names of each set's
    members; ``members`` by name; ``skipped`` names the sets that could not be refitted.
    """

    answers: Mapping[tuple[str, float], Refitted]
    sets: tuple[tuple[str, ...], ...]
    members: Mapping[str, Member]
    skipped: tuple[str, ...]
    factors: tuple[float, ...]


def name_of(member: Member, number: int) -> str:
    """Name a member of a set: a donor may be in several sets."""
    return f"{member.donor} (set {number})"


def horizon(study: AbstractStudyData[Any], unit: str) -> int:
    """Return the number of treated periods in which a unit has an outcome."""
    panel = study.panels[unit]
    return int(panel.treated_outcome.sel(time=panel.post.to_numpy()).notnull().sum())


def positions(study: AbstractStudyData[Any], unit: str) -> tuple[int, ...]:
    """Return the positions of a unit's treated periods among the times of the study."""
    return tuple(int(p) for p in study.times.get_indexer(study.panels[unit].post))


def refit_sets(
    study: AbstractStudyData[Any],
    model: AbstractSyntheticControl,
    plan: Calibration,
    sets: Sets,
    settings: Settings,
) -> Refitting:
    """Refit every member of every set.

    Parameters
    ----------
    study, model
        What is being calibrated; the model's noise is chosen.
    plan, settings
        Size and seed of the refits.
    sets
        The sets.

    Raises
    ------
    KeyboardInterrupt
        When it was interrupted: sets that are refitted in part say nothing.
    """
    problems, kept, members, skipped = _problems(study, model, sets)
    factors = next(iter(problems.values())).factors(plan) if problems else (1.0,)
    horizons = tuple(sorted({horizon(study, unit) for unit in study.treated}))
    windows = {name: (positions(study, member.role), horizons) for name, member in members.items()}
    bound = bind_refits(problems, factors, plan, settings, _Refit)
    refits = {key: partial(_answered, make, *windows[key[0]]) for key, make in bound.items()}
    threads = 1 if settings.sampler == "pymc" else settings.cores
    with single_threaded():
        answers, interrupted = run_refits(
            refits,
            threads,
            shown=bool(settings.progressbar),
            panel_of=lambda name: (
                f"that of {members[name].donor} in the role of "
                f"{members[name].role}, without the other members of its set"
            ),
        )
    if interrupted:
        raise KeyboardInterrupt
    whole = [names for names in kept if _all_usable(names, factors, answers)]
    skipped += tuple(f"{' + '.join(n)} (no finite forecast)" for n in kept if n not in whole)
    return Refitting(answers, tuple(whole), members, skipped, factors)


def _all_usable(
    names: Sequence[str],
    factors: Sequence[float],
    answers: Mapping[tuple[str, float], Refitted],
) -> bool:
    """Tell whether every member of a set has a finite forecast under every prior."""
    return all(is_usable(answers[name, factor].forecast) for name in names for factor in factors)


def _problems(
    study: AbstractStudyData[Any], model: AbstractSyntheticControl, sets: Sets
) -> tuple[dict[str, Problem], tuple[tuple[str, ...], ...], dict[str, Member], tuple[str, ...]]:
    """Make a problem per member; a set with a member that cannot be treated is skipped."""
    problems: dict[str, Problem] = {}
    members: dict[str, Member] = {}
    kept, skipped = [], []
    for number, group in enumerate(sets.members, 1):
        names = {name_of(member, number): member for member in group}
        try:
            panels = {name: placebo_panel(study, m, group) for name, m in names.items()}
        except DesignError as error:
            skipped.append(f"{' + '.join(names)} ({error.code})")
            continue
        kept.append(tuple(names))
        members |= names
        problems |= {
            name: Problem.of(model, panel, pool=study.donors) for name, panel in panels.items()
        }
    return problems, tuple(kept), members, tuple(skipped)


class _Refit(NamedTuple):
    """Hold what is refitted, and how."""

    problem: Problem
    settings: Settings


def _answered(
    make: Callable[[], _Refit], periods: tuple[int, ...], horizons: tuple[int, ...]
) -> Refitted:
    """Refit one member, and keep what calibration needs of its posterior."""
    problem, settings = make()
    best = settled(problem, settings)
    answer = answer_of(problem, settings, best)
    posterior, process = best.value.sampled.posterior, problem.model.process
    count = len(problem.donors)
    weights = posterior["weights"].to_numpy()[..., :count].reshape(-1, count)
    noise = {name: posterior[name].to_numpy().ravel() for name in process.parameters}
    means = {name: float(values.mean()) for name, values in noise.items()}
    response = response_of(
        problem.panel.treated[0],
        problem.donors,
        weights,
        means,
        process,
        problem.inputs.step,
        periods,
    )
    ahead = 1.0 + np.flatnonzero(np.isfinite(problem.observed))
    wanted = sorted({*horizons, len(ahead)})
    shown = answer.forecast, answer.row, answer.gap
    return Refitted(*shown, ahead, response, noise_spread(process, noise, wanted))


def noise_spread(process: AbstractNoise, noise: Draws, horizons: Sequence[int]) -> Spread:
    """Return the noise's sd of the average and of the deviations over each number of periods."""
    times = -(-PATHS // len(noise["s"]))
    tiled = {name: np.tile(values, times) for name, values in noise.items()}
    paths = process.simulate(tiled, max(horizons), np.random.default_rng(0))
    spread = {}
    for count in horizons:
        part = paths[:, :count]
        average = part.mean(1)
        deviations = part - average[:, None]
        spread[count] = (
            float(np.sqrt(np.mean(average**2))),
            float(np.sqrt(np.mean(deviations**2))),
        )
    return spread
