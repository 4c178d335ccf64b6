"""Anticipation and spillover: before the start, and without donors that may have been reached."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from planted import changed, hidden, least_squares, with_tails

from bayes_synth.checks import anticipation, spillover
from bayes_synth.data.predictors import PredictorTable
from bayes_synth.errors import DesignError, OptionError
from bayes_synth.testing import fake_fit, fake_panel


def before_start(fit, **options):
    return anticipation(fit, refit=least_squares, **options)


def without(fit, neighbours=()):
    return spillover(fit, neighbours, refit=least_squares)


def anticipated(size, periods=4):
    panel = fake_panel(pre=40)
    return changed(panel, "treated", size * (np.arange(48) >= 40 - periods))


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_design_passes(seed):
    assert before_start(fake_fit(panel=fake_panel(pre=40, random_seed=seed))).verdict == "pass"


def test_a_reaction_before_the_start_is_caught():
    check = before_start(fake_fit(panel=anticipated(3.0)))
    assert (check.verdict, round(check.table["median"]["before"])) == ("fail", 3)


def test_a_late_reaction_is_seen_best_when_as_many_periods_are_asked_about():
    fit = fake_fit(panel=anticipated(0.3, periods=1))
    p = [before_start(fit, periods=k).table["p"]["before"] for k in (1, 10)]
    assert p[0] < 0.2 < p[1]


def test_the_verdict_follows_the_tail_probability():
    fit = fake_fit()

    def verdict(p):
        times = [fit.panel.pre[-1], *fit.panel.post]
        refit = with_tails(p, times=times)
        return anticipation(fit, periods=1, refit=lambda *_, **__: {"2019": refit}).verdict

    verdicts = [verdict(p) for p in (0.051, 0.05, 0.011, 0.01, 0.0)]
    assert verdicts == ["pass", "caution", "caution", "fail", "fail"]


def test_the_effect_from_the_start_on_leaves_the_periods_before_it_out():
    table = before_start(fake_fit(panel=fake_panel(pre=40, effect=20.0))).table
    np.testing.assert_allclose(table["median"], [0, 20], atol=0.5)


def test_too_few_periods_are_not_asked():
    assert before_start(fake_fit(panel=fake_panel(pre=5))).verdict == "not applicable"


def test_periods_that_have_no_outcome_cannot_show_a_reaction():
    assert (
        before_start(fake_fit(panel=hidden(fake_panel(pre=20), 18, 19))).verdict == "not applicable"
    )


@pytest.mark.parametrize("periods", [0, -1, 1.5, True])
def test_a_number_of_periods_that_makes_no_sense_is_refused(periods):
    with pytest.raises(OptionError, match="O010"):
        before_start(fake_fit(), periods=periods)


# --- spillover


def reached(size):
    """The first donor, with weight 0.6, has a twin without weight, and is reached by treatment."""
    panel = fake_panel(pre=40, effect=10.0)
    gap = (
        panel.outcomes.sel(unit="donor_00").to_numpy()
        - panel.outcomes.sel(unit="donor_02").to_numpy()
    )
    panel = changed(panel, "donor_02", gap + 0.05 * np.random.default_rng(0).standard_normal(48))
    return changed(panel, "donor_00", size * (panel.times >= panel.start))


def test_without_names_nothing_can_be_asked():
    check = without(fake_fit())
    assert (check.verdict, "neighbours=[...]" in check.reason) == ("not applicable", True)


def test_an_untouched_neighbour_passes():
    assert without(fake_fit(panel=reached(0.0)), ["donor_00"]).verdict == "pass"


@pytest.mark.parametrize(("size", "towards"), [(8.0, "larger"), (-8.0, "smaller")])
def test_an_affected_neighbour_is_caught_with_the_sign_of_its_bias(size, towards):
    check = without(fake_fit(panel=reached(size)), "donor_00")
    assert (check.verdict, f"The effect without them is {towards}" in check.reason) == (
        "fail",
        True,
    )


def test_the_shift_is_the_weight_times_the_spillover():
    check = without(fake_fit(panel=reached(8.0)), ["donor_00"])
    assert check.table["median"].iloc[0] - 10 == pytest.approx(0, abs=0.5)
    assert check.table["weight"].iloc[0] == pytest.approx(0.6, abs=0.02)


def test_an_unknown_neighbour_is_refused():
    with pytest.raises(DesignError, match="D009"):
        without(fake_fit(), ["donor_99"])


def test_neighbours_do_not_contribute_to_kappa():
    seen = {}

    def spy(fit, cases, **options):
        seen.update(cases)
        return least_squares(fit, cases)

    spillover(fake_fit(), ["donor_03", "donor_01"], refit=spy)
    case = seen["without neighbours"]
    assert (case.without, set(case.panel.donors) & set(case.without)) == (
        ("donor_03", "donor_01"),
        set(),
    )


def test_what_is_measured_from_the_earlier_start_on_is_no_predictor():
    panel = fake_panel(pre=40)
    units, times = panel.outcomes["unit"].to_numpy(), panel.pre.to_numpy()
    rng = np.random.default_rng(1)
    series = xr.DataArray(
        rng.standard_normal((2, len(times), len(units))),
        dims=("predictor", "time", "unit"),
        coords={"predictor": ["income", "late"], "time": times, "unit": units},
    )
    series[1, :-4] = np.nan
    known = replace(panel, predictors=PredictorTable(series))
    asked = {}

    def refit(fit, cases, **options):
        asked.update(cases)
        return {}

    anticipation(fake_fit(panel=known), periods=4, refit=refit)
    (case,) = asked.values()
    assert case.panel.predictors.names == ("income",)
    assert not case.panel.predictors.series.sel(time=times[-4:]).notnull().any()
