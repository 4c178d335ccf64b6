"""Donor weights with their intervals, the heaviest on top."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.effects import IntervalKind
from bayes_synth.plots.common import Visuals, chosen_backend, make_room, styles, warned

if TYPE_CHECKING:
    from bayes_synth.fit import Fit

__all__ = ["plot_weights"]

PARTS = ("interval", "mean", "title", "xlabel", "yticks")


def plot_weights(
    fit: "Fit",
    *,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    most: int = 15,
    backend: str | None = None,
    visuals: Visuals | None = None,
    figure_kwargs: dict[str, Any] | None = None,
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
    backend, visuals, figure_kwargs
        As in :func:`plot_fit`; parts: interval, mean, title, xlabel, yticks.

    Returns
    -------
    arviz_plots.PlotCollection
        Donors that hold 80 % of the weight together are drawn in colour, the others in grey.

    Raises
    ------
    PriorError
        O001 for unknown names, O004 for a probability outside (0, 1).
    ResultError
        R006 when the backend is not installed.
    """
    name, style = chosen_backend(backend), styles(visuals, PARTS)
    table = fit.weights(ci_prob=ci_prob, ci_kind=ci_kind)
    shown, rest = table.head(most), table.iloc[most:]
    heights = np.arange(len(shown))[::-1]
    canvas = PlotCollection.wrap(
        xr.Dataset({"weights": 0.0}),
        backend=name,
        figure_kwargs={"figsize": (700, 140 + 30 * len(shown)), "figsize_units": "dots"} | (figure_kwargs or {}),
    )
    target = canvas.get_target("weights", {})
    backend_module = backend_from_object(target)
    for (_, row), height in zip(shown.iterrows(), heights, strict=True):
        colour = "C0" if row["core"] else "gray"
        if style["interval"] is not None:
            look = {"color": colour, "width": 2} | style["interval"]
            backend_module.line(np.array([row["lower"], row["upper"]]), np.array([height, height]), target, **look)
        if style["mean"] is not None:
            look = {"color": colour, "facecolor": colour, "size": 45} | style["mean"]
            backend_module.scatter(np.array([row["mean"]]), np.array([height]), target, **look)
    if style["yticks"] is not None:
        backend_module.yticks(heights, [_shortened(label) for label in shown.index], target, **style["yticks"])
    if style["xlabel"] is not None:
        backend_module.xlabel(f"weight: mean and {ci_prob:.0%} {ci_kind.upper()}", target, **style["xlabel"])
    if style["title"] is not None:
        backend_module.title(
            warned(fit, _title(rest["mean"].sum(), len(rest))), target, **({"size": 11} | style["title"])
        )
    backend_module.xlim((-0.02, max(0.1, 1.05 * float(shown["upper"].max()))), target)
    make_room(canvas, name)
    return canvas


def _title(weight: float, others: int) -> str:
    more = f"; {others} more donors share {weight:.2f}" if others else ""
    return f"Weights (blue: together 80 %){more}"


def _shortened(label: str, most: int = 28) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
