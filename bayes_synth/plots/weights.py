"""The donor weights with their intervals, the heaviest on top."""

from typing import Any, Unpack

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.canvas import finish, name_letters, new_canvas, plot_width
from bayes_synth.plots.common import lifted, point_size, shortened_apart
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.plots.registry import plot
from bayes_synth.plots.text import put_label, put_ticks, put_title
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind
from bayes_synth.sampling.settings import require_count
from bayes_synth.words import per_cent, probable

__all__ = ["plot_weights"]

PARTS = ("interval", "mean", "legend", "title", "xlabel", "yticks")
LABELS = ("weight", "core", "others")


@plot("Donor weights with their intervals.", section="Donors", place=3)
def plot_weights(
    fit: AbstractFit,
    *,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    most: int = 15,
    backend: str | None = None,
    **options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Plot the posterior mean and interval of the heaviest weights.

    Parameters
    ----------
    fit
        The fit.
    ci_prob, ci_kind
        The interval's probability and kind.
    most
        How many donors to show; the title counts the others and their weight.
    backend, **options
        As in :func:`plot_fit`. Labels: weight (the axis), core and others (legend). Parts:
        interval, mean, legend, title, xlabel, yticks. A collection must have the variable weights.

    Returns
    -------
    arviz_plots.PlotCollection
        Donors that hold 80 % of the weight together are coloured and filled, the others grey and
        hollow. The numbers are those of :meth:`bayes_synth.Fit.weights`.

    Raises
    ------
    OptionError
        O001 for unknown names, O004 for a probability outside (0, 1), O010 unless ``most`` is at
        least 1.
    ResultError
        R006 when the backend is not installed.

    Examples
    --------
    >>> figure = bs.plots.plot_weights(fit, most=5)
    """
    require_count("most", most, 1)
    look = Look.of(backend, options, PARTS, LABELS)
    table = fit.weights(ci_prob=ci_prob, ci_kind=ci_kind)
    shown = table.head(most).assign(height=np.arange(min(most, len(table)))[::-1])
    shape = 700.0, 190.0 + 28 * len(shown)
    canvas = new_canvas(look, ["weights"], shape)
    groups = {"core": shown[shown["core"]], "others": shown[~shown["core"]]}
    for group, rows in groups.items():
        if len(rows):
            _draw_group(canvas, group, rows, look)
    letters = name_letters(look, shape)
    _words(canvas, look, table, shown, letters)
    names = {"core": "together 80% of the weight", "others": "other donors"}
    colours = {"core": look.palette.accent, "others": look.palette.soft}
    entries = [
        Entry(look.word(group, names[group]), "points", colours[group], hollow=group == "others")
        for group, rows in groups.items()
        if len(rows)
    ]
    if look.shows("legend"):
        put_legend(canvas, look, entries)
    target = canvas.get_target("weights", {})
    width = plot_width(look, shape, beside=shortened_apart(shown.index, letters))
    put_title(fit, _title(look, table, len(shown)), target, look, width)
    finish(canvas, look)
    return canvas


def _draw_group(canvas: PlotCollection, group: str, rows: pd.DataFrame, look: Look) -> None:
    """Draw intervals and means of the donors of one colour."""
    columns = ["mean", "lower", "upper", "height"]
    numbers = xr.DataArray(
        rows[columns].to_numpy(float),
        dims=("donor", "column"),
        coords={"donor": rows.index.array, "column": columns},
    ).to_dataset(name="weights")
    core, page = group == "core", look.palette.page or "B0"
    colour = look.palette.accent if core else look.palette.soft
    if look.shows("interval"):
        style = look.drawn("interval", color=colour, width=2.0)
        canvas.map(_draw_intervals, f"interval_{group}", data=numbers, **style)
    if look.shows("mean"):
        # Filled against hollow, so that the two can be told apart without colour.
        fill = colour if core else page
        size = point_size(canvas.backend)
        style = look.drawn("mean", color=colour, facecolor=fill, size=size, width=1.3)
        canvas.map(_draw_means, f"mean_{group}", data=numbers, **style)


def _draw_intervals(da: xr.DataArray, target: Any, **style: Any) -> Any:
    ends, heights = (
        da.sel(column=["lower", "upper"]).to_numpy(),
        da.sel(column=["height", "height"]).to_numpy(),
    )
    return backend_from_object(target).line(lifted(ends), lifted(heights), target, **style)


def _draw_means(da: xr.DataArray, target: Any, **style: Any) -> Any:
    mean, height = (da.sel(column=name).to_numpy() for name in ("mean", "height"))
    return backend_from_object(target).scatter(mean, height, target, **style)


def _words(
    canvas: PlotCollection,
    look: Look,
    table: pd.DataFrame,
    shown: pd.DataFrame,
    letters: int,
) -> None:
    """Label donors and weights, and limit the axis."""
    target = canvas.get_target("weights", {})
    labels = shortened_apart(shown.index, letters)
    put_ticks(shown["height"].to_numpy(), labels, target, look)
    interval = f"{per_cent(table.attrs['ci_prob'])} {table.attrs['ci_kind'].upper()}"
    put_label("x", look.word("weight", f"weight (mean and {interval})"), target, look)
    high = float(shown["upper"].max())
    # A sliver left of 0, so that the points of very light donors are not cut in half.
    backend_from_object(target).xlim((-0.015 * high, 1.05 * high), target)
    backend_from_object(target).ylim((-0.7, len(shown) - 0.3), target)


def _title(look: Look, table: pd.DataFrame, shown: int) -> str:
    """Say how many donors hold most of the weight, and which are not shown."""
    if look.title is not None:
        return look.title
    core, rest = int(table["core"].sum()), table["mean"].iloc[shown:]
    probability = probable(table.attrs["core_probability"])
    holders = (
        f"{core} of {len(table)} donors (filled) hold" if core > 1 else "One donor (filled) holds"
    )
    more = f"{len(rest)} more donors" if len(rest) > 1 else "one more donor"
    others = f"\nand {more} with {rest.sum():.2g} of the weight" if len(rest) else ""
    return f"{holders} 80% of the weight (probability {probability}){others}"
