"""Refuse less than 95 % of lines or 90 % of branches, as ``coverage.json`` has them."""

import json
import sys
from pathlib import Path

LEAST = {"lines": 0.95, "branches": 0.90}


def main() -> None:
    """Print both shares; an error when one is too small."""
    totals = json.loads(Path(sys.argv[1]).read_text())["totals"]
    shares = {
        "lines": totals["covered_lines"] / totals["num_statements"],
        "branches": totals["covered_branches"] / totals["num_branches"],
    }
    print(", ".join(f"{share:.1%} of {name}" for name, share in shares.items()))
    if low := [name for name, share in shares.items() if share < LEAST[name]]:
        raise SystemExit(
            f"covered too little: {', '.join(f'{name} below {LEAST[name]:.0%}' for name in low)}"
        )


if __name__ == "__main__":
    main()
