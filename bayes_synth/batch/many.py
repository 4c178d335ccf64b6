"""Many fits: what has been done, what is to be done, and the user's options."""

import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import closing
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import joblib
from joblib.parallel import get_active_backend
from rich.console import Console

from bayes_synth import errors
from bayes_synth.batch.one import Failure, Keep, Outcome, run
from bayes_synth.batch.pool import Source, outcomes
from bayes_synth.batch.result import BatchResult, Known, collected
from bayes_synth.batch.store import Folder, Memory, Results
from bayes_synth.batch.task import FitTask
from bayes_synth.errors import (
    BayesSynthError,
    ConvergenceWarning,
    OptionError,
    SamplingFailed,
    warn,
)
from bayes_synth.priors import PADDING
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.settings import entropy
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.words import suggestion

__all__ = ["fit_many"]

OnError = Literal["record", "raise"]


def fit_many(
    tasks: Iterable[FitTask],
    *,
    n_jobs: int | None = None,
    backend: str | None = None,
    keep: Keep = "summary",
    store: str | PathLike[str] | None = None,
    resume: bool = True,
    on_error: OnError = "record",
    progressbar: bool = True,
    random_seed: Any = None,
) -> BatchResult:
    """Fit every task; one that fails, or a worker that dies, costs no other task.

    Parameters
    ----------
    tasks
        See :class:`bayes_synth.FitTask`, and :mod:`bayes_synth.batch` for lists of them. An iterator is read as it goes, so
        that ten thousand panels need not be in memory together. Equal tasks are fitted once.
    n_jobs
        Tasks at a time; -1 for as many as the backend has cores, None for the number of ``joblib.parallel_config(...)``, and
        all cores without one.
    backend
        Of joblib: ``"threading"`` (one process), ``"loky"`` (processes), or another that is registered. None for the one
        of ``joblib.parallel_config(...)``, and threads without one; ``joblib.parallel_config(backend="dask")`` and
        ``"ray"`` make it a cluster. Fits that are sampled by nutpie compile once in each process.
    keep
        ``"summary"``: the row of each fit; ``"draws"``: also the draws of its counterfactual; ``"full"``: all of it.
    store
        A folder of this batch's own, into which results are written as they come.
    resume
        Whether results that the folder holds already are taken over. If not, a folder with results is an error.
    on_error
        Whether a failed task is recorded in ``failures`` and the others go on, or its error is raised.
    progressbar
        Whether a bar, and at the end how many are fine, flagged and failed, is shown.
    random_seed
        As in :meth:`bayes_synth.SyntheticControl.fit`; a task's own seed comes from this and the task's content. None takes
        the folder's.

    Returns
    -------
    BatchResult
        The same numbers for any ``n_jobs``, ``backend``, order and company, on one type of machine, bit for bit.

    Raises
    ------
    OptionError
        O001 for options that do not exist, and for what is no task; O009 for a seed that is none.
    LoadError
        L001 when the folder holds other things, or damaged files, L002 when a newer version wrote it, L004 when it holds
        results and ``resume`` is off, L008 when they are of another seed, ``keep`` or version.
    BayesSynthError
        With ``on_error="raise"`` that of the first task that failed; S006 when it came from elsewhere.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt (Ctrl-C): the results are those that were ready, the others are among the failures.

    Notes
    -----
    A fit that has not converged is sampled once more, with smaller steps (nutpie) or four times the sweeps (slices) and
    twice the tuning; the better attempt counts, and ``ok`` says whether it passes. One that converged at once has the draws
    of ``task.model.fit(task.panel, random_seed=task.seed(random_seed), ...)`` with the task's sizes.

    A task whose worker died is run again with others in the same plight, then by itself, and then is a failure.
    """
    for name, value, known in (
        ("keep", keep, get_args(Keep)),
        ("on_error", on_error, get_args(OnError)),
    ):
        if value not in known:
            raise OptionError("O001", f"{name}={value!r} is unknown. {suggestion(value, known)}")
    results, seed = _results(store, random_seed, keep, resume=resume)
    batch = _Batch(tasks, results, keep)
    source = Source(batch.todo())
    pool = partial(joblib.Parallel, **({"backend": backend} if backend else {"prefer": "threads"}))
    answers = outcomes(source, pool, _jobs(n_jobs), partial(run, random_seed=seed, keep=keep))
    total, began = len(tasks) if isinstance(tasks, Sized) else None, time.monotonic()
    try:
        with (
            bar("Fitting", total, shown=progressbar) as counted,
            single_threaded(),
            closing(answers),
        ):
            for outcome in answers:
                batch.take(outcome, on_error)
                counted.show(batch.done, batch.pace(time.monotonic() - began))
        if source.error:
            raise source.error
    except KeyboardInterrupt:
        batch.interrupted()
    finally:
        results.flush()
    found = collected(batch.known, results, batch.failures, keep, seed)
    if progressbar:
        Console().print(repr(found))
    return found


def _jobs(n_jobs: int | None) -> int:
    """As many as joblib's context says, or all."""
    wanted = get_active_backend()[1] if n_jobs is None else n_jobs
    return -1 if wanted is None else int(wanted)


def _results(
    store: str | PathLike[str] | None, random_seed: Any, keep: Keep, *, resume: bool
) -> tuple[Results, int]:
    """Where results go, and the batch's seed."""
    if store is None:
        return Memory(), entropy(random_seed)
    folder = Folder(
        Path(store), None if random_seed is None else entropy(random_seed), keep, resume=resume
    )
    return folder, folder.random_seed


class _Batch:
    """What is known of the tasks, and what became of them."""

    def __init__(self, tasks: Iterable[FitTask], results: Results, keep: Keep) -> None:
        self.known: list[Known] = []
        self.failures: dict[str, Failure] = {}
        self.fitted, self._skipped = 0, 0
        self._results, self._keep = results, keep
        self._seen: set[str] = set()
        self._listed = isinstance(tasks, Sequence)
        met = map(self._met, tasks)
        self._tasks = iter(sorted(met, key=_structure)) if self._listed else met

    @property
    def done(self) -> int:
        """Tasks that need no more work."""
        return self.fitted + self._skipped

    def pace(self, seconds: float) -> str:
        """How fast fits come, and how many failed."""
        return f"{self.fitted / max(seconds, 1e-3):.2f} fits/s, {len(self.failures)} failed"

    def todo(self) -> Iterator[tuple[str, FitTask]]:
        """Tasks without a result, equal ones once."""
        for task in self._tasks:
            if task.key in self._seen or task.key in self._results.rows:
                self._skipped += 1
            else:
                yield task.key, task
            self._seen.add(task.key)

    def take(self, outcome: Outcome, on_error: OnError) -> None:
        """One answer."""
        self.fitted += 1
        if outcome.failure is None:
            self._results.add(outcome)
            return
        self.failures[outcome.key] = outcome.failure
        if on_error == "raise":
            raise self._as_error(outcome.key, outcome.failure)

    def interrupted(self) -> None:
        """What an interrupt left undone is a failure of its own kind; of an iterator, what had been read of it."""
        if self._listed:
            for _ in self.todo():
                pass
        words = (
            "interrupted before it was done; run the batch again, with the same store if it has one"
        )
        unread = "" if self._listed else ", and what the iterator still held was not read"
        undone = Failure(-1, {}, "KeyboardInterrupt", "S004", words)
        left = {
            key for key, _, _ in self.known if key not in self._results.rows
        } - self.failures.keys()
        self.failures |= dict.fromkeys(left, undone)
        text = f"interrupted: {len(left)} of {len(self.known)} fits were not done{unread}; run it again for all of them."
        warn(ConvergenceWarning, "S004", text)

    def _met(self, task: FitTask) -> FitTask:
        if not isinstance(task, FitTask):
            raise OptionError(
                "O001", f"fit_many() takes bs.FitTask objects, got {type(task).__name__}."
            )
        self.known.append(
            Known(task.key, dict(task.labels), None if self._keep == "summary" else task)
        )
        return task

    def _as_error(self, key: str, failure: Failure) -> BayesSynthError:
        """The error again, as its own type if it is one of the library's."""
        kind = vars(errors).get(failure.error, SamplingFailed)
        labels = next(labels for known, labels, _ in self.known if known == key)
        if failure.code == "S006":
            error: BayesSynthError = SamplingFailed(
                "S006", f"a task failed: {failure.error}: {failure.message}"
            )
        else:
            error = kind(failure.code, failure.message)
        error.add_note(f"In the task {labels}.\n{failure.traceback}")
        return error


def _structure(task: FitTask) -> tuple[str, int, int, int]:
    """Tasks that nutpie samples with one compiled model stand together, so that none is compiled twice."""
    panel, noise = task.panel, type(task.model.noise).__name__
    return noise, -(-len(panel.donors) // PADDING), len(panel.missing_times), len(panel.pre)
