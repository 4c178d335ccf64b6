"""Draw the effects of refits over time, under the fit's own."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.canvas import finish, new_canvas, plot_width
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import Look, PictureOptions
from bayes_synth.plots.paths import draw_paths, entries_of, farthest
from bayes_synth.plots.text import put_title
from bayes_synth.results.answers import AbstractFit

__all__ = ["middle", "plot_paths"]

SHAPE = (850.0, 480.0)


def plot_paths(
    fit: AbstractFit,
    lines: Mapping[str, pd.Series],
    title: str,
    options: PictureOptions,
    *,
    band: tuple[pd.Series, pd.Series] | None = None,
) -> PlotCollection:
    """Draw lines by label under the fit's own median effect; the legend names the farthest.

    ``band`` is the lower and upper end of a 95 % interval to draw below them.
    """
    look = Look.of_check(options)
    own = middle(fit.effect("pointwise").draws)
    named, width = farthest(lines, own), plot_width(look, SHAPE)
    canvas = new_canvas(look, ["paths"], SHAPE)
    if band is not None:
        style = look.drawn("band", color="C1", alpha=0.25)
        canvas.map(_draw_band, "band", data=xr.Dataset({"paths": 0.0}), band=band, **style)
    draw_paths(canvas, fit, "paths", lines, own, look, named=named, width=width)
    rest = len(lines) - len(named)
    others = f"{rest} other{'s' if rest > 1 else ''}, closer to the fit" if rest else ""
    rows = list(entries_of(look, named, "the fit", others))
    rows += [] if band is None else [Entry("95% ETI", "band", "C1", 0.25)]
    if look.shows("legend"):
        put_legend(canvas, look, rows)
    words = title if look.title is None else look.title
    put_title(fit, words, canvas.get_target("paths", {}), look, width)
    finish(canvas, look)
    return canvas


def middle(path: xr.DataArray) -> pd.Series:
    """Return the median of a path's draws by time."""
    return path.median(("chain", "draw")).to_series()


def _draw_band(
    _: xr.DataArray, target: Any, *, band: tuple[pd.Series, pd.Series], **style: Any
) -> Any:
    low, high = band
    times, ends = low.index.to_numpy(), (low.to_numpy(float), high.to_numpy(float))
    return backend_from_object(target).fill_between_y(times, *ends, target, **style)
