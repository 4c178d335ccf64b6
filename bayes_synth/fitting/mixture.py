"""Sample under every prior on ``q`` that the donors' errors support, in proportion to their weight.

The weights of the factors on the prior sd of ``q`` are known before the treated unit is fitted, and
nothing of it enters them. So each chain consists of draws from the posterior under each factor, in
the shares of these weights and evenly interleaved.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Alternative
from bayes_synth.results.inflating import FACTOR
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled

__all__ = ["drawn", "sample_alternatives"]

LEAST_SHARE, LEAST_DRAWS = 0.02, 50
"""A factor with a smaller share, or with fewer draws in all chains, is left out."""


def drawn(alternatives: Sequence[Alternative], draws: int, chains: int) -> dict[float, int]:
    """Say how many draws of each chain every factor gets; those left out give theirs to the others.

    Parameters
    ----------
    alternatives
        The factors with their shares.
    draws, chains
        Draws per chain, and number of chains.
    """
    if not alternatives:
        return {1.0: draws}
    shares = {each.factor: each.share for each in alternatives}
    least = max(LEAST_SHARE, LEAST_DRAWS / (draws * chains))
    kept = {f: share for f, share in shares.items() if share >= least}
    kept = kept or {max(shares, key=lambda f: shares[f]): 1.0}
    exact = {f: draws * share / sum(kept.values()) for f, share in kept.items()}
    counts = {f: int(number) for f, number in exact.items()}
    for f in sorted(exact, key=lambda f: counts[f] - exact[f])[: draws - sum(counts.values())]:
        counts[f] += 1
    return counts


def sample_alternatives(
    problem: Problem,
    alternatives: Sequence[Alternative],
    settings: Settings,
    seed: int,
    *,
    partial: bool = False,
    draw: Callable[..., Sampled] = sample,
) -> Sampled:
    """Draw from the posterior, averaged over the factors on the prior sd of ``q``.

    Parameters
    ----------
    problem
        The problem with the prior as the model states it.
    alternatives
        The factors with their shares; none: the prior as it is.
    settings, seed, partial
        As for :func:`bayes_synth.sampling.sample.sample`. A single factor of 1 gives its draws.
    draw
        Samples under one factor.

    Returns
    -------
    Sampled
        Its posterior has :data:`FACTOR`, dims ``(chain, draw)``, unless there are no alternatives.
        After an interrupt it holds the draws under the factor that was being sampled.
    """
    counts = drawn(alternatives, settings.size.draws, settings.size.chains)
    parts = []
    for position, (factor, count) in enumerate(counts.items()):
        narrowed = problem.narrowed(factor)
        assert narrowed is not None
        own = seed if factor == 1 else _seed_of(seed, position)
        sized = replace(settings, size=replace(settings.size, draws=count))
        sampled = draw(narrowed, sized, own, partial=partial)
        parts.append(_marked(sampled, factor) if alternatives else sampled)
        if sampled.partial:
            return parts[-1]
    return parts[0] if len(parts) == 1 else _interleaved(parts)


def _seed_of(seed: int, position: int) -> int:
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


def _marked(sampled: Sampled, factor: float) -> Sampled:
    """Add the factor to the draws."""
    shape = tuple(sampled.posterior.sizes[dim] for dim in ("chain", "draw"))
    marked = sampled.posterior.assign({FACTOR: (("chain", "draw"), np.full(shape, factor))})
    return sampled._replace(posterior=marked)


def _interleaved(parts: Sequence[Sampled]) -> Sampled:
    """Merge draws under several factors so that every stretch of a chain has its share of each."""
    places = np.concatenate(
        [(np.arange(n) + 0.5) / n for n in (part.posterior.sizes["draw"] for part in parts)]
    )
    order = np.argsort(places, kind="stable")

    def merged(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
        whole = xr.concat(datasets, dim="draw", join="override").isel(draw=order)
        return whole.assign_coords(draw=np.arange(len(order)))

    return parts[0]._replace(
        posterior=merged([part.posterior for part in parts]),
        sample_stats=merged([part.sample_stats for part in parts]),
        compile_seconds=sum(part.compile_seconds for part in parts),
        sample_seconds=sum(part.sample_seconds for part in parts),
    )
