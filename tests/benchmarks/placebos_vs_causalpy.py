"""Placebos in space of Proposition 99, CausalPy's and ours.

``uv run python tests/benchmarks/placebos_vs_causalpy.py``: CausalPy refits every donor with its
defaults; ours are the same refits as a batch, each with its own verdict.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import caution, environment, footer, load, run_worker, table, write_between
from peers import PEERS

import bayes_synth as bs

CAUSALPY = PEERS["causalpy"]


def ours(panel: bs.Panel) -> dict[str, Any]:
    """The same donors, refitted by the default model; a first task has loaded what is compiled."""
    tasks = bs.batch.placebos(panel, draws=400, tune=300, chains=2)
    bs.fit_many(tasks[:1], random_seed=1, progressbar=False)
    began = time.perf_counter()
    found = bs.fit_many(tasks, random_seed=1, progressbar=False).table
    return {
        "seconds": time.perf_counter() - began,
        "refits": len(found),
        "ok": int(found["ok"].sum()),
    }


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--donors", type=int, default=38, help="only the first so many")
    options, busy, panel = parser.parse_args(), load(), bs.load_dataset("prop99")
    panel = panel.keep(panel.donors[: options.donors])
    python = environment(CAUSALPY.folder.expanduser().absolute(), CAUSALPY.requirements)
    before = ours(panel)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "wide.csv"
        panel.outcomes.to_pandas().to_csv(data)
        job = {"data": str(data), "treated": panel.treated[0], "start": int(panel.start), "seed": 1}
        theirs = run_worker(python, "placebos_worker.py", job)
    after = ours(panel)
    seconds = (before["seconds"] + after["seconds"]) / 2
    rows = [
        {
            "": f"CausalPy {theirs['version']}",
            "refits": theirs["refits"],
            "seconds": f"{theirs['seconds']:.0f}",
            "ok": "-",
        },
        {
            "": "bayes_synth",
            "refits": before["refits"],
            "seconds": f"{seconds:.2f}",
            "ok": before["ok"],
        },
    ]
    each = theirs["seconds"] / theirs["refits"] / (seconds / before["refits"])
    command = " ".join(["uv run python tests/benchmarks/placebos_vs_causalpy.py", *sys.argv[1:]])
    words = (
        f"{each:.0f} times faster per refit (target: 100). Ours before and after CausalPy's, "
        "the mean of both."
    )
    write_between(
        "benchmarks.md", "placebos", f"{caution(busy)}{words}\n\n{table(rows)}\n\n{footer(command)}"
    )


if __name__ == "__main__":
    main()
