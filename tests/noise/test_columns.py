"""Columns that are integrated out, against dense normals."""

import numpy as np
import pymc as pm
import pytest
from dense import NOISES, POINTS, covariance, level_free, parameters
from scipy.stats import multivariate_normal

from bayes_synth.noise import LocalLevel
from bayes_synth.noise.columns import WithColumns
from bayes_synth.noise.integrated_level import NO_SHOCKS
from bayes_synth.sampling.regression import Rows, regression
from bayes_synth.sampling.slice_kernel import State, advance

PAST, AHEAD = 19, 7
RNG = np.random.default_rng(7)
COLUMNS = {count: RNG.standard_normal((PAST + AHEAD, count)) for count in (1, 2, 6)}
RESIDUAL = 2 + np.cumsum(RNG.standard_normal(PAST))
SHIPPED = pytest.mark.parametrize("process", NOISES.values(), ids=NOISES.keys())
COUNTS = pytest.mark.parametrize("count", COLUMNS)


def dense(process, point, count, periods):
    """Dense covariance of noise and columns, without the level."""
    columns = COLUMNS[count][:periods]
    return covariance(process, point, periods) + columns @ columns.T


def whole(process, point, count, periods):
    """Dense covariance of everything, a free level replaced by a very wide one."""
    sd = min(process.level_sd, 1e4)
    return dense(process, point, count, periods) + sd**2


@SHIPPED
@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.usefixtures("interpreted")
def test_the_graph_has_the_dense_likelihood(process, count):
    noise = WithColumns(process, COLUMNS[count])
    with pm.Model() as model:
        noise.build(pm.Data("residual", noise.rotate(RESIDUAL)), noise.inputs(PAST))
    wanted = [model[name] for name in noise.parameters]
    log_density = model.compile_fn(
        model["log_likelihood"], inputs=wanted, point_fn=False, on_unused_input="ignore"
    )
    for point in POINTS:
        expected = level_free(process, dense(process, point, count, PAST), RESIDUAL)
        actual = float(log_density(*(point[name] for name in noise.parameters)))
        # Without noise but the floor the covariance has a condition number of about 1e8.
        assert actual == pytest.approx(expected, rel=1e-9 if point["s"] > 0 else 1e-7, abs=1e-9)


@SHIPPED
@COUNTS
def test_precision_is_the_inverse_of_the_dense_covariance(process, count):
    noise = WithColumns(process, COLUMNS[count])
    for point in POINTS[:2]:
        draws = parameters(noise, point)
        inverse = np.linalg.inv(dense(process, point, count, PAST))
        scale = np.abs(inverse).max()
        np.testing.assert_allclose(
            noise.precision(draws, RESIDUAL[None])[0], inverse @ RESIDUAL, atol=1e-8 * scale
        )
        np.testing.assert_allclose(
            noise.precision_diagonal(draws, PAST)[0], np.diag(inverse), atol=1e-8 * scale
        )


@SHIPPED
@COUNTS
def test_the_forecast_has_the_dense_mean_and_variance(process, count):
    noise, point = WithColumns(process, COLUMNS[count]), POINTS[0]
    dense_all = whole(process, point, count, PAST + AHEAD)
    gain = np.linalg.solve(dense_all[:PAST, :PAST], dense_all[:PAST, PAST:]).T
    mean = noise.expected_path(parameters(noise, point), RESIDUAL[None], AHEAD)[0]
    np.testing.assert_allclose(mean, gain @ RESIDUAL, atol=1e-3)
    many = {name: np.full(20_000, value) for name, value in point.items()}
    rng = np.random.default_rng(1)
    shocks = noise.draw_shocks(20_000, AHEAD, rng)
    rows = np.broadcast_to(RESIDUAL, (20_000, PAST))
    path = noise.continue_path(many, rows, shocks, rng)
    variance = np.diag(dense_all)[PAST:] - np.einsum("fp,pf->f", gain, dense_all[:PAST, PAST:])
    # The log of a sample variance of 20,000 normals has a standard error of .01.
    np.testing.assert_allclose(np.log(path.future.var(0) / variance), 0, atol=0.05)
    assert path.coefficients.shape == (20_000, count)


@COUNTS
def test_a_coefficient_is_drawn_from_its_dense_posterior(count):
    process, point, columns = LocalLevel(), POINTS[0], COLUMNS[count]
    noise = WithColumns(process, columns)
    dense_all = whole(process, point, count, PAST)
    mean = columns[:PAST].T @ np.linalg.solve(dense_all, RESIDUAL)
    none = noise.draw_shocks(1, AHEAD, NO_SHOCKS)
    path = noise.continue_path(parameters(noise, point), RESIDUAL[None], none, NO_SHOCKS)
    np.testing.assert_allclose(path.coefficients[0], mean, atol=1e-9)


def test_a_longer_forecast_leaves_the_periods_of_a_shorter_one_as_they_are():
    noise, draws = WithColumns(LocalLevel(), COLUMNS[6]), parameters(LocalLevel(), POINTS[0])
    futures = []
    for ahead in (3, AHEAD):
        rng = np.random.default_rng(2)
        shocks = noise.draw_shocks(1, ahead, rng)
        futures.append(noise.continue_path(draws, RESIDUAL[None], shocks, rng).future[0])
    np.testing.assert_array_equal(futures[0], futures[1][:3])


SLICED = {name: noise for name, noise in NOISES.items() if noise.diagonal(PAST) is not None}


@pytest.mark.parametrize("process", SLICED.values(), ids=SLICED.keys())
@pytest.mark.parametrize("rows", [0, 3])
@COUNTS
def test_the_slice_sampler_has_the_dense_posterior(process, count, rows):
    """Differences of the log density between points are those of the dense normals."""
    rng, noise = np.random.default_rng(3), WithColumns(process, COLUMNS[count])
    series = rng.standard_normal((PAST, 5)).cumsum(0)
    known = Rows(rng.standard_normal(rows), rng.standard_normal((rows, 5)))
    task = regression(noise, noise.diagonal(PAST), 0.3, RESIDUAL, series, known)
    gaps = []
    for point in ({"s": 0.7, "q": 0.4}, {"s": 1.3, "q": 0.1}, {"s": 0.2, "q": 2.0}):
        weights = rng.dirichlet(np.ones(5))
        sds = np.array([point["s"], point["q"]])
        state = State(np.log(weights), weights.copy(), np.log(sds))
        density = np.empty(1)
        advance(task, state, 0, rng, np.empty((1, 5)), np.empty((1, 2)), density)
        residual = RESIDUAL - series @ weights
        expected = level_free(process, dense(process, point, count, PAST), residual)
        expected += (
            multivariate_normal.logpdf(known.treated - known.donors @ weights, np.zeros(rows))
            if rows
            else 0.0
        )
        expected += (0.3 - 1) * np.log(weights).sum()
        for name, scale in zip("sq", task.prior_sd, strict=True):
            if scale > 0:
                expected += np.log(point[name]) - 0.5 * (point[name] / scale) ** 2
        gaps.append(density[0] - expected)
    assert np.ptp(gaps) < 1e-8


@COUNTS
def test_the_slice_sampler_moves_weights_by_the_dense_posterior(count):
    """With two donors and known sds the share's posterior is compared with a grid."""
    rng, noise = np.random.default_rng(5), WithColumns(LocalLevel(), COLUMNS[count])
    series = rng.standard_normal((PAST, 2)).cumsum(0)
    known = Rows(rng.standard_normal(2), rng.standard_normal((2, 2)))
    task = regression(noise, noise.diagonal(PAST), 1.0, RESIDUAL, series, known)
    draws, densities = np.empty((4_000, 2)), np.empty(4_000)
    state = State(np.log([0.5, 0.5]), np.array([0.5, 0.5]), np.log([0.8, 0.3]))
    sds = np.empty((4_000, 2))
    advance(task, state, 1, rng, draws, sds, densities)
    given = np.median(sds, axis=0)
    near = np.abs(np.log(sds / given)).max(1) < 0.5
    assert near.sum() > 200
    grid = np.linspace(0.0005, 0.9995, 1000)
    covered = whole(LocalLevel(), {"s": given[0], "q": given[1]}, count, PAST)
    logs = np.array(
        [
            multivariate_normal.logpdf(RESIDUAL - series @ [u, 1 - u], cov=covered)
            + multivariate_normal.logpdf(known.treated - known.donors @ [u, 1 - u], np.zeros(2))
            for u in grid
        ]
    )
    mass = np.exp(logs - logs.max())
    mean = (grid * mass).sum() / mass.sum()
    sd = np.sqrt(((grid - mean) ** 2 * mass).sum() / mass.sum())
    assert draws[near, 0].mean() == pytest.approx(mean, abs=0.5 * sd)
