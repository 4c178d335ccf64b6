"""The slice sampler: its density, what its moves leave unchanged, and how chains are run."""

from dataclasses import replace

import arviz_stats
import numpy as np
import pytest
from dense import NOISES, covariance, dense_log_density
from numba import njit
from planted import break_the_slice_sampler
from scipy import stats
from scipy.interpolate import CubicSpline

import bayes_synth as bs
from bayes_synth.errors import OptionError, SamplingFailed
from bayes_synth.model.problem import Problem
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.priors import Dirichlet, HalfNormal, Limits
from bayes_synth.sampling.regression import Regression
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.slice import sample_chains
from bayes_synth.sampling.slice_kernel import State, advance, start
from bayes_synth.sampling.slice_products import compiled

PAST = 19
DIAGONAL = {name: noise for name, noise in NOISES.items() if not isinstance(noise, AR1)}


def drawn(regression, *, draws=100, tune=50, cores=1, seed=3, attempt=1):
    """Draws and statistics of two chains, and whether an interrupt cut them short."""
    settings = Settings(Size(draws, tune, chains=2), "slice", cores, seed, attempt=attempt)
    return sample_chains(regression, settings, seed)


@pytest.fixture(scope="module")
def panel():
    return bs.simulate(donors=6, pre=PAST, post=4, random_seed=5).panel


def random_regression(noise, concentration=0.3, donors=5, seed=1):
    rng = np.random.default_rng(seed)
    outcome, series = (
        rng.standard_normal((PAST, 1)).cumsum(0),
        rng.standard_normal((PAST, donors)).cumsum(0),
    )
    prior_sd = np.array([prior.sigma for prior in noise.priors().values()] + [0.0])[:2]
    rotated = np.ascontiguousarray(noise.rotate(series).T)
    parts = (
        noise.rotate(outcome)[:, 0],
        rotated,
        np.full(donors, concentration),
        noise.diagonal(PAST),
        prior_sd,
        np.zeros(0),
        np.zeros((donors, 0)),
        Limits.none(donors),
    )
    return Regression(*parts), outcome[:, 0], series


def log_posterior(regression, state):
    """The density where the state is: a draw after no sweep."""
    weights, sds, density = np.empty((1, len(state.weights))), np.empty((1, 2)), np.empty(1)
    advance(regression, state, 0, np.random.default_rng(1), weights, sds, density)
    return density[0]


@pytest.mark.parametrize("noise", DIAGONAL.values(), ids=DIAGONAL.keys())
def test_the_density_is_the_dense_one_up_to_a_constant(noise):
    regression, outcome, series = random_regression(noise)
    rng, differences = np.random.default_rng(2), []
    for _ in range(6):
        weights, logs = rng.dirichlet(np.full(5, 0.5)), rng.standard_normal(2)
        point = {"s": np.exp(logs[0]), "q": np.exp(logs[1])}
        theirs = (
            dense_log_density(noise, point, outcome - series @ weights)
            - 0.7 * np.log(weights).sum()
        )
        for name, prior in noise.priors().items():
            theirs += stats.halfnorm.logpdf(point[name], scale=prior.sigma) + np.log(point[name])
        ours = log_posterior(regression, State(np.log(weights), weights.copy(), logs))
        differences.append(ours - theirs)
    assert np.ptp(differences) < 1e-9


@pytest.mark.parametrize("concentration", [0.02, 0.3, 1.0, 4.0])
def test_without_evidence_the_draws_are_the_priors(concentration):
    """Donors that are all alike: the likelihood does not depend on the weights."""
    regression, _, _ = random_regression(LocalLevel(), concentration)
    regression = regression._replace(
        donors=np.ascontiguousarray(np.broadcast_to(regression.donors[0], regression.donors.shape))
    )
    posterior, _, _ = drawn(regression, draws=8000)
    weights = posterior["weights"].to_numpy()[:, ::10].reshape(-1, 5)
    beta = stats.beta(concentration, 4 * concentration)
    assert all(stats.kstest(weights[:, j], beta.cdf).pvalue > 1e-3 for j in range(5))
    largest = np.random.default_rng(1).dirichlet(np.full(5, concentration), 20_000).max(1)
    assert stats.ks_2samp(weights.max(1), largest).pvalue > 1e-3


def error_of_the_sum_of_squares():
    """Distance from the prior's mean, in Monte Carlo standard errors, when all donors are alike."""
    donors, concentration = 38, 0.05
    regression, _, _ = random_regression(LocalLevel())
    same = np.ascontiguousarray(
        np.broadcast_to(regression.donors[0], (donors, regression.donors.shape[1]))
    )
    regression = regression._replace(
        donors=same,
        concentration=np.full(donors, concentration),
        known_donors=np.zeros((donors, 0)),
        limits=Limits.none(donors),
    )
    posterior, _, _ = drawn(regression, draws=20_000)
    squares = (posterior["weights"] ** 2).sum("donor").to_numpy()
    return (squares.mean() - (concentration + 1) / (donors * concentration + 1)) / float(
        arviz_stats.mcse(squares)
    )


def test_without_evidence_the_mean_sum_of_squares_is_the_priors():
    assert abs(error_of_the_sum_of_squares()) < 4


@pytest.mark.slow
def test_drawing_both_donors_by_weight_without_correction_is_seen(monkeypatch, tmp_path):
    """A bias of one per cent in the effective donors, too small for SBC to see."""
    uncorrected = "rng.random() * weights[i] * weights[j] > after * rest", "False"
    break_the_slice_sampler(*uncorrected, monkeypatch, tmp_path)
    assert abs(error_of_the_sum_of_squares()) > 6


def test_concentrations_may_differ_by_donor():
    regression, _, _ = random_regression(IID())
    concentration = np.array([0.1, 0.5, 1.0, 2.0, 5.0])
    same = np.ascontiguousarray(np.broadcast_to(regression.donors[0], regression.donors.shape))
    posterior, _, _ = drawn(
        regression._replace(donors=same, concentration=concentration), draws=8000
    )
    weights = posterior["weights"].to_numpy()[:, ::10].reshape(-1, 5)
    laws = [stats.beta(a, concentration.sum() - a) for a in concentration]
    assert all(stats.kstest(weights[:, j], law.cdf).pvalue > 1e-3 for j, law in enumerate(laws))


LOGS = np.linspace(-14, 3.5, 118)
WIDE = {"s": HalfNormal(4.0), "q": HalfNormal(2.0), "initial_level": 4.0}
RESIDUALS = {
    "weekdays, two modes": np.tile([0, 0, 0, 0, 3, 6, 5.0], 4),
    "every other period, two modes": np.tile([0, 2.0], 10),
    "a walk": np.random.default_rng(1).standard_normal(19).cumsum(),
    "white noise": np.random.default_rng(2).standard_normal(19),
    "hardly any": 1e-3 * np.random.default_rng(3).standard_normal(19),
    "three periods": np.array([0.3, -0.2, 0.1]),
}


def only_sds(noise, residual):
    """A regression whose only unknowns are the sds: the outcome is this residual."""
    periods, prior_sd = len(residual), [prior.sigma for prior in noise.priors().values()]
    donors, outcome = np.zeros((1, periods)), noise.rotate(residual)
    noise_parts = noise.diagonal(periods), np.array(prior_sd)
    known = np.zeros(0), np.zeros((1, 0)), Limits.none(1)
    return Regression(outcome, donors, np.ones(1), *noise_parts, *known)


def dense_sds(noise, residual):
    """Posterior mass of ``log s`` (first axis) and ``log q`` on a grid, from dense covariances."""
    log_s, log_q = np.meshgrid(LOGS, LOGS, indexing="ij")
    points = zip(np.exp(log_s).ravel(), np.exp(log_q).ravel(), strict=True)
    periods = len(residual)
    dense = np.array([covariance(noise, {"s": s, "q": q}, periods) for s, q in points])
    dense += noise.level_sd**2
    solved = np.linalg.solve(dense, np.broadcast_to(residual[:, None], (*dense.shape[:2], 1)))
    value = -0.5 * (solved[..., 0] @ residual + np.linalg.slogdet(dense)[1]).reshape(log_s.shape)
    for name, log_sd in (("s", log_s), ("q", log_q)):
        value += log_sd - 0.5 * (np.exp(log_sd) / noise.priors()[name].sigma) ** 2
    mass = np.exp(value - value.max())
    return mass / mass.sum()


@pytest.mark.long
@pytest.mark.parametrize(
    "noise", [LocalLevel(**WIDE), LocalLinearTrend(**WIDE)], ids=["level", "trend"]
)
@pytest.mark.parametrize("residual", RESIDUALS.values(), ids=RESIDUALS)
def test_the_sds_have_the_law_of_dense_covariances(noise, residual):
    mass = dense_sds(noise, residual)
    posterior, _, _ = drawn(only_sds(noise, residual), draws=8000)
    for name, marginal in (("s", mass.sum(1)), ("q", mass.sum(0))):
        values = np.log(posterior[name].to_numpy()[:, ::8].ravel())
        mass_below = CubicSpline(LOGS, marginal / (LOGS[1] - LOGS[0])).antiderivative()
        assert stats.kstest(values, mass_below).pvalue > 1e-3


def test_chains_cross_between_two_modes():
    noise, residual = LocalLevel(**WIDE), RESIDUALS["weekdays, two modes"]
    wandering = dense_sds(noise, residual)[LOGS < 0].sum()
    assert 0.02 < wandering < 0.98
    posterior, _, _ = drawn(only_sds(noise, residual), draws=4000)
    wanders = posterior["s"].to_numpy() < 1
    assert (np.diff(wanders, axis=1) != 0).sum(1).min() > 100
    assert abs(wanders.mean() - wandering) < 0.05


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    "noise", [LocalLevel(), IID(intercept=False), LocalLinearTrend()], ids=["level", "iid", "trend"]
)
def test_both_samplers_agree(panel, noise):
    model = bs.SyntheticControl(Dirichlet(effective_donors=2), noise=noise, calibrate=False)
    ours = model.fit(panel, sampler="slice", random_seed=4, progressbar=False, cores=1)
    few = {"draws": 500, "tune": 500, "chains": 2, "cores": 1}
    theirs = model.fit(panel, sampler="nutpie", random_seed=4, progressbar=False, **few)
    for quantity, row in ours.diagnostics().iterrows():
        values = [_draws(fit, quantity) for fit in (ours, theirs)]
        error = np.hypot(row["mcse"], theirs.diagnostics().loc[quantity, "mcse"])
        assert abs(values[0].mean() - values[1].mean()) < 4.5 * error, quantity


def _draws(fit, quantity):
    if quantity == "average effect":
        return fit.effect("average").draws.to_numpy()
    posterior = fit.idata["posterior"]
    if quantity.startswith("weights["):
        return posterior["weights"].sel(donor=quantity[8:-1]).to_numpy()
    return posterior[quantity].to_numpy()


def test_cores_and_blocks_never_change_a_draw(monkeypatch):
    regression, _, _ = random_regression(LocalLevel())
    draws = [drawn(regression, cores=cores)[0] for cores in (1, 2)]
    monkeypatch.setattr("bayes_synth.sampling.slice.STRIDE", 7)
    draws.append(drawn(regression)[0])
    assert draws[0].identical(draws[1])
    assert draws[0].identical(draws[2])


def test_the_chains_of_a_seed_differ_and_so_do_seeds():
    regression, _, _ = random_regression(LocalLevel())
    one, other = (drawn(regression, seed=seed)[0]["s"].to_numpy() for seed in (3, 4))
    assert len({*one[:, -1], *other[:, -1]}) == 4


def test_weights_stay_a_simplex_where_they_underflow():
    regression, _, _ = random_regression(LocalLevel(), concentration=1e-3, donors=40)
    posterior, stats_, interrupted = drawn(regression)
    weights = posterior["weights"].to_numpy()
    assert (weights >= 0).all()
    assert np.abs(weights.sum(-1) - 1).max() < 1e-12
    assert np.isfinite(stats_["lp"]).all()
    assert (weights == 0).any()
    assert not interrupted


def test_a_single_donor_has_all_the_weight():
    regression, _, _ = random_regression(LocalLevel(), donors=1)
    posterior, _, _ = drawn(regression)
    assert (posterior["weights"] == 1).all()
    assert np.unique(posterior["s"]).size == posterior["s"].size


def test_a_start_without_a_density_is_refused():
    regression, _, _ = random_regression(LocalLevel())
    with pytest.raises(SamplingFailed, match=r"S001.*could not start.*not finite"):
        drawn(regression._replace(outcome=np.full(PAST, 1e200)))


def test_an_interrupt_leaves_what_was_drawn(monkeypatch):
    regression, _, _ = random_regression(LocalLevel())
    calls = []

    def interrupted_later(*args):
        calls.append(args)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return advance(*args)

    monkeypatch.setattr("bayes_synth.sampling.slice.advance", interrupted_later)
    posterior, _, interrupted = drawn(regression)
    finite = np.isfinite(posterior["weights"].to_numpy()).all(-1).sum(1)
    assert interrupted
    assert finite.tolist() == [50, 0]


@pytest.mark.parametrize(
    "model",
    [
        bs.SyntheticControl(noise=AR1()),
        bs.SyntheticControl(noise=LocalLevel(degrees_of_freedom=4)),
        bs.SyntheticControl(noise=IID(degrees_of_freedom=4)),
    ],
    ids=["AR(1)", "Student-t walk", "Student-t"],
)
def test_models_of_another_form_are_left_to_nuts(model, panel):
    assert Problem.of(model, panel).regression is None
    with pytest.raises(OptionError, match=r'O001.*Dirichlet.*sampler="auto"'):
        model.fit(panel, sampler="slice", progressbar=False)


def test_a_foreign_sd_prior_is_left_to_nuts(panel):
    class Gamma:
        def create_variable(self, name):
            import pymc as pm

            return pm.Gamma(name, 2, 2)

    assert LocalLevel(q=Gamma()).diagonal(PAST) is None
    assert LocalLevel(q=HalfNormal(0.1)).diagonal(PAST) is not None


def test_a_further_attempt_is_a_thinner_chain():
    """Four times the sweeps between draws: less autocorrelation."""
    regression, _, _ = random_regression(LocalLevel(), donors=30)
    lags = []
    for attempt in (1, 2):
        s = drawn(regression, draws=2000, attempt=attempt)[0]["q"].to_numpy()[0]
        lags.append(np.corrcoef(s[1:], s[:-1])[0, 1])
    assert lags[1] < lags[0]


def test_starts_are_spread_as_the_prior():
    regression, _, _ = random_regression(LocalLevel())
    rng = np.random.default_rng(1)
    sds = np.exp([start(regression, rng).log_sds for _ in range(2000)])
    assert stats.kstest(sds[:, 0], stats.halfnorm(scale=1.0).cdf).pvalue > 1e-3
    assert stats.kstest(sds[:, 1], stats.halfnorm(scale=0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    "concentration",
    [(20, 20, 20), (200, 200, 200), (5000, 5000, 5000), (2000, 1000, 0.5), (0.01, 50, 3)],
)
def test_large_and_unequal_concentrations_lose_no_digits(concentration):
    regression, _, _ = random_regression(IID(), donors=3)
    same = np.ascontiguousarray(np.broadcast_to(regression.donors[0], regression.donors.shape))
    alpha = np.array(concentration, dtype=float)
    posterior, _, _ = drawn(
        regression._replace(donors=same, concentration=alpha), draws=8000, tune=500
    )
    weights = posterior["weights"].to_numpy()[:, ::20].reshape(-1, 3)
    laws = [stats.beta(a, alpha.sum() - a) for a in alpha]
    assert all(stats.kstest(weights[:, j], law.cdf).pvalue > 1e-3 for j, law in enumerate(laws))


def test_a_free_level_far_from_the_donors_costs_no_digits(panel):
    """The same panel with donors a million steps away: only the offset may differ."""
    far = replace(
        panel, outcomes=panel.outcomes + 1e8 * (panel.outcomes["unit"] != panel.treated[0])
    )
    model = bs.SyntheticControl(noise=IID(), calibrate=False)
    near, moved = (Problem.of(model, each).regression for each in (panel, far))
    state = start(near, np.random.default_rng(1))
    assert log_posterior(moved, state) == pytest.approx(log_posterior(near, state), abs=1e-4)


def test_where_nothing_can_be_cached_each_process_compiles(monkeypatch):
    def uncached(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr("bayes_synth.sampling.slice_products.njit", uncached)
    assert compiled()(lambda x: x + 1)(1) == 2
