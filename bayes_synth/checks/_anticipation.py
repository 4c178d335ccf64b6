"""Anticipation: ask whether the treated unit reacted before the treatment."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

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
)
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, Verdict, graded, known_to, not_applicable, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect
from bayes_synth.results.monte_carlo import two_sided, two_sided_error
from bayes_synth.words import short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

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
    """Refit with the start some periods earlier: an effect in those periods is anticipation.

    Parameters
    ----------
    fit
        The fit.
    periods
        How many periods before ``start`` the unit may have reacted; None for a tenth of the
        pre-period, at least one.
    least
        Smallest number of pre-periods with an outcome that must be left to learn from.
    caution, fail
        Lower bounds: above ``caution`` it passes, up to ``fail`` it fails. They bound the two-sided
        tail probability beyond zero of the average effect in those periods (5 and 1 per cent: the
        complements of the usual intervals).
    random_seed, progressbar
        Seed and progress bar of the refit; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refit; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: median and 95 % ETI of the average effect in the periods ``before`` the start and
        from it on (``after``), both from the earlier start, in outcome units per period; the
        two-sided ``p``, with its Monte Carlo error ``p_mcse``; and ``shift`` (of the effect after,
        in posterior sds of the fit's): were there anticipation, the earlier start would be the one
        to report. Intervals are inflated by the fit's own kappa.

    Raises
    ------
    OptionError
        O010 unless ``periods`` is a whole number of at least 1.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 5 and 7.

    Examples
    --------
    >>> bs.checks.anticipation(fit, progressbar=False).name
    'anticipation'
    """
    early = _periods_early(fit, periods)
    seen = fit.panel.treated_outcome.notnull().to_numpy()[: len(fit.panel.pre)]
    if seen[:-early].sum() < least or not seen[-early:].any():
        few = f"{int(seen.sum())} pre-periods with an outcome are too few to set the last {early}"
        return not_applicable("anticipation", QUESTION, f"{few} apart.")
    start = fit.panel.pre[-early]
    cases = {short(start): Case(fit.model, _starting(fit.panel, start))}
    answers = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Starting earlier"
    )
    if not answers:
        return not_applicable("anticipation", QUESTION, "The refit was not done.")
    table = _before_and_after(fit, answers[short(start)], early)
    verdict, remarks = concluded(
        _graded_by_tail(float(table["p"]["before"]), caution, fail), cases, answers
    )
    reason = _anticipation_reason(table, early, (caution, fail), remarks)
    table = thresholds(table, periods=early, least=least, caution=caution, fail=fail)
    picture = partial(_draw_anticipation, fit, answers)
    return Check("anticipation", QUESTION, verdict, reason, table, picture)


def _starting(panel: Panel, start: Any) -> Panel:
    """Return the panel with an earlier start; nothing from it on is a predictor any more."""
    predictors, covariates = panel.predictors, panel.covariates
    return replace(
        panel,
        start=start,
        predictors=None if predictors is None else predictors.before(start),
        covariates=None if covariates is None else covariates.at(panel.times, start),
    )


def _periods_early(fit: AbstractFit, periods: int | None) -> int:
    if periods is None:
        return max(1, round(len(fit.panel.pre) / 10))
    if not isinstance(periods, int) or isinstance(periods, bool) or periods < 1:
        text = f"periods must be a whole number of at least 1, got {periods!r}"
        raise OptionError("O010", f"{text}; pass None for a tenth of the pre-period.")
    return periods


def _graded_by_tail(p: float, caution: float, fail: float) -> Verdict:
    """Grade a tail probability by its complement, because small ones are the bad ones."""
    return graded(1 - p, np.nextafter(1 - caution, 0), np.nextafter(1 - fail, 0))


def _before_and_after(fit: AbstractFit, refit: RefitEffect, early: int) -> pd.DataFrame:
    """Tabulate the effect of the earlier start before and from the true start on."""
    times, own = fit.panel.pre[-early:], fit.effect("average").draws
    halves = {
        "before": refit.effects.sel(time=times.to_numpy()),
        "after": refit.effects.sel(time=fit.panel.post.to_numpy()),
    }
    rows = {}
    for half, effects in halves.items():
        average = effects["pointwise"].mean("time")
        over_half = refit._replace(effects=effects.assign(average=average))
        tails = {"p": two_sided(average), "p_mcse": two_sided_error(average)}
        rows[half] = as_row(over_half) | tails
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("periods")
    shift = (table["median"] - float(own.median())) / posterior_sd(fit)
    return table.assign(shift=shift.where(table.index == "after"))


def _anticipation_reason(
    table: pd.DataFrame, early: int, limits: tuple[float, float], remarks: str
) -> str:
    before = table.loc["before"].astype(float).to_dict()
    periods = "period" if early == 1 else f"{early} periods"
    return (
        f"In the {periods} before the start the average effect is {before['median']:.3g} "
        f"[{before['lower']:.3g}, {before['upper']:.3g}] (95% ETI), two-sided p = "
        f"{before['p']:.2g} {known_to(before['p'], before['p_mcse'], *limits)}; "
        f"with the earlier start the effect after it moves by "
        f"{table['shift']['after']:+.2f} posterior sd{remarks}."
    )


def _draw_anticipation(
    fit: AbstractFit, answers: Mapping[str, RefitEffect], **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    (refit,) = answers.values()
    effect = Effect(refit.effects["pointwise"], "pointwise")
    interval = effect.interval(0.95)
    low, high = (interval.sel(ci_bound=bound).to_series() for bound in ("lower", "upper"))
    lines = {"from the earlier start on": middle(effect.draws)}
    title = "Effect per period (median): from the true start on, and from the earlier one on"
    return plot_paths(fit, lines, title, options, band=(low, high))
