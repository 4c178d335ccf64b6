"""Promises over every registry: finite densities, keys of their own, files, a place in the docs."""

from dataclasses import replace

import numpy as np
import pytest
from house import PACKAGE

import bayes_synth as bs
from bayes_synth.model.problem import Problem
from bayes_synth.noise import AbstractNoise
from bayes_synth.noise.columns import WithColumns
from bayes_synth.plots import PLOTS, every_plot
from bayes_synth.priors import AbstractWeightsPrior
from bayes_synth.registry import SAVED
from bayes_synth.results.alarms import ALARMS
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.testing import fake_fit, fake_panel

DOCS = "".join(page.read_text() for page in [*(PACKAGE.parent / "docs").glob("*.md")])
SHIPPED = {name: found.cls for name, found in SAVED.items() if ":" not in name}
# Columns are put around a process by a model's calendars; nobody types them.
NOISE = [
    cls for cls in SHIPPED.values() if issubclass(cls, AbstractNoise) and cls is not WithColumns
]
HEAVY = [cls(degrees_of_freedom=4.0) for cls in NOISE]
PROCESSES = [cls() for cls in NOISE] + HEAVY
PLAIN = bs.SyntheticControl(calibrate=False)


def test_the_registries_hold_what_is_shipped():
    assert {"LocalLevel", "LocalLinearTrend", "IID", "AR1"} == {cls.__name__ for cls in NOISE}
    assert {"Dirichlet", "HalfNormal", "Calibration", "SyntheticControl"} <= set(SHIPPED)


@pytest.mark.parametrize("noise", PROCESSES, ids=repr)
@pytest.mark.usefixtures("interpreted")
def test_every_process_has_a_finite_density(noise):
    graph = Problem.of(replace(PLAIN, noise=noise), fake_panel()).build()
    assert np.isfinite(list(graph.point_logps().values())).all()


def test_every_process_has_a_key_of_its_own():
    keys = [Problem.of(replace(PLAIN, noise=noise), fake_panel()).structure for noise in PROCESSES]
    assert len(set(keys)) == len(keys)


@pytest.mark.long
@pytest.mark.parametrize("noise", PROCESSES, ids=repr)
def test_every_process_is_saved_and_loaded(noise, tmp_path):
    fit = fake_fit(model=replace(PLAIN, noise=noise), draws=50)
    fit.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").model == fit.model


@pytest.mark.long
@pytest.mark.parametrize(
    "weights",
    [
        bs.priors.Dirichlet(),
        bs.priors.Dirichlet(concentration={f"donor_{j:02d}": 1.0 + j for j in range(6)}),
    ],
    ids=["symmetric", "by donor"],
)
def test_every_prior_on_weights_has_a_finite_density_and_comes_back(weights, tmp_path):
    assert isinstance(weights, AbstractWeightsPrior)
    fit = fake_fit(model=replace(PLAIN, weights=weights), draws=50)
    assert np.isfinite(fit.idata["log_prior"]["weights"]).all()
    fit.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").model == fit.model


def test_every_estimand_is_computed_summarised_and_described():
    fit = fake_fit(panel=fake_panel(effect=3.0))
    for name, declared in ESTIMANDS.items():
        assert np.isfinite(fit.effect(name).draws).all(), name
        assert declared.path or name in fit.summary().index
        assert declared.words
        assert name in DOCS, name


@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "bokeh", "none"])
def test_every_plot_is_drawn_on_every_backend(backend):
    fit = fake_fit(panel=fake_panel(effect=3.0))
    drawn = [each.draw(fit, backend=backend) for each in every_plot() if each.needs(fit)]
    assert len(drawn) == 3
    assert all(canvas is not None for canvas in drawn)


@pytest.mark.parametrize(
    "name", [*(cls.__name__ for cls in NOISE), *bs.checks.QUESTIONS, "Dirichlet"]
)
def test_the_docs_know_every_registered_name(name):
    assert name in DOCS


def test_the_docs_know_every_alarm():
    page = (PACKAGE.parent / "docs" / "alarms.md").read_text()
    assert len(ALARMS) >= 11
    assert [code for code in ALARMS if f"| {code} |" not in page] == []


def test_the_docs_know_every_plot():
    assert [each.name for each in every_plot() if each.name not in DOCS] == []
    assert set(PLOTS) == {each.name for each in every_plot()}
