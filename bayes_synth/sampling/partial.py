"""What is left of an interrupted run: the chains that are long enough, cut to a common length.

Imports no PyMC; an interrupted sampler pads with NaN, which no later comparison would notice.
"""

import numpy as np
import xarray as xr

from bayes_synth.errors import SamplingFailed

__all__ = ["FEWEST", "cut", "leading"]

FEWEST = 4
"""Draws a chain must hold: with fewer, R-hat and effective sample size are not defined."""


def leading(posterior: xr.Dataset) -> np.ndarray:
    """How many finite draws each chain begins with."""
    weights = posterior["weights"].transpose("chain", "draw", "donor")
    finite = np.isfinite(weights.to_numpy()).all(axis=2)
    complete: np.ndarray = np.logical_and.accumulate(finite, axis=1).sum(1)
    return complete


def cut(
    posterior: xr.Dataset, sample_stats: xr.Dataset, *, chains: int
) -> tuple[xr.Dataset, xr.Dataset]:
    """The chains and the common length that together hold the most draws, at least two chains of ``chains``.

    Raises
    ------
    SamplingFailed
        S004 when less than two chains (one, if one was asked for) hold :data:`FEWEST` draws.
    """
    lengths = leading(posterior)
    longest = np.argsort(-lengths, kind="stable")
    counts = np.arange(1, len(lengths) + 1)
    shortest = lengths[longest]
    usable = (shortest >= FEWEST) & (counts >= min(2, chains))
    if not usable.any():
        raise SamplingFailed(
            "S004",
            f"interrupted when the {chains} chains held {lengths.tolist()} draws; at least {min(2, chains)} chains of "
            f"{FEWEST} are needed: run the fit again.",
        )
    # Of equal totals the one with more chains: R-hat compares them.
    count = max(counts[usable], key=lambda n: (n * shortest[n - 1], n))
    keep = {"chain": np.sort(longest[:count]), "draw": slice(shortest[count - 1])}
    labels = {"chain": np.arange(count), "draw": np.arange(shortest[count - 1])}
    return posterior.isel(keep).assign_coords(labels), sample_stats.isel(keep).assign_coords(labels)
