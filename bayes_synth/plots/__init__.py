"""Plots on arviz-plots' PlotCollection: matplotlib, plotly, bokeh, and ``"none"`` for tests.

A plot of your own is one function under :func:`plot`: reports show it, and the command line draws
it by name. arviz-plots is loaded when the first plot is drawn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bayes_synth.plots.registry import PLOTS, Plot, plot

if TYPE_CHECKING:
    from bayes_synth.plots.shipped import (
        CanvasOptions,
        every_plot,
        plot_balance,
        plot_calendar,
        plot_effect,
        plot_effects,
        plot_fit,
        plot_placebos,
        plot_weights,
    )

__all__ = [
    "PLOTS",
    "CanvasOptions",
    "Plot",
    "every_plot",
    "plot",
    "plot_balance",
    "plot_calendar",
    "plot_effect",
    "plot_effects",
    "plot_fit",
    "plot_placebos",
    "plot_weights",
]


def __getattr__(name: str) -> Any:
    """Load a plot when it is first used."""
    if name in __all__:
        return getattr(import_module("bayes_synth.plots.shipped"), name)
    raise AttributeError(f"module 'bayes_synth.plots' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
