"""Read draws outcome by outcome where auxiliary outcomes share the weights."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import xarray as xr

from bayes_synth.model.problem import Problem
from bayes_synth.sampling.regression import OUTCOME_SDS
from bayes_synth.sampling.settings import Settings, entropy

__all__ = ["AUXILIARY", "AUXILIARY_TO", "OUTCOME", "auxiliary_groups", "each_auxiliary", "own_seed"]

AUXILIARY = "auxiliary"
"""Group of a fit with one group per auxiliary outcome, by its number; each is a fit's own tree."""
OUTCOME = "outcome"
"""Attribute of such a group: the name of its outcome."""
AUXILIARY_TO = "bayes_synth_auxiliary_to"
"""Attribute of the draws of an auxiliary outcome's fit: the name of the main outcome."""
NAMES = "s", "q"


def each_auxiliary(problem: Problem, posterior: xr.Dataset) -> Iterator[tuple[Problem, xr.Dataset]]:
    """Yield the problem of each auxiliary outcome with its draws, in its own typical steps.

    The prior on ``q`` of an auxiliary outcome is the one that the model states.
    """
    for k, own in enumerate(problem.auxiliary):
        sds = posterior[OUTCOME_SDS].isel(auxiliary=k)
        noise = {name: sds.isel(sd=NAMES.index(name), drop=True) for name in own.process.parameters}
        yield own, posterior[["weights"]].assign(noise)


def own_seed(settings: Settings, number: int) -> Settings:
    """Give the forecasts of an auxiliary outcome a stream of their own."""
    seed = np.random.SeedSequence([settings.random_seed, 3, number])
    return replace(settings, random_seed=entropy(seed))


def auxiliary_groups(idata: xr.DataTree) -> dict[str, xr.DataTree]:
    """Return the groups of the auxiliary outcomes, by name."""
    if AUXILIARY not in idata.children:
        return {}
    groups = idata[AUXILIARY].children
    ordered = sorted(groups.items(), key=lambda item: int(item[0]))
    return {str(group.attrs[OUTCOME]): group for _, group in ordered}
