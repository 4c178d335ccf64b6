"""What a planner should read beside the numbers: short histories, few windows, weak calibration."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.data.remarks import Remark
from bayes_synth.results.calibrated import FEW, INFLUENTIAL

if TYPE_CHECKING:
    from bayes_synth.planning.answers import AbstractPlan

__all__ = ["notes_on"]

YEAR = pd.Timedelta(days=364)
DAY = pd.Timedelta(days=1)


def notes_on(plan: "AbstractPlan") -> Iterator[Remark]:
    """Yield every remark on a plan; those that are ``"warned"`` are warnings too."""
    tests = plan.pretend_tests
    if plan.counterfactual.sizes["start"] == 1:
        text = (
            "only one past window: nothing audits this plan; give a longer history or more starts."
        )
        yield Remark("H020", "warned", text)
    if plan.model.calibration is None:
        text = "calibrate=False: widths and power are the model's own, no donor has tested them."
        yield Remark("H021", "warned", text)
    elif plan.weakly_calibrated:
        least, worst = int(tests["placebos"].min()), tests["prior_influence"].max()
        text = (
            f"kappa rests on {least} donors, of which the prior keeps up to {worst:.0%} of its "
            f"variance: at least {FEW} donors and at most {INFLUENTIAL:.0%} are wanted."
        )
        yield Remark("H021", "warned", text)
    yield from _on_times(plan)
    if not bool(tests["ok"].all()):
        count = int((~tests["ok"].astype(bool)).sum())
        text = f"{count} of {len(tests)} pretend tests have not settled: raise draws= and tune=."
        yield Remark("H024", "warned", text)


def _on_times(plan: "AbstractPlan") -> Iterator[Remark]:
    """Say what dates show: a history without a whole year, daily tests that are no whole weeks."""
    times = plan.history.times
    if not isinstance(times, pd.DatetimeIndex):
        return
    if times[-1] - times[0] < YEAR:
        text = f"the history has {len(times)} periods, less than a year: no season was seen twice."
        yield Remark("H022", "noted", text)
    daily = bool(np.median(np.diff(times)) == DAY.to_timedelta64())
    uneven = [length for length in plan.periods if length % 7]
    if daily and uneven:
        text = f"tests of {', '.join(map(str, uneven))} days are no whole weeks."
        yield Remark("H023", "noted", text)
