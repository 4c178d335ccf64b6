"""Batches: second attempts, and every failure on record while the others go on."""

import pickle
from dataclasses import replace

import pandas as pd
import pytest
from small_batches import HOPELESS, QUIET, bits, tasks, unloggable

import bayes_synth as bs
from bayes_synth.batch.many import run
from bayes_synth.batch.one import refitted
from bayes_synth.errors import (
    ConvergenceWarning,
    DesignError,
    OptionError,
    PanelError,
    PriorError,
    SamplingFailed,
)


def test_what_has_not_converged_gets_a_second_attempt_and_a_flag():
    first, second = bs.fit_many([*tasks(1), *tasks(1, **HOPELESS)], **QUIET).table.itertuples()
    assert (first.ok, first.attempts, second.ok, second.attempts) == (True, 1, False, 2)


def test_too_few_draws_are_flagged_without_a_second_attempt():
    """More sweeps are tried where there are 2.5 draws per effective one: 100 for 40, not for 41."""
    some, few = bs.fit_many(
        [*tasks(1, **HOPELESS, least_ess=40), *tasks(1, **HOPELESS, least_ess=41)], **QUIET
    ).table.itertuples()
    assert (some.ok, some.attempts, few.ok, few.attempts) == (False, 2, False, 1)


def test_a_second_attempt_may_do():
    """Four times the sweeps help where weights are sparse and noise mixes slowly."""
    task = replace(tasks(2)[1], draws=250, tune=100, least_ess=200)
    rows = [
        bs.fit_many([task], **QUIET | {"random_seed": seed}).table.iloc[0] for seed in range(12)
    ]
    again = [row for row in rows if row["attempts"] == 2]
    assert again
    assert all(row["ok"] for row in again)


def test_a_second_attempt_that_fails_leaves_the_first(monkeypatch):
    attempts = []

    def failing(problem, settings, alternatives):
        attempts.append(settings.attempt)
        if settings.attempt > 1:
            raise SamplingFailed("S002", "crashed")
        return refitted(problem, settings, alternatives)

    monkeypatch.setattr("bayes_synth.batch.one.refitted", failing)
    found = bs.fit_many(tasks(1, **HOPELESS), n_jobs=1, **QUIET)
    assert attempts == [1, 2]
    assert found.failures == ()
    assert found.table["ok"].tolist() == [False]


def test_a_failure_is_on_record_and_the_others_go_on(reference):
    found = bs.fit_many([tasks()[0], unloggable(), tasks()[1]], **QUIET)
    failure = found.failures[0]
    assert (failure.task, failure.labels) == (1, {"i": "bad"})
    assert (failure.error, failure.code) == ("PanelError", "V013")
    assert "no logarithm" in failure.message
    assert "Traceback" in failure.traceback
    assert found.table["ok"].tolist() == [True, False, True]
    assert found.table.iloc[1].drop(["ok", "alarms"]).isna().all()
    assert found.table.iloc[1]["alarms"] == ""
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
    assert (failure.error, failure.code) == ("ZeroDivisionError", "S006")
    assert failure.message == "division by zero"
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
    begun = []

    def interrupted(*args, **more):
        begun.append(args)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return run(*args, **more)

    monkeypatch.setattr("bayes_synth.batch.many.run", interrupted)
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
    with pytest.raises(OptionError, match=r"O001.*is unknown"):
        bs.fit_many(tasks(1), **QUIET, **options)


def test_what_is_no_task_is_named(panel):
    with pytest.raises(OptionError, match=r"O001.*bs\.FitTask objects, got Panel"):
        bs.fit_many([panel], **QUIET)
    with pytest.raises(OptionError, match=r"O001.*panel of a FitTask must be a bs\.Panel, got str"):
        bs.FitTask("prop99")


def test_a_prior_known_by_its_address_only_is_refused(panel):
    class Nameless:
        def create_variable(self, name): ...

    with pytest.raises(PriorError, match=r"O006.*address"):
        bs.FitTask(panel, bs.SyntheticControl(weights=Nameless()))


def test_sizes_are_checked_at_once(panel):
    with pytest.raises(OptionError, match="O010"):
        bs.FitTask(panel, draws=1)
