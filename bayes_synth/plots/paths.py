"""Lines over time with one of them in front: the treated unit's, or the fit's own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.common import lifted, shortened
from bayes_synth.plots.dates import time_axis
from bayes_synth.plots.legend import Entry
from bayes_synth.plots.look import Look
from bayes_synth.plots.text import put_label
from bayes_synth.results.answers import AbstractFit

__all__ = ["NAMED", "Stroke", "draw_paths", "entries_of", "farthest", "strokes"]

NAMED = ("C1", "C2", "C4", "C5")
"""Colours of what the legend names; all else is pale. C3 is grey on bokeh."""
DASHES: tuple[Literal["solid", "dashed", "dotted"], ...] = ("solid", "dashed", "dotted")


class Stroke(NamedTuple):
    """Hold how one of many lines is drawn: its colour, its dash by ArviZ's name and in words."""

    colour: str
    linestyle: str
    dash: Literal["solid", "dashed", "dotted"]


def strokes(count: int, colours: Sequence[str]) -> list[Stroke]:
    """Return how to draw so many lines: where the colours end they begin again, dashed."""
    rounds = [divmod(k, len(colours)) for k in range(count)]
    return [Stroke(colours[c], f"C{r % 3}", DASHES[r % 3]) for r, c in rounds]


def farthest(lines: Mapping[str, pd.Series], front: pd.Series) -> list[str]:
    """Return the labels of the lines that lie farthest from the one in front."""
    apart = {label: float((line - front).abs().mean()) for label, line in lines.items()}
    ranked = sorted(lines, key=lambda label: -np.nan_to_num(apart[label]))
    chosen = set(ranked[: len(NAMED)])
    return [label for label in lines if label in chosen]


def draw_paths(
    canvas: PlotCollection,
    fit: AbstractFit,
    variable: str,
    lines: Mapping[str, pd.Series],
    front: pd.Series,
    look: Look,
    *,
    named: Sequence[str] = (),
    width: int = 80,
) -> None:
    """Draw the lines on one panel of a collection, mark zero and start, and name its axes."""
    empty, target = xr.Dataset({variable: 0.0}), canvas.get_target(variable, {})
    others = [line for label, line in lines.items() if label not in named]
    pale = float(np.clip(15 / max(1, len(others)), 0.3, 0.6))
    style = look.drawn("lines", color=look.palette.soft, alpha=pale, width=0.9)
    canvas.map(_draw_lines, "lines", data=empty, series=others, **style)
    for place, label in enumerate(named):
        style = look.drawn("named", color=NAMED[place], width=1.4)
        canvas.map(_draw_lines, f"line_{place}", data=empty, series=[lines[label]], **style)
    style = look.drawn("front", color=look.palette.ink, width=2.6)
    canvas.map(_draw_lines, "top", data=empty, series=[front], **style)
    _references(target, fit, look)
    put_label("y", look.word("outcome", shortened(fit.panel.outcome)), target, look, 30)
    put_label("x", look.word("time", fit.panel.time), target, look)
    time_axis(target, fit.panel.times.to_numpy(), look, width)


def _references(target: Any, fit: AbstractFit, look: Look) -> None:
    backend, ink = backend_from_object(target), look.palette.ink
    backend.hline(0, target, color=ink, width=0.8, alpha=0.6)
    dashed = {"width": 1.2 * look.scale, "linestyle": "C1", "alpha": 0.8}
    backend.vline(fit.panel.post[0], target, color=ink, **dashed)


def entries_of(look: Look, named: Sequence[str], front: str, others: str = "") -> Iterator[Entry]:
    """Yield the legend's rows: the line in front, the named ones, and the others together."""
    yield Entry(front, "line", look.palette.ink, width=2.6)
    for colour, label in zip(NAMED, named, strict=False):
        yield Entry(shortened(label, 40), "line", colour, width=1.4)
    if others:
        yield Entry(others, "line", look.palette.soft, 0.8, width=1.0)


def _draw_lines(_: xr.DataArray, target: Any, *, series: list[pd.Series], **style: Any) -> Any:
    """Draw all of them as one line that breaks between them and where an outcome is missing."""
    if not series:
        return None
    times = np.concatenate([line.index.to_numpy()[[*range(len(line)), -1]] for line in series])
    values = np.concatenate([lifted(line.to_numpy(float)[None, :]) for line in series])
    return backend_from_object(target).line(times, values, target, **style)
