"""Inflate a predictive path as the placebos say, draw by draw under the prior on ``q`` of each."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.model.calibration import COLUMNS, Calibration, Evidence, Inflated
from bayes_synth.model.problem import Problem
from bayes_synth.noise.base import FLOOR
from bayes_synth.results.calibrated import Alternative, Placebos

__all__ = ["FACTOR", "inflate", "noise_doubt", "tables"]

FACTOR = "q_factor"
"""The variable of the posterior that says under which factor a draw was made."""


def noise_doubt(problem: Problem, posterior: xr.Dataset, periods: int | None = None) -> float:
    """Return the posterior sd of the log of the average's predictive sd, by the noise alone.

    Parameters
    ----------
    problem
        What was fitted.
    posterior
        The sampler's draws, in typical steps.
    periods
        Over how many periods the average is; None: those from ``start`` on that have an outcome.
    """
    process = problem.model.process
    periods = int(np.isfinite(problem.observed).sum()) if periods is None else periods
    draws = {name: posterior[name].to_numpy().ravel() for name in process.parameters}
    parts = process.average_variance(draws, periods)
    return float(np.std(0.5 * np.log(np.maximum(sum(parts.values()), FLOOR**2))))


def inflate(
    path: np.ndarray,
    problem: Problem,
    posterior: xr.Dataset,
    placebos: Placebos,
    plan: Calibration,
    rng: np.random.Generator,
    *,
    pooling: tuple[float, float] | None = None,
) -> Inflated:
    """Inflate the draws under each factor as the refits under that factor say.

    Parameters
    ----------
    path
        Counterfactual on the model's scale, dims ``(chain, draw, post)``.
    problem, posterior
        What was fitted, and the sampler's draws in typical steps. Without the variable
        ``q_factor`` all draws are taken to be under the prior as the model states it.
    placebos, plan
        What the donors' refits have shown, and how to calibrate on it.
    rng
        Randomness of kappa, of the tails and of lambda.
    pooling
        See :meth:`bayes_synth.model.calibration.Evidence.inflate`.
    """
    seen, step = np.isfinite(problem.observed), problem.inputs.step
    known = {each.factor: each for each in placebos.each}
    labels = _labels(posterior, path.shape[1], max(known))
    merged, weighed = [np.empty(path.shape), *np.empty((4, *path.shape[:2]))], np.zeros(2)
    for factor in np.unique(labels):
        each, where = known[float(factor)], labels == factor
        own = {"step": step, "doubt": noise_doubt(problem, posterior.isel(draw=where))}
        learnt = (
            plan.learn(each.table, each.growth, placebos.power)
            if each.inflations is None
            else Evidence(plan, each.table, each.growth, *each.inflations)
        )
        part = _of_version_0_1(learnt).inflate(path[:, where], seen, own, rng, pooling=pooling)
        for target, values in zip(merged, part[:5], strict=True):
            target[:, where] = values
        weighed += where.mean() * np.array(part[5:])
    path, kappa, lam, kappa_deviations, lam_deviations = merged
    return Inflated(path, kappa, lam, kappa_deviations, lam_deviations, *map(float, weighed))


def _of_version_0_1(learnt: Evidence) -> Evidence:
    """Give the deviations the average's inflation where the refits recorded no deviations."""
    table = learnt.placebos
    if len(table) and table["deviation_sd"].isna().all():
        return Evidence(learnt.plan, table, learnt.growth, learnt.average, learnt.average)
    return learnt


def _labels(posterior: xr.Dataset, draws: int, default: float) -> np.ndarray:
    """Return the factor of every draw of a chain; it is the same in all chains."""
    if FACTOR not in posterior:
        return np.full(draws, default)
    return np.asarray(posterior[FACTOR].transpose("chain", "draw").to_numpy()[0])


def tables(alternatives: Sequence[Alternative]) -> xr.Dataset:
    """Put the tables under every factor into one dataset, dims ``(alternative, placebo)``."""
    factors = pd.Index([each.factor for each in alternatives], name="alternative")
    parts = [
        each.table[list(COLUMNS)]
        .rename_axis("placebo")
        .to_xarray()
        .assign(share=each.share, growth=each.growth)
        for each in alternatives
    ]
    return xr.concat(parts, dim=factors)
