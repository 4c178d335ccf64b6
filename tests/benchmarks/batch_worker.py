"""Run one batch in a process of its own: placebo-sized fits, streamed to a temporary folder."""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice

import joblib
import psutil
from common import answer, job

import bayes_synth as bs

SIZE = {"donors": 39, "pre": 19, "post": 12, "drift": 0.3}
SAMPLING = {"draws": 400, "tune": 300, "chains": 2}


def tasks() -> Iterator[bs.FitTask]:
    """Placebos of one simulated panel after the other: 38 donors each."""
    for seed in count():
        yield from bs.batch.placebos(bs.simulate(**SIZE, random_seed=seed).panel, **SAMPLING)


@contextmanager
def backend(name: str, jobs: int) -> Iterator[None]:
    """joblib's context with so many workers: its own pools, or a cluster of one machine."""
    if name == "dask":
        from dask.distributed import Client, LocalCluster

        cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster), joblib.parallel_config(backend="dask", n_jobs=jobs):
            yield
    elif name == "ray":
        # The workers have this environment already, but ray would have uv make another. It reads
        # this variable when it is imported.
        os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        ray.init(num_cpus=jobs, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        with joblib.parallel_config(backend="ray", n_jobs=jobs):
            yield
        ray.shutdown()
    else:
        with joblib.parallel_config(backend=name, n_jobs=jobs):
            yield


def used() -> dict[str, float]:
    """Core seconds of this process and its workers; its peak memory and the largest worker's, in
    MB.
    """
    own, workers = (
        resource.getrusage(resource.RUSAGE_SELF),
        psutil.Process().children(recursive=True),
    )
    times = [worker.cpu_times() for worker in workers]
    return {
        "cores": own.ru_utime + own.ru_stime + sum(spent.user + spent.system for spent in times),
        "peak": own.ru_maxrss / 1024,
        "child": max((worker.memory_info().rss / 1e6 for worker in workers), default=0.0),
    }


def main() -> None:
    """Fit, and say what it took."""
    given = job()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, backend(given["backend"], given["jobs"]):
        found = bs.fit_many(
            islice(tasks(), given["fits"]), store=folder, progressbar=False, random_seed=1
        )
        wall, spent = time.perf_counter() - began, used()
    answer(wall=wall, fine=int(found.table["ok"].sum()), failed=len(found.failures), **spent)


if __name__ == "__main__":
    main()
