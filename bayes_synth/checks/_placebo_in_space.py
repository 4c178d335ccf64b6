"""Placebo in space: every donor as if treated, where the true effect is zero. An audit of our intervals, no decision rule."""

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize, stats

from bayes_synth.checks.pictures.coverage_curve import plot_placebos
from bayes_synth.checks.refits import as_calibration
from bayes_synth.checks.result import Check, Verdict, check, thresholds
from bayes_synth.fitting.noise_choice import Refits
from bayes_synth.fitting.placebos import placebos
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.words import listed

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["placebo_in_space"]

QUESTION = "Do the intervals hold zero where there was no treatment?"
LEVELS = (0.5, 0.8, 0.9, 0.95)
NOTHING = 1e-10
"""Values of kappa of less probability do not move a quantile."""
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
        The fit. A calibrated one brings its donors' refits; for another they are made now.
    caution, fail
        Binomial probabilities of as few intervals holding zero as did, for any of the probabilities 50, 80, 90 and 95 %:
        below the first it is a caution, below the second a failure.
    outlier
        It is a caution too when one donor's effect has a tail probability below this over the number of donors: it may
        have been treated, or hit by something, itself.
    least
        Smallest number of placebos to audit with.
    random_seed, progressbar
        Seed and progress bar of the refits, if any; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer in another way.

    Returns
    -------
    Check
        Table: one row per placebo with its ``error`` (effect where there is none: realised minus predicted average gap, units
        of the model's scale), the 95 % interval ``lower`` to ``upper`` of that effect, its two-sided tail probability ``p``,
        ``rmse_pre`` and ``rmse_post`` of its gap, and their ``ratio``. Interval and ``p`` take kappa from the *other*
        donors. ``attrs`` has the ``coverage`` by probability, and the treated unit's ``ratio`` with its rank p-values
        ``p_two_sided``, ``p_above``, ``p_below`` (at least 1 / (number of placebos + 1)).

    Notes
    -----
    The rank of the treated unit's ratio among the placebos' is reported because readers ask for it. It decides nothing:
    it says how unusual the treated unit is, not how large the effect is. The placebos share donors and shocks, so their
    coverage varies more than that of independent ones.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.4; Abadie (2021), Journal of Economic Literature
    59(2), eq. 11 and 12, and section 3.5 for the one-sided version.
    """
    found, plan = _found(fit, random_seed, progressbar, refit), fit.model.calibration
    if len(found.table) < least:
        few = f"{len(found.table)} donors can stand in for the treated unit; {least} are needed to audit an interval."
        return Check("placebo_in_space", QUESTION, "not applicable", few, found.table)
    table = _audited(found.table, plan).join(_ratios(found.gaps, fit))
    coverage = {level: float((table["p"] >= 1 - level).mean()) for level in LEVELS}
    ranks = _ranks(found.gaps, fit)
    out = table.index[table["p"] * len(table) < outlier]
    reason = (
        f"Of {len(table)} placebos, {', '.join(f'{share:.0%} at {level:.0%}' for level, share in coverage.items())} hold "
        f"zero{_named(table, out)}; as an audit, the treated unit's ratio of post- to pre-period RMSE, {ranks['ratio']:.3g}, "
        f"has rank p-value {ranks['p_two_sided']:.2g} (no less than {1 / (1 + len(table)):.2g} is possible)."
    )
    table = thresholds(
        table, caution=caution, fail=fail, outlier=outlier, least=least, coverage=coverage, **ranks
    )
    verdict = _verdict(coverage, len(table), bool(len(out)) or bool(found.stopped), caution, fail)
    reason = f"{reason.removesuffix('.')}; {found.stopped}." if found.stopped else reason
    return Check(
        "placebo_in_space", QUESTION, verdict, reason, table, partial(_draw, fit, found.gaps, table)
    )


def _found(fit: AbstractFit, random_seed: int, progressbar: bool, refit: Refits) -> Placebos:
    """The placebos of the fit's calibration; refitted when it has none."""
    known = fit.calibration
    if known.kappa is not None:
        return Placebos(known.table, known.skipped, known.gaps)
    if (before := REFITTED.get(fit, {}).get(random_seed)) is not None:
        return before
    plan = fit.model.calibration or Calibration()
    with shared_bar("Checking", shown=False) as bar:
        # Its own bar, unless a run shows one already.
        settings = as_calibration(fit, random_seed, progressbar and bar.progress is None)
        found = refit(fit.problem, plan, settings)
        bar.stopped |= bool(found.stopped)
    if not found.stopped:
        REFITTED.setdefault(fit, {})[random_seed] = found
    return found


def _audited(placebos: pd.DataFrame, plan: Calibration | None) -> pd.DataFrame:
    """Each placebo's effect with its interval and tail probability, by what the others say about kappa."""
    return pd.DataFrame(
        {label: _audit(placebos, label, plan) for label in placebos.index}
    ).T.rename_axis("donor")


def _audit(placebos: pd.DataFrame, label: Any, plan: Calibration | None) -> dict[str, float]:
    error, sd, step = placebos.loc[label, ["error", "sd", "step"]].astype(float)
    if plan is None:
        wide, p = stats.norm.isf(0.025) * sd, 2 * stats.norm.sf(abs(error) / sd)
    else:
        others, law = plan.scored(placebos.drop(index=label)), plan.law
        (kappa, mass), pooled = (
            plan.posterior(others["z"].to_numpy()),
            float(plan.pooled(sd, step, others)),
        )
        p = 2 * _beyond(abs(error) / pooled, kappa, mass, law)
        kappa, mass = kappa[mass > NOTHING], mass[mass > NOTHING]
        wide = pooled * np.exp(
            optimize.brentq(
                lambda x: _beyond(np.exp(x), kappa, mass, law) - 0.025, -30, 30, xtol=1e-6
            )
        )
    return {"error": error, "lower": error - wide, "upper": error + wide, "p": float(p)}


def _beyond(z: float, kappa: np.ndarray, mass: np.ndarray, law: Any) -> float:
    """Predictive probability of a z-score above ``z``, over the posterior of kappa."""
    return float(mass @ law.sf(z / kappa))


def _ratios(gaps: pd.DataFrame, fit: AbstractFit) -> pd.DataFrame:
    before, after = gaps[list(fit.panel.pre)], gaps[list(fit.panel.post)]
    table = pd.DataFrame({"rmse_pre": _rmse(before), "rmse_post": _rmse(after)})
    return table.assign(ratio=table["rmse_post"] / table["rmse_pre"])


def _rmse(gaps: pd.DataFrame) -> pd.Series:
    return (gaps**2).mean(axis=1) ** 0.5


def _ranks(gaps: pd.DataFrame, fit: AbstractFit) -> dict[str, float]:
    """The treated unit's ratio and its rank p-values, against both sides and against each."""
    units = pd.concat([gaps, _own_gap(fit).to_frame("treated").T])
    before = _rmse(units[list(fit.panel.pre)])
    after = units[list(fit.panel.post)]
    sides = {"two_sided": after, "above": after.clip(lower=0), "below": after.clip(upper=0)}
    ratios = {side: _rmse(part) / before for side, part in sides.items()}
    shares = {
        f"p_{side}": float((ratio >= ratio["treated"]).mean()) for side, ratio in ratios.items()
    }
    return {"ratio": float(ratios["two_sided"]["treated"]), **shares}


def _own_gap(fit: AbstractFit) -> pd.Series:
    """The treated unit's mean gap on the model's scale, in which the placebos' are."""
    scale = outcome_scale(fit.model.scale)
    observed = fit.panel.treated_outcome
    synthetic = scale.forward(fit.synthetic).mean(("chain", "draw"))
    gap: xr.DataArray = scale.forward(observed.where(observed > scale.least)) - synthetic
    return gap.to_series()


def _verdict(
    coverage: dict[float, float], placebos: int, outliers: bool, caution: float, fail: float
) -> Verdict:
    rare = min(
        stats.binom.cdf(round(share * placebos), placebos, level)
        for level, share in coverage.items()
    )
    if rare < fail:
        return "fail"
    return "caution" if outliers or rare < caution else "pass"


def _named(table: pd.DataFrame, out: pd.Index) -> str:
    if not len(out):
        return ""
    return f"; {listed(out)} had an effect no donor should have (tail probability {table['p'].min():.1g}): affected too?"


def _draw(
    fit: AbstractFit, gaps: pd.DataFrame, table: pd.DataFrame, *, backend: str | None = None
) -> "PlotCollection":
    own = _own_gap(fit)
    nominal = np.linspace(0.02, 0.98, 49)
    held = xr.DataArray(
        [float((table["p"] >= 1 - level).mean()) for level in nominal], coords={"nominal": nominal}
    )
    return plot_placebos(
        fit, {str(label): row for label, row in gaps.iterrows()}, own, held, backend=backend
    )
