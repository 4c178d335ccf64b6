"""Simulation-based calibration of every shipped model, and of models broken on purpose."""

import pytest
import sbc
from planted import break_the_slice_sampler
from sbc import MODELS, outside, simulate

from bayes_synth.noise import LocalLevel
from bayes_synth.sampling.nuts import CompiledModels


@pytest.mark.long
@pytest.mark.parametrize("name", ["covariates", "rows", "square roots", "two outcomes"])
def test_the_posterior_with_what_else_is_known_is_exact(name):
    ranks = simulate(name, 200, seed=1)
    assert not any(outside(ranks).values()), outside(ranks)


@pytest.mark.long
@pytest.mark.parametrize("name", ["default", "sparse weights", "limits", "days of the week"])
def test_the_default_models_posterior_is_exact(name):
    ranks = simulate(name, 100, seed=1)
    assert not any(outside(ranks).values()), outside(ranks)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_models_posterior_is_exact(name):
    ranks = simulate(name, 1000, seed=2)
    assert not any(outside(ranks).values()), outside(ranks)


def wrong_sign(monkeypatch):
    """``outcome + donors @ weights`` in the likelihood."""
    arrays = sbc.data_arrays
    monkeypatch.setattr(
        sbc,
        "data_arrays",
        lambda *args: (a := arrays(*args)) | {"donor_outcomes": -a["donor_outcomes"]},
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
def test_faults_planted_in_the_graph_break_the_bands(fault, monkeypatch):
    monkeypatch.setattr("bayes_synth.sampling.nuts.COMPILED", CompiledModels(most=1))
    fault(monkeypatch)
    assert max(outside(simulate("sparse weights, by NUTS", 100, seed=1)).values()) > 0


PLANTED = {
    "wrong sign of the slope": ("slope - 0.5 * curvature", "-slope - 0.5 * curvature"),
    "curvature without its half": ("slope - 0.5 * curvature", "slope - curvature"),
    "no log determinant": ("squares + logs + information", "squares"),
    "half the standard deviation": (
        "scale = np.exp(2 * log_sds[0])",
        "scale = 0.25 * np.exp(2 * log_sds[0])",
    ),
    "no Jacobian of the coordinate": (
        "value = below + (b - 1) * log_rest",
        "value = below - p * log_u",
    ),
    # None at all would leave no posterior: the density is flat towards sds of zero.
    "twice the Jacobian of the sds' logs": (
        "value += log_sds[which] - 0.5",
        "value += 2 * log_sds[which] - 0.5",
    ),
}
"""A passage of the slice sampler's source, and what is planted instead.

``tests/sampling/test_slice_kernel.py`` plants one more.
"""


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
def test_faults_planted_in_the_slice_sampler_break_the_bands(fault, monkeypatch, tmp_path):
    break_the_slice_sampler(*PLANTED[fault], monkeypatch, tmp_path)
    assert max(outside(simulate("sparse weights", 400, seed=1)).values()) > 0
