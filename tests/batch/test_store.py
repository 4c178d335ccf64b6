"""Batches in a folder: a killed run goes on, and no other folder is taken for one."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_batches
from small_batches import QUIET, bits, tasks, unloggable

import bayes_synth as bs
from bayes_synth.errors import LoadError, PanelError
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.storage.trees import read_tree


def keys_on_disk(folder):
    return [
        key
        for part in folder.glob("*.zarr.zip")
        for key in read_tree(part, ".zarr.zip", "/rows")["key"].to_numpy()
    ]


@pytest.mark.long
def test_a_killed_run_goes_on_where_it_stopped(tmp_path, reference):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import small_batches, bayes_synth as bs\n"
        "from bayes_synth.batch import store; store.MOST = 2\n"
        "options = {'store': sys.argv[2], 'n_jobs': 2, **small_batches.QUIET}\n"
        "bs.fit_many(small_batches.tasks(200), **options)"
    )
    helpers = Path(small_batches.__file__).parent
    run = subprocess.Popen([sys.executable, "-c", code, str(helpers), str(tmp_path / "store")])
    while not list((tmp_path / "store").glob("*.zarr.zip")):
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = keys_on_disk(tmp_path / "store")
    found = bs.fit_many(tasks(12), store=tmp_path / "store", **QUIET)
    after = keys_on_disk(tmp_path / "store")
    assert len(before) > 0
    assert len(after) == len(set(after))
    assert set(before) <= set(after)
    assert {task.key for task in tasks(12)} <= set(after)
    pd.testing.assert_frame_equal(bits(found), reference, check_exact=True)


def test_what_is_in_the_store_is_not_fitted_again(tmp_path, monkeypatch):
    first = bs.fit_many(tasks(3), store=tmp_path, **QUIET)
    monkeypatch.setattr("bayes_synth.batch.many.run", lambda *_, **__: 1 / 0)
    again = bs.fit_many(tasks(3), store=tmp_path, progressbar=False)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)


def test_failures_are_tried_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bayes_synth.batch.one.refitted", lambda *_, **__: 1 / 0)
        assert len(bs.fit_many(tasks(2), store=tmp_path, **QUIET).failures) == 2
    assert bs.fit_many(tasks(2), store=tmp_path, **QUIET).failures == ()


def test_a_raised_failure_leaves_what_was_ready_in_the_store(tmp_path):
    with pytest.raises(PanelError, match="V013"):
        bs.fit_many([tasks()[0], unloggable()], store=tmp_path, n_jobs=1, on_error="raise", **QUIET)
    assert keys_on_disk(tmp_path) == [tasks()[0].key]


def test_a_store_is_used_as_it_was_begun(tmp_path):
    bs.fit_many(tasks(1), store=tmp_path, **QUIET)
    with pytest.raises(LoadError, match=r"L004.*holds 1 results"):
        bs.fit_many(tasks(1), store=tmp_path, resume=False, **QUIET)
    with pytest.raises(LoadError, match=r"L008.*random_seed=5 instead of 6"):
        bs.fit_many(tasks(1), store=tmp_path, random_seed=6, progressbar=False)
    with pytest.raises(LoadError, match=r"L008.*keep='summary' instead of 'draws'"):
        bs.fit_many(tasks(1), store=tmp_path, keep="draws", **QUIET)


def test_a_store_with_other_columns_is_refused(tmp_path):
    own = replace(ESTIMANDS["average"], name="own")
    ESTIMANDS.add(own.name, own)
    try:
        bs.fit_many(tasks(1), store=tmp_path, **QUIET)
    finally:
        ESTIMANDS.remove(own.name)
    with pytest.raises(LoadError, match=r"L008.*other columns.*own_lower, own_median, own_upper"):
        bs.fit_many(tasks(1), store=tmp_path, **QUIET)


def test_a_store_of_a_later_version_is_refused(tmp_path):
    bs.fit_many(tasks(1), store=tmp_path, **QUIET)
    header = tmp_path / "batch.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"schema": 99}))
    with pytest.raises(LoadError, match=r"L002.*schema 99"):
        bs.fit_many(tasks(1), store=tmp_path, **QUIET)


@pytest.mark.parametrize(
    ("name", "text"), [("notes.txt", "mine"), ("batch.json", "{}"), ("batch.json", "[")]
)
def test_a_folder_of_other_things_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(LoadError, match="L001"):
        bs.fit_many(tasks(1), store=tmp_path, **QUIET)


def test_a_damaged_part_is_named(tmp_path):
    bs.fit_many(tasks(1), store=tmp_path, **QUIET)
    part = next(tmp_path.glob("*.zarr.zip"))
    part.write_bytes(part.read_bytes()[:-50])
    with pytest.raises(LoadError, match=rf"L001.*{part.name}.*Delete it"):
        bs.fit_many(tasks(1), store=tmp_path, **QUIET)


@pytest.mark.long
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("keep", ["draws", "full"])
def test_fits_that_were_kept_answer(keep, stored, tmp_path, reference):
    store = tmp_path if stored else None
    given = [tasks()[0], unloggable(), tasks()[1]]
    found = bs.fit_many(given, keep=keep, store=store, **QUIET)
    first, failed, second = found.fits
    assert failed is None
    assert len(found.fits[1:]) == 2
    for fit, row in ((first, reference.iloc[0]), (second, reference.iloc[1])):
        assert fit.panel.donors == given[0].panel.donors
        assert float(fit.effect("average").draws.median()) == row["average_median"]
        assert fit.effect("average", window=slice(2021, 2022)).interval().sizes["ci_bound"] == 2
    if keep == "full":
        assert isinstance(first, bs.Fit)
        assert repr(first)
        assert first.weights().shape[0] == 4
        assert [attempt["kept"] for attempt in first.diagnostics().attrs["attempts"]] == [True]


def test_a_relative_store_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = bs.fit_many(tasks(1), n_jobs=1, store="here", keep="draws", **QUIET)
    monkeypatch.chdir(tmp_path.parent)
    assert np.isfinite(found.fits[0].effect("average").draws).all()
