"""Simulation-based calibration: parameters from the prior, data from the parameters, ranks among the posterior's draws.

Talts et al. (2018), arXiv:1804.06788, and Modrak et al. (2023), Bayesian Analysis 20(2), for quantities that depend on
the data too. Location, scale and donors are held fixed; a free level has no prior, so it is fixed at zero: everything
looked at here is unchanged by a shift of the treated unit.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit

import bayes_synth as bs
from bayes_synth.api import SyntheticControl
from bayes_synth.model.graph import as_regression, build_graph, data_arrays, structure
from bayes_synth.model.inputs import Inputs
from bayes_synth.model.outcome_scale import SCALES
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.priors import Dirichlet, as_weights_prior
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Task

PRE, POST, DONORS = 15, 4, tuple("abcdefgh")
SPARSE = Dirichlet(effective_donors=2)
"""A concentration of 1/6, as sparse as what the default gives 20 donors; its own for eight is 3/4."""
RANKED = 5
"""Weights that are looked at: under these priors all are alike."""
THIN = 5
"""Every so many draws are ranked, so that they are nearly independent."""
BAND = 0.99

MODELS = {
    "default": bs.SyntheticControl(),
    "uniform weights": bs.SyntheticControl(weights=Dirichlet(concentration=1.0)),
    "sparse weights": bs.SyntheticControl(SPARSE),
    "sparse weights, by NUTS": bs.SyntheticControl(SPARSE),
    "free level": bs.SyntheticControl(SPARSE, noise=LocalLevel(initial_level=np.inf)),
    "local linear trend": bs.SyntheticControl(SPARSE, noise=LocalLinearTrend(drift=0.25)),
    "iid": bs.SyntheticControl(SPARSE, noise=IID()),
    "iid, no intercept": bs.SyntheticControl(SPARSE, noise=IID(intercept=False)),
    "AR(1)": bs.SyntheticControl(SPARSE, noise=AR1()),
    "AR(1), no intercept": bs.SyntheticControl(SPARSE, noise=AR1(intercept=False)),
    "local level, Student-t": bs.SyntheticControl(SPARSE, noise=LocalLevel(degrees_of_freedom=4)),
    "local linear trend, Student-t": bs.SyntheticControl(
        SPARSE, noise=LocalLinearTrend(drift=0.25, degrees_of_freedom=4)
    ),
    "AR(1), Student-t": bs.SyntheticControl(SPARSE, noise=AR1(degrees_of_freedom=4)),
    "iid, Student-t": bs.SyntheticControl(SPARSE, noise=IID(degrees_of_freedom=4)),
}


class Ranks(NamedTuple):
    """Shares of the posterior below the truth, one row per simulation, and the share of simulations with divergences."""

    below: dict[str, np.ndarray]
    divergent: float


class Found(NamedTuple):
    """One simulation: shares of the posterior's draws below the truth by quantity, and whether a step diverged."""

    below: dict[str, float]
    divergent: bool


def simulate(name: str, simulations: int, seed: int, draws: int = 500) -> Ranks:
    """Ranks of every quantity."""
    rows = [simulation(name, i, seed, draws) for i in range(simulations)]
    below = {name: np.array([row.below[name] for row in rows]) for name in rows[0].below}
    return Ranks(below, float(np.mean([row.divergent for row in rows])))


def simulation(name: str, number: int, seed: int, draws: int = 500) -> Found:
    """One simulation of a model of :data:`MODELS`, the same whichever others are run."""
    model = MODELS[name]
    rng = np.random.default_rng([seed, number])
    donors = 3 + np.cumsum(rng.standard_normal((PRE + POST, len(DONORS))), axis=0)
    weights = as_weights_prior(model.weights).sample(DONORS, 1, rng)
    noise = model.process.sample(1, rng)
    path = weights @ donors.T + model.process.simulate(noise, PRE + POST, rng)
    path += (
        0 if np.isinf(model.process.level_sd) else model.process.level_sd * rng.standard_normal()
    )
    inputs = Inputs(SCALES["linear"], 0.0, 1.0, path[0, :PRE], donors)
    drawn = sample(_task(model, inputs), _settings(draws, number, name), number)
    posterior = drawn.posterior.isel(draw=slice(None, None, THIN))
    below = _ranks(model, inputs, posterior, weights, noise, float(path[0, PRE:].mean()), rng)
    return Found(below, bool(drawn.sample_stats["diverging"].any()))


def _task(model: SyntheticControl, inputs: Inputs) -> Task:
    width = as_weights_prior(model.weights).width(DONORS)
    arrays = data_arrays(model, inputs, DONORS, width)
    return Task(
        lambda: build_graph(model, inputs, DONORS, width),
        arrays,
        ("weights", *model.process.sampled),
        structure(model, arrays),
        as_regression(model, inputs, DONORS),
    )


def _settings(draws: int, seed: int, name: str) -> Settings:
    return Settings.checked(
        draws=draws,
        tune=500,
        chains=2,
        target_accept=0.97,
        sampler="nutpie" if name.endswith("by NUTS") else "auto",
        cores=1,
        random_seed=seed,
        progressbar=False,
    )


def _ranks(
    model: SyntheticControl,
    inputs: Inputs,
    posterior: xr.Dataset,
    weights: np.ndarray,
    noise: dict[str, np.ndarray],
    average: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Share of the draws below the truth, ties (weights that underflow) split at random."""
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    drawn = posterior["weights"].to_numpy().reshape(size, -1)[:, : len(DONORS)]
    parameters = {
        name: posterior[name].to_numpy().reshape(size, -1) for name in model.process.sampled
    }
    parameters |= {name: parameters[name][:, 0] for name in model.process.parameters}
    residual = inputs.outcome - drawn @ inputs.donor_outcomes[:PRE].T
    future = model.process.continue_path(parameters, residual, POST, rng).future
    ahead = (drawn @ inputs.donor_outcomes[PRE:].T + future).mean(1)
    truth = {f"weight {name}": weights[0, j] for j, name in enumerate(DONORS[:RANKED])} | {
        n: v[0] for n, v in noise.items()
    }
    found = {f"weight {name}": drawn[:, j] for j, name in enumerate(DONORS[:RANKED])} | {
        n: parameters[n] for n in noise
    }
    truth |= {
        "largest weight": weights[0].max(),
        "effective donors": 1 / np.square(weights[0]).sum(),
        "average effect": -average,
    }
    found |= {
        "largest weight": drawn.max(1),
        "effective donors": 1 / np.square(drawn).sum(1),
        "average effect": -ahead,
    }
    if not model.process.heavy:
        # Given the mixing it would be another function of the data than without.
        true_residual = inputs.outcome - weights @ inputs.donor_outcomes[:PRE].T
        truth["log likelihood"] = model.process.log_predictive(noise, true_residual).sum()
        found["log likelihood"] = model.process.log_predictive(parameters, residual).sum(1)
    return {name: float(_below(found[name], truth[name], rng)) for name in truth}


def _below(draws: np.ndarray, truth: float, rng: np.random.Generator) -> float:
    ties = (draws == truth).sum()
    return ((draws < truth).sum() + rng.integers(ties + 1) + rng.random()) / (len(draws) + 1)


def outside(ranks: Ranks, seed: int = 1) -> dict[str, float]:
    """How far each quantity's ECDF leaves the simultaneous band of :data:`BAND`; zero inside.

    Sailynoja, Burkner and Vehtari (2022), Statistics and Computing 32(2).
    """
    found = {}
    for name, values in ranks.below.items():
        _, ecdf, low, high = ecdf_pit(values, BAND, 2000, rng=np.random.default_rng(seed))
        found[name] = float(np.maximum(np.maximum(ecdf - high, low - ecdf), 0).max())
    return found
