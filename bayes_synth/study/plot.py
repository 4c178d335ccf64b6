"""Draw the average effect of a study by event time or time, or one row per unit or start."""

from typing import Any, Unpack, get_args

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.errors import ResultError
from bayes_synth.plots.canvas import finish, new_canvas, plot_height, plot_width
from bayes_synth.plots.common import lifted, point_size, shortened
from bayes_synth.plots.dates import time_axis
from bayes_synth.plots.forest import Forest, draw_forest
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.plots.text import put_label, put_title
from bayes_synth.results.effects import Effect, IntervalKind, describe, require_interval
from bayes_synth.study.aggregates import Weights
from bayes_synth.study.cells import By
from bayes_synth.study.headline import event_counts
from bayes_synth.words import listed, per_cent, short

__all__ = ["plot_study"]

PARTS = ("band", "interval", "median", "zero", "legend", "title", "xlabel", "ylabel", "yticks")
SHAPE = (800.0, 450.0)
EFFECT = "effect"


def plot_study(
    joint: Any,
    by: By,
    weights: Weights,
    balanced: int | None,
    interval: tuple[float, IntervalKind],
    backend: str | None,
    **options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Draw the average effect of a joint fit; see :meth:`bayes_synth.JointFit.plot`.

    Raises
    ------
    ResultError
        R050 for another ``by``.
    """
    if by not in get_args(By):
        raise ResultError("R050", f"by must be one of {listed(get_args(By))}, got {by!r}.")
    require_interval(*interval)
    look = Look.of(backend, options, PARTS, ("effect", "time"))
    effect = joint.effect("average", by=by, weights=weights, balanced=balanced)
    title = _title(joint, effect, weights, balanced, interval) if look.title is None else look.title
    table = effect.to_frame(ci_prob=interval[0], ci_kind=interval[1])
    if by in ("treated", "start"):
        table = table.set_axis([short(label) for label in table.index], axis=0)
        words = look.word("effect", f"average effect ({effect.measure.split(' (')[0]})")
        return draw_forest(Forest(table, title, words), look)
    return _draw_path(effect, table, interval[0], title, look, joint.study)


def _title(
    joint: Any,
    effect: Effect,
    weights: Weights,
    balanced: int | None,
    interval: tuple[float, IntervalKind],
) -> str:
    """Say what is drawn, which average it is, and how many units stand behind what."""
    codes = [code for code, _ in joint.alarms]
    alarms = [f"ALARMS {', '.join(codes)}: see joint.alarms"] if codes else []
    whole = joint.effect("average", weights=weights, balanced=balanced)
    units = f"units behind each event time: {event_counts(joint)}" if balanced is None else ""
    over = "event" in effect.draws.dims
    return "\n".join([*alarms, describe(whole, *interval), *([units] if over and units else [])])


def _draw_path(
    effect: Effect, table: pd.DataFrame, ci_prob: float, title: str, look: Look, study: Any
) -> PlotCollection:
    """Draw medians with intervals, and the band that holds all of them."""
    canvas = new_canvas(look, [EFFECT], SHAPE)
    target, empty = canvas.get_target(EFFECT, {}), xr.Dataset({EFFECT: 0.0})
    accent = look.palette.accent
    band = effect.band(ci_prob).to_numpy()
    if look.shows("band"):
        style = look.drawn("band", color=accent, alpha=0.15)
        canvas.map(_draw_band, "band", data=empty, x=table.index, ends=band, **style)
    if look.shows("interval"):
        style = look.drawn("interval", color=accent, width=2.0)
        canvas.map(_draw_intervals, "interval", data=empty, table=table, **style)
    if look.shows("median"):
        size = point_size(canvas.backend)
        style = look.drawn("median", color=accent, facecolor=accent, size=size)
        canvas.map(_draw_medians, "median", data=empty, table=table, **style)
    _words(canvas, target, table, ci_prob, title, look, study)
    finish(canvas, look)
    return canvas


def _words(
    canvas: PlotCollection,
    target: Any,
    table: pd.DataFrame,
    ci_prob: float,
    title: str,
    look: Look,
    study: Any,
) -> None:
    """Mark no effect, and write axes, title and legend."""
    plain = backend_from_object(target)
    if look.shows("zero"):
        style = look.drawn("zero", color=look.palette.ink, width=1.0, linestyle="C1")
        plain.hline(0, target, **style)
    by_event = table.index.name == "event"
    across = "periods since each unit's own start" if by_event else study.time
    put_label("x", look.word("time", across), target, look)
    beside = look.word("effect", f"average effect ({shortened(study.outcome)})")
    put_label("y", beside, target, look, plot_height(look, SHAPE))
    if not by_event:
        time_axis(target, table.index.to_numpy(), look, plot_width(look, SHAPE))
    put_title(None, title, target, look, plot_width(look, SHAPE))
    if look.shows("legend"):
        share = per_cent(ci_prob)
        kind = table.attrs["ci_kind"].upper()
        entries = [
            Entry(f"each period, {share} {kind}", "points", look.palette.accent),
            Entry(f"whole path, {share} band", "band", look.palette.accent, 0.15),
        ]
        put_legend(canvas, look, entries)


def _draw_band(_: xr.DataArray, target: Any, *, x: pd.Index, ends: np.ndarray, **style: Any) -> Any:
    known = np.isfinite(ends).all(1)
    return backend_from_object(target).fill_between_y(
        x.to_numpy()[known], ends[known, 0], ends[known, 1], target, **style
    )


def _draw_intervals(_: xr.DataArray, target: Any, *, table: pd.DataFrame, **style: Any) -> Any:
    """Draw all intervals as one line that breaks between them."""
    ends = table[["lower", "upper"]].to_numpy(float)
    x = table.index.to_numpy()[:, None].repeat(3, 1).ravel()
    return backend_from_object(target).line(x, lifted(ends), target, **style)


def _draw_medians(_: xr.DataArray, target: Any, *, table: pd.DataFrame, **style: Any) -> Any:
    return backend_from_object(target).scatter(
        table.index.to_numpy(), table["median"].to_numpy(float), target, **style
    )
