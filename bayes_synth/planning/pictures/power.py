"""Draw the power by effect: one line per length, and how far past windows differ."""

from typing import TYPE_CHECKING, Unpack

import numpy as np

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.planning.answers import POWER
from bayes_synth.plots.legend import Entry
from bayes_synth.plots.paths import strokes
from bayes_synth.words import listed

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.planning.answers import AbstractPlan
    from bayes_synth.plots.look import PictureOptions

__all__ = ["plot_power"]

COLOURS = ("C0", "C1", "C2", "C3", "C4")
DASHED = {"color": "gray", "width": 1.0, "linestyle": "C1"}


def plot_power(plan: "AbstractPlan", **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw it; see :meth:`bayes_synth.Plan.plot_power`."""
    effects = _effects(plan)
    factor = 1.0 if plan.additive else 100.0
    layers, legend = {"wanted": Layer("horizontal", y=POWER, style=DASHED)}, []
    drawn = strokes(len(plan.periods), COLOURS)
    for (colour, linestyle, dash), length in zip(drawn, plan.periods, strict=True):
        law = plan.law(length)
        each = np.array([law.by_window(effect) for effect in effects])
        x = factor * effects
        if len(law.windows) > 1:
            style = {"color": colour, "alpha": 0.12}
            layers[f"band_{length}"] = Layer("band", x, each.min(1), each.max(1), style)
        style = {"color": colour, "width": 2.4, "linestyle": linestyle}
        layers[f"line_{length}"] = Layer("line", x, each.mean(1), style=style)
        legend.append(Entry(f"{length} periods", "line", colour, width=2.4, dash=dash))
    for place, effect in enumerate(plan.effects):
        layers[f"stated_{place}"] = Layer("vertical", factor * effect, style=DASHED)
    if plan.counterfactual.sizes["start"] > 1:
        legend.append(Entry("lowest to highest of the past windows", "band", "gray", 0.25))
    legend.append(
        Entry(f"power {POWER:g}, stated effects", "line", "gray", width=1.0, dash="dashed")
    )
    measure = f"{plan.history.outcome} per period and unit" if plan.additive else "per cent"
    axes = Axes(
        f"Power of treating {listed(plan.treated, 4)}: {plan.rule}",
        layers,
        f"effect ({measure})",
        "probability of finding it",
        legend=legend,
    )
    return picture({"power": axes}, options, fit=None, height=480)


def _effects(plan: "AbstractPlan") -> np.ndarray:
    """Return the effects to draw: of the stated sign, as far as almost any test would find."""
    sign = -1 if plan.effects and max(plan.effects) < 0 else 1
    ends = [plan.law(length).detectable(0.97, sign) for length in plan.periods]
    size = max([abs(e) for e in (*ends, *plan.effects) if np.isfinite(e)], default=0.1)
    largest = 1.1 * size if plan.additive or sign > 0 else min(1.1 * size, 0.999)
    effects = np.linspace(largest / 120, largest, 120)
    return np.asarray(sign * effects)
