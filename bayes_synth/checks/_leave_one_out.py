"""Leave one donor out: whether the effect hangs on any single donor."""

from functools import partial
from typing import TYPE_CHECKING

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
from bayes_synth.checks.result import Check, check, graded, not_applicable, thresholds
from bayes_synth.results.answers import AbstractFit

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

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
    """RefitEffect without each donor that has weight, and without the largest ones together.

    Parameters
    ----------
    fit
        The fit.
    least
        Donors above this posterior mean weight are left out, one at a time.
    largest
        So many of the largest are then left out together, one more each time.
    caution, fail
        Largest shift of the average effect, in posterior standard deviations of the fit's, when one donor is left out:
        what passes, and what does not fail. Abadie (2021, section 7) asks for the exercise and gives no number; one
        posterior sd is what the interval already admits.
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: one row per refit with the ``weight`` left out, median and 95 % ETI of the average effect, ``ok`` and
        ``shift``. Refits are spread by the fit's own kappa. Those without several donors are shown and do not decide.

    References
    ----------
    Abadie, Diamond and Hainmueller (2015), American Journal of Political Science 59(2), Figure 5.
    """
    weights = fit.weights()["mean"]
    left_out = _left_out(weights, least, largest)
    if len(weights) == 1:
        only = f"{weights.index[0]} is the only donor."
        return not_applicable("leave_one_out", QUESTION, only)
    if not left_out:
        none = f"No donor has more than {least:.0%} of the weight; the largest is {weights.index[0]}, {weights.iloc[0]:.3f}."
        return Check("leave_one_out", QUESTION, "pass", none, pd.DataFrame())
    cases = {
        label: Case(fit.model, fit.panel.drop(list(donors))) for label, donors in left_out.items()
    }
    found = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Leaving donors out"
    )
    rows = {
        label: {"weight": float(weights[list(left_out[label])].sum())} | as_row(found[label])
        for label in found
    }
    if not rows:
        return not_applicable("leave_one_out", QUESTION, "No refit was done.")
    table = shifted(fit, rows)
    single = table["shift"][[len(left_out[str(label)]) == 1 for label in table.index]]
    worst = str(single.abs().idxmax())
    verdict, remarks = concluded(graded(float(single.abs().max()), caution, fail), cases, found)
    together = table.drop(index=single.index)["shift"]
    several = (
        f"; without the {largest} largest together by {together.iloc[-1]:+.2f}"
        if len(together)
        else ""
    )
    reason = (
        f"Of {len(single)} donors left out one at a time, {worst.removeprefix('without ')} moves the average effect "
        f"most, by {single[worst]:+.2f} posterior sd{several}{remarks}."
    )
    table = thresholds(table, least=least, largest=largest, caution=caution, fail=fail)
    return Check("leave_one_out", QUESTION, verdict, reason, table, partial(_draw, fit, found))


def _left_out(weights: pd.Series, least: float, largest: int) -> dict[str, tuple[str, ...]]:
    """Donors to leave out by the refit's label; somebody always stays."""
    single = {f"without {donor}": (donor,) for donor in weights.index[weights > least]}
    most = min(largest, len(weights) - 1, len(single))
    together = {f"without the {k} largest": tuple(weights.index[:k]) for k in range(2, most + 1)}
    return (single | together) if len(weights) > 1 else {}


def _draw(
    fit: AbstractFit, found: dict[str, RefitEffect], *, backend: str | None = None
) -> "PlotCollection":
    lines = {label: middle(refit.effects["pointwise"]) for label, refit in found.items()}
    title = f"Effect per period (median): all donors (bold), and {len(lines)} refits without some of them"
    return plot_paths(fit, lines, title, backend=backend)
