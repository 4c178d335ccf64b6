"""The PyMC model as its users write one: an observed ``outcome``, the panel's donors, its units.

The graph that samplers compile (:mod:`bayes_synth.model.graph`) has padded donors and rotated data,
so that many panels share it. This one has the same posterior, on the panel's own labels and in
outcome units, and works with everything that PyMC does to a model.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_synth.model.covariates import CovariateSeries
from bayes_synth.model.inputs import Inputs
from bayes_synth.model.outcome_scale import COUNT
from bayes_synth.noise.base import MIXING, AbstractNoise
from bayes_synth.priors import AbstractWeightsPrior, HalfNormal
from bayes_synth.sampling.regression import COEFFICIENTS

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["MISSING_OUTCOME", "WIDE", "observed_graph"]

NONE: Mapping[str, tuple[AbstractNoise, Inputs]] = MappingProxyType({})
WIDE = 1e3
"""Prior sd, in typical steps, of what has a flat prior: a missing outcome's residual."""
MISSING_OUTCOME = "missing_residual"
"""The treated unit's residual in each pre-period without outcome, in typical steps."""


def observed_graph(
    prior: AbstractWeightsPrior,
    process: AbstractNoise,
    inputs: Inputs,
    scale: str,
    donors: Sequence[str],
    times: pd.Index,
    covariates: CovariateSeries | None = None,
    auxiliary: Mapping[str, tuple[AbstractNoise, Inputs]] = NONE,
) -> "pm.Model":
    """Build the PyMC model of a pre-period, with the outcome as its observed variable.

    Parameters
    ----------
    prior, process
        The prior on the weights, and the noise.
    inputs
        The series in typical steps.
    scale
        Name of the scale on which outcomes are modelled.
    donors, times
        Labels of the donors and of the pre-periods.
    covariates
        Series with a common coefficient each; None for none.
    auxiliary
        Noise and series of further outcomes that share the weights, by name; they are observed as
        ``outcome (NAME)``, and their parameters have names of the same kind.
    """
    import pymc as pm

    seen = ~np.isnan(inputs.outcome)
    pre = inputs.on_scale(inputs.donor_outcomes[: inputs.periods])
    coords = {"donor": list(donors), "time": times[seen], "pre_period": times}
    with pm.Model(coords=coords) as graph:
        series = pm.Data("donor_outcomes", pre, dims=("pre_period", "donor"))
        weights = prior.build(prior.inputs(donors, len(donors)), len(donors))
        synthetic = pm.Deterministic("synthetic", series @ weights, dims="pre_period")
        expected = synthetic
        if covariates is not None:
            expected = synthetic + _explained(covariates, weights, inputs.step)
        parameters = {name: _parameter(name, process, inputs.step) for name in process.priors()}
        if process.heavy:
            half = process.degrees_of_freedom / 2
            parameters[MIXING] = pm.Gamma(MIXING, half, half, dims="pre_period")
        if len(inputs.missing):
            parameters[MISSING_OUTCOME] = pm.Normal(
                MISSING_OUTCOME, 0, WIDE, shape=len(inputs.missing)
            )
        likelihood = _Likelihood(process, inputs, scale, tuple(parameters))
        pm.CustomDist(
            "outcome",
            expected[np.flatnonzero(seen)],
            *parameters.values(),
            logp=likelihood.log_density,
            random=likelihood.draw,
            signature=likelihood.signature,
            observed=inputs.restore(inputs.outcome)[seen],
            dims="time",
        )
        for name, (own_noise, own_inputs) in auxiliary.items():
            _add_outcome(name, own_noise, own_inputs, scale, weights)
    # A start of its own would keep PyMC from converting the model, as pm.do and others do.
    graph.rvs_to_initial_values.update(dict.fromkeys(graph.free_RVs))
    return graph


def _add_outcome(
    name: str, process: AbstractNoise, inputs: Inputs, scale: str, weights: Any
) -> None:
    """Add a complete outcome that shares the weights, with normal noise of its own."""
    import pymc as pm

    pre = inputs.on_scale(inputs.donor_outcomes[: inputs.periods])
    series = pm.Data(f"donor_outcomes ({name})", pre, dims=("pre_period", "donor"))
    synthetic = pm.Deterministic(f"synthetic ({name})", series @ weights, dims="pre_period")
    names = tuple(process.priors())
    parameters = [_parameter(own, process, inputs.step, f" ({name})") for own in names]
    likelihood = _Likelihood(process, inputs, scale, names)
    pm.CustomDist(
        f"outcome ({name})",
        synthetic,
        *parameters,
        logp=likelihood.log_density,
        random=likelihood.draw,
        signature=likelihood.signature,
        observed=inputs.restore(inputs.outcome),
        dims="time",
    )


def _explained(covariates: CovariateSeries, weights: Any, step: float) -> Any:
    """Add the covariates' coefficients, in outcome units per covariate, and what they explain.

    Their data count from one location each, which cancels out.
    """
    import pymc as pm
    import pytensor.tensor as pt

    labels = {"covariate": list(covariates.names)}
    pm.modelcontext(None).add_coords(labels)
    sds = np.maximum(step / covariates.per_step, np.finfo(float).tiny)
    coefficients = pm.Normal(COEFFICIENTS, 0, sds, dims="covariate")
    treated, donors = covariates.centred
    series = pm.Data("covariates", treated, dims=("covariate", "pre_period"))
    of_donors = pm.Data("donor_covariates", donors, dims=("covariate", "donor", "pre_period"))
    apart = series - (of_donors * weights[None, :, None]).sum(axis=1)
    return pt.dot(coefficients, apart)


def _parameter(name: str, process: AbstractNoise, step: float, suffix: str = "") -> Any:
    """Create a parameter of the noise, a standard deviation in outcome units."""
    import pymc as pm

    prior, scaled = process.priors()[name], name not in process.unitless
    if isinstance(prior, HalfNormal) and scaled:
        return pm.HalfNormal(f"{name}{suffix}", prior.sigma * step)
    if not scaled:
        return prior.create_variable(f"{name}{suffix}")
    steps = prior.create_variable(f"{name}_steps{suffix}")
    return pm.Deterministic(f"{name}{suffix}", step * steps)


def _as_it_is(value: Any) -> tuple[Any, Any]:
    return value, value * 0


def _log(value: Any) -> tuple[Any, Any]:
    import pytensor.tensor as pt

    return pt.log(value), -pt.log(value)


def _sqrt(value: Any) -> tuple[Any, Any]:
    import pytensor.tensor as pt

    root = pt.sqrt(value + COUNT)
    return root, -pt.log(2 * root)


SYMBOLIC: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "linear": _as_it_is,
    "log": _log,
    "sqrt": _sqrt,
}
"""By scale: the outcome on it, and the log of the derivative."""


class _Likelihood:
    """The law of the outcome given the synthetic unit and the noise's parameters."""

    def __init__(
        self, process: AbstractNoise, inputs: Inputs, scale: str, names: tuple[str, ...]
    ) -> None:
        self._process, self._inputs, self._names = process, inputs, names
        self._scale, self._seen = scale, ~np.isnan(inputs.outcome)

    @property
    def signature(self) -> str:
        """Core dims of the arguments and of the outcome."""
        lengths = {MIXING: "p", MISSING_OUTCOME: "m"}
        parts = ",".join(f"({lengths.get(name, '')})" for name in self._names)
        return f"(t),{parts}->(t)"

    def log_density(self, value: Any, synthetic: Any, *values: Any) -> Any:
        """Return the symbolic log density of the outcome, in outcome units."""
        import pytensor.tensor as pt

        inputs, process = self._inputs, self._process
        given = self._in_steps(values)
        forward, log_slope = SYMBOLIC[self._scale](value)
        residual = pt.zeros(inputs.periods)[self._seen].set((forward - synthetic) / inputs.step)
        if MISSING_OUTCOME in given:
            residual = residual[inputs.missing].set(given.pop(MISSING_OUTCOME))
        data = {name: pt.constant(array) for name, array in process.inputs(inputs.periods).items()}
        basis = process.rotation(inputs.periods)
        rotated = residual if basis is None else pt.constant(basis) @ residual
        density = process.log_likelihood(rotated, given, data)
        return density + (log_slope - np.log(inputs.step)).sum()

    def draw(
        self, synthetic: np.ndarray, *values: Any, rng: np.random.Generator, size: Any = None
    ) -> np.ndarray:
        """Draw outcomes: the synthetic unit plus a level and noise from their own law."""
        inputs, process = self._inputs, self._process
        given = self._in_steps(values)
        given.pop(MISSING_OUTCOME, None)
        draws = {
            name: np.atleast_2d(value) if name == MIXING else np.atleast_1d(value)
            for name, value in given.items()
        }
        path = process.simulate(draws, inputs.periods, rng)
        sd = min(process.level_sd, WIDE)
        path = path + sd * rng.standard_normal((len(path), 1))
        drawn = synthetic + inputs.step * path[0][self._seen]
        return np.asarray(inputs.scale.back(drawn))

    def _in_steps(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the parameters by name in typical steps."""
        step, unitless = self._inputs.step, (*self._process.unitless, MIXING, MISSING_OUTCOME)
        return {
            name: value if name in unitless else value / step
            for name, value in zip(self._names, values, strict=True)
        }
