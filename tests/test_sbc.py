"""Simulation-based calibration of every shipped model, and of models that were broken on purpose."""

import pytest
import sbc
from sbc import MODELS, outside, simulate

from bayes_synth import sampling
from bayes_synth.noise import LocalLevel


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
