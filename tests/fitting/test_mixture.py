"""Averaging over priors on q: shares of draws, their order, and the law of what comes out."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_synth as bs
from bayes_synth.fitting.mixture import drawn, sample_alternatives
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Alternative
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.testing import fake_panel


def alternatives(*shares: float) -> list[Alternative]:
    factors = (0.04, 0.2, 1.0)[3 - len(shares) :]
    return [Alternative(f, share, pd.DataFrame()) for f, share in zip(factors, shares, strict=True)]


def settings(draws=100, chains=2) -> Settings:
    return Settings.checked(Size(draws, 100, chains, 0.9), cores=1, random_seed=1)


@pytest.mark.parametrize(
    ("shares", "draws", "chains", "expected"),
    [
        ((), 100, 2, {1.0: 100}),
        ((1.0,), 100, 2, {1.0: 100}),
        ((0.25, 0.25, 0.5), 1000, 4, {0.04: 250, 0.2: 250, 1.0: 500}),
        ((0.001, 0.019, 0.98), 1000, 4, {1.0: 1000}),
        ((0.3, 0.3, 0.4), 1000, 4, {0.04: 300, 0.2: 300, 1.0: 400}),
        ((0.335, 0.332, 0.333), 1000, 4, {0.04: 335, 0.2: 332, 1.0: 333}),
        ((0.2, 0.2, 0.6), 60, 2, {1.0: 60}),
        ((0.34, 0.33, 0.33), 20, 2, {0.04: 20}),
    ],
)
def test_draws_are_shared_as_the_weights_say(shares, draws, chains, expected):
    assert drawn(alternatives(*shares), draws, chains) == expected


def test_without_alternatives_and_under_a_factor_of_one_the_draws_are_the_plain_ones():
    problem = Problem.of(bs.SyntheticControl(), fake_panel())
    plain = sample(problem, settings(), 3)
    for chosen in ([], alternatives(1.0)):
        other = sample_alternatives(problem, chosen, settings(), 3)
        np.testing.assert_array_equal(plain.posterior["q"], other.posterior["q"])


def test_every_stretch_of_every_chain_has_its_share_of_each_factor():
    problem = Problem.of(bs.SyntheticControl(), fake_panel())
    sampled = sample_alternatives(problem, alternatives(0.3, 0.7), settings(200), 3)
    factor = sampled.posterior["q_factor"].to_numpy()
    assert factor.shape == (2, 200)
    np.testing.assert_array_equal(factor[0], factor[1])
    for part in np.split(factor[0], 10):
        assert (part == 0.2).sum() in (5, 6, 7)
    assert sampled.sample_stats.sizes == {"chain": 2, "draw": 200}


def test_draws_under_a_factor_are_those_of_the_narrower_prior():
    problem = Problem.of(bs.SyntheticControl(), fake_panel())
    sampled = sample_alternatives(problem, alternatives(0.5, 0.5), settings(2000), 3)
    posterior = sampled.posterior
    for factor, sigma in ((0.2, 0.1), (1.0, 0.5)):
        q = posterior["q"].where(posterior["q_factor"] == factor)
        noise = bs.noise.LocalLevel(q=bs.priors.HalfNormal(sigma))
        alone = sample(
            Problem.of(bs.SyntheticControl(noise=noise), fake_panel()), settings(2000), 5
        )
        assert float(q.mean()) == pytest.approx(float(alone.posterior["q"].mean()), rel=0.12)


def test_a_fit_says_under_which_factor_each_draw_was_made_and_averages_the_prior():
    plan = bs.Calibration(draws=60, tune=60)
    fit = bs.SyntheticControl(calibrate=plan).fit(
        fake_panel(), draws=400, tune=100, chains=2, random_seed=1, progressbar=False
    )
    factor = fit.idata["posterior"]["q_factor"]
    shares = {each.factor: each.share for each in fit.calibration.alternatives}
    kept = {f: share for f, share in shares.items() if share >= 0.0625}
    for f, share in kept.items():
        expected = share / sum(kept.values())
        assert float((factor == f).mean()) == pytest.approx(expected, abs=0.01)
    step, q = fit.problem.inputs.step, fit.idata["posterior"]["q"].to_numpy()
    density = sum(
        float((factor == f).mean()) * stats.halfnorm.pdf(q, scale=0.5 * f * step)
        for f in np.unique(factor)
    )
    np.testing.assert_allclose(fit.idata["log_prior"]["q"], np.log(density), rtol=1e-9)
