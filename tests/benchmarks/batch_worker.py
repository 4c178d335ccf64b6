"""One batch in a process of its own: placebo-sized fits, streamed to a folder that is thrown away."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice

from common import HERE, answer, job

import bayes_synth as bs

SIZE = {"donors": 39, "pre": 19, "post": 12, "drift": 0.3}
SAMPLING = {"draws": 400, "tune": 300, "chains": 2}


def tasks() -> Iterator[bs.FitTask]:
    """Placebos of one simulated panel after the other: 38 donors each."""
    for seed in count():
        yield from bs.batch.placebos(bs.simulate(**SIZE, random_seed=seed).panel, **SAMPLING)


def used(who: int) -> tuple[float, float]:
    """Core seconds, and the largest resident set in MB, of this process or of its largest child."""
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime, found.ru_maxrss / 1024


def main() -> None:
    """Fit, and say what it took."""
    given = job()
    # Worker processes inherit this path, on which numba would find coverage.py; see common.py.
    sys.path.remove(str(HERE))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = bs.fit_many(
            islice(tasks(), given["fits"]),
            n_jobs=given["jobs"],
            backend=given["backend"],
            store=folder,
            progressbar=False,
            random_seed=1,
        )
    wall = time.perf_counter() - began
    if given["backend"] == "loky":
        # Children count once they have ended.
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)
    (own, peak), (others, child) = used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN)
    fine = int(found.table["ok"].sum())
    answer(wall=wall, cores=own + others, peak=peak, child=child, fine=fine, failed=len(found.failures))


if __name__ == "__main__":
    main()
