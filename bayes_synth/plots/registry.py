"""The registry of plots that reports and the command line draw; it does not load arviz-plots."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from bayes_synth.registry import Registry
from bayes_synth.results.answers import AbstractFit

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["PLOTS", "Plot", "plot"]


@final
@dataclass(frozen=True)
class Plot:
    """Describe one picture of a fit; made by :func:`plot`.

    Parameters
    ----------
    name
        The function's name.
    draw
        Takes a fit and ``backend``, all else optional.
    alt
        Alternative text: one sentence that says what the plot shows; ``{outcome}`` and
        ``{treated}`` stand for their names.
    section
        Title of the report's section that shows it; the last section if there is no such title.
    place
        Plots of one section are drawn in the order of their places.
    needs
        Tells whether a fit has what the plot shows; reports leave it out of others.

    Examples
    --------
    >>> bs.plots.PLOTS["plot_weights"].section
    'Donors'
    """

    name: str
    draw: "Callable[..., PlotCollection]"
    alt: str
    section: str
    place: float
    needs: Callable[[AbstractFit], bool] = lambda fit: True

    def shows(self, fit: AbstractFit) -> str:
        """Return the alternative text for this fit."""
        words = {"{outcome}": fit.panel.outcome, "{treated}": fit.panel.treated_name}
        text = self.alt
        for name, value in words.items():
            text = text.replace(name, value)
        return text


PLOTS: Registry[Plot] = Registry("plot")
"""Every plot of a fit by name."""


def plot[F: Callable[..., object]](
    alt: str,
    *,
    section: str = "Answer",
    place: float = 100,
    needs: Callable[[AbstractFit], bool] = lambda fit: True,
) -> Callable[[F], F]:
    """Register a function as a plot of a fit, under its own name.

    Parameters
    ----------
    alt, section, place, needs
        See :class:`Plot`.

    Examples
    --------
    >>> @bs.plots.plot("The observed outcome", section="Data")
    ... def plot_observed(fit, *, backend=None, **options):
    ...     return bs.plots.plot_fit(fit, panels=("path",), backend=backend)
    >>> figure = plot_observed(fit)
    """

    def declared(function: F) -> F:
        name = getattr(function, "__name__", "")
        PLOTS.add(name, Plot(name, function, alt, section, place, needs))
        return function

    return declared
