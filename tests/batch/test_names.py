"""Batches by name, backends that cannot be used, failures in a result's repr."""

import re

import joblib
import pandas as pd
import pytest
from small_batches import LENIENT, PLAIN, QUIET, bits, tasks, unloggable

import bayes_synth as bs
from bayes_synth.errors import OptionError
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.testing import fake_panel


@pytest.fixture
def made(monkeypatch):
    """The tasks that a batch hands out, none of which is fitted."""
    seen = []

    def note(key, task, **_):
        seen.append(task)
        raise KeyboardInterrupt

    monkeypatch.setattr("bayes_synth.batch.many.run", note)
    return seen


def test_names_are_the_first_label_of_the_table():
    named = {task.labels[0][1]: task for task in tasks(3)}
    found = bs.fit_many(named, **QUIET).table
    listed = bs.fit_many(tasks(3), **QUIET).table
    assert found.index.names == ["name", "i"]
    assert found.index.get_level_values("name").tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(
        found.droplevel("name").drop(columns="seconds"), listed.drop(columns="seconds")
    )


@pytest.mark.parametrize("name", ["chicago", 7, ("east", 1)])
def test_a_panel_is_fitted_with_the_default_model(made, name):
    panel = fake_panel(donors=4)
    with pytest.warns(bs.errors.ConvergenceWarning, match="S004"):
        bs.fit_many({name: panel}, n_jobs=1, **QUIET)
    assert made[0].panel is panel
    assert (made[0].model, made[0].labels) == (bs.SyntheticControl(), (("name", name),))


@pytest.mark.parametrize("wrong", [pd.DataFrame(), "prop99", None])
def test_what_is_no_panel_is_named(wrong):
    with pytest.raises(OptionError, match=r"O001.*for 'b'; make a panel"):
        bs.fit_many({"a": fake_panel(), "b": wrong}, **QUIET)


def test_a_list_of_panels_says_how_to_name_them():
    with pytest.raises(OptionError, match=r"O001.*bs\.FitTask objects, got Panel.*chicago"):
        bs.fit_many([fake_panel()], **QUIET)


@pytest.mark.parametrize(
    ("backend", "hint"),
    [
        ("thread", "Did you mean 'threading'"),
        ("locky", "Did you mean 'loky'"),
        ("ray", "register_ray"),
    ],
)
def test_an_unknown_backend_is_refused_in_our_words(backend, hint):
    with pytest.raises(OptionError, match=rf"O001.*backend must be.*{re.escape(hint)}"):
        bs.fit_many(tasks(1), backend=backend, **QUIET)


@pytest.mark.parametrize(
    "error", [ValueError("no client"), ImportError("no module"), TypeError("?")]
)
def test_a_backend_that_cannot_be_used_says_why(monkeypatch, error):
    def refuse(**_):
        raise error

    monkeypatch.setattr("joblib.Parallel", refuse)
    with pytest.raises(OptionError, match=r"O055.*cannot be used here: " + re.escape(str(error))):
        bs.fit_many(tasks(1), backend="dask", **QUIET)


def test_a_backend_of_ones_own_is_taken(reference):
    joblib.register_parallel_backend("mine", joblib.parallel.BACKENDS["threading"])
    try:
        found = bs.fit_many(tasks(2), backend="mine", **QUIET)
    finally:
        del joblib.parallel.BACKENDS["mine"]
    pd.testing.assert_frame_equal(bits(found), reference.iloc[:2], check_exact=True)


def test_the_repr_names_which_task_failed_and_why():
    found = bs.fit_many([tasks(1)[0], unloggable()], **QUIET)
    first, second = repr(found).splitlines()
    assert first == "2 fits: 1 fine, 0 flagged, 1 failed"
    assert second.startswith("  failed: task 1 (i=bad): PanelError [V013] ")
    assert "no logarithm" in second
    assert "no logarithm" in found._repr_html_()


def test_many_failures_are_counted_and_the_first_are_named(monkeypatch):
    monkeypatch.setattr("bayes_synth.batch.one.refitted", lambda *_, **__: 1 / 0)
    lines = repr(bs.fit_many(tasks(8), **QUIET)).splitlines()
    assert len(lines) == 7
    assert lines[1] == "  failed: task 0 (i=0): ZeroDivisionError [S006] division by zero"
    assert lines[-1] == "  and 3 more: see .failures"


def test_a_task_without_labels_is_named_by_its_place(monkeypatch):
    def long(*_, **__):
        raise RuntimeError("a\nlong story " * 40)

    monkeypatch.setattr("bayes_synth.batch.one.refitted", long)
    task = bs.FitTask(fake_panel(donors=4), PLAIN, **LENIENT)
    line = repr(bs.fit_many([task], **QUIET)).splitlines()[1]
    assert line.startswith("  failed: task 0: RuntimeError [S006] a long story")
    assert len(line) < 220


def test_scipy_looks_for_array_libraries_before_there_are_threads(monkeypatch):
    """With numpyro on Python 3.12.1 the first density in several threads at once fails."""
    touched = []
    monkeypatch.setattr(
        "bayes_synth.sampling.threads._touch_lazy_modules", lambda: touched.append(1)
    )
    with type(single_threaded)()(), single_threaded():
        assert touched == [1]
