"""Observed and counterfactual, pointwise effect, cumulative effect: three panels on one time axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.effects import IntervalKind, interval, pointwise
from bayes_synth.plots.common import (
    Visuals,
    calendar,
    chosen_backend,
    draw_band,
    draw_line,
    ink,
    make_room,
    start_line,
    styles,
    warned,
)

if TYPE_CHECKING:
    from bayes_synth.fit import Fit

__all__ = ["plot_fit"]

PARTS = ("donors", "bands", "mean", "observed", "zero", "start", "title", "ylabel", "xlabel", "figure_title")
ROOM = 0.15
"""Space above and below the treated unit, as a share of its range; donors beyond it are cut."""


def plot_fit(
    fit: "Fit",
    *,
    ci_probs: Sequence[float] = (0.5, 0.95),
    ci_kind: IntervalKind = "eti",
    backend: str | None = None,
    visuals: Visuals | None = None,
    plot_collection: PlotCollection | None = None,
    figure_kwargs: dict[str, Any] | None = None,
) -> PlotCollection:
    """Plot observed and counterfactual, the pointwise effect, and the cumulative effect.

    Parameters
    ----------
    fit
        The fit.
    ci_probs, ci_kind
        Probabilities of the bands, and their kind.
    backend
        ``"matplotlib"``, ``"plotly"``, ``"bokeh"`` or ``"none"``. Default: ArviZ's ``plot.backend``.
    visuals
        Parts to leave out (False) or to style: donors, bands, mean, observed, zero, start, title, ylabel, xlabel,
        figure_title.
    plot_collection
        Draw on this collection, made for the variables outcome, effect and cumulative.
    figure_kwargs
        Passed to the backend's figure, such as ``{"figsize": (1000, 900)}``.

    Returns
    -------
    arviz_plots.PlotCollection
        ``savefig``, ``show`` and ``viz`` as in ArviZ.

    Raises
    ------
    PriorError
        O001 for unknown names, O004 for probabilities outside (0, 1).
    ResultError
        R006 when the backend is not installed.
    """
    name, style = chosen_backend(backend), styles(visuals, PARTS)
    draws = _draws(fit)
    canvas = plot_collection or PlotCollection.wrap(
        draws.mean(("chain", "draw")),
        cols=["__variable__"],
        col_wrap=1,
        backend=name,
        figure_kwargs={"figsize": (900, 900), "figsize_units": "dots", "sharex": True} | (figure_kwargs or {}),
    )
    colour = ink(canvas.get_target("outcome", {}))
    if style["donors"] is not None:
        look = {"color": "gray", "alpha": 0.35, "width": 0.8} | style["donors"]
        canvas.map(_draw_donors, "donors", data=_only("outcome", fit.panel.donor_outcomes), **look)
    if style["bands"] is not None:
        for prob in sorted(ci_probs, reverse=True):
            bounds = draws.map(interval, ci_prob=prob, ci_kind=ci_kind)
            look = {"color": "C0", "alpha": 0.25 if prob == max(ci_probs) else 0.45} | style["bands"]
            canvas.map(draw_band, f"band_{prob:g}", data=bounds, **look)
    if style["mean"] is not None:
        look = {"color": "C0", "width": 2} | style["mean"]
        canvas.map(draw_line, "mean", data=draws.mean(("chain", "draw")), **look)
    if style["observed"] is not None:
        look = {"color": colour, "width": 2} | style["observed"]
        canvas.map(draw_line, "observed", data=_only("outcome", fit.panel.treated_outcome), **look)
    _references(canvas, fit, draws, style, colour)
    _words(canvas, fit, style, ci_probs, ci_kind, name)
    make_room(canvas, name)
    return canvas


def _draws(fit: "Fit") -> xr.Dataset:
    """Draws of what each panel shows; the cumulative effect exists from ``start`` on."""
    counterfactual = fit.counterfactual
    effect = pointwise(fit.panel.treated_outcome, counterfactual)
    running = effect.sel(time=fit.panel.post.to_numpy()).cumsum("time")
    return xr.Dataset({"outcome": counterfactual, "effect": effect, "cumulative": running.reindex(time=effect["time"])})


def _only(name: str, values: xr.DataArray) -> xr.Dataset:
    return values.drop_vars("unit", errors="ignore").to_dataset(name=name)


def _draw_donors(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """All donors as one line that is lifted between them."""
    times, lines = da["time"].to_numpy(), da.transpose("donor", "time").to_numpy()
    lifted = np.column_stack([lines, np.full(len(lines), np.nan)])
    return backend_from_object(target).line(
        np.tile(np.append(times, times[-1:]), len(lines)), lifted.ravel(), target, **style
    )


def _references(canvas: PlotCollection, fit: "Fit", draws: xr.Dataset, style: dict[str, Any], colour: str) -> None:
    """Zero lines, the start of treatment, and limits that keep the treated unit readable."""
    below = draws[["effect", "cumulative"]].mean()
    if style["zero"] is not None:
        look = {"color": colour, "width": 0.8, "alpha": 0.6} | style["zero"]
        canvas.map(
            lambda da, target, **kw: backend_from_object(target).hline(0, target, **kw), "zero", data=below, **look
        )
    if style["start"] is not None:
        look = {"color": colour, "width": 1.2, "linestyle": "C1", "alpha": 0.8} | style["start"]
        canvas.map(start_line, "start", data=draws.mean(), at=np.asarray(fit.panel.post[:1])[0], **look)
    target = canvas.get_target("outcome", {})
    backend_from_object(target).ylim(_limits(fit), target)


def _limits(fit: "Fit") -> tuple[float, float]:
    bounds = interval(fit.counterfactual, 0.95, "eti")
    low = min(float(bounds.min()), float(fit.panel.treated_outcome.min()))
    high = max(float(bounds.max()), float(fit.panel.treated_outcome.max()))
    room = ROOM * (high - low)
    return low - room, high + room


def _words(
    canvas: PlotCollection, fit: "Fit", style: dict[str, Any], ci_probs: Sequence[float], ci_kind: str, name: str
) -> None:
    """Titles, labels, and what the bands are."""
    panel = fit.panel
    treated = panel.treated[0] if len(panel.treated) == 1 else f"mean of {len(panel.treated)} units"
    bands = " and ".join(f"{prob:.0%}" for prob in sorted(ci_probs))
    titles = {
        "outcome": f"{treated}: observed (dark), counterfactual (blue, {bands} {ci_kind.upper()}), donors (grey)",
        "effect": "Effect per period: observed minus counterfactual",
        "cumulative": "Cumulative effect",
    }
    for variable, title in titles.items():
        target = canvas.get_target(variable, {})
        backend = backend_from_object(target)
        if style["title"] is not None:
            backend.title(title, target, **({"size": 11} | style["title"]))
        if style["ylabel"] is not None:
            backend.ylabel(panel.outcome, target, **style["ylabel"])
        if style["xlabel"] is not None and variable == "cumulative":
            backend.xlabel(panel.time, target, **style["xlabel"])
        calendar(target, panel.times.to_numpy(), name)
    if style["figure_title"] is not None and not fit.ok:
        backend.set_figure_title(canvas.viz["figure"].item(), warned(fit, ""), **style["figure_title"])
