"""Detectable: ask how small an effect this design could have told from zero."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, Verdict, graded, thresholds
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import as_text, require_interval
from bayes_synth.results.estimands import per_period
from bayes_synth.words import per_cent

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["detectable"]

QUESTION = "Which effects could this design have told from zero?"
POWERS = (0.5, 0.8, 0.9)


@check(QUESTION, place=13)
def detectable(
    fit: AbstractFit,
    *,
    power: float = 0.8,
    ci_prob: float = 0.95,
    caution: float = 1.0,
    fail: float = 2.0,
) -> Check:
    """Find the smallest average effect that the interval would have told from zero.

    Had there been no effect, the average outcome after ``start`` would have been a draw of the
    counterfactual; with a constant effect it would have been that draw plus the effect. The effect
    is told from zero when the interval of observed minus counterfactual leaves zero out. Both are
    read off the fit's own draws.

    Parameters
    ----------
    fit
        The fit.
    power
        How probable it must be that the effect is told from zero (0.8 is a usual choice).
    ci_prob
        Probability of the interval, equal-tailed.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. When the interval holds
        zero, they bound the smallest detectable effect over the pre-period's standard deviation.
        Up to 1, effects of the size of the unit's ordinary changes would have been seen (our
        reading of Abadie 2021, section 5: effects must stand out against volatility). When the
        interval leaves zero out, an effect smaller than what is detectable calls for caution:
        estimates that are found with little power are exaggerated.

    Returns
    -------
    Check
        Table: one row per probability with the smallest detectable ``increase`` and ``decrease``
        (negative), in outcome units per period, and both as shares of the average counterfactual.
        ``attrs`` has ``estimate`` (median), ``lower`` and ``upper``.

    Raises
    ------
    OptionError
        O004 for a probability outside (0, 1).

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 5. Gelman and Carlin (2014),
    Perspectives on Psychological Science 9(6), for the exaggeration.
    """
    for probability in (power, ci_prob):
        require_interval(probability, "eti")
    effect, average = fit.effect("average"), _average_counterfactual(fit)
    rows = {each: _smallest_effects(average, each, ci_prob) for each in sorted({*POWERS, power})}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["increase", "decrease"])
    table = table.rename_axis("power")
    table[["increase_share", "decrease_share"]] = table / np.abs(np.median(average))
    lower, upper = (float(bound) for bound in effect.interval(ci_prob))
    estimate = float(effect.draws.median())
    size = rows[power][0 if estimate > 0 else 1]
    before = fit.panel.treated_outcome.sel(time=fit.panel.pre.to_numpy())
    ratio = abs(size) / float(before.std(ddof=1))
    verdict: Verdict = "pass" if abs(estimate) >= abs(size) else "caution"
    verdict = graded(ratio, caution, fail) if lower <= 0 <= upper else verdict
    share = size / abs(np.median(average))
    reason = (
        f"An effect of {as_text(effect, size)} {per_period(len(fit.panel.treated))} "
        f"({share:+.1%} of the counterfactual, {ratio:.2g} pre-period sds) "
        f"would have been told from zero with probability {power:g}; "
        f"the effect found is {as_text(effect, estimate)} "
        f"[{as_text(effect, lower)}, {as_text(effect, upper)}] ({per_cent(ci_prob)} ETI)."
    )
    extra = {"estimate": estimate, "lower": lower, "upper": upper, "size_over_sd": ratio}
    limits = {"power": power, "ci_prob": ci_prob, "caution": caution, "fail": fail}
    return Check(
        "detectable",
        QUESTION,
        verdict,
        reason,
        thresholds(table, **limits, **extra),
        partial(_draw_power, fit, size, ci_prob),
    )


def _average_counterfactual(fit: AbstractFit) -> np.ndarray:
    """Return draws of the average counterfactual over the post-periods that have an outcome."""
    seen = fit.panel.treated_outcome.sel(time=fit.panel.post.to_numpy()).notnull()
    paths = fit.idata["predictions"]["counterfactual"]
    return np.asarray(paths.where(seen).mean("time")).ravel()


def _tail_shares(ci_prob: float) -> tuple[float, float]:
    return (1 - ci_prob) / 2, (1 + ci_prob) / 2


def _smallest_effects(average: np.ndarray, power: float, ci_prob: float) -> tuple[float, float]:
    """Return the smallest increase and decrease that are told from zero with this probability.

    They lift all but the lowest draws over the interval, or press all but the highest under it. The
    interval's other end is left out: it adds to the power of effects near zero only.
    """
    low, high = np.quantile(average, _tail_shares(ci_prob))
    return float(high - np.quantile(average, 1 - power)), float(low - np.quantile(average, power))


def _power_of_effects(average: np.ndarray, effects: np.ndarray, ci_prob: float) -> np.ndarray:
    """Return the probability with which each of these effects is told from zero."""
    low, high = np.quantile(average, _tail_shares(ci_prob))
    ordered = np.sort(average)
    above = 1 - np.searchsorted(ordered, high - effects) / len(ordered)
    return np.asarray(above + np.searchsorted(ordered, low - effects) / len(ordered))


def _draw_power(
    fit: AbstractFit, size: float, ci_prob: float, *, backend: str | None = None
) -> "PlotCollection":
    """Draw the probability of telling an effect from zero, by its size."""
    average, estimate = _average_counterfactual(fit), float(fit.effect("average").draws.median())
    half_width = np.ptp(np.quantile(average, _tail_shares(ci_prob))) / 2
    reach = 1.2 * max(abs(size), abs(estimate), 1.5 * half_width)
    effects = np.linspace(-reach, reach, 201)
    layers = {
        "power": Layer("line", effects, _power_of_effects(average, effects, ci_prob)),
        "estimate": Layer(
            "vertical", estimate, style={"linestyle": "C0", "color": "C1", "width": 2}
        ),
        "size": Layer("vertical", size),
    }
    title = (
        f"How probably an effect is told from zero ({per_cent(ci_prob)} ETI)\n"
        "dashed: smallest effect that the check asks for; solid: the effect that was found"
    )
    xlabel = f"true average effect ({fit.panel.outcome} per period)"
    axes = Axes(title, layers, xlabel, "probability")
    return picture({"power": axes}, fit=fit, backend=backend, height=420)
