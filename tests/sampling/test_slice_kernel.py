"""The slice sampler: its density, what its moves leave unchanged, and that chains do not depend on how they are run."""

from dataclasses import replace

import arviz_stats
import numpy as np
import pytest
from numba import njit
from planted import break_the_slice_sampler
from scipy import stats
from test_noise import NOISES, PAST, dense_log_density

import bayes_synth as bs
from bayes_synth.errors import PriorError, SamplingFailed
from bayes_synth.model.graph import task_for
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.priors import Dirichlet, HalfNormal
from bayes_synth.sampling import slice as chains
from bayes_synth.sampling import slice_kernel as pairs
from bayes_synth.sampling.slice import sample_chains
from bayes_synth.sampling.slice_kernel import Regression, State, advance, start

DIAGONAL = {name: noise for name, noise in NOISES.items() if not isinstance(noise, AR1)}
SIZE = {
    "draws": 100,
    "tune": 50,
    "chains": 2,
    "cores": 1,
    "effort": 1,
    "seed": 3,
    "progressbar": False,
}


@pytest.fixture(scope="module")
def panel():
    return bs.simulate(donors=6, pre=PAST, post=4, random_seed=5).panel


def regression(noise, concentration=0.3, donors=5, seed=1):
    rng = np.random.default_rng(seed)
    outcome, series = (
        rng.standard_normal((PAST, 1)).cumsum(0),
        rng.standard_normal((PAST, donors)).cumsum(0),
    )
    scales = np.array([prior.sigma for prior in noise.priors().values()] + [0.0])[:2]
    rotated = np.ascontiguousarray(noise.rotate(series).T)
    parts = (
        noise.rotate(outcome)[:, 0],
        rotated,
        np.full(donors, concentration),
        noise.diagonal(PAST),
        scales,
    )
    return Regression(*parts), outcome[:, 0], series


def log_posterior(found, state):
    """The density where the state is: a draw after no sweep."""
    weights, scales, density = np.empty((1, len(state.weights))), np.empty((1, 2)), np.empty(1)
    advance(found, state, 0, np.random.default_rng(1), weights, scales, density)
    return density[0]


@pytest.mark.parametrize("noise", DIAGONAL.values(), ids=DIAGONAL.keys())
def test_the_density_is_the_dense_one_up_to_a_constant(noise):
    found, outcome, series = regression(noise)
    rng, gaps = np.random.default_rng(2), []
    for _ in range(6):
        weights, logs = rng.dirichlet(np.full(5, 0.5)), rng.standard_normal(2)
        point = {"s": np.exp(logs[0]), "q": np.exp(logs[1])}
        theirs = (
            dense_log_density(noise, point, outcome - series @ weights)
            - 0.7 * np.log(weights).sum()
        )
        for name, prior in noise.priors().items():
            theirs += stats.halfnorm.logpdf(point[name], scale=prior.sigma) + np.log(point[name])
        gaps.append(log_posterior(found, State(np.log(weights), weights.copy(), logs)) - theirs)
    assert np.ptp(gaps) < 1e-9


@pytest.mark.parametrize("concentration", [0.02, 0.3, 1.0, 4.0])
def test_without_evidence_the_draws_are_the_priors(concentration):
    """Donors that are all alike: the likelihood does not depend on the weights."""
    found, _, _ = regression(LocalLevel(), concentration)
    found = found._replace(
        donors=np.ascontiguousarray(np.broadcast_to(found.donors[0], found.donors.shape))
    )
    posterior, _, _ = sample_chains(found, **SIZE | {"draws": 8000})
    weights = posterior["weights"].to_numpy()[:, ::10].reshape(-1, 5)
    beta = stats.beta(concentration, 4 * concentration)
    assert all(stats.kstest(weights[:, j], beta.cdf).pvalue > 1e-3 for j in range(5))
    largest = np.random.default_rng(1).dirichlet(np.full(5, concentration), 20_000).max(1)
    assert stats.ks_2samp(weights.max(1), largest).pvalue > 1e-3


def error_of_the_sum_of_squares():
    """Of donors that are all alike, in Monte Carlo standard errors: the prior's mean of it is known."""
    donors, concentration = 38, 0.05
    found, _, _ = regression(LocalLevel())
    same = np.ascontiguousarray(np.broadcast_to(found.donors[0], (donors, found.donors.shape[1])))
    found = found._replace(donors=same, concentration=np.full(donors, concentration))
    posterior, _, _ = sample_chains(found, **SIZE | {"draws": 20_000})
    squares = (posterior["weights"] ** 2).sum("donor").to_numpy()
    return (squares.mean() - (concentration + 1) / (donors * concentration + 1)) / float(
        arviz_stats.mcse(squares)
    )


def test_without_evidence_the_mean_sum_of_squares_is_the_priors():
    assert abs(error_of_the_sum_of_squares()) < 4


@pytest.mark.slow
def test_drawing_both_donors_by_weight_without_correction_is_seen(monkeypatch, tmp_path):
    """A bias of one per cent in the effective donors, too small for simulation-based calibration."""
    uncorrected = "rng.random() * weights[i] * weights[j] > after * rest", "False"
    break_the_slice_sampler(*uncorrected, monkeypatch, tmp_path)
    assert abs(error_of_the_sum_of_squares()) > 6


def test_concentrations_may_differ_by_donor():
    found, _, _ = regression(IID())
    concentration = np.array([0.1, 0.5, 1.0, 2.0, 5.0])
    same = np.ascontiguousarray(np.broadcast_to(found.donors[0], found.donors.shape))
    posterior, _, _ = sample_chains(
        found._replace(donors=same, concentration=concentration), **SIZE | {"draws": 8000}
    )
    weights = posterior["weights"].to_numpy()[:, ::10].reshape(-1, 5)
    laws = [stats.beta(a, concentration.sum() - a) for a in concentration]
    assert all(stats.kstest(weights[:, j], law.cdf).pvalue > 1e-3 for j, law in enumerate(laws))


@pytest.mark.parametrize(
    "noise", [LocalLevel(), IID(intercept=False), LocalLinearTrend()], ids=["level", "iid", "trend"]
)
def test_both_samplers_agree(panel, noise):
    model = bs.SyntheticControl(Dirichlet(effective_donors=2), noise=noise, calibrate=False)
    ours, theirs = (
        model.fit(panel, sampler=s, random_seed=4, progressbar=False, cores=1)
        for s in ("slice", "nutpie")
    )
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
    found, _, _ = regression(LocalLevel())
    draws = [sample_chains(found, **SIZE | {"cores": cores})[0] for cores in (1, 2)]
    monkeypatch.setattr(chains, "BLOCK", 7)
    draws.append(sample_chains(found, **SIZE)[0])
    assert draws[0].identical(draws[1])
    assert draws[0].identical(draws[2])


def test_the_chains_of_a_seed_differ_and_so_do_seeds():
    found, _, _ = regression(LocalLevel())
    one, other = (
        sample_chains(found, **SIZE | {"seed": seed})[0]["s"].to_numpy() for seed in (3, 4)
    )
    assert len({*one[:, -1], *other[:, -1]}) == 4


def test_weights_stay_a_simplex_where_they_underflow():
    found, _, _ = regression(LocalLevel(), concentration=1e-3, donors=40)
    posterior, stats_, interrupted = sample_chains(found, **SIZE)
    weights = posterior["weights"].to_numpy()
    assert (weights >= 0).all()
    assert np.abs(weights.sum(-1) - 1).max() < 1e-12
    assert np.isfinite(stats_["lp"]).all()
    assert (weights == 0).any()
    assert not interrupted


def test_a_single_donor_has_all_the_weight():
    found, _, _ = regression(LocalLevel(), donors=1)
    posterior, _, _ = sample_chains(found, **SIZE)
    assert (posterior["weights"] == 1).all()
    assert np.unique(posterior["s"]).size == posterior["s"].size


def test_a_start_without_a_density_is_refused():
    found, _, _ = regression(LocalLevel())
    with pytest.raises(SamplingFailed, match=r"S001.*could not start.*not finite"):
        sample_chains(found._replace(outcome=np.full(PAST, 1e200)), **SIZE)


def test_an_interrupt_leaves_what_was_drawn(monkeypatch):
    found, _, _ = regression(LocalLevel())
    calls = []

    def interrupted_later(*args):
        calls.append(args)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return advance(*args)

    monkeypatch.setattr(chains, "advance", interrupted_later)
    posterior, _, interrupted = sample_chains(found, **SIZE)
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
    assert task_for(model, panel, like=panel).regression is None
    with pytest.raises(PriorError, match=r'O001.*Dirichlet.*sampler="auto"'):
        model.fit(panel, sampler="slice", progressbar=False)


def test_a_foreign_scale_is_left_to_nuts(panel):
    class Gamma:
        def create_variable(self, name):
            import pymc as pm

            return pm.Gamma(name, 2, 2)

    assert LocalLevel(q=Gamma()).diagonal(PAST) is None
    assert LocalLevel(q=HalfNormal(0.1)).diagonal(PAST) is not None


def test_more_effort_is_a_thinner_chain():
    """Four times the sweeps between draws: less autocorrelation."""
    found, _, _ = regression(LocalLevel(), donors=30)
    lags = []
    for effort in (1, 4):
        s = sample_chains(found, **SIZE | {"draws": 2000, "effort": effort})[0]["q"].to_numpy()[0]
        lags.append(np.corrcoef(s[1:], s[:-1])[0, 1])
    assert lags[1] < lags[0]


def test_starts_are_spread_as_the_prior():
    found, _, _ = regression(LocalLevel())
    rng = np.random.default_rng(1)
    scales = np.exp([start(found, rng).log_scales for _ in range(2000)])
    assert stats.kstest(scales[:, 0], stats.halfnorm(scale=1.0).cdf).pvalue > 1e-3
    assert stats.kstest(scales[:, 1], stats.halfnorm(scale=0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    "concentration",
    [(20, 20, 20), (200, 200, 200), (5000, 5000, 5000), (2000, 1000, 0.5), (0.01, 50, 3)],
)
def test_large_and_unequal_concentrations_lose_no_digits(concentration):
    found, _, _ = regression(IID(), donors=3)
    same = np.ascontiguousarray(np.broadcast_to(found.donors[0], found.donors.shape))
    alpha = np.array(concentration, dtype=float)
    posterior, _, _ = sample_chains(
        found._replace(donors=same, concentration=alpha), **SIZE | {"draws": 8000, "tune": 500}
    )
    weights = posterior["weights"].to_numpy()[:, ::20].reshape(-1, 3)
    laws = [stats.beta(a, alpha.sum() - a) for a in alpha]
    assert all(stats.kstest(weights[:, j], law.cdf).pvalue > 1e-3 for j, law in enumerate(laws))


def test_a_free_level_far_from_the_donors_costs_no_digits(panel):
    """The same panel with donors a million scales away: only the offset may differ."""
    far = replace(
        panel, outcomes=panel.outcomes + 1e8 * (panel.outcomes["unit"] != panel.treated[0])
    )
    model = bs.SyntheticControl(noise=IID(), calibrate=False)
    near, moved = (task_for(model, p, like=p).regression() for p in (panel, far))
    state = start(near, np.random.default_rng(1))
    assert log_posterior(moved, state) == pytest.approx(log_posterior(near, state), abs=1e-4)


def test_where_nothing_can_be_cached_each_process_compiles(monkeypatch):
    def uncached(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(pairs, "njit", uncached)
    assert pairs.compiled()(lambda x: x + 1)(1) == 2
