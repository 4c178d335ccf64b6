"""Monte Carlo errors, and what is said when one of them reaches a threshold."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from bayes_synth.checks.result import graded, known_to
from bayes_synth.report.headline import near_zero
from bayes_synth.results.effects import Effect
from bayes_synth.results.monte_carlo import (
    end_errors,
    mean_error,
    median_error,
    two_sided,
    two_sided_error,
)
from bayes_synth.testing import fake_fit, fake_panel


def draws(seed: int = 0, mean: float = 0.0, size: int = 1000) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    return xr.DataArray(mean + rng.standard_normal((4, size)), dims=("chain", "draw"))


@pytest.mark.parametrize(
    ("statistic", "error"),
    [
        (lambda x: float(x.mean()), mean_error),
        (lambda x: float(x.median()), median_error),
        (lambda x: float(x.quantile(0.975)), lambda x: end_errors(x, float(x.quantile(0.975)))[0]),
        (two_sided, two_sided_error),
    ],
    ids=["mean", "median", "end", "two-sided p"],
)
def test_an_error_is_how_much_seeds_differ(statistic, error):
    made = [draws(seed, mean=1.0, size=250) for seed in range(200)]
    spread = np.std([statistic(each) for each in made])
    assert np.mean([error(each) for each in made]) == pytest.approx(spread, rel=0.25)


def test_the_ends_of_an_equal_tailed_interval_have_arvizs_errors():
    x = draws()
    ends = x.quantile([0.025, 0.975]).to_numpy()
    theirs = [
        float(arviz_stats.mcse(x.to_numpy(), method="quantile", prob=prob))
        for prob in (0.025, 0.975)
    ]
    assert end_errors(x, *ends) == pytest.approx(theirs, rel=0.05)


def test_equal_draws_have_no_error():
    still = xr.full_like(draws(), 3.0)
    assert (mean_error(still), median_error(still), two_sided_error(still)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("share", "p"), [(0.5, 1.0), (0.1, 0.2), (0.9, 0.2), (0.0, 0.0)])
def test_a_two_sided_p_is_twice_the_smaller_side(share, p):
    values = np.where(np.arange(100) < 100 * share, -1.0, 1.0)
    assert two_sided(xr.DataArray(values)) == pytest.approx(p)


def test_the_summary_has_both():
    fit = fake_fit(panel=fake_panel(effect=0.1))
    table, effect = fit.summary(), fit.effect("average")
    row, ends = table.loc["average"], effect.interval(0.95).to_numpy()
    assert row["p_two_sided"] == two_sided(effect.draws)
    assert row["p_two_sided"] == pytest.approx(2 * min(row["p_below_0"], row["p_above_0"]))
    assert (row["mcse_lower"], row["mcse_upper"]) == end_errors(effect.draws, *ends)
    assert (table["mcse_lower"] > 0).all()


@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_an_end_near_zero_is_named(kind):
    lower = float(Effect(draws(), "average").interval(0.95, kind)[0])
    near = near_zero(Effect(draws() - lower + 0.01, "average"), 0.95, kind)
    assert near.startswith("the interval's lower end, ")
    assert "another seed may put zero on its other side" in near


@pytest.mark.parametrize("mean", [0.0, 3.0, -3.0])
def test_ends_far_from_zero_are_not_mentioned(mean):
    assert near_zero(Effect(draws(mean=mean), "average")) == ""


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.7, "pass"), (0.79, "pass"), (0.81, "caution"), (1.0, "caution"), (1.79, "caution"),
     (2.19, "caution"), (2.21, "fail"), (np.nan, "fail")],
)  # fmt: skip
def test_within_two_errors_of_a_threshold_it_is_a_caution(value, verdict):
    assert graded(value, 1.0, 2.0, 0.1) == verdict


def test_at_a_threshold_seeds_agree():
    """Without the rule half of them would say one thing and half the other."""
    for threshold in (1.0, 2.0):
        values = threshold + 0.1 * np.random.default_rng(1).standard_normal(1000)
        assert np.mean([graded(value, 1.0, 2.0, 0.1) == "caution" for value in values]) > 0.94
        assert 0.4 < np.mean([graded(value, 1.0, 2.0) == "caution" for value in values]) < 0.6


def test_between_two_thresholds_that_cannot_be_told_apart_it_is_a_caution():
    assert graded(1.5, 1.0, 2.0, 5.0) == "caution"


def test_the_threshold_that_cannot_be_told_from_the_number_is_named():
    far, near = known_to(0.5, 0.1, 1.0, 2.0), known_to(1.15, 0.1, 1.0, 2.0)
    assert far == "(Monte Carlo error 0.1)"
    assert near == "(Monte Carlo error 0.1, and within two of these of the threshold 1)"
