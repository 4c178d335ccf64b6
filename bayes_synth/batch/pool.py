"""Tasks handed out to a pool of joblib's, whichever it is, and what is lost when its workers die."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, final

import joblib

from bayes_synth.batch.one import Outcome, failed
from bayes_synth.batch.task import FitTask

__all__ = ["Source", "outcomes"]

CHUNK = 16
"""Tasks per worker that are handed out at once where a backend cannot hand back what is ready."""

Pool = Callable[..., Any]
Work = Callable[[str, FitTask], Outcome]
Flying = dict[str, FitTask]


@final
class Source:
    """Tasks by key, one at a time whichever thread asks; an error of the caller's iterator ends them and is kept."""

    def __init__(self, tasks: Iterable[tuple[str, FitTask]]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()
        self.flying: Flying = {}
        self.handed_out = 0
        self.ended = False
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[str, FitTask]]:
        return self

    def __next__(self) -> tuple[str, FitTask]:
        with self._lock:
            try:
                key, task = next(self._tasks)
            except StopIteration:
                self.ended = True
                raise
            # joblib would take it for trouble with a worker.
            except Exception as error:
                self.ended, self.error = True, error
                raise StopIteration from error
            self.flying[key] = task
            self.handed_out += 1
            return key, task


def outcomes(source: Source, pool: Pool, n_jobs: int, work: Work) -> Generator[Outcome]:
    """What comes back, in any order. A task whose worker died runs again, with others of its kind, then alone; then it failed.

    So a task that kills its workers takes no other with it, and a worker that was killed from outside costs time only.
    """
    error = yield from _passed(source, pool, n_jobs, work)
    if error is None:
        return
    again = Source(source.flying.items())
    yield from _passed(again, pool, n_jobs, work)
    for key, task in again.flying.items():
        alone = Source([(key, task)])
        error = yield from _passed(alone, pool, n_jobs, work)
        if error is not None:
            yield Outcome(key, failure=failed(error))


def _passed(
    source: Source, pool: Pool, n_jobs: int, work: Work
) -> Generator[Outcome, None, Exception | None]:
    """Hand out all there is, to a new pool when one broke; what was lost stays in ``source.flying``, with the last error."""
    lost: Exception | None = None
    while not source.ended or lost is None:
        before = source.handed_out
        try:
            with closing(_answers(source, pool, n_jobs, work)) as answers:
                for outcome in answers:
                    source.flying.pop(outcome.key)
                    yield outcome
        # A task's own errors are in its outcome, so this is a worker or its transport: TerminatedWorkerError of loky,
        # KilledWorker of Dask, RayActorError of Ray, what pickle raises. Their types cannot all be imported here.
        except Exception as error:
            lost = error
            if source.handed_out == before and not source.ended:
                raise
            continue
        break
    return lost if source.flying else None


def _answers(source: Source, pool: Pool, n_jobs: int, work: Work) -> Generator[Outcome]:
    calls = (joblib.delayed(work)(key, task) for key, task in source)
    try:
        parallel = pool(n_jobs=n_jobs, return_as="generator_unordered")
    except ValueError:
        # Ray's, for one, hands back lists only.
        with pool(n_jobs=n_jobs) as parallel:
            while chunk := list(islice(calls, CHUNK * joblib.effective_n_jobs(n_jobs))):
                yield from parallel(chunk)
        return
    with closing(parallel(calls)) as answers:
        yield from answers
