"""What a cluster would do: ``uv run python tests/benchmarks/cluster.py``.

Written for a machine of two cores: fits are slept through, and what remains is what handing out
tasks, sending results back and storing them costs, which is what limits a cluster. A model of these
costs is compared with 2, 4 and 8 worker processes.
"""

import argparse
import sys
from collections.abc import Iterator

from common import caution, footer, load, run_worker, table, write_between

WORKERS, SECONDS, EACH = (2, 4, 8), (0.0, 0.05, 0.2), 10.0
FREE = 400
"""Tasks that cost nothing, to see what the coordinator takes for each."""


def measured(backends: list[str]) -> Iterator[dict[str, float | str]]:
    """Wall seconds by backend, workers and seconds a fit, about ``EACH`` seconds each."""
    for backend in backends:
        for workers in WORKERS:
            for seconds in SECONDS:
                fits = FREE if seconds == 0 else round(EACH * workers / seconds)
                job = {"backend": backend, "workers": workers, "seconds": seconds, "fits": fits}
                found = run_worker(sys.executable, "cluster_worker.py", job)
                print(job | found, flush=True)
                yield job | found


def rows(found: list[dict[str, float | str]]) -> Iterator[dict[str, str]]:
    """Measured and modelled, with the coordinator's cost taken from the tasks that cost nothing."""
    free = {
        (row["backend"], row["workers"]): row["wall"] / row["fits"]
        for row in found
        if row["seconds"] == 0
    }
    for row in found:
        each, workers, fits = free[row["backend"], row["workers"]], row["workers"], row["fits"]
        model = f"{fits * max(row['seconds'] / workers, each):.1f}" if row["seconds"] else ""
        perfect = fits * row["seconds"] / workers
        yield {
            "backend": str(row["backend"]),
            "workers": str(workers),
            "seconds a fit": f"{row['seconds']:g}",
            "fits": f"{fits:,}",
            "wall, s": f"{row['wall']:.1f}",
            "model, s": model,
            "efficiency": f"{perfect / row['wall']:.0%}" if perfect else "",
            "coordinator, ms a task": f"{1000 * each:.1f}" if row["seconds"] == 0 else "",
        }


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["dask", "loky"])
    options, busy = parser.parse_args(), load()
    command = " ".join(["uv run python tests/benchmarks/cluster.py", *sys.argv[1:]])
    one = run_worker(sys.executable, "cluster_worker.py", {"backend": "", "fits": 0})
    words = (
        f"A placebo-sized fit takes {one['fit']:.2f} s on a core, "
        f"the first of a process {one['first']:.1f} s. "
        f"Its task is {one['task'] / 1000:.1f} kB when sent; "
        f"its answer {one['summary'] / 1000:.1f} kB as a summary, "
        f"{one['draws'] / 1000:.0f} kB with the counterfactual's draws, "
        f"{one['full'] / 1000:.0f} kB in full."
    )
    found = list(measured(options.backends))
    text = f"{caution(busy)}{words}\n\n{table(list(rows(found)))}\n\n{footer(command)}"
    write_between("scaling.md", "cluster", text)


if __name__ == "__main__":
    main()
