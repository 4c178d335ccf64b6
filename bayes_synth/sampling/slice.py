"""Chains of the slice sampler: several at a time, in blocks, so that they can be watched and interrupted.

Imports numba, and no PyMC.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import NamedTuple, Self

import numpy as np
import xarray as xr

from bayes_synth.errors import SamplingFailed
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.regression import Regression
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.slice_kernel import advance, start, sweeps_per_draw

__all__ = ["sample_chains"]

STRIDE = 25
"""Draws between two looks at the clock and at the keyboard."""
EFFORT = 4
"""Each further attempt sweeps so many times as often between two draws."""


class Draws(NamedTuple):
    """Room for the draws of one chain or of all: weights, the noise's sds and log densities."""

    weights: np.ndarray
    sds: np.ndarray
    densities: np.ndarray

    @classmethod
    def empty(cls, donors: int, *shape: int) -> Self:
        """Room for draws of this shape; NaN until a draw is written."""
        return cls(
            np.full((*shape, donors), np.nan), np.full((*shape, 2), np.nan), np.full(shape, np.nan)
        )


def sample_chains(
    regression: Regression, settings: Settings, seed: int
) -> tuple[xr.Dataset, xr.Dataset, bool]:
    """Posterior draws of weights and of the noise's standard deviations.

    Parameters
    ----------
    regression
        What to sample.
    settings
        How much, on how many cores, and which attempt it is.
    seed
        Each chain has its own stream of it.

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
    size, stop, interrupted = settings.size, Event(), False
    streams = [
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(size.chains)
    ]
    draws = Draws.empty(len(regression.donors), size.chains, size.draws)
    sweeps = EFFORT ** (settings.attempt - 1) * sweeps_per_draw(len(regression.donors))
    total, shown = size.chains * (size.draws + size.tune), bool(settings.progressbar)
    with bar("Sampling", total, shown=shown) as counted, ThreadPoolExecutor(settings.cores) as pool:
        run = partial(_chain, regression, size.tune, sweeps, counted.tick, stop)
        try:
            # Alone, a chain needs no thread, and refits run in threads already.
            list((map if settings.cores == 1 else pool.map)(run, streams, map(Draws, *draws)))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            stop.set()
    return *_labelled(regression, draws), interrupted


def _labelled(regression: Regression, draws: Draws) -> tuple[xr.Dataset, xr.Dataset]:
    dims = ("chain", "draw")
    sample = {dim: np.arange(size) for dim, size in zip(dims, draws.densities.shape, strict=True)}
    noise = {
        name: (dims, draws.sds[..., k]) for k, name in enumerate("sq") if regression.prior_sd[k] > 0
    }
    posterior = xr.Dataset({"weights": ((*dims, "donor"), draws.weights)} | noise, coords=sample)
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
    """Run one chain and write its draws where they belong."""
    state = start(regression, rng)
    unused = Draws.empty(stored.weights.shape[1], STRIDE)
    for targets, total, each in ((unused, tune, 1), (stored, len(stored.weights), sweeps)):
        for first in range(0, total, STRIDE):
            if stop.is_set():
                return
            count = min(STRIDE, total - first)
            where = slice(count) if targets is unused else slice(first, first + count)
            advance(regression, state, each, rng, *(array[where] for array in targets))
            _require_finite(targets.densities[where], begun=targets is not unused or first > 0)
            tick(count)


def _require_finite(densities: np.ndarray, *, begun: bool) -> None:
    if np.isfinite(densities).all():
        return
    if begun:
        raise SamplingFailed(
            "S002",
            "the sampler broke down: a posterior density is not finite. Please report it, with the panel and the model.",
        )
    raise SamplingFailed(
        "S001",
        "the sampler could not start: the posterior density near a point drawn from the prior is not finite.\n"
        "  Are the outcomes extreme? See them with panel.outcomes.",
    )
