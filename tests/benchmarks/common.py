"""Shared by the benchmarks: worker processes, tables, sections of a page. Standard library only."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = Path.home() / ".cache" / "bayes_synth"
PYTHON = "3.13"
UV = os.environ.get("UV", "uv")
"""``uv run`` says where it lies."""
REFUSED = "cannot be installed"
STAT = Path("/proc/stat")
PACKAGES = ("bayes_synth", "pymc", "nutpie", "pytensor", "arviz", "numpy")


def environment(folder: Path, requirements: Sequence[str]) -> Path:
    """Python of another library's environment, made now unless it is there; WorkerError if it
    cannot be.
    """
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join((PYTHON, *requirements))
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        here = sys.executable if sys.version.startswith(f"{PYTHON}.") else PYTHON
        # From another folder than this repository, whose own pins uv would apply.
        for command in (
            [UV, "venv", "--quiet", "--clear", "--python", here, str(folder)],
            [UV, "pip", "install", "--quiet", "--python", str(python), *requirements],
        ):
            done = subprocess.run(
                command, cwd=folder.parent, check=False, stderr=subprocess.PIPE, text=True
            )
            if done.returncode:
                said = re.sub(r"\S*(://|/)\S+", "...", " ".join(done.stderr.split()))
                raise WorkerError(f"{REFUSED}: {said[-300:]}")
        stamp.write_text(wanted)
    return python


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
    """Run ``script`` with ``job`` as JSON in a process of its own; its last line is its answer,
    also JSON.

    Workers are told when they were started (``began``), so that a time can include the start of the
    interpreter.
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


def load() -> float:
    """Number of busy cores over three seconds where the kernel counts, else over a minute."""
    if not STAT.exists():
        return os.getloadavg()[0]
    before = _ticks()
    time.sleep(3)
    busy, whole = (now - then for now, then in zip(_ticks(), before, strict=True))
    return busy / whole * (os.cpu_count() or 1)


def _ticks() -> tuple[int, int]:
    """Of all cores since the machine started: at work, and all."""
    counts = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return sum(counts) - sum(counts[3:5]), sum(counts)


def caution(busy: float) -> str:
    """Says so when other work made the numbers worthless; empty on a quiet machine."""
    if busy <= 0.25 * len(os.sched_getaffinity(0)):
        return ""
    words = f"{busy:.1f} cores were at work before the start, the machine was busy"
    return f"**{words}: not numbers to quote.**\n\n"


def stored(path: Path) -> Iterator[dict[str, Any]]:
    """Read every answer; a line cut off by a kill is run again."""
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


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
    """Replace the text between ``name:start`` and ``name:end`` on a page in ``docs``."""
    path = ROOT / "docs" / page
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    old = path.read_text()
    if not pattern.search(old):
        raise RuntimeError(f"docs/{page} has no markers for {name}.")
    path.write_text(pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old))
    print(text)
