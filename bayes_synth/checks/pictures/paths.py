"""Draw the effects of refits over time, under the fit's own."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.plots.canvas import finish, new_canvas, plot_width
from bayes_synth.plots.legend import put_legend
from bayes_synth.plots.look import Look
from bayes_synth.plots.paths import draw_paths, entries_of, farthest
from bayes_synth.plots.text import put_title
from bayes_synth.results.answers import AbstractFit

__all__ = ["middle", "plot_paths"]

SHAPE = (850.0, 480.0)


def plot_paths(
    fit: AbstractFit, lines: Mapping[str, pd.Series], title: str, *, backend: str | None = None
) -> PlotCollection:
    """Draw lines by label under the fit's own median effect; the legend names the farthest."""
    look = Look.of(backend, {})
    own = middle(fit.effect("pointwise").draws)
    named, width = farthest(lines, own), plot_width(look, SHAPE)
    canvas = new_canvas(look, ["paths"], SHAPE)
    draw_paths(canvas, fit, "paths", lines, own, look, named=named, width=width)
    rest = len(lines) - len(named)
    others = f"{rest} other{'s' if rest > 1 else ''}, closer to the fit" if rest else ""
    put_legend(canvas, look, list(entries_of(look, named, "the fit", others)))
    put_title(fit, title, canvas.get_target("paths", {}), look, width)
    finish(canvas, look)
    return canvas


def middle(path: xr.DataArray) -> pd.Series:
    """Return the median of a path's draws by time."""
    return path.median(("chain", "draw")).to_series()
