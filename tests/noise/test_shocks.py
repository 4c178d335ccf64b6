"""Shocks of periods to come: one more period leaves the others as they are, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from dense import NOISES, POINTS
from scipy import stats

from bayes_synth.noise import LocalLevel
from bayes_synth.noise.base import MIXING, NOISE, STEP, TAILS

DRAWS, PAST = 30, 9
EVERY = NOISES | {
    f"{name}, Student-t": replace(noise, degrees_of_freedom=4.0)
    for name, noise in NOISES.items()
    if np.isfinite(noise.level_sd)
}
every = pytest.mark.parametrize("noise", EVERY.values(), ids=EVERY.keys())
longer = pytest.mark.parametrize(("few", "many"), [(1, 2), (3, 4), (5, 40)])


def drawn(noise, seed=5):
    """Draws of the parameters, and pasts."""
    rng = np.random.default_rng(seed)
    draws = {name: POINTS[0][name] * rng.uniform(0.5, 1.5, DRAWS) for name in noise.parameters}
    if noise.heavy:
        draws[MIXING] = rng.gamma(2.0, 0.5, (DRAWS, PAST))
    return draws, rng.standard_normal((DRAWS, PAST)).cumsum(1)


def continued(noise, periods):
    draws, past = drawn(noise)
    rng = np.random.default_rng(1)
    path = noise.continue_path(draws, past, noise.draw_shocks(DRAWS, periods, rng), rng)
    return path, rng


@every
@longer
def test_more_periods_leave_level_replicate_and_earlier_periods_alone(noise, few, many):
    (short, left), (long, right) = continued(noise, few), continued(noise, many)
    assert short.future.shape == (DRAWS, few)
    assert np.array_equal(long.future[:, :few], short.future)
    assert np.array_equal(long.level, short.level)
    assert np.array_equal(long.replicate, short.replicate)
    assert left.random() == right.random()


@every
@longer
def test_more_periods_leave_simulated_paths_alone(noise, few, many):
    draws, _ = drawn(noise)
    paths = [noise.simulate(draws, size, np.random.default_rng(2)) for size in (few, many)]
    assert np.array_equal(paths[1][:, :few], paths[0])


@every
def test_a_shock_reaches_its_own_and_later_periods_only(noise):
    draws, past = drawn(noise)
    shocks = noise.draw_shocks(DRAWS, 6, np.random.default_rng(3))
    other = {kind: values.copy() for kind, values in shocks.items()}
    for values in other.values():
        values[:, 3] += 1.0
    one, two = (
        noise.continue_path(draws, past, each, np.random.default_rng(4)) for each in (shocks, other)
    )
    assert np.array_equal(one.future[:, :3], two.future[:, :3])
    assert (one.future[:, 3] != two.future[:, 3]).all()
    assert np.array_equal(one.replicate, two.replicate)


@every
def test_shocks_are_independent_standard_normals_by_kind(noise):
    shocks = noise.draw_shocks(2000, 3, np.random.default_rng(6))
    assert set(shocks) == {*noise.shocks, *([TAILS] if noise.heavy else [])}
    normal = np.hstack([shocks[kind] for kind in noise.shocks])
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-3
    apart = np.corrcoef(normal.T) - np.eye(normal.shape[1])
    assert np.abs(apart).max() < 5 / np.sqrt(2000)
    if noise.heavy:
        chi_squares = 4.0 * shocks[TAILS].ravel() ** 2
        assert stats.kstest(chi_squares, stats.chi2(4.0).cdf).pvalue > 1e-3


def test_units_that_share_their_donors_shocks_are_related_as_their_weights_overlap():
    """Each unit keeps its own law; the correlation is that of the shared donors."""
    size, periods, noise = 20_000, 4, LocalLevel()
    weights = np.array([[0.5, 0.5, 0.0], [0.0, 0.8, 0.2]])
    rng = np.random.default_rng(7)
    donors = [noise.draw_shocks(size, periods, rng) for _ in range(3)]
    draws = {"s": np.full(size, 0.7), "q": np.full(size, 0.4)}
    averages = []
    for row in weights:
        own = noise.draw_shocks(size, periods, rng)
        shared = {
            kind: (own[kind] - sum(w * each[kind] for w, each in zip(row, donors, strict=True)))
            / np.sqrt(1 + row @ row)
            for kind in (NOISE, STEP)
        }
        averages.append(noise.from_shocks(draws, shared, rng).mean(1))
    plain = noise.simulate(draws, periods, rng).mean(1)
    sizes = 1 + (weights**2).sum(1)
    expected = weights[0] @ weights[1] / np.sqrt(sizes.prod())
    assert np.corrcoef(averages)[0, 1] == pytest.approx(expected, abs=4 / np.sqrt(size))
    assert all(stats.ks_2samp(average, plain).pvalue > 1e-3 for average in averages)
