"""Anticipation: whether the treated unit reacted before the treatment."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.paths import middle, plot_paths
from bayes_synth.checks.refits import (
    Case,
    RefitEffect,
    Refitter,
    as_row,
    concluded,
    posterior_sd,
    refits,
    tail,
)
from bayes_synth.checks.result import Check, Verdict, check, graded, not_applicable, thresholds
from bayes_synth.errors import PriorError
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect
from bayes_synth.words import short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["anticipation"]

QUESTION = "Did the treated unit react before the treatment?"


@check(QUESTION, place=10, refits=True)
def anticipation(
    fit: AbstractFit,
    *,
    periods: int | None = None,
    least: int = 5,
    caution: float = 0.05,
    fail: float = 0.01,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Refitter = refits,
) -> Check:
    """RefitEffect with the start some periods earlier: an effect in those periods is anticipation.

    Parameters
    ----------
    fit
        The fit.
    periods
        How many periods before ``start`` a reaction is thinkable; None for a tenth of the pre-period, at least one.
    least
        Smallest number of pre-periods with an outcome that must be left to learn from.
    caution, fail
        Tail probabilities beyond zero, two-sided, of the average effect in those periods: at or below the first it is a
        caution, at or below the second a failure (5 and 1 per cent: the complements of the usual intervals).
    random_seed, progressbar
        Of the refit.

    Returns
    -------
    Check
        Table: median and 95 % ETI of the average effect in the periods ``before`` the start and from it on (``after``), both
        from the earlier start, ``p`` and ``shift`` (of the effect after, in posterior sd of the fit's): were there
        anticipation, the earlier start would be the one to report. Spread by the fit's own kappa.

    Raises
    ------
    PriorError
        O010 unless ``periods`` is a whole number of at least 1.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 5 and 7.
    """
    early = max(1, round(len(fit.panel.pre) / 10)) if periods is None else periods
    if not isinstance(early, int) or isinstance(early, bool) or early < 1:
        raise PriorError("O010", f"periods={periods!r} must be a whole number of at least 1.")
    seen = fit.panel.treated_outcome.notnull().to_numpy()[: len(fit.panel.pre)]
    if seen[:-early].sum() < least or not seen[-early:].any():
        few = f"{int(seen.sum())} pre-periods with an outcome are too few to set the last {early} apart."
        return not_applicable("anticipation", QUESTION, few)
    start = fit.panel.pre[-early]
    cases = {short(start): Case(fit.model, replace(fit.panel, start=start))}
    found = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Starting earlier"
    )
    if not found:
        return not_applicable("anticipation", QUESTION, "The refit was not done.")
    table = _table(fit, found[short(start)], early)
    p, before = float(table["p"]["before"]), table.loc["before"]
    verdict, remarks = concluded(_by_tail(p, caution, fail), cases, found)
    periods_before = "period" if early == 1 else f"{early} periods"
    reason = (
        f"In the {periods_before} before the start the average effect is {before['median']:.3g} "
        f"[{before['lower']:.3g}, {before['upper']:.3g}] (95% ETI; tail probability {p:.2g}); with the earlier start the "
        f"effect after it moves by {table['shift']['after']:+.2f} posterior sd{remarks}."
    )
    table = thresholds(table, periods=early, least=least, caution=caution, fail=fail)
    return Check("anticipation", QUESTION, verdict, reason, table, partial(_draw, fit, found))


def _by_tail(p: float, caution: float, fail: float) -> Verdict:
    """Small probabilities are the bad ones, so their complements are graded."""
    return graded(1 - p, np.nextafter(1 - caution, 0), np.nextafter(1 - fail, 0))


def _table(fit: AbstractFit, refit: RefitEffect, early: int) -> pd.DataFrame:
    times, own = fit.panel.pre[-early:], fit.effect("average").draws
    halves = {
        "before": refit.effects.sel(time=times.to_numpy()),
        "after": refit.effects.sel(time=fit.panel.post.to_numpy()),
    }
    rows = {}
    for half, effects in halves.items():
        average = effects["pointwise"].mean("time")
        rows[half] = as_row(
            RefitEffect(effects.assign(average=average), refit.weights, refit.ok)
        ) | {"p": tail(average)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("periods")
    shift = (table["median"] - float(own.median())) / posterior_sd(fit)
    return table.assign(shift=shift.where(table.index == "after"))


def _draw(
    fit: AbstractFit, found: dict[str, RefitEffect], *, backend: str | None = None
) -> "PlotCollection":
    lines = {}
    for refit in found.values():
        draws = Effect(refit.effects["pointwise"], "pointwise")
        lines["median"] = middle(draws.draws)
        lines |= {
            bound: draws.interval(0.95).sel(ci_bound=bound).to_series()
            for bound in ("lower", "upper")
        }
    title = "Effect per period: median from the true start on (bold), median and 95% ETI from the earlier start on (thin)"
    return plot_paths(fit, lines, title, backend=backend)
