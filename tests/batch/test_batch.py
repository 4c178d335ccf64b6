"""Many fits: the same bits however they are run, nothing lost when something dies, every failure on record."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import psutil
import pytest

import bayes_synth as bs
from bayes_synth import batch
from bayes_synth.batch.one import COLUMNS
from bayes_synth.errors import (
    ConvergenceWarning,
    DesignError,
    LoadError,
    PanelError,
    PriorError,
    SamplingFailed,
)
from bayes_synth.results.convergence import diagnose, worst
from bayes_synth.testing import fake_fit, fake_panel

MANY, ONE = (sys.modules[f"bayes_synth.batch.{name}"] for name in ("many", "one"))
QUICK = {"draws": 50, "tune": 50, "chains": 2}
LENIENT = QUICK | {"largest_r_hat": 2.0, "least_ess": 1}
QUIET = {"progressbar": False, "random_seed": 5}
PLAIN = bs.SyntheticControl(calibrate=False)


def tasks(count=6, **options):
    panels = [fake_panel(donors=4, random_seed=i, effect=3.0) for i in range(count)]
    return [
        bs.FitTask(panel, PLAIN, {"i": i}, **LENIENT | options) for i, panel in enumerate(panels)
    ]


def bits(result):
    """All but the time that it took."""
    return result.table.drop(columns="seconds")


@pytest.fixture(scope="module")
def reference():
    return bits(bs.fit_many(tasks(12), n_jobs=1, **QUIET))


# --- the same answers -------------------------------------------------------------------------------------------------


def test_threads_give_the_same_bits_in_any_order(reference):
    found = bs.fit_many(tasks(12)[::-1], n_jobs=3, **QUIET)
    pd.testing.assert_frame_equal(bits(found)[::-1], reference, check_exact=True)


def test_a_task_alone_gives_the_same_bits(reference):
    found = bs.fit_many(tasks()[2:3], **QUIET)
    pd.testing.assert_frame_equal(bits(found), reference.iloc[2:3], check_exact=True)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_batch_draws_what_a_fit_draws(scale):
    model = replace(PLAIN, scale=scale)
    task = bs.FitTask(fake_panel(donors=4), model, **LENIENT)
    with pytest.warns(ConvergenceWarning):
        fit = model.fit(task.panel, random_seed=task.seed(5), progressbar=False, **QUICK)
    row = bs.fit_many([task], **QUIET).table.iloc[0]
    summary = fit.summary()
    for name in ("average", "cumulative", "relative"):
        for part in ("median", "lower", "upper"):
            assert row[f"{name}_{part}"] == summary.loc[name, part]
    assert row["p_below_0"] == summary.loc["average", "p_below_0"]
    assert (row["r_hat"], row["ess"]) == (fit._convergence.r_hat, fit._convergence.ess)


def test_a_calibrated_batch_draws_what_a_fit_draws():
    model = bs.SyntheticControl(calibrate=bs.Calibration(draws=50, tune=50))
    task = bs.FitTask(fake_panel(donors=4), model, **LENIENT)
    with pytest.warns(ConvergenceWarning):
        fit = model.fit(task.panel, random_seed=task.seed(5), progressbar=False, **QUICK)
    row = bs.fit_many([task], **QUIET).table.iloc[0]
    assert row["average_lower"] == fit.summary().loc["average", "lower"]
    assert row["kappa"] == float(fit.calibration.kappa.mean())


def test_another_seed_panel_start_model_or_size_is_another_answer():
    task = tasks(1)[0]
    others = [
        replace(task, panel=task.panel.backdate(task.panel.pre[-3])),
        replace(task, model=replace(PLAIN, weights=bs.priors.Dirichlet(concentration=1.0))),
        replace(task, draws=51),
    ]
    assert len({task.seed(5), task.seed(6), *(other.seed(5) for other in others)}) == 5


def test_labels_change_no_answer():
    task = tasks(1)[0]
    assert replace(task, labels={"other": 1}).key == task.key


def test_equal_tasks_are_fitted_once(monkeypatch):
    made, real = [], MANY.run
    monkeypatch.setattr(
        MANY, "run", lambda *args, **more: (made.append(args), real(*args, **more))[1]
    )
    task = tasks(1)[0]
    found = bs.fit_many([task, replace(task, labels={"i": "again"})], **QUIET)
    assert (len(made), list(found.table.index), found.table["average_median"].nunique()) == (
        1,
        [0, "again"],
        1,
    )


def test_a_task_travels(reference):
    task = pickle.loads(pickle.dumps(tasks(1)[0]))
    assert len(pickle.dumps(task)) < 20_000
    pd.testing.assert_frame_equal(
        bits(bs.fit_many([task], **QUIET)), reference.iloc[:1], check_exact=True
    )


# --- verdicts and failures --------------------------------------------------------------------------------------------


def test_what_has_not_converged_gets_a_second_attempt_and_a_flag():
    first, second = bs.fit_many(
        [*tasks(1, least_ess=1), *tasks(1, least_ess=10**6)], **QUIET
    ).table.itertuples()
    assert (first.ok, first.attempts, second.ok, second.attempts) == (True, 1, False, 2)


def test_a_second_attempt_may_do():
    """Four times the sweeps between two draws: sparse weights of many donors, whose noise mixes slowly."""
    task = replace(tasks(1)[0], draws=200, tune=100, least_ess=200)
    row = bs.fit_many([task], **QUIET).table.iloc[0]
    assert (row["ok"], row["attempts"]) == (True, 2)


@pytest.mark.parametrize("chains", [1, 2, 4])
def test_the_quick_verdict_is_that_of_a_fit(chains):
    draws = (
        fake_fit(chains=chains, draws=100).idata["effects"].to_dataset()[["average", "cumulative"]]
    )
    table = diagnose(draws)
    found = worst(np.stack([draws[name].to_numpy() for name in draws]))
    assert found == (table["r_hat"].max(), table[["ess_bulk", "ess_tail"]].min().min())


def unloggable():
    panel = fake_panel(donors=4)
    return bs.FitTask(
        replace(panel, outcomes=panel.outcomes - 1e6),
        replace(PLAIN, scale="log"),
        {"i": "bad"},
        **LENIENT,
    )


def test_a_failure_is_on_record_and_the_others_go_on(reference):
    found = bs.fit_many([tasks()[0], unloggable(), tasks()[1]], **QUIET)
    failure = found.failures[0]
    assert (failure.task, failure.labels, failure.error, failure.code) == (
        1,
        {"i": "bad"},
        "PanelError",
        "V013",
    )
    assert "no logarithm" in failure.message
    assert "Traceback" in failure.traceback
    assert found.table["ok"].tolist() == [True, False, True]
    assert found.table.iloc[1].drop("ok").isna().all()
    pd.testing.assert_frame_equal(
        bits(found).iloc[[0, 2]], reference.iloc[:2], check_exact=True, check_index_type=False
    )


def test_a_failure_is_raised_when_asked_for():
    with pytest.raises(PanelError, match=r"V013.*no logarithm") as caught:
        bs.fit_many([tasks()[0], unloggable()], on_error="raise", **QUIET)
    assert "'i': 'bad'" in caught.value.__notes__[0]


def test_a_foreign_error_has_a_code_too(monkeypatch):
    monkeypatch.setattr("bayes_synth.batch.one.refitted", lambda *_, **__: 1 / 0)
    failure = bs.fit_many(tasks(1), **QUIET).failures[0]
    assert (failure.error, failure.code, failure.message) == (
        "ZeroDivisionError",
        "S006",
        "division by zero",
    )
    with pytest.raises(SamplingFailed, match=r"S006.*ZeroDivisionError"):
        bs.fit_many(tasks(1), on_error="raise", **QUIET)


def test_errors_travel():
    error = pickle.loads(pickle.dumps(DesignError("D001", "words")))
    assert (type(error), error.code, str(error)) == (DesignError, "D001", "[D001] words")


def test_an_error_of_the_callers_iterator_is_the_callers():
    def broken():
        yield tasks(1)[0]
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        bs.fit_many(broken(), **QUIET)


@pytest.mark.parametrize(("kind", "left", "read"), [(list, 4, 6), (iter, 1, 3)])
def test_an_interrupt_leaves_what_is_ready(monkeypatch, reference, kind, left, read):
    made, real = [], MANY.run

    def interrupted(*args, **more):
        made.append(args)
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(MANY, "run", interrupted)
    with pytest.warns(
        ConvergenceWarning, match=rf"S004.*interrupted: {left} of {read} fits"
    ) as caught:
        found = bs.fit_many(kind(tasks()), n_jobs=1, **QUIET)
    assert ("iterator still held was not read" in str(caught[0].message)) == (kind is iter)
    assert {failure.code for failure in found.failures} == {"S004"}
    assert (
        repr(found) == f"{read} fits: 2 fine, 0 flagged, {left} failed ({left} of them interrupted)"
    )
    pd.testing.assert_frame_equal(bits(found).iloc[:2], reference.iloc[:2], check_exact=True)


@pytest.mark.parametrize("options", [{"keep": "all"}, {"on_error": "ignore"}])
def test_an_unknown_option_is_named(options):
    with pytest.raises(PriorError, match=r"O001.*is unknown"):
        bs.fit_many(tasks(1), **QUIET, **options)


def test_what_is_no_task_is_named(panel):
    with pytest.raises(PriorError, match=r"O001.*bs\.FitTask objects, got Panel"):
        bs.fit_many([panel], **QUIET)
    with pytest.raises(PriorError, match=r"O001.*panel of a FitTask must be a bs\.Panel, got str"):
        bs.FitTask("prop99")


def test_a_prior_known_by_its_address_only_is_refused(panel):
    class Nameless:
        def create_variable(self, name): ...

    with pytest.raises(PriorError, match=r"O006.*address"):
        bs.FitTask(panel, bs.SyntheticControl(weights=Nameless()))


def test_sizes_are_checked_at_once(panel):
    with pytest.raises(PriorError, match="O010"):
        bs.FitTask(panel, draws=1)


# --- workers that die -------------------------------------------------------------------------------------------------


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
    import ray
    from ray.util.joblib import register_ray

    # Ray hands back lists only; the worker shall die between two of them, while the pool lives.
    monkeypatch.setattr("bayes_synth.batch.pool.CHUNK", 2)
    register_ray()
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        with joblib.parallel_config(backend="ray"):
            found = bs.fit_many(killing(tasks(12), 8, lambda: children("PoolActor")), **QUIET)
    finally:
        ray.shutdown()
    assert found.failures == ()
    pd.testing.assert_frame_equal(bits(found), reference, check_exact=True)


# --- the store --------------------------------------------------------------------------------------------------------


def keys_on_disk(folder):
    from bayes_synth.batch.store import _group

    return [
        key for part in folder.glob("*.zarr.zip") for key in _group(part, "/rows")["key"].to_numpy()
    ]


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, reference):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_batch, bayes_synth as bs\n"
        "from bayes_synth.batch import store; store.MOST = 2\n"
        "bs.fit_many(test_batch.tasks(200), store=sys.argv[2], n_jobs=2, **test_batch.QUIET)"
    )
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            str(Path(__file__).parents[1] / "tools"),
            str(tmp_path / "store"),
        ]
    )
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
    monkeypatch.setattr(MANY, "run", lambda *_, **__: 1 / 0)
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


# --- what comes back --------------------------------------------------------------------------------------------------


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


def test_a_chosen_noise_is_that_of_the_fit_kept(monkeypatch):
    chosen = (
        replace(PLAIN, noise=bs.noise.IID()),
        pd.DataFrame({"chosen": [1.0]}, index=pd.Index(["iid"], name="noise")),
    )
    monkeypatch.setattr("bayes_synth.batch.one.choose_noise", lambda *_: chosen)
    task = bs.FitTask(fake_panel(donors=4), replace(PLAIN, noise="auto"), **LENIENT)
    fit = bs.fit_many([task], keep="full", **QUIET).fits[0]
    assert fit.model.noise == bs.noise.IID()
    assert "noise_scores" in fit.idata.children


def test_the_table_is_in_task_order_and_numeric():
    found = bs.fit_many(tasks(3), **QUIET)
    assert found.table.index.tolist() == [0, 1, 2]
    assert found.table.index.name == "i"
    assert tuple(found.table.columns) == COLUMNS
    assert all(dtype.kind in "fb" for dtype in found.table.dtypes)
    assert found.table.attrs["random_seed"] == 5
    assert len(found.fits) == 0


def test_several_labels_are_several_levels_and_none_are_numbers():
    one, other = tasks(2)
    mixed = [replace(one, labels={"a": 1, "b": 2}), replace(other, labels={"a": 3})]
    assert bs.fit_many(mixed, **QUIET).table.index.names == ["a", "b"]
    assert bs.fit_many([replace(one, labels={})], **QUIET).table.index.name == "task"


def test_no_tasks_are_an_empty_table():
    assert bs.fit_many([], **QUIET).table.shape == (0, len(COLUMNS))


def test_the_last_line_counts(capsys):
    flagged = tasks(1, least_ess=10**6)
    found = bs.fit_many([*tasks(2), *flagged, unloggable()], random_seed=5)
    assert repr(found) == "4 fits: 2 fine, 1 flagged, 1 failed"
    assert repr(found) in capsys.readouterr().out
    assert "<pre>" in found._repr_html_()


def test_quiet_is_quiet(capfd):
    bs.fit_many(tasks(1), **QUIET)
    assert capfd.readouterr() == ("", "")


# --- makers -----------------------------------------------------------------------------------------------------------


def test_placebos_are_every_donor_as_if_treated(prop99):
    made = batch.placebos(prop99)
    assert [dict(task.labels)["treated"] for task in made] == list(prop99.donors)
    assert made[0].panel == prop99.as_if_treated("Alabama")
    assert made[0].model.calibration is None
    assert (made[0].draws, made[0].tune, made[0].chains) == (400, 300, 2)


def test_smaller_pools_keep_each_donors_prior(prop99):
    whole = bs.priors.Dirichlet(effective_donors=4)
    (task, *_) = batch.leave_one_out(prop99, model=replace(PLAIN, weights=whole))
    assert task.model.weights.alpha(task.panel.donors) == whole.alpha(prop99.donors)


def test_leaving_out_and_backdating(prop99):
    assert {dict(t.labels)["without"]: t.panel for t in batch.leave_one_out(prop99)}[
        "Utah"
    ] == prop99.drop("Utah")
    made = batch.backdates(prop99, periods=(1, 5))
    assert [dict(task.labels)["start"] for task in made] == ["1988", "1984"]
    assert made[1].panel == prop99.backdate(1984)
    with pytest.raises(DesignError, match=r"D002.*between 1 and 19"):
        batch.backdates(prop99, periods=(0, 20))


def test_each_unit_by_itself_on_common_donors(prop99):
    one, other = batch.each_unit(prop99, treated=["Utah", "California"])
    assert (one.panel.treated, other.panel.treated) == (("Utah",), ("California",))
    assert one.panel.donors == other.panel.donors
    assert len(one.panel.donors) == 37
    assert other.model == bs.SyntheticControl()
    with pytest.raises(DesignError, match="D007"):
        batch.each_unit(prop99, treated=["Atlantis"])


def test_placebos_of_several_treated_units_are_refused(prop99):
    pair = replace(prop99, treated=("California", "Utah"))
    with pytest.raises(DesignError, match="D024"):
        batch.placebos(pair)


def test_constant_donors_are_no_placebos():
    panel = fake_panel(donors=4)
    flat = panel.outcomes.copy()
    flat.loc[{"unit": "donor_01"}] = 3.0
    made = batch.placebos(replace(panel, outcomes=flat))
    assert [dict(task.labels)["treated"] for task in made] == ["donor_00", "donor_02", "donor_03"]


def test_jobs_are_those_of_joblibs_context():
    with joblib.parallel_config(n_jobs=1):
        assert MANY._jobs(None) == 1
        assert MANY._jobs(2) == 2
    assert MANY._jobs(None) == -1


def test_a_second_attempt_that_fails_leaves_the_first(monkeypatch):
    real = ONE.refitted

    def failing(model, panel, settings, **more):
        if settings.attempt > 1:
            raise SamplingFailed("S002", "crashed")
        return real(model, panel, settings, **more)

    monkeypatch.setattr(ONE, "refitted", failing)
    task = replace(tasks(1)[0], least_ess=1e9)
    found = bs.fit_many([task], n_jobs=1, **QUIET)
    assert found.failures == ()
    assert found.table["ok"].tolist() == [False]


def test_a_relative_store_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = bs.fit_many(tasks(1), n_jobs=1, store="here", keep="draws", **QUIET)
    monkeypatch.chdir(tmp_path.parent)
    assert np.isfinite(found.fits[0].effect("average").draws).all()
