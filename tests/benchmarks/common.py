"""What the benchmarks share: worker processes, Markdown tables, sections of a page. Standard library only."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"


class WorkerError(RuntimeError):
    """A worker died, or took too long; the message is one line."""


def run_worker(
    python: str | Path,
    script: str,
    job: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    limit: float | None = None,
) -> dict[str, Any]:
    """Run ``script`` with ``job`` as JSON in a process of its own; its last line of output is its answer, also JSON.

    Workers are told when they were started (``began``), so that a time can include the start of the interpreter.
    """
    argument = json.dumps({**job, "began": time.time()})
    try:
        done = subprocess.run(
            [str(python), str(HERE / script), argument],
            env={**os.environ, **(env or {})},
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"over {limit:.0f} s") from error
    if done.returncode:
        sys.stderr.write(done.stderr)
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkerError(f"failed with exit code {done.returncode}: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def job() -> dict[str, Any]:
    """The job that this worker was given."""
    return json.loads(sys.argv[1])


def answer(**facts: Any) -> None:
    """What this worker found out, for :func:`run_worker`."""
    print(json.dumps(facts))


def caches(folder: Path) -> dict[str, str]:
    """Environment in which PyTensor and numba keep their compiled code in ``folder``."""
    flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), f"base_compiledir={folder}"]))
    return {"PYTENSOR_FLAGS": flags, "NUMBA_CACHE_DIR": str(folder / "numba")}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def facts(command: str, versions: Iterable[str], load: float) -> str:
    """Command, machine, versions and date, and whether other work makes the numbers worthless."""
    machine = f"{cores()} cores, {platform.system()} {platform.machine()}"
    lines = [f"`{command}`, {date.today().isoformat()}, {machine}, load {load:.1f} at the start.", *versions]
    if load > 0.25 * cores():
        lines.append("**The machine was busy: these are not numbers to quote.**")
    return "\n".join(lines)


def load() -> float:
    """Average number of busy cores over the last minute."""
    return os.getloadavg()[0]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put ``text`` between the markers ``<!-- name:start -->`` and ``<!-- name:end -->`` of the page."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page.name} lacks the markers {start} and {end}.")
    page.write_text(f"{before}{start}\n{text.strip()}\n{end}{after}", encoding="utf-8")
