"""Do outcomes that share weights forecast donors better? Placebos of one fit per panel and seed.

``python tests/benchmarks/auxiliary_outcomes.py`` fits each panel without and with its auxiliary
outcome and writes the table into ``docs/auxiliary.md``. Every donor is refitted as if treated by
the fit's own calibration; errors are over the donor's standard deviation before the treatment.
Answers are kept, one line each, in a file under ``--store``.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import footer, stored, table, write_between
from real_panels import DATA

import bayes_synth as bs
from bayes_synth import checks

STORE = Path.home() / ".cache" / "bayes_synth" / "auxiliary_outcomes.jsonl"
SEEDS = (1, 2)
LEVELS = (0.5, 0.8, 0.95)
SIZE = {"draws": 250, "tune": 250, "chains": 4, "cores": 1, "progressbar": False}
CALIBRATION = bs.Calibration(most=20, draws=150, tune=200)
"""Twenty placebos a panel, of 300 draws for each prior on ``q``."""
PERIODS, AHEAD, UNITS = 30, 10, 20


def smoking(first: int, outcome: str, auxiliary: str | None) -> bs.Panel:
    """Packs sold and their retail price in 39 states."""
    frame = pd.read_csv(f"{DATA}/prop99.csv")
    names = {"unit": "state", "time": "year", "treated": "California", "start": 1989}
    late = frame[frame["year"] >= first]
    return bs.Panel.from_long(late, **names, outcome=outcome, auxiliary=auxiliary)


def schools(first: int, outcome: str, auxiliary: str | None) -> bs.Panel:
    """Log spending per pupil and pupils per teacher in the states that never had to bargain."""
    frame = pd.read_csv(f"{DATA}/staggered_bargaining.csv")
    never = frame[frame["YearCBrequired"].isna() & ~frame["State"].isin(["DC", "WI"])]
    late = never[never["year"].between(first, 1985)]
    names = {"unit": "State", "time": "year", "treated": min(late["State"]), "start": 1978}
    return bs.Panel.from_long(late, **names, outcome=outcome, auxiliary=auxiliary)


def simulated(shared: float, auxiliary: str | None) -> bs.Panel:
    """Two outcomes of 20 units on three common walks each; ``shared`` of the loadings agree."""
    rng = np.random.default_rng(5)
    size, columns = PERIODS + AHEAD, {}
    first = rng.dirichlet([1, 1, 1], UNITS)
    for name, mix in (("one", 1.0), ("other", shared)):
        loadings = mix * first + (1 - mix) * rng.dirichlet([1, 1, 1], UNITS)
        walks = rng.standard_normal((size, 3)).cumsum(0)
        columns[name] = (walks @ loadings.T + 0.7 * rng.standard_normal((size, UNITS))).ravel()
    units = [f"unit {j:02d}" for j in range(UNITS)]
    index = pd.MultiIndex.from_product([range(size), units], names=["time", "unit"])
    frame = pd.DataFrame(columns, index=index).reset_index()
    names = {"unit": "unit", "time": "time", "treated": units[0], "start": PERIODS}
    return bs.Panel.from_long(frame, **names, outcome="one", auxiliary=auxiliary)


PANELS: dict[str, tuple[Callable[[str | None], bs.Panel], str]] = {
    "packs sold, 19 years": (lambda more: smoking(1970, "cigsale", more), "retprice"),
    "packs sold, 9 years": (lambda more: smoking(1980, "cigsale", more), "retprice"),
    "school spending, 19 years": (
        lambda more: schools(1959, "lnppexpend", more), "studteachratio",
    ),
    "school spending, 8 years": (
        lambda more: schools(1970, "lnppexpend", more), "studteachratio",
    ),
    "pupils per teacher, 19 years": (
        lambda more: schools(1959, "studteachratio", more), "lnppexpend",
    ),
    "simulated, same loadings": (lambda more: simulated(1.0, more), "other"),
    "simulated, other loadings (wrong)": (lambda more: simulated(0.0, more), "other"),
}  # fmt: skip
"""The panel with the auxiliary outcome that it is given, and the outcome to give."""


def scored(panel: bs.Panel, seed: int) -> dict[str, Any]:
    """Return the placebos' root mean square errors, and coverage without the own z-score."""
    fit = bs.SyntheticControl(calibrate=CALIBRATION).fit(panel, random_seed=seed, **SIZE)
    sds = panel.donor_outcomes.to_pandas().iloc[: len(panel.pre)].std()
    errors = fit.calibration.table["error"]
    z = errors / sds[errors.index]
    coverage = checks.placebo_in_space(fit).table.attrs["coverage"]
    return {"rmse": float(np.sqrt((z**2).mean())), "coverage": [coverage[p] for p in LEVELS]}


def answers(store: Path) -> list[dict[str, Any]]:
    """Run what is not stored yet, one line each."""
    done = list(stored(store))
    known = {(row["panel"], row["weights"], row["seed"]) for row in done}
    jobs = [
        (name, make, words, more, seed)
        for seed in SEEDS
        for name, (make, other) in PANELS.items()
        for words, more in (("of one outcome", None), (f"shared with {other}", other))
    ]
    for name, make, words, more, seed in jobs:
        if (name, words, seed) in known:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row = {"panel": name, "weights": words, "seed": seed} | scored(make(more), seed)
        done.append(row)
        with store.open("a") as file:
            file.write(json.dumps(row) + "\n")
    return done


def rows(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """One row per panel and kind of weights: error, its change by seed, coverage."""
    frame, out = pd.DataFrame(found), []
    for panel, mine in frame.groupby("panel", sort=False):
        errors = mine.pivot_table(index="seed", columns="weights", values="rmse", sort=False)
        for words, each in mine.groupby("weights", sort=False):
            cover = np.mean(each["coverage"].tolist(), axis=0)
            change = (errors[words] / errors.iloc[:, 0] - 1).dropna()
            row = {"panel": str(panel), "weights": str(words)}
            row["error"] = f"{each['rmse'].mean():.3f}"
            first = words == errors.columns[0]
            row["change by seed"] = "" if first else " and ".join(f"{c:+.1%}" for c in change)
            held = zip(LEVELS, cover, strict=True)
            out.append(row | {f"held at {level:.0%}": f"{c:.2f}" for level, c in held})
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    options.store.parent.mkdir(parents=True, exist_ok=True)
    found = list(stored(options.store)) if options.report else answers(options.store)
    command = footer("uv run python tests/benchmarks/auxiliary_outcomes.py")
    write_between("auxiliary.md", "auxiliary", f"{table(rows(found))}\n\n{command}")


if __name__ == "__main__":
    main()
