"""Ordinary fits against reference posteriors, sampled from models written independently."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from make_references import CASES, FOLDER, METHODS, passes, statistics

import bayes_synth as bs
from bayes_synth.noise import LocalLevel
from bayes_synth.sampling.nuts import CompiledModels

LIMIT = 5.0
"""Combined Monte Carlo standard errors; about 470 statistics are compared."""
LEAST = {"weight": 1e-4}
"""Differences of weights below this do not count: a quantile may be 1e-17, and its error less."""


@cache
def stored(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def fitted(name: str) -> bs.SyntheticControl:
    case = CASES[name]
    return case.model.fit(case.panel(), cores=1, random_seed=4, progressbar=False)


def looked_at(fit: Any) -> xr.Dataset:
    """What the reference holds, by the same names."""
    posterior = fit.idata["posterior"].to_dataset()
    weights = posterior["weights"]
    found = {f"weight {donor}": weights.sel(donor=donor, drop=True) for donor in fit.panel.donors}
    found |= {"effective donors": 1 / (weights**2).sum("donor")}
    found |= {name: posterior[name] for name in fit.model.process.parameters}
    return xr.Dataset(
        found
        | {
            f"{old} effect": fit.effect(name).draws
            for old, name in (("average", "average"), ("cumulative", "total"))
        }
    )


def distances(name: str, draws: xr.Dataset) -> dict[tuple[str, str], float]:
    """Distances from the reference, in combined Monte Carlo standard errors, by statistic."""
    ours, reference = statistics(draws), stored(name)["quantities"]
    assert set(ours) == set(reference)
    found = {}
    for quantity, row in ours.items():
        least = LEAST.get(quantity.split()[0], 0.0)
        for method, (value, error) in row.items():
            there, their_error = reference[quantity][method]
            off = max(abs(value - there) - least, 0)
            found[quantity, method] = float(off / np.hypot(error, their_error))
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_fit_agrees_with_the_reference_on_every_mean_sd_and_quantile(name):
    found = distances(name, looked_at(fitted(name)))
    assert {key: off for key, off in found.items() if not off < LIMIT} == {}


@pytest.mark.parametrize("name", CASES)
def test_a_reference_meets_the_definition_and_is_small(name):
    reference = stored(name)
    assert passes(reference["checks"])
    assert set(reference["quantities"]["average effect"]) == {
        *METHODS,
        "r_hat",
        "ess_bulk",
        "ess_tail",
    }
    assert (FOLDER / f"{name}.json").stat().st_size < 100_000


def halved_sigma(monkeypatch):
    """The likelihood with half the standard deviations."""
    whiten = LocalLevel.whiten
    halves = lambda parameters: {name: value / 2 for name, value in parameters.items()}  # noqa: E731
    monkeypatch.setattr(
        LocalLevel, "whiten", lambda self, p, spectrum: whiten(self, halves(p), spectrum)
    )


def dropped_jacobian(monkeypatch):
    """The likelihood without the log determinant of the whitening."""
    whiten = LocalLevel.whiten
    monkeypatch.setattr(LocalLevel, "whiten", lambda *args: (whiten(*args)[0], 0.0))


def wrong_prior_sd(monkeypatch):
    """Level steps under twice the prior sd."""
    doubled = replace(CASES["prop99_default"].model, noise=LocalLevel(q=bs.priors.HalfNormal(1.0)))
    monkeypatch.setitem(CASES, "prop99_default", replace(CASES["prop99_default"], model=doubled))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
@pytest.mark.parametrize("fault", [halved_sigma, dropped_jacobian, wrong_prior_sd])
def test_planted_faults_are_seen(fault, monkeypatch):
    monkeypatch.setattr("bayes_synth.sampling.nuts.COMPILED", CompiledModels(most=1))
    fault(monkeypatch)
    assert max(distances("prop99_default", looked_at(fitted("prop99_default"))).values()) > LIMIT
