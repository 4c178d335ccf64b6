"""Simulation-based calibration of every shipped model, and of models that were broken on purpose."""

import numpy as np
import pytest
import sbc
from sbc import outside, simulate

import bayes_synth as bs
from bayes_synth import sampling
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.priors import Dirichlet

MODELS = {
    "default": bs.SyntheticControl(),
    "uniform weights": bs.SyntheticControl(weights=Dirichlet(concentration=1.0)),
    "free level": bs.SyntheticControl(noise=LocalLevel(initial_level=np.inf)),
    "local linear trend": bs.SyntheticControl(noise=LocalLinearTrend(drift=0.25)),
    "iid": bs.SyntheticControl(noise=IID()),
    "iid, no intercept": bs.SyntheticControl(noise=IID(intercept=False)),
    "AR(1)": bs.SyntheticControl(noise=AR1()),
    "AR(1), no intercept": bs.SyntheticControl(noise=AR1(intercept=False)),
    "local level, Student-t": bs.SyntheticControl(noise=LocalLevel(degrees_of_freedom=4)),
    "local linear trend, Student-t": bs.SyntheticControl(noise=LocalLinearTrend(drift=0.25, degrees_of_freedom=4)),
    "AR(1), Student-t": bs.SyntheticControl(noise=AR1(degrees_of_freedom=4)),
    "iid, Student-t": bs.SyntheticControl(noise=IID(degrees_of_freedom=4)),
}


def test_the_default_models_posterior_is_exact():
    ranks = simulate(MODELS["default"], 100, seed=1)
    assert not any(outside(ranks).values()), outside(ranks)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_models_posterior_is_exact(name):
    ranks = simulate(MODELS[name], 1000, seed=2)
    assert not any(outside(ranks).values()), outside(ranks)


def wrong_sign(monkeypatch):
    """``outcome + donors @ weights`` in the likelihood."""
    arrays = sbc.data_arrays
    monkeypatch.setattr(
        sbc, "data_arrays", lambda *args: (a := arrays(*args)) | {"donor_outcomes": -a["donor_outcomes"]}
    )


def dropped_jacobian(monkeypatch):
    """The likelihood without the log determinant of the whitening."""
    whiten = LocalLevel.whiten
    monkeypatch.setattr(LocalLevel, "whiten", lambda *args: (whiten(*args)[0], 0.0))


def halved_sigma(monkeypatch):
    """The likelihood with half the standard deviations."""
    whiten = LocalLevel.whiten

    def halved(self, parameters, spectrum):
        return whiten(self, {name: value / 2 for name, value in parameters.items()}, spectrum)

    monkeypatch.setattr(LocalLevel, "whiten", halved)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [wrong_sign, dropped_jacobian, halved_sigma])
def test_planted_faults_break_the_bands(fault, monkeypatch):
    monkeypatch.setattr(sampling, "COMPILED", sampling.CompiledModels(most=1))
    fault(monkeypatch)
    assert max(outside(simulate(MODELS["default"], 100, seed=1)).values()) > 0
