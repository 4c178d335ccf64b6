"""Placebo in space: our intervals audited on the donors, kappa from the other donors, ranks."""

import numpy as np
import pytest
from scipy import stats

import bayes_synth as bs
from bayes_synth import Calibration
from bayes_synth.checks import placebo_in_space
from bayes_synth.model.calibration import COLUMNS
from bayes_synth.results.calibrated import Placebos
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


def calibrated(*, donors=30, seed=0, affected=0.0, effect=0.0, plan=None, **columns):
    """A fit whose donors were missed as their sd says; the first has an effect of its own."""
    panel = fake_panel(donors=donors, random_seed=seed, effect=effect)
    plan = plan or Calibration()
    found = fake_placebos(panel, random_seed=seed)
    error = found.table["error"] + affected * (found.table.index == "donor_00")
    table = found.table.assign(error=error, **columns)
    found = Placebos(plan.scored(table)[list(COLUMNS)], (), found.gaps)
    return fake_fit(panel=panel, model=bs.SyntheticControl(calibrate=plan), placebos=found)


@pytest.mark.long
def test_nine_of_ten_clean_designs_pass():
    verdicts = [placebo_in_space(calibrated(seed=seed)).verdict for seed in range(10)]
    assert verdicts.count("pass") >= 9


def test_a_donor_that_was_affected_itself_is_caught_and_named():
    check = placebo_in_space(calibrated(affected=20.0))
    assert check.verdict == "caution"
    assert "donor_00 is far out for untreated donors" in check.reason


def test_intervals_that_are_too_narrow_fail():
    """An uncalibrated fit whose donors miss three times as far as their sd."""
    found = fake_placebos(fake_panel(donors=30), kappa=3.0)
    fit = fake_fit(panel=fake_panel(donors=30), model=bs.SyntheticControl(calibrate=False))
    check = placebo_in_space(fit, refit=lambda *_: found)
    assert check.verdict == "fail"
    assert check.table.attrs["coverage"][0.95] == pytest.approx(
        np.mean(abs(found.table["error"]) < 1.96), abs=1e-9
    )


def test_kappa_comes_from_the_other_donors():
    rows = [
        placebo_in_space(calibrated(affected=shift)).table.loc["donor_00"]
        for shift in (20.0, 119.0)
    ]
    widths = [row["upper"] - row["lower"] for row in rows]
    assert widths[0] == pytest.approx(widths[1])
    assert rows[1]["error"] - rows[0]["error"] == pytest.approx(99.0)


def test_the_interval_is_that_of_the_predictive_distribution():
    plan = Calibration(degrees_of_freedom=np.inf, kappa_sd=0.01, pooling=0.0)
    row = placebo_in_space(calibrated(plan=plan, sd=2.0)).table.loc["donor_03"]
    assert (row["upper"] - row["lower"]) / 2 == pytest.approx(1.96 * 2.0, rel=0.03)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(row["error"]) / 2.0), rel=0.1)


def test_an_interval_holds_zero_when_its_tail_probability_says_so():
    table = placebo_in_space(calibrated(affected=20.0)).table
    np.testing.assert_array_equal((table["lower"] < 0) & (table["upper"] > 0), table["p"] > 0.05)


def test_the_rmse_are_those_of_the_gaps():
    fit = calibrated()
    table, gaps = placebo_in_space(fit).table, fit.calibration.gaps
    np.testing.assert_allclose(table["rmse_pre"], np.sqrt((gaps.iloc[:, :20] ** 2).mean(axis=1)))
    np.testing.assert_allclose(table["rmse_post"], np.sqrt((gaps.iloc[:, 20:] ** 2).mean(axis=1)))


def test_the_smallest_rank_p_value_is_one_over_the_number_of_units():
    check = placebo_in_space(calibrated(effect=1e6))
    assert check.table.attrs["p_two_sided"] == pytest.approx(1 / 31)
    assert (check.table.attrs["p_above"], check.table.attrs["p_below"]) == (
        pytest.approx(1 / 31),
        1.0,
    )


def test_the_rank_decides_nothing():
    assert (
        placebo_in_space(calibrated(effect=1e6)).verdict
        == placebo_in_space(calibrated()).verdict
        == "pass"
    )


def test_few_donors_are_not_audited():
    assert placebo_in_space(calibrated(donors=4)).verdict == "not applicable"


def test_nothing_is_refitted_for_a_calibrated_fit():
    def refit(*_):
        pytest.fail("refitted")

    assert placebo_in_space(calibrated(), refit=refit).verdict == "pass"


def test_an_interrupt_is_said_and_is_no_pass():
    part = fake_placebos(fake_panel(donors=30))._replace(
        stopped="interrupted after 30 of 31 refits"
    )
    fit = fake_fit(panel=fake_panel(donors=30), model=bs.SyntheticControl(calibrate=False))
    check = placebo_in_space(fit, refit=lambda *_: part)
    assert check.verdict == "caution"
    assert check.reason.endswith("; interrupted after 30 of 31 refits.")


@pytest.mark.long
def test_gaps_survive_a_file(tmp_path):
    fit = calibrated()
    fit.save(tmp_path / "fit.nc")
    known, read = fit.calibration.gaps, bs.load(tmp_path / "fit.nc").calibration.gaps
    assert (list(read.index), list(read.columns)) == (list(known.index), list(known.columns))
    np.testing.assert_array_equal(read, known)


@pytest.mark.parametrize("dates", [False, True])
def test_dates_serve_as_times(dates):
    panel = fake_panel(dates=dates)
    check = placebo_in_space(fake_fit(panel=panel, placebos=fake_placebos(panel)))
    assert check.table["rmse_post"].notna().all()
