"""Draw medians and intervals of refits, one row each, beside the fit's own."""

import pandas as pd
from arviz_plots import PlotCollection

from bayes_synth.plots.common import shortened
from bayes_synth.plots.forest import Forest, draw_forest
from bayes_synth.plots.look import Look, PictureOptions
from bayes_synth.results.answers import AbstractFit

__all__ = ["plot_forest"]


def plot_forest(
    fit: AbstractFit,
    table: pd.DataFrame,
    title: str,
    options: PictureOptions,
    *,
    xlabel: str = "average effect",
) -> PlotCollection:
    """Draw one row per refit, in the order of the table from the top.

    The fit's own median is a line, and its 95 % interval a band.
    """
    effect = fit.effect("average")
    low, high = (float(bound) for bound in effect.interval(0.95))
    measure = f"{xlabel} ({shortened(fit.panel.outcome)})"
    forest = Forest(table, title, measure, (low, float(effect.draws.median()), high))
    return draw_forest(forest, Look.of_check(options), fit)
