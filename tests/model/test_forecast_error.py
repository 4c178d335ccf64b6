"""The two parts of a forecast error, and the growth with the horizon."""

import numpy as np
import pytest

from bayes_synth.model.forecast_error import (
    Forecast,
    growth_factors,
    learn_growth,
    split_path,
    summarise,
)

PERIODS = 12
AHEAD = np.arange(1.0, PERIODS + 1)
WALK = np.minimum.outer(AHEAD, AHEAD)
ALL = np.ones(PERIODS, dtype=bool)


def paths(covariance=WALK, draws=4000, seed=1):
    factor = np.linalg.cholesky(covariance + 1e-9 * np.eye(len(covariance)))
    rng = np.random.default_rng(seed)
    return 3 + rng.standard_normal((2, draws // 2, len(covariance))) @ factor.T


def test_the_parts_add_up_and_only_the_first_moves_the_average():
    path = paths()
    average, deviations = split_path(path, ALL, 0.0)
    np.testing.assert_allclose(average + deviations, path - path.mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(deviations.mean(-1), 0, atol=1e-12)
    flat = average.mean(-1).ravel()
    np.testing.assert_allclose(deviations.reshape(-1, PERIODS).T @ flat / len(flat), 0, atol=1e-9)


def test_missing_periods_do_not_enter_the_average():
    seen = ALL.copy()
    seen[[2, 7]] = False
    _, deviations = split_path(paths(), seen, 0.3)
    np.testing.assert_allclose(deviations[..., seen].mean(-1), 0, atol=1e-12)
    assert np.abs(deviations[..., ~seen].mean(-1)).max() > 0.1


def test_a_summary_is_what_the_draws_of_a_path_say():
    """Moments computed from the covariance equal those of split draws."""
    path, growth = paths(draws=200_000), 0.4
    covariance = np.cov(path.reshape(-1, PERIODS).T)
    row = summarise(Forecast(np.ones(PERIODS), covariance, 0.1), AHEAD, growth)
    average, deviations = split_path(path, ALL, growth)
    assert row["sd"] == pytest.approx(average.mean(-1).std(), rel=1e-4)
    assert row["deviation_sd"] == pytest.approx(np.sqrt((deviations**2).mean()), rel=1e-4)
    assert row["error"] == 1.0


def test_white_deviations_count_as_one_period_fewer():
    row = summarise(Forecast(np.zeros(PERIODS), np.eye(PERIODS), 0.1), AHEAD, 0.0)
    assert row["periods"] == pytest.approx(PERIODS - 1)
    walk = summarise(Forecast(np.zeros(PERIODS), WALK, 0.1), AHEAD, 0.0)
    assert 1 < walk["periods"] < 5


def test_a_single_period_has_no_deviations():
    row = summarise(Forecast(np.array([2.0]), np.array([[4.0]]), 0.1), np.array([1.0]), 0.0)
    assert (row["error"], row["sd"]) == (2.0, 2.0)
    assert np.isnan(row["deviation_sd"])
    average, deviations = split_path(paths(np.eye(1)), np.array([True]), 0.0)
    np.testing.assert_allclose(deviations, 0, atol=1e-12)
    assert average.std() > 0.9


def test_growth_factors_average_to_one_in_logs_over_the_periods_seen():
    seen = np.array([True] * 5 + [False] * 7)
    logs = np.log(growth_factors(AHEAD, 0.7, seen))
    assert logs[seen].mean() == pytest.approx(0)
    np.testing.assert_allclose(np.diff(logs), 0.7 * np.diff(np.log(AHEAD)))


@pytest.mark.parametrize("growth", [-0.4, 0.0, 0.5])
def test_the_growth_of_errors_is_learnt(growth):
    true = growth_factors(AHEAD, growth)
    errors = (paths(draws=300, seed=3) - 3).reshape(-1, PERIODS) * true
    forecasts = [Forecast(error, WALK, 0.1) for error in errors]
    assert learn_growth(forecasts, AHEAD, 0.5) == pytest.approx(growth, abs=0.12)


def test_few_forecasts_leave_the_growth_near_its_prior():
    errors = (paths(draws=4, seed=3) - 3).reshape(-1, PERIODS) * AHEAD
    forecasts = [Forecast(error, WALK, 0.1) for error in errors]
    assert abs(learn_growth(forecasts[:2], AHEAD, 0.05)) < 0.03
    assert learn_growth(forecasts, AHEAD, 0.0) == 0.0
    assert learn_growth([], AHEAD, 0.5) == 0.0
