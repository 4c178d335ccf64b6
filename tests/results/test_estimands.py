"""Estimands agree draw by draw, are refused where they mean nothing, and can be added."""

import numpy as np
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import ResultError
from bayes_synth.results.estimands import (
    ESTIMANDS,
    SIGN_CHANGES,
    effect_draws,
    estimand,
    estimate,
    pointwise,
)
from bayes_synth.testing import fake_fit, fake_panel

TIMES = [2020, 2021, 2022]
RATIOS = ["relative", "log_ratio"]


def observed(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, dtype=float), dims="time", coords={"time": TIMES})


def counterfactual(totals: np.ndarray) -> xr.DataArray:
    """One chain of draws with these totals, spread evenly over three periods."""
    paths = np.broadcast_to(np.asarray(totals, dtype=float)[None, :, None] / 3, (1, len(totals), 3))
    coords = {"chain": [0], "draw": np.arange(len(totals)), "time": TIMES}
    return xr.DataArray(paths.copy(), dims=("chain", "draw", "time"), coords=coords)


def totals_of_both_signs(negative: int, draws: int = 1000) -> xr.DataArray:
    """Totals of 30, of which so many are -30."""
    return counterfactual(np.where(np.arange(draws) < negative, -30.0, 30.0))


def test_estimands_of_one_posterior_agree_draw_by_draw(fake):
    path, post = fake.effect("pointwise").draws, len(fake.panel.post)
    np.testing.assert_allclose(fake.effect("average").draws, path.mean("time"))
    np.testing.assert_allclose(fake.effect("total").draws, post * fake.effect("average").draws)
    total = fake.idata["predictions"]["counterfactual"].sum("time")
    np.testing.assert_allclose(fake.effect("relative").draws, fake.effect("total").draws / total)


def test_the_log_ratio_is_that_of_the_totals(fake):
    total = fake.idata["predictions"]["counterfactual"].sum("time")
    outcome = float(fake.idata["predictions_constant_data"]["outcome"].sum())
    np.testing.assert_allclose(fake.effect("log_ratio").draws, np.log(outcome / total))
    assert list(fake.summary().index) == ["average", "total", "cumulative", "relative", "log_ratio"]


def test_a_relative_effect_has_the_sign_of_the_effect():
    panel = fake_panel(effect=5.0)
    negative = bs.Panel.from_wide(
        (panel.outcomes - 1000).to_pandas(), treated="treated", start=panel.start
    )
    assert float(fake_fit(panel=negative).effect("relative").draws.mean()) > 0


def test_a_ratio_to_a_total_of_both_signs_is_refused():
    panel = fake_panel()
    shifted = panel.outcomes - float(panel.treated_outcome[-8:].mean())
    fit = fake_fit(
        panel=bs.Panel.from_wide(shifted.to_pandas(), treated="treated", start=panel.start)
    )
    words = r"(?s)R004\] the counterfactual total is positive in some draws and negative in others"
    with pytest.raises(ResultError, match=words + r".*\n  Use the average or the total"):
        fit.effect("relative")
    assert fit.summary().index.tolist() == ["average", "total", "cumulative"]


@pytest.mark.parametrize("negative", [0, 1, 999, 1000])
def test_a_relative_effect_forgives_one_draw_in_a_thousand(negative):
    totals = totals_of_both_signs(negative)
    draws = estimate("relative", observed(20, 20, 20), totals)
    total = totals.sum("time")
    np.testing.assert_allclose(draws, (60 - total) / abs(total))


@pytest.mark.parametrize("negative", [2, 500, 998])
def test_a_relative_effect_is_refused_with_its_share_of_draws(negative):
    share = min(negative, 1000 - negative) / 1000
    assert share > SIGN_CHANGES
    with pytest.raises(ResultError, match=rf"R004\].* \({share:.1%} of them\)"):
        estimate("relative", observed(20, 20, 20), totals_of_both_signs(negative))


def test_a_total_of_zero_has_neither_sign():
    with pytest.raises(ResultError, match=r"R004\].*\(100.0% of them\)"):
        estimate("relative", observed(1, 1, 1), counterfactual(np.zeros(100)))


@pytest.mark.parametrize("values", [(20, 20, -60), (0, 0, 0)], ids=["negative", "zero"])
def test_a_log_ratio_of_totals_of_different_sign_is_refused(values):
    with pytest.raises(ResultError, match=r"R004\].*so their ratio has no logarithm"):
        estimate("log_ratio", observed(*values), counterfactual(np.full(100, 30.0)))


def test_one_draw_of_another_sign_is_enough_against_a_log_ratio():
    with pytest.raises(ResultError, match=r"R004\].*so their ratio has no logarithm"):
        estimate("log_ratio", observed(20, 20, 20), totals_of_both_signs(1))


def test_a_log_ratio_of_two_losses_exists():
    draws = estimate("log_ratio", observed(-20, -20, -20), counterfactual(np.full(5, -30.0)))
    np.testing.assert_allclose(draws, np.log(2))


def test_all_draws_together_leave_out_what_has_an_obstacle():
    mixed, positive = totals_of_both_signs(500), totals_of_both_signs(0)
    assert set(effect_draws(observed(20, 20, 20), positive)) == set(ESTIMANDS)
    assert set(effect_draws(observed(20, 20, 20), mixed)) == set(ESTIMANDS) - set(RATIOS)


def test_missing_outcomes_count_in_no_total():
    outcome, totals = observed(20, np.nan, 25), counterfactual(np.full(4, 30.0))
    np.testing.assert_allclose(estimate("total", outcome, totals), 45 - 20)
    np.testing.assert_allclose(estimate("average", outcome, totals), 25 / 2)
    np.testing.assert_allclose(estimate("relative", outcome, totals), 25 / 20)
    np.testing.assert_allclose(estimate("log_ratio", outcome, totals), np.log(45 / 20))
    assert estimate("pointwise", outcome, totals).isnull().sum("time").max() == 1


def test_the_pointwise_effect_refuses_other_times():
    with pytest.raises(ValueError, match="exact"):
        pointwise(observed(1, 2, 3), counterfactual(np.ones(4)).assign_coords(time=[1, 2, 3]))


@pytest.mark.parametrize("name", ESTIMANDS)
def test_every_estimand_has_words_a_measure_and_draws_of_its_form(fake, name):
    declared, draws = ESTIMANDS[name], fake.effect(name).draws
    assert declared.words
    assert "{" not in declared.measured("sales")
    assert draws.dims == (("chain", "draw", "time") if declared.path else ("chain", "draw"))
    assert np.isfinite(draws).all()


@pytest.fixture
def final():
    """An estimand of one's own, for as long as a test runs."""

    @estimand("in the last period")
    def final(effect, counterfactual):
        return effect.isel(time=-1, drop=True)

    yield
    ESTIMANDS.remove("final")


def test_an_estimand_of_ones_own_answers_everywhere(final):
    fit = fake_fit(panel=fake_panel(effect=3.0))
    expected = fit.effect("pointwise").draws.isel(time=-1)
    np.testing.assert_array_equal(fit.effect("final").draws, expected)
    assert fit.effect("final").measure == "sales"
    assert fit.summary().index.tolist()[-1] == "final"
    first = fit.effect("final", window=slice(2020, 2021)).draws
    np.testing.assert_allclose(first, fit.effect("pointwise").draws.sel(time=2021))


@pytest.mark.parametrize(
    ("style", "value", "sd", "text"),
    [
        ("number", 1234.567, 30.0, "+1,235"), ("number", -1.2345, 0.3, "-1.23"),
        ("number", 2.0, 0.0, "+2.0"), ("per cent", 0.1234, 9.9, "+12.3%"),
    ],
)  # fmt: skip
def test_values_have_as_many_digits_as_their_draws_warrant(style, value, sd, text):
    name = "relative" if style == "per cent" else "average"
    assert ESTIMANDS[name].text(value, sd) == text
