"""The PyMC graph, and the key under which compiled graphs are shared."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_synth.model.inputs import Inputs
from bayes_synth.noise.base import AbstractNoise
from bayes_synth.priors import AbstractWeightsPrior
from bayes_synth.registry import entry
from bayes_synth.sampling.regression import COEFFICIENTS, Covariates, Rows

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["MISSING_RESIDUAL", "build_graph", "data_arrays", "match_rows", "structure"]

SERIES = "outcome", "donor_outcomes", "missing", "covariates", "donor_covariates"
"""Arrays that have one row per pre-period."""
MISSING_RESIDUAL = "missing_residual"
"""The treated unit's residual in each pre-period without outcome.

Its prior is flat, so those periods leave the likelihood exactly.
"""


def data_arrays(
    prior: AbstractWeightsPrior,
    process: AbstractNoise,
    inputs: Inputs,
    donors: Sequence[str],
    width: int,
    rows: Rows | None = None,
    covariates: Covariates | None = None,
) -> dict[str, np.ndarray]:
    """Return every array of the graph by name; graphs of one structure differ in these only."""
    pre = inputs.donor_outcomes[: inputs.periods]
    padded = np.pad(pre, ((0, 0), (0, width - len(donors))))
    seen = ~np.isnan(inputs.outcome)
    series = {
        "outcome": np.where(seen, inputs.outcome, 0),
        "donor_outcomes": padded * seen[:, None],
    }
    if len(inputs.missing):
        series["missing"] = np.eye(inputs.periods)[:, inputs.missing]
    if covariates is not None:
        wide = np.pad(covariates.donors, ((0, 0), (0, width - len(donors)), (0, 0)))
        flat = wide.reshape(-1, wide.shape[2])
        series["covariates"] = covariates.treated.T * seen[:, None]
        series["donor_covariates"] = flat.T * seen[:, None]
    rotated = {name: process.rotate(values) for name, values in series.items()}
    known = {}
    if rows is not None:
        padding = ((0, 0), (0, width - len(donors)))
        known = {"known": rows.treated, "known_donors": np.pad(rows.donors, padding)}
    return {**rotated, **known, **prior.inputs(donors, width), **process.inputs(inputs.periods)}


def build_graph(
    prior: AbstractWeightsPrior,
    process: AbstractNoise,
    inputs: Inputs,
    donors: Sequence[str],
    width: int,
    rows: Rows | None = None,
    covariates: Covariates | None = None,
) -> "pm.Model":
    """Build the PyMC model of a pre-period."""
    import pymc as pm

    arrays = data_arrays(prior, process, inputs, donors, width, rows, covariates)
    labels = [*donors, *(f"(padding {i})" for i in range(width - len(donors)))]
    with pm.Model(coords={"donor": labels}) as graph:
        outcome = pm.Data("outcome", arrays["outcome"])
        donor_outcomes = pm.Data("donor_outcomes", arrays["donor_outcomes"])
        weights = prior.build(arrays, width)
        residual = outcome - donor_outcomes @ weights
        if "covariates" in arrays:
            residual -= _explained(arrays, weights)
        if "missing" in arrays:
            flat = pm.Flat(MISSING_RESIDUAL, shape=len(inputs.missing))
            residual += pm.Data("missing", arrays["missing"]) @ flat
        process.build(residual, process.inputs(inputs.periods))
        if "known" in arrays:
            match_rows(weights, arrays["known"], arrays["known_donors"])
    return graph


def _explained(arrays: Mapping[str, np.ndarray], weights: Any) -> Any:
    """Add the coefficients of covariates to the current model; return what they explain."""
    import pymc as pm

    treated = pm.Data("covariates", arrays["covariates"])
    donors = pm.Data("donor_covariates", arrays["donor_covariates"])
    count = arrays["covariates"].shape[1]
    width = arrays["donor_covariates"].shape[1] // count
    coefficients = pm.Normal(COEFFICIENTS, shape=count)
    synthetic = donors.reshape((-1, width)) @ weights
    return (treated - synthetic.reshape((-1, count))) @ coefficients


def match_rows(weights: Any, treated: np.ndarray, donors: np.ndarray) -> None:
    """Add to the current PyMC model that weighted rows match, each with noise of sd 1."""
    import pymc as pm

    mismatch = pm.Data("known", treated) - pm.Data("known_donors", donors) @ weights
    pm.Potential("matched", -0.5 * (mismatch**2).sum())


def structure(
    prior: AbstractWeightsPrior, process: AbstractNoise, arrays: Mapping[str, np.ndarray]
) -> Hashable:
    """The key of a graph: everything that decides its compiled code.

    Two graphs may share one only if they differ in the numbers of their data alone. So the key
    holds every type, every field that is not declared to enter as data, and the shape of every
    array. The number of pre-periods is left out where the process is compiled for any.
    """
    periods = len(arrays["outcome"])
    parts = (prior, process, *process.priors().values())
    free = _time_axes(process, periods) if _any_length(process) else {}
    shapes = [
        (
            name,
            *(
                "pre" if axis in free.get(name, ()) else size
                for axis, size in enumerate(array.shape)
            ),
        )
        for name, array in sorted(arrays.items())
    ]
    return tuple(process.priors()), tuple(map(_identity, parts)), tuple(shapes)


def _any_length(process: AbstractNoise) -> bool:
    registered = entry(process)
    # Student-t noise has one variable per period.
    return registered is not None and registered.any_length and not process.heavy


def _time_axes(process: AbstractNoise, periods: int) -> dict[str, set[int]]:
    """Find the axes that grow with the pre-period, by array: make the noise longer by one."""
    arrays, longer = process.inputs(periods), process.inputs(periods + 1)
    grown = {
        name: {axis for axis, size in enumerate(array.shape) if longer[name].shape[axis] != size}
        for name, array in arrays.items()
    }
    return grown | {name: {0} for name in SERIES}


def _identity(part: Any) -> Hashable:
    """Return a key that is equal for values that make the same graph.

    Objects of types that are not registered equal themselves only.
    """
    if isinstance(part, str | int | float | None):
        return type(part), part
    if isinstance(part, list | tuple):
        return tuple(map(_identity, part))
    if isinstance(part, Mapping):
        return tuple((str(name), _identity(value)) for name, value in part.items())
    if isinstance(part, np.ndarray):
        return part.shape, part.dtype.str, part.tobytes()
    registered = entry(part)
    if registered is None:
        # Its text as well: an object can be changed in place.
        return id(part), repr(part)
    named = (field.name for field in fields(part) if field.name not in registered.data)
    return registered.cls, *((name, _identity(getattr(part, name))) for name in named)
