"""A run of checks: what it is told, what it foresees, one bar, and whose answers they are."""

from dataclasses import replace

import pandas as pd
import pytest
from planted import least_squares

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.checks import QUESTIONS, Check, Checks
from bayes_synth.checks.forecast import Work, foreseen
from bayes_synth.checks.refits import RefitEffect, made_before
from bayes_synth.errors import DesignError, OptionError
from bayes_synth.report.render import report
from bayes_synth.sampling.progress import as_lines, bar, shared_bar
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

OPTIONS = {"random_seed": 0, "progressbar": False, "neighbours": (), "covariates": None}


@pytest.fixture(scope="module")
def fit():
    panel = fake_panel(pre=30, effect=10.0)
    return fake_fit(panel=panel, placebos=fake_placebos(panel))


def test_neighbours_reach_the_screen_and_the_spillover(fit):
    asked = {"only": ["screen", "spillover"], "progressbar": False}
    without = checks.run(fit, **asked)
    assert without["spillover"].verdict == "not applicable"
    for neighbours in ("donor_00", ["donor_00"], pd.Index(["donor_00"])):
        screen = checks.run(fit, only=["screen"], neighbours=neighbours)["screen"]
        assert screen.table["neighbour"]["donor_00"]
        assert screen.verdict == "caution"
    with pytest.raises(DesignError, match=r"D009.*donor_0x"):
        checks.run(fit, only=["screen"], neighbours="donor_0x")


def test_neighbours_are_left_out_by_the_spillover(fit):
    found = foreseen(fit, [QUESTIONS["spillover"]], OPTIONS | {"neighbours": ("donor_00",)})
    assert found.refits == 1
    assert foreseen(fit, [QUESTIONS["spillover"]], OPTIONS).refits == 0


def test_covariates_reach_likeness(fit):
    units = [*fit.panel.donors, "treated"]
    incomes = pd.DataFrame({"income": range(len(units))}, index=units)
    told = checks.run(fit, only=["likeness"], covariates=incomes)["likeness"]
    assert "income" in told.table.xs("covariate").index
    with pytest.raises(DesignError, match="D009"):
        checks.run(fit, only=["likeness"], covariates=incomes.drop("donor_01"))


def test_a_check_of_ones_own_is_told_what_it_takes(fit):
    @checks.check("Is a neighbour named?", place=50)
    def named(fit, *, neighbours=()):
        verdict = "caution" if neighbours else "pass"
        return Check("named", "Is a neighbour named?", verdict, "So.", pd.DataFrame())

    try:
        assert checks.run(fit, only=["named"], neighbours="donor_01").verdict == "caution"
        assert checks.run(fit, only=["named"]).verdict == "pass"
    finally:
        QUESTIONS.remove("named")


def test_what_is_foreseen_is_what_is_refitted(fit, monkeypatch):
    made = []

    def counting(fit, case, settings):
        made.append(case)
        answer = least_squares(fit, {"x": case})["x"]
        return RefitEffect(answer.effects, answer.weights, answer.ok)

    monkeypatch.setattr("bayes_synth.checks.refits._refit_case", counting)
    fresh = replace(fit)
    asked = [QUESTIONS[name] for name in ("leave_one_out", "backdating", "anticipation")]
    foretold = foreseen(fresh, asked, OPTIONS)
    checks.run(fresh, only=[each.name for each in asked], progressbar=False)
    assert foretold.refits == len(made) == len(made_before(fresh))
    assert foreseen(fresh, asked, OPTIONS).refits == 0


def test_the_placebos_of_an_uncalibrated_fit_are_foreseen():
    uncalibrated = fake_fit()
    asked = [QUESTIONS["placebo_in_space"]]
    assert foreseen(uncalibrated, asked, OPTIONS).refits == len(uncalibrated.panel.donors)
    panel = fake_panel()
    calibrated = fake_fit(panel=panel, placebos=fake_placebos(panel))
    assert foreseen(calibrated, asked, OPTIONS).refits == 0


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (Work(1, 2.0), "1 refit .*under 10 s"),
        (Work(44, 38.0), "about 40 s"),
        (Work(9, 190.0), "3 min"),
    ],
)
def test_the_work_is_told_no_more_exactly_than_it_is_known(work, words):
    assert pd.Series([str(work)]).str.contains(words).all()


def test_the_bar_begins_with_what_is_expected_and_grows_when_there_is_more():
    with shared_bar("Checking", shown=True, expected=5) as outer:
        assert (outer.total, outer.progress.tasks[0].total) == (5, 5)
        assert [*outer.track("abc", "one", 3)] == [*"abc"]
        assert (outer.done, outer.total) == (3, 5)
        assert [*outer.track("defg", "other", 4)] == [*"defg"]
        assert (outer.done, outer.total) == (7, 7)


def test_placebos_count_on_the_bar_of_the_run():
    with shared_bar("Checking", shown=True, expected=8) as outer:
        with bar("Calibrating on the donors", 6, shown=True) as inner:
            inner.tick(6)
        with bar("Sampling", 100, shown=False) as hidden:
            hidden.tick(100)
        assert inner is outer
        assert (outer.done, outer.total, outer.words) == (6, 8, "Calibrating on the donors")


def test_placebos_of_an_uncalibrated_fit_are_on_the_bar():
    panel = fake_panel()
    lines, seen = [], []

    def refit(problem, plan, settings):
        with bar("Calibrating on the donors", 6, shown=bool(settings.progressbar)) as counted:
            counted.tick(6)
            seen.append(counted.done)
        return fake_placebos(panel)

    with as_lines(lines.append):
        checks.placebo_in_space(fake_fit(panel=panel), refit=refit)
    assert seen == [6]
    assert "Calibrating on the donors: 6 of 6, done after" in lines[-1]


def test_lines_come_no_faster_than_they_can_be_read(monkeypatch):
    clock = iter([0.0] * 3 + [4.0, 11.0, 11.0, 12.0, 23.0, 23.0, 24.0, 24.0, 24.0])
    monkeypatch.setattr("bayes_synth.sampling.progress.time.monotonic", lambda: next(clock, 24.0))
    lines = []
    with as_lines(lines.append), bar("Fitting", 9, shown=True) as counted:
        for _ in range(9):
            counted.tick()
    assert lines[0] == "Fitting ..."
    assert lines[-1].startswith("Fitting: 9 of 9, done after")
    assert 3 <= len(lines) < 6


def test_a_run_says_how_much_it_is_before_it_begins(fit):
    lines = []
    with as_lines(lines.append):
        checks.run(fit, only=["fit_quality", "concentration"])
    assert lines[0] == "Checking ..."
    assert not any("refit" in line for line in lines)


@pytest.mark.long
def test_a_report_takes_the_answers_about_its_own_fit_only(fit, tmp_path):
    answers = checks.run(fit, only=["concentration"], progressbar=False)
    assert "single donor" in fit.report(checks=answers)
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert loaded.report(checks=answers) == fit.report(checks=answers)
    others = [
        fake_fit(panel=fit.panel, placebos=fake_placebos(fit.panel), random_seed=1),
        fake_fit(panel=fake_panel(pre=30, effect=9.0)),
        fake_fit(panel=fit.panel.drop("donor_05")),
    ]
    for other in others:
        with pytest.raises(OptionError, match=r"O054.*about another"):
            other.report(checks=answers)


def test_answers_of_ones_own_making_are_taken(fit):
    made = Check("mine", "Does it hold?", "pass", "It does.", pd.DataFrame())
    assert "Does it hold?" in fit.report(checks=Checks((made,)))


@pytest.mark.parametrize("wrong", ["all", ["concentration"], 1, pd.DataFrame()])
def test_anything_else_is_refused(fit, wrong):
    with pytest.raises(OptionError, match=r"O001.*checks must be True"):
        fit.report(checks=wrong)


def test_true_runs_the_checks_and_false_does_not(fit, monkeypatch):
    answers = checks.run(fit, only=["concentration"], progressbar=False)
    monkeypatch.setattr("bayes_synth.report.render.run", lambda fit: answers)
    assert report(fit, checks=True) == report(fit, checks=answers)
    assert report(fit, checks=False) == report(fit)
