"""Arithmetic of effects with numbers acts on every draw, and the words follow."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from bayes_synth.errors import OptionError, ResultError
from bayes_synth.testing import fake_fit


@pytest.mark.parametrize(
    ("compute", "label", "measure"),
    [
        (lambda e: e / 250_000, "total / 250,000", "sales / 250,000"),
        (lambda e: e * 2.5, "total * 2.5", "sales * 2.5"),
        (lambda e: 2.5 * e, "total * 2.5", "sales * 2.5"),
        (lambda e: np.float64(2.5) * e, "total * 2.5", "sales * 2.5"),
        (lambda e: e + 3, "total + 3", "sales"),
        (lambda e: 3 + e, "total + 3", "sales"),
        (lambda e: e - 0.25, "total - 0.25", "sales"),
        (lambda e: 10 - e, "10 - total", "sales"),
        (lambda e: -e, "-total", "sales"),
        (lambda e: e / -4, "total / (-4)", "sales / (-4)"),
        (lambda e: 250_000 / e, "250,000 / total", "250,000 / (sales)"),
        (lambda e: (e + 3) / 2, "(total + 3) / 2", "sales / 2"),
        (lambda e: e / 1_234_567.89, "total / 1,234,567.89", "sales / 1,234,567.89"),
    ],
    ids=map(str, range(13)),
)  # fmt: skip
def test_arithmetic_is_that_of_the_draws(fake, compute, label, measure):
    effect = fake.effect("total")
    found = compute(effect)
    np.testing.assert_allclose(found.draws, compute(effect.draws.to_numpy()))
    assert (found.name, found.measure) == (label, measure)
    assert found.draws.dims == effect.draws.dims


@pytest.mark.parametrize("number", [2, 2.0, np.int64(2), np.float32(2), Fraction(2), np.uint8(2)])
def test_every_type_of_number_will_do(fake, number):
    effect = fake.effect("total")
    for found in (effect * number, number * effect):
        np.testing.assert_array_equal(found.draws, 2 * effect.draws)
        assert found.name == "total * 2"


def test_a_return_on_spend_has_its_interval_and_its_sentence(fake):
    effect = fake.effect("total") / 250_000
    np.testing.assert_allclose(effect.interval(0.9), fake.effect("total").interval(0.9) / 250_000)
    assert repr(effect).startswith("Effect: total / 250,000, +0.0000")
    assert "sales / 250,000 [" in repr(effect)


def test_a_path_is_divided_period_by_period(fake):
    path = fake.effect("cumulative") / 4
    np.testing.assert_array_equal(path.draws, fake.effect("cumulative").draws / 4)
    np.testing.assert_allclose(path.band(0.9), fake.effect("cumulative").band(0.9) / 4)
    assert repr(path) == "Effect: cumulative / 4, sales / 4, 8 periods, 2020 to 2027"


def test_a_relative_effect_times_a_number_is_shown_as_a_number(fake):
    effect = 100 * fake.effect("relative")
    assert effect.measure == ""
    assert "%" not in repr(effect).split("(95%")[0]


@pytest.mark.parametrize("other", ["2", None, np.nan, np.inf, True, [1, 2], Decimal(2), np.ones(3)])
def test_what_is_not_a_finite_number_is_refused(fake, other):
    for compute in (
        lambda e: e + other,
        lambda e: other * e,
        lambda e: e / other,
        lambda e: other - e,
    ):
        with pytest.raises(OptionError, match=r"O030\].*must have a finite number"):
            compute(fake.effect("total"))


def test_two_effects_are_not_added_as_if_they_were_one_fit(fake):
    with pytest.raises(OptionError, match=r"(?s)O030\].*a\.draws - b\.draws"):
        fake.effect("total") + fake.effect("average")


def test_zero_divides_nothing(fake):
    with pytest.raises(OptionError, match=r"O030\].*another number than zero"):
        fake.effect("total") / 0


def test_nothing_is_divided_by_an_effect_of_both_signs():
    with pytest.raises(
        ResultError, match=r"R031\] the total effect must have one sign.*% of its draws"
    ):
        1000 / fake_fit().effect("total")


def test_the_median_is_a_number_or_a_path(fake):
    assert fake.effect("total").median() == float(fake.effect("total").draws.median())
    np.testing.assert_array_equal(
        fake.effect("pointwise").median(), fake.effect("pointwise").draws.median(("chain", "draw"))
    )


def test_an_effect_as_a_table(fake):
    effect = fake.effect("total") / 2
    table = effect.to_frame(ci_prob=0.8, ci_kind="hdi")
    assert table.index.tolist() == ["total / 2"]
    assert table.columns.tolist() == ["median", "lower", "upper", "p_below_0", "p_above_0"]
    np.testing.assert_array_equal(
        table.loc["total / 2", ["lower", "upper"]], effect.interval(0.8, "hdi")
    )
    assert table.attrs == {
        "effect": "total / 2", "measure": "sales / 2", "ci_prob": 0.8, "ci_kind": "hdi",
    }  # fmt: skip


def test_a_path_as_a_table_has_a_row_per_time(dated):
    effect = dated.effect("cumulative")
    table = effect.to_frame(band="simultaneous")
    assert table.index.tolist() == dated.panel.post.tolist()
    np.testing.assert_array_equal(table[["lower", "upper"]], effect.interval())
    np.testing.assert_array_equal(table[["band_lower", "band_upper"]], effect.band())
    with pytest.raises(ResultError, match="R030"):
        dated.effect("total").to_frame(band="simultaneous")
