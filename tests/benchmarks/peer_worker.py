"""One peer's side of ``peers.py``: every job in one process, in the peer's own environment.

What lies between ``# typed:`` and ``# typed.`` is what a user types who has the panel as a table;
``lines_typed`` counts it.
"""

import importlib
import inspect
import json
import math
import os
import resource
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common import answer, job

ALPHA = 0.05
UNIT, TIME, OUTCOME, TREATED = "unit", "time", "outcome", "treated"

Interval = tuple[float, float, float]
"""Estimate, lower and upper bound of the average effect."""


class CannotAnswerError(Exception):
    """The peer has no such interval; the message says why, and there may be an estimate."""

    def __init__(self, why: str, estimate: float | None = None) -> None:
        super().__init__(why)
        self.estimate = estimate


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


def long_pandas(task: dict[str, Any], since: int = 0) -> Any:
    """The long table with a 0/1 column: the treated unit from period ``since`` on."""
    import pandas as pd

    table = pd.DataFrame(long(task))
    return table.assign(dummy=((table[UNIT] == TREATED) & (table[TIME] >= since)).astype(int))


def bayes_synth(task: dict[str, Any]) -> Interval:
    """This library with default settings: the median and the equal-tailed interval."""
    table, pre = wide(task), task["pre"]
    # typed:
    import bayes_synth as bs

    panel = bs.Panel.from_wide(table, treated=TREATED, start=pre)
    fit = bs.SyntheticControl().fit(panel, random_seed=1, progressbar=False)
    effect = fit.effect("average")
    # typed.
    low, high = effect.interval(1 - ALPHA).to_numpy()
    return effect.median(), low, high


def causalimpact(task: dict[str, Any]) -> Interval:
    """The "Average" column of ``summary()`` before rounding: mean and equal-tailed interval."""
    table, pre, last = wide(task), task["pre"], len(task["outcome"]) - 1
    # typed:
    from causal_impact import CausalImpact

    impact = CausalImpact(table, [0, pre - 1], [pre, last], alpha=ALPHA)
    impact.summary()
    # typed.
    # summary() returns formatted text of two decimals and has no public unrounded form; these are
    # the fields that it formats.
    results = impact._results
    return results.point_effect_mean, results.ci_lower, results.ci_upper


def causalpy(task: dict[str, Any]) -> Interval:
    """The row "average" of ``effect_summary().table``, an HDI; ``summary()`` has no effect in it.

    The seed makes the draws reproducible; chains and draws are PyMC's defaults, which depend on the
    cores.
    """
    table, pre = wide(task), task["pre"]
    # typed:
    import causalpy as cp

    result = cp.SyntheticControl(
        table,
        pre,
        control_units=[unit for unit in table if unit != TREATED],
        treated_units=[TREATED],
        model=cp.pymc_models.WeightedSumFitter(
            sample_kwargs={"progressbar": False, "random_seed": 0}
        ),
    )
    row = result.effect_summary(alpha=ALPHA).table.loc["average"]
    # typed.
    return row["mean"], row["hdi_lower"], row["hdi_upper"]


def augsynth(task: dict[str, Any]) -> Interval:
    """Ridge-augmented synthetic control, conformal interval for a constant effect."""
    import polars as pl

    table, pre = pl.DataFrame(long(task)), task["pre"]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        # typed:
        from augsynth_py import AugSynth, conformal_interval

        fit = AugSynth().fit(
            table, unit=UNIT, time=TIME, outcome=OUTCOME, treated=TREATED, treatment_time=pre
        )
        lower, upper = conformal_interval(fit, alpha=ALPHA)
        # typed.
    # Where the test cannot reject, the bounds are the ends of the grid that it gave up on.
    if any("may be truncated" in str(warning.message) for warning in said):
        raise CannotAnswerError(
            "the conformal interval has no end within the grid's eight doublings", fit.att_
        )
    if math.isnan(lower):
        raise CannotAnswerError(
            "no constant effect is accepted: the conformal interval is empty", fit.att_
        )
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

    table = long_pandas(task, task["pre"])
    np.random.seed(0)  # noqa: NPY002, scpi draws from NumPy's global state
    # In-sample and out-of-sample errors are bounded apart and their probabilities add up: 2.5 %
    # each for 95 % together.
    # typed:
    from scpi_pkg.scdataMulti import scdataMulti
    from scpi_pkg.scpi import scpi as scpi_interval

    data = scdataMulti(table, UNIT, TIME, OUTCOME, "dummy", effect="unit", verbose=False)
    found = scpi_interval(data, u_alpha=ALPHA / 2, e_alpha=ALPHA / 2, cores=1, verbose=False)
    # typed.
    observed = float(np.mean(task["outcome"][task["pre"] :]))
    low, high = (float(bound) for bound in found.CI_all_gaussian.iloc[0, :2])
    return observed - float(found.Y_post_fit.iloc[0, 0]), observed - high, observed - low


def mlsynth(task: dict[str, Any]) -> Interval:
    """Debiased t-test: the one interval of the average effect that ``VanillaSC`` has."""
    table = long_pandas(task, task["pre"])
    # typed:
    from mlsynth import VanillaSC

    result = VanillaSC(
        {
            "df": table,
            "outcome": OUTCOME,
            "treat": "dummy",
            "unitid": UNIT,
            "time": TIME,
            "inference": "ttest",
            "display_graphs": False,
        }
    ).fit()
    # typed.
    return result.inference.details["att_debiased"], *result.att_ci


def diff_diff(task: dict[str, Any]) -> Interval:
    """Synthetic difference-in-differences; interval from the placebo variance."""
    table, periods = long_pandas(task), list(range(task["pre"], len(task["outcome"])))
    # typed:
    from diff_diff import SyntheticDiD

    result = SyntheticDiD(seed=0).fit(
        table, outcome=OUTCOME, treatment="dummy", unit=UNIT, time=TIME, post_periods=periods
    )
    # typed.
    return result.att, *result.conf_int


def pysyncon(task: dict[str, Any]) -> Interval:
    """Ridge-augmented synthetic control; no interval: see the reason."""
    table, pre, last = long_pandas(task), task["pre"], len(task["outcome"])
    # typed:
    from pysyncon import AugSynth, Dataprep

    prepared = Dataprep(
        foo=table,
        predictors=[OUTCOME],
        predictors_op="mean",
        dependent=OUTCOME,
        unit_variable=UNIT,
        time_variable=TIME,
        treatment_identifier=TREATED,
        controls_identifier=[unit for unit in table[UNIT].unique() if unit != TREATED],
        time_predictors_prior=range(pre),
        time_optimize_ssr=range(pre),
    )
    model = AugSynth()
    model.fit(prepared, use_covariates=False)
    effect = model.att(time_period=range(pre, last))
    # typed.
    raise CannotAnswerError(
        "there is no interval of the average effect: Synth.confidence_interval gives one per "
        "post-period (and wants a tolerance, which has no default), "
        "att() a standard error that is the gaps' standard deviation over the root of their number",
        float(effect["att"]),
    )


def causal_marketing(task: dict[str, Any]) -> Interval:
    """GeoLift's analysis: an estimate and a p-value, no interval."""
    import pandas as pd

    table = long_pandas(task)
    dates = pd.date_range("2000-01-01", periods=len(task["outcome"]))
    table[TIME] = dates[table[TIME]]
    start = dates[task["pre"]]
    # typed:
    from causal_marketing import Dataset, GeoLiftDesign

    design = GeoLiftDesign(primary_metric=OUTCOME, runtime_weeks=1, alpha=ALPHA, treated=[TREATED])
    data = Dataset(table, unit_col=UNIT, time_col=TIME)
    frame, _ = design.analyze(data, treatment_start_date=start)
    # typed.
    raise CannotAnswerError(
        "there is no interval of the average effect in this release, only a p-value",
        float(frame["point_estimate"].iloc[0]),
    )


ANSWERS: dict[str, Callable[[dict[str, Any]], Interval]] = {
    function.__name__.replace("diff_", "diff-").replace("causal_", "causal-"): function
    for function in (
        bayes_synth,
        causalimpact,
        causalpy,
        augsynth,
        scpi,
        mlsynth,
        diff_diff,
        pysyncon,
        causal_marketing,
    )
}


def lines_typed(function: Callable[..., Any]) -> int:
    """Lines between the marks in the function's source, without empty ones and comments."""
    source = inspect.getsource(function)
    typed = source.split("# typed:")[1].split("# typed.")[0].splitlines()
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in typed)


def attempt(peer: str, task: dict[str, Any]) -> dict[str, Any]:
    """The peer's answer to one job, or why there is none; warnings, seconds and memory."""
    began, worked = time.perf_counter(), cpu()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        try:
            numbers = [float(number) for number in ANSWERS[peer](task)]
            found: dict[str, Any] = dict(zip(("estimate", "lower", "upper"), numbers, strict=True))
            if not all(map(math.isfinite, numbers)):
                found = {"reason": f"not finite: {found}"}
        except CannotAnswerError as error:
            found = {"reason": str(error), "estimate": error.estimate}
        except Exception as error:  # whatever a peer raises is its answer
            found = {"reason": f"{type(error).__name__}: {error}"}
    heard = sorted(
        {f"{w.category.__name__}: {w.message}" for w in said if issubclass(w.category, UserWarning)}
    )
    return (
        found
        | ({"warnings": heard} if heard else {})
        | {"seconds": time.perf_counter() - began, "cpu": cpu() - worked, "memory": memory()}
    )


def cpu() -> float:
    """Seconds that cores were at work for this process and those that it started and awaited."""
    return sum(os.times()[:4])


def memory() -> float:
    """Largest resident memory so far of this process, or of a larger one that it started, in MB.

    Not ``ru_maxrss`` of this process, which begins with what its parent had.
    """
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def main() -> None:
    """Answer the jobs of a file, in their order."""
    task = job()
    jobs = json.loads(Path(task["jobs"]).read_text())
    known = {"version": version(task["package"])}
    importlib.import_module(task["module"])  # not timed
    answer(answers=[attempt(task["peer"], one) | known for one in jobs])


if __name__ == "__main__":
    main()
