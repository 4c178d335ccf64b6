"""Student-t noise, a normal with a precision of its own in every period, against dense algebra."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from dense import NOISES
from impulse import Impulse
from scipy import stats

import bayes_synth as bs
from bayes_synth.errors import PriorError
from bayes_synth.model.problem import Problem
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.noise.base import FLOOR, MIXING
from bayes_synth.testing import fake_fit, fake_panel

NU = 4.0
HEAVY = {
    name: replace(noise, degrees_of_freedom=NU)
    for name, noise in NOISES.items()
    if np.isfinite(noise.level_sd)
}
POINTS = [
    {"s": 0.7, "q": 0.4, "rho": 0.6},
    {"s": 2.5, "q": 1e-3, "rho": -0.9},
    {"s": 0.0, "q": 1.3, "rho": 0.0},
]
PAST = 9
LAMBDA = np.array([0.1, 1.0, 2.0, 0.5, 1.5, 0.01, 1.0, 3.0, 0.7])
every = pytest.mark.parametrize("noise", HEAVY.values(), ids=HEAVY.keys())
somewhere = pytest.mark.parametrize("point", POINTS, ids=str)


def draws(noise, point):
    return {name: np.array([point[name]]) for name in noise.parameters} | {MIXING: LAMBDA[None]}


def persistent(noise, point):
    """Covariance of what stays: the wandering level with its line."""
    t = np.arange(1, PAST + 1)
    drift = noise.drift if isinstance(noise, LocalLinearTrend) else 0.0
    return point["q"] ** 2 * np.minimum.outer(t, t) + drift**2 * np.outer(t, t)


def covariance(noise, point):
    each = (point["s"] ** 2 + FLOOR**2) / LAMBDA
    if isinstance(noise, AR1):
        steps = np.eye(PAST) - point["rho"] * np.eye(PAST, k=-1)
        steps[0, 0] = np.sqrt(1 - point["rho"] ** 2)
        return np.linalg.inv(steps.T @ np.diag(1 / each) @ steps)
    wandering = persistent(noise, point) if isinstance(noise, LocalLevel | LocalLinearTrend) else 0
    return np.diag(each) + wandering


@pytest.fixture
def residual():
    return np.random.default_rng(3).standard_normal(PAST).cumsum()


@every
@somewhere
@pytest.mark.usefixtures("interpreted")
def test_given_the_mixing_the_graph_has_the_dense_likelihood(noise, point, residual):
    with pm.Model() as model:
        noise.build(pm.Data("residual", noise.rotate(residual)), noise.inputs(PAST))
    wanted = [model[name] for name in (*noise.parameters, MIXING)]
    density = model.compile_fn(
        model["log_likelihood"], inputs=wanted, point_fn=False, on_unused_input="ignore"
    )
    expected = stats.multivariate_normal.logpdf(
        residual, cov=covariance(noise, point) + noise.level_sd**2
    )
    assert float(density(*(point[n] for n in noise.parameters), LAMBDA)) == pytest.approx(
        expected, rel=1e-9
    )


@every
def test_the_mixing_has_the_gamma_prior_of_a_student_t(noise, residual):
    with pm.Model() as model:
        noise.build(pm.Data("residual", residual), noise.inputs(PAST))
    expected = stats.gamma.logpdf(LAMBDA, NU / 2, scale=2 / NU)
    np.testing.assert_allclose(pm.logp(model[MIXING], LAMBDA).eval(), expected, rtol=1e-9)


@every
@somewhere
def test_precision_is_the_dense_inverse(noise, point, residual):
    inverse = np.linalg.inv(covariance(noise, point))
    scale = np.abs(inverse).max()
    np.testing.assert_allclose(
        noise.precision(draws(noise, point), residual[None])[0],
        inverse @ residual,
        atol=1e-7 * scale,
    )
    np.testing.assert_allclose(
        noise.precision_diagonal(draws(noise, point), PAST)[0], np.diag(inverse), atol=1e-7 * scale
    )


@somewhere
@pytest.mark.parametrize("name", ["local level, proper", "local linear trend, proper"])
def test_the_level_given_the_past_is_the_dense_normals(name, point, residual):
    noise = HEAVY[name]

    def level(shock):
        ahead = noise.draw_shocks(1, 3, Impulse(-1))
        return noise.paths(draws(noise, point), residual[None], ahead, Impulse(shock))[0][0]

    centre = level(-1)
    columns = np.array([level(k) - centre for k in range(1 + 2 * PAST)])
    gain = persistent(noise, point) @ np.linalg.inv(covariance(noise, point))
    np.testing.assert_allclose(centre, gain @ residual, rtol=1e-6, atol=1e-9)
    spread = persistent(noise, point) - gain @ persistent(noise, point)
    np.testing.assert_allclose(columns.T @ columns, spread, rtol=1e-6, atol=1e-6)


@every
def test_rows_share_the_parameters_of_one_draw(noise, residual):
    rows, one = np.stack([residual, 2 * residual]), draws(noise, POINTS[0])
    np.testing.assert_allclose(noise.precision(one, rows)[1], noise.precision(one, rows[1:])[0])


@pytest.mark.parametrize(
    "name", ["local level, proper", "iid, no intercept", "AR(1), no intercept"]
)
def test_shocks_to_come_are_student_t(name):
    noise = HEAVY[name]
    point = {"s": np.ones(4000), "q": np.zeros(4000), "rho": np.zeros(4000)}
    path = noise.simulate(
        {name: point[name] for name in noise.parameters}, 1, np.random.default_rng(1)
    )[:, 0]
    assert stats.kstest(path, stats.t(NU).cdf).pvalue > 1e-3
    assert stats.kstest(path, stats.norm(scale=np.sqrt(2)).cdf).pvalue < 1e-3


@every
def test_the_variance_of_an_average_counts_the_tails(noise):
    normal = type(noise)(**{**vars(noise), "degrees_of_freedom": np.inf})
    point = {name: np.array([POINTS[0][name]]) for name in noise.parameters}
    assert noise.average_variance(point, 5)["s"] == pytest.approx(
        2 * normal.average_variance(point, 5)["s"]
    )


@pytest.mark.long
def test_an_outlier_gets_a_small_precision_and_leaves_the_effect_alone(tmp_path):
    table = fake_panel(donors=3).outcomes.to_pandas()
    table.loc[2008, "treated"] += 15.0
    panel = bs.Panel.from_wide(table, treated="treated", start=2020, outcome="sales")
    model = bs.SyntheticControl(noise=LocalLevel(degrees_of_freedom=NU), calibrate=False)
    fit = model.fit(panel, draws=400, tune=500, chains=2, random_seed=1, progressbar=False)
    mixing = fit.idata["posterior"]["mixing"].mean(("chain", "draw"))
    assert mixing.to_series().idxmin() == 2008
    assert float(mixing.min()) < 0.2 < 0.5 < float(mixing.median())
    effect = fit.effect("average").draws  # none was planted; with normal noise its sd is 2
    assert float(effect.mean()) == pytest.approx(0.0, abs=0.5)
    assert float(effect.std()) < 0.5
    assert "Student-t with 4 degrees of freedom" in repr(fit)
    assert fit.fit_verdict.word == "good"
    assert "log_likelihood" not in fit.idata.children
    fit.save(tmp_path / "fit.nc")
    assert repr(bs.load(tmp_path / "fit.nc")) == repr(fit)


@every
def test_fake_fits_of_such_noise_answer_too(noise):
    assert (
        fake_fit(model=bs.SyntheticControl(noise=noise, calibrate=False))
        .summary()
        .notna()
        .all()
        .all()
    )


@pytest.mark.parametrize("cls", [LocalLevel, LocalLinearTrend, IID, AR1])
def test_degrees_of_freedom_without_a_variance_are_refused(cls):
    with pytest.raises(PriorError, match=r"\[O007\] degrees_of_freedom must exceed 2 .*, got 2"):
        cls(degrees_of_freedom=2)


def test_models_of_other_lengths_are_compiled_apart():
    model = bs.SyntheticControl(noise=HEAVY["iid, no intercept"], calibrate=False)
    plain = bs.SyntheticControl(noise=IID(), calibrate=False)
    panels = fake_panel(), fake_panel(pre=15)
    assert len({Problem.of(model, panel).structure for panel in panels}) == 2
    assert len({Problem.of(plain, panel).structure for panel in panels}) == 1


def test_the_first_period_of_an_autoregression_has_the_stationary_law():
    noise, count = HEAVY["AR(1), no intercept"], 20000
    draws = {"s": np.ones(count), "rho": np.full(count, 0.8)}
    first = noise.simulate(draws, 2, np.random.default_rng(1))[:, 0] * np.sqrt(1 - 0.8**2)
    assert stats.kstest(first, stats.t(NU).cdf).pvalue > 1e-3


def test_blocks_of_draws_change_nothing(monkeypatch, residual):
    noise, many = (
        HEAVY["local level, proper"],
        {"s": np.linspace(0.1, 1, 7), "q": np.linspace(1, 0.1, 7)},
    )
    many[MIXING] = np.tile(LAMBDA, (7, 1))
    whole = noise.precision(many, np.tile(residual, (7, 1)))
    monkeypatch.setattr("bayes_synth.noise.local_level.DENSE", 2 * PAST**2)
    np.testing.assert_array_equal(noise.precision(many, np.tile(residual, (7, 1))), whole)
