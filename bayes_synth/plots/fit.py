"""Three panels on one time axis: observed and counterfactual, effect, cumulative effect."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError
from bayes_synth.plots.common import (
    Visuals,
    chosen_backend,
    figure_options,
    lifted,
    make_room,
    pen,
    put_title,
    shortened,
    styles,
    time_axis,
)
from bayes_synth.plots.registry import plot
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.bands import BandKind
from bayes_synth.results.effects import IntervalKind, require_interval
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.words import listed, per_cent

__all__ = ["plot_fit"]

PARTS = (
    "donors", "bands", "simultaneous", "median", "observed", "zero", "start", "title", "ylabel",
    "xlabel",
)  # fmt: skip
PANELS = {"outcome": "counterfactual", "effect": "effect", "cumulative": "cumulative"}
"""The columns of :meth:`bayes_synth.Fit.to_frame` that each panel shows."""
SPACING = {"plotly": {"vertical_spacing": 0.08}}
ROOM = 0.15
"""Space above and below the treated unit, as a share of its range; donors beyond it are cut."""


@plot(
    "Observed and counterfactual {outcome} of {treated}, effect per period and cumulative effect.",
    place=1,
)
def plot_fit(
    fit: AbstractFit,
    *,
    ci_probs: Sequence[float] = (0.5, 0.95),
    ci_kind: IntervalKind = "eti",
    band: BandKind = "none",
    backend: str | None = None,
    plot_collection: PlotCollection | None = None,
    visuals: Visuals | None = None,
    figure_kwargs: Mapping[str, Any] | None = None,
) -> PlotCollection:
    """Plot observed and counterfactual, the pointwise effect, and the cumulative effect.

    Parameters
    ----------
    fit
        The fit.
    ci_probs, ci_kind
        Probabilities of the intervals in each period, and their kind.
    band
        ``"simultaneous"`` outlines, in the panels of the effect and of the cumulative effect, the
        band that holds the whole path with the largest of these probabilities; ``"none"`` does not.
    backend
        ``"matplotlib"``, ``"plotly"``, ``"bokeh"`` or ``"none"``. Default: ``plot.backend`` of
        ArviZ's settings.
    plot_collection
        Draw on this collection, with its backend; it must have the variables outcome, effect and
        cumulative.
    visuals
        Parts to leave out (False) or to style (a mapping such as ``{"color": "C1"}``): donors,
        bands, simultaneous, median, observed, zero, start, title, ylabel, xlabel. A warning that
        the fit has not converged stays.
    figure_kwargs
        Passed to the backend's figure, such as ``{"figsize": (9, 12)}``, in inches unless
        ``figsize_units`` is ``"dots"``.

    Returns
    -------
    arviz_plots.PlotCollection
        ``savefig``, ``show`` and ``viz`` as in ArviZ. The numbers are those of
        :meth:`bayes_synth.Fit.to_frame`, in outcome units.

    Raises
    ------
    OptionError
        O001 for unknown names, O004 for probabilities outside (0, 1) or none at all.
    ResultError
        R006 when the backend is not installed.
    """
    name, style = chosen_backend(backend, plot_collection), styles(visuals, PARTS)
    tables = {
        prob: fit.to_frame(ci_prob=prob, ci_kind=ci_kind, band=band if at == 0 else "none")
        for at, prob in enumerate(_widest_first(ci_probs, ci_kind))
    }
    widest = next(iter(tables.values()))
    middle = _dataset(widest, "median")
    canvas = plot_collection or PlotCollection.wrap(
        middle,
        cols=["__variable__"],
        col_wrap=1,
        backend=name,
        figure_kwargs=figure_options(900, 900, figure_kwargs, sharex=True, **SPACING.get(name, {})),
    )
    if style["donors"] is not None:
        look = {"color": "gray", "alpha": 0.35, "width": 0.8} | style["donors"]
        canvas.map(_draw_donors, "donors", data=_only_outcome(fit.panel.donor_outcomes), **look)
    if style["bands"] is not None:
        _bands(canvas, tables, style["bands"])
    if band != "none" and style["simultaneous"] is not None:
        _outline(canvas, widest, style["simultaneous"])
    if style["median"] is not None:
        canvas.map(
            _draw_line, "median", data=middle, **({"color": "C0", "width": 2} | style["median"])
        )
    if style["observed"] is not None:
        look = {"color": "B1", "width": 2.5} | style["observed"]
        canvas.map(_draw_line, "observed", data=_only_outcome(fit.panel.treated_outcome), **look)
    _references(canvas, fit, middle, style)
    pen(canvas.get_target("outcome", {})).ylim(_limits(widest), canvas.get_target("outcome", {}))
    held = f"dashed: {per_cent(max(ci_probs))} band of the whole path"
    outlined = band != "none" and style["simultaneous"] is not None
    _words(canvas, fit, style, _intervals(ci_probs, ci_kind), held if outlined else "")
    make_room(canvas)
    return canvas


def _widest_first(ci_probs: Sequence[float], ci_kind: IntervalKind) -> list[float]:
    if isinstance(ci_probs, float | int) or not len(ci_probs):
        raise OptionError(
            "O004",
            f"ci_probs must be a sequence of probabilities such as (0.5, 0.95), got {ci_probs!r}.",
        )
    for prob in ci_probs:
        require_interval(prob, ci_kind)
    return sorted(set(ci_probs), reverse=True)


def _intervals(ci_probs: Sequence[float], ci_kind: str) -> str:
    return f"{' and '.join(per_cent(prob) for prob in sorted(set(ci_probs)))} {ci_kind.upper()}"


def _dataset(table: pd.DataFrame, column: str) -> xr.Dataset:
    """Return one column of the frame per panel, with NaN where a panel has no number."""
    series = {panel: table[f"{source}_{column}"].to_numpy() for panel, source in PANELS.items()}
    return xr.Dataset(
        {panel: ("time", values) for panel, values in series.items()},
        coords={"time": table.index.array},
    )


def _only_outcome(values: xr.DataArray) -> xr.Dataset:
    return values.drop_vars("unit", errors="ignore").to_dataset(name="outcome")


def _bands(
    canvas: PlotCollection, tables: Mapping[float, pd.DataFrame], style: Mapping[str, Any]
) -> None:
    """Draw one band per probability, the narrow ones darker and on top."""
    for prob, table in tables.items():
        bounds = [
            _dataset(table, bound).assign_coords(ci_bound=bound) for bound in ("lower", "upper")
        ]
        look = {"color": "C0", "alpha": 0.25 if prob == max(tables) else 0.45} | dict(style)
        canvas.map(_draw_band, f"band_{prob:g}", data=xr.concat(bounds, dim="ci_bound"), **look)


def _outline(canvas: PlotCollection, table: pd.DataFrame, style: Mapping[str, Any]) -> None:
    """Draw the two ends of the bands that hold a whole path."""
    look = {"color": "C0", "width": 1.2, "linestyle": "C1"} | dict(style)
    for end in ("lower", "upper"):
        lines = {name: ("time", table[f"{name}_band_{end}"]) for name in ("effect", "cumulative")}
        data = xr.Dataset(lines, coords={"time": table.index.array})
        canvas.map(_draw_line, f"simultaneous_{end}", data=data, **look)


def _references(
    canvas: PlotCollection, fit: AbstractFit, middle: xr.Dataset, style: Mapping[str, Any]
) -> None:
    """Draw zero lines, and the start of treatment."""
    if style["zero"] is not None:
        look = {"color": "B1", "width": 0.8, "alpha": 0.6} | style["zero"]
        canvas.map(_draw_zero, "zero", data=middle[["effect", "cumulative"]], **look)
    if style["start"] is not None:
        look = {"color": "B1", "width": 1.2, "linestyle": "C1", "alpha": 0.8} | style["start"]
        canvas.map(_draw_start, "start", data=middle, at=fit.panel.post[0], **look)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return limits for treated unit and counterfactual, which remote donors would flatten."""
    shown = table[["observed", "counterfactual_lower", "counterfactual_upper"]].to_numpy()
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    room = ROOM * (high - low)
    return low - room, high + room


def _words(
    canvas: PlotCollection,
    fit: AbstractFit,
    style: Mapping[str, Any],
    intervals: str,
    held: str,
) -> None:
    """Write titles and labels; the legend is in the title, which every backend shows."""
    panel = fit.panel
    treated = panel.treated[0] if len(panel.treated) == 1 else f"Mean of {listed(panel.treated, 3)}"
    titles = {
        "outcome": f"{shortened(treated, 60)}\nobserved (bold), "
        f"counterfactual (coloured: median, {intervals}), donors (grey)",
        "effect": f"Effect per period{_of('pointwise', panel)}: observed minus counterfactual "
        f"(median, {intervals})\n{'; '.join(filter(None, [held, fit.calibration.short]))}",
        "cumulative": f"Cumulative effect since the start{_of('cumulative', panel)} "
        f"(median, {intervals})" + (f"\n{held}" if held else ""),
    }
    for variable, title in titles.items():
        target = canvas.get_target(variable, {})
        backend = pen(target)
        if variable == "outcome":
            put_title(fit, title, target, style["title"])
        elif style["title"] is not None:
            backend.title(title, target, **({"size": 11} | style["title"]))
        if style["ylabel"] is not None:
            backend.ylabel(shortened(panel.outcome), target, **style["ylabel"])
        if style["xlabel"] is not None and variable == "cumulative":
            backend.xlabel(shortened(panel.time), target, **style["xlabel"])
        time_axis(target, panel.times.to_numpy(), canvas.backend)


def _of(estimand: str, panel: Panel) -> str:
    """Say of several treated units whether their mean or their sum is shown."""
    several = ESTIMANDS[estimand].of(len(panel.treated))
    return f", {several}" if several else ""


def _draw_line(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """Draw a line from the first number to the last, broken where one is missing in between."""
    present = np.flatnonzero(da.notnull().to_numpy())
    da = da.isel(time=slice(present[0], present[-1] + 1))
    return pen(target).line(da["time"].to_numpy(), da.to_numpy(), target, **style)


def _draw_band(da: xr.DataArray, target: Any, **style: Any) -> Any:
    da = da.dropna("time")
    low, high = (da.sel(ci_bound=bound).to_numpy() for bound in ("lower", "upper"))
    return pen(target).fill_between_y(da["time"].to_numpy(), low, high, target, **style)


def _draw_donors(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """Draw all donors as one broken line: hundreds of artists would be slow."""
    times = da["time"].to_numpy()
    x = np.tile(np.append(times, times[-1:]), da.sizes["donor"])
    return pen(target).line(x, lifted(da.transpose("donor", "time").to_numpy()), target, **style)


def _draw_zero(_: xr.DataArray, target: Any, **style: Any) -> Any:
    return pen(target).hline(0, target, **style)


def _draw_start(_: xr.DataArray, target: Any, *, at: Any, **style: Any) -> Any:
    return pen(target).vline(at, target, **style)
