"""A study that was stopped goes on from its store; where it is sampled changes no bit."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from small_studies import groups, wide

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, LoadError, OptionError
from bayes_synth.fitting.extend import KNOWN
from bayes_synth.study.refit import MemberTask
from bayes_synth.testing import fake_panel

pytestmark = pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
PLAN = bs.Calibration(draws=50, tune=50, most=3)
MODEL = bs.SyntheticControl(calibrate=PLAN)
SIZES = {"draws": 60, "tune": 60, "chains": 2, "progressbar": False}
STARTS = {"u00": 2012, "u01": 2015}


def study(starts=STARTS, units=11):
    return bs.Study.from_wide(wide(units), starts=starts, outcome="sales")


def fitted(model=MODEL, given=None, **options):
    return model.fit(study() if given is None else given, **SIZES | {"random_seed": 1} | options)


def assert_same(one, two):
    ours, theirs = groups(one), groups(two)
    assert list(ours) == list(theirs)
    for key, dataset in ours.items():
        assert dataset.equals(theirs[key]), key
    assert one.sets.equals(two.sets)


def files(folder, kind):
    return sorted(path.name for path in Path(folder).glob(f"{kind}_*.npz"))


@pytest.fixture(scope="module")
def reference():
    return fitted()


@pytest.fixture
def counted(monkeypatch):
    """The refits that are made, and after how many of them somebody presses Ctrl-C."""
    made, answer = {"refits": 0, "stop": np.inf}, MemberTask.answer

    def counting(task, factor):
        if made["refits"] >= made["stop"]:
            raise KeyboardInterrupt
        made["refits"] += 1
        return answer(task, factor)

    monkeypatch.setattr(MemberTask, "answer", counting)
    return made


def test_a_store_changes_no_bit_and_is_read_the_second_time(tmp_path, reference, counted):
    assert_same(fitted(store=tmp_path), reference)
    first = counted["refits"]
    assert first == 3 * len(files(tmp_path, "member")) > 0
    assert len(files(tmp_path, "draws")) >= 2
    # Without a seed the folder's is taken.
    assert_same(fitted(store=tmp_path, random_seed=None), reference)
    assert counted["refits"] == first


@pytest.mark.parametrize("stop", [7])
def test_a_run_that_was_stopped_goes_on_from_its_store(tmp_path, reference, counted, stop):
    counted["stop"] = stop
    with pytest.raises(KeyboardInterrupt):
        fitted(store=tmp_path, cores=1)
    kept = len(files(tmp_path, "member"))
    # A member with an answer under two of three priors is refitted.
    assert kept == stop // 3
    counted.update(refits=0, stop=np.inf)
    assert_same(fitted(store=tmp_path), reference)
    assert counted["refits"] == 3 * (len(files(tmp_path, "member")) - kept)


def test_draws_of_units_that_were_sampled_are_kept(tmp_path, reference, monkeypatch):
    sampled = []

    def once(model, *args, **options):
        if sampled:
            raise KeyboardInterrupt
        sampled.append(model)
        return fit_prepared(model, *args, **options)

    from bayes_synth.study.fitting import fit_prepared

    monkeypatch.setattr("bayes_synth.study.fitting.fit_prepared", once)
    with pytest.raises(KeyboardInterrupt):
        fitted(store=tmp_path)
    kept = files(tmp_path, "draws")
    assert kept
    monkeypatch.undo()
    assert_same(fitted(store=tmp_path), reference)
    assert set(kept) < set(files(tmp_path, "draws"))


def test_threads_of_joblib_change_no_bit(tmp_path, reference):
    assert_same(fitted(backend="threading", n_jobs=2), reference)
    with joblib.parallel_config(backend="threading", n_jobs=1):
        assert_same(fitted(store=tmp_path), reference)
    # What one backend kept, another one reads.
    before = files(tmp_path, "*")
    assert_same(fitted(store=tmp_path, backend="threading"), reference)
    assert files(tmp_path, "*") == before


@pytest.mark.long
def test_processes_change_no_bit_and_one_that_is_killed_costs_nothing(tmp_path, reference):
    assert_same(fitted(backend="loky", n_jobs=2, store=tmp_path), reference)


KILLED = """
import os, sys
sys.path[:0] = {paths!r}
import test_study_store as here
from bayes_synth.study.refit import MemberTask

answer, made = MemberTask.answer, []

def deadly(task, factor):
    made.append(factor)
    if len(made) > 7:
        os.kill(os.getpid(), 9)
    return answer(task, factor)

MemberTask.answer = deadly
here.fitted(store={store!r}, cores=1)
"""


@pytest.mark.long
def test_a_run_that_was_killed_goes_on_from_its_store(tmp_path, reference, counted):
    tests = Path(__file__).parents[1]
    paths = [str(tests / "study"), str(tests / "tools")]
    script = KILLED.format(paths=paths, store=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(files(tmp_path, "member")) == 2
    assert_same(fitted(store=tmp_path), reference)
    assert counted["refits"] == 3 * (len(files(tmp_path, "member")) - 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_changes_no_bit(tmp_path, reference):
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert_same(fitted(store=tmp_path), reference)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_changes_no_bit(monkeypatch, reference):
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        register_ray()
        with joblib.parallel_config(backend="ray"):
            assert_same(fitted(), reference)
    finally:
        ray.shutdown()


@pytest.mark.parametrize("code", ["S002", "S004"])
def test_a_refit_that_fails_elsewhere_fails_with_its_code_and_names_its_panel(monkeypatch, code):
    def failing(task, factor):
        raise bs.errors.SamplingFailed(code, "the sampler crashed.")

    monkeypatch.setattr(MemberTask, "answer", failing)
    with pytest.raises(bs.errors.SamplingFailed, match=f"{code}.*crashed") as raised:
        fitted(backend="threading", n_jobs=1)
    assert "in the role of" in raised.value.__notes__[0]


def test_a_refit_whose_worker_dies_each_time_is_named(monkeypatch):
    def dying(task, factor):
        raise OSError("the worker has gone")

    monkeypatch.setattr(MemberTask, "answer", dying)
    with pytest.raises(bs.errors.SamplingFailed, match=r"S006.*a worker was lost.*has gone"):
        fitted(backend="threading", n_jobs=1)


# --- refused in words ----------------------------------------------------------------------------


def test_an_unknown_backend_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"O001.*backend must be one of joblib's, got 'thread'"):
        fitted(backend="thread", store=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"random_seed": 2}, "random_seed=1 instead of 2"),
        ({"model": bs.SyntheticControl(noise=bs.noise.IID(), calibrate=PLAN)}, "another model"),
        ({"given": study(units=12)}, "another study"),
        ({"given": study(STARTS | {"u01": 2014})}, "another study"),
    ],
)
def test_a_store_of_something_else_is_refused(store_of_reference, other, words):
    with pytest.raises(LoadError, match=f"L008.*{words}"):
        fitted(store=store_of_reference, **other)


@pytest.fixture(scope="module")
def store_of_reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    fitted(store=folder)
    return folder


def test_more_draws_go_on_from_the_same_refits(store_of_reference, counted):
    more = fitted(store=store_of_reference, draws=80)
    assert counted["refits"] == 0
    assert next(iter(more.fits.values())).idata["posterior"].sizes["draw"] == 80


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "L001.*holds other files"),
        ("{", "L001.*does not describe"),
        ('{"schema": 1}', "L001.*does not describe"),
        (json.dumps({"schema": 9, "random_seed": 1}), "L002.*newer than 1"),
        (json.dumps({"schema": 1, "random_seed": 1}), "L008.*another study"),
    ],
)
def test_a_folder_that_is_no_store_of_a_study_is_refused(tmp_path, header, words):
    (tmp_path / "notes.txt").write_text("mine")
    if header is not None:
        (tmp_path / "study.json").write_text(header)
    with pytest.raises(LoadError, match=words):
        fitted(store=tmp_path)


DAMAGES = {"half": lambda b: b[: len(b) // 2], "empty": lambda b: b"", "other": lambda b: b"PK" * 9}


@pytest.mark.parametrize("kind", ["member", "draws"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_named(store_of_reference, tmp_path, kind, damage):
    shutil.copytree(store_of_reference, tmp_path, dirs_exist_ok=True)
    path = tmp_path / files(tmp_path, kind)[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LoadError, match=f"L001.*{path.name} cannot be read.*Delete it"):
        fitted(store=tmp_path)


@pytest.mark.parametrize("option", [{"store": "x"}, {"backend": "loky"}, {"n_jobs": 2}])
def test_options_of_several_units_are_refused_for_one(option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=r"O001.*several treated units, got a panel"):
        bs.SyntheticControl().fit(fake_panel(), **option)
    with pytest.raises(OptionError, match=r"O001.*got the study of u00 alone"):
        bs.SyntheticControl().fit(study({"u00": 2012}), **option)
    assert not list(tmp_path.iterdir())


def test_draws_that_would_take_much_memory_are_not_remembered(monkeypatch, reference):
    assert all(fit in KNOWN for fit in reference.fits.values())
    monkeypatch.setattr("bayes_synth.study.fitting.REMEMBERED", 1)
    with pytest.warns(ConvergenceWarning):
        joint = fitted()
    assert not any(fit in KNOWN for fit in joint.fits.values())
