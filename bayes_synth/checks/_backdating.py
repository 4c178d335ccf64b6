"""Backdating: ask whether an effect shows before there was a treatment."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from bayes_synth.checks.earlier_starts import earlier_panels, matching_start
from bayes_synth.checks.pictures.paths import middle, plot_paths
from bayes_synth.checks.refits import Case, RefitEffect, Refitter, as_row, concluded, refits
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, Verdict, known_to, not_applicable, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.monte_carlo import two_sided, two_sided_error

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["backdating"]

QUESTION = "Is there an effect before there was a treatment?"
LATE = 0.75
"""Share of the allowed false alarms for the end of the window as long as the post-period."""


@check(QUESTION, place=8, refits=True)
def backdating(
    fit: AbstractFit,
    *,
    starts: int = 5,
    least: int = 5,
    ci_prob: float = 0.9,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Refitter = refits,
) -> Check:
    """Refit as if treatment had begun earlier, and ask whether that effect's interval holds zero.

    Parameters
    ----------
    fit
        The fit.
    starts
        Number of earlier starts, spread over the second half of the pre-period; one of them lies as
        many periods before ``start`` as the post-period has, when the pre-period is long enough.
    least
        Smallest number of periods with an outcome to learn from; at least half of the pre-period in
        any case.
    ci_prob
        Complement of the probability of a false alarm that is allowed. Three quarters of it go to
        the start that lies as many periods before ``start`` as the post-period has, if that leaves
        half of the pre-period, and there to the last third of the window, where a drift shows
        most; the rest (or all) goes to the averages over all earlier starts, by Bonferroni. The
        shares are lower bounds: above them it passes. A tail probability of zero up to its share
        is a caution, and it fails when two of the averages, and half of all, are up to half of
        what is allowed. (The shares were chosen by simulation; see the page on checks.)
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: one row per earlier start with the number of ``pre`` and ``post`` periods with an
        outcome (never more of the latter than treatment has had, and none from the true start on),
        median and interval of the average effect in outcome units per period, ``p`` (twice the
        smaller tail beyond zero), ``p_late`` (the same for the window's last third), their Monte
        Carlo errors ``p_mcse`` and ``p_late_mcse``, ``mcse`` (of the median) and ``ok``.
        Intervals are inflated by the fit's own kappa; over a window that is shorter than the
        post-period, for which kappa was learnt, that is on the wide side.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 7. Abadie, Diamond and Hainmueller
    (2015), American Journal of Political Science 59(2), section on placebo studies in time.

    Examples
    --------
    >>> bs.checks.backdating(fit, progressbar=False).name
    'backdating'
    """
    panels = earlier_panels(fit.panel, starts, least)
    if not panels:
        seen = int(fit.panel.treated_outcome.sel(time=fit.panel.pre.to_numpy()).count())
        few = f"{seen} pre-periods with an outcome leave none to hold out after the first"
        return not_applicable("backdating", QUESTION, f"{few} {max(least, seen // 2)}.")
    cases = {label: Case(fit.model, panel) for label, panel in panels.items()}
    answers = refit(fit, cases, random_seed=random_seed, progressbar=progressbar, what="Backdating")
    if not answers:
        return not_applicable("backdating", QUESTION, "No refit was done.")
    rows = {label: _row_of_start(panels[label], each, ci_prob) for label, each in answers.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("start")
    matching = matching_start(fit.panel)
    verdict, remarks = concluded(_graded_by_starts(table, matching, ci_prob), cases, answers)
    reason = _backdating_reason(table, matching, ci_prob, remarks)
    table = thresholds(table, starts=starts, least=least, ci_prob=ci_prob)
    picture = partial(_draw_backdating, fit, answers)
    return Check("backdating", QUESTION, verdict, reason, table, picture)


def _row_of_start(panel: Panel, refit: RefitEffect, ci_prob: float) -> dict[str, Any]:
    seen = panel.treated_outcome.notnull().to_series()
    counts = {"pre": int(seen[panel.pre].sum()), "post": int(seen[panel.post].sum())}
    path = refit.effects["pointwise"].dropna("time")
    late = path.isel(time=slice(-path.sizes["time"] // 3, None)).mean("time")
    windows = {"p": refit.effects["average"], "p_late": late}
    tails = {name: two_sided(draws) for name, draws in windows.items()}
    tails |= {f"{name}_mcse": two_sided_error(draws) for name, draws in windows.items()}
    return counts | as_row(refit, ci_prob) | tails


def _graded_by_starts(table: pd.DataFrame, matching: str, ci_prob: float) -> Verdict:
    """Grade tail probabilities by each one's share of the allowed false alarms."""
    allowed = 1 - ci_prob
    if (table["p"] <= allowed / 2).sum() >= max(2, len(table) / 2):
        return "fail"
    share = LATE * (matching in table.index)
    late = share > 0 and table["p_late"][matching] <= share * allowed
    return "caution" if late or table["p"].min() * len(table) <= (1 - share) * allowed else "pass"


def _backdating_reason(table: pd.DataFrame, matching: str, ci_prob: float, remarks: str) -> str:
    first, late = str(table["p"].idxmin()), ""
    held = int((table["p"] > 1 - ci_prob).sum())
    allowed, share = 1 - ci_prob, LATE * (matching in table.index)
    smallest, p_mcse = float(table["p"][first]), float(table["p_mcse"][first])
    known = known_to(smallest, p_mcse, (1 - share) * allowed / len(table))
    if share:
        p, p_mcse = float(table["p_late"][matching]), float(table["p_late_mcse"][matching])
        known_late = known_to(p, p_mcse, share * allowed)
        late = f"; {p:.2g} {known_late} for the last third of that from {matching}"
    return (
        f"The {ci_prob:.0%} interval holds zero for {held} of {len(table)} earlier starts; the "
        f"smallest two-sided p is {smallest:.2g} {known}, for start {first} (average "
        f"effect {table['median'][first]:.3g} over {table['post'][first]:.0f} periods)"
        f"{late}{remarks}."
    )


def _draw_backdating(
    fit: AbstractFit, answers: Mapping[str, RefitEffect], **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    lines = {label: middle(refit.effects["pointwise"]) for label, refit in answers.items()}
    title = (
        "Effect per period (median): from the true start (bold), "
        f"and from {len(lines)} earlier ones"
    )
    return plot_paths(fit, lines, title, options)
