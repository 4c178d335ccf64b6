"""Common shocks: ask whether treated units moved together in a way that donors do not show."""

from dataclasses import replace
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from scipy import stats

from bayes_synth.checks.innovations import SHORT, innovations, residual_of, typical
from bayes_synth.checks.result import Check, Verdict, graded, not_applicable, thresholds
from bayes_synth.study.checks.registry import study_check
from bayes_synth.study.members import positions
from bayes_synth.study.overlap import (
    Response,
    correlation_of_averages,
    response_of,
    share_of_donors,
)
from bayes_synth.words import listed

__all__ = ["common_shocks", "together", "verdict_of"]

QUESTION = "Did treated units move together before their starts, more than shared donors explain?"
SUPPOSED = (0.1, 0.2)
"""Excess correlations for which the table says how much wider the average's interval would be."""
LEVEL = 0.05
"""Mass beyond each end of the interval of the correlation."""


@study_check(QUESTION, place=1)
def common_shocks(joint: Any, *, caution: float = 0.05, fail: float = 0.01) -> Check:
    """Compare how treated units' one-step errors go together with what shared donors imply.

    Donors cannot show a shock that hits treated units alone. Before the first start the treated
    units themselves can: if their errors go together more than their weights on the same donors
    imply, so may those after it, and the interval of the average is too narrow.

    Parameters
    ----------
    joint
        The joint fit.
    caution, fail
        Lower bounds: above ``caution`` it passes, up to ``fail`` it fails. They bound the one-sided
        p-value of no excess (5 and 1 per cent: the complements of the usual intervals).

    Returns
    -------
    Check
        Table: the mean ``correlation`` over pairs of units implied by shared donors, found, and at
        both ends of its 90 % interval; its ``excess`` over the implied one; and ``width``, the
        factor on the interval of the average effect if units had this excess after their starts,
        also for excesses of 0.1 and 0.2. A negative excess widens nothing.

    Notes
    -----
    With errors standardised per unit and exchangeable, the mean square between periods over that
    within is ``(1 + (m - 1) r) / (1 - r)`` times an F variate: the interval of the intraclass
    correlation ``r`` of ``m`` units. Errors are those of one step ahead at the posterior means, in
    the periods before the first start in which all units have an outcome.

    References
    ----------
    Shrout and Fleiss (1979), Psychological Bulletin 86(2), for the interval.
    """
    units = list(joint.fits)
    if len(units) < 2:
        return not_applicable("common_shocks", QUESTION, f"{units[0]} is the only treated unit.")
    errors = _errors(joint)
    if len(errors) < SHORT:
        few = (
            f"Treated units have {len(errors)} periods in common before the first start, fewer "
            f"than {SHORT}."
        )
        return not_applicable("common_shocks", QUESTION, few)
    responses = [_response(joint, unit) for unit in units]
    found = together(errors, _implied(responses))
    table = thresholds(_table(joint, responses, found), caution=caution, fail=fail)
    return Check(
        "common_shocks", QUESTION, verdict_of(found.p, caution, fail), _reason(found, table), table
    )


@final
class _Found(NamedTuple):
    """Hold the correlation that shared donors imply, the one found, and its interval."""

    implied: float
    correlation: float
    lower: float
    upper: float
    p: float
    units: int
    periods: int


def _errors(joint: Any) -> np.ndarray:
    """Return standardised one-step errors before the first start, dims ``(time, unit)``."""
    common = int((joint.study.times < min(joint.study.starts.values())).sum())
    columns = []
    for fit in joint.fits.values():
        inputs, count = fit.problem.inputs, len(fit.problem.donors)
        weights = fit.idata["posterior"]["weights"].mean(("chain", "draw")).to_numpy()[:count]
        residual = residual_of(inputs, weights)
        errors = np.full(len(residual), np.nan)
        seen = np.flatnonzero(~np.isnan(residual))
        errors[seen[1:]] = innovations(fit.problem.process, typical(fit), residual)
        columns.append(errors[:common])
    whole = np.stack(columns, axis=1)
    whole = whole[np.isfinite(whole).all(1)]
    size = np.sqrt((whole**2).mean(0))
    return np.asarray(whole / np.where(size > 0, size, 1.0))


def _response(joint: Any, unit: str) -> Response:
    """Compute how the unit's path to come answers its shocks."""
    fit = joint.fits[unit]
    problem = fit.problem
    weights = fit.idata["posterior"]["weights"].to_numpy()[..., : len(problem.donors)]
    noise = {name: float(value[0]) for name, value in typical(fit).items() if value.ndim == 1}
    return response_of(
        unit,
        problem.donors,
        weights.reshape(-1, len(problem.donors)),
        noise,
        problem.process,
        problem.inputs.step,
        positions(joint.study, unit),
    )


def _implied(responses: list[Response]) -> float:
    """Average over pairs the correlation of two units' shocks."""
    count = len(responses)
    pairs = [share_of_donors(responses[i], responses[k]) for i in range(count) for k in range(i)]
    return float(np.mean(pairs))


def together(errors: np.ndarray, implied: float) -> _Found:
    """Find the intraclass correlation of the units' errors, and its interval."""
    periods, units = errors.shape
    sums = (errors.sum(1) ** 2).sum() / units
    within = max((errors**2).sum() - sums, np.finfo(float).tiny) / ((units - 1) * periods)
    ratio = sums / periods / within
    law = stats.f(periods, (units - 1) * periods)

    def correlation(ratio: float) -> float:
        return float((ratio - 1) / (ratio + units - 1))

    return _Found(
        implied,
        correlation(ratio),
        correlation(ratio / law.ppf(1 - LEVEL)),
        correlation(ratio / law.ppf(LEVEL)),
        float(law.sf(ratio * (1 - implied) / (1 + (units - 1) * implied))),
        units,
        periods,
    )


def verdict_of(p: float, caution: float, fail: float) -> Verdict:
    """Grade a p-value by its complement, because small ones are the bad ones."""
    return graded(1 - p, np.nextafter(1 - caution, 0), np.nextafter(1 - fail, 0))


def _table(joint: Any, responses: list[Response], found: _Found) -> pd.DataFrame:
    """Tabulate the correlations, and how much wider each excess would make the interval."""
    alike = _share_of_pairs(joint, responses)
    known = {
        "implied by shared donors": found.implied,
        "found": found.correlation,
        "lower end (90%)": found.lower,
        "upper end (90%)": found.upper,
    } | {f"excess of {excess:g}": found.implied + excess for excess in SUPPOSED}
    rows = {}
    for name, correlation in known.items():
        excess = correlation - found.implied
        width = float(np.sqrt(1 + max(excess, 0.0) * alike))
        rows[name] = {"correlation": correlation, "excess": excess, "width": width}
    return pd.DataFrame.from_dict(rows, orient="index")


def _share_of_pairs(joint: Any, responses: list[Response]) -> float:
    """Return by which share one unit of excess correlation raises the average's variance.

    Errors of units whose shocks were one and the same would correlate by the periods that they
    share; in whose sds, and beside which correlations, the joint posterior says.
    """
    same = [replace(each, loadings={"": 1.0}) for each in responses]
    seen = [
        np.isfinite(fit.panel.treated_outcome.sel(time=fit.panel.post.to_numpy()).to_numpy())
        for fit in joint.fits.values()
    ]
    factors = [each.astype(float) for each in seen]
    sds = []
    for response, factor in zip(same, factors, strict=True):
        mean = factor / np.count_nonzero(factor)
        sds.append(float(np.sqrt(sum(((mean @ p) ** 2).sum() for p in response.paths.values()))))
    overlap = correlation_of_averages(same, sds, factors) - np.eye(len(same))
    average = joint.effect("average", by="treated").draws
    sd = average.std(("chain", "draw")).to_numpy()
    whole = float(sd @ joint.correlation.to_numpy() @ sd)
    return float(sd @ overlap @ sd) / whole if whole > 0 else 0.0


def _reason(found: _Found, table: pd.DataFrame) -> str:
    widths = table["width"]
    supposed = listed(
        f"{widths[f'excess of {excess:g}']:.2f} times with an excess of {excess:g}"
        for excess in SUPPOSED
    )
    return (
        f"Over {found.periods} periods before the first start the errors of {found.units} units "
        f"correlate by {found.correlation:+.2f} [{found.lower:+.2f}, {found.upper:+.2f}] (90%), "
        f"where shared donors imply {found.implied:+.2f}: one-sided p of no excess {found.p:.2g}. "
        "What hits treated units alone after the starts no donor can show: the interval of the "
        f"average would be {supposed}, and {widths['upper end (90%)']:.2f} times at the upper end."
    )
