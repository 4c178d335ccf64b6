"""Calendars: seasonal deviations of the treated unit from its synthetic control.

One file per leaf; a new one subclasses :class:`AbstractCalendar` and is registered by that.
"""

from bayes_synth.model.calendar.base import (
    NO_CALENDAR,
    AbstractCalendar,
    Columns,
    as_calendar,
    columns_of,
)
from bayes_synth.model.calendar.day_of_week import DayOfWeek
from bayes_synth.model.calendar.events import Events
from bayes_synth.model.calendar.fourier import Fourier
from bayes_synth.model.calendar.month_of_year import MonthOfYear

__all__ = [
    "NO_CALENDAR",
    "AbstractCalendar",
    "Columns",
    "DayOfWeek",
    "Events",
    "Fourier",
    "MonthOfYear",
    "as_calendar",
    "columns_of",
]


def __dir__() -> list[str]:
    return ["AbstractCalendar", "DayOfWeek", "Events", "Fourier", "MonthOfYear"]
