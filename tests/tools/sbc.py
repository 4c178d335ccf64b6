"""Simulation-based calibration: rank parameters from the prior in the posterior of their data.

Talts et al. (2018), arXiv:1804.06788, and Modrak et al. (2023), Bayesian Analysis 20(2), for
quantities that depend on the data too. Location, typical step and donors are held fixed; a free
level has no prior, so it is fixed at zero: no quantity here changes with a shift of the treated
unit.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit

import bayes_synth as bs
from bayes_synth.api import SyntheticControl
from bayes_synth.model.calendar.base import contrasts
from bayes_synth.model.graph import build_graph, data_arrays, structure
from bayes_synth.model.inputs import Inputs
from bayes_synth.model.outcome_scale import SCALES
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.noise.columns import WithColumns
from bayes_synth.priors import Dirichlet
from bayes_synth.sampling.regression import Regression, regression
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.task import AbstractTask

PRE, POST, DONORS = 15, 4, tuple("abcdefgh")
SPARSE = Dirichlet(effective_donors=2)
"""A concentration of 1/6, the default for 20 donors; the default for eight is 3/4."""
LEAST = {"a": 0.1, "f": 0.05}
RANKED = 5
"""Number of weights that are ranked: under these priors all are alike."""
THIN = 5
"""One draw in so many is ranked, so that they are nearly independent."""
BAND = 0.99

WEEK = np.eye(7)[np.arange(PRE + POST) % 7] @ contrasts(7)
"""The columns of days of the week, with deviations of one typical step."""

MODELS = {
    "default": bs.SyntheticControl(),
    "uniform weights": bs.SyntheticControl(weights=Dirichlet(concentration=1.0)),
    "sparse weights": bs.SyntheticControl(SPARSE),
    "sparse weights, by NUTS": bs.SyntheticControl(SPARSE),
    "free level": bs.SyntheticControl(SPARSE, noise=LocalLevel(initial_level=np.inf)),
    "local linear trend": bs.SyntheticControl(SPARSE, noise=LocalLinearTrend(drift=0.25)),
    "iid": bs.SyntheticControl(SPARSE, noise=IID()),
    "iid, no intercept": bs.SyntheticControl(SPARSE, noise=IID(intercept=False)),
    "days of the week": bs.SyntheticControl(SPARSE, noise=WithColumns(LocalLevel(), WEEK)),
    "days of the week, by NUTS": bs.SyntheticControl(SPARSE, noise=WithColumns(LocalLevel(), WEEK)),
    "trend and one column": bs.SyntheticControl(
        SPARSE, noise=WithColumns(LocalLinearTrend(drift=0.25), WEEK[:, :1])
    ),
    "AR(1) and days of the week": bs.SyntheticControl(SPARSE, noise=WithColumns(AR1(), WEEK)),
    "limits": bs.SyntheticControl(Dirichlet(effective_donors=2, largest=0.5, at_least=LEAST)),
    "least weights, by NUTS": bs.SyntheticControl(Dirichlet(effective_donors=2, at_least=LEAST)),
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
    """Shares of the posterior below the truth by quantity, and the share with divergences."""

    below: dict[str, np.ndarray]
    divergent: float


class Simulation(NamedTuple):
    """Shares of the posterior's draws below the truth by quantity, and whether a step diverged."""

    below: dict[str, float]
    divergent: bool


def simulate(name: str, simulations: int, seed: int, draws: int = 500) -> Ranks:
    """Rank every quantity in so many simulations of a model."""
    rows = [simulation(name, i, seed, draws) for i in range(simulations)]
    below = {name: np.array([row.below[name] for row in rows]) for name in rows[0].below}
    return Ranks(below, float(np.mean([row.divergent for row in rows])))


def simulation(name: str, number: int, seed: int, draws: int = 500) -> Simulation:
    """Simulate a model of :data:`MODELS` once, the same whichever others are run."""
    model = MODELS[name]
    rng = np.random.default_rng([seed, number])
    donors = 3 + np.cumsum(rng.standard_normal((PRE + POST, len(DONORS))), axis=0)
    weights = model.prior.sample(DONORS, 1, rng)
    noise = model.process.sample(1, rng)
    path = weights @ donors.T + model.process.simulate(noise, PRE + POST, rng)
    path += (
        0 if np.isinf(model.process.level_sd) else model.process.level_sd * rng.standard_normal()
    )
    inputs = Inputs(SCALES["linear"], 0.0, 1.0, path[0, :PRE], donors)
    drawn = sample(Simulated(model, inputs), _settings(draws, number, name), number)
    posterior = drawn.posterior.isel(draw=slice(None, None, THIN))
    below = _ranks(model, inputs, posterior, weights, noise, float(path[0, PRE:].mean()), rng)
    return Simulation(below, bool(drawn.sample_stats["diverging"].any()))


@final
@dataclass(frozen=True, eq=False)
class Simulated(AbstractTask):
    """A model and data drawn from it, in typical steps: a sampler's task without a panel."""

    model: SyntheticControl
    inputs: Inputs

    @property
    def width(self) -> int:
        return self.model.prior.width(DONORS)

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        return data_arrays(self.model.prior, self.model.process, self.inputs, DONORS, self.width)

    @property
    def names(self) -> tuple[str, ...]:
        return ("weights", *self.model.process.sampled)

    @property
    def structure(self) -> Hashable:
        return structure(self.model.prior, self.model.process, self.arrays)

    @property
    def regression(self) -> Regression | None:
        process, prior = self.model.process, self.model.prior
        noise = process.diagonal(PRE)
        if noise is None or not isinstance(prior, Dirichlet):
            return None
        pre = self.inputs.donor_outcomes[:PRE]
        alpha, limits = prior.alpha(DONORS), prior.limits(DONORS)
        return regression(process, noise, alpha, self.inputs.outcome, pre, limits=limits)

    def build(self) -> Any:
        return build_graph(self.model.prior, self.model.process, self.inputs, DONORS, self.width)


def _settings(draws: int, seed: int, name: str) -> Settings:
    sampler = "nutpie" if name.endswith("by NUTS") else "auto"
    size = Size(draws, tune=500, chains=2, target_accept=0.97)
    return Settings.checked(size, sampler=sampler, cores=1, random_seed=seed)


def _ranks(
    model: SyntheticControl,
    inputs: Inputs,
    posterior: xr.Dataset,
    weights: np.ndarray,
    noise: dict[str, np.ndarray],
    average: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Rank every quantity; ties (weights that underflow) are split at random."""
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    drawn = posterior["weights"].to_numpy().reshape(size, -1)[:, : len(DONORS)]
    parameters = {
        name: posterior[name].to_numpy().reshape(size, -1) for name in model.process.sampled
    }
    parameters |= {name: parameters[name][:, 0] for name in model.process.parameters}
    residual = inputs.outcome - drawn @ inputs.donor_outcomes[:PRE].T
    shocks = model.process.draw_shocks(size, POST, rng)
    future = model.process.continue_path(parameters, residual, shocks, rng).future
    ahead = (drawn @ inputs.donor_outcomes[PRE:].T + future).mean(1)
    truth = {f"weight {name}": weights[0, j] for j, name in enumerate(DONORS[:RANKED])} | {
        n: v[0] for n, v in noise.items()
    }
    values = {f"weight {name}": drawn[:, j] for j, name in enumerate(DONORS[:RANKED])} | {
        n: parameters[n] for n in noise
    }
    truth |= {
        "largest weight": weights[0].max(),
        "effective donors": 1 / np.square(weights[0]).sum(),
        "average effect": -average,
    }
    values |= {
        "largest weight": drawn.max(1),
        "effective donors": 1 / np.square(drawn).sum(1),
        "average effect": -ahead,
    }
    if not model.process.heavy:
        # Given the mixing it would be another function of the data than without.
        true_residual = inputs.outcome - weights @ inputs.donor_outcomes[:PRE].T
        truth["log likelihood"] = model.process.log_predictive(noise, true_residual).sum()
        values["log likelihood"] = model.process.log_predictive(parameters, residual).sum(1)
    return {name: float(_below(values[name], truth[name], rng)) for name in truth}


def _below(draws: np.ndarray, truth: float, rng: np.random.Generator) -> float:
    ties = (draws == truth).sum()
    return ((draws < truth).sum() + rng.integers(ties + 1) + rng.random()) / (len(draws) + 1)


def outside(ranks: Ranks, seed: int = 1) -> dict[str, float]:
    """Return how far each quantity's ECDF leaves the simultaneous band of :data:`BAND`; zero
    inside.

    Sailynoja, Burkner and Vehtari (2022), Statistics and Computing 32(2).
    """
    distances = {}
    for name, values in ranks.below.items():
        _, ecdf, low, high = ecdf_pit(values, BAND, 2000, rng=np.random.default_rng(seed))
        distances[name] = float(np.maximum(np.maximum(ecdf - high, low - ecdf), 0).max())
    return distances
