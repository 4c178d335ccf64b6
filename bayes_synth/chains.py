"""Chains of the slice sampler: several at a time, in blocks, so that they can be watched and interrupted.

Imports numba, and no PyMC.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import numpy as np
import xarray as xr
from rich.progress import Progress

from bayes_synth.errors import SamplingFailed
from bayes_synth.pairs import Regression, advance, start, sweeps_per_draw

__all__ = ["sample_chains"]

BLOCK = 25
"""Draws between two looks at the clock and at the keyboard."""


def sample_chains(
    regression: Regression,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int,
    effort: int,
    seed: int,
    progressbar: bool | str,
) -> tuple[xr.Dataset, xr.Dataset, bool]:
    """Posterior draws of weights and scales.

    Parameters
    ----------
    regression
        What to sample.
    draws, tune, chains, cores
        Stored draws and discarded ones per chain, chains, and chains at a time.
    effort
        Times the usual number of sweeps between two draws.
    seed
        Each chain has its own stream of it.
    progressbar
        Whether a bar is shown.

    Returns
    -------
    tuple
        ``weights`` (dims ``chain``, ``draw``, ``donor``), ``s`` and ``q``; the log density ``lp``, and ``diverging``,
        which is never true here; and whether an interrupt left the rest of them NaN.

    Raises
    ------
    SamplingFailed
        S001 when the density is not finite at the start, S002 later.
    """
    donors, sweeps = len(regression.donors), effort * sweeps_per_draw(len(regression.donors))
    weights, scales = np.full((chains, draws, donors), np.nan), np.full((chains, draws, 2), np.nan)
    densities, stop, interrupted = np.full((chains, draws), np.nan), Event(), False
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(chains)]
    with Progress(transient=True, disable=not progressbar) as bar, ThreadPoolExecutor(cores) as pool:
        tick = partial(bar.advance, bar.add_task("Sampling", total=chains * (draws + tune)))
        run = partial(_chain, regression, tune, sweeps, tick, stop)
        try:
            # Alone, a chain needs no thread, and refits run in threads already.
            list((map if cores == 1 else pool.map)(run, streams, weights, scales, densities))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            stop.set()
    sample = {"chain": np.arange(chains), "draw": np.arange(draws)}
    dims = tuple(sample)
    used = {name: (dims, scales[..., k]) for k, name in enumerate("sq") if regression.prior_sd[k] > 0}
    posterior = xr.Dataset({"weights": ((*dims, "donor"), weights)} | used, coords=sample)
    stats = {"lp": (dims, densities), "diverging": (dims, np.zeros(densities.shape, dtype=bool))}
    return posterior, xr.Dataset(stats, coords=sample), interrupted


def _chain(
    regression: Regression,
    tune: int,
    sweeps: int,
    tick: Callable[[int], None],
    stop: Event,
    rng: np.random.Generator,
    weights: np.ndarray,
    scales: np.ndarray,
    densities: np.ndarray,
) -> None:
    """One chain, written where it belongs."""
    state = start(regression, rng)
    unused = np.empty((BLOCK, weights.shape[1])), np.empty((BLOCK, 2)), np.empty(BLOCK)
    for targets, total, each in ((unused, tune, 1), ((weights, scales, densities), len(weights), sweeps)):
        for first in range(0, total, BLOCK):
            if stop.is_set():
                return
            count = min(BLOCK, total - first)
            where = slice(count) if targets is unused else slice(first, first + count)
            advance(regression, state, each, rng, *(array[where] for array in targets))
            _check(targets[2][where], begun=targets is not unused or first > 0)
            tick(count)


def _check(densities: np.ndarray, *, begun: bool) -> None:
    if np.isfinite(densities).all():
        return
    if begun:
        raise SamplingFailed(
            "S002",
            "the sampler broke down: a posterior density is not finite. Report it, with the panel and the model.",
        )
    raise SamplingFailed(
        "S001",
        "the sampler could not start: the posterior density near a point drawn from the prior is not finite.\n"
        "  Are the outcomes extreme? See them with panel.outcomes.",
    )
