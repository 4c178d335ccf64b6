"""The figure: made in the wanted size, given room for its words, and saved without a network."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, final

import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.plots.look import Look
from bayes_synth.plots.themes import paint, targets

__all__ = [
    "TOOLBAR",
    "Canvas",
    "finish",
    "is_wide",
    "name_letters",
    "new_canvas",
    "plot_height",
    "plot_rows",
    "plot_width",
    "side_by_side",
]


@final
class Canvas(PlotCollection):  # type: ignore[misc]  # arviz-plots has no types
    """A PlotCollection whose pages hold all they need, so that they open without a network."""

    def savefig(self, filename: Any, **kwargs: Any) -> None:
        """Write the figure; see :meth:`arviz_plots.PlotCollection.savefig`."""
        if self.backend == "bokeh" and Path(filename).suffix == ".html":
            from bokeh.resources import INLINE

            kwargs = {"resources": INLINE, "title": Path(filename).stem} | kwargs
        super().savefig(filename, **kwargs)


TOOLBAR = 30
"""Dots that the row of buttons above a picture takes in a browser."""


def new_canvas(
    look: Look,
    panels: Iterable[str],
    shape: tuple[float, float],
    *,
    columns: int = 1,
    **grid: Any,
) -> PlotCollection:
    """Make a figure with a panel for each name, or return the caller's own collection.

    ``shape`` is our width and height in hundredths of an inch, where the caller has no other.
    """
    if (given := look.options.get("plot_collection")) is not None:
        return given
    figure = _figure(look, shape) | grid | dict(look.options.get("figure_kwargs") or {})
    return Canvas.wrap(
        xr.Dataset(dict.fromkeys(panels, 0.0)),
        cols=["__variable__"],
        col_wrap=columns,
        backend=look.backend,
        figure_kwargs=figure,
    )


def extent(look: Look, shape: tuple[float, float]) -> tuple[float, float]:
    """Return width and height of the figure in hundredths of an inch, before any zoom."""
    width = look.size.width or shape[0]
    return width, look.size.height or shape[1] * width / shape[0]


def plot_width(
    look: Look, shape: tuple[float, float], columns: int = 1, beside: Sequence[str] = ()
) -> int:
    """Return how many characters of a title fit above one panel with these labels beside it."""
    width = _outer(look, shape)[0]
    labels = 7.0 * look.size.text * max(map(len, beside), default=0)
    return max(20, int((width / columns - 60 - labels) / (9.2 * look.size.text)))


def name_letters(look: Look, shape: tuple[float, float]) -> int:
    """Return how many letters of a row's name leave most of the width to the picture."""
    return max(12, min(40, int(0.4 * _outer(look, shape)[0] / (7.0 * look.size.text))))


def plot_height(look: Look, shape: tuple[float, float], rows: int = 1) -> int:
    """Return how many characters of a label fit beside one panel."""
    height = _outer(look, shape)[1]
    return max(5, int(((height - 120) / rows - 35) / (8.2 * look.size.text)))


def plot_rows(look: Look, shape: tuple[float, float], panels: int = 1) -> int:
    """Return how many rows of ticks fit into one of the panels above each other."""
    room = _outer(look, shape)[1] - (40 + 100 * panels) * look.size.text
    return max(3, int(room / panels / (18 * look.size.text)))


def side_by_side(look: Look, shape: tuple[float, float]) -> int:
    """Return 2 where two panels fit beside each other, else 1."""
    return 2 if _outer(look, shape)[0] >= 600 else 1


def is_wide(look: Look, shape: tuple[float, float]) -> bool:
    """Tell whether panels stand better beside each other than above each other."""
    width, height = _outer(look, shape)
    return width >= 600 and width >= 1.4 * height


def _outer(look: Look, shape: tuple[float, float]) -> tuple[float, float]:
    """Return width and height in hundredths of an inch, also where the backend is told them."""
    wishes = look.options.get("figure_kwargs") or {}
    if "figsize" not in wishes:
        return extent(look, shape)
    unit = 1.0 if wishes.get("figsize_units") == "dots" else 100.0
    return unit * wishes["figsize"][0], unit * wishes["figsize"][1]


def _figure(look: Look, shape: tuple[float, float]) -> dict[str, Any]:
    width, height = extent(look, shape)
    if "figsize" in (look.options.get("figure_kwargs") or {}):
        return {}
    if look.backend != "matplotlib":
        zoom = look.size.zoom
        return {"figsize": (width * zoom, height * zoom), "figsize_units": "dots"}
    if look.size.dpi is None and look.options.get("figsize") is None:
        # As ArviZ has it: dots of the user's own settings.
        return {"figsize": (width, height), "figsize_units": "dots"}
    dpi = {} if look.size.dpi is None else {"dpi": look.size.dpi}
    return {"figsize": (width / 100, height / 100), "figsize_units": "inches"} | dpi


def finish(canvas: PlotCollection, look: Look) -> None:
    """Set the sizes of tick labels, paint the theme, and make room for all words."""
    figure = canvas.viz["figure"].item()
    paint(canvas, look)
    if canvas.backend == "matplotlib":
        # Let matplotlib fit long labels into the figure and align them, as the others always do.
        figure.set_layout_engine("constrained")
        figure.align_ylabels()
    elif canvas.backend == "plotly":
        _make_room_in_plotly(figure, look)
    elif canvas.backend == "bokeh":
        _make_room_in_bokeh(canvas)


def _make_room_in_plotly(figure: Any, look: Look) -> None:
    """Put the rows where the lines of their titles leave room, and widen the upper margin."""
    titles = [note for note in figure.layout.annotations if (note.text or " ").strip()]
    line = 1.35 * look.points("title")
    lines = {note.yref: note.text.count("<br>") + 1 for note in titles}
    axes = list(figure.select_yaxes())
    rows = sorted({axis.domain for axis in axes}, key=lambda ends: -ends[1])
    heights = [
        max((lines.get(_domain(axis), 0) for axis in axes if axis.domain == row), default=0) * line
        for row in rows
    ]
    ticks = 2.4 * look.points("tick")
    labels = any(axis.title.text for axis in figure.select_xaxes())
    legend = _legend_height(figure, look) if figure.layout.showlegend else 0
    below = ticks + (1.8 * look.points("label") if labels else 0)
    top, bottom = heights[0] + 0.5 * line + TOOLBAR, below + legend + 10
    figure.update_layout(margin={"t": top, "b": bottom, "r": 30 * look.scale})
    inner = float(figure.layout.height or 450) - top - bottom
    shared = any(axis.matches for axis in figure.select_xaxes())
    between = [height + (0.5 * line if shared else below + ticks) for height in heights[1:]]
    share = max(0.05, (inner - sum(between)) / len(rows) / inner)
    high, places = 1.0, {}
    for row, gap in zip(rows, [*between, 0.0], strict=True):
        places[row] = (max(0.0, high - share), high)
        high = high - share - gap / inner
    for axis in axes:
        axis.domain = places[axis.domain]


def _legend_height(figure: Any, look: Look) -> float:
    """Return how much height the rows of the legend take, in pixels."""
    size = look.points("legend")
    labels = [trace.name for trace in figure.data if trace.showlegend]
    entry = 0.55 * size * max(map(len, labels), default=1) + 45 * look.scale
    columns = max(1, int((float(figure.layout.width or 700) - 110 * look.scale) / entry))
    return (0.9 + 1.7 * -(-len(labels) // columns)) * size


def _domain(axis: Any) -> str:
    name = axis.plotly_name.removeprefix("yaxis")
    return f"y{name} domain"


def _make_room_in_bokeh(canvas: PlotCollection) -> None:
    """Label a shared time axis once, and share the height of the legend among the panels."""
    panels = targets(canvas)
    if len({id(panel.x_range) for panel in panels}) < len(panels):
        for panel in panels[:-1]:
            panel.xaxis.major_label_text_font_size = "0px"
    for panel in panels:
        panel.title.text_font_style = "normal"
        panel.xaxis.axis_label_text_font_style = panel.yaxis.axis_label_text_font_style = "normal"
        for axis in panel.axis:
            axis.minor_tick_line_color = None
    rows = {index.item() for index in canvas.viz["row_index"].to_dataset().data_vars.values()}
    for panel in panels:
        panel.height -= TOOLBAR // len(rows)
    if len(rows) < len(panels):
        return
    below = sum(tag for tag in panels[-1].tags if isinstance(tag, int))
    below += 45 if len(panels) > 1 and panels[-1].xaxis[0].axis_label else 0
    for panel in panels:
        panel.height -= below // len(panels)
    panels[-1].height += below
