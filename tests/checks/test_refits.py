"""Refits for checks: shared, resumed, independent of order, inflated by the fit's own kappa."""

import numpy as np
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth import Calibration, checks
from bayes_synth.checks import QUESTIONS
from bayes_synth.checks.refits import (
    KNOWN,
    Case,
    concluded,
    inflated_as,
    posterior_sd,
    refits,
)
from bayes_synth.errors import ConvergenceWarning
from bayes_synth.fitting.refit import settled
from bayes_synth.model.problem import Problem
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

PLAN = Calibration(draws=60, tune=100)


@pytest.fixture(scope="module")
def small():
    """A real fit of a fake panel."""
    with pytest.warns(ConvergenceWarning):
        return bs.SyntheticControl(calibrate=PLAN).fit(
            fake_panel(donors=4), draws=100, tune=100, chains=2, progressbar=False, random_seed=1
        )


def cases(fit):
    panels = {donor: fit.panel.drop(donor) for donor in fit.panel.donors}
    return {donor: Case(fit.model, panel) for donor, panel in panels.items()}


def counted(monkeypatch, stop=None):
    """How many refits were made; interrupted at the one with number ``stop``."""
    made = []

    def counting(*arguments):
        made.append(arguments)
        if len(made) == stop:
            raise KeyboardInterrupt
        return settled(*arguments)

    monkeypatch.setattr("bayes_synth.checks.refits.settled", counting)
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    return made


def test_a_refit_does_not_depend_on_what_else_is_refitted(small):
    everything = refits(small, cases(small), random_seed=7, progressbar=False)
    KNOWN.clear()
    alone = refits(small, {"x": cases(small)["donor_02"]}, random_seed=7, progressbar=False)
    np.testing.assert_array_equal(
        alone["x"].effects["average"], everything["donor_02"].effects["average"]
    )


def test_another_seed_gives_other_draws(small):
    one, other = (
        refits(small, {"x": cases(small)["donor_02"]}, random_seed=s, progressbar=False)["x"]
        for s in (1, 2)
    )
    assert not np.array_equal(one.effects["average"], other.effects["average"])


def test_the_same_numbers_with_another_start_are_another_refit(small):
    panels = {k: Case(small.model, small.panel.backdate(k)) for k in (2010, 2014)}
    found = refits(small, panels, random_seed=7, progressbar=False)
    assert [refit.effects.sizes["time"] for refit in found.values()] == [10, 6]


def test_what_was_refitted_before_is_not_refitted_again(small, monkeypatch):
    made = counted(monkeypatch)
    for _ in range(2):
        refits(small, cases(small), random_seed=8, progressbar=False)
    assert len(made) == 4


def test_equal_cases_are_refitted_once(small, monkeypatch):
    made = counted(monkeypatch)
    case = cases(small)["donor_00"]
    found = refits(small, {"one": case, "other": case}, random_seed=9, progressbar=False)
    assert (len(made), set(found)) == (1, {"one", "other"})


def test_an_interrupted_run_keeps_what_is_done_and_goes_on_from_there(small, monkeypatch):
    made = counted(monkeypatch, stop=3)
    with pytest.warns(ConvergenceWarning, match=r"S004.*interrupted: 2 of 4"):
        first = refits(small, cases(small), random_seed=10, progressbar=False)
    second = refits(small, cases(small), random_seed=10, progressbar=False)
    assert (list(first), len(second), len(made)) == (["donor_00", "donor_01"], 4, 5)


def test_an_interrupt_ends_the_run_of_checks_and_the_next_run_goes_on(small, monkeypatch):
    made, asked = counted(monkeypatch, stop=3), ["leave_one_out", "backdating"]
    with pytest.warns(ConvergenceWarning, match=r"S004.*interrupted") as caught:
        first = checks.run(small, only=asked, random_seed=12, progressbar=False)
    assert "backdating were not asked" in str(caught[-1].message)
    assert [check.verdict for check in first][1:] == ["not applicable"]
    assert first["backdating"].question == QUESTIONS["backdating"].question
    assert "only 2 of" in first["leave_one_out"].reason
    before = len(made)
    second = checks.run(small, only=asked, random_seed=12, progressbar=False)
    assert [check.name for check in second] == asked
    assert len(made) - before == len(second["leave_one_out"].table) - 2 + len(
        second["backdating"].table
    )


@pytest.fixture
def stopping():
    """A check that the user interrupts."""

    @checks.check("Does it end?", place=1.5)
    def never(fit):
        raise KeyboardInterrupt

    yield "never"
    QUESTIONS.remove("never")


def test_an_interrupt_outside_of_refits_keeps_the_checks_before(small, stopping):
    with pytest.warns(ConvergenceWarning, match=r"S004.*never, screen were not asked"):
        found = checks.run(small, only=["fit_quality", stopping, "screen"], progressbar=False)
    assert [check.verdict == "not applicable" for check in found] == [False, True, True]


def test_all_checks_of_a_run_share_a_bar():
    with (
        shared_bar("Checking", shown=True) as outer,
        shared_bar("Checking", shown=False) as inner,
    ):
        assert [*inner.track("ab", "one", 2), *inner.track("c", "other", 1)] == [*"abc"]
        task = outer.progress.tasks[0]
    assert (task.completed, task.total, task.description) == (3, 3, "other")
    assert (outer.done, outer.total, outer.words) == (3, 3, "other")
    with shared_bar("Checking", shown=False) as another:
        assert another is not outer


def test_a_verdict_on_part_of_the_refits_is_no_pass():
    assert concluded("pass", ["a", "b"], {}) == ("caution", "; only 0 of 2 refits were done")


def test_a_failure_stays_one_without_all_refits():
    assert concluded("fail", ["a", "b"], {})[0] == "fail"


# --- kappa


def path(post=8, sd=1.0):
    return sd * np.random.default_rng(0).standard_normal((4, 250, post))


def refit_of(draws):
    """A problem with as many post-periods, and draws of its noise."""
    problem = Problem.of(bs.SyntheticControl(), fake_panel(post=draws.shape[2]))
    noise = {name: (("chain", "draw"), np.full(draws.shape[:2], 0.3)) for name in "sq"}
    return problem, xr.Dataset(noise)


def middle(draws):
    """Distance of the quartiles of the average."""
    low, high = np.quantile(draws.mean(2), [0.25, 0.75])
    return high - low


def width(fit, draws, without=()):
    """How much wider the average becomes."""
    wider = inflated_as(fit, draws, *refit_of(draws), without, np.random.default_rng(1))
    return middle(wider) / middle(draws)


def calibrated(kappa, panel=None):
    panel = panel or fake_panel(donors=30)
    return fake_fit(panel=panel, placebos=fake_placebos(panel, kappa=kappa))


def test_a_refit_is_inflated_as_much_as_the_placebos_missed():
    assert width(calibrated(9.0), path()) / width(calibrated(1.0), path()) == pytest.approx(
        9, rel=0.1
    )


def test_an_uncalibrated_fit_leaves_its_refits_as_they_are():
    draws = path()
    same = inflated_as(fake_fit(), draws, *refit_of(draws), (), np.random.default_rng(1))
    np.testing.assert_array_equal(same, draws)


def test_placebos_that_must_not_count_do_not_widen():
    panel = fake_panel(donors=8)
    found = fake_placebos(panel)
    found.table.loc[["donor_00", "donor_01", "donor_02"], ["error", "z"]] = 300.0
    fit = fake_fit(panel=panel, placebos=found)
    assert width(fit, path(), ("donor_00", "donor_01", "donor_02")) < 0.5 * width(fit, path())


def test_another_horizon_takes_the_pooling_of_the_fit():
    """The placebos' typical sd is one of the whole post-period; a shorter window ignores it."""
    fit = calibrated(1.0)
    short = path(post=2, sd=0.01)
    assert width(fit, short) == pytest.approx(
        float(fit.calibration.kappa.median()) * fit.calibration.pooling, rel=0.3
    )


def test_the_posterior_sd_is_that_of_a_normal():
    fit = fake_fit(draws=2000)
    assert posterior_sd(fit) == pytest.approx(float(fit.effect("average").draws.std()), rel=0.1)
