"""Colours of page, axes and tick labels, on each backend."""

from typing import Any

from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.look import Look

__all__ = ["paint", "targets"]


def targets(canvas: PlotCollection) -> list[Any]:
    """Return every panel of a collection."""
    return (
        [canvas.viz["plot"][name].item() for name in canvas.viz["plot"].to_dataset().data_vars]
        if "plot" in canvas.viz.children
        else [canvas.viz["plot"].item()]
    )


def paint(canvas: PlotCollection, look: Look) -> None:
    """Write tick labels in the size of the picture, and colour page and axes by its theme."""
    for target in targets(canvas):
        backend_from_object(target).ticklabel_props(target, **look.written("tick"))
        if look.palette.page is not None and canvas.backend in PAINTERS:
            PAINTERS[canvas.backend](target, look)


def _matplotlib(target: Any, look: Look) -> None:
    ink, page = look.palette.ink, look.palette.page
    target.figure.set_facecolor(page)
    target.set_facecolor(page)
    target.tick_params(colors=ink, which="both")
    for spine in target.spines.values():
        spine.set_edgecolor(ink)
    target.xaxis.get_offset_text().set_color(ink)
    target.yaxis.get_offset_text().set_color(ink)


def _plotly(target: Any, look: Look) -> None:
    ink, page, soft = look.palette.ink, look.palette.page, look.palette.soft
    target.figure.update_layout(paper_bgcolor=page, plot_bgcolor=page, font={"color": ink})
    grid = {"gridcolor": f"rgba({_rgb(soft)}, 0.25)", "linecolor": ink, "zeroline": False}
    target.figure.update_xaxes(**grid)
    target.figure.update_yaxes(**grid)


def _rgb(colour: str) -> str:
    return ", ".join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))


def _bokeh(target: Any, look: Look) -> None:
    ink, page = look.palette.ink, look.palette.page
    target.background_fill_color = target.border_fill_color = page
    target.outline_line_color = look.palette.soft
    for grid in target.grid:
        grid.grid_line_color, grid.grid_line_alpha = look.palette.soft, 0.25
    for axis in target.axis:
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = ink


PAINTERS = {"matplotlib": _matplotlib, "plotly": _plotly, "bokeh": _bokeh}
