"""Effects side by side, one row each: of several fits, or of refits beside the fit's own."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.errors import OptionError, ResultError
from bayes_synth.plots.canvas import finish, name_letters, new_canvas, plot_width
from bayes_synth.plots.common import lifted, point_size, shortened, shortened_apart
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.plots.text import other_alarms, put_label, put_ticks, put_title
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind, require_interval
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.words import per_cent

__all__ = ["Forest", "draw_forest", "plot_effects"]

PARTS = ("interval", "median", "zero", "legend", "title", "xlabel", "yticks")
NAME = 40
"""Letters of a row's name that fit beside the axis."""


class Forest(NamedTuple):
    """Hold the rows (median, lower, upper), the words, and an interval to compare them with.

    ``names`` are those of a row and of that interval's owner, for the legend.
    """

    table: pd.DataFrame
    title: str
    xlabel: str
    own: tuple[float, float, float] | None = None
    names: tuple[str, str] = ("refit", "the fit's")

    @property
    def shape(self) -> tuple[float, float]:
        """Return our width and height of the figure."""
        return 800.0, max(300.0, 190.0 + 28 * len(self.table))

    @property
    def heights(self) -> np.ndarray:
        """Return where the rows stand, the first on top."""
        return np.arange(len(self.table), dtype=float)[::-1]


def plot_effects(
    fits: Mapping[str, AbstractFit],
    estimand: str = "average",
    *,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    backend: str | None = None,
    **options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Plot the effects of several fits side by side: cities, models, or choices of donors.

    Parameters
    ----------
    fits
        Fits by the label of their row, from the top.
    estimand
        As in :meth:`bayes_synth.Fit.effect`; one number, not a path. Compare ``"relative"`` where
        units differ in size.
    ci_prob, ci_kind
        The interval's probability and kind.
    backend, **options
        As in :func:`plot_fit`. Labels: effect (the axis). Parts: interval, median, zero, legend,
        title, xlabel, yticks. A collection must have the variable effect.

    Returns
    -------
    arviz_plots.PlotCollection
        One row per fit with median and interval, in outcome units (per cent for the relative
        effect). Rows of fits that have not converged are marked, and rows of fits with other alarms
        have their codes.

    Raises
    ------
    OptionError
        O043 unless ``fits`` is a mapping of at least one fit; O001, O004, O040 as in
        :func:`plot_fit`.
    ResultError
        R005 for an unknown estimand and for paths, R004 when a ratio means nothing in one of the
        fits, R006 when the backend is not installed.

    Examples
    --------
    >>> figure = bs.plots.plot_effects({"Chicago": fit, "Portland": fit}, "relative")
    """
    look = Look.of(backend, options, PARTS, ("effect",))
    require_interval(ci_prob, ci_kind)
    if not isinstance(fits, Mapping) or not fits:
        raise OptionError(
            "O043", f'fits must map labels to fits, such as {{"chicago": fit}}, got {fits!r}.'
        )
    if estimand in ESTIMANDS and ESTIMANDS[estimand].path:
        raise ResultError("R005", f"the {estimand} effect is a path, not one number.")
    rows = {
        _row_label(label, fit): _row(fit, estimand, ci_prob, ci_kind) for label, fit in fits.items()
    }
    table = pd.DataFrame(rows).T
    title = f"{_named(estimand)} of {len(fits)} fits: median and {per_cent(ci_prob)}"
    forest = Forest(table, f"{title} {ci_kind.upper()}", _measure(fits, estimand))
    return draw_forest(forest, look)


def _row(
    fit: AbstractFit, estimand: str, ci_prob: float, ci_kind: IntervalKind
) -> dict[str, float]:
    effect, factor = fit.effect(estimand), ESTIMANDS[estimand].factor
    lower, upper = (factor * float(end) for end in effect.interval(ci_prob, ci_kind))
    return {"median": factor * float(effect.draws.median()), "lower": lower, "upper": upper}


def _row_label(label: object, fit: AbstractFit) -> str:
    """Write a row's label with what alarms about its fit; a long label is cut, its alarms never."""
    said = [*(["not converged"] if fit.convergence.alarms else []), *other_alarms(fit)]
    marks = f" ({', '.join(said)})" if said else ""
    return f"{shortened(str(label), max(NAME - len(marks), 10))}{marks}"


def _named(estimand: str) -> str:
    return f"{estimand.capitalize().replace('_', ' ')} effect"


def _measure(fits: Mapping[str, AbstractFit], estimand: str) -> str:
    """Name the axis: the measure if all fits have one, else the effect alone."""
    if ESTIMANDS[estimand].factor == 100:
        return f"{estimand} effect (per cent)"
    measures = {ESTIMANDS[estimand].measured(fit.panel.outcome) for fit in fits.values()}
    named = measures.pop() if len(measures) == 1 else ""
    return f"{estimand} effect ({shortened(named, 60)})" if named else f"{estimand} effect"


def draw_forest(forest: Forest, look: Look, fit: AbstractFit | None = None) -> PlotCollection:
    """Draw the rows; ``fit`` is asked for alarms, which stand above the title."""
    canvas = new_canvas(look, ["effect"], forest.shape)
    _compared(canvas.get_target("effect", {}), forest, look)
    empty = xr.Dataset({"effect": 0.0})
    if look.shows("interval"):
        style = look.drawn("interval", color=look.palette.accent, width=2.0)
        canvas.map(_draw_intervals, "interval", data=empty, forest=forest, **style)
    if look.shows("median"):
        accent, size = look.palette.accent, point_size(canvas.backend)
        style = look.drawn("median", color=accent, facecolor=accent, size=size)
        canvas.map(_draw_medians, "median", data=empty, forest=forest, **style)
    _references(canvas.get_target("effect", {}), forest, look)
    _words(canvas, forest, look, fit)
    finish(canvas, look)
    return canvas


def _compared(target: Any, forest: Forest, look: Look) -> None:
    """Draw the interval to compare with."""
    if forest.own is not None:
        low, _, high = forest.own
        backend_from_object(target).vspan(low, high, target, color=look.palette.soft, alpha=0.15)


def _references(target: Any, forest: Forest, look: Look) -> None:
    """Draw the lines of no effect and of the median to compare with.

    They come after the rows: plotly draws no line on an empty panel.
    """
    plain = backend_from_object(target)
    if forest.own is not None:
        plain.vline(forest.own[1], target, color=look.palette.soft, width=1.5 * look.scale)
    ends = [*forest.table[["lower", "upper"]].to_numpy(float).ravel(), *(forest.own or ())]
    low, high = float(np.nanmin([0.0, *ends])), float(np.nanmax([0.0, *ends]))
    room = 0.05 * (high - low) or 1.0
    plain.xlim((low - room, high + room), target)
    if look.shows("zero"):
        style = look.drawn("zero", color=look.palette.ink, width=1.0, linestyle="C1")
        plain.vline(0, target, **style)


def _words(canvas: PlotCollection, forest: Forest, look: Look, fit: AbstractFit | None) -> None:
    target = canvas.get_target("effect", {})
    labels = shortened_apart(forest.table.index, name_letters(look, forest.shape))
    width = plot_width(look, forest.shape, beside=labels)
    put_ticks(forest.heights, labels, target, look)
    put_label("x", look.word("effect", forest.xlabel), target, look, width)
    title = forest.title if look.title is None else look.title
    put_title(fit, title, target, look, width)
    backend_from_object(target).ylim((-0.7, len(labels) - 0.3), target)
    if forest.own is not None and look.shows("legend"):
        row, owner = forest.names
        entries = [
            Entry(f"{row}: median and 95% ETI", "points", look.palette.accent),
            Entry(f"{owner} median", "line", look.palette.soft, width=1.5),
            Entry(f"{owner} 95% ETI", "band", look.palette.soft, 0.3),
        ]
        put_legend(canvas, look, entries)


def _draw_intervals(_: xr.DataArray, target: Any, *, forest: Forest, **style: Any) -> Any:
    ends = forest.table[["lower", "upper"]].to_numpy(float)
    heights = forest.heights[:, None].repeat(2, 1)
    return backend_from_object(target).line(lifted(ends), lifted(heights), target, **style)


def _draw_medians(_: xr.DataArray, target: Any, *, forest: Forest, **style: Any) -> Any:
    return backend_from_object(target).scatter(
        forest.table["median"].to_numpy(float), forest.heights, target, **style
    )
