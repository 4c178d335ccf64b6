"""What the benchmarks share: running a worker that prints one JSON line, and writing a table into a page."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("bayes_synth", "pymc", "nutpie", "pytensor", "arviz", "numpy")


def run_worker(python: str | Path, script: str, *arguments: str, limit: float | None = None) -> dict[str, Any]:
    """The JSON line that a script prints last when run by ``python``; its errors are shown and raised."""
    command = [str(python), str(Path(__file__).parent / script), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    if run.returncode:
        raise RuntimeError(f"{script} {' '.join(arguments)} failed:\n{run.stderr[-3000:]}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[c]) for c in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def footer(command: str, versions: Mapping[str, str] | None = None) -> str:
    """Command, versions, machine and date under a table."""
    known = {name: version(name) for name in PACKAGES} | dict(versions or {})
    listed = ", ".join(f"{name} {number}" for name, number in known.items())
    python = ".".join(map(str, sys.version_info[:3]))
    cores = len(os.sched_getaffinity(0))
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {cores} cores, Python {python}; {listed}."


def write_between(page: str, name: str, text: str) -> None:
    """Replace what stands between the markers ``name:start`` and ``name:end`` of a page in ``docs``."""
    path = ROOT / "docs" / page
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    old = path.read_text()
    if not pattern.search(old):
        raise RuntimeError(f"docs/{page} has no markers for {name}.")
    path.write_text(pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old))
    print(text)
