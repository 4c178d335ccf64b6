"""Tabulate the donors' weights: how heavy, how sure, which carry the rest."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.results.effects import IntervalKind, interval
from bayes_synth.results.simplex import core_donors, project

__all__ = ["weight_table"]

PROJECTED = 5
"""The counterfactual is projected on at most so many donors."""


def weight_table(
    draws: xr.DataArray,
    donors: Sequence[str],
    outcomes: np.ndarray,
    *,
    level: bool,
    ci_prob: float,
    ci_kind: IntervalKind,
) -> pd.DataFrame:
    """Summarise the weights; see :meth:`bayes_synth.Fit.weights`.

    Parameters
    ----------
    draws
        Weights, dims ``(chain, draw, donor)``.
    donors, outcomes
        Labels, and outcomes on the model's scale, dims ``(time, donor)``.
    level
        Whether the model has a level, so that a projection may have another one.
    ci_prob, ci_kind
        Interval's probability, and ``"eti"`` or ``"hdi"``.
    """
    flat = draws.to_numpy().reshape(-1, draws.sizes["donor"])
    mean, bounds = flat.mean(0), interval(draws, ci_prob, ci_kind)
    core, probability = core_donors(flat)
    projection = project(outcomes, outcomes @ mean, most=PROJECTED, level=level)
    table = pd.DataFrame(
        {
            "mean": mean,
            "sd": flat.std(0, ddof=1),
            "lower": bounds.sel(ci_bound="lower").to_numpy(),
            "upper": bounds.sel(ci_bound="upper").to_numpy(),
            "p_above_1_percent": (flat > 0.01).mean(0),
            "core": np.isin(np.arange(flat.shape[1]), core),
            "projected": [projection.weights.get(j, 0.0) for j in range(flat.shape[1])],
        },
        index=pd.Index(list(donors), name="donor", dtype=object),
    ).sort_values("mean", ascending=False, kind="stable")
    table.attrs = {"core_probability": probability, "projection_loss": projection.loss}
    table.attrs |= {"ci_prob": ci_prob, "ci_kind": ci_kind}
    return table
