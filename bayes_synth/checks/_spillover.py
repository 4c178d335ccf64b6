"""Spillover: ask what the effect is without donors that the treatment may have reached."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Unpack

import pandas as pd

from bayes_synth.checks.pictures.forest import plot_forest
from bayes_synth.checks.refits import Case, Refitter, as_row, concluded, refits, shifted
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import listed, texts

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["spillover"]

QUESTION = "Could the treatment have reached the donors?"


@check(QUESTION, place=11, refits=True)
def spillover(
    fit: AbstractFit,
    neighbours: Sequence[str] = (),
    *,
    caution: float = 1.0,
    fail: float = 2.0,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Refitter = refits,
) -> Check:
    """Refit without named neighbours, and say which way they would bias the effect if affected.

    Parameters
    ----------
    fit
        The fit.
    neighbours
        Donors that the treatment may have reached; you must name them, since the data have no map.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the shift of
        the average effect without them, in posterior standard deviations of the fit's (our
        thresholds, those of :func:`leave_one_out`).
    random_seed, progressbar
        Seed and progress bar of the refit; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refit; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: one row, the refit ``without neighbours``: their joint ``weight``, median and 95 %
        ETI of the average effect in outcome units per period, ``mcse`` (of the median), ``ok``,
        ``shift`` and ``shift_mcse``. The interval is inflated by a kappa to which the neighbours'
        own placebos do not contribute.

    Raises
    ------
    DesignError
        D008, D009 for a neighbour that is not a donor, D014 when no donor is left.

    Notes
    -----
    With ``W`` their joint weight, a spillover of ``s`` onto each of them moves the estimated
    effect by ``-W s``: a spillover of the effect's own sign hides part of the effect, one of the
    other sign adds to it. Without weight it does nothing.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 5.

    Examples
    --------
    >>> bs.checks.spillover(fit).verdict  # no neighbours named
    'not applicable'
    """
    names = tuple(texts(neighbours))
    if not names:
        none = "No neighbours were named: spillover(fit, neighbours=[...]) asks about them."
        return not_applicable("spillover", QUESTION, none)
    label, weight = "without neighbours", float(fit.weights()["mean"].reindex(list(names)).sum())
    cases = {label: Case(fit.model, fit.panel.drop(names), without=names)}
    answers = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Leaving neighbours out"
    )
    if not answers:
        return not_applicable("spillover", QUESTION, "The refit was not done.")
    table = shifted(fit, {label: {"weight": weight} | as_row(answers[label])})
    shift, error = table.iloc[0][["shift", "shift_mcse"]].astype(float)
    verdict, remarks = concluded(graded(abs(shift), caution, fail), cases, answers)
    reason = (
        f"The neighbours ({listed(names)}) hold {weight:.2f} of the weight; without them the "
        f"average effect moves by {shift:+.2f} posterior sd "
        f"{known_to(abs(shift), error, caution, fail)}{remarks}. "
        f"{_bias_words(fit, weight, shift)}"
    )
    table = thresholds(table, neighbours=names, caution=caution, fail=fail)
    picture = partial(_draw_without_neighbours, fit, table)
    return Check("spillover", QUESTION, verdict, reason, table, picture)


def _bias_words(fit: AbstractFit, weight: float, shift: float) -> str:
    """Say which way affected neighbours would bias the fit, and which way the refit points."""
    towards = "larger" if shift * float(fit.effect("average").draws.median()) > 0 else "smaller"
    return (
        f"If they were affected in the same direction, {weight:.0%} of what reached them is "
        f"missing from the effect (bias towards zero); in the opposite direction, it is added. "
        f"The effect without them is {towards}."
    )


def _draw_without_neighbours(
    fit: AbstractFit, table: pd.DataFrame, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    title = f"Without {listed(table.attrs['neighbours'], 3)}"
    return plot_forest(fit, table, title, options)
