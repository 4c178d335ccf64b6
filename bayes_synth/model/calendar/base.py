"""What every calendar shares: named loadings over time, and a normal prior on their deviations.

With a calendar the residual of the treated unit is ``level + D d + noise``, where ``D`` has one
column per name (such as Monday) and ``d`` are deviations with a normal prior. Where the names of a
calendar exclude each other, the deviations sum to zero: they are ``B g`` with an orthonormal basis
``B`` of the contrasts and independent normal ``g``, which no order of the names changes. The
coefficients ``g`` are integrated out exactly, as the level is.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from bayes_synth.errors import OptionError
from bayes_synth.registry import saved

__all__ = ["NO_CALENDAR", "AbstractCalendar", "Columns", "as_calendar", "columns_of", "contrasts"]


class Columns(NamedTuple):
    """Hold the columns of all calendars of a model, over all times of a panel.

    ``labels`` name the deviations, ``loadings``, ``(time, label)``, say where each applies, and
    ``basis``, ``(label, column)``, makes the deviations, in typical steps, of coefficients with
    prior sd 1.
    """

    labels: tuple[str, ...]
    loadings: np.ndarray
    basis: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """Loadings of the coefficients, ``(time, column)``, in typical steps per prior sd."""
        return np.asarray(self.loadings @ self.basis)


NO_CALENDAR = Columns((), np.zeros((0, 0)), np.zeros((0, 0)))
"""The columns of a model without calendars."""


class AbstractCalendar(ABC):
    """A named set of deviations that recur, or a set of events.

    A subclass is one frozen dataclass in one file. It needs a field ``sd``, the prior standard
    deviation of each deviation in typical steps, :meth:`loadings`, :meth:`describe` and, where its
    names exclude each other, ``exclusive = True``. Defining it registers it, so that models that
    use it can be saved.

    Examples
    --------
    >>> issubclass(bs.calendar.DayOfWeek, bs.calendar.AbstractCalendar)
    True
    """

    exclusive: ClassVar[bool] = False
    """Whether exactly one name applies to each time, so that the deviations must sum to zero."""

    sd: float

    def __init_subclass__(cls, **options: Any) -> None:
        """Register the calendar for files."""
        super().__init_subclass__(**options)
        saved()(cls)

    def __post_init__(self) -> None:
        """Refuse a prior sd that is not positive and finite, by O090."""
        if not (isinstance(self.sd, (int, float)) and 0 < self.sd < np.inf):
            raise OptionError(
                "O090",
                f"sd must be a positive number of typical steps, got {self.sd!r}; "
                "leave it out for 0.5.",
            )

    @abstractmethod
    def loadings(self, times: pd.Index) -> pd.DataFrame:
        """Return where each name applies: one row per time, one column per name.

        The rows of a longer axis must begin with those of a shorter one.

        Raises
        ------
        OptionError
            O091 when these times have no such calendar.
        """

    @abstractmethod
    def describe(self) -> str:
        """Name the calendar in a few words."""


def contrasts(count: int) -> np.ndarray:
    """Return a basis of vectors that sum to zero, shape ``(count, count - 1)``.

    With independent coefficients of sd 1 every entry of the product has sd 1.
    """
    basis = np.linalg.qr(np.eye(count) - 1 / count)[0][:, : count - 1]
    return np.asarray(basis * np.sqrt(count / (count - 1)))


def columns_of(calendar: Sequence[AbstractCalendar], times: pd.Index) -> Columns:
    """Put the columns of all calendars side by side.

    Raises
    ------
    OptionError
        O091 when these times have no such calendar, O092 when two calendars share a name.
    """
    if not calendar:
        return NO_CALENDAR
    frames = [each.loadings(times) for each in calendar]
    labels = [str(label) for frame in frames for label in frame.columns]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise OptionError(
            "O092",
            f"names in calendar must differ, got {twice[0]!r} twice; "
            "leave one of the two calendars out.",
        )
    bases = [
        each.sd * (contrasts(len(frame.columns)) if each.exclusive else np.eye(len(frame.columns)))
        for each, frame in zip(calendar, frames, strict=True)
    ]
    loadings = np.hstack([frame.to_numpy(float) for frame in frames])
    return Columns(tuple(labels), loadings, block_diag(*bases))


def as_calendar(value: Any) -> tuple[AbstractCalendar, ...]:
    """Take one calendar or several.

    Raises
    ------
    OptionError
        O001 for anything else.
    """
    parts = (value,) if isinstance(value, AbstractCalendar) else value
    if isinstance(parts, (tuple, list)) and all(isinstance(x, AbstractCalendar) for x in parts):
        return tuple(parts)
    raise OptionError(
        "O001",
        'calendar must be a list of calendars such as [bs.calendar.DayOfWeek()], or "auto"; '
        f"got {value!r}.",
    )


def indicators(
    position: pd.Index | np.ndarray, names: Sequence[str], times: pd.Index
) -> pd.DataFrame:
    """Return one column per name, 1 at the times whose position among the names is its own."""
    on = np.asarray(position)[:, None] == np.arange(len(names))
    return pd.DataFrame(on.astype(float), index=times, columns=list(names))


def dates_of(times: pd.Index, what: str) -> pd.DatetimeIndex:
    """Return the times as dates.

    Raises
    ------
    OptionError
        O091 when they are numbers.
    """
    if not isinstance(times, pd.DatetimeIndex):
        raise OptionError(
            "O091",
            f"bs.calendar.{what} needs times that are dates, got numbers such as {times[0]!r}; "
            "read the panel with dates, or use bs.calendar.Fourier(period, harmonics).",
        )
    return times
