"""Fits of the coverage scoreboard, one line of a file each; worker processes import this too."""

import hashlib
import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from coverage_scores import MODELS, score_fit
from designs import DESIGNS
from real_panels import PANELS

import bayes_synth as bs
from bayes_synth.storage.specs import to_spec

FITS = "fits.jsonl"
SHORTENED = {"Prices": 3, "Unemployment": 2}
"""Of these panels every k-th donor is a placebo: their fits take long."""
SIMULATION_DRAWS = 500
"""Draws and tuning per chain (of two) on simulated panels; real ones have 4 x (1,000 + 1,000)."""


class Job(NamedTuple):
    """One fit: of ``unit`` as if treated in a panel, or of replication ``unit`` of a design."""

    source: str
    model: str
    unit: str


def real_jobs(panels: tuple[str, ...], models: tuple[str, ...]) -> list[Job]:
    """Every donor of every panel, or every k-th of the panels in :data:`SHORTENED`."""
    return [
        Job(panel, model, donor)
        for model in models
        for panel in panels
        for donor in PANELS[panel]().donors[:: SHORTENED.get(panel, 1)]
    ]


def simulated_jobs(designs: tuple[str, ...], replications: int | None) -> list[Job]:
    """Replications interleaved over the designs, so that a run cut short has as many of each."""
    counts = {name: replications or DESIGNS[name].replications for name in designs}
    return [
        Job(d, "default", str(i))
        for i in range(max(counts.values(), default=0))
        for d in designs
        if i < counts[d]
    ]


def run(job: Job) -> dict[str, Any]:
    """The scores of one job; a donor that cannot be a treated unit says why."""
    began, seed = time.perf_counter(), zlib.crc32("|".join(job).encode())
    if job.source in PANELS:
        try:
            panel = PANELS[job.source]().as_if_treated(job.unit)
        except bs.errors.DesignError as error:
            return {**job._asdict(), "reason": str(error)}
        scores = score_fit(panel, job.model, truth=0.0, seed=seed)
    else:
        panel, truth = DESIGNS[job.source].draw(np.random.default_rng(seed))
        scores = score_fit(panel, job.model, truth=truth, seed=seed, draws=SIMULATION_DRAWS)
    return {
        **job._asdict(),
        **scores,
        "spec": specification(job.model),
        "seconds": time.perf_counter() - began,
    }


def specification(model: str) -> str:
    """Digest of a model's specification: answers of one that has changed since are not counted."""
    return hashlib.sha256(json.dumps(to_spec(MODELS[model]), sort_keys=True).encode()).hexdigest()[
        :12
    ]


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Every answer in a file, if it is there; a line cut off by a kill is run again."""
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row.get("spec") in (None, specification(row["model"]) if "model" in row else None):
            yield row


def work(jobs: list[Job], store: Path, minutes: float) -> None:
    """Run what is not stored yet, on every core, until the time is over."""
    store.mkdir(parents=True, exist_ok=True)
    done = {Job(row["source"], row["model"], row["unit"]) for row in read(store / FITS)}
    todo, began = [job for job in jobs if job not in done], time.monotonic()
    print(f"{len(jobs) - len(todo)} of {len(jobs)} fits are stored, {len(todo)} to go", flush=True)
    with (store / FITS).open("a") as file:
        file.write("\n" if done else "")
        pool = joblib.Parallel(
            n_jobs=joblib.cpu_count(), return_as="generator_unordered", pre_dispatch="n_jobs"
        )
        for count, row in enumerate(
            pool(joblib.delayed(run)(job) for job in _until(todo, began + 60 * minutes)), 1
        ):
            file.write(json.dumps(row) + "\n")
            file.flush()
            if count % 20 == 0:
                print(
                    f"{count} of {len(todo)} after {(time.monotonic() - began) / 60:.1f} min",
                    flush=True,
                )


def _until(jobs: list[Job], end: float) -> Iterator[Job]:
    for job in jobs:
        if time.monotonic() > end:
            return
        yield job
