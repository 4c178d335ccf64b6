"""Choose the calendar for ``calendar="auto"``: kept when the donors' held-out forecasts want it.

The candidate follows from the times: days of the week for daily ones, months for monthly or
quarterly ones. Donors are forecast with and without it on panels that end where the treatment
begins and start earlier; nothing from ``start`` on is used.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_synth.data.panel import Panel
from bayes_synth.fitting.noise_choice import Refits, earlier_panels, held_out, score_row
from bayes_synth.fitting.placebos import placebos
from bayes_synth.model.calendar import AbstractCalendar, DayOfWeek, MonthOfYear
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.sampling.settings import Settings

__all__ = ["choose_calendar", "likely_calendar"]

DAY, QUARTER = pd.Timedelta("1D"), pd.Timedelta("93D")


def choose_calendar(
    model: AbstractSyntheticControl, panel: Panel, settings: Settings, refit: Refits = placebos
) -> tuple[AbstractSyntheticControl, pd.DataFrame | None]:
    """Give the model the calendar of its times where that forecasts better, unless it names one.

    Parameters
    ----------
    model, panel, settings
        As for the fit; the model names its noise and its scale.
    refit
        Makes the placebos of one candidate on one panel.

    Returns
    -------
    tuple of SyntheticControl and pandas.DataFrame or None
        The table has the rows ``"none"`` and the calendar's name: ``log_score`` (mean log
        predictive density of a held-out period's gap, in the donor's typical steps),
        ``difference`` to no calendar, its standard error ``difference_se`` over donors, and
        ``chosen``. The calendar is kept when it is better by more than one standard error. None
        when the model names its calendars, or when times are years or numbers, which have none.

    Raises
    ------
    DesignError
        D004 when the pre-period is too short to hold periods out.
    PriorError
        O006 when fewer than two donors can stand in for the treated unit.
    KeyboardInterrupt
        When the refits are interrupted: the candidates would be held to different placebos.

    References
    ----------
    Geisser and Eddy (1979), JASA 74(365), for choosing by the predictive density of what was held
    out.
    """
    if model.calendar != "auto":
        return model, None
    likely = likely_calendar(panel.times)
    if likely is None:
        return replace(model, calendar=()), None
    panels = earlier_panels(panel)
    candidates: dict[str, tuple[AbstractCalendar, ...]] = {"none": (), likely.describe(): (likely,)}
    scores = {
        name: _log_scores(replace(model, calendar=calendar), panels, settings, refit)
        for name, calendar in candidates.items()
    }
    table = pd.DataFrame({name: score_row(each, scores["none"]) for name, each in scores.items()}).T
    wanted = table["difference"].iloc[1] > table["difference_se"].iloc[1]
    table = table.rename_axis("calendar_choice").assign(chosen=[float(not wanted), float(wanted)])
    return replace(model, calendar=(likely,) if wanted else ()), table


def likely_calendar(times: pd.Index) -> AbstractCalendar | None:
    """Return the calendar that times so far apart may have; None where they have none."""
    if not isinstance(times, pd.DatetimeIndex) or len(times) < 3:
        return None
    step = pd.Timedelta(np.median(np.diff(times)))
    if step <= DAY:
        return DayOfWeek()
    return MonthOfYear() if pd.Timedelta("7D") < step <= QUARTER else None


def _log_scores(
    model: AbstractSyntheticControl, panels: list[Panel], settings: Settings, refit: Refits
) -> pd.Series:
    """Score every placebo by the log density of one period's error, in its typical steps."""
    _, tables = held_out(model, panels, settings, refit, option="calendar")
    joined: pd.Series = pd.concat([period_density(table) for table in tables])
    return joined


def period_density(table: pd.DataFrame) -> pd.Series:
    """Return the mean log density of a placebo's errors, each period's on its own.

    ``error`` and ``deviation`` (the root mean square of the deviations from the average error)
    make the mean square of the errors, ``sd`` and ``deviation_sd`` what the model expects of it.
    """
    square = table["error"].astype(float) ** 2 + table["deviation"].fillna(0).astype(float) ** 2
    variance = table["sd"].astype(float) ** 2 + table["deviation_sd"].fillna(0).astype(float) ** 2
    steps = variance / table["step"].astype(float) ** 2
    values = -0.5 * (np.log(2 * np.pi * steps) + square / variance)
    return pd.Series(values, index=table.index)
