"""Time and memory of many fits by backend and jobs: ``uv run python tests/benchmarks/batch.py``.

Every batch is a process of its own, from its imports to its last result in the store.
"""

import argparse
import os
import sys
from itertools import product

from common import WorkerError, caution, footer, load, run_worker, table, write_between

COLUMNS = {
    "wall": ("wall time, s", ".1f"),
    "each": ("core seconds per fit", ".3f"),
    "peak": ("peak memory, MB", ".0f"),
    "child": ("largest worker at the end, MB", ".0f"),
    "fine": ("fine", ".0f"),
    "failed": ("failed", ".0f"),
}
WORDS = (
    "Placebo-sized fits (38 donors, 19 pre-periods, 12 post-periods; 2 chains of 300 + 400 draws, "
    "simulated panels), streamed to a store. Times include imports and the start of workers. "
    "Targets: 1,000 fits in 3 minutes on 2 cores (0.36 core seconds each), 10,000 with at most 1.5 "
    "times the peak memory of 1,000."
)


def measure(fits: int, backend: str, jobs: int) -> dict[str, str]:
    """One row of the table."""
    row = {"fits": f"{fits:,}", "backend": backend, "jobs": str(jobs)}
    try:
        found = run_worker(
            sys.executable, "batch_worker.py", {"fits": fits, "backend": backend, "jobs": jobs}
        )
    except WorkerError as error:
        return (
            row | {label: "-" for label, _ in COLUMNS.values()} | {"wall time, s": f"**{error}**"}
        )
    found["each"] = found["cores"] / fits
    return row | {label: format(found[name], form) for name, (label, form) in COLUMNS.items()}


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, nargs="+", default=(1000, 10_000))
    parser.add_argument("--backends", nargs="+", default=("threading", "loky", "dask", "ray"))
    parser.add_argument("--jobs", type=int, nargs="+", default=(len(os.sched_getaffinity(0)),))
    options, busy, rows = parser.parse_args(), load(), []
    for fits, backend, jobs in product(options.fits, options.backends, options.jobs):
        rows.append(measure(fits, backend, jobs))
        print(" | ".join(rows[-1].values()), flush=True)
    command = " ".join(["uv run python tests/benchmarks/batch.py", *sys.argv[1:]])
    write_between(
        "performance.md", "batch", f"{caution(busy)}{WORDS}\n\n{table(rows)}\n\n{footer(command)}"
    )


if __name__ == "__main__":
    main()
