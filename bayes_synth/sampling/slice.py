"""Run chains of the slice sampler, several at a time, so that they can be watched and interrupted.

This module imports numba, and not PyMC.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import NamedTuple, Self

import numpy as np
import xarray as xr

from bayes_synth.errors import SamplingFailed
from bayes_synth.noise.base import FLOOR
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.regression import COEFFICIENTS, OUTCOME_SDS, Regression
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.slice_covariates import advance_with_covariates
from bayes_synth.sampling.slice_kernel import State, advance, start, sweeps_per_draw
from bayes_synth.sampling.slice_outcomes import advance_with_outcomes

__all__ = ["sample_chains"]

STRIDE = 25
"""Draws between two updates of the progress bar, where an interrupt is noticed."""
EFFORT = 4
"""Each further attempt makes this many times the sweeps per draw of the one before."""


class Draws(NamedTuple):
    """Arrays for the draws of one chain or of all.

    They are weights, the noise's sds, log densities, the coefficients of covariates and the sds of
    the auxiliary outcomes' noise.
    """

    weights: np.ndarray
    sds: np.ndarray
    densities: np.ndarray
    coefficients: np.ndarray
    outcome_sds: np.ndarray

    @classmethod
    def empty(cls, regression: Regression, *shape: int) -> Self:
        """Make arrays for draws of this shape; NaN until a draw is written."""
        covariates, outcomes = regression.covariates, regression.outcomes
        counts = (
            (len(regression.donors),),
            (2,),
            (),
            (len(covariates.treated) if covariates else 0,),
            (len(outcomes.treated) if outcomes else 0, 2),
        )
        return cls(*(np.full((*shape, *count), np.nan) for count in counts))


def sample_chains(
    regression: Regression, settings: Settings, seed: int
) -> tuple[xr.Dataset, xr.Dataset, bool]:
    """Draw weights and the noise's standard deviations from their posterior.

    Parameters
    ----------
    regression
        The model and its data.
    settings
        How much to sample, on how many cores, and which attempt it is.
    seed
        Seed from which each chain gets a stream of its own.

    Returns
    -------
    tuple
        A dataset of ``weights``, dims ``(chain, draw, donor)``, ``s`` and ``q``, in typical steps,
        ``coefficients``, ``(chain, draw, covariate)``, in prior sds where there are covariates, and
        ``outcome_sds``, ``(chain, draw, auxiliary, sd)``, where there are auxiliary outcomes;
        one of the log density ``lp`` and of ``diverging``, which is always False; and whether an
        interrupt left some of the draws NaN.

    Raises
    ------
    SamplingFailed
        S001 when the density is not finite at the start, S002 later.
    """
    size, stop, interrupted = settings.size, Event(), False
    streams = [
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(size.chains)
    ]
    draws = Draws.empty(regression, size.chains, size.draws)
    sweeps = EFFORT ** (settings.attempt - 1) * sweeps_per_draw(len(regression.donors))
    total, shown = size.chains * (size.draws + size.tune), bool(settings.progressbar)
    with bar("Sampling", total, shown=shown) as counted, ThreadPoolExecutor(settings.cores) as pool:
        run = partial(_chain, regression, size.tune, sweeps, counted.tick, stop)
        try:
            # On one core chains need no threads, and refits run in threads already.
            list((map if settings.cores == 1 else pool.map)(run, streams, map(Draws, *draws)))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            stop.set()
    return *_labelled(regression, draws), interrupted


def _labelled(regression: Regression, draws: Draws) -> tuple[xr.Dataset, xr.Dataset]:
    """Label the draws: the posterior, and the sampler's statistics."""
    dims = ("chain", "draw")
    sample = {dim: np.arange(size) for dim, size in zip(dims, draws.densities.shape, strict=True)}
    noise = {
        name: (dims, draws.sds[..., k]) for k, name in enumerate("sq") if regression.prior_sd[k] > 0
    }
    weights = (*dims, "donor"), regression.limits.weights(draws.weights)
    posterior = xr.Dataset({"weights": weights} | noise, coords=sample)
    if regression.covariates is not None:
        posterior[COEFFICIENTS] = (*dims, "covariate"), draws.coefficients
    if regression.outcomes is not None:
        posterior[OUTCOME_SDS] = (*dims, "auxiliary", "sd"), draws.outcome_sds
    stats = {
        "lp": (dims, draws.densities),
        "diverging": (dims, np.zeros(draws.densities.shape, dtype=bool)),
    }
    return posterior, xr.Dataset(stats, coords=sample)


def _chain(
    regression: Regression,
    tune: int,
    sweeps: int,
    tick: Callable[[int], None],
    stop: Event,
    rng: np.random.Generator,
    stored: Draws,
) -> None:
    """Run one chain and write its draws into ``stored``."""
    state = start(regression, rng)
    unused = Draws.empty(regression, STRIDE)
    step = _steps(regression, state, rng)
    for targets, total, each in ((unused, tune, 1), (stored, len(stored.weights), sweeps)):
        for first in range(0, total, STRIDE):
            if stop.is_set():
                return
            count = min(STRIDE, total - first)
            where = slice(count) if targets is unused else slice(first, first + count)
            step(each, Draws(*(array[where] for array in targets)))
            _require_finite(targets.densities[where], begun=targets is not unused or first > 0)
            tick(count)


def _steps(
    regression: Regression, state: State, rng: np.random.Generator
) -> Callable[[int, Draws], None]:
    """Return what makes draws: it is given the sweeps per draw, and fills the arrays."""
    covariates, outcomes = regression.covariates, regression.outcomes
    plain = regression._replace(covariates=None, outcomes=None)
    if outcomes is not None:
        sds = outcomes.prior_sds * np.abs(rng.standard_normal(outcomes.prior_sds.shape))
        log_sds = np.log(np.maximum(sds, FLOOR))
        return lambda sweeps, draws: advance_with_outcomes(
            plain, outcomes, state, log_sds, sweeps, rng, draws
        )
    if covariates is None:
        return lambda sweeps, draws: advance(plain, state, sweeps, rng, *draws[:3])
    coefficients = rng.standard_normal(len(covariates.treated))
    return lambda sweeps, draws: advance_with_covariates(
        plain, covariates, state, coefficients, sweeps, rng, draws
    )


def _require_finite(densities: np.ndarray, *, begun: bool) -> None:
    """Refuse log densities that are not finite: S001 at the start of a chain, S002 later."""
    if np.isfinite(densities).all():
        return
    if begun:
        raise SamplingFailed(
            "S002",
            "the sampler broke down: a posterior density is not finite. Please report it, with the "
            "panel and the model.",
        )
    raise SamplingFailed(
        "S001",
        "the sampler could not start: the posterior density near a point drawn from the prior is "
        "not finite.\n  Are the outcomes extreme? See them with panel.outcomes.",
    )
