"""Time, memory and effective draws of the default model by number of donors J and of pre-periods T.

``uv run python tests/benchmarks/scaling.py [--full] [--limit 600]``: J of 10, 50, 200 and 1000 at T = 100 and T of 20, 100, 500
and 2000 at J = 50, or every combination; each in a fresh process.
"""

import argparse
import subprocess
import sys
from itertools import product
from typing import Any

from common import footer, run_worker, table, write_between

DONORS, PERIODS = (10, 50, 200, 1000), (20, 100, 500, 2000)


def sizes(full: bool) -> list[tuple[int, int]]:
    """Pairs of J and T."""
    cross = [(j, 100) for j in DONORS] + [(50, t) for t in PERIODS if t != 100]
    return list(product(DONORS, PERIODS)) if full else cross


def cell(donors: int, pre: int, limit: float) -> dict[str, Any]:
    """One row; a size that takes too long is a row that says so."""
    print(f"J = {donors}, T = {pre}", file=sys.stderr)
    try:
        return run_worker(sys.executable, "scaling_worker.py", str(donors), str(pre), limit=limit)
    except subprocess.TimeoutExpired:
        return {"J": donors, "T": pre, "fit, s": f"over {limit:.0f}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--limit", type=float, default=600)
    options = parser.parse_args()
    found = [cell(j, t, options.limit) for j, t in sizes(options.full)]
    columns = max(found, key=len)
    rows = [{column: row.get(column, "") for column in columns} for row in found]
    command = "uv run python tests/benchmarks/scaling.py" + (" --full" if options.full else "")
    write_between("benchmarks.md", "scaling", f"{table(rows)}\n\n{footer(command)}")


if __name__ == "__main__":
    main()
