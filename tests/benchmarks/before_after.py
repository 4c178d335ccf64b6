"""Compare the speed of two checkouts side by side.

``uv run python tests/benchmarks/before_after.py --before PATH``, where PATH is a checkout of an
older commit, measures it and this checkout in turns, each in its own environment, and writes the
medians of the rounds into ``docs/performance.md``. Python's and numba's compiled code is kept in
folders made for the run: what earlier use has left behind must not favour one of the two.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from common import ROOT, caches, caution, footer, load, run_worker, table, write_between

SIDES = ("before", "after")
MEASURES = {
    "help": "`python -m bayes_synth --help`, processor seconds",
    "fresh": "fresh process to an uncalibrated fit of Proposition 99, imports included, s",
    "refit": "calibrated refit of Proposition 99 on 2 cores, warm process, s",
    "batch": "{fits} placebo-sized fits, 2 x (300 + 400), by `fit_many` in 2 threads, s",
}
Measured = dict[str, dict[str, list[float]]]


class Side(NamedTuple):
    """A checkout's Python, and the environment variables that it is run with."""

    python: Path
    env: dict[str, str]


def side(python: Path, folder: Path) -> Side:
    """Keep compiled code in ``folder``, whatever this process was told about bytecode."""
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "python")}
    return Side(python, caches(folder) | bytecode)


def interpreter(checkout: Path) -> Path:
    """Python of a checkout's own environment, which is made unless it is there."""
    python = checkout / ".venv" / "bin" / "python"
    if not python.exists():
        env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        subprocess.run(["uv", "sync", "--quiet"], cwd=checkout, env=env, check=True)
    return python


def commit(checkout: Path) -> str:
    """The commit that is checked out, marked where files differ from it."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--exclude=*", "--dirty"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def help_seconds(chosen: Side) -> float:
    """Processor seconds of the command line's help."""
    # From a folder without modules that Python would import by mistake.
    with tempfile.TemporaryDirectory() as folder:
        command = [str(chosen.python), "-m", "bayes_synth", "--help"]
        env = {**os.environ, **chosen.env}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(chosen: Side, measure: str, fits: int) -> dict[str, float]:
    """One measurement of one checkout."""
    if measure == "help":
        return {"seconds": help_seconds(chosen)}
    given = {"measure": measure, "fits": fits}
    return run_worker(chosen.python, "before_after_worker.py", given, env=chosen.env)


def rounds(sides: dict[str, Side], repeats: int, fits: int) -> tuple[Measured, dict[str, float]]:
    """Seconds by measure and side, one number per round; and attempts of the batch by side."""
    # Compiling happens once per machine, so it must not count.
    for chosen in sides.values():
        for measure in MEASURES:
            measured(chosen, measure, 1)
    seconds: Measured = {measure: {name: [] for name in SIDES} for measure in MEASURES}
    attempts: dict[str, float] = {}
    for number in range(repeats):
        for measure in MEASURES:
            # Each side goes first as often as the other.
            for name in SIDES if number % 2 == 0 else reversed(SIDES):
                found = measured(sides[name], measure, fits)
                seconds[measure][name].append(found["seconds"])
                attempts |= {name: found["attempts"]} if "attempts" in found else {}
                print(number + 1, measure, name, f"{found['seconds']:.2f} s", flush=True)
    return seconds, attempts


def rows(seconds: Measured, fits: int) -> list[dict[str, Any]]:
    """Medians of both sides and their ratio, one row per measure."""
    lines = []
    for measure, words in MEASURES.items():
        before, after = (statistics.median(seconds[measure][name]) for name in SIDES)
        numbers = {"before": f"{before:.2f}", "after": f"{after:.2f}"}
        ratio = f"{after / before:.2f}"
        lines.append({"": words.format(fits=fits), **numbers, "after / before": ratio})
    return lines


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="checkout of an older commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fits", type=int, default=500, help="size of the batch")
    options = parser.parse_args()
    if options.rounds < 1 or options.fits < 1:
        parser.error("--rounds and --fits must be at least 1")
    older = options.before.expanduser().absolute()
    pythons = {"before": interpreter(older), "after": Path(sys.executable)}
    busy = load()
    with tempfile.TemporaryDirectory() as folder:
        sides = {name: side(python, Path(folder) / name) for name, python in pythons.items()}
        seconds, attempts = rounds(sides, options.rounds, options.fits)
    few = "" if options.rounds > 2 else " **Too few to quote.**"
    words = (
        f"Before is commit {commit(older)}, after is {commit(ROOT)}. Medians of {options.rounds} "
        f"round(s), both checkouts in turns.{few} The batch took {attempts['before']:.0f} attempts "
        f"at sampling before and {attempts['after']:.0f} after."
    )
    given = f"--before PATH --rounds {options.rounds} --fits {options.fits}"
    command = f"uv run python tests/benchmarks/before_after.py {given}"
    lines = table(rows(seconds, options.fits))
    text = f"{caution(busy)}{words}\n\n{lines}\n\n{footer(command)}"
    write_between("performance.md", "before_after", text)


if __name__ == "__main__":
    main()
