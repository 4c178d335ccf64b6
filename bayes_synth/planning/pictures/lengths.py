"""Draw by the length of the test: the effect that is found with a stated power, and the width."""

from typing import TYPE_CHECKING, Unpack

import numpy as np

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.planning.answers import POWER
from bayes_synth.words import listed, per_cent

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.planning.answers import AbstractPlan
    from bayes_synth.plots.look import PictureOptions

__all__ = ["plot_lengths"]


def plot_lengths(plan: "AbstractPlan", **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw it; see :meth:`bayes_synth.Plan.plot_lengths`."""
    sign = -1 if plan.effects and max(plan.effects) < 0 else 1
    factor = 1.0 if plan.additive else 100.0
    lengths = np.array(plan.periods, dtype=float)
    laws = [plan.law(length) for length in plan.periods]
    found = factor * np.array([law.detectable(POWER, sign) for law in laws])
    widths = [law.width(plan.ci_prob) for law in laws]
    wide = np.array([w[0] if plan.additive else 100 * w[1] for w in widths])
    measure = plan.history.outcome if plan.additive else "per cent"
    who = listed(plan.treated, 4)
    panels = {
        "detectable": Axes(
            f"Effect of treating {who} that is found with probability {POWER:g}",
            _curve(lengths, found),
            "",
            f"effect ({measure})",
        ),
        "width": Axes(
            f"Expected width of the {per_cent(plan.ci_prob)} interval",
            _curve(lengths, wide),
            "periods of the test",
            f"width ({measure})",
        ),
    }
    return picture(panels, options, fit=None, height=280)


def _curve(lengths: np.ndarray, values: np.ndarray) -> dict[str, Layer]:
    points = {"points": Layer("points", lengths, values)}
    return points if len(lengths) < 2 else {"line": Layer("line", lengths, values)} | points
