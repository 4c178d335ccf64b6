"""Thresholds of rules equal what a fit says when the effect is added to its data."""

import numpy as np
import pytest
from fake_plans import windows
from scipy import stats

import bayes_synth as bs
from bayes_synth.errors import OptionError, PlanError
from bayes_synth.planning.operating import Law, thresholds
from bayes_synth.planning.rules import as_rule
from bayes_synth.results.effects import interval
from bayes_synth.testing import fake_fit, fake_panel

RULES = [
    bs.rules.Interval(0.9),
    bs.rules.Probability(above=0, at_least=0.95),
    bs.rules.Probability(above=0.01, at_least=0.8),
    bs.rules.Probability(below=-0.01, at_least=0.8),
    bs.rules.Rope(-0.02, 0.03, at_least=0.9),
]
EFFECTS = (-0.03, -0.01, 0.002, 0.01, 0.02, 0.05)


def said(rule, relative) -> bool:
    """What a rule says of draws of a relative effect, from its definition."""
    if isinstance(rule, bs.rules.Interval):
        low, high = np.quantile(relative, [(1 - rule.ci_prob) / 2, (1 + rule.ci_prob) / 2])
        return bool(low > 0 or high < 0)
    if isinstance(rule, bs.rules.Probability):
        inside = relative > rule.bound if rule.above is not None else relative < rule.bound
        return inside.mean() >= rule.at_least
    return ((relative > rule.low) & (relative < rule.high)).mean() >= rule.at_least


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("effect", EFFECTS)
def test_a_region_says_what_the_draws_of_the_effect_say(rule, effect):
    for window in windows(8):
        observed = window.observed * (1 + effect)
        relative = observed / window.draws - 1
        assert bool(rule.region(window.draws).found(observed)) == said(rule, relative)


@pytest.mark.parametrize("rule", RULES[:3], ids=str)
def test_in_outcome_units_too(rule):
    for window in windows(8):
        for effect in (-4.0, -1.0, 0.5, 3.0):
            observed = window.observed + effect
            found = bool(rule.region(window.draws, additive=True).found(observed))
            assert found == said(rule, observed - window.draws)


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_interval_rule_agrees_with_a_fit_of_data_with_the_effect_added(effect):
    """The counterfactual does not read the outcomes after the start."""
    panel = fake_panel()
    fit = fake_fit(panel=panel)
    post = panel.times >= panel.start
    lifted = panel.outcomes.copy()
    lifted.loc[{"unit": "treated", "time": panel.post.to_numpy()}] *= 1 + effect
    again = fake_fit(panel=bs.Panel(lifted, panel.treated, panel.start))
    assert np.array_equal(fit.counterfactual, again.counterfactual)
    average = fit.counterfactual.sel(time=panel.times[post].to_numpy()).mean("time")
    region = bs.rules.Interval(0.9).region(average.to_numpy().ravel())
    seen = float(panel.treated_outcome[post].mean()) * (1 + effect)
    low, high = interval(again.effect("average").draws, 0.9, "eti")
    assert bool(region.found(seen)) == bool(low > 0 or high < 0)


def test_thresholds_are_where_the_rule_turns():
    rule, window = bs.rules.Interval(0.9), windows(1)[0]
    region = rule.region(window.draws)
    below, above = thresholds(region, window.observed)
    for edge, side in ((above, 1), (below, -1)):
        assert region.found(window.observed * (1 + edge + side * 1e-9))
        assert not region.found(window.observed * (1 + edge - side * 1e-9))


def test_power_rises_from_half_of_the_nominal_share_to_one():
    law = Law(windows(), bs.rules.Interval(0.9))
    power = [law.power(e) for e in (1e-9, 0.01, 0.03, 0.05, 0.2)]
    assert power[0] == pytest.approx(0.05, abs=0.001)
    assert power == sorted(power)
    assert power[-1] == 1


def test_power_of_a_loss_counts_losses_only():
    law = Law(windows(), bs.rules.Interval(0.9))
    assert law.power(-0.05) > 0.5
    assert law.wrong_sign(-0.05) < 0.01 < law.wrong_sign(-0.002)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_detectable_effect_has_its_power(sign):
    law = Law(windows(), bs.rules.Interval(0.9))
    assert law.power(law.detectable(0.8, sign)) == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(
    "prior", [stats.norm(0.02, 0.02), stats.uniform(-0.05, 0.1), stats.t(3, 0.01, 0.01)]
)
def test_assurance_is_the_power_averaged_over_the_prior(rule, prior):
    law = Law(windows(2, draws=300), rule)
    draws = prior.rvs(100_000, random_state=1)
    grid = np.linspace(-0.3, 0.3, 601)
    power = np.interp(draws, grid, [law.power(e) if e else 0.0 for e in grid])
    error = power.std() / np.sqrt(len(draws))
    claim = rule.claim(prior)
    # Effects of the other sign than the rule's are no finding of it: power is 0 there.
    assert law.assurance(prior) == pytest.approx(power.mean(), abs=3 * error + 3e-3)
    assert law.assurance(prior) <= claim + 1e-9


def test_small_effects_are_exaggerated_where_they_are_found():
    law = Law(windows(), bs.rules.Interval(0.9))
    assert law.exaggeration(0.01) > 2 > law.exaggeration(0.1) > 0.9


def test_a_rope_that_no_posterior_satisfies_finds_nothing():
    law = Law(windows(), bs.rules.Rope(-0.001, 0.001))
    assert law.power(0.0005) == 0
    assert np.isnan(law.detectable(0.8))


@pytest.mark.parametrize("value", [0, 1, 95, -0.1, "0.9", None])
def test_probabilities_must_be_some(value):
    with pytest.raises(OptionError, match="O060"):
        bs.rules.Interval(value)


@pytest.mark.parametrize("bounds", [{}, {"above": 0, "below": 0}])
def test_one_bound_is_wanted(bounds):
    with pytest.raises(PlanError, match="H006"):
        bs.rules.Probability(**bounds)


def test_a_region_must_have_a_low_end_below_its_high_end():
    with pytest.raises(PlanError, match="H006"):
        bs.rules.Rope(0.02, -0.02)


@pytest.mark.parametrize(
    "rule",
    [
        bs.rules.Probability(below=-1.5),
        bs.rules.Probability(above=-1.0),
        bs.rules.Rope(-2.0, 0.1),
    ],
)
def test_no_fraction_goes_beyond_losing_everything(rule):
    with pytest.raises(PlanError, match=r"H006.*above -1, got -.*additive=True"):
        as_rule(rule)
    assert as_rule(rule, additive=True) is rule
