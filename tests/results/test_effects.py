"""Intervals, probabilities and sentences of an effect are read off the same draws."""

import pytest

from bayes_synth.errors import OptionError


def test_intervals_carry_their_probability_and_kind(fake):
    bounds = fake.effect("average").interval(0.8, "hdi")
    assert bounds.dims == ("ci_bound",)
    assert (bounds.attrs["ci_prob"], bounds.attrs["ci_kind"]) == (0.8, "hdi")


def test_an_equal_tailed_interval_leaves_equal_tails(fake):
    effect = fake.effect("average")
    low, high = effect.interval(0.9).to_numpy()
    assert float((effect.draws < low).mean()) == pytest.approx(0.05, abs=2e-3)
    assert float((effect.draws > high).mean()) == pytest.approx(0.05, abs=2e-3)


def test_probabilities_and_rope_are_posterior_masses(fake):
    effect = fake.effect("average")
    assert effect.probability(above=0) + effect.probability(below=0) == pytest.approx(1)
    assert effect.rope(2.5, 3.5) == pytest.approx(
        float(((effect.draws > 2.5) & (effect.draws < 3.5)).mean())
    )
    assert fake.effect("pointwise").probability(above=0).dims == ("time",)


@pytest.mark.parametrize("bad", [95, 0, 1.0, -0.1])
def test_a_probability_outside_zero_and_one_is_refused(fake, bad):
    with pytest.raises(OptionError, match="O004"):
        fake.effect("average").interval(bad)


def test_an_unknown_kind_of_interval_is_refused(fake):
    with pytest.raises(OptionError, match=r'O001\] ci_kind must be "eti" or "hdi", got .*eti'):
        fake.effect("average").interval(0.9, "etis")


def test_a_question_without_bounds_is_refused(fake):
    with pytest.raises(OptionError, match=r"O005\] above or below must be given"):
        fake.effect("average").probability()


def test_bounds_that_are_turned_round_are_refused(fake):
    with pytest.raises(OptionError, match=r"O005\] above=1 must be smaller than below=-1"):
        fake.effect("average").rope(1, -1)


def test_the_old_name_of_the_measure_still_answers(fake):
    effect = fake.effect("average")
    with pytest.warns(DeprecationWarning, match=r"called Effect\.measure now"):
        assert effect.unit == effect.measure == "sales per period"
