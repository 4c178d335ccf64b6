"""Backdating: an effect that shows before there was a treatment is none of the treatment's."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.paths import middle, plot_paths
from bayes_synth.checks.refits import Case, RefitEffect, Refitter, as_row, concluded, refits, tail
from bayes_synth.checks.result import Check, Verdict, check, not_applicable, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import locked
from bayes_synth.errors import DesignError
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["backdating"]

QUESTION = "Is there an effect before there was a treatment?"
LATE = 0.75
"""Share of the allowed false alarms for the end of the window that is as long as the post-period."""


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
    """RefitEffect as if treatment had begun earlier, and ask whether zero lies in the interval of that effect.

    Parameters
    ----------
    fit
        The fit.
    starts
        Number of earlier starts, spread over the second half of the pre-period; one of them lies as many periods before
        ``start`` as the post-period has, when the pre-period is long enough.
    least
        Smallest number of periods with an outcome to learn from; at least half of the pre-period in any case.
    ci_prob
        Complement of the probability of a false alarm that is allowed. Three quarters of it go to the start that lies as
        many periods before ``start`` as the post-period has, if that leaves half of the pre-period, and there to the last
        third of the window, where a drift shows most; the rest (or all) to the averages over all earlier starts, by
        Bonferroni. It is a caution when a tail probability of zero is below its share, and a failure when two of the
        averages, and half of all, are below half of it. (The shares were chosen by simulation; see the page on checks.)
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: one row per earlier start with the number of ``pre`` and ``post`` periods with an outcome (never more of the
        latter than treatment has had, and none from the true start on), median and interval of the average effect,
        ``p`` (twice the smaller tail beyond zero), ``p_late`` (the same for the window's last third) and ``ok``. Refits are
        spread by the fit's own kappa; over a window that is shorter than the post-period, for which kappa was learnt, that
        is on the wide side.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 7. Abadie, Diamond and Hainmueller (2015), American
    Journal of Political Science 59(2), section on placebo studies in time.
    """
    panels = earlier(fit.panel, starts, least)
    if not panels:
        seen = int(fit.panel.treated_outcome.sel(time=fit.panel.pre.to_numpy()).count())
        few = f"{seen} pre-periods with an outcome leave none to hold out after the first {max(least, seen // 2)}."
        return not_applicable("backdating", QUESTION, few)
    cases = {label: Case(fit.model, panel) for label, panel in panels.items()}
    found = refit(fit, cases, random_seed=random_seed, progressbar=progressbar, what="Backdating")
    if not found:
        return not_applicable("backdating", QUESTION, "No refit was done.")
    rows = {label: _row(panels[label], refit, ci_prob) for label, refit in found.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("start")
    matching = _matching(fit.panel)
    verdict, remarks = concluded(_verdict(table, matching, ci_prob), cases, found)
    first = str(table["p"].idxmin())
    held = int((table["p"] > 1 - ci_prob).sum())
    late = (
        f"; {table['p_late'][matching]:.2g} for the last third of that from {matching}"
        if matching in table.index
        else ""
    )
    reason = (
        f"The {ci_prob:.0%} interval holds zero for {held} of {len(table)} earlier starts; the smallest tail probability is "
        f"{table['p'].min():.2g}, for start {first} (average effect {table['median'][first]:.3g} over "
        f"{table['post'][first]:.0f} periods){late}{remarks}."
    )
    table = thresholds(table, starts=starts, least=least, ci_prob=ci_prob)
    return Check("backdating", QUESTION, verdict, reason, table, partial(_draw, fit, found))


def earlier(panel: Panel, starts: int, least: int) -> dict[str, Panel]:
    """Panels that end before the true start and begin to be treated earlier, by that earlier start."""
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
            # A past that never changes, or a window without outcomes: nothing to learn, or nothing to compare.
            continue
    return panels


def _ended(panel: Panel, most: int) -> Panel:
    """The panel with at most so many post-periods."""
    return replace(panel, outcomes=locked(panel.outcomes.isel(time=slice(len(panel.pre) + most))))


def _row(panel: Panel, refit: RefitEffect, ci_prob: float) -> dict[str, Any]:
    seen = panel.treated_outcome.notnull().to_series()
    counts = {"pre": int(seen[panel.pre].sum()), "post": int(seen[panel.post].sum())}
    path = refit.effects["pointwise"].dropna("time")
    late = path.isel(time=slice(-path.sizes["time"] // 3, None)).mean("time")
    return (
        counts
        | as_row(refit, ci_prob)
        | {"p": tail(refit.effects["average"]), "p_late": tail(late)}
    )


def _matching(panel: Panel) -> str:
    """The start that lies as many periods before the true one as the post-period has; empty when there is none."""
    before = len(panel.pre) - len(panel.post)
    return short(panel.pre[before]) if before >= 0 else ""


def _verdict(table: pd.DataFrame, matching: str, ci_prob: float) -> Verdict:
    allowed = 1 - ci_prob
    if (table["p"] <= allowed / 2).sum() >= max(2, len(table) / 2):
        return "fail"
    share = LATE * (matching in table.index)
    late = share > 0 and table["p_late"][matching] <= share * allowed
    return "caution" if late or table["p"].min() * len(table) <= (1 - share) * allowed else "pass"


def _draw(
    fit: AbstractFit, found: dict[str, RefitEffect], *, backend: str | None = None
) -> "PlotCollection":
    lines = {label: middle(refit.effects["pointwise"]) for label, refit in found.items()}
    title = f"Effect per period (median): from the true start (bold), and from {len(lines)} earlier ones"
    return plot_paths(fit, lines, title, backend=backend)
