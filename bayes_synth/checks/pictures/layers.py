"""Draw the pictures of checks from layers of lines, points, bands and references.

Every layer is data and a style; backends, time axes and titles are those of the other plots.
"""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.plots.common import (
    TITLE_WIDTH,
    chosen_backend,
    figure_options,
    make_room,
    pen,
    point_size,
    put_title,
    time_axis,
)
from bayes_synth.results.answers import AbstractFit

__all__ = ["GREY", "Axes", "Layer", "picture"]

SPACING = {"plotly": {"vertical_spacing": 0.2}}
GREY = {"color": "gray", "alpha": 0.8}
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
    """Hold layers by name on one pair of axes, and its words; ``ticks`` are labels by height."""

    title: str
    layers: Mapping[str, Layer]
    xlabel: str = ""
    ylabel: str = ""
    ticks: Mapping[float, str] = {}


def picture(
    panels: Mapping[str, Axes], *, fit: AbstractFit | None, backend: str | None, height: int = 330
) -> PlotCollection:
    """Draw the panels under each other; the first warns of a fit that has not converged."""
    name = chosen_backend(backend)
    canvas = PlotCollection.wrap(
        xr.Dataset(dict.fromkeys(panels, 0.0)),
        cols=["__variable__"],
        col_wrap=1,
        backend=name,
        figure_kwargs=figure_options(
            850, height * len(panels), None, **SPACING.get(name, {}) if len(panels) > 1 else {}
        ),
    )
    for key, panel in panels.items():
        for part, layer in panel.layers.items():
            canvas.map(
                _draw_layer,
                f"{key}_{part}",
                data=_layer_data(key, layer),
                kind=layer.kind,
                **_layer_style(layer, name),
            )
        _label_axes(canvas, key, panel, fit if key == next(iter(panels)) else None)
    make_room(canvas)
    return canvas


def _layer_data(key: str, layer: Layer) -> xr.Dataset:
    rows = {"y": layer.y} | ({} if layer.top is None else {"top": layer.top})
    values = np.array([np.atleast_1d(np.asarray(row, dtype=float)) for row in rows.values()])
    if layer.kind == "vertical":
        values, x = np.zeros((1, 1)), np.atleast_1d(layer.x)
    else:
        x = np.arange(values.shape[1]) if layer.x is None else np.asarray(layer.x)
    return xr.Dataset({key: (("row", "x"), values)}, coords={"x": x, "row": list(rows)})


def _layer_style(layer: Layer, backend: str) -> dict[str, Any]:
    ours: dict[str, dict[str, Any]] = {
        "line": {"color": "C0", "width": 2},
        "points": {"color": "C0", "facecolor": "C0", "size": point_size(backend)},
        "band": {"color": "gray", "alpha": 0.3},
    }
    return ours.get(layer.kind, DASHED) | dict(layer.style)


def _draw_layer(da: xr.DataArray, target: Any, *, kind: str, **style: Any) -> Any:
    backend, x, y = pen(target), da["x"].to_numpy(), da.sel(row="y").to_numpy()
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


def _label_axes(canvas: PlotCollection, key: str, panel: Axes, fit: AbstractFit | None) -> None:
    target = canvas.get_target(key, {})
    backend = pen(target)
    if fit is not None:
        put_title(fit, panel.title, target, {})
    else:
        backend.title("\n".join(wrap(panel.title, TITLE_WIDTH)), target, size=11)
    for write, text in ((backend.xlabel, panel.xlabel), (backend.ylabel, panel.ylabel)):
        if text:
            write(text, target)
    if panel.ticks:
        backend.yticks(np.array(list(panel.ticks)), list(panel.ticks.values()), target)
    lines = [
        layer for layer in panel.layers.values() if layer.kind == "line" and layer.x is not None
    ]
    times: Sequence[np.ndarray] = [
        np.asarray(layer.x) for layer in lines if np.asarray(layer.x).dtype.kind in "Mi"
    ]
    if times:
        time_axis(target, times[0], canvas.backend)
