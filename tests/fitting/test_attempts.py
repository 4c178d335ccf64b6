"""A second, stricter attempt where another may mend the first, and which of the two is kept."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import bayes_synth as bs
from bayes_synth.data.remarks import Remark
from bayes_synth.errors import ConvergenceWarning, SamplingFailed
from bayes_synth.fitting.attempts import Judged, mendable, settle
from bayes_synth.results.convergence import FIT, REFIT, Convergence
from bayes_synth.results.record import Attempt
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.task import Sampled
from bayes_synth.testing import fake_fit, fake_panel

MODEL = bs.SyntheticControl(calibrate=False)
FIVE = "5.0% of transitions diverged; raise target_accept"
OPTIONS = {
    "draws": 250,
    "chains": 4,
    "tune": 30,
    "target_accept": 0.96,
    "random_seed": 1,
    "progressbar": False,
}
SETTINGS = Settings.checked(Size(250, 30, 4, 0.96), cores=1, random_seed=1)
FAILED = SamplingFailed("S002", "the sampler crashed.")


def attempts(*acts: tuple[tuple[str, ...], int] | BaseException, again: bool = True) -> Callable:
    """Make a run whose n-th attempt has the n-th problems and divergences, or raises."""
    remaining = list(enumerate(acts, start=1))

    def run(settings: Settings) -> Judged[int]:
        number, act = remaining.pop(0)
        if isinstance(act, BaseException):
            raise act
        return Judged(number, settings, *act, again=again)

    return run


def kept(*acts, **options) -> int:
    return settle(attempts(*acts), SETTINGS, Settings.stricter, **options).best.value


def test_an_attempt_that_another_would_not_mend_is_the_only_one():
    settled = settle(attempts((("bad",), 9), again=False), SETTINGS, Settings.stricter)
    assert [attempt.value for attempt in settled.tried] == [1]
    assert settled.unfinished == ""


def test_a_second_attempt_that_is_better_is_kept():
    assert kept((("bad",), 50), ((), 0)) == 2


def test_a_second_attempt_that_is_worse_is_not_kept_even_if_it_is_stricter():
    assert kept((("bad",), 50), (("bad", "worse"), 0)) == 1
    assert kept((("bad",), 50), (("bad",), 51)) == 1


def test_of_equal_attempts_the_second_is_kept():
    assert kept((("bad",), 50), (("bad",), 50)) == 2


def test_fewer_problems_count_more_than_fewer_divergences():
    assert kept((("bad", "worse"), 0), (("bad",), 90)) == 2


def test_divergences_are_compared_as_shares_of_the_draws():
    run = attempts((("bad",), 50), (("bad",), 100))
    settled = settle(run, SETTINGS, lambda first: first.longer(3))
    assert [attempt.trouble for attempt in settled.tried] == [(1, 50 / 1000), (1, 100 / 3000)]
    assert settled.best.value == 2


def test_every_attempt_is_recorded_with_its_settings():
    settled = settle(attempts((("bad",), 50), ((), 0)), SETTINGS, Settings.stricter)
    assert [attempt.settings for attempt in settled.tried] == [SETTINGS, SETTINGS.stricter()]
    assert settled.record == (
        Attempt(0.96, 30, ("bad",), 50, kept=False),
        Attempt(pytest.approx(0.99), 60, (), 0, kept=True),
    )


def test_an_interrupted_second_attempt_leaves_the_first_where_that_is_wanted():
    run = attempts((("bad",), 50), KeyboardInterrupt())
    settled = settle(run, SETTINGS, Settings.stricter, keep_interrupted=True)
    assert settled.best.value == 1
    assert settled.unfinished == "second attempt interrupted, the first is kept"
    assert settled.record == (Attempt(0.96, 30, ("bad",), 50, kept=True),)


def test_an_interrupted_second_attempt_is_an_interrupt_elsewhere():
    with pytest.raises(KeyboardInterrupt):
        kept((("bad",), 50), KeyboardInterrupt())


@pytest.mark.parametrize("keep_interrupted", [False, True])
def test_an_interrupted_first_attempt_is_always_an_interrupt(keep_interrupted):
    with pytest.raises(KeyboardInterrupt):
        kept(KeyboardInterrupt(), keep_interrupted=keep_interrupted)


@pytest.mark.parametrize("keep_interrupted", [False, True])
def test_a_second_attempt_that_fails_leaves_the_first(keep_interrupted):
    run = attempts((("bad",), 50), FAILED)
    settled = settle(run, SETTINGS, Settings.stricter, keep_interrupted=keep_interrupted)
    assert settled.best.value == 1
    assert settled.unfinished == "second attempt failed, the first is kept (S002)"


def test_a_first_attempt_that_fails_is_a_failure():
    with pytest.raises(SamplingFailed, match="S002"):
        kept(FAILED)


def test_an_error_of_another_kind_is_never_swallowed():
    with pytest.raises(ZeroDivisionError):
        kept((("bad",), 50), ZeroDivisionError())


def test_steps_in_trouble_are_mendable_by_every_sampler_and_with_few_draws():
    verdict = Convergence((FIVE,), 50, 1.0, 1000, steps=True)
    assert all(
        mendable(verdict, FIT, draws, sampler)
        for draws, sampler in product((8, 4000), ("slice", "nutpie", "pymc"))
    )


@pytest.mark.parametrize(
    ("standard", "draws", "sampler", "expected"),
    [
        (FIT, 1000, "slice", True), (FIT, 999, "slice", False), (FIT, 4000, "nutpie", False),
        (REFIT, 250, "slice", True), (REFIT, 249, "slice", False),
    ],
)  # fmt: skip
def test_slow_mixing_is_mendable_by_slices_unless_the_draws_are_too_few(
    standard, draws, sampler, expected
):
    verdict = Convergence(("x: R-hat above 1.01",), 0, 1.02, 500)
    assert mendable(verdict, standard, draws, sampler) is expected


@pytest.mark.parametrize(
    "verdict",
    [
        Convergence((), 0, 1.0, 1000),
        Convergence((FIVE,), 50, 1.0, 1000, steps=True, partial=("interrupted",)),
    ],
    ids=["in order", "interrupted"],
)
def test_what_is_in_order_or_interrupted_is_not_repeated(verdict):
    assert not mendable(verdict, FIT, 4000, "slice")


@pytest.fixture
def sampler(monkeypatch):
    """Settings asked for; the n-th run has as many divergences as the n-th of ``divergences``."""
    asked, divergences = [], []

    def sample(task, settings, seed, *, partial=False):
        act = divergences[len(asked)]
        asked.append(settings)
        if isinstance(act, BaseException):
            raise act
        fit = fake_fit(model=MODEL, draws=settings.size.draws, divergences=act)
        posterior = fit.idata["posterior"].to_dataset().drop_vars("level")
        return Sampled(posterior, fit.idata["sample_stats"].to_dataset(), 0.0, 0.0)

    monkeypatch.setattr("bayes_synth.fitting.extend.sample", sample)
    return asked, divergences


def test_steps_without_trouble_are_taken_once(sampler):
    asked, divergences = sampler
    divergences += [0]
    fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert len(asked) == 1
    assert "second attempt" not in repr(fit)


def test_a_fit_in_trouble_is_sampled_again_with_smaller_steps(sampler):
    asked, divergences = sampler
    divergences += [50, 0]
    fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert [run.size.target_accept for run in asked] == [0.96, pytest.approx(0.99)]
    assert [run.size.tune for run in asked] == [30, 60]
    assert fit.ok
    assert f"; second attempt, with smaller steps (the first: {FIVE})" in repr(fit)
    assert fit.diagnostics().attrs["attempts"] == [
        {"target_accept": 0.96, "tune": 30, "problems": [FIVE], "divergences": 50, "kept": False},
        {
            "target_accept": pytest.approx(0.99),
            "tune": 60,
            "problems": [],
            "divergences": 0,
            "kept": True,
        },
    ]


def test_a_fits_second_attempt_that_is_worse_is_not_kept(sampler):
    sampler[1].extend([50, 90])
    with pytest.warns(ConvergenceWarning, match=r"NOT CONVERGED: 5.0% of transitions"):
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert fit.diagnostics().attrs["divergences"] == 50
    assert [attempt["kept"] for attempt in fit.diagnostics().attrs["attempts"]] == [True, False]
    assert (
        "; first attempt, a second with smaller steps was worse (9.0% of transitions diverged"
        in repr(fit)
    )


def test_of_a_fits_equal_attempts_the_one_with_smaller_steps_is_kept(sampler):
    sampler[1].extend([50, 50])
    with pytest.warns(ConvergenceWarning):
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert fit.record.settings.attempt == 2


def test_a_fit_whose_second_attempt_fails_keeps_the_first_and_says_so(sampler):
    sampler[1].extend([50, FAILED])
    with pytest.warns(ConvergenceWarning) as caught:
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert [str(warning.message)[:6] for warning in caught] == ["[S003]", "[S004]"]
    assert fit.convergence.partial == ("second attempt failed, the first is kept (S002)",)
    assert fit.record.settings.attempt == 1


def test_what_was_warned_about_stays_with_the_fit(sampler):
    sampler[1].extend([50, 50])
    odd = replace(
        fake_panel(),
        remarks=(Remark("V008", "warned", "outside."), Remark("P006", "noted", "index.")),
    )
    with pytest.warns(ConvergenceWarning) as caught:
        fit = MODEL.fit(odd, **OPTIONS)
    assert fit.diagnostics().attrs["warnings"] == ["[V008] outside.", str(caught[0].message)]
    assert caught[0].filename == __file__
    assert "warned     V008, S003; in words" in repr(fit)


def test_two_failures_are_a_warning_or_with_strict_an_error(sampler):
    asked, divergences = sampler
    divergences += [50, 50, 50, 50]
    with pytest.warns(
        ConvergenceWarning, match=r"\[S003\] NOT CONVERGED: 5.0% of transitions diverged"
    ):
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert not fit.ok
    with pytest.raises(SamplingFailed, match=r"\[S003\] NOT CONVERGED: 5.0%"):
        MODEL.fit(fake_panel(), **OPTIONS, strict=True)
    assert len(asked) == 4


def test_few_draws_alone_are_no_reason_for_another_attempt(sampler):
    asked, divergences = sampler
    divergences += [0]
    with pytest.warns(ConvergenceWarning, match="ESS below 400"):
        MODEL.fit(fake_panel(), **OPTIONS | {"draws": 50})
    assert len(asked) == 1
    assert np.isclose(asked[0].size.target_accept, 0.96)
