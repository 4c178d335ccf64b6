"""Hand work out to a pool of joblib's, and retry what was lost when a worker died.

Batches hand out fits, studies the refits of their placebo sets and the draws of their units.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Protocol, final

import joblib
from joblib.parallel import BACKENDS, EXTERNAL_BACKENDS, get_active_backend

from bayes_synth.errors import OptionError
from bayes_synth.words import suggestion

__all__ = ["Source", "answers", "elsewhere", "jobs", "require_backend"]

CHUNK = 16
"""Tasks per worker that are handed out at once to a backend that returns whole lists only."""

DEFAULT = "LokyBackend"
"""joblib's backend when nobody has asked for one."""

Pool = Callable[..., Any]


class Keyed(Protocol):
    """An answer that names its task by :attr:`key`; a task's own error is in the answer."""

    @property
    def key(self) -> str:
        """Key of the task."""


def elsewhere(backend: str | None, n_jobs: int | None) -> bool:
    """Tell whether a backend of joblib was asked for, here or by its context."""
    active, wanted = get_active_backend()
    asked = any(each is not None for each in (backend, n_jobs, wanted))
    return asked or type(active).__name__ != DEFAULT


def jobs(n_jobs: int | None) -> int:
    """Return how many tasks run at a time: ``n_jobs``, or as joblib's context says, or -1."""
    wanted = get_active_backend()[1] if n_jobs is None else n_jobs
    return -1 if wanted is None else int(wanted)


def require_backend(backend: Any) -> None:
    """Refuse a backend that joblib does not know, or that cannot be used as things stand.

    Raises
    ------
    OptionError
        O001 for a name that is not registered, O055 when the backend itself refuses.
    """
    known = sorted({*BACKENDS, *EXTERNAL_BACKENDS})
    if isinstance(backend, str) and backend not in known:
        ray = " For Ray call ray.util.joblib.register_ray() first." if backend == "ray" else ""
        raise OptionError(
            "O001",
            f"backend must be one of joblib's, got {backend!r}. {suggestion(backend, known)}{ray}",
        )
    if backend is None:
        return
    try:
        joblib.Parallel(n_jobs=1, backend=backend)
    # Backends refuse in their own ways: Dask by a ValueError without a client, others by what they
    # cannot import or what is not a backend at all.
    except (ImportError, TypeError, ValueError) as error:
        raise OptionError("O055", f"backend={backend!r} cannot be used here: {error}") from error


@final
class Source[T]:
    """Tasks by key, handed out one at a time to whichever thread asks.

    Attributes
    ----------
    pending : dict
        Tasks that were handed out and have not been answered.
    handed_out : int
        How many were handed out so far.
    ended : bool
        Whether there are no more.
    error : BaseException or None
        What the caller's iterator raised; it ends the tasks.
    """

    def __init__(self, tasks: Iterable[tuple[str, T]]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()
        self.pending: dict[str, T] = {}
        self.handed_out = 0
        self.ended = False
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return self

    def __next__(self) -> tuple[str, T]:
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
            self.pending[key] = task
            self.handed_out += 1
            return key, task


def answers[T, A: Keyed](
    source: Source[T],
    pool: Pool,
    n_jobs: int,
    work: Callable[[str, T], A],
    lost: Callable[[str, Exception], A],
) -> Generator[A]:
    """Yield answers as they come, in any order.

    A task whose worker died is retried twice, the second time alone, before ``lost`` makes its
    answer of the last error. So a task that kills its workers takes no other with it, and a worker
    that was killed from outside costs only time.
    """
    error = yield from _passed(source, pool, n_jobs, work)
    if error is None:
        return
    again = Source(source.pending.items())
    yield from _passed(again, pool, n_jobs, work)
    for key, task in again.pending.items():
        alone = Source([(key, task)])
        error = yield from _passed(alone, pool, n_jobs, work)
        if error is not None:
            yield lost(key, error)


def _passed[T, A: Keyed](
    source: Source[T], pool: Pool, n_jobs: int, work: Callable[[str, T], A]
) -> Generator[A, None, Exception | None]:
    """Hand out every task, to a new pool when one broke.

    Tasks that were lost stay in ``source.pending``; then the last error is returned.
    """
    lost: Exception | None = None
    while not source.ended or lost is None:
        before = source.handed_out
        try:
            with closing(_answered(source, pool, n_jobs, work)) as answered:
                for answer in answered:
                    source.pending.pop(answer.key)
                    yield answer
        # A task's own errors are in its answer, so this is a worker or its transport:
        # TerminatedWorkerError of loky, KilledWorker of Dask, RayActorError of Ray, or an error of
        # pickle. These types cannot all be imported here.
        except Exception as error:
            lost = error
            if source.handed_out == before and not source.ended:
                raise
            continue
        break
    return lost if source.pending else None


def _answered[T, A: Keyed](
    source: Source[T], pool: Pool, n_jobs: int, work: Callable[[str, T], A]
) -> Generator[A]:
    calls = (joblib.delayed(work)(key, task) for key, task in source)
    try:
        parallel = pool(n_jobs=n_jobs, return_as="generator_unordered")
    except ValueError:
        # Some backends, such as Ray's, return lists only.
        with pool(n_jobs=n_jobs) as parallel:
            while chunk := list(islice(calls, CHUNK * joblib.effective_n_jobs(n_jobs))):
                yield from parallel(chunk)
        return
    with closing(parallel(calls)) as answered:
        yield from answered
