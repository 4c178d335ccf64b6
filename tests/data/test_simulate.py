"""Simulated panels: the parts of the truth, the axes, and the options that are refused."""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.data.simulate import simulate
from bayes_synth.errors import OptionError


def test_a_panel_has_the_sizes_asked_for():
    panel = simulate(donors=7, pre=9, post=4, random_seed=1).panel
    assert (len(panel.donors), len(panel.pre), len(panel.post)) == (7, 9, 4)


@pytest.mark.parametrize(
    ("donors", "first"), [(5, "donor_01"), (20, "donor_01"), (120, "donor_001")]
)
def test_donor_names_sort_as_their_numbers_do(donors, first):
    simulated = simulate(donors=donors, random_seed=1)
    assert simulated.panel.donors[0] == first
    assert list(simulated.panel.donors) == simulated.weights.index.tolist()


def test_a_single_effect_holds_for_every_post_period():
    simulated = simulate(post=6, effect=2.5, random_seed=1)
    assert simulated.effect.values.tolist() == [2.5] * 6


def test_the_truth_carries_the_times_of_the_panel():
    simulated = simulate(start="2024-03-01", random_seed=1)
    assert simulated.effect.indexes["time"].equals(simulated.panel.post.rename("time"))
    assert simulated.untreated.indexes["time"].equals(simulated.panel.times.rename("time"))


def test_a_start_makes_the_axis_daily_and_is_the_first_treated_day():
    panel = simulate(pre=10, post=3, start="2024-03-01", random_seed=1).panel
    assert panel.times.equals(pd.date_range("2024-02-20", "2024-03-03", name="time"))
    assert panel.start == pd.Timestamp("2024-03-01")


def test_other_seeds_give_other_panels():
    assert simulate(random_seed=1).panel != simulate(random_seed=2).panel


def test_a_generator_counts_as_a_seed():
    assert simulate(random_seed=np.random.default_rng(5)).panel == simulate(random_seed=5).panel


def test_the_effect_changes_nothing_else():
    plain, treated = simulate(random_seed=6), simulate(effect=9.0, random_seed=6)
    assert plain.panel.donor_outcomes.equals(treated.panel.donor_outcomes)
    assert plain.untreated.equals(treated.untreated)


def test_noise_about_the_synthetic_has_the_standard_deviation_asked_for():
    simulated = simulate(pre=4000, post=1, noise=2.0, random_seed=7)
    own = (
        simulated.untreated.to_numpy()
        - simulated.panel.donor_outcomes.to_numpy() @ simulated.weights.to_numpy()
    )
    assert own.std() == pytest.approx(2.0, rel=0.05)


def test_drift_is_a_random_walk_with_steps_of_the_size_asked_for():
    simulated = simulate(pre=4000, post=1, noise=0.0, drift=0.5, random_seed=8)
    own = (
        simulated.untreated.to_numpy()
        - simulated.panel.donor_outcomes.to_numpy() @ simulated.weights.to_numpy()
    )
    assert np.diff(own).std() == pytest.approx(0.5, rel=0.05)


def test_a_season_repeats_every_seven_periods():
    flat = {"donors": 3, "active": 1, "pre": 21, "spread": 0.0, "noise": 0.0, "random_seed": 9}
    series = simulate(season=0.1, **flat).panel.donor_outcomes.to_numpy()
    np.testing.assert_allclose(series[7:], series[:-7])
    assert np.ptp(series) == pytest.approx(20, rel=0.05)


def test_factors_make_donors_move_together():
    simulated = simulate(factors=1, donors=2, active=1, noise=0.0, pre=200, random_seed=10)
    assert abs(np.corrcoef(simulated.panel.donor_outcomes.to_numpy().T)[0, 1]) == pytest.approx(1)


def test_a_simulation_cannot_be_reassigned():
    with pytest.raises(AttributeError, match="cannot assign to field 'effect'"):
        simulate(random_seed=1).effect = None


REFUSED = {
    "no donors": ({"donors": 0}, r"donors must be a whole number of at least 1, got 0"),
    "half a donor": ({"donors": 2.5}, r"donors must be a whole number of at least 1, got 2\.5"),
    "a yes": ({"post": True}, r"post must be a whole number of at least 1, got True"),
    "two pre-periods": ({"pre": 2}, r"pre must be a whole number of at least 3, got 2"),
    "no factors": ({"factors": 0}, r"factors must be a whole number of at least 1, got 0"),
    "more active than there are": (
        {"active": 30},
        r"active must be at most the number of donors, 20, got 30",
    ),
    "negative noise": ({"noise": -1.0}, r"noise must be a number that is not negative, got -1\.0"),
    "noise in words": ({"noise": "low"}, r"noise must be a number that is not negative, got 'low'"),
    "no level": ({"level": float("nan")}, r"level must be a finite number, got nan"),
    "too few effects": (
        {"effect": [1.0, 2.0]},
        r"effect must be one number or one per post-period \(20\), got \(2,\)",
    ),
    "an unknown effect": ({"effect": float("nan")}, r"effect must hold finite numbers"),
    "an effect in words": ({"effect": "big"}, r"effect must hold finite numbers"),
    "a start in words": (
        {"start": "soon"},
        r"start must be a date, such as '2025-05-01', or None, got 'soon'",
    ),
    "a year as start": (
        {"start": 2024},
        r"start must be a date, such as '2025-05-01', or None, got 2024",
    ),
    "a seed in words": (
        {"random_seed": "one"},
        r"random_seed must be a whole number that is not negative, got 'one'",
    ),
}


@pytest.mark.parametrize(("options", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_unusable_options_are_refused_in_words(options, text):
    with pytest.raises(OptionError, match=rf"\[O010\] {text}"):
        simulate(**options)


def test_the_public_name_is_the_function():
    assert bs.simulate is simulate
