"""Checks of a joint fit: each verdict is reached, and says with which numbers."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from small_studies import fake_joint

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, OptionError, ResultError
from bayes_synth.study.checks import STUDY_QUESTIONS, common_shocks, placebo_in_time, study_check
from bayes_synth.study.checks.common_shocks import QUESTION, _together, _verdict

STARTS = {"u00": 2010, "u01": 2012, "u02": 2012}
QUICK = ["common_shocks", "leave_one_unit_out", "event_composition"]


@pytest.fixture(scope="module")
def joint():
    return fake_joint(STARTS)


def shifted(joint: bs.JointFit, unit: str, by: float, events: slice = slice(None)) -> bs.JointFit:
    """The same joint fit with so much more effect on one unit at these event times."""
    fit = joint.fits[unit]
    tree = fit.idata.copy(deep=True)
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    lower = groups["predictions"]["counterfactual"].copy()
    lower[{"time": events}] -= by
    groups["predictions"] = groups["predictions"].assign(counterfactual=lower)
    pointwise = groups["effects"]["pointwise"].copy()
    pointwise[{"time": events}] += by
    groups["effects"] = groups["effects"].assign(pointwise=pointwise)
    moved = replace(fit, idata=xr.DataTree.from_dict(groups))
    return bs.JointFit(joint.study, {**joint.fits, unit: moved})


def test_all_are_asked_in_their_order(joint):
    checks = joint.check(only=QUICK)
    assert [each.name for each in checks] == QUICK
    assert all(each.reason.endswith(".") for each in checks)
    places = [question.place for question in STUDY_QUESTIONS.values()]
    assert sorted(STUDY_QUESTIONS, key=lambda name: STUDY_QUESTIONS[name].place) == [
        *QUICK,
        "placebo_in_time",
    ]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("shared", [0.0, 0.05, 0.1])
def test_errors_that_go_together_as_implied_pass(shared):
    rng = np.random.default_rng(3)
    common = rng.standard_normal((400, 1))
    errors = np.sqrt(1 - shared) * rng.standard_normal((400, 5)) + np.sqrt(shared) * common
    found = _together(errors, shared)
    assert found.lower < shared < found.upper
    assert _verdict(found.p, 0.05, 0.01) == "pass"


@pytest.mark.parametrize("excess", [0.1, 0.3, 0.8])
def test_errors_that_go_together_more_fail(excess):
    rng = np.random.default_rng(4)
    common = rng.standard_normal((400, 1))
    errors = np.sqrt(1 - excess) * rng.standard_normal((400, 5)) + np.sqrt(excess) * common
    found = _together(errors, 0.02)
    assert found.correlation == pytest.approx(excess, abs=0.08)
    assert _verdict(found.p, 0.05, 0.01) == "fail"


@pytest.mark.parametrize(("units", "periods"), [(2, 12), (4, 20), (12, 9)])
def test_the_interval_of_the_correlation_holds_it_nine_times_in_ten(units, periods):
    rng = np.random.default_rng(units)
    held = []
    for _ in range(300):
        common = rng.standard_normal((periods, 1))
        errors = np.sqrt(0.8) * rng.standard_normal((periods, units)) + np.sqrt(0.2) * common
        found = _together(errors, 0.2)
        held.append(found.lower < 0.2 < found.upper)
    assert np.mean(held) == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 300))


def test_an_excess_widens_as_the_closed_form_says(joint):
    table = common_shocks(joint).table
    assert table["width"]["implied by shared donors"] == 1
    less, more = table["width"]["excess of 0.1"], table["width"]["excess of 0.2"]
    assert 1 < less < more
    assert (more**2 - 1) == pytest.approx(2 * (less**2 - 1))


def test_no_unit_that_the_average_hangs_on(joint):
    check = joint.check(only=["leave_one_unit_out"])["leave_one_unit_out"]
    assert list(check.table["shift"].abs()) == sorted(check.table["shift"].abs(), reverse=True)
    others = joint.keep(["u01", "u02"]).effect("average").draws
    assert check.table["median"]["u00"] == pytest.approx(float(others.median()))


@pytest.mark.parametrize("by", [8.0, -8.0, 30.0])
def test_a_unit_that_the_average_hangs_on_is_named(joint, by):
    check = shifted(joint, "u01", by).check(only=["leave_one_unit_out"])["leave_one_unit_out"]
    assert check.verdict == "fail"
    assert check.table.index[0] == "u01"
    assert "u01 moves the average effect most" in check.reason


def test_units_with_all_event_times_pass():
    same = fake_joint(dict.fromkeys(STARTS, 2012))
    check = same.check(only=["event_composition"])["event_composition"]
    assert check.verdict == "pass"
    assert "The same 3 units" in check.reason


@pytest.mark.parametrize("by", [9.0, -9.0, 25.0])
def test_a_unit_that_stays_and_differs_is_said(joint, by):
    check = shifted(joint, "u00", by).check(only=["event_composition"])["event_composition"]
    assert check.verdict in ("caution", "fail")
    assert list(check.table["units"]) == [1]
    assert check.table["median"].iloc[0] * by > 0


def refit_as(answer):
    return lambda joint, study, random_seed, progressbar: answer


def test_nothing_before_the_starts_passes(joint):
    check = placebo_in_time(joint, refit=refit_as(joint))
    assert check.table.attrs["by"] == 3
    assert check.verdict == "pass"
    assert list(check.table.index) == ["average", *STARTS]
    assert "not all of its draws have converged" in check.reason


@pytest.mark.parametrize("by", [5.0, -5.0, 50.0])
def test_an_effect_before_the_starts_fails(joint, by):
    moved = joint
    for unit in STARTS:
        moved = shifted(moved, unit, by)
    check = placebo_in_time(joint, by=2, refit=refit_as(moved))
    assert check.verdict == "fail"
    assert "In the 2 periods before the starts" in check.reason


@pytest.mark.parametrize("by", [0, -1, 1.5, True])
def test_periods_that_cannot_be(joint, by):
    with pytest.raises(OptionError, match="O010"):
        placebo_in_time(joint, by=by, refit=refit_as(joint))


def test_short_pasts_leave_nothing_to_hold_out():
    early = fake_joint({"u00": 2008, "u01": 2012})
    assert placebo_in_time(early, refit=refit_as(early)).verdict == "not applicable"


def test_one_unit_has_nothing_to_compare():
    checks = fake_joint({"u00": 2010}).check(only=QUICK)
    assert [each.verdict for each in checks] == ["not applicable", "not applicable", "pass"]


def test_short_common_pasts_are_said():
    assert common_shocks(fake_joint({"u00": 2006, "u01": 2012})).verdict == "not applicable"


@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "bokeh", "none"])
def test_pictures_are_drawn(joint, backend):
    checks = [*joint.check(only=QUICK[1:]), placebo_in_time(joint, refit=refit_as(joint))]
    assert all("plot" in each.plot(backend=backend).viz for each in checks)
    with pytest.raises(ResultError, match="R008"):
        common_shocks(joint).plot(backend=backend)


def test_the_report_has_the_answers_the_worst_first(joint):
    moved = shifted(joint, "u01", 30.0)
    text = moved.report(checks=moved.check(only=QUICK))
    assert text.index("FAIL") < text.index("PASS")
    assert "They were not asked" in moved.report()


def test_a_report_takes_only_its_own_answers(joint):
    with pytest.raises(ResultError, match="R061"):
        joint.report(checks=shifted(joint, "u01", 1.0).check(only=QUICK))
    with pytest.raises(ResultError, match="R061"):
        joint.report(checks="all")


def test_unknown_checks_are_refused(joint):
    with pytest.raises(OptionError, match=r"O001.*common_shocks"):
        joint.check(only=["common_shock"])


def test_an_interrupt_leaves_what_was_answered(joint):
    def interrupt(joint):
        raise KeyboardInterrupt

    study_check(QUESTION, place=1.5)(interrupt)
    try:
        with pytest.warns(ConvergenceWarning, match="S004"):
            checks = joint.check(only=["common_shocks", "interrupt", "leave_one_unit_out"])
        assert [each.verdict for each in checks][1:] == ["not applicable"] * 2
    finally:
        STUDY_QUESTIONS.remove("interrupt")
