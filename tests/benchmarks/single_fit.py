"""Where the time of one fit goes, step by step: ``uv run python tests/benchmarks/single_fit.py``.

Proposition 99, default model, uncalibrated, in a process of its own per sampler: imports, first
fit, refits.
"""

import importlib
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from common import answer, caution, footer, job, load, run_worker, table, write_between

REFITS = 7
STEPS = {
    "prepare": "data on the model's scale",
    "sample": "sampling (the first time: with loading or compiling what samples)",
    "posterior_groups": "forecast, log likelihood, effects, labels",
    "prior_groups": "prior draws",
    "recorded": "record of the run",
    "convergence_of": "convergence verdict",
}
"""Functions that a fit calls, and what they do."""


def worker(sampler: str) -> None:
    """Seconds of every step, of the first fit and of refits."""
    began = time.perf_counter()
    import bayes_synth as bs

    spent: Counter[str] = Counter({"import bayes_synth": time.perf_counter() - began})
    began = time.perf_counter()
    from bayes_synth.fitting import extend
    from bayes_synth.fitting import fit_panel as fitting

    if sampler == "slice":
        importlib.import_module("bayes_synth.sampling.slice")
    else:
        importlib.import_module("nutpie")
        importlib.import_module("pymc")
    spent["imports of the first fit"] = time.perf_counter() - began
    for name in STEPS:
        # Fits sample by way of what is remembered for extending them.
        module = extend if name == "sample" else fitting
        setattr(module, name, _timed(getattr(module, name), name, spent))
    panel, rounds, fresh = bs.load_dataset("prop99"), [], 0.0
    for seed in range(1 + REFITS):
        began = time.perf_counter()
        bs.SyntheticControl(calibrate=False).fit(
            panel, random_seed=seed + 1, sampler=sampler, progressbar=False
        )
        spent["the whole fit"] = time.perf_counter() - began
        fresh = fresh or time.time() - job()["began"]
        rounds.append(dict(spent))
        spent.clear()
    again = {name: statistics.median(each[name] for each in rounds[1:]) for name in rounds[1]}
    answer(first=rounds[0], again=again, fresh=fresh)


def _timed(function: Callable[..., Any], name: str, spent: "Counter[str]") -> Callable[..., Any]:
    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - began

    return timed


def main() -> None:
    """Measure and write the page."""
    busy = load()
    found = {
        name: run_worker(sys.executable, "single_fit.py", {"sampler": name})
        for name in ("slice", "nutpie")
    }
    words = {
        "import bayes_synth": "import bayes_synth",
        "imports of the first fit": "imports of the first fit",
    } | STEPS
    words["the whole fit"] = "the whole fit, imports apart"
    rows = []
    for step, label in words.items():
        row = {"step, s": label}
        for name, times in found.items():
            for which in ("first", "again"):
                row[f"{name}, {which}"] = (
                    f"{times[which][step]:.3f}" if step in times[which] else ""
                )
        rows.append(row)
    fresh = ", ".join(f"{name} {times['fresh']:.1f} s" for name, times in found.items())
    text = (
        "Proposition 99, 4 x (1,000 + 1,000) draws; refits are medians of seven. Caches of "
        "compiled code are warm. "
        f"From a fresh process to the end of its first fit: {fresh}."
    )
    command = "uv run python tests/benchmarks/single_fit.py"
    write_between(
        "performance.md", "single", f"{caution(busy)}{text}\n\n{table(rows)}\n\n{footer(command)}"
    )


if __name__ == "__main__":
    worker(job()["sampler"]) if len(sys.argv) > 1 else main()
