"""One measurement of ``before_after.py``, in the environment of the checkout that is measured.

It uses only what both checkouts offer: the public names of the library.
"""

import time
from itertools import islice
from typing import Any

from common import answer, job

CORES = 2


def fresh(given: dict[str, Any]) -> dict[str, float]:
    """Seconds from the start of this process to the end of its first, uncalibrated fit."""
    import bayes_synth as bs

    model = bs.SyntheticControl(calibrate=False)
    model.fit(bs.load_dataset("prop99"), random_seed=1, progressbar=False)
    return {"seconds": time.time() - given["began"]}


def refit(given: dict[str, Any]) -> dict[str, float]:
    """Seconds of a calibrated fit, when everything has been loaded by an earlier one."""
    import bayes_synth as bs

    panel, model, ended = bs.load_dataset("prop99"), bs.SyntheticControl(), [time.perf_counter()]
    for seed in (1, 2):
        model.fit(panel, random_seed=seed, cores=CORES, progressbar=False)
        ended.append(time.perf_counter())
    return {"seconds": ended[2] - ended[1]}


def batch(given: dict[str, Any]) -> dict[str, float]:
    """Seconds of placebo-sized fits in threads, after a first one, and attempts that they took."""
    from batch_worker import tasks

    import bayes_synth as bs

    options = {"n_jobs": CORES, "backend": "threading", "random_seed": 1, "progressbar": False}
    first, *others = islice(tasks(), 1 + given["fits"])
    bs.fit_many([first], **options)
    began = time.perf_counter()
    table = bs.fit_many(others, **options).table
    return {"seconds": time.perf_counter() - began, "attempts": float(table["attempts"].sum())}


if __name__ == "__main__":
    given = job()
    answer(**{"fresh": fresh, "refit": refit, "batch": batch}[given["measure"]](given))
