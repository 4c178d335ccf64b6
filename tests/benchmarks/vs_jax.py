"""Batches of equal shape by JAX and by this library: ``uv run python tests/benchmarks/vs_jax.py``.

blackjax runs the default model for all panels at once, in its own environment; ours are tasks of
``fit_many``.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import arviz_stats
import numpy as np
from common import (
    ENVIRONMENTS,
    caution,
    environment,
    footer,
    load,
    run_worker,
    table,
    write_between,
)

import bayes_synth as bs
from bayes_synth.model.problem import Problem

REQUIREMENTS = ("jax==0.10.2", "jaxlib==0.10.2", "blackjax")
SIZE = {"donors": 39, "pre": 19, "post": 12, "drift": 0.3}
SAMPLING = {"draws": 400, "tune": 300, "chains": 2}
LARGE = 0.02
"""Weights whose effective sample size counts."""


def ours(tasks: list[bs.FitTask]) -> tuple[float, float, list[tuple[np.ndarray, np.ndarray]]]:
    """Seconds of a first and of a second batch, and the second's draws."""
    seconds = []
    for seed in (1, 2):
        began = time.perf_counter()
        found = bs.fit_many(tasks, keep="full", random_seed=seed, progressbar=False)
        seconds.append(time.perf_counter() - began)
    draws = []
    for fit in found.fits:
        posterior = fit.idata["posterior"]
        scales = np.stack([posterior[name].to_numpy() for name in ("s", "q")], axis=-1)
        draws.append((posterior["weights"].transpose("chain", "draw", "donor").to_numpy(), scales))
    return *seconds, draws


def theirs(tasks: list[bs.FitTask], folder: Path, devices: int) -> dict[str, Any]:
    """blackjax's answer on the same data, already in the sine basis."""
    found = [Problem.of(task.model, task.panel).regression for task in tasks]
    one = found[0]
    np.savez(
        folder / "data.npz",
        outcome=np.stack([each.outcome for each in found]),
        donors=np.stack([each.donors for each in found]),
        concentration=one.concentration,
        walk=one.noise.walk,
        column=one.noise.columns[:, 0],
        precision=one.noise.precisions[0],
        prior_sd=one.prior_sd,
    )
    python = environment(ENVIRONMENTS / "jax", REQUIREMENTS)
    job = {
        "data": str(folder / "data.npz"),
        "out": str(folder / "draws.npz"),
        "devices": devices,
        **SAMPLING,
    }
    answer = run_worker(python, "jax_worker.py", job)
    kept = np.load(folder / "draws.npz")
    return answer | {"draws": list(zip(kept["weights"], kept["scales"], strict=True))}


def smallest(draws: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[float]:
    """Each panel's smallest bulk ESS of the weights above ``LARGE`` and the noise parameters."""
    for weights, scales in draws:
        values = np.concatenate([weights[..., weights.mean((0, 1)) > LARGE], scales], axis=-1)
        yield min(
            float(arviz_stats.ess(values[..., k], method="bulk")) for k in range(values.shape[-1])
        )


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=76)
    options, busy = parser.parse_args(), load()
    devices = len(os.sched_getaffinity(0))
    panels = (
        bs.simulate(**SIZE, random_seed=seed).panel
        for seed in range(-(-options.panels // SIZE["donors"]))
    )
    tasks = [task for panel in panels for task in bs.batch.placebos(panel, **SAMPLING)]
    tasks = tasks[: options.panels - options.panels % devices]
    rows = []
    for module in ("bayes_synth.fitting.fit_panel", "bayes_synth.sampling.slice", "nutpie", "pymc"):
        importlib.import_module(module)
    for name, sampler in (("slices (the default)", "auto"), ("nutpie", "nutpie")):
        first, again, draws = ours([replace(task, sampler=sampler) for task in tasks])
        rows.append(_row(f"bayes_synth, {name}", first, again, draws))
    with tempfile.TemporaryDirectory() as folder:
        found = theirs(tasks, Path(folder), devices)
    rows.append(
        _row("blackjax NUTS, vmap and pmap", found["first"], found["again"], found["draws"])
    )
    command = " ".join(["uv run python tests/benchmarks/vs_jax.py", *sys.argv[1:]])
    words = (
        f"{len(tasks)} panels (38 donors, 19 pre-periods), "
        f"2 x ({SAMPLING['tune']} + {SAMPLING['draws']}) draws, the same posteriors. "
        f"ESS: of the noise parameters and the weights above {LARGE:g}, the smallest of each "
        "panel. Imports are not timed. Ours forecast, judge convergence and make whole fits "
        f"besides; blackjax's draw. It had {found['divergences']} divergences."
    )
    text = f"{caution(busy)}{words}\n\n{table(rows)}\n\n{footer(command, found['versions'])}"
    write_between("performance.md", "jax", text)


def _row(
    name: str, first: float, again: float, draws: list[tuple[np.ndarray, np.ndarray]]
) -> dict[str, str]:
    ess = np.array(list(smallest(draws)))
    return {
        "": name,
        "first batch, s": f"{first:.1f}",
        "again, s": f"{again:.1f}",
        "ESS, median panel": f"{np.median(ess):.0f}",
        "ESS, worst panel": f"{ess.min():.0f}",
        "ESS a second, median": f"{np.median(ess) * len(draws) / again:.0f}",
    }


if __name__ == "__main__":
    main()
