"""Draw the power of finalists by what they cost, from windows that took no part in choosing."""

from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.errors import OptionError
from bayes_synth.plots.common import shortened_apart
from bayes_synth.plots.legend import Entry
from bayes_synth.plots.paths import NAMED, strokes

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["plot_cost"]


def plot_cost(table: pd.DataFrame, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw it; see :meth:`bayes_synth.planning.choice.Choice.plot_cost`.

    Raises
    ------
    OptionError
        O063.
    """
    if not np.isfinite(table["cost"]).all():
        raise OptionError(
            "O063",
            "a choice must have costs to be drawn by them: call bs.choose_treated with "
            "cost_per_unit= and effect=.",
        )
    sets = list(dict.fromkeys(table["units"]))
    names = shortened_apart([" + ".join(units) for units in sets], 40)
    layers, legend = {}, []
    drawn = strokes(len(sets), NAMED)
    for (colour, linestyle, dash), units, name in zip(drawn, sets, names, strict=True):
        rows = table[table["units"] == units].sort_values("cost")
        x, y = rows["cost"].to_numpy(float), rows["power"].to_numpy(float)
        hollow = dash != "solid"
        dots = {"color": colour, "facecolor": "B0" if hollow else colour, "width": 1.3}
        line = {"color": colour, "width": 1.2, "linestyle": linestyle}
        layers[f"line_{name}"] = Layer("line", x, y, style=line)
        layers[f"points_{name}"] = Layer("points", x, y, style=dots)
        legend.append(Entry(name, "points", colour, hollow=hollow))
    axes = Axes(
        "Power of the finalists by cost, one point per length of the test",
        layers,
        "cost of the test",
        "probability of finding the effect",
        legend=legend,
    )
    return picture({"cost": axes}, options, fit=None, height=420)
