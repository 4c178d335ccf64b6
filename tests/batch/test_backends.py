"""Batches in processes and on clusters: nothing is lost when a worker dies."""

import os
import signal
from dataclasses import dataclass, replace

import joblib
import pandas as pd
import psutil
import pytest
from small_batches import LENIENT, PLAIN, QUIET, bits, tasks

import bayes_synth as bs
from bayes_synth.fitting.pool import jobs
from bayes_synth.testing import fake_panel


def killing(items, at, pids):
    """The items; before the one at ``at``, a worker is killed."""
    for i, item in enumerate(items):
        if i == at:
            os.kill(pids()[0], signal.SIGKILL)
        yield item


def children(name):
    """Processes under this one whose command line holds ``name``."""
    return [
        p.pid for p in psutil.Process().children(recursive=True) if name in " ".join(p.cmdline())
    ]


@pytest.mark.long
def test_processes_give_the_same_bits_though_one_is_killed(reference):
    found = bs.fit_many(
        killing(tasks(12), 8, lambda: children("loky")), n_jobs=2, backend="loky", **QUIET
    )
    assert found.failures == ()
    pd.testing.assert_frame_equal(bits(found), reference, check_exact=True)


@dataclass(frozen=True)
class Deadly(bs.noise.LocalLevel):
    """Noise that kills the process that samples it."""

    def diagonal(self, periods):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_task_that_kills_its_worker_fails_alone(reference):
    deadly = bs.FitTask(
        fake_panel(donors=4), replace(PLAIN, noise=Deadly()), {"i": "deadly"}, **LENIENT
    )
    found = bs.fit_many([deadly, *tasks(4)], n_jobs=2, backend="loky", **QUIET)
    assert [(f.labels["i"], f.error, f.code) for f in found.failures] == [
        ("deadly", "TerminatedWorkerError", "S006")
    ]
    pd.testing.assert_frame_equal(
        bits(found).iloc[1:], reference.iloc[:4], check_exact=True, check_index_type=False
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_gives_the_same_bits_and_survives_a_killed_worker(reference):
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        pids = list(client.run(os.getpid).values())
        found = bs.fit_many(killing(tasks(12), 8, lambda: pids), **QUIET)
    assert found.failures == ()
    pd.testing.assert_frame_equal(bits(found), reference, check_exact=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_same_bits_and_survives_a_killed_worker(monkeypatch, reference):
    # Started by "uv run", Ray would build a new environment without the tests' group for its
    # workers; they are to use this interpreter. It reads the variable when it is imported.
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    import ray
    from ray.util.joblib import register_ray

    # Ray hands back lists only; the worker must die between two of them, while the pool lives.
    monkeypatch.setattr("bayes_synth.fitting.pool.CHUNK", 2)
    register_ray()
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        with joblib.parallel_config(backend="ray"):
            found = bs.fit_many(killing(tasks(12), 8, lambda: children("PoolActor")), **QUIET)
    finally:
        ray.shutdown()
    assert found.failures == ()
    pd.testing.assert_frame_equal(bits(found), reference, check_exact=True)


def test_jobs_are_those_of_joblibs_context():
    with joblib.parallel_config(n_jobs=1):
        assert jobs(None) == 1
        assert jobs(2) == 2
    assert jobs(None) == -1
