"""Turn the sampler's draws into labelled ones: the groups of a fit, in outcome units.

Everything after sampling happens here once: pre-period replicates, the counterfactual, the
pointwise log likelihood. Imports no PyMC.
"""

import json

import numpy as np
import xarray as xr
from scipy import special

from bayes_synth.data.panel import Panel
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Placebos
from bayes_synth.results.continued import Continued, ShocksOf, continued
from bayes_synth.results.estimands import effect_draws
from bayes_synth.results.inflating import FACTOR, inflate, tables
from bayes_synth.results.layout import Layout
from bayes_synth.results.weighted import explained
from bayes_synth.sampling.regression import COEFFICIENTS
from bayes_synth.words import SAMPLE_DIMS

__all__ = [
    "calibrated_groups",
    "observed_post",
    "posterior_groups",
    "predicted",
    "prior_groups",
    "tree",
]


NO_DRAWS = xr.Dataset()


def tree(groups: dict[str, xr.Dataset]) -> xr.DataTree:
    """Put the groups into one DataTree."""
    return xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})


def posterior_groups(
    problem: Problem,
    posterior: xr.Dataset,
    rng: np.random.Generator,
    shocks_of: ShocksOf | None = None,
) -> dict[str, xr.Dataset]:
    """Make every group that follows from the posterior, in outcome units.

    Parameters
    ----------
    problem
        What was fitted.
    posterior
        ``weights`` (padded) and the noise parameters in typical steps, dims ``(chain, draw, ...)``.
    rng
        Randomness of the predictive draws.
    shocks_of
        Gives the shocks of the periods to come, where units share them; None: they are drawn.

    Raises
    ------
    PriorError
        O006 when the draws of the weights leave the simplex.
    """
    inputs, process = problem.inputs, problem.process
    after = continued(problem, posterior, rng, shocks_of)
    weights, noise, weighted, _, path = after
    layout = Layout(posterior["weights"].shape[:2], problem)
    predictions = layout.outcome(
        weighted[:, inputs.periods :] + path.future, "post", "counterfactual"
    )
    plain = {**{name: noise[name] for name in process.parameters}, "level": path.level}
    sized = {
        name: layout.scalar(value * problem.parameter_unit(name)) for name, value in plain.items()
    }
    sized |= {name: layout.timed(noise[name], "pre") for name in noise if name not in plain}
    if FACTOR in posterior:
        sized[FACTOR] = layout.scalar(posterior[FACTOR].transpose(*SAMPLE_DIMS).to_numpy())
    if problem.calendar.labels:
        sized["seasonal"] = layout.seasonal(path.coefficients)
    if problem.covariates is not None:
        sized[COEFFICIENTS] = layout.coefficients(posterior[COEFFICIENTS].to_numpy())
    observed = _observed(problem.panel)
    groups = {}
    if not process.heavy:
        groups["log_likelihood"] = _log_likelihood(problem, after, layout, observed)
    return {
        "posterior": xr.Dataset({"weights": layout.donor(weights)} | sized),
        "posterior_predictive": layout.outcome(
            weighted[:, : inputs.periods] + path.replicate, "pre", "outcome"
        ),
        "predictions": predictions,
        "log_prior": _log_prior(problem, posterior, after, layout),
        **observed,
        **groups,
    }


def _log_likelihood(
    problem: Problem, after: Continued, layout: Layout, observed: dict[str, xr.Dataset]
) -> xr.Dataset:
    """Return ``log p(y_t | y_-t, parameters)`` in outcome units, where there is an outcome.

    It is not for Student-t noise: given each period's own precision it would be another density,
    and useless at outliers.
    """
    seen, inputs = observed["observed_data"]["outcome"].to_numpy(), problem.inputs
    density = problem.process.log_predictive(after.noise, after.residual, inputs.missing)
    density -= np.log(inputs.step)
    density += inputs.scale.log_slope(seen)
    return xr.Dataset(
        {"outcome": layout.timed(density, "pre").isel(time=~np.isnan(inputs.outcome))}
    )


def predicted(
    problem: Problem, posterior: xr.Dataset, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the counterfactual alone, and the synthetic unit's mean over the draws.

    Returns
    -------
    tuple
        Dims ``(chain, draw, post)``, and ``(time,)`` over all times, on the model's scale.

    Raises
    ------
    PriorError
        O006 when the draws of the weights leave the simplex.
    """
    inputs = problem.inputs
    _, _, weighted, _, path = continued(problem, posterior, rng)
    future = inputs.on_scale(weighted[:, inputs.periods :] + path.future)
    shape = posterior["weights"].shape[:2]
    return future.reshape(*shape, -1), inputs.on_scale(weighted.mean(0) + path.level.mean())


def observed_post(problem: Problem) -> xr.DataArray:
    """Return the treated outcome from ``start`` on, dims ``(time,)``."""
    return problem.panel.treated_outcome.sel(time=problem.panel.post.to_numpy())


def calibrated_groups(
    groups: dict[str, xr.Dataset],
    placebos: Placebos,
    plan: Calibration,
    problem: Problem,
    posterior: xr.Dataset,
    rng: np.random.Generator,
) -> dict[str, xr.Dataset]:
    """Inflate predictions and effects as the placebos say, and add the group ``calibration``.

    Parameters
    ----------
    groups
        They have ``predictions`` and ``predictions_constant_data``; they stay as they are.
    placebos, plan
        What the donors' refits have shown, and how to calibrate on it.
    problem
        What was fitted.
    posterior
        The sampler's draws, in typical steps.
    rng
        Randomness of kappa, of the tails and of lambda.

    Returns
    -------
    dict
        Only the groups that are new or changed.
    """
    scale, raw = problem.inputs.scale, groups["predictions"]["counterfactual"]
    inflated = inflate(scale.forward(raw.to_numpy()), problem, posterior, placebos, plan, rng)
    counterfactual = raw.copy(data=scale.back(inflated.path))
    sample = {dim: raw[dim] for dim in SAMPLE_DIMS}
    names = {
        "kappa": inflated.kappa,
        "lambda": inflated.lam,
        "kappa_deviations": inflated.kappa_deviations,
        "lambda_deviations": inflated.lam_deviations,
    }
    draws = {
        name: xr.DataArray(values, dims=SAMPLE_DIMS, coords=sample)
        for name, values in names.items()
    }
    gaps = xr.DataArray(placebos.gaps, dims=("placebo", "time"))
    evidence = tables(placebos.each).assign({**draws, "gap": gaps})
    return {
        "predictions": counterfactual.to_dataset(name="counterfactual"),
        "predictions_uncalibrated": groups["predictions"],
        "effects": effect_draws(
            groups["predictions_constant_data"]["outcome"],
            counterfactual,
            units=len(problem.panel.treated),
        ),
        "calibration": evidence.assign_attrs(
            skipped=json.dumps(placebos.skipped),
            pooling=inflated.pooling,
            pooling_deviations=inflated.pooling_deviations,
            power=placebos.power,
            **({"sets": placebos.sets} if placebos.sets else {}),
        ),
    }


def prior_groups(
    problem: Problem,
    draws: int,
    rng: np.random.Generator,
    posterior: xr.Dataset = NO_DRAWS,
) -> dict[str, xr.Dataset]:
    """Draw the groups ``prior`` and ``prior_predictive``, and add ``observed_data``.

    They have dims ``(chain, draw, ...)`` with one chain, and outcome units. The prior of ``q`` is
    averaged over the same factors, in the same shares, as the draws of ``posterior``, if any.
    """
    inputs, process = problem.inputs, problem.process
    layout = Layout((1, draws), problem)
    weights = problem.prior.sample(problem.donors, draws, rng)
    noise = process.sample(draws, rng)
    if (shares := _shares(posterior)) != {1.0: 1.0}:
        noise["q"] = noise["q"] * rng.choice(list(shares), size=draws, p=list(shares.values()))
    path = weights @ inputs.donor_outcomes[: inputs.periods].T + process.simulate(
        noise, inputs.periods, rng
    )
    path += _prior_level(process.level_sd, path, rng)
    more = {}
    if problem.covariates is not None:
        scaled = rng.standard_normal((draws, len(problem.covariates.names)))
        path += explained(problem.covariates, weights, scaled)[:, : inputs.periods]
        more[COEFFICIENTS] = layout.coefficients(scaled)
    sized = {
        name: layout.scalar(value * problem.parameter_unit(name)) for name, value in noise.items()
    }
    return {
        "prior": xr.Dataset({"weights": layout.donor(weights), **sized, **more}),
        "prior_predictive": layout.outcome(path, "pre", "outcome"),
        "observed_data": _observed(problem.panel)["observed_data"],
    }


def _prior_level(sd: float, path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the level; a free one puts each path on the observed mean, which is zero here."""
    return (
        -path.mean(1, keepdims=True) if np.isinf(sd) else sd * rng.standard_normal((len(path), 1))
    )


def _shares(posterior: xr.Dataset) -> dict[float, float]:
    """Return the share of the draws under each factor on the prior sd of ``q``."""
    if FACTOR not in posterior:
        return {1.0: 1.0}
    factors, counts = np.unique(posterior[FACTOR], return_counts=True)
    return {float(f): float(n) for f, n in zip(factors, counts / counts.sum(), strict=True)}


def _log_prior(
    problem: Problem, posterior: xr.Dataset, after: Continued, layout: Layout
) -> xr.Dataset:
    noise, shares = after.noise, _shares(posterior)
    priors = problem.model.process.log_prior(noise)
    if shares != {1.0: 1.0}:
        # A scale family: the density under a factor is the one at the value over the factor.
        each = [
            problem.model.process.log_prior(noise | {"q": noise["q"] / f})["q"] - np.log(f)
            for f in shares
        ]
        weight = np.array(list(shares.values()))[:, None]
        priors["q"] = special.logsumexp(np.stack(each), axis=0, b=weight)
    densities = {
        name: value - np.log(problem.parameter_unit(name)) for name, value in priors.items()
    }
    densities["weights"] = problem.prior.log_density(after.weights, problem.donors)
    if problem.covariates is not None:
        scaled = posterior[COEFFICIENTS].to_numpy()
        sds = problem.inputs.step / problem.covariates.per_step
        each = -0.5 * (scaled**2 + np.log(2 * np.pi)) - np.log(sds)
        densities[COEFFICIENTS] = each[..., sds > 0].sum(-1)
    return xr.Dataset({name: layout.scalar(value) for name, value in densities.items()})


def _observed(panel: Panel) -> dict[str, xr.Dataset]:
    """Split the panel itself at ``start``; from these groups a saved fit rebuilds it."""
    pre, post = panel.pre.to_numpy(), panel.post.to_numpy()
    series = xr.Dataset(
        {
            "donor_outcomes": panel.donor_outcomes,
            "treated_outcomes": panel.outcomes.sel(unit=list(panel.treated)).rename(unit="treated"),
        }
    )
    if panel.covariates is not None:
        for label, units in (("donor", panel.donors), ("treated", panel.treated)):
            own = panel.covariates.of(units).rename(unit=label)
            series[f"{label}_covariates"] = own.assign_coords(
                covariate=np.array(panel.covariates.names, dtype=object)
            )
    outcome = panel.treated_outcome
    return {
        "observed_data": xr.Dataset({"outcome": outcome.sel(time=pre)}),
        "constant_data": series.sel(time=pre),
        "predictions_constant_data": series.assign(outcome=outcome).sel(time=post),
    }
