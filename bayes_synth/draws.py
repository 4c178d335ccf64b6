"""From the sampler's draws to labelled ones: the groups of a fit, in the user's units.

Everything after sampling happens here once: pre-period replicates, the counterfactual, the pointwise
log likelihood. Imports the specification (model, priors, noise) and no PyMC.
"""

import json
from typing import NamedTuple

import numpy as np
import xarray as xr

from bayes_synth.calibration import Calibration, Placebos
from bayes_synth.effects import SAMPLE_DIMS, effect_draws
from bayes_synth.errors import PriorError
from bayes_synth.model import GAP_RESIDUAL, Inputs, SyntheticControl, scaled
from bayes_synth.noise.base import Continuation
from bayes_synth.panel import Panel
from bayes_synth.priors import as_weights_prior

__all__ = ["calibrated_groups", "posterior_groups", "predicted", "prior_groups", "tree", "unit"]


def tree(groups: dict[str, xr.Dataset]) -> xr.DataTree:
    """The groups as one DataTree."""
    return xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})


def posterior_groups(
    model: SyntheticControl, panel: Panel, posterior: xr.Dataset, rng: np.random.Generator
) -> dict[str, xr.Dataset]:
    """Every group that follows from the posterior, in outcome units.

    Parameters
    ----------
    model, panel
        What was fitted.
    posterior
        ``weights`` (padded) and the noise parameters in units of the scale, dims ``(chain, draw, ...)``.
    rng
        Randomness of the predictive draws.
    """
    lay, weights, noise, weighted, residual, path = _continued(model, panel, posterior, rng)
    inputs = lay.inputs
    predictions = lay.post(weighted[:, inputs.periods :] + path.future, "counterfactual")
    observed = _observed(panel)
    plain = {**{name: noise[name] for name in model.process.parameters}, "level": path.level}
    sized = {name: lay.scalar(value * unit(model, name, inputs)) for name, value in plain.items()}
    sized |= {name: lay.timed(noise[name], "pre") for name in noise if name not in plain}
    groups = {} if model.process.heavy else {"log_likelihood": _log_likelihood(model, noise, residual, lay, observed)}
    return {
        "posterior": xr.Dataset({"weights": lay.donor(weights)} | sized),
        "posterior_predictive": lay.pre(weighted[:, : inputs.periods] + path.replicate, "outcome"),
        "predictions": predictions,
        "effects": effect_draws(observed["predictions_constant_data"]["outcome"], predictions["counterfactual"]),
        "log_prior": _log_prior(model, panel, weights, noise, lay),
        **observed,
        **groups,
    }


def _log_likelihood(
    model: SyntheticControl,
    noise: dict[str, np.ndarray],
    residual: np.ndarray,
    lay: "_Layout",
    observed: dict[str, xr.Dataset],
) -> xr.Dataset:
    """``log p(y_t | y_-t, parameters)`` in outcome units, of the pre-periods that have an outcome.

    Not for Student-t noise: given each period's own precision it would be another density, and useless at outliers.
    """
    seen, inputs = observed["observed_data"]["outcome"].to_numpy(), lay.inputs
    density = model.process.log_predictive(noise, residual, inputs.gaps) - np.log(inputs.scale)
    density += inputs.measure.log_slope(seen)
    return xr.Dataset({"outcome": lay.timed(density, "pre").isel(time=~np.isnan(inputs.outcome))})


def predicted(
    model: SyntheticControl, panel: Panel, posterior: xr.Dataset, rng: np.random.Generator
) -> tuple[xr.DataArray, Inputs, xr.DataArray]:
    """The counterfactual alone, the panel as it was seen, and the mean gap, observed minus synthetic, over all times.

    Both arrays are on the model's scale; the first has dims ``(chain, draw, time)``.
    """
    lay, _, _, weighted, _, path = _continued(model, panel, posterior, rng)
    inputs = lay.inputs
    future = lay.timed(inputs.location + inputs.scale * (weighted[:, inputs.periods :] + path.future), "post")
    synthetic = inputs.location + inputs.scale * (weighted.mean(0) + path.level.mean())
    return future, inputs, inputs.measure.forward(panel.treated_outcome) - synthetic


def calibrated_groups(
    groups: dict[str, xr.Dataset], found: Placebos, plan: Calibration, inputs: Inputs, rng: np.random.Generator
) -> dict[str, xr.Dataset]:
    """Predictions and effects spread by what the donors say, and the group ``calibration`` that says it.

    ``inputs`` are the treated unit's: its scale, and the scale on which paths are spread.
    """
    path = inputs.measure.forward(groups["predictions"]["counterfactual"])
    seen = groups["predictions_constant_data"]["outcome"].notnull()
    done = plan.spread(path, seen, inputs.scale, found.table, rng)
    counterfactual = inputs.measure.back(done.path)
    gaps = xr.DataArray(found.gaps, dims=("placebo", "time"))
    evidence = (
        found.table.rename_axis("placebo").to_xarray().assign({"kappa": done.kappa, "lambda": done.lam, "gap": gaps})
    )
    return {
        "predictions": counterfactual.to_dataset(name="counterfactual"),
        "predictions_uncalibrated": groups["predictions"],
        "effects": effect_draws(groups["predictions_constant_data"]["outcome"], counterfactual),
        "calibration": evidence.assign_attrs(skipped=json.dumps(found.skipped), pooling=done.pooling),
    }


def prior_groups(model: SyntheticControl, panel: Panel, draws: int, rng: np.random.Generator) -> dict[str, xr.Dataset]:
    """The groups ``prior``, ``prior_predictive`` and ``observed_data``, in outcome units."""
    inputs = scaled(model, panel)
    lay = _Layout((1, draws), panel, inputs)
    weights = as_weights_prior(model.weights).sample(panel.donors, draws, rng)
    noise = model.process.sample(draws, rng)
    path = weights @ inputs.donor_outcomes[: inputs.periods].T + model.process.simulate(noise, inputs.periods, rng)
    path += _prior_level(model, path, rng)
    sized = {name: lay.scalar(value * unit(model, name, inputs)) for name, value in noise.items()}
    return {
        "prior": xr.Dataset({"weights": lay.donor(weights), **sized}),
        "prior_predictive": lay.pre(path, "outcome"),
        "observed_data": _observed(panel)["observed_data"],
    }


def _prior_level(model: SyntheticControl, path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A draw of the level; a free one puts each path on the observed mean, which is zero on this scale."""
    sd = model.process.level_sd
    return -path.mean(1, keepdims=True) if np.isinf(sd) else sd * rng.standard_normal((len(path), 1))


def unit(model: SyntheticControl, name: str, inputs: Inputs) -> float:
    """What a parameter of the noise is multiplied by to be in the units of the model's scale."""
    return 1.0 if name in model.process.unitless else inputs.scale


def _log_prior(
    model: SyntheticControl, panel: Panel, weights: np.ndarray, noise: dict[str, np.ndarray], lay: "_Layout"
) -> xr.Dataset:
    priors = model.process.log_prior(noise).items()
    densities = {name: value - np.log(unit(model, name, lay.inputs)) for name, value in priors}
    densities["weights"] = as_weights_prior(model.weights).log_density(weights, panel.donors)
    return xr.Dataset({name: lay.scalar(value) for name, value in densities.items()})


def _observed(panel: Panel) -> dict[str, xr.Dataset]:
    """The panel itself, split at ``start``; from these groups a saved fit rebuilds it."""
    pre, post = panel.pre.to_numpy(), panel.post.to_numpy()
    series = xr.Dataset(
        {
            "donor_outcomes": panel.donor_outcomes,
            "treated_outcomes": panel.outcomes.sel(unit=list(panel.treated)).rename(unit="treated"),
        }
    )
    outcome = panel.treated_outcome
    return {
        "observed_data": xr.Dataset({"outcome": outcome.sel(time=pre)}),
        "constant_data": series.sel(time=pre),
        "predictions_constant_data": series.assign(outcome=outcome).sel(time=post),
    }


class _Layout:
    """Arrays of draws with their labels, in the user's units."""

    def __init__(self, shape: tuple[int, ...], panel: Panel, inputs: Inputs) -> None:
        self.inputs = inputs
        self._shape = shape
        self._sample = {dim: np.arange(size) for dim, size in zip(SAMPLE_DIMS, shape, strict=True)}
        self._donors = np.array(panel.donors, dtype=object)
        self._times = {"pre": panel.pre.to_numpy(), "post": panel.post.to_numpy()}

    def scalar(self, values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values.reshape(self._shape), dims=SAMPLE_DIMS, coords=self._sample)

    def donor(self, values: np.ndarray) -> xr.DataArray:
        coords = {**self._sample, "donor": self._donors}
        return xr.DataArray(values.reshape(*self._shape, -1), dims=(*SAMPLE_DIMS, "donor"), coords=coords)

    def timed(self, values: np.ndarray, period: str) -> xr.DataArray:
        coords = {**self._sample, "time": self._times[period]}
        return xr.DataArray(values.reshape(*self._shape, -1), dims=(*SAMPLE_DIMS, "time"), coords=coords)

    def pre(self, values: np.ndarray, name: str) -> xr.Dataset:
        return xr.Dataset({name: self.timed(self.inputs.restore(values), "pre")})

    def post(self, values: np.ndarray, name: str) -> xr.Dataset:
        return xr.Dataset({name: self.timed(self.inputs.restore(values), "post")})


class _Continued(NamedTuple):
    """Draws one after the other: weights without their padding, noise, donors @ weights, residual, its continuation."""

    lay: _Layout
    weights: np.ndarray
    noise: dict[str, np.ndarray]
    weighted: np.ndarray
    residual: np.ndarray
    path: Continuation


def _continued(model: SyntheticControl, panel: Panel, posterior: xr.Dataset, rng: np.random.Generator) -> _Continued:
    lay = _Layout(posterior["weights"].shape[:2], panel, scaled(model, panel))
    weights = posterior["weights"].to_numpy()[..., : len(panel.donors)].reshape(-1, len(panel.donors))
    if not (weights.min() >= 0 and np.allclose(weights.sum(1), 1, atol=1e-6)):
        raise PriorError(
            "O006", "the weights prior is not one on the simplex: its draws are negative or do not sum to one."
        )
    noise = {name: posterior[name].to_numpy().reshape(len(weights), -1) for name in model.process.sampled}
    noise |= {name: noise[name][:, 0] for name in model.process.parameters}
    weighted = weights @ lay.inputs.donor_outcomes.T
    residual = lay.inputs.outcome - weighted[:, : lay.inputs.periods]
    if len(lay.inputs.gaps):
        residual[:, lay.inputs.gaps] = posterior[GAP_RESIDUAL].to_numpy().reshape(len(weights), -1)
    path = model.process.continue_path(noise, residual, len(panel.post), rng)
    return _Continued(lay, weights, noise, weighted, residual, path)
