"""Shared by the tests of batches: the table that every way of running them must reproduce."""

import pytest
from small_batches import QUIET, bits, tasks

import bayes_synth as bs


@pytest.fixture(scope="session")
def reference():
    return bits(bs.fit_many(tasks(12), n_jobs=1, **QUIET))
