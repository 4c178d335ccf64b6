"""Time, memory and mixing of the default model by size and chains.

``uv run python tests/benchmarks/scaling.py``: every cell is a process of its own, so that peaks of
memory do not mix. A cell that fails or takes too long is reported as such.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import product

from common import WorkerError, caution, footer, load, run_worker, table, write_between

DONORS = (10, 50, 200, 1000)
PERIODS = (20, 100, 500, 2000)
CHAINS = (1, 2, 4, 8)
LARGEST = (1000, 200)
MIDDLE = {"donors": 50, "pre": 100, "chains": 4}
POST = 20
SAMPLING = {"draws": 1000, "tune": 1000}
COLUMNS = {
    "compile": ("compile, s", ".1f"),
    "sample": ("sample and label, s", ".2f"),
    "peak": ("peak memory, MB", ".0f"),
    "before": ("of which imports and data, MB", ".0f"),
    "ess": ("min bulk ESS, weights", ".0f"),
    "r_hat": ("max R-hat, weights", ".3f"),
    "noise_ess": ("min bulk ESS, s and q", ".0f"),
    "effect_ess": ("bulk ESS, average effect", ".0f"),
    "effect_r_hat": ("R-hat, average effect", ".3f"),
    "divergences": ("divergences", ".0f"),
    "ok": ("ok", ""),
}
HEADER = ("donors x pre-periods", "chains", *(label for label, _ in COLUMNS.values()))


def cells(
    donors: Sequence[int], periods: Sequence[int], *, full: bool
) -> Iterable[tuple[int, int, int]]:
    """The grid of sizes, or its two lines through the middle, the largest; then chains."""
    grid = product(sorted(donors), sorted(periods))
    sizes = [(j, t) for j, t in grid if full or j == MIDDLE["donors"] or t == MIDDLE["pre"]]
    others = [chains for chains in CHAINS if chains != MIDDLE["chains"]]
    yield from ((*size, MIDDLE["chains"]) for size in (*sizes, LARGEST))
    yield from ((MIDDLE["donors"], MIDDLE["pre"], chains) for chains in others)


def measure(donors: int, pre: int, chains: int, limit: float) -> list[str]:
    """One row of the table."""
    sampling = SAMPLING | {"chains": chains}
    job = {"donors": donors, "pre": pre, "post": POST, "seed": 1, "sampling": sampling}
    label = (f"{donors} x {pre}", str(chains))
    try:
        found = run_worker(sys.executable, "scaling_worker.py", job, limit=limit)
    except WorkerError as error:
        return [*label, f"**{error}**", *["-"] * (len(COLUMNS) - 1)]
    return [*label, *(format(found[name], form) for name, (_, form) in COLUMNS.items())]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--full", action="store_true", help="every combination of donors and periods"
    )
    parser.add_argument(
        "--limit", type=float, default=300, help="seconds that a cell may take, imports included"
    )
    parser.add_argument("--donors", type=int, nargs="+", default=DONORS)
    parser.add_argument("--periods", type=int, nargs="+", default=PERIODS)
    options, busy, rows = parser.parse_args(), load(), []
    for cell in cells(options.donors, options.periods, full=options.full):
        rows.append(measure(*cell, options.limit))
        print(" | ".join(rows[-1]), flush=True)
    command = " ".join(["uv run python tests/benchmarks/scaling.py", *sys.argv[1:]])
    words = (
        f"Default model, chains of {SAMPLING['tune']} + {SAMPLING['draws']} draws, panels from "
        f"`bs.simulate` with {POST} post-periods, four donors with weight and a drift of 0.3; "
        f"at most {options.limit:.0f} s per cell."
    )
    shown = table([dict(zip(HEADER, row, strict=True)) for row in rows])
    write_between(
        "benchmarks.md", "scaling", f"{caution(busy)}{words}\n\n{shown}\n\n{footer(command)}"
    )


if __name__ == "__main__":
    main()
