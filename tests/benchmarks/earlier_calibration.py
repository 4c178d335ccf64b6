"""Compare the average effect's intervals with those of an earlier commit, on the same placebos.

``uv run python tests/benchmarks/earlier_calibration.py --before PATH``, where PATH is a checkout of
the earlier commit with an environment of its own (``uv sync`` there), treats donors of six public
panels as if they had been treated and fits each with both. Each answer is one line of a file under
``--store``: a run that was stopped goes on where it left off.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from before_after import interpreter
from common import ENVIRONMENTS, footer, run_worker, stored, table, write_between
from coverage_runs import PANELS
from coverage_scores import interval_score

SIX = ("Prop 99", "Germany", "Basque 1970", "Basque 1975", "GeoLift", "Texas")
SIDES = ("before", "after")
AT_A_TIME = 4
"""Placebos of one worker process, which has imports and compilation once."""


def placebos(name: str, units: int) -> list[str]:
    """Name so many donors of a panel, evenly spread over them."""
    donors = PANELS[name]().donors
    chosen = np.unique(np.linspace(0, len(donors) - 1, min(units, len(donors))).round().astype(int))
    return [donors[i] for i in chosen]


def batches(units: int, path: Path) -> Iterator[tuple[str, list[str]]]:
    """List what is to be fitted still, panel after panel in turns."""
    done = {(row["panel"], row["unit"]) for row in stored(path)}
    todo = {name: [u for u in placebos(name, units) if (name, u) not in done] for name in SIX}
    for first in range(0, units, AT_A_TIME):
        for name in SIX:
            if todo[name][first : first + AT_A_TIME]:
                yield name, todo[name][first : first + AT_A_TIME]


def work(pythons: dict[str, Path], units: int, path: Path) -> None:
    """Fit what is not stored yet: both sides of each placebo, one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, path.open("a") as file:
        for name, some in batches(units, path):
            panel, csv = PANELS[name](), Path(folder) / "panel.csv"
            donors = panel.donor_outcomes.to_pandas()
            donors.to_csv(csv)
            job = {"csv": str(csv), "units": some, "start": str(panel.start)}
            found = {
                side: run_worker(python, "earlier_calibration_worker.py", job)["fits"]
                for side, python in pythons.items()
            }
            for unit in some:
                row = {side: found[side][unit] for side in pythons}
                file.write(json.dumps({"panel": name, "unit": unit} | row) + "\n")
            file.flush()


def compared(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Make a row of the table: coverage of both, and the ratios of score and error."""
    bounds = {side: np.array([row[side]["bounds"]["0.95"] for row in rows]) for side in SIDES}
    means = {side: np.array([row[side]["mean"] for row in rows]) for side in SIDES}
    scores = {side: interval_score(b[:, 0], b[:, 1], 0.0) for side, b in bounds.items()}
    inside = {side: np.mean((b[:, 0] <= 0) & (b[:, 1] >= 0)) for side, b in bounds.items()}
    return {
        "panel": name,
        "placebos": len(rows),
        "covered, before / now": " / ".join(f"{inside[side]:.2f}" for side in SIDES),
        "score, now over before": ratio(scores["after"], scores["before"], np.mean),
        "RMSE, now over before": ratio(means["after"] ** 2, means["before"] ** 2, root_mean),
    }


def root_mean(squares: np.ndarray, axis: int | None = None) -> Any:
    """Return the root of a mean."""
    return np.sqrt(np.mean(squares, axis=axis))


def ratio(now: np.ndarray, before: np.ndarray, mean: Any) -> str:
    """Write a ratio of means over the same placebos with its error, by 4,000 bootstrap samples."""
    rows = np.random.default_rng(0).integers(0, len(now), (4000, len(now)))
    spread = (mean(now[rows], axis=1) / mean(before[rows], axis=1)).std()
    return f"{mean(now) / mean(before):.2f} ± {spread:.2f}"


def scaled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Divide every number by the standard deviation before the start, for the pooled row."""
    return [
        row
        | {
            side: {
                "mean": row[side]["mean"] / row["after"]["pre_sd"],
                "bounds": {
                    k: [end / row["after"]["pre_sd"] for end in v]
                    for k, v in row[side]["bounds"].items()
                },
            }
            for side in SIDES
        }
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="checkout of the earlier commit")
    parser.add_argument("--units", type=int, default=16, help="placebos of each panel at most")
    parser.add_argument(
        "--store", type=Path, default=ENVIRONMENTS / "earlier_calibration" / "fits.jsonl"
    )
    options = parser.parse_args()
    pythons = {"before": interpreter(options.before), "after": Path(sys.executable)}
    work(pythons, options.units, options.store)
    rows = list(stored(options.store))
    panels = [compared([r for r in rows if r["panel"] == name], name) for name in SIX]
    command = ["git", "-C", str(options.before), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    text = table([*panels, compared(scaled(rows), "**all**, in pre-period sds")])
    foot = footer("python tests/benchmarks/earlier_calibration.py --before PATH")
    write_between("calibration.md", "earlier", f"{text}\n\nBefore: {commit}. {foot}")


if __name__ == "__main__":
    main()
