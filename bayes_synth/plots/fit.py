"""Panels on one time axis: observed and counterfactual, effect, cumulative effect."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Unpack, cast

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.canvas import finish, new_canvas, plot_height, plot_width
from bayes_synth.plots.common import lifted, shortened
from bayes_synth.plots.dates import time_axis
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import CanvasOptions, Look, PathOptions
from bayes_synth.plots.panels import (
    PANELS,
    bands,
    chosen_panels,
    dataset,
    shown_times,
    widest_first,
)
from bayes_synth.plots.registry import plot
from bayes_synth.plots.text import put_label, put_title
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.bands import BandKind
from bayes_synth.results.effects import IntervalKind
from bayes_synth.words import per_cent, short

__all__ = ["plot_fit"]

PARTS = (
    "donors",
    "bands",
    "simultaneous",
    "median",
    "observed",
    "average",
    "zero",
    "start",
    "legend",
    "title",
    "ylabel",
    "xlabel",
)
LABELS = (*PANELS, "outcome", "time", "observed", "counterfactual", "donors", "start")
WIDTH, HEIGHTS = 900, (110, 270)
"""Width, and heights beside and of each panel, in hundredths of an inch."""
ROOM = 0.15
"""Space above and below the treated unit, as a share of its range; donors beyond it are cut."""


class Shown(NamedTuple):
    """What is drawn: the fit, the names of the panels, and the bands by probability."""

    fit: AbstractFit
    panels: tuple[str, ...]
    tables: Mapping[float, pd.DataFrame]
    ci_kind: IntervalKind
    outlined: bool = False

    @property
    def widest(self) -> pd.DataFrame:
        """Return the bands of the largest probability."""
        return next(iter(self.tables.values()))

    @property
    def levels(self) -> list[str]:
        """Return the panels that show the outcome itself."""
        return [name for name in self.panels if PANELS[name].level]

    @property
    def shape(self) -> tuple[float, float]:
        """Return our width and height of the figure."""
        beside, each = HEIGHTS
        return WIDTH, beside + each * len(self.panels)


@plot(
    "Observed and counterfactual {outcome} of {treated}, effect per period and cumulative effect.",
    place=1,
)
def plot_fit(
    fit: AbstractFit,
    *,
    panels: Sequence[str] = ("path", "effect", "cumulative"),
    window: slice | None = None,
    donors: bool = True,
    ci_probs: Sequence[float] = (0.5, 0.95),
    ci_kind: IntervalKind = "eti",
    backend: str | None = None,
    **options: Unpack[PathOptions],
) -> PlotCollection:
    """Plot observed and counterfactual, the pointwise effect, and the cumulative effect.

    Parameters
    ----------
    fit
        The fit.
    panels
        Which panels, from top to bottom: ``"path"`` (observed and counterfactual), ``"effect"``
        (observed minus counterfactual), ``"cumulative"``; and the classical picture of Abadie,
        Diamond and Hainmueller (2010): ``"synthetic"`` (observed and synthetic) and ``"gap"``
        (observed minus synthetic).
    window
        Part of the time axis by label, ends included, such as ``slice("2024-03", None)``. Numbers
        in titles are those of the whole post-period.
    donors
        Whether the donors are drawn behind the treated unit.
    ci_probs, ci_kind
        Probabilities of the bands, and their kind.
    backend
        ``"matplotlib"``, ``"plotly"``, ``"bokeh"`` or ``"none"``. Default: ``plot.backend`` of
        ArviZ's settings.
    **options
        ``band``: ``"simultaneous"`` outlines, in the panels of the effect and of the cumulative
        effect, the band that holds the whole path with the largest of these probabilities;
        ``"none"`` (default) does not. ``title``, ``labels``, ``figsize``, ``size``, ``theme``,
        ``visuals``, ``plot_collection`` and ``figure_kwargs`` of
        :class:`bayes_synth.plots.CanvasOptions`. Labels: path, effect,
        cumulative, synthetic, gap (titles of panels), outcome, time (axes), observed,
        counterfactual, donors, start (legend). Parts in ``visuals``: donors, bands, simultaneous,
        median, observed, average, zero, start, legend, title, ylabel, xlabel. A collection must
        have the panels as variables.

    Returns
    -------
    arviz_plots.PlotCollection
        ``savefig``, ``show`` and ``viz`` as in ArviZ. The numbers are those of
        :meth:`bayes_synth.Fit.to_frame`, in outcome units.

    Raises
    ------
    OptionError
        O001 for unknown parts and backends, O004 for probabilities outside (0, 1) or none at all,
        O040 for unknown labels, sizes and themes, O041 for unknown panels, O042 for a window
        without times.
    ResultError
        R006 when the backend is not installed.

    Examples
    --------
    >>> figure = bs.plots.plot_fit(fit, panels=("synthetic", "gap"))
    """
    band: BandKind = options.pop("band", "none")
    look = Look.of(backend, cast("CanvasOptions", options), PARTS, LABELS)
    names, probs = chosen_panels(panels), widest_first(ci_probs, ci_kind)
    times = shown_times(window, fit.panel.times)
    bounds = {
        prob: bands(fit, names, prob, ci_kind, band if prob == probs[0] else "none")
        for prob in probs
    }
    tables = {prob: table.loc[times] for prob, table in bounds.items()}
    shown = Shown(
        fit, names, tables, ci_kind, outlined=band != "none" and look.shows("simultaneous")
    )
    canvas = new_canvas(look, names, shown.shape, sharex=True)
    if donors and look.shows("donors") and shown.levels:
        _donors(canvas, shown, look)
    if look.shows("bands"):
        _bands(canvas, shown, look)
    if shown.outlined:
        _outline(canvas, shown, look)
    _lines(canvas, shown, look)
    _references(canvas, shown, look)
    _words(canvas, shown, look)
    if look.shows("legend"):
        put_legend(canvas, look, list(_entries(shown, look, donors)))
    finish(canvas, look)
    return canvas


def _donors(canvas: PlotCollection, shown: Shown, look: Look) -> None:
    """Draw the donors thin and pale, so that the treated unit is the figure."""
    outcomes = shown.fit.panel.donor_outcomes.sel(time=shown.widest.index.to_numpy())
    style = look.drawn("donors", color=look.palette.soft, alpha=_paleness(shown), width=0.7)
    canvas.map(_draw_donors, "donors", data=_levels(shown, outcomes), **style)


def _paleness(shown: Shown) -> float:
    """Return how opaque a donor is: the paler, the more there are."""
    return float(np.clip(8 / len(shown.fit.panel.donors), 0.15, 0.4))


def _levels(shown: Shown, values: xr.DataArray) -> xr.Dataset:
    plain = values.drop_vars("unit", errors="ignore")
    return xr.Dataset(dict.fromkeys(shown.levels, plain))


def _bands(canvas: PlotCollection, shown: Shown, look: Look) -> None:
    """Draw one band per probability, the narrow ones darker and on top."""
    for prob, table in shown.tables.items():
        bounds = [
            dataset(table, bound, shown.panels).assign_coords(ci_bound=bound)
            for bound in ("lower", "upper")
        ]
        style = look.drawn("bands", color=look.palette.accent, alpha=_opacity(shown, prob))
        canvas.map(_draw_band, f"band_{prob:g}", data=xr.concat(bounds, dim="ci_bound"), **style)


def _outline(canvas: PlotCollection, shown: Shown, look: Look) -> None:
    """Draw the two ends of the bands that hold a whole path."""
    style = look.drawn("simultaneous", color=look.palette.accent, width=1.2, linestyle="C1")
    paths = [name for name in shown.panels if f"{PANELS[name].source}_band_lower" in shown.widest]
    for end in ("lower", "upper"):
        data = dataset(shown.widest, f"band_{end}", paths)
        canvas.map(_draw_line, f"simultaneous_{end}", data=data, **style)


def _opacity(shown: Shown, prob: float) -> float:
    return 0.25 if prob == max(shown.tables) else 0.45


def _lines(canvas: PlotCollection, shown: Shown, look: Look) -> None:
    """Draw medians, and what was observed on top of them."""
    if look.shows("median"):
        style = look.drawn("median", color=look.palette.accent, width=2.0)
        canvas.map(
            _draw_line, "median", data=dataset(shown.widest, "median", shown.panels), **style
        )
    if look.shows("observed") and shown.levels:
        observed = shown.fit.panel.treated_outcome.sel(time=shown.widest.index.to_numpy())
        style = look.drawn("observed", color=look.palette.ink, width=2.5)
        canvas.map(_draw_line, "observed", data=_levels(shown, observed), **style)


def _references(canvas: PlotCollection, shown: Shown, look: Look) -> None:
    """Draw zero lines, the average effect, and the start of treatment."""
    ink, middle = look.palette.ink, dataset(shown.widest, "median", shown.panels)
    flat = [name for name in shown.panels if name not in shown.levels]
    if look.shows("zero") and flat:
        style = look.drawn("zero", color=ink, width=0.8, alpha=0.6)
        canvas.map(_draw_zero, "zero", data=middle[flat], **style)
    post = shown.widest.index[shown.widest.index >= shown.fit.panel.start]
    if look.shows("average") and "effect" in shown.panels and len(post) > 1:
        style = look.drawn("average", color=ink, width=1.4, linestyle="C2")
        at = float(shown.fit.effect("average").draws.median())
        canvas.map(
            _draw_average, "average", data=middle[["effect"]], post=post.to_numpy(), at=at, **style
        )
    if look.shows("start") and len(post) and len(post) < len(shown.widest):
        style = look.drawn("start", color=ink, width=1.2, linestyle="C1", alpha=0.8)
        canvas.map(_draw_start, "start", data=middle, at=shown.fit.panel.post[0], **style)


def _limits(table: pd.DataFrame, source: str) -> tuple[float, float]:
    """Return limits for treated unit and counterfactual, which remote donors would flatten."""
    shown = table[["observed", f"{source}_lower", f"{source}_upper"]].to_numpy()
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    room = ROOM * (high - low)
    return low - room, high + room


def _words(canvas: PlotCollection, shown: Shown, look: Look) -> None:
    """Write titles and labels, and set the limits of panels that have donors."""
    fit, width = shown.fit, plot_width(look, shown.shape)
    measures = _measures(shown, look)
    for place, name in enumerate(shown.panels):
        target = canvas.get_target(name, {})
        title = look.word(name, PANELS[name].title(fit, max(shown.tables), shown.ci_kind))
        first = place == 0
        if first and look.title is not None:
            title = look.title
        put_title(fit if first else None, title, target, look, width)
        put_label("y", measures[place], target, look, plot_height(look, shown.shape))
        if name == shown.panels[-1]:
            put_label("x", look.word("time", fit.panel.time), target, look, width)
        if PANELS[name].level:
            limits = _limits(shown.widest, PANELS[name].source)
            backend_from_object(target).ylim(limits, target)
        time_axis(target, shown.widest.index.to_numpy(), look, width)


def _measures(shown: Shown, look: Look) -> list[str]:
    """Name the outcome beside every panel, or once in the middle where its name is long."""
    count = len(shown.panels)
    if look.backend == "bokeh":  # it cuts what is longer than its own panel
        fits = int(1.2 * plot_height(look, shown.shape, count))
        return [shortened(look.word("outcome", shown.fit.panel.outcome), max(fits, 8))] * count
    fits = 2 * plot_height(look, shown.shape, count)
    name = look.word("outcome", shown.fit.panel.outcome)
    if len(name) <= fits or count == 1:
        return [shortened(name, max(fits, 28))] * count
    middle = (count - 1) // 2
    return [shortened(name, fits * (count - 1)) if at == middle else "" for at in range(count)]


def _entries(shown: Shown, look: Look, donors: bool) -> list[Entry]:
    """Return the rows of the legend: only what is drawn."""
    ink, accent, soft, _ = look.palette
    levels = {"path": "counterfactual", "synthetic": "synthetic"}
    paths = [word for name, word in levels.items() if name in shown.panels]
    middle = look.word("counterfactual", f"{' or '.join(paths) or 'effect'}, median")
    begin = look.word("start", f"start, {short(shown.fit.panel.start)}")
    widest = max(shown.tables)
    rows = {
        "observed": [Entry(look.word("observed", "observed"), "line", ink, width=2.5)],
        "median": [Entry(middle, "line", accent)],
        "bands": [
            Entry(
                f"{per_cent(prob)} {shown.ci_kind.upper()}",
                "band",
                accent,
                0.3 if prob == widest else 0.9,
            )
            for prob in sorted(shown.tables)
        ],
        "simultaneous": [
            Entry(f"{per_cent(widest)} band of the whole path", "line", accent, dash="dashed")
        ],
        "average": [Entry("average effect", "line", ink, width=1.4, dash="dotted")],
        "donors": [Entry(look.word("donors", "donors"), "line", soft, 0.7, width=1.0)],
        "start": [Entry(begin, "line", ink, 0.8, width=1.2, dash="dashed")],
    }
    absent = {
        "observed": not shown.levels,
        "donors": not (shown.levels and donors),
        "average": "effect" not in shown.panels,
        "simultaneous": not shown.outlined,
    }
    kept = [row for part, row in rows.items() if look.shows(part) and not absent.get(part)]
    return [entry for row in kept for entry in row]


def _draw_line(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """Draw a line from the first number to the last, broken where one is missing in between."""
    present = np.flatnonzero(da.notnull().to_numpy())
    if not len(present):
        return None
    da = da.isel(time=slice(present[0], present[-1] + 1))
    return backend_from_object(target).line(da["time"].to_numpy(), da.to_numpy(), target, **style)


def _draw_band(da: xr.DataArray, target: Any, **style: Any) -> Any:
    da = da.dropna("time")
    low, high = (da.sel(ci_bound=bound).to_numpy() for bound in ("lower", "upper"))
    return backend_from_object(target).fill_between_y(
        da["time"].to_numpy(), low, high, target, **style
    )


def _draw_donors(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """Draw all donors as one broken line: hundreds of artists would be slow."""
    times = da["time"].to_numpy()
    x = np.tile(np.append(times, times[-1:]), da.sizes["donor"])
    return backend_from_object(target).line(
        x, lifted(da.transpose("donor", "time").to_numpy()), target, **style
    )


def _draw_zero(_: xr.DataArray, target: Any, **style: Any) -> Any:
    return backend_from_object(target).hline(0, target, **style)


def _draw_average(
    _: xr.DataArray, target: Any, *, post: np.ndarray, at: float, **style: Any
) -> Any:
    return backend_from_object(target).line(post[[0, -1]], np.array([at, at]), target, **style)


def _draw_start(_: xr.DataArray, target: Any, *, at: Any, **style: Any) -> Any:
    return backend_from_object(target).vline(at, target, **style)
