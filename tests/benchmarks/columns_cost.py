"""What do calendar columns cost the slice sampler, and what do they cost a fit that has none?

``uv run python tests/benchmarks/columns_cost.py --before PATH``, where PATH is a checkout of the
commit before columns came, times sweeps with no, two, six and twelve columns, and sweeps of that
checkout, in turns, and writes the table into ``docs/performance.md``. Times are those of the
processor, so that other work on the machine counts little; ratios are taken round by round.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from before_after import commit, interpreter, side
from common import HERE, ROOT, footer, load, table, write_between

COUNTS = (0, 2, 6, 12)
BEFORE = "none, before columns came"
NAMES = {0: "none", 2: "2", 6: "6", 12: "12"}


def worker(python: Path, folder: Path) -> subprocess.Popen[str]:
    """Start the worker in the environment of a checkout."""
    return subprocess.Popen(
        [python, HERE / "columns_cost_worker.py"],
        env={**os.environ, **side(python, folder).env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def asked(chosen: subprocess.Popen[str], count: int, seed: int) -> float:
    """Return the microseconds of one sweep with so many columns."""
    assert chosen.stdin is not None
    assert chosen.stdout is not None
    chosen.stdin.write(f"{count} {seed}\n")
    chosen.stdin.flush()
    return float(chosen.stdout.readline())


def measured(before: Path, rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of a sweep by case, one per round; the cases take turns."""
    with tempfile.TemporaryDirectory() as folder:
        old, new = (
            worker(python, Path(folder) / name)
            for name, python in (("old", before), ("new", Path(sys.executable)))
        )
        cases: dict[str, Any] = {BEFORE: (old, 0)} | {NAMES[c]: (new, c) for c in COUNTS}
        found: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(-1, rounds):
            # The first round compiles; each case goes first as often as last.
            for name in list(cases)[:: 1 if number % 2 else -1]:
                value = asked(*cases[name], max(number, 0))
                if number >= 0:
                    found[name].append(value)
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for chosen in (old, new):
            chosen.communicate()
    return found


def rows(found: dict[str, list[float]]) -> list[dict[str, str]]:
    """Return the median of each case, and of its ratio to a sweep without columns."""
    lines = []
    for name, values in found.items():
        against = BEFORE if name == NAMES[0] else NAMES[0]
        ratios = sorted(a / b for a, b in zip(values, found[against], strict=True))
        quarter = len(ratios) // 4
        lines.append(
            {
                "columns": name,
                "microseconds a sweep": f"{median(values):.0f}",
                "fastest": f"{min(values):.0f}",
                "ratio to": "" if name == BEFORE else against,
                "median ratio": "" if name == BEFORE else f"{median(ratios):.2f}",
                "middle half of the rounds": ""
                if name == BEFORE
                else f"{ratios[quarter]:.2f} to {ratios[-1 - quarter]:.2f}",
                "ratio of the fastest": ""
                if name == BEFORE
                else f"{min(values) / min(found[against]):.2f}",
            }
        )
    return lines


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="checkout without columns")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    if options.rounds < 7:
        parser.error("--rounds must be at least 7")
    older, busy = options.before.expanduser().absolute(), load()
    found = measured(interpreter(older), options.rounds)
    words = (
        "Processor time of a sweep of the slice sampler: 150 pre-periods, 38 donors, the default "
        f"noise, a level beside the columns. Before is commit {commit(older)}, the other rows are "
        f"{commit(ROOT)}. {options.rounds} rounds, the cases in turns."
    )
    if busy > 1:
        words += f" {busy:.1f} cores were at work before the start."
    given = f"--before PATH --rounds {options.rounds}"
    command = f"uv run python tests/benchmarks/columns_cost.py {given}"
    text = f"{words}\n\n{table(rows(found))}\n\n{footer(command)}"
    write_between("performance.md", "columns_cost", text)


if __name__ == "__main__":
    main()
