"""Make the lists of tasks that are often wanted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bayes_synth.api import SyntheticControl
from bayes_synth.batch.task import FitTask
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import locked, require_treated
from bayes_synth.errors import DesignError
from bayes_synth.priors import as_weights_prior
from bayes_synth.results.convergence import REFIT
from bayes_synth.words import short, texts

__all__ = ["backdates", "each_unit", "leave_one_out", "placebos"]

UNCALIBRATED = SyntheticControl(calibrate=False)


def placebos(
    panel: Panel,
    *,
    model: SyntheticControl = UNCALIBRATED,
    draws: int = 400,
    tune: int = 300,
    chains: int = 2,
) -> list[FitTask]:
    """Make a task for every donor as if it had been treated; the treated unit is left out.

    Parameters
    ----------
    panel
        A panel with one treated unit.
    model
        Not calibrated by default: a calibrated model would refit all other donors in every task.
        A prior on the weights keeps the concentration that it has in the whole pool.
    draws, tune, chains
        Size of each fit.

    Returns
    -------
    list of FitTask
        One task per donor, labelled ``treated``; donors that are constant before ``start`` are left
        out. A fit counts as converged with R-hat at most 1.05 and an effective sample size of at
        least 100.

    Raises
    ------
    DesignError
        D024 when several units are treated.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.4.

    Examples
    --------
    >>> [dict(task.labels) for task in bs.batch.placebos(panel)][:1]
    [{'treated': 'donor_00'}]
    """
    panels: dict[str, Panel] = {}
    for donor in panel.donors:
        try:
            panels[donor] = panel.as_if_treated(donor)
        except DesignError as error:
            if error.code != "V004":
                raise
    sizes = {"draws": draws, "tune": tune, "chains": chains}
    return [
        _refit_task(unit, _same_prior(model, panel, unit), {"treated": donor}, sizes)
        for donor, unit in panels.items()
    ]


def leave_one_out(
    panel: Panel,
    *,
    model: SyntheticControl = UNCALIBRATED,
    draws: int = 400,
    tune: int = 300,
    chains: int = 2,
) -> list[FitTask]:
    """Make a task for the panel without each of its donors in turn.

    Parameters
    ----------
    panel
        A panel with at least two donors.
    model, draws, tune, chains
        As in :func:`placebos`.

    Returns
    -------
    list of FitTask
        One task per donor, labelled ``without``.

    Raises
    ------
    DesignError
        D014 when there is only one donor.

    Examples
    --------
    >>> len(bs.batch.leave_one_out(panel))
    6
    """
    sizes = {"draws": draws, "tune": tune, "chains": chains}
    panels = {donor: panel.drop(donor) for donor in panel.donors}
    return [
        _refit_task(less, _same_prior(model, panel, less), {"without": donor}, sizes)
        for donor, less in panels.items()
    ]


def backdates(
    panel: Panel,
    *,
    periods: Sequence[int] = (1, 2, 3, 4, 5),
    model: SyntheticControl = UNCALIBRATED,
    draws: int = 400,
    tune: int = 300,
    chains: int = 2,
) -> list[FitTask]:
    """Make tasks as if treatment had begun earlier; no outcome from the true start on is used.

    Parameters
    ----------
    panel
        The data.
    periods
        How many periods earlier, each at least 1.
    model, draws, tune, chains
        As in :func:`placebos`.

    Returns
    -------
    list of FitTask
        One task per number of periods, labelled ``start`` as text.

    Raises
    ------
    DesignError
        D002 for more periods than there are before ``start``, D004 when too few are left to learn
        from.

    Examples
    --------
    >>> len(bs.batch.backdates(panel, periods=(2, 4)))
    2
    """
    sizes = {"draws": draws, "tune": tune, "chains": chains}
    wrong = [k for k in periods if not 1 <= k <= len(panel.pre)]
    if wrong:
        raise DesignError(
            "D002",
            f"periods={wrong} must lie between 1 and {len(panel.pre)}, the periods before start.",
        )
    starts = [panel.pre[-k] for k in periods]
    return [
        _refit_task(panel.backdate(start), model, {"start": short(start)}, sizes)
        for start in starts
    ]


def each_unit(
    panel: Panel,
    *,
    treated: Sequence[str] | None = None,
    model: SyntheticControl = SyntheticControl(),
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
) -> list[FitTask]:
    """Make a task for each treated unit by itself, on the donors that are common to all.

    Parameters
    ----------
    panel
        The data.
    treated
        Units that were treated from ``panel.start`` on; None for those of the panel. None of them
        serves as a donor.
    model, draws, tune, chains
        As in :meth:`bayes_synth.SyntheticControl.fit`.

    Returns
    -------
    list of FitTask
        One task per unit, labelled ``treated``; they converge by the standards of a fit.

    Raises
    ------
    DesignError
        D007 for a label that is not in the data, D014 when no donor is left.

    Examples
    --------
    >>> both = bs.Panel.from_wide(wide, treated=["treated", "donor_05"], start=2030)
    >>> len(bs.batch.each_unit(both))
    2
    """
    chosen = texts(panel.treated if treated is None else treated)
    require_treated(chosen, panel.outcomes["unit"].to_numpy().tolist())
    donors = [donor for donor in panel.donors if donor not in chosen]
    sizes: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains}
    return [
        FitTask(_only_treated(panel, unit, donors), model, {"treated": unit}, **sizes)
        for unit in chosen
    ]


def _only_treated(panel: Panel, unit: str, donors: Sequence[str]) -> Panel:
    """Return the panel with this unit as the only treated one."""
    outcomes = panel.outcomes.sel(unit=pd.Index(sorted([unit, *donors]), dtype=object))
    return replace(panel, outcomes=locked(outcomes), treated=(unit,))


def _refit_task(
    panel: Panel, model: SyntheticControl, labels: dict[str, Any], sizes: dict[str, Any]
) -> FitTask:
    """Make a task that is judged by the standard of refits."""
    return FitTask(
        panel,
        model,
        labels,
        **sizes,
        target_accept=0.95,
        largest_r_hat=REFIT.r_hat,
        least_ess=REFIT.ess,
    )


def _same_prior(model: SyntheticControl, panel: Panel, smaller: Panel) -> SyntheticControl:
    """Return the model with the same prior on each donor that is kept."""
    return replace(
        model, weights=as_weights_prior(model.weights).restricted(panel.donors, smaller.donors)
    )
