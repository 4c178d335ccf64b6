"""Keep the complete draws of an interrupted run: long enough chains, cut to a common length.

An interrupted sampler pads its draws with NaN, which no later comparison would notice. This module
does not import PyMC.
"""

import numpy as np
import xarray as xr

from bayes_synth.errors import SamplingFailed

__all__ = ["FEWEST", "cut", "leading"]

FEWEST = 4
"""Fewest draws per chain: with fewer, R-hat and effective sample size are not defined."""


def leading(posterior: xr.Dataset) -> np.ndarray:
    """Count the finite draws that each chain begins with."""
    weights = posterior["weights"].transpose("chain", "draw", "donor")
    finite = np.isfinite(weights.to_numpy()).all(axis=2)
    complete: np.ndarray = np.logical_and.accumulate(finite, axis=1).sum(1)
    return complete


def cut(
    posterior: xr.Dataset, sample_stats: xr.Dataset, *, chains: int
) -> tuple[xr.Dataset, xr.Dataset]:
    """Choose the chains and the common length that together hold the most draws.

    Raises
    ------
    SamplingFailed
        S004 when fewer than two chains (one, if ``chains`` is 1) hold :data:`FEWEST` draws.
    """
    lengths = leading(posterior)
    longest = np.argsort(-lengths, kind="stable")
    counts = np.arange(1, len(lengths) + 1)
    shortest = lengths[longest]
    usable = (shortest >= FEWEST) & (counts >= min(2, chains))
    if not usable.any():
        raise SamplingFailed(
            "S004",
            f"interrupted when the {chains} chains held {lengths.tolist()} draws; at least "
            f"{min(2, chains)} chains of {FEWEST} are needed: run the fit again.",
        )
    # Of equal totals the one with more chains is better, because R-hat compares chains.
    count = max(counts[usable], key=lambda n: (n * shortest[n - 1], n))
    keep = {"chain": np.sort(longest[:count]), "draw": slice(shortest[count - 1])}
    labels = {"chain": np.arange(count), "draw": np.arange(shortest[count - 1])}
    return posterior.isel(keep).assign_coords(labels), sample_stats.isel(keep).assign_coords(labels)
