"""Does every statement keep its word on simulated panels without an effect?

``python tests/benchmarks/simulations.py --units 200`` fits the default model, in small, to so many
panels of each design of ``worlds.py`` and writes the table into ``docs/calibration.md``. Each
answer is one line of a file under ``--store``: a run that was stopped goes on where it left off,
and ``alarms.py`` reads the same file. ``--report`` runs nothing.
"""

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from common import footer, stored, table, write_between
from coverage_scores import LEVELS, statements
from worlds import CLEAN, DRAWS, STATEMENTS

import bayes_synth as bs

STORE = Path.home() / ".cache" / "bayes_synth" / "simulations.jsonl"
JUDGED = 10_000
"""Seeds from here on judge; those from 0 on have set the thresholds."""
SAID = ("first", "single", "first third", "last third", "running")
"""Statements beside the average effect, as ``coverage_scores.py`` names them."""
SIZE = {"draws": 250, "tune": 250, "chains": 4, "cores": 1, "progressbar": False}


def simulated(name: str, seed: int) -> dict[str, Any]:
    """Draw a panel, fit it, and note what holds, which alarms sound, and what they rest on."""
    began, known = time.perf_counter(), {"design": name, "seed": seed}
    world = DRAWS[name](np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bs.SyntheticControl().fit(world.panel, random_seed=seed, **SIZE)
    average = fit.effect("average").draws.to_numpy().ravel()
    process = fit.model.process
    return known | {
        "average": {str(level): holds_zero(average, level) for level in LEVELS},
        "statements": statements(fit, 0.0),
        "alarms": [code for code, _ in fit.alarms],
        "noise": {n: float(fit.idata["posterior"][n].mean()) for n in process.parameters},
        "weights": rounded(fit.idata["posterior"]["weights"].mean(("chain", "draw"))),
        "gaps": [rounded(row[: world.pre]) for row in fit.calibration.gaps.to_numpy()],
        "verdict": asdict(fit.fit_verdict),
        "factor": fit.calibration.width_ratio,
        "pooling": fit.calibration.pooling,
        "ok": fit.converged,
        "seconds": round(time.perf_counter() - began, 2),
    }


def rounded(values: Any) -> list[float]:
    """Write numbers to six digits."""
    return [float(f"{value:.6g}") for value in np.asarray(values)]


def holds_zero(draws: np.ndarray, level: float) -> bool:
    """Tell whether the equal-tailed interval holds zero."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return bool(low <= 0 <= high)


def judged(path: Path, first: int, units: int) -> list[dict[str, Any]]:
    """Read the answers of these seeds."""
    return [row for row in stored(path) if first <= row["seed"] < first + units]


def work(path: Path, names: Sequence[str], units: int, first: int, minutes: float) -> None:
    """Run what is not stored yet, the designs in turn, so that a run cut short has all of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["design"], row["seed"]) for row in stored(path)}
    wanted = [
        (name, seed)
        for seed in range(first, first + units)
        for name in names
        if name in STATEMENTS or seed < first + units // 5
    ]
    todo = [each for each in wanted if each not in done]
    end = time.monotonic() + 60 * minutes
    with path.open("a") as file:
        for count, (name, seed) in enumerate(todo, 1):
            if time.monotonic() > end:
                break
            file.write(json.dumps(simulated(name, seed)) + "\n")
            file.flush()
            if count % 50 == 0:
                print(f"{count} of {len(todo)}", flush=True)


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Make a row per design: coverage of every statement, at every level."""
    lines = []
    for name in STATEMENTS:
        part = [row for row in rows if row["design"] == name]
        if part:
            lines.append({"design (panels)": f"{name} ({len(part)})"} | _coverage(part))
    exchangeable = [row for row in rows if row["design"] in CLEAN]
    name = f"**the first {len(CLEAN)}** ({len(exchangeable)})"
    return table([*lines, {"design (panels)": name} | _coverage(exchangeable)])


def _coverage(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Write the coverage of each statement, with the Monte Carlo error of its 95 % one."""
    average = [[row["average"][str(level)] for row in rows] for level in LEVELS]
    cells = {"average": _cell(average)}
    for each in SAID:
        cells[each] = _cell([[r["statements"][f"{each} {x}"] for r in rows] for x in LEVELS])
    for each, title in {"pointwise": "band", "cumulative": "band of the running total"}.items():
        cells[title] = _cell([[row["statements"][f"band {each}"] for row in rows]])
    return cells


def _cell(held: Sequence[Sequence[float]]) -> str:
    """Write shares by level; panels are independent, periods of one are not."""
    last = np.asarray(held[-1], float)
    error = np.sqrt(max(last.var(), 0.25 / len(last)) / len(last))
    return f"{' '.join(f'{np.mean(level):.2f}' for level in held)} ± {error:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=200, help="panels of each design")
    parser.add_argument("--seed", type=int, default=JUDGED, help="the first seed")
    parser.add_argument("--only", nargs="*", default=list(DRAWS), help="names of designs")
    parser.add_argument("--minutes", type=float, default=300, help="start no fit after so many")
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    if not options.report:
        work(options.store, options.only, options.units, options.seed, options.minutes)
    rows = judged(options.store, options.seed, options.units)
    settled = np.mean([row["ok"] for row in rows])
    command = footer(f"python tests/benchmarks/simulations.py --units {options.units}")
    text = f"{report(rows)}\n\n{command} Converged: {settled:.1%}."
    write_between("calibration.md", "designs", text)


if __name__ == "__main__":
    main()
