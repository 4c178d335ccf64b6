"""Limits on weights: kept to the last digit, exact, carried to other pools, refused when absurd."""

import numpy as np
import pymc as pm
import pytest
from scipy import optimize, stats

import bayes_synth as bs
from bayes_synth import Calibration
from bayes_synth.checks.refits import Case, refits
from bayes_synth.errors import PriorError
from bayes_synth.fitting.placebos import placebos
from bayes_synth.model.problem import Problem
from bayes_synth.noise import AR1, IID
from bayes_synth.priors import Dirichlet, HalfNormal, Limits
from bayes_synth.priors.limits import log_mass_below, moved_below
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.slice import sample_chains
from bayes_synth.testing import fake_fit, fake_panel

DONORS = tuple("abcdefgh")
LEAST = {"a": 0.1, "f": 0.25}
OPTIONS = {"draws": 200, "tune": 200, "chains": 2, "progressbar": False, "random_seed": 1}


@pytest.fixture(scope="module")
def rejected():
    """Draws from a Dirichlet, kept where no share exceeds one half."""
    drawn = np.random.default_rng(1).dirichlet(np.full(8, 0.3), 200_000)
    return drawn[drawn.max(1) <= 0.5], len(drawn)


def test_the_prior_below_a_cap_is_the_dirichlet_where_it_keeps_the_cap(rejected):
    drawn = Dirichlet(concentration=0.3, largest=0.5).sample(DONORS, 10_000, _rng())
    for statistic in (lambda w: w[:, 0], lambda w: w.max(1), lambda w: np.square(w).sum(1)):
        assert stats.ks_2samp(statistic(drawn), statistic(rejected[0])).pvalue > 1e-3


def test_the_mass_below_a_cap_is_the_share_of_draws_that_keep_it(rejected):
    kept, count = rejected
    share, mass = len(kept) / count, np.exp(log_mass_below(np.full(8, 0.5), np.full(8, 0.3)))
    assert mass == pytest.approx(share, abs=5 * np.sqrt(share / count))


def test_unequal_concentrations_and_caps_have_their_mass_too():
    alpha, caps = np.array([0.2, 0.5, 1, 4, 0.5, 2.0]), np.array([0.1, 0.3, np.inf, 0.6, 0.9, 0.5])
    drawn = np.random.default_rng(1).dirichlet(alpha, 200_000)
    share = (drawn <= caps).all(1).mean()
    assert np.exp(log_mass_below(caps, alpha)) == pytest.approx(share, rel=0.02)


def test_three_uniform_weights_stay_below_a_half_in_a_quarter_of_the_simplex():
    assert np.exp(log_mass_below(np.full(3, 0.5), np.ones(3))) == pytest.approx(0.25, rel=1e-4)


def test_what_is_left_by_the_least_weights_is_shared_by_the_dirichlet():
    prior = Dirichlet(concentration=0.3, at_least=LEAST)
    shares = (prior.sample(DONORS, 4000, _rng()) - floor()) / 0.65
    assert stats.kstest(shares[:, 5], stats.beta(0.3, 7 * 0.3).cdf).pvalue > 1e-3


def test_the_density_of_limited_weights_integrates_to_one():
    prior = Dirichlet(concentration=2.0, largest=0.6, at_least={"a": 0.2})
    grid = np.linspace(0, 1, 401)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    weights = np.stack([first, second, 1 - first - second], -1)
    kept = (weights >= [0.2, 0, 0]).all(-1) & (weights <= 0.6).all(-1)
    density = np.exp(prior.log_density(weights[kept], "abc")).sum() / 400**2
    assert density == pytest.approx(1, rel=0.01)


def test_the_graph_has_the_least_weights():
    prior = Dirichlet(concentration=0.3, at_least=LEAST)
    with pm.Model(coords={"donor": range(8)}):
        drawn = pm.draw(prior.build(prior.inputs(DONORS, 8), 8), draws=2000, random_seed=1)
    assert (drawn >= floor() - 1e-12).all()
    ours = prior.sample(DONORS, 2000, _rng())
    assert min(stats.ks_2samp(drawn[:, j], ours[:, j]).pvalue for j in (0, 5)) > 1e-3


def test_least_weights_can_change_without_compiling_again():
    one, other = (
        Problem.of(bs.SyntheticControl(Dirichlet(at_least=least)), fake_panel(donors=4)).structure
        for least in ({"donor_00": 0.1}, {"donor_01": 0.3, "donor_02": 0.1})
    )
    assert one == other


@pytest.mark.parametrize(
    "prior",
    [
        Dirichlet(largest=0.4),
        Dirichlet(at_least={"donor_00": 0.2}),
        Dirichlet(concentration=3.0, largest=0.3, at_least={"donor_00": 0.3, "donor_03": 0.1}),
        Dirichlet(largest=0.2501),
    ],
    ids=["largest", "at least", "both, one at its end", "nearly equal weights"],
)
def test_draws_keep_the_limits_to_the_last_digit(prior):
    drawn = sampled(prior, fake_panel(donors=4))
    least = [(prior.at_least or {}).get(f"donor_{j:02d}", 0.0) for j in range(4)]
    assert drawn.max() <= (prior.largest or 1)
    assert (drawn >= least).all()
    np.testing.assert_allclose(drawn.sum(1), 1, rtol=1e-12)


def test_a_cap_that_never_binds_changes_no_draw():
    panel = fake_panel(donors=4)
    assert np.array_equal(sampled(Dirichlet(), panel), sampled(Dirichlet(largest=1.0), panel))


@pytest.mark.parametrize(
    ("largest", "least"), [(0.3, {}), (None, {"Texas": 0.2}), (0.25, {"Texas": 0.1, "Utah": 0.2})]
)
def test_without_noise_limited_weights_are_the_constrained_least_squares(largest, least):
    panel = bs.load_dataset("prop99")
    problem = quiet(Dirichlet(concentration=1.0, largest=largest, at_least=least or None), panel)
    outcome, donors = problem.inputs.outcome, problem.inputs.donor_outcomes[: len(panel.pre)]
    low = [least.get(name, 0.0) for name in panel.donors]
    best = optimize.minimize(
        lambda w: np.square(outcome - donors @ w).sum(),
        np.full(38, 1 / 38),
        jac=lambda w: -2 * donors.T @ (outcome - donors @ w),
        bounds=[(each, largest or 1) for each in low],
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 2000, "ftol": 1e-14},
    ).x
    drawn = drawn_from(problem)
    assert np.abs(best - free_best(outcome, donors)).max() > 0.05, "the limits bind"
    np.testing.assert_allclose(drawn.mean(0), best, atol=0.03)
    fitted = np.square(outcome - donors @ drawn.mean(0)).sum()
    assert fitted == pytest.approx(np.square(outcome - donors @ best).sum(), rel=0.02)


def test_other_pools_keep_the_limits_of_their_donors():
    prior = Dirichlet(effective_donors=2, largest=0.4, at_least=LEAST)
    kept = prior.restricted(DONORS, DONORS[1:])
    assert (kept.largest, kept.at_least) == (0.4, {"f": 0.25})
    assert kept.alpha(DONORS[1:]) == prior.alpha(DONORS)
    assert prior.restricted(DONORS, ("b", "c", "d")).at_least is None


def test_a_placebo_loses_its_own_least_weight_and_the_others_keep_theirs():
    least = {"donor_00": 0.2, "donor_01": 0.1}
    problem = Problem.of(bs.SyntheticControl(Dirichlet(at_least=least)), fake_panel(donors=4))
    assert problem.as_if_treated(["donor_00"]).model.prior.at_least == {"donor_01": 0.1}


def test_pools_that_are_too_small_for_the_cap_are_left_out_of_the_calibration_with_the_code():
    problem = Problem.of(bs.SyntheticControl(Dirichlet(largest=0.3)), fake_panel(donors=4))
    settings = Settings(Size(50, 50, chains=2), "slice", 1, 1)
    skipped = placebos(problem, Calibration(), settings).skipped
    assert skipped == tuple(f"donor_{j:02d} (O081)" for j in range(4))


def test_refits_of_checks_leave_such_pools_out():
    model = bs.SyntheticControl(Dirichlet(largest=0.3), calibrate=False)
    fit = fake_fit(panel=fake_panel(donors=4), model=model)
    cases = {"too few": Case(model, fit.panel.drop("donor_01"))}
    assert refits(fit, cases, progressbar=False) == {}


@pytest.mark.long
def test_a_fit_with_limits_is_saved_and_loaded(tmp_path):
    prior = Dirichlet(largest=0.6, at_least={"donor_00": 0.1})
    fit = fake_fit(panel=fake_panel(donors=4), model=bs.SyntheticControl(prior))
    fit.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").model.prior == prior


def test_the_priors_name_the_limits():
    prior = Dirichlet(largest=0.5, at_least={"donor_00": 0.1})
    words = bs.SyntheticControl(prior).priors(fake_panel(donors=4))["weights"]
    assert words.endswith("; no weight above 0.5; at least donor_00 0.1")


def test_a_noise_that_slices_cannot_sample_is_no_candidate_beside_a_cap():
    model = bs.SyntheticControl(Dirichlet(largest=0.5))
    assert model.suits(IID())
    assert not model.suits(AR1())
    assert bs.SyntheticControl(Dirichlet(at_least={"a": 0.1})).suits(AR1())


@pytest.mark.parametrize(
    "attempt",
    [
        lambda panel: bs.SyntheticControl(Dirichlet(largest=0.5)).build(panel),
        lambda panel: bs.SyntheticControl(Dirichlet(largest=0.5), noise=AR1()).fit(
            panel, **OPTIONS
        ),
        lambda panel: bs.SyntheticControl(Dirichlet(largest=0.5)).fit(
            panel, sampler="nutpie", **OPTIONS
        ),
    ],
    ids=["build", "AR(1)", "nutpie"],
)
def test_a_cap_where_slices_cannot_sample_is_refused(attempt):
    with pytest.raises(PriorError, match=r"^\[O083\] largest must be sampled by slices"):
        attempt(fake_panel(donors=4))


@pytest.mark.parametrize(
    ("attempt", "code", "text"),
    [
        (lambda: Dirichlet(largest=0), "O080", r"share above 0 and up to 1, got 0\."),
        (lambda: Dirichlet(largest=1.5), "O080", r"up to 1, got 1\.5\."),
        (lambda: Dirichlet(largest=np.nan), "O080", r"up to 1, got nan\."),
        (lambda: Dirichlet(largest="half"), "O080", r"up to 1, got 'half'\."),
        (lambda: Dirichlet(at_least=0.1), "O080", r"shares by donor, such as .*, got 0\.1\."),
        (lambda: Dirichlet(at_least={"a": -0.1}), "O080", r"from 0 to below 1, got -0\.1 for a\."),
        (lambda: Dirichlet(at_least={"a": 1.0}), "O080", r"below 1, got 1\.0 for a\."),
        (lambda: Dirichlet(at_least={"a": "x"}), "O080", r"below 1, got 'x' for a\."),
        (
            lambda: Dirichlet(at_least={"a": 0.6, "b": 0.4}), "O081",
            r"must sum to less than 1, got 0\.6 \+ 0\.4 = 1\.",
        ),
        (
            lambda: Dirichlet(largest=0.2, at_least={"a": 0.3}), "O081",
            r"must not exceed largest = 0\.2, got 0\.3 for a\.",
        ),
        (
            lambda: Dirichlet(largest=0.1).limits(DONORS), "O081",
            r"must exceed 1 / 8 = 0\.125 for 8 donors, got 0\.1: 8 x 0\.1 = 0\.8",
        ),
        (lambda: Dirichlet(largest=1 / 8).limits(DONORS), "O081", r"8 x 0\.125 = 1"),
        (
            lambda: Dirichlet(at_least={"Nevda": 0.1}).limits(["Nevada", "Utah"]), "O082",
            r"name donors only, got 'Nevda'\. Did you mean 'Nevada'\?",
        ),
        (lambda: Dirichlet(at_least={3: 0.1}).limits(DONORS), "O082", "donors only, got 3"),
    ],
)  # fmt: skip
def test_limits_that_no_weights_keep_are_refused_with_the_arithmetic(attempt, code, text):
    with pytest.raises(PriorError, match=rf"(?s)^\[{code}\] .*{text}"):
        attempt()


def test_what_exceeds_a_cap_goes_where_there_is_room():
    limits = Limits(np.zeros(3), 1.0, np.array([0.5, 0.4, np.inf]))
    moved = limits.below(np.array([0.7, 0.3, 0.0]))
    assert moved.sum() == pytest.approx(1)
    assert (moved <= limits.caps).all()


def test_moves_of_the_prior_keep_a_cap_that_leaves_almost_no_room():
    caps = np.full(4, 0.2502)
    moved = moved_below(caps, np.full(4, 0.1), np.full((50, 4), 0.25), _rng())
    assert moved.max() <= 0.2502 + 1e-12
    np.testing.assert_allclose(moved.sum(1), 1, rtol=1e-12)


def _rng():
    return np.random.default_rng(2)


def floor():
    return np.array([LEAST.get(name, 0.0) for name in DONORS])


def quiet(prior, panel):
    """A problem without level and almost without noise."""
    noise = IID(s=HalfNormal(1e-4), intercept=False)
    return Problem.of(bs.SyntheticControl(prior, noise=noise, calibrate=False), panel)


def drawn_from(problem):
    settings = Settings(Size(500, 500, chains=2), "slice", 1, 1)
    posterior, _, _ = sample_chains(problem.regression, settings, 1)
    return posterior["weights"].to_numpy().reshape(-1, len(problem.donors))


def sampled(prior, panel):
    return drawn_from(Problem.of(bs.SyntheticControl(prior), panel))


def free_best(outcome, donors):
    return optimize.minimize(
        lambda w: np.square(outcome - donors @ w).sum(),
        np.full(donors.shape[1], 1 / donors.shape[1]),
        jac=lambda w: -2 * donors.T @ (outcome - donors @ w),
        bounds=[(0, 1)] * donors.shape[1],
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 2000, "ftol": 1e-14},
    ).x
