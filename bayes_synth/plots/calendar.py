"""The seasonal part of a fit: each day's, month's or event's deviation with its interval."""

from typing import Unpack

import pandas as pd
from arviz_plots import PlotCollection

from bayes_synth.errors import ResultError
from bayes_synth.model.outcome_scale import outcome_name
from bayes_synth.plots.forest import PARTS, Forest, draw_forest
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind, interval, require_interval
from bayes_synth.words import per_cent

__all__ = ["plot_calendar"]


def plot_calendar(
    fit: AbstractFit,
    *,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    backend: str | None = None,
    **options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Plot the deviations of the treated unit from its synthetic control by calendar.

    Parameters
    ----------
    fit
        A fit whose model has a calendar.
    ci_prob, ci_kind
        The interval's probability and kind.
    backend, **options
        As in :func:`plot_fit`. Labels: effect (the axis). Parts: interval, median, zero, legend,
        title, xlabel, yticks. A collection must have the variable effect.

    Returns
    -------
    arviz_plots.PlotCollection
        One row per day, month, wave or event, in outcome units (in log units with
        ``scale="log"``).

    Raises
    ------
    OptionError
        O001, O004, O040 as in :func:`plot_fit`.
    ResultError
        R047 when the model has no calendar, R006 when the backend is not installed.

    Examples
    --------
    >>> days = bs.testing.fake_panel(dates=True)
    >>> weekly = bs.SyntheticControl(calendar=[bs.calendar.DayOfWeek()])
    >>> figure = bs.plots.plot_calendar(bs.testing.fake_fit(panel=days, model=weekly))
    """
    look = Look.of(backend, options, PARTS, ("effect",))
    require_interval(ci_prob, ci_kind)
    if "seasonal" not in fit.idata["posterior"]:
        raise ResultError(
            "R047",
            "the model of this fit must have a calendar, got none; fit it with "
            "bs.SyntheticControl(calendar=[bs.calendar.DayOfWeek()]).",
        )
    draws = fit.idata["posterior"].to_dataset()["seasonal"]
    ends = interval(draws, ci_prob, ci_kind).transpose("calendar", "ci_bound").to_numpy()
    medians = draws.median(("chain", "draw")).to_numpy()
    table = pd.DataFrame(
        {"median": medians, "lower": ends[:, 0], "upper": ends[:, 1]},
        index=draws["calendar"].to_numpy(),
    )
    title = f"Deviation from the synthetic control: median and {per_cent(ci_prob)}"
    measure = outcome_name(fit.model.scale, fit.panel.outcome)
    return draw_forest(
        Forest(table, f"{title} {ci_kind.upper()}", f"deviation ({measure})"), look, fit
    )
