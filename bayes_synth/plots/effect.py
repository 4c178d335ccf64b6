"""The posterior density of one effect, with its interval and a region of practical equivalence."""

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, plot_dist

from bayes_synth.errors import ResultError
from bayes_synth.plots.common import (
    CanvasOptions,
    Visuals,
    chosen_backend,
    figure_options,
    make_room,
    pen,
    put_title,
    require_known,
    styles,
)
from bayes_synth.plots.registry import plot
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect, IntervalKind, describe, require_interval
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.results.windows import Window
from bayes_synth.words import one_line, probable

__all__ = ["plot_effect"]

ARVIZ = ("dist", "credible_interval", "point_estimate", "point_estimate_text")
OWN = ("rope", "zero", "title", "xlabel")


@plot("Posterior density of the average effect on {treated}.", place=2)
def plot_effect(
    fit: AbstractFit,
    estimand: str = "average",
    *,
    window: Window | None = None,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    rope: tuple[float, float] | None = None,
    backend: str | None = None,
    **canvas_options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Plot the posterior density of an effect.

    Parameters
    ----------
    fit
        The fit.
    estimand, window
        As in :meth:`bayes_synth.Fit.effect`; ``"average"``, ``"total"``, ``"relative"`` or
        ``"log_ratio"``.
    ci_prob, ci_kind
        The interval's probability and kind.
    rope
        Region of practical equivalence, low and high, in outcome units (a fraction for the relative
        effect).
    backend, plot_collection, visuals, figure_kwargs
        As in :func:`plot_fit`; parts: dist, credible_interval, point_estimate and
        point_estimate_text as in :func:`arviz_plots.plot_dist`, and rope, zero, title, xlabel. A
        collection must have a variable with the name of the estimand.

    Returns
    -------
    arviz_plots.PlotCollection
        The relative effect is drawn in per cent.

    Raises
    ------
    ResultError
        R005 for an unknown estimand, and for the pointwise and the cumulative effect, which
        :func:`plot_fit` shows; R002, R004, R033 as in :meth:`bayes_synth.Fit.effect`; R006 when
        the backend is not installed.
    OptionError
        O001 for unknown names, O004 for a probability outside (0, 1), O005 unless the low end of
        ``rope`` is less than its high end.
    """
    if estimand in ESTIMANDS and ESTIMANDS[estimand].path:
        raise ResultError(
            "R005",
            f"the {estimand} effect is a path, not one number: see it with fit.plot(), or plot the "
            '"average" or the "total" effect.',
        )
    require_interval(ci_prob, ci_kind)
    require_known(canvas_options, CanvasOptions)
    plot_collection, visuals = canvas_options.get("plot_collection"), canvas_options.get("visuals")
    name, style = chosen_backend(backend, plot_collection), styles(visuals, (*ARVIZ, *OWN))
    effect, wishes = fit.effect(estimand, window=window), canvas_options.get("figure_kwargs")
    factor = ESTIMANDS[estimand].factor
    title = "\n".join([describe(effect, ci_prob, ci_kind), *_inside(effect, rope)])
    canvas = plot_dist(
        xr.DataTree.from_dict({"/posterior": (factor * effect.draws).to_dataset(name=estimand)}),
        kind="kde",
        point_estimate="median",
        ci_kind=ci_kind,
        ci_prob=ci_prob,
        plot_collection=plot_collection,
        backend=name,
        visuals=_dist_visuals(style, visuals),
        **({} if plot_collection else {"figure_kwargs": figure_options(800, 400, wishes)}),
    )
    target = canvas.get_target(estimand, {})
    _references(target, effect, rope, style)
    put_title(fit, f"{title}\n{fit.calibration.short}", target, style["title"])
    make_room(canvas)
    return canvas


def _references(
    target: Any, effect: Effect, rope: tuple[float, float] | None, style: Mapping[str, Any]
) -> None:
    """Draw the region and the line of no effect, and label and limit the axis."""
    factor, backend = ESTIMANDS[effect.estimand].factor, pen(target)
    if rope is not None and style["rope"] is not None:
        options = {"color": "gray", "alpha": 0.3} | style["rope"]
        backend.vspan(factor * rope[0], factor * rope[1], target, **options)
    if style["zero"] is not None:
        options = {"color": "B1", "width": 1, "linestyle": "C1"} | style["zero"]
        backend.vline(0, target, **options)
    if style["xlabel"] is not None:
        backend.xlabel(one_line(_label(effect)), target, **style["xlabel"])
    backend.xlim(_range(factor * effect.draws, factor * np.array(rope or (0, 0))), target)


def _label(effect: Effect) -> str:
    chosen = ESTIMANDS[effect.estimand]
    percent = " (per cent)" if chosen.style == "per cent" else ""
    return (
        f"{effect.estimand} effect ({effect.measure})"
        if effect.measure
        else f"{chosen.words}{percent}"
    )


def _range(draws: xr.DataArray, shown: np.ndarray) -> tuple[float, float]:
    """Return limits that hold zero, the region and all draws but a thousandth on either side.

    The tails of a calibrated effect are long.
    """
    low, high = np.quantile(draws, [0.001, 0.999])
    margin = 0.05 * (high - low)
    return float(min(low, *shown) - margin), float(max(high, *shown) + margin)


def _inside(effect: Effect, rope: tuple[float, float] | None) -> list[str]:
    """Say how probable the region is, with its ends as the axis shows them."""
    if rope is None:
        return []
    factor = ESTIMANDS[effect.estimand].factor
    low, high = (f"{100 * end:g}%" if factor == 100 else f"{end:g}" for end in rope)
    return [f"P({low} < effect < {high}) {probable(effect.rope(*rope))} (grey)"]


def _dist_visuals(style: Mapping[str, Any], wishes: Visuals | None) -> dict[str, Any]:
    """Return the styles of ArviZ's parts; the median is in the title, so its text is left out."""
    quiet = {} if "point_estimate_text" in (wishes or {}) else {"point_estimate_text": False}
    return (
        {part: False if style[part] is None else style[part] for part in ARVIZ}
        | quiet
        | {"title": False}
    )
