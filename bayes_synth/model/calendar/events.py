"""Events on dates of the user's own: holidays, sales, outages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from bayes_synth.data.times import time_span
from bayes_synth.errors import OptionError
from bayes_synth.model.calendar.base import AbstractCalendar
from bayes_synth.words import listed

__all__ = ["Events"]


@final
@dataclass(frozen=True)
class Events(AbstractCalendar):
    """A deviation for each named event, on the dates that you give.

    Parameters
    ----------
    dates
        A mapping from the event's name to its times, such as
        ``{"Black Friday": ["2023-11-24", "2024-11-29"]}``, or a frame with the columns ``event``
        and ``time``. Nothing is looked up: no list of holidays ships with the library.
    sd
        Prior standard deviation of each deviation, in typical steps.

    Raises
    ------
    OptionError
        O090 unless ``sd`` is positive and finite, O093 when there is no event or one without a
        time; when the model is fitted O091 when none of an event's times is in the panel.

    Notes
    -----
    An event that does not occur before ``start`` teaches nothing: its posterior is its prior, and
    the fit warns.

    Examples
    --------
    >>> bs.calendar.Events({"Black Friday": ["2023-11-24", "2024-11-29"]}).describe()
    'events: Black Friday'
    """

    dates: Any = ()
    sd: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "dates", _frozen(self.dates))

    def loadings(self, times: pd.Index) -> pd.DataFrame:
        """Return one column per event, 1 at its times."""
        return pd.DataFrame(
            {name: _at(name, when, times) for name, when in self.dates}, index=times
        )

    def describe(self) -> str:
        """Name the events."""
        return f"events: {listed([name for name, _ in self.dates])}"


def _frozen(dates: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Take a mapping or a frame as a tuple of names and times."""
    if isinstance(dates, pd.DataFrame):
        if not {"event", "time"} <= set(dates.columns):
            raise OptionError(
                "O093",
                "the frame of bs.calendar.Events must have the columns 'event' and 'time', got "
                f"{listed(map(str, dates.columns))}.",
            )
        dates = {
            str(name): part.tolist() for name, part in dates.groupby("event", sort=False)["time"]
        }
    pairs = tuple(dates.items()) if isinstance(dates, Mapping) else tuple(dates)
    frozen = tuple((str(name), tuple(map(_plain, _many(when)))) for name, when in pairs)
    empty = [name for name, when in frozen if not when]
    if empty or not frozen:
        got = f"none for {listed(empty)}" if empty else "no event"
        raise OptionError(
            "O093",
            'bs.calendar.Events needs times for each event, such as {"fair": ["2024-05-01"]}, '
            f"got {got}.",
        )
    return frozen


def _many(when: Any) -> Sequence[Any]:
    alone = isinstance(when, str) or np.isscalar(when) or isinstance(when, pd.Timestamp)
    return [when] if alone else list(when)


def _plain(time: Any) -> str | float | int:
    """Write a time as text or as a number, which files can hold."""
    if isinstance(time, (bool, str, int, float)):
        return time
    return time.item() if isinstance(time, np.number) else str(time)


def _at(name: str, when: tuple[Any, ...], times: pd.Index) -> np.ndarray:
    on = np.zeros(len(times))
    for time in when:
        span = time_span(time, times, what=f"calendar event {name!r}")
        on[np.asarray((times >= span.first) & (times <= span.last))] = 1.0
    if not on.any():
        raise OptionError(
            "O091",
            f"event {name!r} of bs.calendar.Events must have a time within the panel, got "
            f"{listed(map(str, when))}; leave it out.",
        )
    return on
