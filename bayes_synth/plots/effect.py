"""Posterior density of one effect with its interval and, if given, the region of practical equivalence."""

from typing import TYPE_CHECKING, Any

import xarray as xr
from arviz_plots import PlotCollection, plot_dist
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.effects import Estimand, IntervalKind, check_interval, describe, probable
from bayes_synth.errors import PriorError, ResultError
from bayes_synth.plots.common import Visuals, chosen_backend, ink, make_room, styles, warned

if TYPE_CHECKING:
    from bayes_synth.fit import Fit

__all__ = ["plot_effect"]

ARVIZ = ("dist", "credible_interval", "point_estimate", "point_estimate_text")
OWN = ("rope", "zero", "title", "xlabel")


def plot_effect(
    fit: "Fit",
    estimand: Estimand = "average",
    *,
    window: slice | None = None,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    rope: tuple[float, float] | None = None,
    backend: str | None = None,
    visuals: Visuals | None = None,
    figure_kwargs: dict[str, Any] | None = None,
) -> PlotCollection:
    """Plot the posterior density of an effect.

    Parameters
    ----------
    fit
        The fit.
    estimand, window
        As in :meth:`bayes_synth.Fit.effect`; ``"average"``, ``"cumulative"`` or ``"relative"``.
    ci_prob, ci_kind
        The interval's probability and kind.
    rope
        Region of practical equivalence, low and high, in the effect's unit (a fraction for the relative effect).
    backend, visuals, figure_kwargs
        As in :func:`plot_fit`; parts: dist, credible_interval, point_estimate and
        point_estimate_text as in :func:`arviz_plots.plot_dist`, and rope, zero, title, xlabel.

    Returns
    -------
    arviz_plots.PlotCollection
        The relative effect is drawn in per cent.

    Raises
    ------
    ResultError
        R005 for the pointwise effect, which :func:`plot_fit` shows; R006 when the backend is not installed.
    PriorError
        O001 for unknown names, O004 for a probability outside (0, 1), O005 for a region turned round.
    """
    if estimand == "pointwise":
        raise ResultError("R005", "the pointwise effect is a path, not one number: see it with fit.plot().")
    check_interval(ci_prob, ci_kind)
    if rope is not None and not rope[0] < rope[1]:
        raise PriorError("O005", f"rope={rope!r} must be (low, high).")
    name, style = chosen_backend(backend), styles(visuals, (*ARVIZ, *OWN))
    effect = fit.effect(estimand, window=window)
    factor = 100 if estimand == "relative" else 1
    canvas = plot_dist(
        xr.DataTree.from_dict({"/posterior": (factor * effect.draws).to_dataset(name=estimand)}),
        kind="kde",
        ci_kind=ci_kind,
        ci_prob=ci_prob,
        backend=name,
        visuals=_dist_visuals(style, visuals),
        figure_kwargs={"figsize": (800, 400), "figsize_units": "dots"} | (figure_kwargs or {}),
    )
    target = canvas.get_target(estimand, {})
    module = backend_from_object(target)
    if rope is not None and style["rope"] is not None:
        module.vspan(factor * rope[0], factor * rope[1], target, **({"color": "gray", "alpha": 0.3} | style["rope"]))
    if style["zero"] is not None:
        module.vline(0, target, **({"color": ink(target), "width": 1, "linestyle": "C1"} | style["zero"]))
    if style["xlabel"] is not None:
        label = f"{estimand} effect ({effect.unit or 'per cent of the counterfactual'})"
        module.xlabel(label, target, **style["xlabel"])
    if style["title"] is not None:
        inside = "" if rope is None else f", P({rope[0]:g} < effect < {rope[1]:g}) {probable(effect.rope(*rope))}"
        module.title(
            warned(fit, describe(effect, ci_prob, ci_kind) + inside), target, **({"size": 11} | style["title"])
        )
    make_room(canvas, name)
    return canvas


def _dist_visuals(style: dict[str, Any], wishes: Visuals | None) -> dict[str, Any]:
    """ArviZ's own parts; the mean stands in the title unless it is asked for."""
    quiet = {} if "point_estimate_text" in (wishes or {}) else {"point_estimate_text": False}
    return {part: False if style[part] is None else style[part] for part in ARVIZ} | quiet | {"title": False}
