"""Sines and cosines: a season of any length, as smooth as wanted."""

from dataclasses import dataclass
from numbers import Real
from typing import final

import numpy as np
import pandas as pd

from bayes_synth.errors import OptionError
from bayes_synth.model.calendar.base import AbstractCalendar

__all__ = ["Fourier"]


@final
@dataclass(frozen=True)
class Fourier(AbstractCalendar):
    """A season made of sines and cosines, for periods that no calendar names.

    Parameters
    ----------
    period
        Length of the season: text such as ``"365.25D"`` or ``"24h"`` where times are dates, a
        number of time labels' units (years, weeks) where they are numbers.
    harmonics
        Number of pairs of a sine and a cosine: 1 is one smooth wave.
    sd
        Prior standard deviation of each coefficient, in typical steps.

    Raises
    ------
    OptionError
        O090 for an ``sd`` or a ``period`` that is not positive, O010 unless ``harmonics`` is a
        whole number of at least 1; when the model is fitted O091 for a period that does not fit
        the times.

    Notes
    -----
    Phases are counted from 1970-01-01, or from 0, so that more rows change none.

    Examples
    --------
    >>> bs.calendar.Fourier("365.25D", harmonics=2).describe()
    'Fourier, period 365.25D, 2 harmonics'
    """

    period: str | float = "365.25D"
    harmonics: int = 2
    sd: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.harmonics, int) and self.harmonics >= 1):
            raise OptionError(
                "O010",
                f"harmonics must be a whole number of at least 1, got {self.harmonics!r}.",
            )
        if not self._positive():
            raise OptionError(
                "O090",
                'period must be a positive length such as "365.25D", "24h" or 7, '
                f"got {self.period!r}.",
            )

    def _positive(self) -> bool:
        if isinstance(self.period, str):
            try:
                return pd.Timedelta(self.period) > pd.Timedelta(0)
            except ValueError:
                return False
        return isinstance(self.period, Real) and 0 < self.period < np.inf

    def loadings(self, times: pd.Index) -> pd.DataFrame:
        """Return a sine and a cosine per harmonic."""
        dated = isinstance(times, pd.DatetimeIndex)
        if dated != isinstance(self.period, str):
            wanted = 'text such as "365.25D"' if dated else "a number such as 7"
            kind = "dates" if dated else "numbers"
            raise OptionError(
                "O091",
                f"period of bs.calendar.Fourier must be {wanted} where times are {kind}, "
                f"got {self.period!r}.",
            )
        turns = (
            np.asarray((times - pd.Timestamp(0)) / pd.Timedelta(self.period))
            if isinstance(times, pd.DatetimeIndex)
            else times.to_numpy(float) / float(self.period)
        )
        waves = {"sin": np.sin, "cos": np.cos}
        return pd.DataFrame(
            {
                f"{name} {k} of {self.period}": wave(2 * np.pi * k * turns)
                for k in range(1, self.harmonics + 1)
                for name, wave in waves.items()
            },
            index=times,
        )

    def describe(self) -> str:
        """Name the period and the number of harmonics."""
        return f"Fourier, period {self.period}, {self.harmonics} harmonics"
