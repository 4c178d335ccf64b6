"""Count how often a rule finds an effect where nobody was treated, with the error of that count."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Rate", "rate_of"]


class Rate(NamedTuple):
    """Hold a share of tests, its standard error, and how many tests it is of."""

    share: float
    error: float
    tests: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the share plus and minus two errors, within 0 and 1."""
        return max(0.0, self.share - 2 * self.error), min(1.0, self.share + 2 * self.error)


def rate_of(found: Sequence[bool], *clusters: Sequence[object]) -> Rate:
    """Return the share found, with the largest of several standard errors.

    Tests of one unit share its history, and tests of one window its shocks, so they count as
    clusters; the error as if all were independent is the smallest that is given. With few tests it
    is at least that of one finding more or less, in the way of Agresti and Coull (1998).

    Parameters
    ----------
    found
        Whether each test found an effect.
    clusters
        The cluster of each test, once by unit and once by window.
    """
    values = np.asarray(found, dtype=float)
    count = len(values)
    if not count:
        return Rate(np.nan, np.nan, 0)
    share, adjusted = values.mean(), (values.sum() + 2) / (count + 4)
    errors = [np.sqrt(adjusted * (1 - adjusted) / (count + 4))]
    for labels in clusters:
        sums = pd.Series(values - share).groupby(np.asarray(labels, dtype=str)).sum()
        if (groups := len(sums)) > 1:
            errors.append(np.sqrt((sums**2).sum() * groups / (groups - 1)) / count)
    return Rate(float(share), float(max(errors)), count)
