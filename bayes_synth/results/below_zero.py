"""Notice a counterfactual below zero of an outcome that never is."""

import xarray as xr

from bayes_synth.model.problem import Problem
from bayes_synth.words import listed, short

__all__ = ["below_zero"]

MANY = 0.05
"""In more than this share of the draws of a period, a counterfactual below zero is remarked on."""


def below_zero(idata: xr.DataTree, problem: Problem) -> str:
    """Say where the counterfactual is often below zero; nothing when it may be there.

    It may where an outcome of the panel is below zero.
    """
    panel = problem.panel
    if bool((panel.outcomes < 0).any()):
        return ""
    share = (idata["predictions"]["counterfactual"] < 0).mean(("chain", "draw"))
    often = [short(time) for time in panel.post[(share > MANY).to_numpy()]]
    if not often:
        return ""
    return f"up to {float(share.max()):.0%} of the draws (in {listed(often, 3)})"
