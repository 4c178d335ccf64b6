"""Months of the year: each has a deviation of its own, and the twelve sum to zero."""

import calendar
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pandas as pd

from bayes_synth.errors import OptionError
from bayes_synth.model.calendar.base import AbstractCalendar, dates_of, indicators

__all__ = ["MONTHS", "MonthOfYear"]

MONTHS = tuple(calendar.month_name[month] for month in range(1, 13))


@final
@dataclass(frozen=True)
class MonthOfYear(AbstractCalendar):
    """A deviation for each month of the year: of the treated unit from its synthetic control.

    On quarterly data each quarter is represented by its first or last month.

    Parameters
    ----------
    sd
        Prior standard deviation of each deviation, in typical steps.

    Raises
    ------
    OptionError
        O090 unless ``sd`` is positive and finite; when the model is fitted O091 unless times are
        dates of which several fall into one year.

    Examples
    --------
    >>> bs.calendar.MonthOfYear().describe()
    'month of year'
    """

    exclusive: ClassVar[bool] = True
    sd: float = 0.5

    def loadings(self, times: pd.Index) -> pd.DataFrame:
        """Return one column per month, 1 in that month."""
        dates = dates_of(times, "MonthOfYear()")
        months = np.asarray(dates.month)
        if len(set(months.tolist())) < 2:
            raise OptionError(
                "O091",
                "bs.calendar.MonthOfYear() needs times in several months of the year, got only "
                f"{MONTHS[months[0] - 1]}; leave it out.",
            )
        return indicators(months - 1, MONTHS, times)

    def describe(self) -> str:
        """Name the calendar."""
        return "month of year"
