"""How long do plans take? One calibrated plan, the next set on its bank, and a study of 40 markets.

``python tests/benchmarks/plan_times.py`` (``BAYES_SYNTH_DATA`` must hold ``geolift_pretest.csv``)
prints seconds of wall clock and of processors; ``--small`` takes two past windows and sets of two.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import bayes_synth as bs

OPTIONS: dict[str, Any] = {
    "periods": [10, 15],
    "effect": 0.05,
    "rule": bs.rules.Interval(0.9),
    "random_seed": 1,
    "progressbar": False,
}


def timed(name: str, work: Callable[[], Any]) -> None:
    """Print the seconds that it takes."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    spent = time.monotonic() - wall, time.process_time() - cpu
    print(f"| {name} | {spent[0]:.0f} | {spent[1]:.0f} |", flush=True)


def main() -> None:
    """Time the three, after a small plan that compiles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    small = parser.parse_args().small
    file = Path(os.environ["BAYES_SYNTH_DATA"]) / "geolift_pretest.csv"
    frame = pd.read_csv(file, parse_dates=["date"])
    history = bs.History.from_long(frame, unit="location", time="date", outcome="Y")
    model, starts = bs.SyntheticControl(), 2 if small else 7
    model.plan(history, "chicago", starts=1, draws=50, tune=50, **(OPTIONS | {"periods": [5]}))
    print("| what | wall seconds | processor seconds |")
    print("| --- | --- | --- |")
    pair = ["chicago", "portland"]
    timed(
        f"a plan, 40 markets, {starts} windows, 2 lengths",
        lambda: model.plan(history, pair, starts=starts, **OPTIONS),
    )
    more = {"effect": [0.01 * k for k in range(1, 51)]}
    timed("the same with 50 effects", lambda: model.plan(
        history, pair, starts=starts, **(OPTIONS | more)
    ))  # fmt: skip
    sizes = [2] if small else [2, 3, 4, 5]
    timed(
        f"a choice, sizes {sizes}, 2 lengths",
        lambda: bs.choose_treated(history, sizes=sizes, starts=max(starts, 3), **OPTIONS),
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
