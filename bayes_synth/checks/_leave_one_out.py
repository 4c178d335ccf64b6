"""Leave one out: ask whether the effect hangs on any single donor."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Unpack

import pandas as pd

from bayes_synth.checks.pictures.paths import middle, plot_paths
from bayes_synth.checks.refits import (
    Case,
    RefitEffect,
    Refitter,
    as_row,
    concluded,
    refits,
    shifted,
)
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds
from bayes_synth.results.answers import AbstractFit

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["leave_one_out"]

QUESTION = "Does the effect hang on a single donor?"


@check(QUESTION, place=7, refits=True)
def leave_one_out(
    fit: AbstractFit,
    *,
    least: float = 0.01,
    largest: int = 5,
    caution: float = 1.0,
    fail: float = 2.0,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Refitter = refits,
) -> Check:
    """Refit without each donor that has weight, and without the largest ones together.

    Parameters
    ----------
    fit
        The fit.
    least
        Smallest posterior mean weight: donors above it are left out, one at a time.
    largest
        Then the two largest are left out together, then three, up to this many.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the largest
        shift of the average effect when one donor is left out, in posterior standard deviations of
        the fit's. Abadie (2021, section 7) asks for the exercise and gives no number; one
        posterior sd is what the interval already admits.
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: one row per refit with the ``weight`` left out, median and 95 % ETI of the average
        effect in outcome units per period, ``mcse`` (of the median), ``ok``, ``shift`` and
        ``shift_mcse``. Intervals are inflated by the fit's own kappa. Refits without several donors
        are shown and do not decide.

    References
    ----------
    Abadie, Diamond and Hainmueller (2015), American Journal of Political Science 59(2), Figure 5.

    Examples
    --------
    >>> bs.checks.leave_one_out(fit, progressbar=False).name
    'leave_one_out'
    """
    weights = fit.weights()["mean"]
    limits = {"least": least, "largest": largest, "caution": caution, "fail": fail}
    if len(weights) == 1:
        only = f"{weights.index[0]} is the only donor."
        return not_applicable("leave_one_out", QUESTION, only)
    left_out = _donors_to_leave_out(weights, least, largest)
    if not left_out:
        none = (
            f"No donor has more than {least:.0%} of the weight; the largest is "
            f"{weights.index[0]}, {weights.iloc[0]:.3f}."
        )
        table = thresholds(pd.DataFrame(), **limits)
        return Check("leave_one_out", QUESTION, "pass", none, table)
    cases = {
        label: Case(fit.model, fit.panel.drop(list(donors))) for label, donors in left_out.items()
    }
    answers = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Leaving donors out"
    )
    if not answers:
        return not_applicable("leave_one_out", QUESTION, "No refit was done.")
    rows = {
        label: {"weight": float(weights[list(left_out[label])].sum())} | as_row(each)
        for label, each in answers.items()
    }
    table = thresholds(shifted(fit, rows), **limits)
    single = table[[len(left_out[str(label)]) == 1 for label in table.index]]
    most = float(single["shift"].abs().max())
    verdict, remarks = concluded(graded(most, caution, fail), cases, answers)
    reason = _leave_one_out_reason(table, single, remarks)
    picture = partial(_draw_without_donors, fit, answers)
    return Check("leave_one_out", QUESTION, verdict, reason, table, picture)


def _leave_one_out_reason(table: pd.DataFrame, single: pd.DataFrame, remarks: str) -> str:
    most, several = str(single["shift"].abs().idxmax()), ""
    shift, error = float(single["shift"][most]), float(single["shift_mcse"][most])
    limits = table.attrs["caution"], table.attrs["fail"]
    together = table.drop(index=single.index)["shift"]
    if len(together):
        several = f"; {together.index[-1]} together by {together.iloc[-1]:+.2f}"
    return (
        f"Of {len(single)} donors left out one at a time, {most.removeprefix('without ')} moves "
        f"the average effect most, by {shift:+.2f} posterior sd "
        f"{known_to(abs(shift), error, *limits)}{several}{remarks}."
    )


def _donors_to_leave_out(
    weights: pd.Series, least: float, largest: int
) -> dict[str, tuple[str, ...]]:
    """Return the donors to leave out, by the label of the refit; one donor always stays."""
    single = {f"without {donor}": (donor,) for donor in weights.index[weights > least]}
    most = min(largest, len(weights) - 1, len(single))
    together = {f"without the {k} largest": tuple(weights.index[:k]) for k in range(2, most + 1)}
    return (single | together) if len(weights) > 1 else {}


def _draw_without_donors(
    fit: AbstractFit, answers: Mapping[str, RefitEffect], **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    lines = {label: middle(refit.effects["pointwise"]) for label, refit in answers.items()}
    title = f"Effect per period (median): the fit and {len(lines)} refits with fewer donors"
    return plot_paths(fit, lines, title, options)
