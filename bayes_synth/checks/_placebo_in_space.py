"""Placebo in space: ask whether our intervals of the donors' effects hold zero, the truth.

It audits our intervals; it does not decide whether there was an effect.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize, stats

from bayes_synth.checks.pictures.coverage_curve import plot_placebos
from bayes_synth.checks.refits import as_calibration
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, Verdict, thresholds
from bayes_synth.fitting.noise_choice import Refits
from bayes_synth.fitting.placebos import placebos
from bayes_synth.model.calibration import Calibration
from bayes_synth.plots.placebos import Gaps, own_gap
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.words import listed

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["placebo_in_space"]

QUESTION = "Do the intervals hold zero where there was no treatment?"
PROBABILITIES = (0.5, 0.8, 0.9, 0.95)
"""Probabilities of the intervals that are audited."""
REFITTED: "WeakKeyDictionary[AbstractFit, dict[int, Placebos]]" = WeakKeyDictionary()
"""Placebos of uncalibrated fits that are still in use, by seed."""


@check(QUESTION, place=9, refits=True)
def placebo_in_space(
    fit: AbstractFit,
    *,
    caution: float = 0.025,
    fail: float = 0.001,
    outlier: float = 0.05,
    least: int = 5,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Refits = placebos,
) -> Check:
    """Ask of every donor, as if treated, whether our interval of its effect holds zero.

    Parameters
    ----------
    fit
        The fit. A calibrated one holds its donors' refits; for another they are made now.
    caution, fail
        Lower bounds: from ``caution`` on it passes, below ``fail`` it fails. They bound the
        binomial probability of so few intervals holding zero, for any of the probabilities 50, 80,
        90 and 95 %.
    outlier
        It is a caution too when the effect of one donor has a tail probability below this over the
        number of donors: that donor may have been treated or shocked itself.
    least
        Smallest number of placebos to audit with.
    random_seed, progressbar
        Seed and progress bar of the refits, if any; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits of an uncalibrated fit; replace it to answer in another way.

    Returns
    -------
    Check
        Table: one row per placebo with its ``error`` (effect where there is none: realised minus
        predicted average gap, on the model's scale), the 95 % interval ``lower`` to ``upper`` of
        that effect, its two-sided tail probability ``p``, ``rmse_pre`` and ``rmse_post`` of its
        gap, and their ``ratio``. Interval and ``p`` take kappa from the *other* donors.
        ``table.attrs`` has the ``coverage`` by probability, and the treated unit's ``ratio`` with
        its rank p-values ``p_two_sided``, ``p_above``, ``p_below`` (at least
        1 / (number of placebos + 1)).

    Notes
    -----
    The rank of the treated unit's ratio among the placebos' is reported because readers ask for
    it. It does not decide: it says how unusual the treated unit is, not how large the effect is.
    The placebos share donors and shocks, so their coverage varies more than that of independent
    ones.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.4; Abadie (2021), Journal of
    Economic Literature 59(2), eq. 11 and 12, and section 3.5 for the one-sided version.

    Examples
    --------
    >>> check = bs.checks.placebo_in_space(fit, progressbar=False)
    >>> 1 / 7 <= check.table.attrs["p_two_sided"] <= 1  # 6 donors and the treated unit
    True
    """
    answers = _placebos_of(fit, random_seed, progressbar, refit)
    if len(answers.table) < least:
        few = f"{len(answers.table)} donors can stand in for the treated unit"
        reason = f"{few}; {least} are needed to audit an interval."
        return Check("placebo_in_space", QUESTION, "not applicable", reason, answers.table)
    audited = _audited(answers.table, fit.model.calibration)
    table = audited.join(_rmse_ratios(answers.gaps, fit))
    coverage = {held: float((table["p"] >= 1 - held).mean()) for held in PROBABILITIES}
    ranks = _ranks(answers.gaps, fit)
    outliers = table.index[table["p"] * len(table) < outlier]
    suspect = bool(len(outliers)) or bool(answers.stopped)
    verdict = _graded_by_coverage(coverage, len(table), suspect, caution, fail)
    limits = {"caution": caution, "fail": fail, "outlier": outlier, "least": least}
    table = thresholds(table, **limits, coverage=coverage, **ranks)
    reason = _placebo_reason(table, outliers, fit.calibration.width_ratio, answers.stopped)
    picture = partial(_draw_placebos, fit, answers.gaps, table)
    return Check("placebo_in_space", QUESTION, verdict, reason, table, picture)


def _placebo_reason(table: pd.DataFrame, outliers: pd.Index, ratio: float, stopped: str) -> str:
    attrs = table.attrs
    width = f"such errors have made the 95% interval {ratio:.2g} times as wide as the model's own; "
    widened = width if np.isfinite(ratio) else ""
    shares = ", ".join(f"{share:.0%} at {held:.0%}" for held, share in attrs["coverage"].items())
    return (
        f"Of {len(table)} placebos, {shares} hold zero{_outlier_words(table, outliers)}; {widened}"
        f"as an audit, the treated unit's ratio of post- to pre-period RMSE, {attrs['ratio']:.3g}, "
        f"has rank p-value {attrs['p_two_sided']:.2g} (no less than {1 / (1 + len(table)):.2g} is "
        f"possible){f'; {stopped}' if stopped else ''}."
    )


def _placebos_of(fit: AbstractFit, random_seed: int, progressbar: bool, refit: Refits) -> Placebos:
    """Return the placebos of the fit's calibration, or refit them if it has none."""
    calibrated = fit.calibration
    if calibrated.kappa is not None:
        return calibrated.placebos
    if (before := REFITTED.get(fit, {}).get(random_seed)) is not None:
        return before
    plan = fit.model.calibration or Calibration()
    with shared_bar("Checking", shown=progressbar) as bar:
        answers = refit(fit.problem, plan, as_calibration(fit, random_seed, progressbar))
        bar.stopped |= bool(answers.stopped)
    if not answers.stopped:
        REFITTED.setdefault(fit, {})[random_seed] = answers
    return answers


def _audited(placebos: pd.DataFrame, plan: Calibration | None) -> pd.DataFrame:
    """Tabulate each placebo's effect, interval and tail probability, with kappa from the others."""
    rows = {label: _audit_placebo(placebos, label, plan) for label in placebos.index}
    return pd.DataFrame(rows).T.rename_axis("donor")


def _audit_placebo(
    placebos: pd.DataFrame, label: Any, plan: Calibration | None
) -> dict[str, float]:
    error, sd = placebos.loc[label, ["error", "sd"]].astype(float)
    if plan is None:
        wide, p = stats.norm.isf(0.025) * sd, 2 * stats.norm.sf(abs(error) / sd)
    else:
        others = plan.scored(placebos.drop(index=label))
        learnt = plan.learn(others).average
        pooled = float(plan.pooled(placebos.loc[label], "sd", others))
        p = 2 * learnt.beyond(abs(error) / pooled)
        log_width = optimize.brentq(lambda x: learnt.beyond(np.exp(x)) - 0.025, -30, 30, xtol=1e-6)
        wide = pooled * np.exp(log_width)
    return {"error": error, "lower": error - wide, "upper": error + wide, "p": float(p)}


def _rmse_ratios(gaps: pd.DataFrame, fit: AbstractFit) -> pd.DataFrame:
    before, after = gaps[list(fit.panel.pre)], gaps[list(fit.panel.post)]
    table = pd.DataFrame({"rmse_pre": _rmse(before), "rmse_post": _rmse(after)})
    return table.assign(ratio=table["rmse_post"] / table["rmse_pre"])


def _rmse(gaps: pd.DataFrame) -> pd.Series:
    return (gaps**2).mean(axis=1) ** 0.5


def _ranks(gaps: pd.DataFrame, fit: AbstractFit) -> dict[str, float]:
    """Return the treated unit's ratio and its rank p-values, for both sides and for each."""
    units = pd.concat([gaps, own_gap(fit).to_frame("treated").T])
    before = _rmse(units[list(fit.panel.pre)])
    after = units[list(fit.panel.post)]
    sides = {"two_sided": after, "above": after.clip(lower=0), "below": after.clip(upper=0)}
    ratios = {side: _rmse(part) / before for side, part in sides.items()}
    shares = {
        f"p_{side}": float((ratio >= ratio["treated"]).mean()) for side, ratio in ratios.items()
    }
    return {"ratio": float(ratios["two_sided"]["treated"]), **shares}


def _graded_by_coverage(
    coverage: dict[float, float], placebos: int, suspect: bool, caution: float, fail: float
) -> Verdict:
    """Grade how improbable it is that so few intervals hold zero."""
    rare = min(
        stats.binom.cdf(round(share * placebos), placebos, held) for held, share in coverage.items()
    )
    if rare < fail:
        return "fail"
    return "caution" if suspect or rare < caution else "pass"


def _outlier_words(table: pd.DataFrame, outliers: pd.Index) -> str:
    if not len(outliers):
        return ""
    are, they = ("is", "it") if len(outliers) == 1 else ("are", "they")
    return (
        f"; {listed(outliers)} {are} far out for untreated donors (tail probability "
        f"{table['p'].min():.1g}): {they} may have been affected or treated too"
    )


def _draw_placebos(
    fit: AbstractFit, gaps: pd.DataFrame, table: pd.DataFrame, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    nominal = np.linspace(0.02, 0.98, 49)
    shares = [float((table["p"] >= 1 - probability).mean()) for probability in nominal]
    held = xr.DataArray(shares, coords={"nominal": nominal})
    shown = Gaps(gaps, own_gap(fit), fit.panel.treated_name, fit.panel.pre)
    return plot_placebos(fit, shown, held, **options)
