"""Libraries that plan tests: the sets of markets each recommends, and what came true.

The history are the first 90 days of GeoLift's panel without the two cities that were treated
later. The tests would take the next 15 days, in which nobody was treated: the gap of a set's mean
to its synthetic control is an error, and the share of the mean that it makes is compared with what
the library said it could detect.
"""

from typing import Any

import numpy as np
import pandas as pd
from common import WorkerError
from peers import PLANNERS, ask
from real_panels import DATA, simplex_effect

DAYS, TEST = 90, 15
LIMIT = 1500
"""Seconds that a library has for its plan."""


def markets() -> pd.DataFrame:
    """Days by markets that were never treated."""
    frame = pd.read_csv(f"{DATA}/geolift_test.csv")
    wide = frame.pivot_table(index="date", columns="location", values="Y")
    return wide.drop(columns=["chicago", "portland"])


def plan_with(peer: str) -> dict[str, Any]:
    """Ask one library for its best sets; their errors in the test that nobody had seen."""
    wide = markets()
    long = wide.iloc[:DAYS].reset_index().melt("date", var_name="location", value_name="Y")
    jobs = {"table": long.to_dict("list")}
    try:
        found = ask(PLANNERS[peer], "plan_worker.py", {"peer": peer, "jobs": jobs}, LIMIT)
    except WorkerError as problem:
        return {"peer": peer, "reason": str(problem)}
    return {"peer": peer, **found, "errors": [error(wide, set_) for set_, _ in found["claims"]]}


def error(wide: pd.DataFrame, treated: list[str]) -> float:
    """Error of the demeaned synthetic control of the set's mean, as a share of that mean."""
    names = {name.lower(): name for name in wide}
    chosen = [names[name.lower()] for name in treated]
    level = wide.iloc[:DAYS].mean()
    calm = (wide - level).iloc[: DAYS + TEST]
    effect = simplex_effect(
        calm[chosen].mean(axis=1).to_numpy(), calm.drop(columns=chosen).to_numpy(), DAYS
    )
    return effect / float(np.mean(wide[chosen].iloc[DAYS : DAYS + TEST].to_numpy()))
