"""Draw medians and intervals of refits, one row each, beside the fit's own."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.plots.common import (
    chosen_backend,
    figure_options,
    lifted,
    make_room,
    pen,
    point_size,
    put_title,
    shortened,
)
from bayes_synth.results.answers import AbstractFit

__all__ = ["plot_forest"]


def plot_forest(
    fit: AbstractFit,
    table: pd.DataFrame,
    title: str,
    *,
    xlabel: str = "average effect",
    backend: str | None = None,
) -> PlotCollection:
    """Draw one row per refit, in the order of the table from the top.

    The fit's own median is a line, and its 95 % interval a band.
    """
    heights = np.arange(len(table), dtype=float)[::-1]
    canvas = PlotCollection.wrap(
        xr.Dataset({"effect": 0.0}),
        backend=chosen_backend(backend),
        figure_kwargs=figure_options(800, max(300, 160 + 28 * len(table)), None),
    )
    target = canvas.get_target("effect", {})
    plain, effect = pen(target), fit.effect("average")
    low, high = (float(bound) for bound in effect.interval(0.95))
    plain.vspan(low, high, target, color="gray", alpha=0.15)
    plain.vline(float(effect.draws.median()), target, color="gray", width=1.5)
    plain.vline(0, target, color="B1", width=1, linestyle="C1")
    dots = {"color": "C0", "facecolor": "C0", "size": point_size(canvas.backend)}
    empty = xr.Dataset({"effect": 0.0})
    canvas.map(
        _draw_intervals, "interval", data=empty, table=table, heights=heights, color="C0", width=2
    )
    canvas.map(_draw_medians, "median", data=empty, table=table, heights=heights, **dots)
    plain.yticks(heights, [shortened(str(label), 40) for label in table.index], target)
    plain.xlabel(f"{xlabel} ({shortened(fit.panel.outcome)})", target)
    put_title(fit, f"{title}\ngrey: the fit's median and 95% ETI", target, {})
    make_room(canvas)
    return canvas


def _draw_intervals(
    _: xr.DataArray, target: Any, *, table: pd.DataFrame, heights: np.ndarray, **style: Any
) -> Any:
    ends = table[["lower", "upper"]].to_numpy(float)
    return pen(target).line(lifted(ends), lifted(heights[:, None].repeat(2, 1)), target, **style)


def _draw_medians(
    _: xr.DataArray, target: Any, *, table: pd.DataFrame, heights: np.ndarray, **style: Any
) -> Any:
    return pen(target).scatter(table["median"].to_numpy(float), heights, target, **style)
