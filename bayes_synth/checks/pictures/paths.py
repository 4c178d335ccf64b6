"""Draw lines over time with one of them on top."""

from collections.abc import Mapping
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
    put_title,
    shortened,
    time_axis,
)
from bayes_synth.results.answers import AbstractFit

__all__ = ["draw_paths", "middle", "plot_paths"]


def plot_paths(
    fit: AbstractFit, lines: Mapping[str, pd.Series], title: str, *, backend: str | None = None
) -> PlotCollection:
    """Draw thin lines by label under the fit's own median effect, and mark zero and the start."""
    canvas = PlotCollection.wrap(
        xr.Dataset({"paths": 0.0}),
        backend=chosen_backend(backend),
        figure_kwargs=figure_options(800, 450, None),
    )
    draw_paths(canvas, fit, "paths", lines, {"fit": middle(fit.effect("pointwise").draws)})
    put_title(fit, title, canvas.get_target("paths", {}), {})
    make_room(canvas)
    return canvas


def middle(path: xr.DataArray) -> pd.Series:
    """Return the median of a path's draws by time."""
    return path.median(("chain", "draw")).to_series()


def draw_paths(
    canvas: PlotCollection,
    fit: AbstractFit,
    variable: str,
    lines: Mapping[str, pd.Series],
    top: Mapping[str, pd.Series],
) -> None:
    """Draw the lines on one panel of a collection, and name its axes."""
    empty, target = xr.Dataset({variable: 0.0}), canvas.get_target(variable, {})
    canvas.map(
        _draw_lines,
        "lines",
        data=empty,
        series=list(lines.values()),
        color="C0",
        alpha=0.55,
        width=1.0,
    )
    canvas.map(_draw_lines, "top", data=empty, series=list(top.values()), color="B1", width=2.5)
    backend = pen(target)
    backend.hline(0, target, color="B1", width=0.8, alpha=0.6)
    backend.vline(fit.panel.post[0], target, color="B1", width=1.2, linestyle="C1", alpha=0.8)
    backend.ylabel(shortened(fit.panel.outcome), target)
    backend.xlabel(shortened(fit.panel.time), target)
    time_axis(target, fit.panel.times.to_numpy(), canvas.backend)


def _draw_lines(_: xr.DataArray, target: Any, *, series: list[pd.Series], **style: Any) -> Any:
    """Draw all of them as one line that breaks between them and where an outcome is missing."""
    if not series:
        return None
    times = np.concatenate([line.index.to_numpy()[[*range(len(line)), -1]] for line in series])
    values = np.concatenate([lifted(line.to_numpy(float)[None, :]) for line in series])
    return pen(target).line(times, values, target, **style)
