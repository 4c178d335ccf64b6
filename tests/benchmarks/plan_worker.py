"""One library's side of ``compare_plans.py``: its best sets of markets and what it claims of them.

What lies between ``# typed:`` and ``# typed.`` is what a user types, as in ``peer_worker.py``.
"""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common import answer, job
from peer_worker import cpu, lines_typed, memory

SIZES, PERIODS, ALPHA, POWER = [2, 3], 15, 0.1, 0.8
EFFECTS = [0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2]
MOST = 6
"""Sets that are looked at, the best first; ours plans six unless it is asked for more."""

Claims = list[tuple[list[str], float]]
"""Treated markets, and the smallest effect that is found with a probability of 0.8, as a share."""


def table_of(task: dict[str, Any]) -> Any:
    """The history as a pandas table: location, date, Y."""
    import pandas as pd

    table = pd.DataFrame(task["table"])
    return table.assign(date=pd.to_datetime(table["date"]), Y=table["Y"].astype(float))


def bayes_synth(task: dict[str, Any]) -> Claims:
    """Choose by early windows, claim by later ones."""
    df = table_of(task)
    # typed:
    import bayes_synth as bs

    history = bs.History.from_long(df, unit="location", time="date", outcome="Y")
    choice = bs.choose_treated(
        history,
        sizes=SIZES,
        periods=PERIODS,
        effect=0.05,
        rule=bs.rules.Interval(1 - ALPHA),
        random_seed=1,
        progressbar=False,
    )
    table = choice.table
    # typed.
    return [
        (list(units), float(found))
        for units, found in zip(table["units"], table["detectable_up"], strict=True)
    ]


def causal_marketing(task: dict[str, Any]) -> Claims:
    """GeoLift's market selection, with the look-back of one window that is its default."""
    df = table_of(task)
    # typed:
    from causal_marketing import Dataset, GeoLiftMarketSelection, GeoLiftSearchSpec

    spec = GeoLiftSearchSpec(
        primary_metric="Y",
        estimator_parameters={"seed": 42},
        assigner_parameters={"N": SIZES},
        treatment_periods=[PERIODS],
        effect_sizes=EFFECTS,
        alpha=ALPHA,
    )
    selection = GeoLiftMarketSelection(Dataset(df, unit_col="location", time_col="date"), spec)
    selection.search()
    table = selection.data
    # typed.
    return [
        ([name.strip() for name in names.split(",")], abs(float(found)))
        for names, found in zip(table["location"], table["EffectSize"], strict=True)
    ]


def geoexp(task: dict[str, Any]) -> Claims:
    """Its quick start, with our sizes: 15 candidates of each, ten past windows."""
    import numpy as np
    import polars as pl

    panel = pl.DataFrame(task["table"]).with_columns(
        pl.col("date").str.to_date(), pl.col("Y").cast(pl.Float64)
    )
    # typed:
    from augsynth_py import AugSynth
    from geoexp import enumerate_candidates, rank_designs

    names = {"unit": "location", "time": "date", "outcome": "Y"}
    candidates = enumerate_candidates(panel, **names, sizes=SIZES, max_per_size=15)
    ranked = rank_designs(
        panel,
        **names,
        estimator=AugSynth(lambda_=1.0),
        candidates=candidates,
        durations=PERIODS,
        effect_sizes=EFFECTS,
        lookback_window=10,
        permutation_type="iid",
        rng=np.random.default_rng(7),
    )
    table = ranked.ranking
    # typed.
    return [
        ([name.strip() for name in row["candidate"].split(",")], float(row["mde"]))
        for row in table.iter_rows(named=True)
        if row["mde"] is not None
    ]


def meridian_geox(task: dict[str, Any]) -> Claims:
    """Its default design: treated markets hold up to 30 % of the outcome."""
    df = table_of(task)
    # typed:
    import meridian_geox as geox

    designs = geox.run_design(
        df.rename(columns={"Y": "conversions"}),
        geox.DesignConfig(experiment_duration=timedelta(days=PERIODS), alpha=ALPHA, power=POWER),
        geox.Constraints(),
    )
    table = designs.design_metrics
    # typed.
    cells = [next(iter(design.designs.values())) for design in designs.designs.values()]
    assert len(table), "no design was found"
    return [(sorted(cell.treatment_geos), float(cell.minimum_detectable_effect)) for cell in cells]


ANSWERS: dict[str, Callable[[dict[str, Any]], Claims]] = {
    "bayes_synth": bayes_synth,
    "causal-marketing": causal_marketing,
    "geoexp": geoexp,
    "meridian-geox": meridian_geox,
}


def main() -> None:
    """Answer with the best sets, what is claimed of them, and what it cost."""
    task = job()
    jobs = json.loads(Path(task["jobs"]).read_text())
    began = time.perf_counter()
    claims = ANSWERS[task["peer"]](jobs)
    answer(
        claims=claims[:MOST],
        seconds=time.perf_counter() - began,
        cpu=cpu(),
        memory=memory(),
        lines=lines_typed(ANSWERS[task["peer"]]),
        version=version(task["package"]),
    )


if __name__ == "__main__":
    main()
