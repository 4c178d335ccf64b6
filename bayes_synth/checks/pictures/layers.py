"""Draw the pictures of checks from layers of lines, points, bands and references.

Every layer is data and a style; backends, time axes and titles are those of the other plots.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.canvas import finish, new_canvas, plot_rows, plot_width
from bayes_synth.plots.common import point_size, shortened_apart
from bayes_synth.plots.dates import time_axis
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import Look, PictureOptions
from bayes_synth.plots.paths import NAMED
from bayes_synth.plots.text import put_label, put_ticks, put_title
from bayes_synth.results.answers import AbstractFit

__all__ = ["GREY", "HOLLOW", "Axes", "Layer", "named_points", "picture", "rows_that_fit"]

WIDTH = 850.0
GREY = {"color": "gray", "alpha": 0.8}
HOLLOW = GREY | {"facecolor": "B0", "width": 1.3}
POINTS = {"color": "gray", "facecolor": "gray"}
DASHED = {"color": "B1", "width": 1.2, "linestyle": "C1", "alpha": 0.8}


class Layer(NamedTuple):
    """Hold one thing to draw.

    Lines and points have ``x`` and ``y``, a band also its ``top``, a reference line one of the two.
    """

    kind: Literal["line", "points", "band", "horizontal", "vertical"]
    x: Any = None
    y: Any = None
    top: Any = None
    style: Mapping[str, Any] = {}


class Axes(NamedTuple):
    """Hold layers by name on one pair of axes, and its words.

    ``ticks`` are labels by height, ``legend`` says what layers stand for, ``limits`` are the ends
    of the vertical axis, ``across`` those of the horizontal one.
    """

    title: str
    layers: Mapping[str, Layer]
    xlabel: str = ""
    ylabel: str = ""
    ticks: Mapping[float, str] = {}
    legend: Sequence[Entry] = ()
    limits: tuple[float, float] | None = None
    across: tuple[float, float] | None = None


def picture(
    panels: Mapping[str, Axes],
    options: PictureOptions,
    *,
    fit: AbstractFit | None,
    height: int = 330,
) -> PlotCollection:
    """Draw the panels under each other; the first warns of a fit that has not converged."""
    look = Look.of_check(options)
    shape = WIDTH, float(height * len(panels))
    canvas = new_canvas(look, panels, shape)
    # Rows with names narrow all panels, which are as wide as each other.
    names = [name for panel in panels.values() for name in panel.ticks.values()]
    width = plot_width(look, shape, beside=names)
    for key, panel in panels.items():
        for part, layer in _references_last(panel.layers):
            canvas.map(
                _draw_layer,
                f"{key}_{part}",
                data=_layer_data(key, layer),
                kind=layer.kind,
                **_layer_style(part, layer, look),
            )
        first = key == next(iter(panels))
        shown = panel._replace(title=look.title) if first and look.title is not None else panel
        alarmed = fit if first else None
        _label_axes(canvas.get_target(key, {}), shown, alarmed, look, width)
    entries = {entry.label: entry for panel in panels.values() for entry in panel.legend}
    if entries and look.shows("legend"):
        put_legend(canvas, look, [_recoloured(entry, look) for entry in entries.values()])
    finish(canvas, look)
    return canvas


def rows_that_fit(options: PictureOptions, height: float, panels: int = 1) -> int:
    """Return how many rows of names fit into one of the panels above each other."""
    return plot_rows(Look.of_check(options), (WIDTH, height), panels)


def named_points(spots: pd.DataFrame, named: Sequence[str]) -> tuple[dict[str, Layer], list[Entry]]:
    """Make points at ``x`` and ``y`` by label; those that are named have colours of their own."""
    alone = spots.loc[[label for label in spots.index if label not in named]]
    layers = {"others": Layer("points", alone["x"].to_numpy(), alone["y"].to_numpy(), style=POINTS)}
    entries = []
    names = shortened_apart(named, 30)
    for colour, label, name in zip(NAMED, named, names, strict=False):
        style = {"color": colour, "facecolor": colour}
        x, y = spots.loc[[label], "x"], spots.loc[[label], "y"]
        layers[f"named_{label}"] = Layer("points", x.to_numpy(), y.to_numpy(), style=style)
        entries.append(Entry(name, "points", colour))
    rest = [Entry("other donors", "points", POINTS["color"])] if len(alone) else []
    return layers, [*entries, *rest]


def _layer_data(key: str, layer: Layer) -> xr.Dataset:
    rows = {"y": layer.y} | ({} if layer.top is None else {"top": layer.top})
    values = np.array([np.atleast_1d(np.asarray(row, dtype=float)) for row in rows.values()])
    if layer.kind == "vertical":
        values, x = np.zeros((1, 1)), np.atleast_1d(layer.x)
    else:
        x = np.arange(values.shape[1]) if layer.x is None else np.asarray(layer.x)
    return xr.Dataset({key: (("row", "x"), values)}, coords={"x": x, "row": list(rows)})


def _references_last(layers: Mapping[str, Layer]) -> list[tuple[str, Layer]]:
    """Order layers for drawing: plotly draws no line of reference on an empty panel."""
    return sorted(layers.items(), key=lambda item: item[1].kind in ("horizontal", "vertical"))


def _recoloured(entry: Entry, look: Look) -> Entry:
    return entry._replace(color=look.colour(entry.color))


def _layer_style(part: str, layer: Layer, look: Look) -> dict[str, Any]:
    ours: dict[str, dict[str, Any]] = {
        "line": {"color": "C0", "width": 2},
        "points": {"color": "C0", "facecolor": "C0", "size": point_size(look.backend)},
        "band": {"color": "gray", "alpha": 0.3},
    }
    style = ours.get(layer.kind, DASHED) | dict(layer.style)
    themed = {name: look.colour(style[name]) for name in ("color", "facecolor") if name in style}
    return look.drawn(part, **style | themed)


def _draw_layer(da: xr.DataArray, target: Any, *, kind: str, **style: Any) -> Any:
    backend, x, y = backend_from_object(target), da["x"].to_numpy(), da.sel(row="y").to_numpy()
    if kind == "band":
        return backend.fill_between_y(x, y, da.sel(row="top").to_numpy(), target, **style)
    if kind in ("line", "points"):
        draw = backend.line if kind == "line" else backend.scatter
        return draw(x, y, target, **style)
    return (
        backend.hline(float(y[0]), target, **style)
        if kind == "horizontal"
        else backend.vline(x[0], target, **style)
    )


def _label_axes(target: Any, panel: Axes, fit: AbstractFit | None, look: Look, width: int) -> None:
    put_title(fit, panel.title, target, look, width)
    put_label("x", panel.xlabel, target, look, width)
    put_label("y", panel.ylabel, target, look, 30)
    if panel.limits is not None:
        backend_from_object(target).ylim(panel.limits, target)
    if panel.across is not None:
        backend_from_object(target).xlim(panel.across, target)
    if panel.ticks:
        put_ticks(np.array(list(panel.ticks)), list(panel.ticks.values()), target, look)
    lines = [
        layer for layer in panel.layers.values() if layer.kind == "line" and layer.x is not None
    ]
    times: Sequence[np.ndarray] = [
        np.asarray(layer.x) for layer in lines if np.asarray(layer.x).dtype.kind in "Mi"
    ]
    if times:
        time_axis(target, times[0], look, width)
