"""Draw the interval of the effect in every past window, where there was none; misses are marked."""

from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.planning.rules import Interval
from bayes_synth.plots.common import lifted
from bayes_synth.plots.legend import Entry
from bayes_synth.words import listed, per_cent, short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.planning.answers import AbstractPlan
    from bayes_synth.plots.look import PictureOptions

__all__ = ["plot_pretend_tests"]


def plot_pretend_tests(
    plan: "AbstractPlan", **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    """Draw it; see :meth:`bayes_synth.Plan.plot_pretend_tests`."""
    rows = pd.concat([_intervals(plan, length) for length in plan.periods])
    missed = ((rows["lower"] > 0) | (rows["upper"] < 0)).to_numpy()
    heights = np.arange(len(rows), dtype=float)[::-1]
    layers, legend = {"zero": Layer("vertical", 0.0)}, []
    for words, colour, chosen in ((HELD, "C0", ~missed), (MISSED, "C1", missed)):
        if chosen.any():
            layers |= _layers(rows[chosen], heights[chosen], colour)
            legend.append(Entry(words, "line", colour, width=2.5))
    measure = plan.history.outcome if plan.additive else "per cent"
    axes = Axes(
        f"{listed(plan.treated, 4)}: {per_cent(plan.ci_prob)} intervals where nobody was treated",
        layers,
        f"effect ({measure})",
        ticks=dict(zip(heights.tolist(), rows.index, strict=True)),
        legend=legend,
    )
    height = 160 + 24 * len(rows)
    panels = {"pretend_tests": axes}
    return picture(panels, options, fit=None, height=height)


HELD = "interval holds zero, as it should"
MISSED = "interval excludes zero: a false positive"


def _layers(rows: pd.DataFrame, heights: np.ndarray, colour: str) -> dict[str, Layer]:
    """Return the intervals of some windows, and their medians."""
    ends = lifted(rows[["lower", "upper"]].to_numpy())
    places = lifted(np.column_stack([heights, heights]))
    dots = {"color": colour, "facecolor": colour}
    return {
        f"intervals_{colour}": Layer("line", ends, places, style={"color": colour, "width": 2.5}),
        f"medians_{colour}": Layer("points", rows["median"].to_numpy(), heights, style=dots),
    }


def _intervals(plan: "AbstractPlan", length: int) -> pd.DataFrame:
    """Return median and interval of the effect in every window of this length."""
    rows, rule = [], Interval(plan.ci_prob)
    for window in plan.law(length).windows:
        low, high, _ = rule.region(window.draws)
        ends = np.array([high, window.median, low])
        effect = window.observed - ends if plan.additive else 100 * (window.observed / ends - 1)
        rows.append(dict(zip(("lower", "median", "upper"), effect, strict=True)))
    starts = plan.counterfactual["start"].to_index()
    labels = [f"{short(start)}, {length} periods" for start in starts]
    return pd.DataFrame(rows, index=labels)
