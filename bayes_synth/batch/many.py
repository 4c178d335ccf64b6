"""The front door of batches: check the options, hand the tasks out, collect the answers."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import joblib

from bayes_synth import errors
from bayes_synth.batch.one import Answer, Failure, Keep, failed, reported, run
from bayes_synth.batch.result import BatchResult, Entry, collected
from bayes_synth.batch.store import Folder, Memory, Results
from bayes_synth.batch.task import FitTask, named
from bayes_synth.data.panel import Panel
from bayes_synth.errors import (
    BayesSynthError,
    ConvergenceWarning,
    OptionError,
    SamplingFailed,
    warn,
)
from bayes_synth.fitting.pool import Source, answers, jobs, require_backend
from bayes_synth.priors.dirichlet import PADDING
from bayes_synth.sampling.progress import announce, bar
from bayes_synth.sampling.settings import entropy
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.words import suggestion

__all__ = ["fit_many"]

OnError = Literal["record", "raise"]


def fit_many(
    tasks: Iterable[FitTask] | Mapping[Any, Panel | FitTask],
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
        See :class:`bayes_synth.FitTask`; functions of :mod:`bayes_synth.batch` make lists of them.
        A mapping of names to panels (or tasks), such as ``{"chicago": panel}``, fits each with the
        default model; ``name`` is then the first label of the table.
        An iterator is read as tasks are handed out, so that ten thousand panels need not be in
        memory together. Equal tasks are fitted once.
    n_jobs
        How many tasks run at a time: -1 for as many as the backend has cores; None for the number
        of ``joblib.parallel_config(...)``, and all cores without one.
    backend
        A backend of joblib: ``"threading"`` (one process), ``"loky"`` (processes), or another that
        is registered. None for the one of ``joblib.parallel_config(...)``, and threads without one;
        ``joblib.parallel_config(backend="dask")`` and ``"ray"`` make it a cluster. Fits that are
        sampled by nutpie compile once in each process.
    keep
        ``"summary"`` keeps the row of each fit, ``"draws"`` also the draws of its counterfactual,
        ``"full"`` the whole fit.
    store
        A folder of this batch's own, into which results are written as they come.
    resume
        Whether results that the folder already holds are reused. If not, a folder with results is
        an error.
    on_error
        ``"record"`` lists a failed task in ``failures`` and goes on with the others, ``"raise"``
        raises its error.
    progressbar
        Whether to show a bar and, at the end, how many fits are fine, flagged and failed.
    random_seed
        As in :meth:`bayes_synth.SyntheticControl.fit`; a task's own seed is made of this one and
        the task's content. None takes the folder's.

    Returns
    -------
    BatchResult
        The same numbers bit for bit, on one type of machine, for any ``n_jobs``, ``backend``, order
        of the tasks and tasks beside them.

    Raises
    ------
    OptionError
        O001 for an unknown option or backend, or when a task is not a ``FitTask``; O009 when
        ``random_seed`` cannot be used as a seed; O055 when the backend cannot be used here.
    LoadError
        L001 when the folder holds other things, or damaged files, L002 when a newer version wrote
        it, L004 when it holds results and ``resume`` is off, L008 when its results are of another
        seed, ``keep`` or version, or have other columns.
    BayesSynthError
        With ``on_error="raise"`` the error of the first task that failed; S006 when it came from
        elsewhere.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt (Ctrl-C): the results are those that were ready, the other tasks are
        among the failures.

    Notes
    -----
    A second attempt at a fit is made by the same rule as in
    :meth:`bayes_synth.SyntheticControl.fit`: when the sampler's own steps were in trouble
    (divergences, saturated trees, low E-BFMI), or when slices mix too slowly although there are
    enough draws (2.5 times the effective sample size that the task asks for). It takes smaller
    steps (nutpie) or four times the sweeps between draws (slices), and twice the tuning. The better
    attempt is kept, and ``ok`` says whether it has converged. A fit that converged at once has the
    draws of ``task.model.fit(task.panel, random_seed=task.seed(random_seed), ...)`` with the task's
    sizes.

    A task whose worker died is retried twice, the second time alone, before it counts as failed.

    Examples
    --------
    >>> model = bs.SyntheticControl(calibrate=False)
    >>> task = bs.FitTask(panel, model, {"city": "Leeds"}, draws=200, tune=100, chains=2)
    >>> result = bs.fit_many([task], random_seed=1, progressbar=False)
    >>> len(result.table), result.failures
    (1, ())
    """
    _require_word("keep", keep, get_args(Keep))
    _require_word("on_error", on_error, get_args(OnError))
    require_backend(backend)
    tasks = named(tasks) if isinstance(tasks, Mapping) else tasks
    results, seed = _results(store, random_seed, keep, resume=resume)
    batch = _Batch(tasks, results, keep)
    source = Source(batch.todo())
    pool = partial(joblib.Parallel, **({"backend": backend} if backend else {"prefer": "threads"}))
    work = partial(run, random_seed=seed, keep=keep, estimands=reported())
    total, began = len(tasks) if isinstance(tasks, Sized) else None, time.monotonic()
    try:
        with (
            bar("Fitting", total, shown=progressbar) as counted,
            single_threaded(),
            closing(answers(source, pool, jobs(n_jobs), work, _lost)) as answered,
        ):
            for answer in answered:
                batch.take(answer, on_error)
                counted.show(batch.done, batch.pace(time.monotonic() - began))
        if source.error:
            raise source.error
    except KeyboardInterrupt:
        batch.interrupted()
    finally:
        results.flush()
    result = collected(batch.entries, results, batch.failures, keep, seed)
    if progressbar:
        announce(repr(result))
    return result


def _lost(key: str, error: Exception) -> Answer:
    return Answer(key, failure=failed(error))


def _require_word(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise OptionError("O001", f"{name}={value!r} is unknown. {suggestion(value, words)}")


def _results(
    store: str | PathLike[str] | None, random_seed: Any, keep: Keep, *, resume: bool
) -> tuple[Results, int]:
    """Return where results go, and the batch's seed."""
    if store is None:
        return Memory(), entropy(random_seed)
    folder = Folder(
        Path(store), None if random_seed is None else entropy(random_seed), keep, resume=resume
    )
    return folder, folder.random_seed


class _Batch:
    """The tasks that were read so far, and the answers to them."""

    def __init__(self, tasks: Iterable[FitTask], results: Results, keep: Keep) -> None:
        self.entries: list[Entry] = []
        self.failures: dict[str, Failure] = {}
        self.fitted, self._skipped = 0, 0
        self._results, self._keep = results, keep
        self._seen: set[str] = set()
        self._listed = isinstance(tasks, Sequence)
        entered = map(self._entered, tasks)
        self._tasks = iter(sorted(entered, key=_compiled_together)) if self._listed else entered

    @property
    def done(self) -> int:
        """Return how many tasks need no more work."""
        return self.fitted + self._skipped

    def pace(self, seconds: float) -> str:
        """Return how fast fits come, and how many failed, in words."""
        return f"{self.fitted / max(seconds, 1e-3):.2f} fits/s, {len(self.failures)} failed"

    def todo(self) -> Iterator[tuple[str, FitTask]]:
        """Yield tasks without a result, equal ones once."""
        for task in self._tasks:
            if task.key in self._seen or task.key in self._results.rows:
                self._skipped += 1
            else:
                yield task.key, task
            self._seen.add(task.key)

    def take(self, answer: Answer, on_error: OnError) -> None:
        """Add an answer to the results, or record or raise its failure."""
        self.fitted += 1
        if answer.failure is None:
            self._results.add(answer)
            return
        self.failures[answer.key] = answer.failure
        if on_error == "raise":
            raise self._as_error(answer.key, answer.failure)

    def interrupted(self) -> None:
        """Record unfinished tasks as interrupted; of an iterator only those that were read."""
        if self._listed:
            for _ in self.todo():
                pass
        words = (
            "interrupted before it was done; run the batch again, with the same store if it has one"
        )
        unread = "" if self._listed else ", and what the iterator still held was not read"
        undone = Failure(-1, {}, "KeyboardInterrupt", "S004", words)
        left = {
            entry.key for entry in self.entries if entry.key not in self._results.rows
        } - self.failures.keys()
        self.failures |= dict.fromkeys(left, undone)
        count = f"{len(left)} of {len(self.entries)} fits were not done{unread}"
        warn(ConvergenceWarning, "S004", f"interrupted: {count}; run it again for all of them.")

    def _entered(self, task: FitTask) -> FitTask:
        """Note the task, and return it."""
        if not isinstance(task, FitTask):
            raise OptionError(
                "O001",
                f"fit_many() takes bs.FitTask objects, got {type(task).__name__}; of panels make "
                'bs.FitTask(panel), or name them: fit_many({"chicago": panel}).',
            )
        kept = None if self._keep == "summary" else task
        self.entries.append(Entry(task.key, dict(task.labels), kept))
        return task

    def _as_error(self, key: str, failure: Failure) -> BayesSynthError:
        """Make an error of the failure again, of its own type if that is one of the library's."""
        labels = next(entry.labels for entry in self.entries if entry.key == key)
        if failure.code == "S006":
            error: BayesSynthError = SamplingFailed(
                "S006", f"a task failed: {failure.error}: {failure.message}"
            )
        else:
            kind = vars(errors).get(failure.error, SamplingFailed)
            error = kind(failure.code, failure.message)
        error.add_note(f"In the task {labels}.\n{failure.traceback}")
        return error


def _compiled_together(task: FitTask) -> tuple[str, int, int, int]:
    """Sort tasks that nutpie samples with one compiled model together: each is compiled once."""
    panel, noise = task.panel, type(task.model.noise).__name__
    return noise, -(-len(panel.donors) // PADDING), len(panel.missing_times), len(panel.pre)
