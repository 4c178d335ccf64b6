"""Plots on arviz-plots' PlotCollection: matplotlib, plotly, bokeh, and ``"none"`` for tests.

Importing this package is what loads arviz-plots; the rest of the library does without.
"""

from bayes_synth.plots.effect import plot_effect
from bayes_synth.plots.fit import plot_fit
from bayes_synth.plots.weights import plot_weights

__all__ = ["plot_effect", "plot_fit", "plot_weights"]
