"""The effect over parts of the post-period, and what a window of labels means."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.data.times import NO_ZONE, Zone, time_span
from bayes_synth.errors import ResultError
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import ESTIMANDS, estimate
from bayes_synth.words import listed, short, span, suggestion

__all__ = ["Window", "effect_of", "stored_effects", "times_in"]

Window = slice | Sequence[slice]
"""One part of the post-period by label, or several that do not overlap."""


def effect_of(
    panel: Panel, idata: xr.DataTree, estimand: str, window: Window | None = None
) -> Effect:
    """Return the posterior of an effect; see :meth:`AbstractFit.effect`."""
    if estimand not in ESTIMANDS:
        hint = suggestion(estimand, tuple(ESTIMANDS))
        raise ResultError("R005", f"estimand must be a known one, got {estimand!r}. {hint}")
    units = len(panel.treated)
    measure = ESTIMANDS[estimand].measured(panel.outcome, units)
    if window is None and estimand in (stored := stored_effects(idata)):
        return Effect(stored[estimand], estimand, measure)
    keep = times_in(window, pd.Index(panel.post), panel.zone)
    observed = idata["predictions_constant_data"].to_dataset()["outcome"].sel(time=keep)
    if observed.isnull().all():
        raise ResultError(
            "R002",
            f"{panel.treated_name!r} has no outcome in the window, so no effect either; "
            "choose a longer window.",
        )
    counterfactual = idata["predictions"].to_dataset()["counterfactual"].sel(time=keep)
    return Effect(estimate(estimand, observed, counterfactual, units=units), estimand, measure)


def stored_effects(idata: xr.DataTree) -> xr.Dataset:
    """Return the effects that were stored with the draws and still mean what they did.

    Files of version 0.1 hold a ``cumulative`` that is one number, today's ``total``.
    """
    stored = idata["effects"].to_dataset()
    changed = [
        name
        for name, draws in stored.items()
        if name in ESTIMANDS and ("time" in draws.dims) != ESTIMANDS[str(name)].path
    ]
    return stored.drop_vars(changed)


def times_in(window: Window | None, post: pd.Index, zone: Zone = NO_ZONE) -> np.ndarray:
    """Return the times of the post-period that lie in a window, or in any of several.

    Raises
    ------
    ResultError
        R002 for a window that has none or goes beyond the post-period, R033 for windows that
        overlap.
    """
    if window is None:
        return np.asarray(post)
    several = [window] if isinstance(window, slice) else _slices(window)
    found = [_times_in_one(each, post, zone) for each in several]
    times = pd.Index(np.concatenate(found))
    if twice := listed(map(short, times[times.duplicated()].unique().sort_values())):
        raise ResultError(
            "R033", f"windows must not overlap, got {twice} in two of them; give it to one only."
        )
    return np.sort(times.to_numpy())


def _slices(window: object) -> list[slice]:
    """Return the slices of a list or tuple of them."""
    several = list(window) if isinstance(window, list | tuple) else []
    if several and all(isinstance(each, slice) for each in several):
        return several
    raise ResultError(
        "R002",
        "window must be a slice of times such as slice(start, end), or a list of such slices, "
        f"got {window!r}.",
    )


def _times_in_one(window: slice, post: pd.Index, zone: Zone) -> np.ndarray:
    if window.step is not None:
        raise ResultError("R002", f"window must be a slice without a step, got {window!r}.")
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
