"""Choose earlier starts: the panel as if treatment had begun in its pre-period."""

from dataclasses import replace

import numpy as np

from bayes_synth.data.covariates import CovariateTable
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import locked
from bayes_synth.errors import DesignError
from bayes_synth.words import short

__all__ = ["earlier_panels", "matching_start", "of_rows"]


def earlier_panels(panel: Panel, starts: int, least: int) -> dict[str, Panel]:
    """Return panels that end before the true start and begin to be treated earlier, by that start.

    Parameters
    ----------
    panel
        The panel.
    starts
        Number of earlier starts, spread over the second half of the pre-period; the nearest is
        moved to :func:`matching_start`.
    least
        Smallest number of periods with an outcome before the earliest of them.
    """
    at = np.flatnonzero(panel.treated_outcome.notnull().to_numpy()[: len(panel.pre)])
    length = min(len(panel.post), max(1, len(panel.pre) // 4))
    first, last = max(len(at) // 2, least), len(at) - length
    if first > last:
        return {}
    positions = np.unique(at[np.linspace(first, last, starts).round().astype(int)])
    matching = len(panel.pre) - len(panel.post)
    if at[first] <= matching <= at[-1]:
        positions[np.argmin(np.abs(positions - matching))] = matching
    panels = {}
    for k in positions:
        try:
            panels[short(panel.pre[k])] = _ended(panel.backdate(panel.pre[k]), len(panel.post))
        except DesignError:
            # A constant past teaches nothing, and a window without outcomes compares nothing.
            continue
    return panels


def matching_start(panel: Panel) -> str:
    """Return the start that lies as many periods before the true one as there are post-periods.

    It is empty when the pre-period is shorter than the post-period.
    """
    before = len(panel.pre) - len(panel.post)
    return short(panel.pre[before]) if before >= 0 else ""


def _ended(panel: Panel, most: int) -> Panel:
    """Return the panel with at most so many post-periods."""
    return of_rows(panel, slice(len(panel.pre) + most))


def of_rows(panel: Panel, rows: slice) -> Panel:
    """Return the panel at some of its times, by position; its covariates lose the same times."""
    outcomes, covariates = locked(panel.outcomes.isel(time=rows)), panel.covariates
    if covariates is not None:
        covariates = CovariateTable(covariates.series.isel(time=rows))
    return replace(panel, outcomes=outcomes, covariates=covariates)
