"""Run simulation-based calibration of every shipped model, and write its table and picture into
``docs/testing.md``.

``python tests/tools/sbc_report.py --store FOLDER [--simulations 1000] [--models NAME ...]
[--minutes M]`` adds what is missing to the store, one line of a file per simulation and one file
per model, and then reports all that is there. Each simulation has a seed of its own, so that a run
cut short goes on where it stopped and ends as one in one piece.
"""

import argparse
import hashlib
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.ecdf_utils import (
    compute_ecdf,
    get_pointwise_confidence_band,
    simulate_confidence_bands,
)
from sbc import BAND, MODELS, simulation

ROOT = Path(__file__).parents[2]
PAGE, PICTURE = ROOT / "docs" / "testing.md", ROOT / "docs" / "sbc.png"
MARKS = "<!-- sbc:start -->\n", "<!-- sbc:end -->"
SEED, ROUND = 2, 20
TRIALS = 20_000
"""Simulations of a uniform sample from which the band's width is found; its level is 0.999 and
more.
"""
PACKAGES = ("bayes_synth", "pymc", "nutpie", "pytensor", "numpy")

Line = dict[str, Any]


@cache
def code(name: str) -> str:
    """Digest of what simulation 0 of a model finds: lines made by code that finds otherwise are not
    mixed in.
    """
    return hashlib.sha256(json.dumps(simulation(name, 0, SEED)).encode()).hexdigest()[:12]


def file_of(store: Path, name: str) -> Path:
    return store / f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.jsonl"


def read(store: Path, name: str) -> list[Line]:
    """Lines of this model made by this code, in order of their number."""
    file = file_of(store, name)
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    current = [line for line in lines if (line["code"], line["seed"]) == (code(name), SEED)]
    return sorted(current, key=lambda line: line["number"])


def extend(store: Path, name: str, numbers: Sequence[int]) -> None:
    """Run these simulations of one model; each is written as soon as it is there."""
    versions = {package: version(package) for package in PACKAGES}
    common = {
        "code": code(name),
        "seed": SEED,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions,
    }
    with file_of(store, name).open("a") as file:
        for number in numbers:
            began = time.process_time()
            found = simulation(name, number, SEED)
            seconds = round(time.process_time() - began, 3)
            line = {
                "number": number,
                "below": found.below,
                "divergent": found.divergent,
                "seconds": seconds,
                **common,
            }
            file.write(json.dumps(line) + "\n")
            file.flush()


def run(store: Path, names: Sequence[str], simulations: int, minutes: float) -> None:
    """Run round after round of every model until all have enough simulations or time is over."""
    end = time.monotonic() + 60 * minutes
    for top in range(ROUND, simulations + ROUND, ROUND):
        for name in names:
            if time.monotonic() > end:
                return
            done = {line["number"] for line in read(store, name)}
            extend(store, name, [i for i in range(min(top, simulations)) if i not in done])


@cache
def band(size: int, prob: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, and the bounds between which a uniform sample's whole ECDF stays with this
    probability.
    """
    points = np.arange(1, size) / size
    pointwise = simulate_confidence_bands(size, 1, points, prob, TRIALS, np.random.default_rng(1))
    low, high = get_pointwise_confidence_band(pointwise, size, points)
    return points, low, high


def level(quantities: int) -> float:
    """Bonferroni: bands of one model hold for all of its quantities together with probability
    :data:`BAND`.
    """
    return 1 - (1 - BAND) / quantities


def reach(below: np.ndarray, prob: float) -> float:
    """Farthest that the ECDF goes from the diagonal, as a share of the way to the band: above 1 is
    outside.
    """
    points, low, high = band(len(below), prob)
    off = compute_ecdf(below, points) - points
    # Where the band lets the ECDF be 0 or 1, that side says nothing.
    up = np.where(high < 1, off / np.maximum(high - points, 1e-12), 0)
    down = np.where(low > 0, -off / np.maximum(points - low, 1e-12), 0)
    return float(max(up.max(), down.max()))


def ranks(lines: Sequence[Line]) -> dict[str, np.ndarray]:
    return {name: np.array([line["below"][name] for line in lines]) for name in lines[0]["below"]}


def row(name: str, lines: Sequence[Line]) -> dict[str, Any]:
    """One model's line of the table."""
    below = ranks(lines)
    reaches = {quantity: reach(values, level(len(below))) for quantity, values in below.items()}
    worst = max(reaches, key=reaches.__getitem__)
    return {
        "model": name,
        "simulations": len(lines),
        "quantities": len(below),
        "worst quantity": worst,
        "its reach": f"{reaches[worst]:.2f}",
        "outside": sum(value > 1 for value in reaches.values()),
        "with divergences": f"{np.mean([line['divergent'] for line in lines]):.1%}",
        "seconds each": f"{np.mean([line['seconds'] for line in lines]):.2f}",
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([str(value) for value in row.values()] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(found: Mapping[str, Sequence[Line]]) -> None:
    """A row per model and a column per quantity: the ECDF less the diagonal, and its band; red
    outside.
    """
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    below = {name: ranks(lines) for name, lines in found.items()}
    columns = sorted({quantity for values in below.values() for quantity in values}, key=_place)
    size = (1.25 * len(columns), 1.0 * len(below) + 0.6)
    figure, axes = plt.subplots(
        len(below), len(columns), figsize=size, sharex=True, sharey="row", squeeze=False
    )
    for line, (name, values) in zip(axes, below.items(), strict=True):
        for axis, quantity in zip(line, columns, strict=True):
            axis.set(xticks=[0, 0.5, 1], xticklabels=["0", "", "1"])
            axis.tick_params(labelsize=6, length=2)
            if quantity in values:
                _draw(axis, values[quantity], level(len(values)))
            else:
                axis.set_axis_off()
        label = f"{name.replace(', ', ',' + chr(10))}\n({len(found[name])})"
        line[0].set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center")
    for axis, quantity in zip(axes[0], columns, strict=True):
        axis.set_title(quantity, fontsize=8)
    figure.align_ylabels()
    figure.tight_layout(h_pad=0.3, w_pad=0.3)
    figure.savefig(PICTURE, dpi=110)


def _place(quantity: str) -> tuple[bool, bool, str]:
    """Weights, then noise parameters, then the rest."""
    weight, parameter = quantity.startswith("weight"), quantity in {"s", "q", "rho"}
    return not weight, not parameter, quantity


def _draw(axis: Any, below: np.ndarray, prob: float) -> None:
    points, low, high = band(len(below), prob)
    axis.fill_between(points, low - points, high - points, color="0.85", linewidth=0)
    axis.plot(
        points,
        compute_ecdf(below, points) - points,
        color="C3" if reach(below, prob) > 1 else "C0",
        linewidth=0.9,
    )


def section(found: Mapping[str, Sequence[Line]]) -> str:
    """Write the text that stands between the markers."""
    rows = [row(name, lines) for name, lines in found.items()]
    every = [line for lines in found.values() for line in lines]
    versions = sorted(
        {", ".join(f"{p} {v}" for p, v in line["versions"].items()) for line in every}
    )
    dates = sorted({line["date"] for line in every})
    counts = sorted({len(lines) for lines in found.values()})
    hours = (
        sum(1000 * np.mean([line["seconds"] for line in lines]) for lines in found.values()) / 3600
    )
    return (
        f"{table(rows)}\n\n![ECDF differences of every quantity of every model](sbc.png)\n\n"
        f"{len(every)} simulations, {counts[0]} to {counts[-1]} of each model; 1,000 of each would "
        f"take {hours:.1f} hours on one core at this cost. Run {dates[0]} to {dates[-1]} with "
        f"{'; '.join(versions)}.\n"
    )


def write(found: Mapping[str, Sequence[Line]]) -> None:
    before, rest = PAGE.read_text().split(MARKS[0])
    PAGE.write_text(before + MARKS[0] + section(found) + MARKS[1] + rest.split(MARKS[1])[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--store", type=Path, required=True, help="folder of the results, one file per model"
    )
    parser.add_argument(
        "--simulations", type=int, default=1000, help="of each model, those in the store included"
    )
    parser.add_argument(
        "--models", nargs="+", default=list(MODELS), choices=list(MODELS), metavar="NAME"
    )
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="start no round after so many"
    )
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    run(options.store, options.models, options.simulations, options.minutes)
    found = {
        name: lines
        for name in MODELS
        if file_of(options.store, name).exists() and (lines := read(options.store, name))
    }
    picture(found)
    write(found)
    sys.stdout.write(section(found))


if __name__ == "__main__":
    main()
