"""The row that a planned test is expected to add to a marketing-mix model."""

from typing import TYPE_CHECKING

import pandas as pd

from bayes_synth.planning.cost import volume_of
from bayes_synth.results.lift_test import lift_row, spread_of

if TYPE_CHECKING:
    from bayes_synth.planning.answers import AbstractPlan

__all__ = ["expected_lift_test"]


def expected_lift_test(
    plan: "AbstractPlan", channel: str, x: float, delta_x: float, effect: float
) -> pd.DataFrame:
    """Return one row per length; see :meth:`bayes_synth.Plan.lift_test`.

    The error is that of the latest past window.
    """
    units, rows = len(plan.treated), []
    for length in plan.periods:
        volume = volume_of(plan.history, plan.treated, length) / length
        change = effect * units if plan.additive else effect * volume
        sigma = units * spread_of(plan.law(length).windows[-1].draws)
        rows.append(lift_row(channel, x, delta_x, change, sigma))
    index = pd.Index(plan.periods, name="periods")
    return pd.concat(rows, ignore_index=True).set_index(index)
