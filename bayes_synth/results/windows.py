"""The effect over a part of the post-period, and what a window of labels means."""

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.data.times import NO_ZONE, Zone, time_span
from bayes_synth.errors import ResultError
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import ESTIMANDS, estimate
from bayes_synth.words import short, span, suggestion

__all__ = ["effect_of", "times_in"]


def effect_of(panel: Panel, idata: xr.DataTree, estimand: str, window: slice | None) -> Effect:
    """Return the posterior of an effect; see :meth:`AbstractFit.effect`."""
    if estimand not in ESTIMANDS:
        hint = suggestion(estimand, tuple(ESTIMANDS))
        raise ResultError("R005", f"estimand must be a known one, got {estimand!r}. {hint}")
    measure = ESTIMANDS[estimand].measured(panel.outcome)
    if window is None and estimand in idata["effects"]:
        return Effect(idata["effects"].to_dataset()[estimand], estimand, measure)
    keep = times_in(window, pd.Index(panel.post), panel.zone)
    observed = idata["predictions_constant_data"].to_dataset()["outcome"].sel(time=keep)
    if observed.isnull().all():
        raise ResultError(
            "R002",
            f"{panel.treated[0]!r} has no outcome in the window, so no effect either; "
            "choose a longer window.",
        )
    counterfactual = idata["predictions"].to_dataset()["counterfactual"].sel(time=keep)
    return Effect(estimate(estimand, observed, counterfactual), estimand, measure)


def times_in(window: slice | None, post: pd.Index, zone: Zone = NO_ZONE) -> np.ndarray:
    """Return the times of the post-period that lie in a window, written in the data's zone.

    Raises
    ------
    ResultError
        R002 for a window that has none or goes beyond the post-period.
    """
    if window is None:
        return np.asarray(post)
    if not isinstance(window, slice) or window.step is not None:
        raise ResultError(
            "R002", f"window must be a slice of times such as slice(start, end), got {window!r}."
        )
    # Text on a calendar means all of it: "2024-02" ends with February.
    spans = [
        None if end is None else time_span(end, post, what="window", zone=zone)
        for end in (window.start, window.stop)
    ]
    low, high = (None if span is None else span.first for span in spans)
    last = None if spans[1] is None else spans[1].last
    after = np.ones(len(post), dtype=bool) if low is None else np.asarray(post >= low)
    until = np.ones(len(post), dtype=bool) if last is None else np.asarray(post <= last)
    times = post[after & until]
    if not len(times):
        raise ResultError("R002", f"window must overlap the post-period's {span(post)}.")
    if (low is not None and low < post[0]) or (high is not None and high > post[-1]):
        raise ResultError(
            "R002",
            f"window must lie within the post-period, {short(post[0])} to {short(post[-1])}.",
        )
    return np.asarray(times)
