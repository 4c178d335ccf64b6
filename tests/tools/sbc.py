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
from bayes_synth.model.covariates import CovariateSeries
from bayes_synth.model.graph import build_graph, data_arrays, structure
from bayes_synth.model.inputs import Inputs
from bayes_synth.model.outcome_scale import SCALES
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.noise.columns import WithColumns
from bayes_synth.priors import Dirichlet
from bayes_synth.results.weighted import explained
from bayes_synth.sampling.regression import (
    COEFFICIENTS,
    OUTCOME_SDS,
    Covariates,
    Regression,
    Rows,
    regression,
    with_outcomes,
)
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
    "rows": bs.SyntheticControl(SPARSE),
    "rows, by NUTS": bs.SyntheticControl(SPARSE),
    "square roots": bs.SyntheticControl(SPARSE, scale="sqrt"),
    "covariates": bs.SyntheticControl(SPARSE),
    "covariates, by NUTS": bs.SyntheticControl(SPARSE),
    "two outcomes": bs.SyntheticControl(SPARSE),
    "AR(1)": bs.SyntheticControl(SPARSE, noise=AR1()),
    "AR(1), no intercept": bs.SyntheticControl(SPARSE, noise=AR1(intercept=False)),
    "local level, Student-t": bs.SyntheticControl(SPARSE, noise=LocalLevel(degrees_of_freedom=4)),
    "local linear trend, Student-t": bs.SyntheticControl(
        SPARSE, noise=LocalLinearTrend(drift=0.25, degrees_of_freedom=4)
    ),
    "AR(1), Student-t": bs.SyntheticControl(SPARSE, noise=AR1(degrees_of_freedom=4)),
    "iid, Student-t": bs.SyntheticControl(SPARSE, noise=IID(degrees_of_freedom=4)),
}


COUNT = 2
"""Number of covariates, or of rows to match."""
ROOTS = 20.0, 0.5
"""Location and typical step of square roots, so that every simulated outcome is positive."""


class Second(NamedTuple):
    """A second outcome that shares the weights: its series, and what its noise was drawn with."""

    inputs: Inputs
    noise: dict[str, np.ndarray]


class Extras(NamedTuple):
    """What a simulation has beside its series: true coefficients of covariates, rows, outcomes."""

    coefficients: np.ndarray
    covariates: CovariateSeries | None = None
    rows: Rows | None = None
    second: Second | None = None


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
    extras = _extras(name, weights, rng)
    if name == "two outcomes":
        extras = extras._replace(second=_second(model, weights, rng))
    if extras.covariates is not None:
        path += explained(extras.covariates, weights, extras.coefficients[None])
    inputs = Inputs(SCALES["linear"], 0.0, 1.0, path[0, :PRE], donors)
    if model.scale != "linear":
        inputs, path = _as_outcomes(model.scale, path, donors)
    drawn = sample(Simulated(model, inputs, extras), _settings(draws, number, name), number)
    posterior = drawn.posterior.isel(draw=slice(None, None, THIN))
    truth = Truth(weights, noise, float(path[0, PRE:].mean()))
    below = _ranks(Simulated(model, inputs, extras), posterior, truth, rng)
    return Simulation(below, bool(drawn.sample_stats["diverging"].any()))


class Truth(NamedTuple):
    """What was drawn from the prior, and the average outcome after ``start`` that followed."""

    weights: np.ndarray
    noise: dict[str, np.ndarray]
    average: float


def _extras(name: str, weights: np.ndarray, rng: np.random.Generator) -> Extras:
    """Draw covariates and their coefficients, or rows that the weights match, for some models."""
    if name.startswith("covariates"):
        series = rng.standard_normal((COUNT, 1 + len(DONORS), PRE + POST))
        known = CovariateSeries(("x", "z"), series[:, 0], series[:, 1:], np.ones(COUNT), PRE)
        return Extras(rng.standard_normal(COUNT), known)
    if name.startswith("rows"):
        donors = 2 * rng.standard_normal((COUNT, len(DONORS)))
        rows = Rows(donors @ weights[0] + rng.standard_normal(COUNT), donors)
        return Extras(np.zeros(0), rows=rows)
    return Extras(np.zeros(0))


def _second(model: SyntheticControl, weights: np.ndarray, rng: np.random.Generator) -> Second:
    """Draw an auxiliary outcome from the model: donors, noise and level of its own."""
    donors = np.cumsum(rng.standard_normal((PRE + POST, len(DONORS))), axis=0)
    noise = model.process.sample(1, rng)
    path = weights @ donors.T + model.process.simulate(noise, PRE + POST, rng)
    path += model.process.level_sd * rng.standard_normal()
    return Second(Inputs(SCALES["linear"], 0.0, 1.0, path[0, :PRE], donors), noise)


def _as_outcomes(scale: str, path: np.ndarray, donors: np.ndarray) -> tuple[Inputs, np.ndarray]:
    """Turn a path in typical steps into outcomes, and these into what a model is given."""
    known = SCALES[scale]
    outcomes = [known.back(ROOTS[0] + ROOTS[1] * series) for series in (path, donors)]
    steps = [(known.forward(series) - ROOTS[0]) / ROOTS[1] for series in outcomes]
    return Inputs(known, *ROOTS, steps[0][0, :PRE], steps[1]), outcomes[0]


@final
@dataclass(frozen=True, eq=False)
class Simulated(AbstractTask):
    """A model and data drawn from it, in typical steps: a sampler's task without a panel."""

    model: SyntheticControl
    inputs: Inputs
    extras: Extras

    @property
    def more(self) -> tuple[Rows | None, Covariates | None]:
        known = self.extras.covariates
        return self.extras.rows, None if known is None else known.before

    @property
    def width(self) -> int:
        return self.model.prior.width(DONORS)

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        parts = self.model.prior, self.model.process, self.inputs
        return data_arrays(*parts, DONORS, self.width, *self.more)

    @property
    def names(self) -> tuple[str, ...]:
        known = () if self.extras.covariates is None else (COEFFICIENTS,)
        return ("weights", *self.model.process.sampled, *known)

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
        rows, covariates = self.more
        outcome = self.inputs.outcome
        main = regression(process, noise, alpha, outcome, pre, rows, limits, covariates)
        if self.extras.second is None:
            return main
        second = self.extras.second.inputs
        pre = second.donor_outcomes[:PRE]
        return with_outcomes(main, [regression(process, noise, alpha, second.outcome, pre)])

    def build(self) -> Any:
        parts = self.model.prior, self.model.process, self.inputs
        return build_graph(*parts, DONORS, self.width, *self.more)


def _settings(draws: int, seed: int, name: str) -> Settings:
    sampler = "nutpie" if name.endswith("by NUTS") else "auto"
    size = Size(draws, tune=500, chains=2, target_accept=0.97)
    return Settings.checked(size, sampler=sampler, cores=1, random_seed=seed)


def _ranks(
    task: Simulated, posterior: xr.Dataset, true: Truth, rng: np.random.Generator
) -> dict[str, float]:
    """Rank every quantity; ties (weights that underflow) are split at random."""
    model, inputs, (weights, noise, average) = task.model, task.inputs, true
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    drawn = posterior["weights"].to_numpy().reshape(size, -1)[:, : len(DONORS)]
    parameters = {
        name: posterior[name].to_numpy().reshape(size, -1) for name in model.process.sampled
    }
    parameters |= {name: parameters[name][:, 0] for name in model.process.parameters}
    known, coefficients = task.extras.covariates, task.extras.coefficients
    weighted, true_weighted = drawn @ inputs.donor_outcomes.T, weights @ inputs.donor_outcomes.T
    if known is not None:
        scaled = posterior[COEFFICIENTS].to_numpy().reshape(size, -1)
        weighted += explained(known, drawn, scaled)
        true_weighted += explained(known, weights, coefficients[None])
    residual = inputs.outcome - weighted[:, :PRE]
    shocks = model.process.draw_shocks(size, POST, rng)
    future = model.process.continue_path(parameters, residual, shocks, rng).future
    ahead = inputs.restore(weighted[:, PRE:] + future).mean(1)
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
    if known is not None:
        truth |= {f"coefficient {k}": value for k, value in enumerate(coefficients)}
        values |= {f"coefficient {k}": scaled[:, k] for k in range(len(coefficients))}
    if task.extras.second is not None:
        sds = posterior[OUTCOME_SDS].to_numpy().reshape(size, 2)
        truth |= {f"{n} of the second": v[0] for n, v in task.extras.second.noise.items()}
        values |= {f"{n} of the second": sds[:, "sq".index(n)] for n in noise}
    if not model.process.heavy:
        # Given the mixing it would be another function of the data than without.
        true_residual = inputs.outcome - true_weighted[:, :PRE]
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
