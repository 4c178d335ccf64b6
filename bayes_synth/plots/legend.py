"""A legend below the picture: what each line, band and point stands for, on every backend."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal, NamedTuple

import numpy as np
from arviz_plots import PlotCollection

from bayes_synth.plots.look import Look
from bayes_synth.plots.text import plain
from bayes_synth.plots.themes import targets

__all__ = ["Entry", "put_legend"]

DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot"}
"""What plotly calls them; matplotlib and bokeh have our words."""


class Entry(NamedTuple):
    """One row of a legend: its words, what is drawn, and how."""

    label: str
    kind: Literal["line", "band", "points"]
    color: str
    alpha: float = 1.0
    width: float = 2.0
    dash: Literal["solid", "dashed", "dotted"] = "solid"
    hollow: bool = False


def put_legend(canvas: PlotCollection, look: Look, entries: Sequence[Entry]) -> None:
    """Write a legend below the last panel; the ``"none"`` backend records it there."""
    rows = [entry._replace(label=plain(entry.label, canvas.backend)) for entry in entries]
    draw = {"matplotlib": _matplotlib, "plotly": _plotly, "bokeh": _bokeh}.get(canvas.backend)
    if draw is None:
        labels = [entry.label for entry in rows]
        targets(canvas)[-1].append({"function": "legend", "labels": labels})
    elif rows:
        draw(canvas, look, rows)


def _colour(canvas: PlotCollection, name: str) -> Any:
    """Resolve names such as ``C0`` and ``B1`` as ArviZ does for all else that is drawn."""
    backend = import_module(f"arviz_plots.backend.{canvas.backend}.core")
    return backend.expand_aesthetic_aliases(lambda **style: style["color"])(color=name)


def _matplotlib(canvas: PlotCollection, look: Look, entries: Sequence[Entry]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for entry in entries:
        colour, alpha = _colour(canvas, entry.color), entry.alpha
        if entry.kind == "band":
            handles.append(Patch(facecolor=colour, alpha=alpha, linewidth=0, label=entry.label))
            continue
        dots: dict[str, Any] = {"marker": "o", "linestyle": ""} if entry.kind == "points" else {}
        dots |= {"fillstyle": "none"} if entry.hollow else {}
        dots = {"linestyle": entry.dash} | dots
        handles.append(Line2D([], [], color=colour, alpha=alpha, lw=entry.width, label=entry.label))
        handles[-1].set(**dots)
    figure = canvas.viz["figure"].item()
    ink = look.written("legend")
    width = figure.get_size_inches()[0] * 100
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=_columns([entry.label for entry in entries], width, look),
        fontsize=ink["size"],
        frameon=False,
        handlelength=1.6,
        columnspacing=1.4,
        labelcolor=ink.get("color"),
    )


def _columns(labels: Sequence[str], width: float, look: Look) -> int:
    """Return in how many columns rows of these words fit side by side."""
    letter, handle = 6.4 * look.size.text, 42
    columns = max(1, int(width / (max(map(len, labels)) * letter + handle)))
    # As many rows as needed, each as full as the others.
    return -(-len(labels) // -(-len(labels) // min(columns, len(labels))))


def _plotly(canvas: PlotCollection, look: Look, entries: Sequence[Entry]) -> None:
    import plotly.graph_objects as go

    figure = canvas.viz["figure"].item()
    for entry in entries:
        look_of = {"color": _colour(canvas, entry.color)}
        if entry.kind == "line":
            shape = {"width": entry.width * look.scale, "dash": DASHES[entry.dash]}
            drawn: dict[str, Any] = {"mode": "lines", "line": look_of | shape}
        else:
            symbol = "square" if entry.kind == "band" else "circle"
            symbol += "-open" if entry.hollow else ""
            size = 12 * look.scale
            drawn = {"mode": "markers", "marker": look_of | {"symbol": symbol, "size": size}}
        figure.add_trace(
            go.Scatter(
                x=[None], y=[None], name=entry.label, opacity=entry.alpha, showlegend=True, **drawn
            )
        )
    place = {"orientation": "h", "x": 0.5, "xanchor": "center", "y": 0, "yanchor": "bottom"}
    font = {"size": look.points("legend")}
    figure.update_layout(
        showlegend=True,
        legend=place
        | {"yref": "container", "font": font, "traceorder": "normal"}
        | {"itemclick": False, "itemdoubleclick": False},
    )


def _bokeh(canvas: PlotCollection, look: Look, entries: Sequence[Entry]) -> None:
    from bokeh.models.annotations.legends import Legend, LegendItem

    target, words = targets(canvas)[-1], look.written("legend")
    items = [
        LegendItem(label=entry.label, renderers=[_bokeh_glyph(canvas, target, look, entry)])
        for entry in entries
    ]
    columns = _columns([entry.label for entry in entries], target.width / look.scale, look)
    look_of: dict[str, Any] = {
        "items": items,
        "orientation": "horizontal",
        "ncols": columns,
        "location": "center",
        "label_text_font_size": f"{words['size']:g}px",
        "border_line_alpha": 0,
        "background_fill_alpha": 0,
    }
    ink = {"label_text_color": words["color"]} if "color" in words else {}
    target.add_layout(Legend(**look_of, **ink), "below")
    # How much height the rows of the legend take, for those who share it out.
    target.tags = [*target.tags, int(2.2 * words["size"] * -(-len(items) // columns)) + 10]


def _bokeh_glyph(canvas: PlotCollection, target: Any, look: Look, entry: Entry) -> Any:
    """Draw what an entry shows where nobody sees it: bokeh's legends copy what is drawn."""
    colour, alpha = _colour(canvas, entry.color), entry.alpha
    nowhere = {"x": [np.nan], "y": [np.nan]}
    if entry.kind == "line":
        width = entry.width * look.scale
        shape = {"line_width": width, "line_dash": entry.dash}
        return target.line(**nowhere, line_color=colour, line_alpha=alpha, **shape)
    marker = "square" if entry.kind == "band" else "circle"
    colours = {"line_color": colour, "fill_color": None if entry.hollow else colour}
    return target.scatter(**nowhere, marker=marker, size=12 * look.scale, alpha=alpha, **colours)
