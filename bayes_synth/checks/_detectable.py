"""Detectable: ask how small an effect this design could have told from zero."""

from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.pictures.layers import GREY, Axes, Layer, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, Verdict, graded, known_to, thresholds
from bayes_synth.errors import OptionError
from bayes_synth.plots.common import shortened
from bayes_synth.plots.legend import Entry
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect, as_text, require_interval
from bayes_synth.results.monte_carlo import end_errors, median_error
from bayes_synth.words import per_cent

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["detectable"]

QUESTION = "Which effects could this design have told from zero?"
POWERS = (0.5, 0.8, 0.9)


@check(QUESTION, place=13)
def detectable(
    fit: AbstractFit,
    *,
    effect: float | None = None,
    share: float = 0.1,
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
    effect
        The effect that had to be found, in outcome units per period, positive or negative: the
        smallest one that would have mattered. None: the one that was found, if the interval leaves
        zero out, else ``share``.
    share
        The size of the effect that had to be found when neither is there, over the average
        counterfactual, in the direction of the estimate. (A tenth is ours; give the effect that
        would have mattered to you.)
    power
        How probable it must be that the effect is told from zero (0.8 is a usual choice).
    ci_prob
        Probability of the interval, equal-tailed.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the smallest
        detectable effect over the one that had to be found. Above 1 an effect that was found was
        found with too little power: such estimates are exaggerated.

    Returns
    -------
    Check
        Table: one row per probability with the smallest detectable ``increase`` and ``decrease``
        (negative), in outcome units per period, and both as shares of the average counterfactual.
        ``attrs`` has ``estimate`` (median), ``lower``, ``upper``, ``asked`` (the effect that had to
        be found), ``ratio`` (the smallest detectable one over it) and its Monte Carlo error
        ``ratio_mcse``. Not applicable when nothing was asked for or found and the counterfactual
        total has no sign of its own (R004), so that a share of it means nothing.

    Raises
    ------
    OptionError
        O004 for a probability outside (0, 1), O010 unless ``effect`` and ``share`` are finite
        numbers other than zero.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 5. Gelman and Carlin (2014),
    Perspectives on Psychological Science 9(6), for the exaggeration.

    Examples
    --------
    >>> bs.checks.detectable(fit, effect=2.0).verdict
    'pass'
    """
    for probability in (power, ci_prob):
        require_interval(probability, "eti")
    _require_size("share", share)
    found, average = fit.effect("average"), _average_counterfactual(fit)
    table = _smallest_table(average, power, ci_prob)
    lower, upper = (float(bound) for bound in found.interval(ci_prob))
    estimate, level = float(found.draws.median()), float(np.abs(average.median()))
    asked, whose = _asked(fit, effect, abs(share) * level, (lower, estimate, upper))
    increases = (asked if whose == "asked for" else estimate) > 0
    size = float(table["increase" if increases else "decrease"][power])
    extra = {"estimate": estimate, "lower": lower, "upper": upper, "asked": asked}
    extra |= {"ratio": abs(size / asked), "ratio_mcse": 0.0}
    spread = median_error(found.draws) / abs(estimate) if whose == "found" else 0.0
    error = np.hypot(_size_error(average, increases, power, ci_prob) / abs(size), spread)
    extra["ratio_mcse"] = float(extra["ratio"] * error)
    limits = {"power": power, "ci_prob": ci_prob, "caution": caution, "fail": fail, "share": share}
    verdict: Verdict = "not applicable"
    if np.isfinite(asked):
        verdict = graded(extra["ratio"], caution, fail, extra["ratio_mcse"])
    return Check(
        "detectable",
        QUESTION,
        verdict,
        _detectable_reason(found, size, level, whose, thresholds(table, **limits, **extra)),
        table,
        partial(_draw_power, fit, size, power, ci_prob),
    )


def _require_size(name: str, value: float) -> None:
    """Refuse an effect of zero, or one that is not a number."""
    if not (isinstance(value, int | float | np.number) and np.isfinite(value) and value != 0):
        text = f"{name} must be a finite number other than zero, got {value!r}"
        raise OptionError("O010", f"{text}; leave it out to judge the effect that was found.")


def _asked(
    fit: AbstractFit, effect: float | None, share: float, found: tuple[float, float, float]
) -> tuple[float, str]:
    """Return the effect that had to be found, NaN if there is none, and where it comes from."""
    lower, estimate, upper = found
    if effect is not None:
        _require_size("effect", effect)
        return float(effect), "asked for"
    if not lower <= 0 <= upper:
        return estimate, "found"
    return (share, "share") if "relative" in fit.effects else (np.nan, "nothing")


def _detectable_reason(
    found: Effect, size: float, level: float, whose: str, table: pd.DataFrame
) -> str:
    attrs = table.attrs
    known = known_to(attrs["ratio"], attrs["ratio_mcse"], attrs["caution"], attrs["fail"])
    over = {
        "asked for": f"{attrs['ratio']:.2g} times the effect asked for {known}",
        "found": f"{attrs['ratio']:.2g} times the effect found {known}",
        "share": f"{attrs['ratio']:.2g} times the {per_cent(attrs['share'])} asked for {known}",
        "nothing": "nothing to compare it with: pass effect=, the one that would have mattered",
    }[whose]
    share = f"{size / level:+.1%} of the counterfactual and " if whose != "nothing" else ""
    ends = f"[{as_text(found, attrs['lower'])}, {as_text(found, attrs['upper'])}]"
    return (
        f"An effect of {as_text(found, size)} per period, {share}{over}, would have been told from "
        f"zero with probability {attrs['power']:g}; the effect found is "
        f"{as_text(found, attrs['estimate'])} {ends} ({per_cent(attrs['ci_prob'])} ETI)."
    )


def _smallest_table(average: xr.DataArray, power: float, ci_prob: float) -> pd.DataFrame:
    """Tabulate the smallest detectable effects by probability, also as shares of the level."""
    draws = average.to_numpy().ravel()
    rows = {each: _smallest_effects(draws, each, ci_prob) for each in sorted({*POWERS, power})}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["increase", "decrease"])
    table[["increase_share", "decrease_share"]] = table / np.abs(np.median(draws))
    return table.rename_axis("power")


def _size_error(average: xr.DataArray, increase: bool, power: float, ci_prob: float) -> float:
    """Return the Monte Carlo error of the smallest detectable effect: of two quantiles."""
    ends = (_tail_shares(ci_prob)[1], 1 - power) if increase else (_tail_shares(ci_prob)[0], power)
    errors = end_errors(average, *average.quantile(list(ends)).to_numpy())
    return float(np.sqrt(sum(error**2 for error in errors)))


def _average_counterfactual(fit: AbstractFit) -> xr.DataArray:
    """Return draws of the average counterfactual over the post-periods that have an outcome."""
    seen = fit.panel.treated_outcome.sel(time=fit.panel.post.to_numpy()).notnull()
    paths = fit.idata["predictions"].to_dataset()["counterfactual"]
    return paths.where(seen).mean("time")


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
    fit: AbstractFit,
    smallest: float,
    power: float,
    ci_prob: float,
    **options: "Unpack[PictureOptions]",
) -> "PlotCollection":
    """Draw the probability of telling an effect from zero, by its size."""
    average = _average_counterfactual(fit).to_numpy().ravel()
    estimate = float(fit.effect("average").draws.median())
    half_width = np.ptp(np.quantile(average, _tail_shares(ci_prob))) / 2
    reach = 1.2 * max(abs(smallest), abs(estimate), 1.5 * half_width)
    effects = np.linspace(-reach, reach, 201)
    layers = {
        "asked": Layer("horizontal", y=power, style=GREY | {"width": 1.0, "linestyle": "C2"}),
        "power": Layer("line", effects, _power_of_effects(average, effects, ci_prob)),
        "estimate": Layer(
            "vertical", estimate, style={"linestyle": "C0", "color": "C1", "width": 2}
        ),
        "size": Layer("vertical", smallest),
    }
    found = fit.effect("average")
    legend = [
        Entry("probability of being told from zero", "line", "C0"),
        Entry(f"found: {as_text(found, estimate)}", "line", "C1"),
        Entry(
            f"smallest with probability {power:g}: {as_text(found, smallest)}",
            "line",
            "B1",
            0.8,
            width=1.2,
            dash="dashed",
        ),
    ]
    title = f"How probably an effect is told from zero ({per_cent(ci_prob)} ETI)"
    xlabel = f"true average effect ({shortened(found.measure, 60)})"
    axes = Axes(title, layers, xlabel, "probability", legend=legend)
    return picture({"power": axes}, options, fit=fit, height=420)
