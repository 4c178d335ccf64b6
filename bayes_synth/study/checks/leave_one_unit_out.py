"""Leave one treated unit out: ask whether the average hangs on any single unit."""

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds, worst
from bayes_synth.plots.common import shortened
from bayes_synth.plots.forest import Forest, draw_forest
from bayes_synth.plots.look import Look
from bayes_synth.results.effects import Effect
from bayes_synth.results.monte_carlo import mean_error, median_error, two_sided
from bayes_synth.study.checks.registry import study_check
from bayes_synth.words import short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["leave_one_unit_out"]

QUESTION = "Does the average effect hang on a single treated unit?"
SHOWN = 20
"""Most rows of the picture: the units that move the average most."""


@study_check(QUESTION, place=2)
def leave_one_unit_out(
    joint: Any, *, ci_prob: float = 0.95, caution: float = 1.0, fail: float = 2.0
) -> Check:
    """Average over all treated units but one, for each of them; nothing is refitted.

    Parameters
    ----------
    joint
        The joint fit.
    ci_prob
        Probability of the intervals.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the largest
        shift of the average effect (every unit counts once), in its posterior standard deviations.
        It is a caution in any case when the interval of the average leaves zero out and that
        without one unit does not.

    Returns
    -------
    Check
        Table: one row per unit left out, with median and interval of the average over the others in
        outcome units per period, ``p_two_sided``, ``mcse`` (of the median), ``shift`` in posterior
        standard deviations and ``shift_mcse``, from the largest shift to the smallest.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 7, asks the same of donors.
    """
    units = list(joint.fits)
    if len(units) < 2:
        reason = f"{units[0]} is the only treated unit."
        return not_applicable("leave_one_unit_out", QUESTION, reason)
    own = joint.effect("average")
    each = joint.effect("average", by="treated").draws
    rows = {str(unit): _row(each, own, place, ci_prob) for place, unit in enumerate(units)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("without")
    table = table.iloc[np.argsort(-table["shift"].abs().to_numpy(), kind="stable")]
    table = thresholds(table, ci_prob=ci_prob, caution=caution, fail=fail)
    most, error = abs(float(table["shift"].iloc[0])), float(table["shift_mcse"].iloc[0])
    low, high = (float(end) for end in own.interval(ci_prob))
    turned: pd.Index = (
        table[(table["lower"] < 0) & (table["upper"] > 0)].index if low * high > 0 else pd.Index([])
    )
    verdict = worst([graded(most, caution, fail, error), "caution" if len(turned) else "pass"])
    picture = partial(_draw, joint, table, ci_prob)
    reason = _reason(table, [str(unit) for unit in turned])
    return Check("leave_one_unit_out", QUESTION, verdict, reason, table, picture)


def _row(each: xr.DataArray, own: Effect, place: int, ci_prob: float) -> dict[str, float]:
    """Return the average over all units but the one at this place."""
    others = each.isel(treated=np.arange(each.sizes["treated"]) != place)
    draws = others.mean("treated").drop_vars(("units", "cells"), errors="ignore")
    lower, upper = (float(end) for end in Effect(draws, "average").interval(ci_prob))
    sd = float(own.draws.std())
    change = draws - own.draws
    return {
        "median": float(draws.median()),
        "lower": lower,
        "upper": upper,
        "p_two_sided": two_sided(draws),
        "mcse": median_error(draws),
        "shift": float(change.mean()) / sd,
        "shift_mcse": mean_error(change) / sd,
    }


def _reason(table: pd.DataFrame, turned: list[str]) -> str:
    first = str(table.index[0])
    shift, error = float(table["shift"].iloc[0]), float(table["shift_mcse"].iloc[0])
    limits = table.attrs["caution"], table.attrs["fail"]
    beside = ""
    if turned:
        share = f"{len(turned)} of {len(table)} units" if len(turned) > 1 else short(turned[0])
        beside = f"; without {share} the interval holds zero, with all it does not"
    return (
        f"Of {len(table)} treated units left out one at a time, {first} moves the average effect "
        f"most, by {shift:+.2f} posterior sd {known_to(abs(shift), error, *limits)}{beside}."
    )


def _draw(
    joint: Any, table: pd.DataFrame, ci_prob: float, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    effect = joint.effect("average")
    low, high = (float(end) for end in effect.interval(ci_prob))
    shown = table.iloc[:SHOWN].rename(index=lambda unit: f"without {unit}")
    title = f"Average effect with all {len(table)} treated units, and without one"
    if len(table) > SHOWN:
        title += f" (the {SHOWN} that move it most)"
    words = f"average effect ({shortened(joint.study.outcome)})"
    own = (low, float(effect.draws.median()), high)
    forest = Forest(shown, title, words, own, ("without one unit", "all units'"))
    return draw_forest(forest, Look.of_check(options))
