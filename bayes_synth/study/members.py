"""Refit the members of the placebo sets, each as if it had been one of the treated units."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bayes_synth.errors import DesignError
from bayes_synth.fitting.placebos import bind_refits, is_usable
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.sampling.settings import Settings
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.refit import MemberTask, Refitted
from bayes_synth.study.sets import Member, Sets, placebo_panel
from bayes_synth.study.workers import HERE, Workers

__all__ = ["Refitting", "horizon", "name_of", "positions", "refit_sets"]


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
    workers: Workers = HERE,
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
    workers
        Where members are refitted, and where their refits are kept.

    Raises
    ------
    KeyboardInterrupt
        When it was interrupted: sets that are refitted in part say nothing.
    """
    problems, kept, members, skipped = _problems(study, model, sets)
    factors = next(iter(problems.values())).factors(plan) if problems else (1.0,)
    horizons = tuple(sorted({horizon(study, unit) for unit in study.treated}))
    bound = bind_refits(problems, factors, plan, settings, _as_given)
    tasks = {
        name: MemberTask(
            {factor: bound[name, factor]() for factor in factors},
            positions(study, members[name].role),
            horizons,
        )
        for name in problems
    }
    answers = workers.refitted(
        tasks,
        settings,
        lambda name: (
            f"that of {members[name].donor} in the role of "
            f"{members[name].role}, without the other members of its set"
        ),
    )
    whole = [names for names in kept if _all_usable(names, factors, answers)]
    skipped += tuple(f"{' + '.join(n)} (no finite forecast)" for n in kept if n not in whole)
    return Refitting(answers, tuple(whole), members, skipped, factors)


def _as_given(problem: Problem, settings: Settings) -> tuple[Problem, Settings]:
    return problem, settings


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
