"""The posterior density of one effect, with its interval and a region of practical equivalence."""

from typing import Any, Unpack

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, plot_dist
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.errors import ResultError
from bayes_synth.plots.canvas import finish, new_canvas, plot_width
from bayes_synth.plots.common import Visuals
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.plots.registry import plot
from bayes_synth.plots.text import put_label, put_title
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect, IntervalKind, describe, require_interval
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.results.windows import Window
from bayes_synth.words import probable

__all__ = ["plot_effect"]

ARVIZ = ("dist", "credible_interval", "point_estimate", "point_estimate_text")
OWN = ("rope", "zero", "title", "xlabel")
LABELS = ("effect", "outcome")
SHAPE = (800.0, 400.0)


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
    **options: Unpack[CanvasOptions],
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
    backend, **options
        As in :func:`plot_fit`. Labels: effect (the axis). Parts: dist, credible_interval,
        point_estimate and point_estimate_text as in :func:`arviz_plots.plot_dist`, and rope, zero,
        title, xlabel. A collection must have a variable with the name of the estimand.

    Returns
    -------
    arviz_plots.PlotCollection
        The relative effect is drawn in per cent.

    Raises
    ------
    ResultError
        R005 for an unknown estimand, and for the pointwise and the cumulative effect, which
        :func:`plot_fit` shows; R002, R004, R033 as in :meth:`bayes_synth.Fit.effect`; R006 when the
        backend is not installed.
    OptionError
        O001 for unknown names, O004 for a probability outside (0, 1), O005 unless the low end of
        ``rope`` is less than its high end.

    Examples
    --------
    >>> figure = bs.plots.plot_effect(fit, "relative")
    """
    if estimand in ESTIMANDS and ESTIMANDS[estimand].path:
        raise ResultError(
            "R005",
            f"the {estimand} effect is a path, not one number: see it with fit.plot(), or plot the "
            '"average" or the "total" effect.',
        )
    require_interval(ci_prob, ci_kind)
    look = Look.of(backend, options, (*ARVIZ, *OWN), LABELS)
    effect, factor = fit.effect(estimand, window=window), ESTIMANDS[estimand].factor
    canvas = new_canvas(look, [estimand], SHAPE)
    plot_dist(
        xr.DataTree.from_dict({"/posterior": (factor * effect.draws).to_dataset(name=estimand)}),
        kind="kde",
        point_estimate="median",
        ci_kind=ci_kind,
        ci_prob=ci_prob,
        plot_collection=canvas,
        backend=look.backend,
        visuals=_dist_visuals(look, options.get("visuals")),
    )
    target = canvas.get_target(estimand, {})
    _references(target, effect, rope, look)
    lines = [describe(effect, ci_prob, ci_kind), *_inside(effect, rope), fit.calibration.short]
    title = "\n".join(lines) if look.title is None else look.title
    put_title(fit, title, target, look, plot_width(look, SHAPE))
    finish(canvas, look)
    return canvas


def _references(target: Any, effect: Effect, rope: tuple[float, float] | None, look: Look) -> None:
    """Draw the region and the line of no effect, and label and limit the axis."""
    factor, backend = ESTIMANDS[effect.estimand].factor, backend_from_object(target)
    if rope is not None and look.shows("rope"):
        style = look.drawn("rope", color=look.palette.soft, alpha=0.3)
        backend.vspan(factor * rope[0], factor * rope[1], target, **style)
    if look.shows("zero"):
        style = look.drawn("zero", color=look.palette.ink, width=1.0, linestyle="C1")
        backend.vline(0, target, **style)
    put_label("x", look.word("effect", _label(effect)), target, look, plot_width(look, SHAPE))
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


def _dist_visuals(look: Look, wishes: Visuals | None) -> dict[str, Any]:
    """Return the styles of ArviZ's parts; the median is in the title, so its text is left out."""
    quiet = {} if "point_estimate_text" in (wishes or {}) else {"point_estimate_text": False}
    ink, accent = look.palette.ink, look.palette.accent
    ours = {
        "dist": look.drawn("dist", color=accent, width=2.0),
        "credible_interval": look.drawn("credible_interval", color=ink, width=4.0),
        "point_estimate": look.drawn("point_estimate", color=ink),
        "point_estimate_text": look.drawn("point_estimate_text"),
    }
    return {part: look.shows(part) and ours[part] for part in ARVIZ} | quiet | {"title": False}
