"""This library beside others, on the same placebos, with the settings each has by default.

``python tests/benchmarks/compare.py --units 50 --minutes 60`` takes donors of public panels as if
they had been treated (the first so many of a seeded shuffle; libraries that take long are given a
share of them), asks every library for the average effect and its 95 % interval, and writes
``docs/comparison.md``. Each library is fetched from the package index into an environment of its
own. Ours is fitted in the same run; where ``scoreboard.py`` has fitted a placebo already, with the
same settings, only the first of each panel are fitted again. ``--plans`` asks those that plan
tests. Each answer is one line of a file under ``--store``: a run that was stopped goes on where it
left off; ``--report`` only writes the page.
"""

import argparse
import json
import os
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import ENVIRONMENTS, REFUSED, WorkerError, stored
from compare_plans import PLANNERS, plan_with
from compare_report import write
from coverage_runs import FITS, read, real_jobs
from peers import EVERY, OURS, intervals
from real_panels import PANELS

import bayes_synth as bs

STORE, SCOREBOARD = ENVIRONMENTS / "comparison", ENVIRONMENTS / "coverage"
ANSWERS, PLANS = "fits.jsonl", "plans.jsonl"
CHUNK = 12
"""Placebos per process, of a library with the whole share: a stopped run loses no more."""
AGAIN = 2
"""Placebos of each panel that are fitted in this run though the scoreboard has them."""
LIMIT = 600
"""Seconds that a library has for one answer."""


@cache
def panel_of(source: str) -> bs.Panel:
    """The public panel."""
    return PANELS[source]()


@cache
def placebos(source: str) -> tuple[str, ...]:
    """The scoreboard's, in the order in which they are taken; those that never change are none."""
    panel = panel_of(source)
    units = [job.unit for job in real_jobs((source,), ("default",))]
    order = np.random.default_rng(zlib.crc32(source.encode())).permutation(len(units))
    return tuple(units[k] for k in order if _usable(panel, units[k]))


def _usable(panel: bs.Panel, donor: str) -> bool:
    try:
        panel.as_if_treated(donor)
    except bs.errors.DesignError:
        return False
    return True


def job_of(source: str, unit: str) -> dict[str, Any]:
    """A donor as if treated, as the workers take it."""
    panel = panel_of(source).as_if_treated(unit)
    return {
        "outcome": panel.treated_outcome.to_numpy().tolist(),
        "donors": panel.donor_outcomes.to_numpy().tolist(),
        "pre": len(panel.pre),
    }


def chunks(
    panels: list[str], peers: list[str], units: int, done: set[tuple[str, ...]]
) -> Iterator[list[tuple[str, str, str]]]:
    """What is to be asked, so ordered that a run cut short has the same share of everything."""
    found = []
    for peer in peers:
        for source in panels:
            share = EVERY[peer].share
            most, size = max(1, round(units * share)), max(1, round(CHUNK * share))
            wanted = [(peer, source, unit) for unit in placebos(source)[:most]]
            for i in range(0, len(wanted), size):
                todo = [key for key in wanted[i : i + size] if key not in done]
                found.append((((i + size) / share, share < 1), todo))
    yield from (todo for _, todo in sorted(found, key=lambda each: each[0]) if todo)


def answers_of(chunk: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """One line per placebo; a worker that died is the answer of each of its placebos."""
    peer = chunk[0][0]
    load, limit = os.getloadavg()[0], LIMIT * len(chunk)
    try:
        found = intervals(peer, [job_of(source, unit) for _, source, unit in chunk], limit)
    except WorkerError as error:
        found = [{"reason": str(error)}] * len(chunk)
    return [
        {"peer": peer, "source": source, "unit": unit, "first": k == 0, "load": load}
        | {"truth": 0.0, "pre_sd": _sd(source, unit)}
        | one
        for k, ((_, source, unit), one) in enumerate(zip(chunk, found, strict=True))
    ]


def _sd(source: str, unit: str) -> float:
    panel = panel_of(source).as_if_treated(unit)
    return float(panel.treated_outcome.to_numpy()[: len(panel.pre)].std(ddof=1))


def scoreboard(path: Path) -> list[dict[str, Any]]:
    """Ours from the scoreboard's fits of the default model, as answers."""
    rows = [row for row in read(path / FITS) if row.get("model") == "default" and "bounds" in row]
    facts = {"peer": OURS.name, "first": False, "scoreboard": True}
    return [
        facts
        | {name: row[name] for name in ("source", "unit", "truth", "pre_sd")}
        | {"estimate": row["mean"]}
        | dict(zip(("lower", "upper"), row["bounds"]["0.95"], strict=True))
        for row in rows
        if row["source"] in PANELS
    ]


def known(path: Path) -> set[tuple[str, str, str]]:
    """Placebos of ours that the scoreboard has, without the first of each panel."""
    rows = {(row["peer"], row["source"], row["unit"]) for row in scoreboard(path)}
    again = {(OURS.name, source, unit) for source in PANELS for unit in placebos(source)[:AGAIN]}
    return rows - again


def work(options: argparse.Namespace) -> None:
    """Ask for what is not stored yet, one process at a time, until the time is over."""
    end, path = time.monotonic() + 60 * options.minutes, options.store / ANSWERS
    done = {
        (row["peer"], row["source"], row["unit"])
        for row in stored(path)
        if not row.get("reason", "").startswith(REFUSED)
    }
    done |= known(options.scoreboard)
    refused: set[str] = set()
    with path.open("a") as file:
        file.write("\n" if done else "")
        for chunk in chunks(options.panels, options.peers, options.units, done):
            peer, source, _ = chunk[0]
            if time.monotonic() > end or peer in refused:
                continue
            began = time.monotonic()
            rows = answers_of(chunk)
            if rows[0].get("reason", "").startswith(REFUSED):
                refused.add(peer)
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            print(f"{peer}: {len(rows)} of {source}, {time.monotonic() - began:.0f} s", flush=True)


def work_plans(options: argparse.Namespace) -> None:
    """Ask every library that plans for its designs, unless they are stored."""
    path = options.store / PLANS
    done = {row["peer"] for row in stored(path) if not row.get("reason", "").startswith(REFUSED)}
    with path.open("a") as file:
        for peer in options.planners:
            if peer not in done:
                file.write(json.dumps(plan_with(peer)) + "\n")
                file.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=50, help="placebos of each panel")
    parser.add_argument("--panels", nargs="*", default=list(PANELS), choices=list(PANELS))
    parser.add_argument("--peers", nargs="*", default=list(EVERY), choices=list(EVERY))
    parser.add_argument("--minutes", type=float, default=60, help="start nothing after so many")
    parser.add_argument("--plans", action="store_true", help="ask for plans, not for effects")
    parser.add_argument("--planners", nargs="*", default=list(PLANNERS), choices=list(PLANNERS))
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--scoreboard", type=Path, default=SCOREBOARD, help="scoreboard.py's store")
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    if not options.report:
        (work_plans if options.plans else work)(options)
    fits = [*scoreboard(options.scoreboard), *stored(options.store / ANSWERS)]
    write(fits, list(stored(options.store / PLANS)))


if __name__ == "__main__":
    main()
