"""Days of the week: each has a deviation of its own, and the seven sum to zero."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pandas as pd

from bayes_synth.errors import OptionError
from bayes_synth.model.calendar.base import AbstractCalendar, dates_of, indicators

__all__ = ["DAYS", "DayOfWeek"]

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@final
@dataclass(frozen=True)
class DayOfWeek(AbstractCalendar):
    """A deviation for each day of the week: of the treated unit from its synthetic control.

    What treated unit and donors have in common is gone before: a weekday that is strong everywhere
    needs no calendar.

    Parameters
    ----------
    sd
        Prior standard deviation of each deviation, in typical steps.

    Raises
    ------
    OptionError
        O090 unless ``sd`` is positive and finite; when the model is fitted O091 unless times are
        dates that are at most a day apart.

    Examples
    --------
    >>> bs.SyntheticControl(calendar=[bs.calendar.DayOfWeek(sd=0.5)]).calendars
    (DayOfWeek(sd=0.5),)
    """

    exclusive: ClassVar[bool] = True
    sd: float = 0.5

    def loadings(self, times: pd.Index) -> pd.DataFrame:
        """Return one column per day, 1 on that day."""
        dates = dates_of(times, "DayOfWeek()")
        if len(dates) > 1 and np.median(np.diff(dates)) > np.timedelta64(1, "D"):
            raise OptionError(
                "O091",
                "bs.calendar.DayOfWeek() needs daily times, got times that are mostly "
                f"{pd.Timedelta(np.median(np.diff(dates))).days} days apart; "
                "use bs.calendar.MonthOfYear().",
            )
        return indicators(dates.day_of_week, DAYS, times)

    def describe(self) -> str:
        """Name the calendar."""
        return "day of week"
