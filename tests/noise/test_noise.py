"""Noise processes against dense linear algebra and statsmodels."""

import numpy as np
import pymc as pm
import pytest
from dense import NOISES, POINTS, WANDERING, covariance, dense_log_density, level_free, parameters
from impulse import Impulse
from scipy.linalg import block_diag

import bayes_synth as bs
from bayes_synth.errors import PriorError
from bayes_synth.noise import IID, LocalLevel, LocalLinearTrend
from bayes_synth.noise.base import FLOOR, AbstractNoise
from bayes_synth.noise.integrated_level import NO_SHOCKS

PAST, AHEAD = 19, 7


def graph_log_density(noise: AbstractNoise, residual: np.ndarray):
    """The likelihood of the PyMC graph as a function of the parameters."""
    with pm.Model() as model:
        noise.build(pm.Data("residual", noise.rotate(residual)), noise.inputs(len(residual)))
    wanted = [model[name] for name in noise.parameters]
    return model.compile_fn(
        model["log_likelihood"], inputs=wanted, point_fn=False, on_unused_input="ignore"
    )


def continuation(noise, point, residual, periods, shock=-1):
    rng = Impulse(shock)
    shocks = noise.draw_shocks(1, periods, rng)
    path = noise.continue_path(parameters(noise, point), residual[None], shocks, rng)
    return path.level, path.replicate[0], path.future[0]


@pytest.fixture(scope="module")
def residuals():
    rng = np.random.default_rng(3)
    return {periods: 2 + np.cumsum(rng.standard_normal(periods)) for periods in (3, 5, 19, 60)}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
@pytest.mark.usefixtures("interpreted")
def test_the_graph_has_the_dense_likelihood(noise, residuals):
    for residual in residuals.values():
        log_density = graph_log_density(noise, residual)
        for point in POINTS:
            expected = dense_log_density(noise, point, residual)
            actual = float(log_density(*(point[name] for name in noise.parameters)))
            assert actual == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("noise", "theirs"),
    [
        (LocalLevel(initial_level=np.inf), "llevel"),
        (LocalLinearTrend(drift=1e4, initial_level=np.inf), "lldtrend"),
    ],
    ids=["level", "trend"],
)
@pytest.mark.usefixtures("interpreted")
def test_statsmodels_has_the_same_likelihood_up_to_a_constant(noise, theirs, residuals):
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    residual = residuals[60]
    theirs = UnobservedComponents(residual, theirs)
    theirs.ssm.initialize_diffuse()
    theirs.ssm.tolerance = 0  # never replace the filter by its steady state
    ours = graph_log_density(noise, residual)
    gaps = [
        ours(s, q) - theirs.loglike([s**2 + FLOOR**2, q**2])
        for s, q in [(0.5, 0.2), (1.0, 1.0), (2.0, 0.1)]
    ]
    assert np.ptp(gaps) < 1e-8


PARTS = {
    "level": slice(0, 1),
    "replicate": slice(1, 1 + PAST),
    "future": slice(1 + PAST, 1 + PAST + AHEAD),
}


def joint(noise, point):
    """Dense covariances of the past, and of level, replicate and future, without the offset."""
    whole, white = covariance(noise, point, PAST + AHEAD), point["s"] ** 2 + FLOOR**2
    wanders = isinstance(noise, WANDERING)
    inherited = whole - white * np.eye(PAST + AHEAD) if wanders else whole
    anew = (
        [white * np.eye(PAST), white * np.eye(AHEAD)]
        if wanders
        else [whole[:PAST, :PAST], np.zeros((AHEAD, AHEAD))]
    )
    pick = np.zeros((1 + PAST + AHEAD, PAST + AHEAD))
    pick[PARTS["future"], PAST:] = np.eye(AHEAD)
    if wanders:
        pick[PARTS["level"], :PAST], pick[PARTS["replicate"], :PAST] = 1 / PAST, np.eye(PAST)
    rest = pick @ inherited @ pick.T + block_diag(0, *anew)
    return whole[:PAST, :PAST], pick @ inherited[:, :PAST], rest


def dense_continuation(noise, point, residual):
    """Conditional mean and covariance; with a free level by Goldberger (1962)."""
    known, cross, rest = joint(noise, point)
    ones = [np.ones((size, 1)) for size in (len(known), len(rest))]
    if np.isfinite(noise.level_sd):
        variance = noise.level_sd**2
        known, cross, rest = known + variance, cross + variance, rest + variance
    gain = np.linalg.solve(known, cross.T).T
    mean, spread = gain @ residual, rest - gain @ cross.T
    if np.isinf(noise.level_sd):
        inverse = np.linalg.solve(known, ones[0])
        information = inverse.sum()
        left = ones[1] - gain @ ones[0]
        mean, spread = (
            mean + left[:, 0] * (inverse[:, 0] @ residual) / information,
            spread + left @ left.T / information,
        )
    return mean, spread


def stacked(noise, point, residual, shock=-1):
    return np.concatenate(continuation(noise, point, residual, AHEAD, shock))


def spread_of(noise, point, residual):
    """Exact covariance of a linear map of standard normals, from its columns."""
    centre = stacked(noise, point, residual)
    columns = np.array(
        [stacked(noise, point, residual, k) - centre for k in range(2 + 2 * PAST + 2 * AHEAD)]
    )
    return columns.T @ columns


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_given_the_past_the_mean_is_the_dense_normals(noise, part, point, residuals):
    mean, _ = dense_continuation(noise, point, residuals[PAST])
    np.testing.assert_allclose(
        stacked(noise, point, residuals[PAST])[PARTS[part]], mean[PARTS[part]], rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_given_the_past_level_replicate_and_future_have_the_dense_joint_covariance(
    noise, point, residuals
):
    _, spread = dense_continuation(noise, point, residuals[PAST])
    np.testing.assert_allclose(
        spread_of(noise, point, residuals[PAST]), spread, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_expected_path_is_the_mean_of_the_future(noise, residuals):
    draws = parameters(noise, POINTS[0])
    mean, _ = dense_continuation(noise, POINTS[0], residuals[PAST])
    np.testing.assert_allclose(
        noise.expected_path(draws, residuals[PAST][None], AHEAD)[0],
        mean[PARTS["future"]],
        rtol=1e-9,
        atol=1e-9,
    )


BY_DRAW = {
    "mean": lambda noise, draws, past: noise.expected_path(draws, past, AHEAD),
    "density": lambda noise, draws, past: noise.log_predictive(draws, past),
    "average": lambda noise, draws, past: sum(noise.average_variance(draws, AHEAD).values()),
}


@pytest.mark.parametrize("function", BY_DRAW.values(), ids=BY_DRAW.keys())
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_many_draws_at_once_give_what_each_gives_alone(noise, function, residuals):
    many = {name: np.array([point[name] for point in POINTS]) for name in noise.parameters}
    rows = np.array([residuals[PAST] * (k + 1) for k in range(len(POINTS))])
    apart = [
        function(noise, parameters(noise, point), row[None])
        for point, row in zip(POINTS, rows, strict=True)
    ]
    np.testing.assert_allclose(function(noise, many, rows), np.concatenate(apart), rtol=1e-9)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_every_draw_has_shocks_of_its_own(noise, residuals):
    same = {name: np.repeat(value, 500) for name, value in parameters(noise, POINTS[0]).items()}
    rows = np.repeat(residuals[PAST][None], 500, axis=0)
    mean, spread = dense_continuation(noise, POINTS[0], residuals[PAST])
    rng = np.random.default_rng(7)
    shocks = noise.draw_shocks(500, AHEAD, rng)
    path = noise.continue_path(same, rows, shocks, rng).future.mean(1)
    future = PARTS["future"]
    sd = np.sqrt(spread[future, future].mean())
    assert path.mean() == pytest.approx(mean[future].mean(), abs=4 * sd / np.sqrt(500))
    assert path.std() == pytest.approx(sd, rel=4 / np.sqrt(1000))


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_pointwise_log_density_is_the_dense_leave_one_out_density(noise, residuals):
    residual = residuals[19]
    for point in POINTS:
        actual = noise.log_predictive(parameters(noise, point), residual[None])[0]
        dense = covariance(noise, point, 19)
        for t in range(19):
            rest = np.delete(np.arange(19), t)
            without = level_free(noise, dense[np.ix_(rest, rest)], residual[rest])
            assert actual[t] == pytest.approx(
                level_free(noise, dense, residual) - without, rel=1e-9, abs=1e-9
            )


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_simulated_paths_have_the_dense_covariance(noise):
    point, periods = POINTS[0], 6
    draws = parameters(noise, point)
    shocks = np.array(
        [noise.simulate(draws, periods, Impulse(k))[0] for k in range(1 + 2 * periods)]
    )
    np.testing.assert_allclose(shocks.T @ shocks, covariance(noise, point, periods), atol=1e-12)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_variance_of_an_average_adds_up_from_its_parts(noise):
    point, periods = POINTS[0], 5
    parts = noise.average_variance(parameters(noise, point), periods)
    draws, last = parameters(noise, point), np.zeros((1, 1))
    each = [noise.draw_shocks(1, periods, Impulse(k)) for k in range(2 * periods)]
    # What the past leaves unknown of level and slope is no part of it.
    means = [noise.paths(draws, last, shocks, NO_SHOCKS)[2].mean() for shocks in each]
    assert sum(part[0] for part in parts.values()) == pytest.approx(
        np.square(means).sum(), rel=1e-5
    )


def test_level_is_the_pre_period_mean_of_what_persists(residuals):
    level, _, _ = continuation(IID(), POINTS[0], residuals[19], 3)
    assert level[0] == pytest.approx(residuals[19].mean())


def test_without_a_level_nothing_is_added(residuals):
    level, replicate, future = continuation(IID(intercept=False), POINTS[0], residuals[19], 3)
    assert not np.concatenate([level, replicate, future]).any()


def test_a_number_where_a_prior_is_wanted_says_how_to_write_it():
    with pytest.raises(
        PriorError,
        match=r"\[O006\] q must be a prior, got 0.5; write q=bs.priors.HalfNormal\(0.5\)",
    ):
        LocalLevel(q=0.5)


def test_an_initial_level_without_spread_is_refused():
    with pytest.raises(PriorError, match="O007"):
        LocalLevel(initial_level=0.0)


@pytest.mark.parametrize("drift", [0.0, -0.25, np.inf, np.nan, bs.priors.HalfNormal(0.25)], ids=str)
def test_a_drift_that_is_no_positive_number_is_refused(drift):
    with pytest.raises(
        PriorError,
        match=r"\[O007\] drift must be a positive number, got .*; .* write bs.noise.LocalLevel",
    ):
        LocalLinearTrend(drift=drift)


def test_a_trend_refuses_what_its_level_refuses():
    with pytest.raises(PriorError, match=r"\[O006\] q must be a prior, got 0.5"):
        LocalLinearTrend(q=0.5)


def test_a_trend_has_the_priors_and_the_level_that_it_is_given():
    s, q = bs.priors.HalfNormal(2.0), bs.priors.HalfNormal(3.0)
    noise = LocalLinearTrend(s, q, initial_level=4.0)
    assert (noise.priors(), noise.level_sd) == ({"s": s, "q": q}, 4.0)


@pytest.mark.usefixtures("interpreted")
def test_the_compiled_graph_serves_another_drift_and_another_number_of_periods(residuals):
    noise, other = LocalLinearTrend(drift=0.1), LocalLinearTrend(drift=2.0, initial_level=3.0)
    with pm.Model() as model:
        noise.build(pm.Data("residual", noise.rotate(residuals[5])), noise.inputs(5))
    log_density = model.compile_fn(
        model["log_likelihood"], inputs=[model["s"], model["q"]], point_fn=False
    )
    pm.set_data({"residual": other.rotate(residuals[19]), **other.inputs(19)}, model=model)
    expected = dense_log_density(other, POINTS[0], residuals[19])
    assert float(log_density(0.7, 0.4)) == pytest.approx(expected, rel=1e-9)


def test_a_long_past_shows_the_slope_and_the_forecast_follows_it():
    t = np.arange(1.0, 66.0)
    noise, line = LocalLinearTrend(), 3 + 0.5 * t[None]
    path = noise.expected_path({"s": np.array([1e-3]), "q": np.array([1e-3])}, line[:, :60], 5)
    np.testing.assert_allclose(path, line[:, 60:], rtol=1e-5)


def test_the_description_has_the_drift():
    text = (
        "local linear trend: an offset from the donors that wanders around a line, "
        "its start ~ Normal(0, 4 x typical step), drift ~ Normal(0, 0.1 x typical step)"
    )
    assert LocalLinearTrend(drift=0.1).describe() == text
