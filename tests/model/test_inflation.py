"""Kappa and the tails: the posterior on a grid against quadrature, and what draws of it follow."""

import numpy as np
import pytest
from scipy import integrate, stats

from bayes_synth.model.inflation import TAILS, learn_inflation

Z = np.array([0.2, -1.5, 0.7, 3.0, -0.4])
ONE = np.ones(len(Z))


def law(nu):
    return stats.norm if np.isinf(nu) else stats.t(nu)


def posterior_mean(z, sd, weights):
    """Mean of kappa over degrees of freedom with these prior weights, by adaptive quadrature."""

    def density(log_kappa, nu):
        likelihood = np.prod(law(nu).pdf(z / np.exp(log_kappa)) / np.exp(log_kappa))
        return likelihood * stats.norm.pdf(log_kappa, scale=sd)

    def integral(power, nu):
        function = lambda x: np.exp(power * x) * density(x, nu)  # noqa: E731
        return integrate.quad(function, -8 * sd, 8 * sd, limit=400, epsabs=1e-15)[0]

    whole, first = (
        sum(weight * integral(power, nu) for nu, weight in weights.items()) for power in (0, 1)
    )
    return first / whole


@pytest.mark.long
@pytest.mark.parametrize("nu", [4.0, np.inf, None])
@pytest.mark.parametrize("sd", [0.5, 1.0])
def test_the_posterior_is_that_of_adaptive_quadrature(nu, sd):
    values, mass = learn_inflation(Z**2, ONE, sd, nu).kappa
    expected = posterior_mean(Z, sd, TAILS if nu is None else {nu: 1.0})
    assert values @ mass == pytest.approx(expected, rel=1e-6)


def test_a_mean_of_squares_over_kappa_squared_is_f_distributed():
    """The likelihood of the deviations, up to a constant of the data, by scipy's F."""
    squares, periods, nu = np.array([0.5, 2.0, 1.3]), np.array([3.0, 1.0, 7.5]), 5.0
    learnt = learn_inflation(squares, periods, 1.0, nu)
    logs = np.log(learnt.kappa[0])
    density = stats.norm.logpdf(logs)
    for x, n in zip(squares, periods, strict=True):
        density = density + stats.f(n, nu).logpdf(x * np.exp(-2 * logs)) - 2 * logs
    expected = np.exp(density - density.max())
    np.testing.assert_allclose(learnt.kappa[1], expected / expected.sum(), rtol=1e-8, atol=1e-14)


def test_infinite_degrees_of_freedom_are_the_limit_of_many():
    periods = np.array([3.0, 1.0, 7.5])
    near, limit = (learn_inflation(Z[:3] ** 2, periods, 1.0, nu) for nu in (1e7, np.inf))
    np.testing.assert_allclose(near.kappa[1], limit.kappa[1], atol=1e-6)
    assert near.evidence == pytest.approx(limit.evidence, abs=1e-4)


def test_draws_follow_the_posterior():
    learnt = learn_inflation(Z**2, ONE, 1.0, 5.0)
    kappa, lam = learnt.draw((4, 5000), np.random.default_rng(1))
    values, mass = learnt.kappa
    upper = np.exp(np.log(values) + np.log(values[1] / values[0]) / 2)
    test = stats.kstest(kappa.ravel(), lambda x: np.interp(x, upper, np.cumsum(mass)))
    assert test.pvalue > 1e-3
    assert stats.kstest(lam.ravel(), stats.gamma(2.5, scale=0.4).cdf).pvalue > 1e-3


def test_draws_of_lambda_mix_the_tails():
    """A z-score drawn as a fit's path is has the predictive distribution that is computed."""
    learnt = learn_inflation(Z**2, ONE, 1.0, None)
    rng = np.random.default_rng(2)
    kappa, lam = learnt.draw((40_000,), rng)
    z = kappa / np.sqrt(lam) * rng.standard_normal(40_000)
    for limit in (0.5, 2.0, 5.0):
        error = 4 * np.sqrt(learnt.beyond(limit) / 40_000)
        assert (z > limit).mean() == pytest.approx(learnt.beyond(limit), abs=error)


def test_the_predictive_density_is_the_slope_of_the_tail_probability():
    learnt = learn_inflation(Z**2, ONE, 1.0, None)
    for z in (0.0, 0.8, 4.0):
        slope = (learnt.beyond(z - 1e-4) - learnt.beyond(z + 1e-4)) / 2e-4
        assert np.exp(learnt.log_density(z)) == pytest.approx(slope, rel=1e-5)


def test_the_evidence_is_the_log_of_the_marginal_likelihood():
    """Up to the constant of the data, which two sets of as many z-scores share."""
    wide, narrow = (learn_inflation((f * Z) ** 2, ONE, 1.0, 5.0).evidence for f in (1.0, 0.5))

    def marginal(z):
        def density(x):
            return np.prod(stats.t(5).pdf(z / np.exp(x)) / np.exp(x)) * stats.norm.pdf(x)

        return np.log(integrate.quad(density, -8, 8, limit=400)[0])

    assert wide - narrow == pytest.approx(marginal(Z) - marginal(0.5 * Z), abs=1e-5)


def test_without_donors_the_posterior_is_the_prior():
    learnt = learn_inflation(np.array([]), np.array([]), 0.7, None)
    values, mass = learnt.kappa
    logs = np.log(values)
    assert mass @ logs == pytest.approx(0, abs=1e-9)
    assert mass @ logs**2 == pytest.approx(0.49, rel=1e-6)
    np.testing.assert_allclose(learnt.mass.sum(0), list(TAILS.values()))


def test_larger_misses_mean_a_larger_kappa():
    learnt = [learn_inflation((f * Z) ** 2, ONE, 1.0, None).kappa for f in (0.5, 1, 2)]
    kappas = [values @ mass for values, mass in learnt]
    assert kappas == sorted(kappas)


def test_a_power_below_one_leaves_more_of_the_prior():
    def sd(power):
        values, mass = learn_inflation(np.tile(Z, 4) ** 2, np.tile(ONE, 4), 1.0, None, power).kappa
        logs = np.log(values)
        return np.sqrt(mass @ logs**2 - (mass @ logs) ** 2)

    assert sd(1.0) < sd(0.25) < 1.0


def test_one_contaminated_donor_moves_the_robust_kappa_less():
    clean = np.tile(Z, 4)
    spoiled = np.append(clean, 40.0)

    def growth(nu):
        before, after = (
            values @ mass
            for values, mass in (
                learn_inflation(z**2, np.ones(len(z)), 1.0, nu).kappa for z in (clean, spoiled)
            )
        )
        return after / before

    assert growth(4.0) - 1 < 0.1 * (growth(np.inf) - 1)


def test_rare_jumps_are_seen_as_heavy_tails():
    rng = np.random.default_rng(3)
    calm = rng.standard_normal(60)
    jumpy = np.where(rng.random(60) < 0.1, 12.0, 1.0) * calm
    tails = [learn_inflation(z**2, np.ones(60), 1.0, None) for z in (calm, jumpy)]
    light, heavy = (each.mass.sum(0) @ each.tails for each in tails)
    assert heavy < 4 < light
