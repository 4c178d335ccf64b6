"""The typical step: what it sees of a series' jumps, and what leaves it as it is."""

import numpy as np
import pytest
from scipy import stats

from bayes_synth.model import inputs
from bayes_synth.model.inputs import typical_step

DAYS = np.arange(91)


def walk(periods=91, sd=0.6, seed=1):
    return sd * np.random.default_rng(seed).standard_normal(periods).cumsum()


def of_most(series):
    steps = np.diff(series)
    return 1.4826 * np.median(np.abs(steps - np.median(steps)))


@pytest.mark.parametrize("periods", [19, 30, 91])
@pytest.mark.parametrize("drift", [0, 5])
def test_a_normal_walk_has_the_sd_of_most_of_its_steps(periods, drift):
    series = [walk(periods, seed=seed) + drift * np.arange(periods) for seed in range(100)]
    changed = [typical_step(each) != pytest.approx(of_most(each)) for each in series]
    assert np.mean(changed) <= 0.05


@pytest.mark.parametrize("power", [-1000, -500, 500, 1000])
@pytest.mark.parametrize(
    "series", [walk(), np.arange(30.0), -20.0 * (DAYS % 7 == 6)], ids=["walk", "line", "week"]
)
def test_the_step_is_in_the_measure_of_the_series_however_large_that_is(series, power):
    assert typical_step(series * 2.0**power) == typical_step(series) * 2.0**power


REGULAR = {
    "one closed day a week": -20.0 * (DAYS % 7 == 6),
    "weekends": 20.0 * (DAYS % 7 > 4),
    "a day of the month": 20.0 * (DAYS % 30 == 0),
    "a month of the year": 20.0 * (DAYS % 12 == 11),
    "every third day": 20.0 * (DAYS % 3 == 0),
}


@pytest.mark.parametrize("pattern", REGULAR.values(), ids=REGULAR)
def test_regular_jumps_are_seen(pattern):
    """They lie within three typical steps, as the sd that a half-normal prior expects."""
    assert typical_step(walk() + pattern) > pattern.std() / 3


SINGLE = {
    "an outlier": (91, lambda x: x + 1e4 * (np.arange(91) == 45)),
    "an outlier in a short series": (13, lambda x: x + 1e4 * (np.arange(13) == 6)),
    "two outliers": (91, lambda x: x + 1e4 * np.isin(np.arange(91), [20, 70])),
    "a shift of level": (91, lambda x: x + 1e4 * (np.arange(91) > 45)),
    "an outlier at the end": (8, lambda x: x + 1e4 * (np.arange(8) == 7)),
}


@pytest.mark.parametrize(("periods", "change"), SINGLE.values(), ids=SINGLE)
def test_single_jumps_are_not(periods, change):
    clean = typical_step(walk(periods))
    assert 0.5 < typical_step(change(walk(periods))) / clean < 2


def mostly_zero(share, seed=1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(91) < share, 0, rng.gamma(2, 2, 91))


EQUAL = {
    "60 % zeros": mostly_zero(0.6),
    "80 % zeros": mostly_zero(0.8),
    "95 % zeros": mostly_zero(0.95),
    "few counts": np.random.default_rng(1).poisson(0.3, 91).astype(float),
    "counts": np.random.default_rng(1).poisson(2, 91).astype(float),
    "prices": np.repeat(3 * np.random.default_rng(1).standard_normal(16).cumsum(), 6)[:91],
    "rounded": np.round(np.random.default_rng(1).normal(0, 0.06, 91).cumsum(), 1),
    "one step": 1.0 * (DAYS > 45),
}


@pytest.mark.parametrize("series", EQUAL.values(), ids=EQUAL)
def test_mostly_equal_steps_leave_the_size_of_the_others(series):
    assert 0.5 < typical_step(series) / np.diff(series).std() < 2


def test_an_outlier_among_equal_steps_is_not_all_there_is():
    zeros = mostly_zero(0.8)
    assert typical_step(zeros + 1e4 * (DAYS == 45)) < 2 * typical_step(zeros)


def test_equal_steps_have_the_sd_of_the_series():
    for series in (0.1 * DAYS, 7 - 0.3 * DAYS[:5]):
        assert typical_step(series) == pytest.approx(series.std())


def test_differences_across_a_missing_period_are_left_out():
    series = walk()
    series[40] = np.nan
    jumped = series + 1e3 * (DAYS > 40)
    assert typical_step(jumped) == pytest.approx(typical_step(series))
    alternate = np.where(DAYS % 2, np.nan, walk())
    assert typical_step(alternate) == pytest.approx(np.nanstd(alternate))


@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e9])
def test_it_has_the_measure_of_the_series(factor):
    for series in (walk(), mostly_zero(0.8), walk() + REGULAR["weekends"]):
        assert typical_step(factor * series) == pytest.approx(factor * typical_step(series))


def test_the_constants_are_those_of_normal_steps():
    edge = stats.norm.ppf(0.975)
    square = 0.95 - 2 * edge * stats.norm.pdf(edge) + 0.05 * edge**2
    assert pytest.approx(np.sqrt(square), abs=1e-4) == inputs.WINSORISED
    assert pytest.approx(1 / stats.norm.ppf(0.75), abs=1e-4) == inputs.TO_SD
