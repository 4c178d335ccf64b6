"""Find a pattern by day of the week or month of the year in what the weights leave."""

import numpy as np
import pandas as pd
from scipy import stats

from bayes_synth.model.calendar import Columns
from bayes_synth.words import listed

__all__ = ["seasonal_remark", "unlearnt"]

CHANCE = 1e-3
"""Chance of so regular a pattern in noise, below which it is reported."""
SHARE = 0.25
"""Least share of the variance around the moving average that the pattern must explain."""
KINDS = {
    7: ("day of the week", "bs.calendar.DayOfWeek()", pd.Timedelta("1D")),
    12: ("month of the year", "bs.calendar.MonthOfYear()", pd.Timedelta("32D")),
    4: ("quarter of the year", "bs.calendar.MonthOfYear()", pd.Timedelta("93D")),
}


def seasonal_remark(gap: np.ndarray, times: pd.Index, measure: str) -> str:
    """Say that the gap before ``start`` follows the calendar; empty where it does not.

    Parameters
    ----------
    gap
        Observed minus synthetic in the pre-periods, NaN where the outcome is missing.
    times
        Their labels.
    measure
        What the gap is measured in.

    Notes
    -----
    The gap may wander, so its moving average over one season is taken off first; then the groups'
    means are compared by the F-test of a one-way analysis of variance.
    """
    season = _season(times)
    if season is None or len(gap) < 3 * season:
        return ""
    rest = pd.Series(gap, index=times)
    rest = (rest - rest.rolling(season, center=True).mean()).dropna()
    names = _names(pd.DatetimeIndex(rest.index), season)
    groups = [part.to_numpy() for _, part in rest.groupby(names, sort=False) if len(part) > 1]
    if len(groups) < season or not rest.std() > 0:
        return ""
    means = rest.groupby(names, sort=False).mean()
    explained = sum(len(part) * part.mean() ** 2 for part in groups) / float((rest**2).sum())
    if explained < SHARE or stats.f_oneway(*groups).pvalue > CHANCE:
        return ""
    word, cure, _ = KINDS[season]
    top = means[means.abs().sort_values(ascending=False).index[:3]]
    sizes = listed([f"{name} {value:+.3g}" for name, value in top.items()])
    return (
        f"before start the treated unit differs from its synthetic control by the {word} "
        f"({sizes} {measure}), which makes the interval wide; pass calendar=[{cure}]."
    )


def unlearnt(calendar: Columns, outcome: np.ndarray) -> str:
    """Name the deviations that no pre-period with an outcome teaches; empty where all are learnt.

    Parameters
    ----------
    calendar
        The columns of the model's calendars.
    outcome
        The treated outcome before ``start``, NaN where it is missing.
    """
    if not calendar.labels:
        return ""
    before = calendar.loadings[: len(outcome)][~np.isnan(outcome)]
    names = [
        label for label, column in zip(calendar.labels, before.T, strict=True) if not column.any()
    ]
    if not names:
        return ""
    return (
        f"{listed(names)} of the calendar must occur before start for the data to say anything of "
        f"it, got no such period: its posterior is its prior. Leave it out, or widen sd."
    )


def _season(times: pd.Index) -> int | None:
    """Return the number of periods in a season of times so far apart."""
    if not isinstance(times, pd.DatetimeIndex) or len(times) < 3:
        return None
    step = pd.Timedelta(np.median(np.diff(times)))
    if step == pd.Timedelta("1D"):
        return 7
    if not pd.Timedelta("27D") < step < pd.Timedelta("93D"):
        return None
    return 12 if step < pd.Timedelta("32D") else 4


def _names(times: pd.DatetimeIndex, season: int) -> np.ndarray:
    if season == 7:
        return np.asarray(times.day_name())
    return np.asarray(times.month_name() if season == 12 else "Q" + times.quarter.astype(str))
