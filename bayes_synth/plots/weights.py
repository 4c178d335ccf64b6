"""The donor weights with their intervals, the heaviest on top."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.plots.common import (
    Visuals,
    chosen_backend,
    figure_options,
    lifted,
    make_room,
    pen,
    point_size,
    put_title,
    shortened,
    styles,
)
from bayes_synth.plots.registry import plot
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind
from bayes_synth.sampling.settings import require_count
from bayes_synth.words import per_cent, probable

__all__ = ["plot_weights"]

PARTS = ("interval", "mean", "title", "xlabel", "yticks")
# Filled against hollow, so that the two can be told apart without colour.
COLOURS = {
    "core": {"color": "C0", "facecolor": "C0"},
    "others": {"color": "gray", "facecolor": "B0"},
}


@plot("Donor weights with their intervals.", section="Donors", place=3)
def plot_weights(
    fit: AbstractFit,
    *,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    most: int = 15,
    backend: str | None = None,
    plot_collection: PlotCollection | None = None,
    visuals: Visuals | None = None,
    figure_kwargs: Mapping[str, Any] | None = None,
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
    backend, plot_collection, visuals, figure_kwargs
        As in :func:`plot_fit`; parts: interval, mean, title, xlabel, yticks. A collection must have
        the variable weights.

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
    """
    require_count("most", most, 1)
    name, style = chosen_backend(backend, plot_collection), styles(visuals, PARTS)
    table = fit.weights(ci_prob=ci_prob, ci_kind=ci_kind)
    shown = table.head(most).assign(height=np.arange(min(most, len(table)))[::-1])
    canvas = plot_collection or PlotCollection.wrap(
        xr.Dataset({"weights": 0.0}),
        backend=name,
        figure_kwargs=figure_options(700, 160 + 28 * len(shown), figure_kwargs),
    )
    for group, rows in {"core": shown[shown["core"]], "others": shown[~shown["core"]]}.items():
        _draw_group(canvas, group, rows, style)
    _words(canvas, fit, style, table, shown)
    make_room(canvas)
    return canvas


def _draw_group(
    canvas: PlotCollection, group: str, rows: pd.DataFrame, style: Mapping[str, Any]
) -> None:
    """Draw intervals and means of the donors of one colour."""
    if rows.empty:
        return
    columns = ["mean", "lower", "upper", "height"]
    numbers = xr.DataArray(
        rows[columns].to_numpy(float),
        dims=("donor", "column"),
        coords={"donor": rows.index.array, "column": columns},
    ).to_dataset(name="weights")
    if style["interval"] is not None:
        look = {"color": COLOURS[group]["color"], "width": 2} | style["interval"]
        canvas.map(_draw_intervals, f"interval_{group}", data=numbers, **look)
    if style["mean"] is not None:
        look = COLOURS[group] | {"size": point_size(canvas.backend)} | style["mean"]
        canvas.map(_draw_means, f"mean_{group}", data=numbers, **look)


def _draw_intervals(da: xr.DataArray, target: Any, **style: Any) -> Any:
    ends, heights = (
        da.sel(column=["lower", "upper"]).to_numpy(),
        da.sel(column=["height", "height"]).to_numpy(),
    )
    return pen(target).line(lifted(ends), lifted(heights), target, **style)


def _draw_means(da: xr.DataArray, target: Any, **style: Any) -> Any:
    mean, height = (da.sel(column=name).to_numpy() for name in ("mean", "height"))
    return pen(target).scatter(mean, height, target, **style)


def _words(
    canvas: PlotCollection,
    fit: AbstractFit,
    style: Mapping[str, Any],
    table: pd.DataFrame,
    shown: pd.DataFrame,
) -> None:
    """Label donors and weights, and say in the title which donors are not shown."""
    target = canvas.get_target("weights", {})
    backend = pen(target)
    if style["yticks"] is not None:
        labels = [shortened(label) for label in shown.index]
        backend.yticks(shown["height"].to_numpy(), labels, target, **style["yticks"])
    if style["xlabel"] is not None:
        interval = f"{per_cent(table.attrs['ci_prob'])} {table.attrs['ci_kind'].upper()}"
        backend.xlabel(f"weight (mean and {interval})", target, **style["xlabel"])
    put_title(fit, _title(table, len(shown)), target, style["title"])
    high = float(shown["upper"].max())
    # A sliver left of 0, so that the points of very light donors are not cut in half.
    backend.xlim((-0.015 * high, 1.05 * high), target)


def _title(table: pd.DataFrame, shown: int) -> str:
    core, rest = int(table["core"].sum()), table["mean"].iloc[shown:]
    probability = probable(table.attrs["core_probability"])
    holders = (
        f"{core} of {len(table)} donors (filled) hold" if core > 1 else "One donor (filled) holds"
    )
    others = (
        f"\nand {len(rest)} more donors with {rest.sum():.2g} of the weight" if len(rest) else ""
    )
    return f"{holders} 80% of the weight (probability {probability}){others}"
