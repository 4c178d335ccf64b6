"""What units of a study share, and that each one's own law stays what it is alone."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_studies import wide

import bayes_synth as bs
from bayes_synth.noise.base import NOISE, STEP
from bayes_synth.study.overlap import correlation_of_averages, response_of
from bayes_synth.study.shocks import CalendarShocks

DRAWS = 40_000
NOISES = [bs.noise.LocalLevel(), bs.noise.IID(), bs.noise.AR1(), bs.noise.LocalLinearTrend()]


def starts_of(count: int, first: int = 2010, step: int = 2) -> dict[str, int]:
    return {f"u{j:02d}": first + step * j for j in range(count)}


@pytest.fixture(scope="module")
def joint():
    study = bs.Study.from_wide(wide(22), starts=starts_of(3))
    return bs.SyntheticControl().fit(study, draws=250, tune=200, random_seed=1, progressbar=False)


@pytest.mark.parametrize("process", NOISES, ids=lambda noise: type(noise).__name__)
def test_simulated_averages_correlate_as_the_closed_form_says(process):
    donors = ("a", "b", "c", "d")
    weights = {"x": np.array([0.7, 0.3, 0.0, 0.0]), "y": np.array([0.5, 0.0, 0.5, 0.0])}
    periods = {"x": tuple(range(3, 12)), "y": tuple(range(6, 12))}
    noise = dict.fromkeys(process.parameters, 0.5)
    draws = {name: np.full(DRAWS, value) for name, value in noise.items()}
    averages, responses = [], []
    for unit, w in weights.items():
        tiled = np.tile(w, (DRAWS, 1))
        shocks = CalendarShocks(7).of(unit, donors, periods[unit], process)(tiled)
        # What belongs to no period, such as a slope, is each unit's own.
        rng = np.random.default_rng([1, ord(unit)])
        averages.append(process.from_shocks(draws, shocks, rng).mean(1))
        responses.append(response_of(unit, donors, w[None], noise, process, 1.0, periods[unit]))
    sds = [average.std() for average in averages]
    factors = [np.ones(len(each.periods)) for each in responses]
    expected = correlation_of_averages(responses, sds, factors)[0, 1]
    found = np.corrcoef(*averages)[0, 1]
    assert expected > 0.02
    assert abs(found - expected) < 3 * (1 - expected**2) / np.sqrt(DRAWS)


def test_shared_shocks_are_white_and_correlate_in_common_periods_only():
    process, w = bs.noise.LocalLevel(), np.tile([0.6, 0.4], (DRAWS, 1))
    one = CalendarShocks(1).of("x", ("a", "b"), (2, 3, 4), process)(w)
    other = CalendarShocks(1).of("y", ("a", "b"), (4, 5), process)(w)
    rows = np.concatenate([one[NOISE], other[NOISE], one[STEP]], axis=1)
    found = np.corrcoef(rows.T)
    expected = np.eye(8)
    shared = 0.52 / 1.52
    expected[2, 3] = expected[3, 2] = shared
    assert np.abs(found - expected).max() < 4 / np.sqrt(DRAWS)
    assert np.abs(rows.std(0) - 1).max() < 4 / np.sqrt(2 * DRAWS)


def test_shocks_hang_on_labels_and_periods_alone():
    process, w = bs.noise.IID(), np.tile([0.6, 0.4], (50, 1))
    make = CalendarShocks(1)
    long = make.of("x", ("a", "b"), (2, 3, 4), process)(w)[NOISE]
    short = make.of("x", ("a", "b"), (2, 3), process)(w)[NOISE]
    turned = make.of("x", ("b", "a"), (2, 3), process)(w[:, ::-1])[NOISE]
    np.testing.assert_array_equal(long[:, :2], short)
    np.testing.assert_allclose(turned, short, atol=1e-14)
    assert not np.allclose(
        CalendarShocks(2).of("x", ("a", "b"), (2,), process)(w)[NOISE], short[:, :1]
    )


def test_one_unit_equals_its_fit_bit_for_bit():
    study = bs.Study.from_wide(wide(8), starts={"u00": 2012})
    options = {"draws": 60, "tune": 60, "chains": 2, "random_seed": 5, "progressbar": False}
    with pytest.warns(bs.errors.ConvergenceWarning):
        joint = bs.SyntheticControl().fit(study, **options)
    with pytest.warns(bs.errors.ConvergenceWarning):
        alone = bs.SyntheticControl().fit(study.panels["u00"], **options)
    assert joint.fits["u00"].idata.identical(alone.idata)
    np.testing.assert_allclose(
        joint.effect("average").draws, alone.effect("average").draws, rtol=1e-12
    )


def test_each_unit_keeps_its_own_law():
    study = bs.Study.from_wide(wide(), starts=starts_of(2))
    model = bs.SyntheticControl(calibrate=False)
    joint = model.fit(study, random_seed=1, progressbar=False)
    for unit, panel in study.panels.items():
        alone = model.fit(panel, random_seed=2, progressbar=False)
        for name in ("average", "pointwise"):
            one, other = (
                fit.effect(name).draws.to_numpy().reshape(4000, -1)[:, -1]
                for fit in (joint.fits[unit], alone)
            )
            assert stats.ks_2samp(one, other).pvalue > 0.001, (unit, name)


def test_one_kappa_and_one_lambda_per_draw_for_all_units(joint):
    first, *others = (fit.idata["calibration"] for fit in joint.fits.values())
    for other in others:
        for name in ("kappa", "lambda", "kappa_deviations", "lambda_deviations"):
            np.testing.assert_array_equal(first[name], other[name])


def test_a_member_of_a_study_is_not_extended_alone(joint):
    fit = joint.fits["u00"]
    with pytest.raises(bs.errors.ResultError, match="R055"):
        fit.extend(fit.panel)


@pytest.mark.long
def test_sets_have_the_real_starts_and_do_not_hang_on_the_seed(joint):
    sets = joint.sets
    assert sets.groupby("set").size().eq(3).all()
    assert set(sets["start"]) == set(joint.study.starts.values())
    assert sets.groupby("set")["role"].nunique().eq(3).all()
    again = bs.SyntheticControl().fit(
        joint.study, draws=250, tune=200, random_seed=2, progressbar=False
    )
    named = ["set", "donor", "role"]
    pd.testing.assert_frame_equal(sets[named], again.sets[named])
