"""Checks of the design and of the effect: screening, what was detectable, hidden bias."""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, OptionError
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.inputs import typical_step
from bayes_synth.testing import fake_fit, fake_panel

ON_ITS_SCALE = ["fit_quality", "overfitting", "convex_hull", "likeness"]


@pytest.fixture(scope="module")
def found():
    return fake_fit(panel=fake_panel(effect=10.0))


@pytest.fixture(scope="module")
def calibrated(prop99):
    """The one real fit here: a small one, with its placebos."""
    model = bs.SyntheticControl(calibrate=Calibration(draws=50, tune=150, most=6))
    with pytest.warns(bs.errors.ConvergenceWarning):
        return model.fit(prop99, draws=100, tune=300, chains=2, random_seed=1, progressbar=False)


def altered(panel: Panel, **columns) -> Panel:
    wide = panel.outcomes.to_pandas()
    for name, change in columns.items():
        wide[name] = change(wide)
    return Panel.from_wide(wide, treated="treated", start=panel.start)


def clean(seed: int = 3) -> Panel:
    return bs.simulate(donors=12, pre=40, post=8, random_seed=seed).panel


def test_a_clean_pool_is_screened_without_suggestions_that_call_for_caution():
    check = checks.screen(clean())
    assert check.verdict == "pass"
    assert "no breaks at start" in check.reason


def test_a_donor_that_breaks_at_start_is_named():
    broken = altered(clean(), donor_05=lambda w: w["donor_05"] + 60.0 * (w.index >= 40))
    check = checks.screen(broken)
    assert check.verdict == "caution"
    assert check.table["break"].idxmax() == "donor_05"
    assert "jumps at start" in check.table.loc["donor_05", "suggestion"]


def test_donors_that_move_as_one_are_named():
    check = checks.screen(altered(clean(), donor_05=lambda w: w["donor_04"] * 1.00001))
    assert check.verdict == "caution"
    assert check.table["twin"]["donor_05"] == "donor_04"


def test_flagged_neighbours_call_for_caution_and_nothing_is_dropped():
    check = checks.screen(clean(), neighbours=["donor_02"])
    assert check.verdict == "caution"
    assert len(check.table) == 12
    assert check.table["neighbour"].sum() == 1


def test_an_unknown_neighbour_is_refused():
    with pytest.raises(DesignError, match=r"D009.*Did you mean"):
        checks.screen(clean(), neighbours="donor_2")


def test_screening_does_not_see_the_treated_unit_after_start():
    moved = altered(clean(), treated=lambda w: w["treated"] + 1000.0 * (w.index >= 40))
    pd.testing.assert_frame_equal(checks.screen(moved).table, checks.screen(clean()).table)


def test_what_unlike_donors_are_like_is_noted_but_passes():
    check = checks.screen(altered(clean(), donor_05=lambda w: w["donor_05"] + 500))
    assert check.verdict == "pass"
    assert check.table.loc["donor_05", "suggestion"].startswith("far in level")


def test_thresholds_of_what_is_noted_may_be_given_in_part():
    panel = altered(clean(), donor_05=lambda w: w["donor_05"] + 500)
    check = checks.screen(panel, noted={"level": 1e6})
    assert "far in level" not in check.table.loc["donor_05", "suggestion"]
    limits = {"level": 1e6, "trend": 2.0, "volatility": 5.0, "correlation": 0.0}
    assert {name: check.table.attrs[name] for name in limits} == limits


def test_an_unknown_threshold_of_what_is_noted_is_refused():
    with pytest.raises(OptionError, match=r"O001.*got 'trends'. Did you mean 'trend'"):
        checks.screen(clean(), noted={"trends": 1.0})


@pytest.mark.parametrize("name", ["level", "trend", "volatility", "correlation"])
def test_the_older_keywords_of_what_is_noted_still_work(name):
    with pytest.warns(DeprecationWarning, match=rf"screen\({name}=...\) is called") as caught:
        older = checks.screen(clean(), **{name: 0.5})
    assert caught[0].filename == __file__
    newer = checks.screen(clean(), noted={name: 0.5})
    pd.testing.assert_frame_equal(older.table, newer.table)
    assert older.reason == newer.reason


def test_an_unknown_keyword_is_refused_as_usual():
    with pytest.raises(TypeError, match="unexpected keyword argument 'levels'"):
        checks.screen(clean(), levels=3.0)


def test_few_donors_cannot_be_told_from_each_other():
    assert checks.screen(fake_panel(donors=3)).table["break"].isna().all()


def test_a_large_effect_exceeds_what_was_detectable(found):
    check = checks.detectable(found)
    assert check.verdict == "pass"
    assert check.table.attrs["estimate"] > check.table.loc[0.8, "increase"]


def test_the_detectable_effect_is_found_as_often_as_it_says(found):
    size = checks.detectable(found).table.loc[0.8, "increase"]
    average = found.idata["predictions"]["counterfactual"].mean("time").to_numpy().ravel()
    low, high = np.quantile(average, [0.025, 0.975])
    shifted = average + size
    assert np.mean((shifted > high) | (shifted < low)) == pytest.approx(0.8, abs=0.005)


@pytest.fixture(scope="module")
def null():
    """A fit whose interval holds zero, of a unit at a level of 100."""
    return fake_fit()


@pytest.mark.parametrize(
    ("share_of_smallest", "verdict"),
    [(2.0, "pass"), (0.7, "caution"), (0.4, "fail"), (-2.0, "pass"), (-0.4, "fail")],
)
def test_an_effect_that_was_asked_for_is_judged(null, share_of_smallest, verdict):
    table = checks.detectable(null).table
    size = table.loc[0.8, "increase"] if share_of_smallest > 0 else -table.loc[0.8, "decrease"]
    check = checks.detectable(null, effect=share_of_smallest * size)
    assert check.verdict == verdict
    assert check.table.attrs["ratio"] == pytest.approx(1 / abs(share_of_smallest))
    assert "the effect asked for" in check.reason


def test_a_null_result_is_judged_by_a_share_of_the_level(null):
    table = checks.detectable(null).table
    estimate = float(null.effect().draws.median())
    smallest = abs(table.loc[0.8, "increase_share" if estimate > 0 else "decrease_share"])
    verdicts = [checks.detectable(null, share=smallest * k).verdict for k in (2.0, 0.7, 0.4)]
    assert verdicts == ["pass", "caution", "fail"]


def test_the_effect_that_was_found_is_judged_when_zero_is_left_out(found):
    check = checks.detectable(found)
    attrs = check.table.attrs
    assert attrs["asked"] == attrs["estimate"]
    assert attrs["ratio"] == pytest.approx(check.table.loc[0.8, "increase"] / attrs["estimate"])


def test_a_season_of_the_outcome_does_not_make_every_effect_detectable():
    """The standard deviation of a seasonal series is large, whatever the design can tell."""
    panel = fake_panel(post=40)
    wave = 30 * np.sin(2 * np.pi * np.arange(60) / 7)
    wide = panel.outcomes.to_pandas().add(wave, axis=0)
    seasonal = Panel.from_wide(wide, treated="treated", start=panel.start)
    asked = [checks.detectable(fake_fit(panel=each), effect=1.0) for each in (panel, seasonal)]
    assert asked[0].verdict == asked[1].verdict == "fail"


def test_without_a_level_or_an_effect_there_is_nothing_to_judge():
    panel = fake_panel()
    wide = panel.outcomes.to_pandas()
    around_zero = Panel.from_wide(wide - wide.iloc[20:].mean(), treated="treated", start=2020)
    fit = fake_fit(panel=around_zero)
    assert "relative" not in fit.effects
    check = checks.detectable(fit)
    assert check.verdict == "not applicable"
    assert "pass effect=" in check.reason
    assert checks.detectable(fit, effect=50.0).verdict == "pass"


@pytest.mark.parametrize("option", ["effect", "share"])
@pytest.mark.parametrize("bad", [0, np.nan, np.inf, "5%"])
def test_an_effect_that_nobody_could_ask_for_is_refused(null, option, bad):
    with pytest.raises(OptionError, match=rf"O010.*{option} must be a finite number"):
        checks.detectable(null, **{option: bad})


@pytest.mark.parametrize("name", ["detectable", "hidden_bias", "concentration", "likeness"])
def test_verdicts_on_draws_print_their_monte_carlo_error(found, name):
    assert "(Monte Carlo error " in checks.run(found, only=[name])[name].reason


def test_a_power_that_is_no_probability_is_refused(found):
    with pytest.raises(OptionError, match="O004"):
        checks.detectable(found, power=80)


def test_the_hidden_bias_brings_the_interval_to_zero(found):
    table = checks.hidden_bias(found).table
    drift, slope = table.loc["constant", "drift"], table.loc["growing", "per_period"]
    assert float((found.effect().draws - drift).quantile(0.025)) == pytest.approx(0, abs=1e-9)
    steps = np.arange(1, 9)
    growing = found.effect("pointwise").draws - slope * steps
    assert float(growing.mean("time").quantile(0.025)) == pytest.approx(0, abs=1e-9)


def test_a_negative_effect_is_overturned_by_a_negative_drift():
    check = checks.hidden_bias(fake_fit(panel=fake_panel(effect=-10.0)))
    assert check.verdict == "pass"
    assert check.table.loc["constant", "drift"] < 0


def test_an_interval_that_holds_zero_has_nothing_to_overturn():
    assert checks.hidden_bias(fake_fit()).verdict == "not applicable"


def test_an_effect_that_barely_leaves_zero_out_is_overturned_by_what_the_draws_cannot_tell(found):
    draws = found.effect().draws
    barely = 10.0 - float(draws.quantile(0.025)) + 1e-4
    check = checks.hidden_bias(fake_fit(panel=fake_panel(effect=barely)))
    assert check.verdict == "caution"
    assert "within two of these of the threshold" in check.reason


def test_an_interval_that_hardly_holds_zero_says_so(found):
    draws = found.effect().draws
    hardly = 10.0 - float(draws.quantile(0.025)) - 1e-4
    check = checks.hidden_bias(fake_fit(panel=fake_panel(effect=hardly)))
    assert check.verdict == "not applicable"
    assert "or nearly none: its nearer end has a Monte Carlo error of" in check.reason


def test_a_drift_of_nothing_overturns_an_effect_for_certain(found):
    """Here the draws can tell: the threshold lies many errors above the drift."""
    assert checks.hidden_bias(found, caution=1e4, fail=1e3).verdict == "fail"


def test_drifts_are_compared_with_the_placebos(calibrated):
    check = checks.hidden_bias(calibrated, ci_prob=0.2)
    found = calibrated.calibration.table
    step = typical_step(
        calibrated.panel.treated_outcome.sel(time=calibrated.panel.pre.to_numpy()).to_numpy()
    )
    usual = np.sqrt(np.mean((found["error"] / found["step"] * step) ** 2))
    row = check.table.loc["constant"]
    assert check.table.attrs["judged_by"] == "over_placebos"
    assert row["over_placebos"] == pytest.approx(abs(row["drift"]) / usual)


def test_periods_without_outcome_leave_effect_and_drift():
    wide = fake_panel(effect=10.0).outcomes.to_pandas()
    wide.loc[[2021, 2027], "treated"] = np.nan
    with pytest.warns(bs.errors.PanelWarning):
        panel = Panel.from_wide(wide, treated="treated", start=2020, missing="model")
    fit = fake_fit(panel=panel)
    growing = checks.hidden_bias(fit).table.loc["growing"]
    assert growing["drift"] == pytest.approx(7 * growing["per_period"])
    seen = np.array([1, 3, 4, 5, 6, 7])
    assert checks.hidden_bias(fit).table.loc["constant", "drift"] == pytest.approx(
        seen.mean() * growing["per_period"]
    )
    assert checks.detectable(fit).verdict == "pass"


def test_the_log_scale_is_judged_on_its_own_scale():
    model = bs.SyntheticControl(scale="log")
    fit = fake_fit(panel=fake_panel(effect=10.0), model=model)
    assert checks.run(fit, only=ON_ITS_SCALE).table["verdict"].tolist() == ["pass"] * 4


def test_donor_order_does_not_matter():
    panel = clean()
    wide = panel.outcomes.to_pandas()
    turned = Panel.from_wide(wide[wide.columns[::-1]], treated="treated", start=panel.start)
    pd.testing.assert_frame_equal(checks.screen(turned).table, checks.screen(panel).table)
