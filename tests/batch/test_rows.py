"""Batches: the same bits however they are run, those of a fit, in a numeric table."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_batches import LENIENT, PLAIN, QUICK, QUIET, bits, tasks, unloggable

import bayes_synth as bs
from bayes_synth.batch.many import run
from bayes_synth.batch.one import columns
from bayes_synth.errors import ConvergenceWarning
from bayes_synth.results.convergence import diagnose, worst
from bayes_synth.results.estimands import ESTIMANDS, estimand
from bayes_synth.testing import fake_fit, fake_panel


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
    for name in ("average", "total", "relative"):
        for part in ("median", "lower", "upper"):
            assert row[f"{name}_{part}"] == summary.loc[name, part]
    assert row["p_below_0"] == summary.loc["average", "p_below_0"]
    assert (row["r_hat"], row["ess"]) == (fit.convergence.r_hat, fit.convergence.ess)


def test_a_calibrated_batch_draws_what_a_fit_draws():
    model = bs.SyntheticControl(calibrate=bs.Calibration(draws=50, tune=50))
    task = bs.FitTask(fake_panel(donors=4), model, **LENIENT)
    with pytest.warns(ConvergenceWarning):
        fit = model.fit(task.panel, random_seed=task.seed(5), progressbar=False, **QUICK)
    row = bs.fit_many([task], **QUIET).table.iloc[0]
    assert row["average_lower"] == fit.summary().loc["average", "lower"]
    assert row["kappa"] == float(fit.calibration.kappa.mean())
    # The task has a standard of its own for convergence.
    assert row["alarms"].split() == [code for code, _ in fit.alarms if code != "A001"]
    assert "A005" in row["alarms"]


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
    fitted = []

    def noted(key, *args, **more):
        fitted.append(key)
        return run(key, *args, **more)

    monkeypatch.setattr("bayes_synth.batch.many.run", noted)
    task = tasks(1)[0]
    table = bs.fit_many([task, replace(task, labels={"i": "again"})], **QUIET).table
    assert fitted == [task.key]
    assert list(table.index) == [0, "again"]
    assert table["average_median"].iloc[0] == table["average_median"].iloc[1]


def test_a_task_travels(reference):
    task = pickle.loads(pickle.dumps(tasks(1)[0]))
    assert len(pickle.dumps(task)) < 20_000
    pd.testing.assert_frame_equal(
        bits(bs.fit_many([task], **QUIET)), reference.iloc[:1], check_exact=True
    )


@pytest.mark.parametrize("chains", [1, 2, 4])
def test_the_quick_verdict_is_that_of_a_fit(chains):
    draws = fake_fit(chains=chains, draws=100).idata["effects"].to_dataset()[["average", "total"]]
    table = diagnose(draws)
    found = worst(np.stack([draws[name].to_numpy() for name in draws]))
    assert found == (table["r_hat"].max(), table[["ess_bulk", "ess_tail"]].min().min())


def test_a_chosen_noise_is_that_of_the_fit_kept(monkeypatch):
    chosen = (
        replace(PLAIN, noise=bs.noise.IID()),
        pd.DataFrame({"chosen": [1.0]}, index=pd.Index(["iid"], name="noise")),
    )
    monkeypatch.setattr("bayes_synth.fitting.fit_panel.choose_noise", lambda *_: chosen)
    task = bs.FitTask(fake_panel(donors=4), replace(PLAIN, noise="auto"), **LENIENT)
    fit = bs.fit_many([task], keep="full", **QUIET).fits[0]
    assert fit.model.noise == bs.noise.IID()
    assert "noise_scores" in fit.idata.children


def test_the_table_is_in_task_order_and_numeric_but_for_alarms():
    found = bs.fit_many(tasks(3), **QUIET)
    assert found.table.index.tolist() == [0, 1, 2]
    assert found.table.index.name == "i"
    assert tuple(found.table.columns) == columns()
    numbers = found.table.drop(columns="alarms")
    assert all(dtype.kind in "fb" for dtype in numbers.dtypes)
    assert found.table.attrs["random_seed"] == 5
    assert len(found.fits) == 0


@pytest.fixture
def final_period():
    """An estimand of the user's own, for as long as a test lasts."""

    @estimand("in the last period")
    def final(effect, counterfactual):
        return effect.isel(time=-1)

    yield "final"
    ESTIMANDS.remove("final")


def test_the_columns_are_those_of_the_registered_estimands(final_period):
    table = bs.fit_many(tasks(1), **QUIET).table
    parts = [f"final_{part}" for part in ("median", "lower", "upper")]
    assert [name for name in table.columns if name.startswith(final_period)] == parts
    assert table[parts].notna().all(axis=None)


def test_estimands_that_are_not_reported_have_no_columns():
    assert not [name for name in columns() if name.startswith(("log_ratio", "pointwise"))]


def test_several_labels_are_several_levels_and_none_are_numbers():
    one, other = tasks(2)
    mixed = [replace(one, labels={"a": 1, "b": 2}), replace(other, labels={"a": 3})]
    assert bs.fit_many(mixed, **QUIET).table.index.names == ["a", "b"]
    assert bs.fit_many([replace(one, labels={})], **QUIET).table.index.name == "task"


def test_no_tasks_are_an_empty_table():
    assert bs.fit_many([], **QUIET).table.shape == (0, len(columns()))


def test_the_last_line_counts(capsys):
    flagged = tasks(1, least_ess=10**6)
    found = bs.fit_many([*tasks(2), *flagged, unloggable()], random_seed=5)
    assert repr(found).splitlines()[0] == "4 fits: 2 fine, 1 flagged, 1 failed"
    assert repr(found) in capsys.readouterr().out
    assert "monospace" in found._repr_html_()


def test_quiet_is_quiet(capfd):
    bs.fit_many(tasks(1), **QUIET)
    assert capfd.readouterr() == ("", "")
