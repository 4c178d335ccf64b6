"""How often the checks that refit catch a planted problem, how often they cry wolf, and what they cost.

``python tests/benchmarks/checks_refits.py --simulations 20 --store FILE`` adds what is missing to the file, one JSON object
a line, and writes the tables of ``docs/checks.md``; ``--cost`` times the checks on Proposition 99 first.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common import caution, footer, load, write_between

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.checks.refits import KNOWN
from bayes_synth.design import locked
from bayes_synth.errors import ConvergenceWarning

COMMAND = "tests/benchmarks/checks_refits.py"
DONORS, PRE, POST, SIZE = 10, 40, 10, 0.5
NAMES = ("leave_one_out", "backdating", "placebo_in_space", "anticipation", "prior_sensitivity")
MODEL = bs.SyntheticControl(calibrate=bs.Calibration(draws=150, tune=250))
FIT = {"draws": 400, "tune": 400, "chains": 2, "target_accept": 0.95, "progressbar": False}


def changed(panel: bs.Panel, unit: str, added: np.ndarray) -> bs.Panel:
    """The panel with numbers added to one unit, one per time, in units of its own sd before the start."""
    series = panel.outcomes.sel(unit=unit)
    sd = float(series.sel(time=panel.pre.to_numpy()).std())
    extra = xr.DataArray(sd * added, dims="time", coords={"time": panel.outcomes["time"]})
    outcomes = panel.outcomes + extra * (panel.outcomes["unit"] == unit)
    return replace(panel, outcomes=locked(outcomes.transpose("time", "unit")))


def steps(first: int) -> np.ndarray:
    """Zero, and one from period ``first`` on."""
    return (np.arange(PRE + POST) >= first).astype(float)


def ramp() -> np.ndarray:
    """From zero to one over as many periods before the start as the post-period has, and one from then on."""
    return np.clip((np.arange(PRE + POST) - (PRE - POST) + 1) / POST, 0, 1)


def clean(made: Any) -> bs.Panel:
    """Nothing planted, no effect."""
    return made.panel


def anticipates(made: Any) -> bs.Panel:
    """The treated unit steps up by half a sd in the last tenth of the pre-period and stays there."""
    return changed(made.panel, "treated", SIZE * steps(PRE - PRE // 10))


def drifts(made: Any) -> bs.Panel:
    """The treated unit leaves its donors by half a sd over the post-period's length before the start."""
    return changed(made.panel, "treated", SIZE * ramp())


def contaminated(made: Any) -> bs.Panel:
    """A donor without weight steps up by two sd from the start on."""
    return changed(made.panel, made.weights.idxmin(), 2.0 * steps(PRE))


def broken(made: Any) -> bs.Panel:
    """The donor with the largest true weight steps up by one sd from the start on."""
    return changed(made.panel, made.weights.idxmax(), steps(PRE))


PLANTED: dict[str, tuple[Callable[[Any], bs.Panel], tuple[str, ...]]] = {
    "clean": (clean, NAMES),
    "anticipation": (anticipates, ("anticipation",)),
    "drift before the start": (drifts, ("backdating",)),
    "contaminated donor": (contaminated, ("placebo_in_space", "leave_one_out")),
    "break in the largest donor": (broken, ("leave_one_out",)),
}
"""What is planted, and the checks that are meant for it."""


def answers(name: str, seed: int) -> dict[str, Any]:
    """The verdicts of the checks meant for one planted problem in one simulation."""
    plant, asked = PLANTED[name]
    panel = plant(bs.simulate(donors=DONORS, pre=PRE, post=POST, random_seed=seed))
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = MODEL.fit(panel, random_seed=seed, **FIT)
    found = {check: getattr(checks, check)(fit, progressbar=False) for check in asked}
    KNOWN.clear()
    verdicts = {check: answer.verdict for check, answer in found.items()}
    reasons = {check: answer.reason for check, answer in found.items()}
    seconds = round(time.process_time() - began, 2)
    return {"planted": name, "seed": seed, "verdicts": verdicts, "reasons": reasons, "cpu_seconds": seconds}


def collected(store: Path, simulations: int, only: list[str] | None) -> pd.DataFrame:
    """All simulations of the store, once those that are missing have been run; seed by seed, so that it can be stopped."""
    done = [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []
    known = {(row["planted"], row["seed"]) for row in done}
    for seed in range(simulations):
        for name in only or PLANTED:
            if (name, seed) not in known:
                row = answers(name, seed)
                done.append(row)
                with store.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(name, seed, row["verdicts"], row["cpu_seconds"], flush=True)
    rows = [
        {"planted": r["planted"], "seed": r["seed"], "check": c, "verdict": v}
        for r in done
        for c, v in r["verdicts"].items()
    ]
    return either(pd.DataFrame(rows))


def table(found: pd.DataFrame) -> str:
    """Catches and false alarms by planted problem and check."""
    lines = ["| planted | check | simulations | caution | fail | caught |", "| --- | --- | --- | --- | --- | --- |"]
    for (name, check), rows in found.groupby(["planted", "check"], sort=False):
        counts = rows["verdict"].value_counts()
        caution, fail = int(counts.get("caution", 0)), int(counts.get("fail", 0))
        label = f"{caution + fail} of {len(rows)}" + (" (false alarms)" if name == "clean" else "")
        lines.append(f"| {name} | `{check}` | {len(rows)} | {caution} | {fail} | {label} |")
    return "\n".join(lines)


def either(found: pd.DataFrame) -> pd.DataFrame:
    """With a row for a contaminated donor that counts a simulation in which any of the checks meant for it speaks up."""
    mine = found[found["planted"] == "contaminated donor"]
    order = ["not applicable", "pass", "caution", "fail"]
    worst = mine.groupby("seed")["verdict"].agg(lambda verdicts: max(verdicts, key=order.index)).reset_index()
    return pd.concat([found, worst.assign(planted="contaminated donor", check="either")])


def cost() -> str:
    """Seconds of every check on Proposition 99, by the clock and of the processor."""
    busy, began = load(), (time.perf_counter(), time.process_time())
    fit = bs.SyntheticControl().fit(bs.load_dataset("prop99"), random_seed=1, progressbar=False)
    lines = ["| on Proposition 99 | refits | clock, s | processor, s |", "| --- | --- | --- | --- |"]
    for name in ("fit", *NAMES):
        before = len(KNOWN.get(fit, ()))
        if name != "fit":
            getattr(checks, name)(fit, progressbar=False)
        ended = time.perf_counter(), time.process_time()
        clock, processor = ended[0] - began[0], ended[1] - began[1]
        lines.append(f"| {name} | {len(KNOWN.get(fit, ())) - before} | {clock:.1f} | {processor:.1f} |")
        began = ended
        print(lines[-1], flush=True)
    return caution(busy) + "\n".join([*lines, "", footer(f"python {COMMAND} --cost")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=20)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=PLANTED)
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    if options.cost:
        write_between("checks.md", "checks-refits-cost", cost())
    found = collected(options.store, options.simulations, options.only)
    write_between(
        "checks.md", "checks-refits", f"{table(found)}\n\n{footer(f'python {COMMAND} --simulations N --store FILE')}"
    )


if __name__ == "__main__":
    main()
