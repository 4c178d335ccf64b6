"""Several treatments at once: cells, their contrasts, and the kappa of differences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_plans import fake_history, fake_plan

import bayes_synth as bs
from bayes_synth.errors import OptionError, PlanError
from bayes_synth.planning.contrast import contrasts_of
from bayes_synth.planning.difference import Gap, Pair, learn_difference, pairs_of, spread_apart
from bayes_synth.testing import fake_fit


def audited(plan, sd, *, common=0.0, seed=0):
    """The plan with placebo windows that miss by so much, in part all by the same."""
    rng = np.random.default_rng(seed)
    rows = plan.placebo_tests.copy()
    shocks = {start: common * rng.standard_normal() for start in rows["start"].unique()}
    own = sd * rng.standard_normal(len(rows)) + rows["start"].map(shocks).to_numpy(float)
    return replace(plan, placebo_tests=rows.assign(median=100.0, observed=100 + own))


def cells(sd=2.0, **options):
    plans = {
        "search": fake_plan(treated=("u00",), sd=2.0),
        "social": fake_plan(treated=("u01",), sd=2.0, seed=1),
    }
    plans = {name: audited(plan, sd, **options) for name, plan in plans.items()}
    return bs.CellPlan(plans, contrasts_of(plans))


@pytest.fixture(scope="module")
def both():
    return cells()


def test_a_difference_is_as_uncertain_as_two_averages(both):
    contrast, plan = both.contrast("search", "social", periods=5), both.plans["search"]
    ratio = contrast.width() / plan.width(periods=5) * 100
    assert 1.1 < ratio < 1.9
    assert contrast.power(contrast.detectable()) == pytest.approx(0.8, abs=0.002)
    assert contrast.detectable(sign=-1) == pytest.approx(-contrast.detectable(), rel=0.1)
    assert contrast.power(0.5) > 0.99


@pytest.mark.parametrize(
    ("sd", "low", "high"), [(2.0, 0.75, 1.25), (6.0, 2.0, 3.6), (0.5, 0.1, 0.5)]
)
def test_kappa_is_learnt_from_differences(sd, low, high):
    kappa = np.mean(cells(sd).contrast("search", "social", periods=10).kappa)
    assert low < kappa < high


def test_shocks_that_all_units_share_cancel_in_a_difference():
    """Two kappas of their own would blame them on each cell."""
    alone = cells(2.0).contrast("search", "social", periods=10)
    shared = cells(2.0, common=20.0).contrast("search", "social", periods=10)
    assert shared.width() == pytest.approx(alone.width(), rel=0.1)


def test_pairs_share_no_unit_and_count_once():
    tests = [
        {"unit": unit, "median": 100.0, "spread": 1.0, "observed": 101.0}
        for unit in ("a", "b", "c + d", "a + c")
    ]
    pairs = list(pairs_of(tests, tests, additive=False))
    assert {tuple(sorted(pair.units)) for pair in pairs} == {
        ("a", "b"),
        ("a", "c", "d"),
        ("b", "c", "d"),
        ("a", "b", "c"),
    }
    apart = spread_apart(pairs)
    assert len(apart) == 1
    pair = pairs[0]
    assert pair.gap.seen == 0
    assert pair.gap.spread == pytest.approx(np.sqrt(2) / 100)


def test_overlapping_pairs_say_less():
    apart = [Pair(frozenset({f"a{k}", f"b{k}"}), Gap(1.0, 1.0)) for k in range(20)]
    overlapping = [Pair(frozenset({"a", f"b{k}"}), Gap(1.0, 1.0)) for k in range(20)]
    plan = bs.Calibration()
    sds = []
    for pairs in (apart, overlapping):
        learnt = learn_difference(pairs, plan)
        kappa, mass = learnt.kappa
        sds.append(np.sqrt(np.dot(np.log(kappa) ** 2, mass) - np.dot(np.log(kappa), mass) ** 2))
    assert sds[1] > 3 * sds[0]


def test_the_audit_keeps_nominal_where_differences_are_as_they_seem(both):
    rate = both.contrast("search", "social", periods=5).false_positives
    assert rate.tests == 5 * 3
    low, high = rate.interval
    assert low <= 0.1 <= high


def test_tables_and_words(both):
    assert both.table.index.names == ["cell", "periods"]
    assert both.differences.index.tolist() == [("search", "social", 5), ("search", "social", 10)]
    text = repr(both)
    assert "search minus social, 5 periods" in text
    assert "percentage points" in text
    assert "<pre" in both._repr_html_()
    assert "contrast" in dir(both)


def test_rules_and_effects_in_outcome_units():
    plans = {
        name: replace(
            audited(fake_plan(treated=(unit,)), 2.0), additive=True, rule=bs.rules.Rope(-1, 1)
        )
        for name, unit in (("search", "u00"), ("social", "u01"))
    }
    contrast = contrasts_of(plans)["search", "social", 5]
    assert "No difference is found" in repr(contrast)
    assert np.isnan(contrast.detectable())
    assert contrast.width(ci_prob=0.9) > 1


def test_a_contrast_is_judged_by_the_fits_of_the_test(both):
    contrast = both.contrast("search", "social", periods=5)
    fits = []
    for unit, lift in (("u00", 0.3), ("u01", 0.0)):
        history = fake_history(dates=True)
        panel = history.panel([unit], 55, 5)
        post = panel.outcomes["time"] >= panel.start
        mine = panel.outcomes["unit"] == unit
        lifted = panel.outcomes.where(~(post & mine), panel.outcomes * (1 + lift))
        fits.append(fake_fit(panel=replace(panel, outcomes=lifted)))
    read = contrast.judge(*fits)
    assert read["lower"] < read["difference"] < read["upper"]
    assert read["found"] == (not read["lower"] < 0 < read["upper"])
    with pytest.raises(PlanError, match=r"H032.*u00.*u01"):
        contrast.judge(*fits[::-1])


def test_contrasts_that_were_not_planned(both):
    with pytest.raises(PlanError, match=r"H031.*search and social"):
        both.contrast("social", "search", periods=5)
    with pytest.raises(PlanError, match="H014"):
        both.contrast("search", "social")
    contrast = both.contrast("search", "social", periods=5)
    for difference in (0, 5, np.nan):
        with pytest.raises(PlanError, match="H007"):
            contrast.power(difference)
    with pytest.raises(OptionError, match="O060"):
        contrast.detectable(power=2)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"search": ["u00"]}, "H030"),
        (["u00", "u01"], "H030"),
        ({"search": ["u00"], "social": []}, r"H030.*social"),
        ({"search": ["u00", "u02"], "social": ["u02"]}, r"H030.*search and social share u02"),
        ({"search": ["u00"], "social": ["nowhere"]}, r"H001.*social"),
    ],
)
def test_bad_cells_are_refused_in_one_message(given, code):
    with pytest.raises(PlanError, match=code):
        bs.plan_cells(fake_history(), given, periods=5, progressbar=False)


def test_a_panel_is_no_history_for_cells():
    with pytest.raises(PlanError, match="H008"):
        bs.plan_cells(fake_fit().panel, {"a": ["x"], "b": ["y"]}, periods=3)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PlanWarning")
def test_cells_leave_each_others_donors_and_are_planned_as_if_alone():
    model = bs.SyntheticControl(calibrate=bs.Calibration(draws=90, tune=60, q_factors=(1.0,)))
    options = {"periods": 4, "starts": 2, "draws": 150, "tune": 150, "random_seed": 2}
    history = fake_history(units=9, times=36)
    made = bs.plan_cells(
        history,
        {"search": "u00", "social": ["u03", "u04"]},
        effect=0.05,
        model=model,
        progressbar=False,
        **options,
    )
    for name, other in (("search", ("u03", "u04")), ("social", ("u00",))):
        plan = made.plans[name]
        assert not {*plan.donors} & {*other}
        alone = model.plan(
            history,
            plan.treated,
            effect=0.05,
            never_donors=other,
            progressbar=False,
            **options,
        )
        assert alone.counterfactual.equals(plan.counterfactual)
        pd.testing.assert_frame_equal(alone.placebo_tests, plan.placebo_tests)
    assert np.isfinite(made.differences.to_numpy(float)).all()
