"""Convex hull: ask whether a weighted average of the donors can reach the treated unit."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.innovations import periods_seen
from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, Verdict, graded, thresholds, worst
from bayes_synth.model.inputs import Inputs
from bayes_synth.model.outcome_scale import outcome_name
from bayes_synth.plots.common import shortened
from bayes_synth.plots.legend import Entry
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.simplex import simplex_least_squares
from bayes_synth.results.weighted import adjusted

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["convex_hull"]

REACH = 0.75
"""How much of the donors' range is drawn beyond the two lines, as a share of what they span."""
QUESTION = "Can a weighted average of the donors reach the treated unit?"


@check(QUESTION, place=3)
def convex_hull(
    fit: AbstractFit,
    *,
    caution: float = 0.1,
    fail: float = 0.5,
    distance: float = 0.5,
    distance_fail: float = 1.0,
) -> Check:
    """Ask whether the treated unit's path lies among those of its donors.

    Parameters
    ----------
    fit
        The fit.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the share of
        pre-periods outside the donors' range (our thresholds; Abadie 2021, section 5, asks that the
        unit not be extreme).
    distance, distance_fail
        Upper bounds: up to ``distance`` it passes, above ``distance_fail`` it fails. They bound
        the distance to the donors' convex hull over the pre-period's standard deviation: root mean
        square of the difference between the path and the closest weighted average, exact least
        squares over the simplex (our thresholds). At 1 the unit's own mean is closer than any
        weighted average.

    Returns
    -------
    Check
        Table: rows ``levels`` and ``demeaned`` (every series minus its own mean before treatment);
        columns ``distance`` (on the model's scale), ``distance_over_sd``, ``outside`` (share of
        periods), ``farthest`` (largest excess over the range), ``donors_median`` (median of
        ``distance_over_sd`` of the donors, each against the others), ``donors_farther`` (share of
        them that lie farther from the others' hull), and ``verdict``. ``attrs`` has the mean
        ``offset`` that the model adds, and ``extrapolated``: the share of post-periods in which the
        counterfactual's median lies outside the donors' range.

    Notes
    -----
    A model with a level can follow a unit that runs beside its donors, so levels then call for
    caution at most: the difference is assumed to stay. A level does not help a unit that moves more
    than all of its donors do. An extreme donor is a vertex of the hull; ``donors_median`` says how
    usual distances are.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), section 5. King and Zeng (2006), Political
    Analysis 14(2). Ferman and Pinto (2021), Quantitative Economics 12(4), for the demeaned
    estimator.

    Examples
    --------
    >>> bs.checks.convex_hull(fit).verdict
    'pass'
    """
    donors, outcome = _seen_series(adjusted(fit.problem, fit.idata).inputs)
    rows = {
        "levels": _hull_row(donors, outcome),
        "demeaned": _hull_row(donors - donors.mean(0), outcome - outcome.mean()),
    }
    table = pd.DataFrame(rows).T.rename_axis("series")
    table[["distance", "farthest"]] *= adjusted(fit.problem, fit.idata).inputs.step
    limits = {
        "caution": caution,
        "fail": fail,
        "distance": distance,
        "distance_fail": distance_fail,
    }
    far = {name: worst(_hull_grades(row, **limits)) for name, row in rows.items()}
    levelled = fit.model.process.level_sd > 0
    # A level takes up a constant difference; without one only levels count.
    far["levels"] = "caution" if levelled and far["levels"] == "fail" else far["levels"]
    far["demeaned"] = far["demeaned"] if levelled else "not applicable"
    table["verdict"] = far
    extra = {
        "offset": float(fit.idata["posterior"]["level"].mean()),
        "extrapolated": _extrapolated(fit),
    }
    return Check(
        "convex_hull",
        QUESTION,
        worst(far.values()),
        _hull_reason(rows, extra),
        thresholds(table, **limits, **extra),
        partial(_draw_hull, fit),
    )


def _seen_series(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Return donors and treated unit in the pre-periods with an outcome, in typical steps."""
    seen = periods_seen(inputs)
    return inputs.donor_outcomes[seen], inputs.outcome[seen]


def _hull_row(donors: np.ndarray, outcome: np.ndarray) -> dict[str, float]:
    excess = np.maximum(outcome - donors.max(1), donors.min(1) - outcome).clip(min=0)
    own = _hull_distance(donors, outcome)
    pools = (np.delete(donors, j, axis=1) for j in range(donors.shape[1]) if donors.shape[1] > 1)
    sds = donors.std(0, ddof=1)
    others = [
        _hull_distance(pool, series) / sd
        for pool, series, sd in zip(pools, donors.T, sds, strict=False)
        if sd > 0
    ]
    relative = float(own / outcome.std(ddof=1))
    return {
        "distance": own,
        "distance_over_sd": relative,
        "outside": float((excess > 0).mean()),
        "farthest": float(excess.max()),
        "donors_median": float(np.median(others)) if others else np.nan,
        "donors_farther": float(np.mean(np.array(others) > relative)) if others else np.nan,
    }


def _hull_distance(donors: np.ndarray, outcome: np.ndarray) -> float:
    """Return the root mean square distance to the closest weighted average."""
    return float(np.sqrt(np.mean((outcome - donors @ simplex_least_squares(donors, outcome)) ** 2)))


def _hull_grades(
    row: dict[str, float], *, caution: float, fail: float, distance: float, distance_fail: float
) -> list[Verdict]:
    return [
        graded(row["outside"], caution, fail),
        graded(row["distance_over_sd"], distance, distance_fail),
    ]


def _extrapolated(fit: AbstractFit) -> float:
    """Return the share of post-periods whose median counterfactual is outside the donors' range."""
    middle = fit.idata["predictions"]["counterfactual"].median(("chain", "draw"))
    donors = fit.panel.donor_outcomes.sel(time=middle["time"])
    return float(((middle > donors.max("donor")) | (middle < donors.min("donor"))).mean())


def _hull_reason(rows: dict[str, dict[str, float]], extra: dict[str, float]) -> str:
    levels, demeaned = rows["levels"], rows["demeaned"]
    return (
        f"Outside the donors' range in {levels['outside']:.0%} of the pre-periods "
        f"({demeaned['outside']:.0%} demeaned); distance to their hull "
        f"{levels['distance_over_sd']:.2g} of the pre-period's sd "
        f"({demeaned['distance_over_sd']:.2g} demeaned; donors' median "
        f"{demeaned['donors_median']:.2g}); the counterfactual is outside their range in "
        f"{extra['extrapolated']:.0%} of the post-periods."
    )


def _draw_hull(fit: AbstractFit, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw the donors' range, the treated unit and the closest average, in levels and demeaned."""
    inputs = adjusted(fit.problem, fit.idata).inputs
    donors, outcome = _seen_series(inputs)
    times = fit.panel.pre.to_numpy()[periods_seen(inputs)]
    levels = _hull_layers(times, inputs.on_scale(donors), inputs.on_scale(outcome))
    moves = inputs.step * (donors - donors.mean(0)), inputs.step * (outcome - outcome.mean())
    moved = _hull_layers(times, *moves)
    name = outcome_name(fit.model.scale, fit.panel.outcome)
    heading = "Before treatment, every series minus its mean"
    panels = {
        "levels": Axes(
            "Before treatment: the treated unit among its donors",
            levels,
            ylabel=name,
            legend=_hull_legend(fit),
            limits=_hull_limits(levels),
        ),
        "demeaned": Axes(heading, moved, fit.panel.time, name, limits=_hull_limits(moved)),
    }
    return picture(panels, options, fit=fit)


def _hull_legend(fit: AbstractFit) -> list[Entry]:
    return [
        Entry(shortened(fit.panel.treated_name, 40), "line", "B1", width=2.5),
        Entry("closest weighted average of the donors", "line", "C0"),
        Entry("the donors' range", "band", "gray", 0.3),
    ]


def _hull_limits(layers: Mapping[str, Layer]) -> tuple[float, float]:
    """Return limits that let the two lines be told apart, where the range is much wider."""
    lines = np.concatenate([layers["observed"].y, layers["closest"].y])
    room = REACH * max(float(np.ptp(lines)), np.finfo(float).tiny)
    low = max(lines.min() - room, min(lines.min(), layers["range"].y.min()) - 0.1 * room)
    high = min(lines.max() + room, max(lines.max(), layers["range"].top.max()) + 0.1 * room)
    return float(low), float(high)


def _hull_layers(times: np.ndarray, donors: np.ndarray, outcome: np.ndarray) -> dict[str, Layer]:
    closest = donors @ simplex_least_squares(donors, outcome)
    return {
        "range": Layer("band", times, donors.min(1), donors.max(1)),
        "observed": Layer("line", times, outcome, style={"color": "B1", "width": 2.5}),
        "closest": Layer("line", times, closest),
    }
