"""Draw finalists: the power that each claimed when it was chosen, and what it claims since."""

from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.plots.common import lifted, shortened_apart
from bayes_synth.plots.legend import Entry

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["plot_choice"]


def plot_choice(table: pd.DataFrame, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw it; see :meth:`bayes_synth.planning.choice.Choice.plot`."""
    heights = np.arange(len(table), dtype=float)[::-1]
    then, error = (
        table[name].to_numpy(float) for name in ("power_when_chosen", "power_when_chosen_error")
    )
    ends = np.column_stack([then - 2 * error, then + 2 * error]).clip(0, 1)
    names = [
        f"{' + '.join(units)}, {periods} periods"
        for units, periods in zip(table["units"], table["periods"], strict=True)
    ]
    since = {"color": "C1", "facecolor": "C1"}
    layers = {
        "when_chosen": Layer(
            "line",
            lifted(ends),
            lifted(np.column_stack([heights, heights])),
            style={"color": "C0", "width": 2.0},
        ),
        "then": Layer("points", then, heights),
        "since": Layer("points", table["power"].to_numpy(float), heights, style=since),
    }
    axes = Axes(
        "Power of the finalists: when chosen, and from windows that took no part in choosing",
        layers,
        "probability of finding the effect",
        limits=(-0.6, len(table) - 0.4),
        ticks=dict(zip(heights.tolist(), shortened_apart(names, 40), strict=True)),
        legend=[
            Entry("when chosen, and two errors", "line", "C0"),
            Entry("on windows that were held back", "points", "C1"),
        ],
    )
    height = 170 + 26 * len(table)
    return picture({"choice": axes}, options, fit=None, height=height)
