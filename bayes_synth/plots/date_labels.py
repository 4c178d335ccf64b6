"""Labels of dates on matplotlib's axes: as short as their distance allows, each year said once."""

from collections.abc import Sequence
from datetime import datetime
from typing import final

import numpy as np
from matplotlib.dates import num2date
from matplotlib.ticker import Formatter

__all__ = ["DateLabels"]


@final
class DateLabels(Formatter):
    """Write ticks as short as their distance allows; below stands what changed: year or day."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Write one date, as the cursor shows it."""
        return f"{num2date(x):%Y-%m-%d}"

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Write all ticks of the axis."""
        moments = [num2date(value) for value in values]
        apart = float(np.min(np.diff(values))) if len(values) > 1 else 366.0
        if apart > 360:
            return [f"{moment:%Y}" for moment in moments]
        labels, before = [], ""
        for moment in moments:
            fine, coarse = _parts(moment, apart)
            labels.append(fine if coarse == before else f"{fine}\n{coarse}")
            before = coarse
        return labels


def _parts(moment: datetime, apart: float) -> tuple[str, str]:
    """Return the label of a date, and what it is a part of; ticks are ``apart`` days apart."""
    if apart > 27:
        return f"{moment:%b}", f"{moment:%Y}"
    day = f"{moment.day} {moment:%b}"
    return (day, f"{moment:%Y}") if apart >= 1 else (f"{moment:%H:%M}", f"{day} {moment:%Y}")
