"""The plots of this library; importing this module registers them and loads arviz-plots."""

from bayes_synth.plots.balance import plot_balance
from bayes_synth.plots.calendar import plot_calendar
from bayes_synth.plots.effect import plot_effect
from bayes_synth.plots.fit import plot_fit
from bayes_synth.plots.forest import plot_effects
from bayes_synth.plots.look import CanvasOptions
from bayes_synth.plots.placebos import plot_placebos
from bayes_synth.plots.registry import PLOTS, Plot
from bayes_synth.plots.weights import plot_weights

__all__ = [
    "CanvasOptions",
    "every_plot",
    "plot_balance",
    "plot_calendar",
    "plot_effect",
    "plot_effects",
    "plot_fit",
    "plot_placebos",
    "plot_weights",
]


def every_plot() -> list[Plot]:
    """Return every registered plot, in the order in which a report shows them.

    Examples
    --------
    >>> [each.name for each in bs.plots.every_plot()][:3]
    ['plot_fit', 'plot_effect', 'plot_weights']
    """
    return sorted(PLOTS.values(), key=lambda each: each.place)
