"""One peer's side of ``peers.py``: every job in one process, in the peer's own environment."""

import json
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import answer, job

ALPHA = 0.05
UNIT, TIME, OUTCOME, TREATED = "unit", "time", "outcome", "treated"

Interval = tuple[float, float, float]
"""Mean, lower and upper bound of the average effect."""


class CannotAnswerError(Exception):
    """The peer has no such interval; the message says why."""


def wide(task: dict[str, Any]) -> Any:
    """Outcomes as a pandas table, the treated unit first, periods numbered from 0."""
    import pandas as pd

    donors = pd.DataFrame(task["donors"]).add_prefix("donor_")
    donors.insert(0, TREATED, task["outcome"])
    return donors.astype(float)


def long(task: dict[str, Any]) -> dict[str, list[Any]]:
    """The same as columns of a long table."""
    series = {TREATED: task["outcome"]} | {
        f"donor_{j}": list(values) for j, values in enumerate(zip(*task["donors"], strict=True))
    }
    rows = [
        (unit, t, float(value)) for unit, values in series.items() for t, value in enumerate(values)
    ]
    return {
        name: list(column)
        for name, column in zip((UNIT, TIME, OUTCOME), zip(*rows, strict=True), strict=True)
    }


def causalimpact(task: dict[str, Any]) -> Interval:
    """The "Average" column of ``summary()`` before rounding: mean and equal-tailed interval."""
    from causal_impact import CausalImpact

    pre, last = task["pre"], len(task["outcome"]) - 1
    # summary() returns formatted text of two decimals and has no public unrounded form; these are
    # the fields that it formats.
    results = CausalImpact(wide(task), [0, pre - 1], [pre, last], alpha=ALPHA)._results
    return results.point_effect_mean, results.ci_lower, results.ci_upper


def causalpy(task: dict[str, Any]) -> Interval:
    """The row "average" of ``effect_summary().table``, an HDI; ``summary()`` has no effect in it.

    The seed makes the draws reproducible; chains and draws are PyMC's defaults, which depend on the
    cores.
    """
    import causalpy as cp

    table = wide(task)
    result = cp.SyntheticControl(
        table,
        task["pre"],
        control_units=[unit for unit in table if unit != TREATED],
        treated_units=[TREATED],
        model=cp.pymc_models.WeightedSumFitter(
            sample_kwargs={"progressbar": False, "random_seed": 0}
        ),
    )
    row = result.effect_summary(alpha=ALPHA).table.loc["average"]
    return row["mean"], row["hdi_lower"], row["hdi_upper"]


def augsynth(task: dict[str, Any]) -> Interval:
    """Ridge-augmented synthetic control, conformal interval for a constant effect."""
    import polars as pl
    from augsynth_py import AugSynth, conformal_interval

    fit = AugSynth().fit(
        pl.DataFrame(long(task)),
        unit=UNIT,
        time=TIME,
        outcome=OUTCOME,
        treated=TREATED,
        treatment_time=task["pre"],
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lower, upper = conformal_interval(fit, alpha=ALPHA)
    for warning in said:
        # Where the test cannot reject, the bounds are the ends of the grid that it gave up on.
        if "may be truncated" in str(warning.message):
            raise CannotAnswerError(
                "the conformal interval has no end within the grid's eight doublings"
            )
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if math.isnan(lower):
        raise CannotAnswerError("no constant effect is accepted: the conformal interval is empty")
    return fit.att_, lower, upper


def scpi(task: dict[str, Any]) -> Interval:
    """Prediction interval of the outcome averaged over post-periods (``effect="unit"``), as an
    effect.

    ``scdata`` has no average; ``scdataMulti`` with one treated unit does. Of the intervals that the
    default ``e_method="all"`` returns, the sub-Gaussian one is what ``scplotMulti`` shows by
    default. It is shifted by the pre-period's mean residual, so that a poor fit puts the point
    estimate outside it.
    """
    import numpy as np
    import pandas as pd
    import scpi_pkg.scdataMulti
    import scpi_pkg.scpi

    table = pd.DataFrame(long(task))
    table["dummy"] = ((table[UNIT] == TREATED) & (table[TIME] >= task["pre"])).astype(int)
    data = scpi_pkg.scdataMulti.scdataMulti(
        table, UNIT, TIME, OUTCOME, "dummy", effect="unit", verbose=False
    )
    np.random.seed(0)  # noqa: NPY002, scpi draws from NumPy's global state
    # In-sample and out-of-sample errors are bounded apart and their probabilities add up: 2.5 %
    # each for 95 % together.
    found = scpi_pkg.scpi.scpi(data, u_alpha=ALPHA / 2, e_alpha=ALPHA / 2, cores=1, verbose=False)
    observed = float(np.mean(task["outcome"][task["pre"] :]))
    low, high = (float(bound) for bound in found.CI_all_gaussian.iloc[0, :2])
    return observed - float(found.Y_post_fit.iloc[0, 0]), observed - high, observed - low


def pysyncon(task: dict[str, Any]) -> Interval:
    """No interval: see the reason. Not imported, since nothing in it could answer."""
    raise CannotAnswerError(
        "pysyncon has no interval for the average effect: Synth.confidence_interval gives one per "
        "post-period (and wants predictors and a tolerance, which have no defaults), "
        "att() a standard error that is the gaps' standard deviation over the root of their number"
    )


ANSWERS: dict[str, Callable[[dict[str, Any]], Interval]] = {
    function.__name__: function for function in (causalimpact, causalpy, augsynth, scpi, pysyncon)
}


def attempt(peer: str, task: dict[str, Any]) -> dict[str, Any]:
    """The peer's answer to one job, or why there is none; its warnings and the seconds it took."""
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        try:
            numbers = [float(number) for number in ANSWERS[peer](task)]
            found: dict[str, Any] = dict(zip(("mean", "lower", "upper"), numbers, strict=True))
            if not all(map(math.isfinite, numbers)):
                found = {"reason": f"not finite: {found}"}
        except CannotAnswerError as error:
            found = {"reason": str(error)}
        except Exception as error:  # whatever a peer raises is its answer
            found = {"reason": f"{type(error).__name__}: {error}"}
    heard = sorted(
        {f"{w.category.__name__}: {w.message}" for w in said if issubclass(w.category, UserWarning)}
    )
    return found | ({"warnings": heard} if heard else {}) | {"seconds": time.perf_counter() - began}


def main() -> None:
    """Answer the jobs of a file, in their order."""
    task = job()
    jobs = json.loads(Path(task["jobs"]).read_text())
    answer(answers=[attempt(task["peer"], one) for one in jobs])


if __name__ == "__main__":
    main()
