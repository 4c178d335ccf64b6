"""One run of ``cluster.py``: a batch whose fits are slept through, or the cost of one fit."""

import pickle
import sys
import tempfile
import time
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from batch_worker import backend, tasks
from common import HERE, answer, job

import bayes_synth as bs
from bayes_synth.batch import many
from bayes_synth.batch.one import Answer, columns, run


def slept(key: str, task: bs.FitTask, random_seed: int, keep: str, *, seconds: float) -> Answer:
    """Sleep as long as a fit takes and answer as much: the rest is what a cluster adds."""
    time.sleep(seconds)
    return Answer(key, np.full(len(columns()), random_seed / 2**128))


def slept_through(given: dict[str, Any]) -> dict[str, float]:
    """Seconds from first task to last result in the store, once every worker has had a task."""
    with backend(given["backend"], given["workers"]), tempfile.TemporaryDirectory() as folder:
        many.run = partial(slept, seconds=1.0)  # type: ignore[assignment]
        list_of_tasks = list(islice(tasks(), given["workers"] + given["fits"]))
        bs.fit_many(list_of_tasks[: given["workers"]], progressbar=False)
        many.run = partial(slept, seconds=given["seconds"])  # type: ignore[assignment]
        began = time.perf_counter()
        found = bs.fit_many(list_of_tasks[given["workers"] :], store=folder, progressbar=False)
        wall = time.perf_counter() - began
    assert len(found.table) == given["fits"]
    assert not found.failures
    return {"wall": wall}


def parts() -> dict[str, float]:
    """Seconds of the first fit in a process and of another, bytes that travel there and back."""
    first, *others = islice(tasks(), 21)
    timed = [_timed(task, "summary") for task in (first, *others)]
    sizes = {
        keep: len(pickle.dumps(run(first.key, first, 1, keep)))
        for keep in ("summary", "draws", "full")
    }
    return {
        "first": timed[0],
        "fit": float(np.median(timed[1:])),
        "task": len(pickle.dumps(first)),
        **sizes,
    }


def _timed(task: bs.FitTask, keep: Any) -> float:
    began = time.perf_counter()
    run(task.key, task, 1, keep)
    return time.perf_counter() - began


def main() -> None:
    """The one or the other, as asked."""
    given = job()
    if given["backend"] == "loky":
        sys.path.remove(str(HERE))
    answer(**(slept_through(given) if given["fits"] else parts()))


if __name__ == "__main__":
    main()
