"""Where a study's refits and draws are made: here, in processes, on Dask or Ray; kept or not."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import joblib
import numpy as np

from bayes_synth import errors
from bayes_synth.errors import BayesSynthError, OptionError, SamplingFailed
from bayes_synth.fitting.extend import Posteriors
from bayes_synth.fitting.mixture import sample_alternatives
from bayes_synth.fitting.placebos import Key, run_refits
from bayes_synth.fitting.pool import Source, answers, elsewhere, jobs, require_backend
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.calibrated import Alternative
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.storage.specs import to_spec
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.refit import MemberTask, Refitted
from bayes_synth.study.store import StudyStore
from bayes_synth.words import short

__all__ = ["HERE", "UnitTask", "Workers", "workers_for"]


class UnitTask(NamedTuple):
    """Hold what is sampled of one treated unit in a first attempt.

    Parameters
    ----------
    problem
        The unit and its donors.
    alternatives
        The priors on ``q`` to average over.
    settings
        How to sample, with the unit's own seed.
    """

    problem: Problem
    alternatives: tuple[Alternative, ...]
    settings: Settings

    def sample(self, posteriors: Posteriors) -> None:
        """Sample what the posteriors do not hold."""
        seed, _ = self.settings.streams()
        sample_alternatives(
            self.problem, self.alternatives, self.settings, seed, draw=posteriors.sample
        )

    def answers(self) -> dict[str, Sampled]:
        """Sample, and return the draws under the digests of what decides them."""
        posteriors = Posteriors()
        self.sample(posteriors)
        return dict(posteriors.known)


class Work(Protocol):
    """Something that can be sampled here or elsewhere."""

    def answers(self) -> Any:
        """Do it."""


class Done(NamedTuple):
    """Hold what became of a task: its answer, or the error in plain text, which can be sent.

    ``failure`` has the type of the error, its code and its message.
    """

    key: str
    value: Any = None
    failure: tuple[str, str, str] | None = None


class Workers(NamedTuple):
    """Say where a study is sampled, and where what was sampled is kept.

    Parameters
    ----------
    backend, n_jobs
        As in :func:`bayes_synth.fit_many`; a member of a placebo set is one task, and a treated
        unit another. None for both: the refits in threads of this process, unit after unit.
    store
        What was sampled before; None keeps nothing.
    known
        Draws by unit that are in memory.
    """

    backend: str | None = None
    n_jobs: int | None = None
    store: StudyStore | None = None
    known: Mapping[str, Posteriors] = MappingProxyType({})

    @property
    def elsewhere(self) -> bool:
        """Tell whether a backend of joblib was asked for, here or by its context."""
        return elsewhere(self.backend, self.n_jobs)

    def refitted(
        self,
        tasks: Mapping[str, MemberTask],
        settings: Settings,
        panel_of: Callable[[str], str],
    ) -> dict[Key, Refitted]:
        """Refit the members that are not kept, and return the answers of all.

        Parameters
        ----------
        tasks
            What is refitted, by name.
        settings
            Those of the study; the number of its cores and whether a bar is shown.
        panel_of
            Writes how a member's panel is made, for the note of a refit that failed.

        Raises
        ------
        SamplingFailed
            When a refit fails.
        KeyboardInterrupt
            After an interrupt; members that were complete are kept.
        """
        store = self.store
        known: dict[str, dict[float, Refitted]] = {}
        for name, task in tasks.items() if store is not None else ():
            found = store.refits(task.digest) if store is not None else None
            if found is not None:
                known[name] = found
        left = {name: task for name, task in tasks.items() if name not in known}

        def keep(name: str, answer: dict[float, Refitted]) -> None:
            known[name] = answer
            if store is not None:
                store.keep_refits(tasks[name].digest, answer)

        if self.elsewhere:
            count = sum(len(task.problems) for task in left.values())
            with bar(CALIBRATING, count, shown=bool(settings.progressbar)) as counted:
                for name, answer in self._answered(left, panel_of):
                    keep(name, answer)
                    counted.tick(len(answer))
        else:
            _refit_here(left, settings, panel_of, keep)
        return {(name, factor): known[name][factor] for name in tasks for factor in known[name]}

    def sampled(self, tasks: Mapping[str, UnitTask]) -> Iterator[tuple[str, Posteriors]]:
        """Yield the posteriors of every unit, as they come.

        Here they are sampled when they are asked for; what is kept is read.

        Parameters
        ----------
        tasks
            What is sampled, by unit.
        """
        posteriors = {
            unit: self.known.get(unit) or Posteriors(self._recall, self._keep) for unit in tasks
        }
        if not self.elsewhere:
            yield from posteriors.items()
            return
        for unit, task in tasks.items():
            if self._recalled(task, posteriors[unit]):
                yield unit, posteriors.pop(unit)
        left = {unit: tasks[unit] for unit in posteriors}
        for unit, draws in self._answered(left, lambda unit: f"study.panels[{unit!r}]"):
            for key, sampled in draws.items():
                posteriors[unit].add(key, sampled)
            yield unit, posteriors.pop(unit)

    def _recall(self, key: str) -> Sampled | None:
        return None if self.store is None else self.store.draws(key)

    def _keep(self, key: str, sampled: Sampled) -> None:
        if self.store is not None:
            self.store.keep_draws(key, sampled)

    def _recalled(self, task: UnitTask, posteriors: Posteriors) -> bool:
        """Take in the draws of a first attempt if all are in memory or in the store."""
        found = Posteriors(self._found)
        found.known.update(posteriors.known)
        try:
            task.sample(found)
        except LookupError:
            return False
        posteriors.known.update(found.known)
        return True

    def _found(self, key: str) -> Sampled:
        draws = self._recall(key)
        if draws is None:
            raise LookupError(key)
        return draws

    def _answered(
        self, tasks: Mapping[str, Work], panel_of: Callable[[str], str]
    ) -> Iterator[tuple[str, Any]]:
        """Hand tasks out to joblib's backend and yield answers as they come."""
        pool = partial(joblib.Parallel, **({"backend": self.backend} if self.backend else {}))
        source = Source(tasks.items())
        handed = answers(source, pool, jobs(self.n_jobs), _done, _lost)
        with single_threaded(), closing(handed) as answered:
            for key, value, failure in answered:
                if failure is not None:
                    raise _as_error(failure, key, panel_of(key))
                yield key, value


def workers_for(
    study: AbstractStudyData[Any],
    model: AbstractSyntheticControl,
    settings: Settings,
    asked: Mapping[str, Any],
) -> tuple[Workers, Settings]:
    """Read the options of a fit that concern workers, and open the store.

    Parameters
    ----------
    study, model, settings
        What is fitted, and how.
    asked
        ``backend``, ``n_jobs`` and ``store``; ``random_seed`` as it was given, None for the seed of
        the store; ``known``.

    Returns
    -------
    tuple of Workers and Settings
        The settings with the store's seed where none was given.

    Raises
    ------
    OptionError
        O001 and O055 as in :func:`bayes_synth.fit_many`; O001 for a study of one unit.
    LoadError
        L001, L002 and L008 for a folder that is not this study's.
    """
    backend, n_jobs, folder = (asked.get(name) for name in ("backend", "n_jobs", "store"))
    require_backend(backend)
    if len(study.treated) == 1 and any(each is not None for each in (backend, n_jobs, folder)):
        raise OptionError(
            "O001",
            "backend=, n_jobs= and store= must be given with several treated units, got the study "
            f"of {study.treated[0]} alone, which is fitted as a panel is: leave them out, or hand "
            "the panel to bs.fit_many(study.panels, store=...).",
        )
    store = None
    if folder is not None:
        facts = {"study": _digest_of_study(study), "model": _digest_of_model(model)}
        given = None if asked.get("random_seed") is None else settings.random_seed
        store = StudyStore.opened(folder, facts, given)
        settings = replace(settings, random_seed=store.random_seed)
    return Workers(backend, n_jobs, store, asked.get("known", {})), settings


HERE = Workers()
"""Threads of this process; nothing is kept."""
CALIBRATING = "Calibrating on the donors"


def _refit_here(
    tasks: Mapping[str, MemberTask],
    settings: Settings,
    panel_of: Callable[[str], str],
    keep: Callable[[str, dict[float, Refitted]], None],
) -> None:
    """Refit in threads; a member is kept by the thread that makes its last answer."""
    made: dict[str, dict[float, Refitted]] = {name: {} for name in tasks}
    lock = Lock()

    def refit(name: str, factor: float) -> None:
        answer = tasks[name].answer(factor)
        with lock:
            made[name][factor] = answer
            complete = len(made[name]) == len(tasks[name].problems)
        if complete:
            keep(name, {each: made[name][each] for each in tasks[name].problems})

    refits = {
        (name, factor): partial(refit, name, factor)
        for name, task in tasks.items()
        for factor in task.problems
    }
    # PyMC's sampler compiles again for each donor, which is not safe in threads.
    threads = 1 if settings.sampler == "pymc" else settings.cores
    with single_threaded():
        _, interrupted = run_refits(
            refits, threads, shown=bool(settings.progressbar), panel_of=panel_of
        )
    if interrupted:
        raise KeyboardInterrupt


def _done(key: str, task: Work) -> Done:
    """Do one task, wherever that is."""
    try:
        return Done(key, task.answers())
    except BayesSynthError as error:
        message = str(error).removeprefix(f"[{error.code}] ")
        return Done(key, failure=(type(error).__name__, error.code, message))


def _lost(key: str, error: Exception) -> Done:
    return Done(key, failure=("SamplingFailed", "S006", f"{type(error).__name__}: {error}"))


def _as_error(failure: tuple[str, str, str], label: str, panel: str) -> BayesSynthError:
    kind, code, message = failure
    if code == "S006":
        message = f"a worker was lost while it sampled {label}: {message}"
    error: BayesSynthError = vars(errors).get(kind, SamplingFailed)(code, message)
    error.add_note(f"While {label} was sampled: its panel is {panel}.")
    return error


def _digest_of_study(study: AbstractStudyData[Any]) -> str:
    """Return a digest of all that decides a joint fit of this study."""
    content = hashlib.sha256(np.ascontiguousarray(study.outcomes.to_numpy()).tobytes())
    roles: Sequence[Mapping[str, Any]] = (study.starts, study.pools, study.ends)
    labels = [
        [str(label) for label in study.outcomes["unit"].values],
        [short(time) for time in study.times],
        *({unit: _words(each) for unit, each in role.items()} for role in roles),
    ]
    content.update(json.dumps(labels, sort_keys=True).encode())
    return content.hexdigest()


def _words(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else short(value)


def _digest_of_model(model: AbstractSyntheticControl) -> str:
    return hashlib.sha256(json.dumps(to_spec(model), sort_keys=True).encode()).hexdigest()
