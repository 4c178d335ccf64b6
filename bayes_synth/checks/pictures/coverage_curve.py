"""Draw the gaps of placebos and the treated unit, and how often our intervals hold zero."""

from typing import Any, Unpack

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.canvas import (
    finish,
    is_wide,
    name_letters,
    new_canvas,
    plot_rows,
    plot_width,
)
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import Look, PictureOptions
from bayes_synth.plots.placebos import ROWS, Gaps, draw_gaps, draw_ratios, placebo_entries
from bayes_synth.plots.text import put_label, put_title
from bayes_synth.results.answers import AbstractFit

__all__ = ["plot_placebos"]


def plot_placebos(
    fit: AbstractFit, gaps: Gaps, held: xr.DataArray, **options: Unpack[PictureOptions]
) -> PlotCollection:
    """Draw gaps by time, ratios by unit, and the share of placebos whose interval holds zero.

    ``held`` is that share by the interval's probability, dims ``(nominal,)``.
    """
    look = Look.of_check(options)
    shape = 900.0, max(1100.0, 300.0 + 54.0 * min(len(gaps.donors) + 1, ROWS))
    columns = 3 if is_wide(look, shape) else 1
    apart = {"plot_hspace": 0.16} if look.backend == "plotly" and columns == 3 else {}
    canvas = new_canvas(look, ["gaps", "ratios", "coverage"], shape, columns=columns, **apart)
    width = plot_width(look, shape, columns)
    most = min(ROWS, plot_rows(look, shape, 3 // columns))
    letters = name_letters(look, shape) // columns
    narrow = draw_ratios(canvas, gaps, look, width, rows=most, letters=letters)
    # Names beside one of the panels narrow all that stand above each other.
    width = narrow if columns == 1 else width
    draw_gaps(canvas, fit, gaps, look, width=width)
    style = look.drawn("curve", color=look.palette.accent, width=2.5)
    canvas.map(_draw_curve, "curve", data=xr.Dataset({"coverage": 0.0}), held=held, **style)
    target = canvas.get_target("coverage", {})
    put_label("x", "probability of the interval", target, look, width)
    put_label("y", "share of placebos held", target, look, 30)
    put_title(None, "Share of placebos whose interval holds zero", target, look, width)
    rows = [
        *placebo_entries(gaps, look),
        Entry("share held", "line", look.palette.accent, width=2.5),
        Entry("as promised", "line", look.palette.soft, width=1.0, dash="dashed"),
    ]
    if look.shows("legend"):
        put_legend(canvas, look, rows)
    finish(canvas, look)
    return canvas


def _draw_curve(_: xr.DataArray, target: Any, *, held: xr.DataArray, **style: Any) -> Any:
    plain, ends = backend_from_object(target), np.array([0.0, 1.0])
    plain.line(ends, ends, target, color="gray", linestyle="C1", width=1)
    return plain.line(held["nominal"].to_numpy(), held.to_numpy(), target, **style)
