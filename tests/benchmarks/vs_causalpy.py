"""Proposition 99 with CausalPy 0.9 and with this library, in turns.

``uv run python tests/benchmarks/vs_causalpy.py``: CausalPy needs another PyMC and lives in an
environment of its own, which is made once and reused. Every round starts one process per row of
``ROWS``. The first round begins with empty compiler caches and is reported by itself; the medians
are over the rounds that follow. Both libraries' draws are judged by the same estimators.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import arviz_stats
import numpy as np
import xarray as xr
from common import caches, caution, environment, footer, load, run_worker, table, write_between
from peers import PEERS

import bayes_synth as bs

CAUSALPY = PEERS["causalpy"]
SAMPLING = {"draws": 1000, "tune": 1000, "chains": 4}
ROWS = {"causalpy": "CausalPy", "same": "same model", "default": "default model"}

Measured = dict[str, float]


def measure(
    row: str, python: Path, seed: int, folder: Path, sampling: Mapping[str, int]
) -> dict[str, Any]:
    """One process: its answer, with ``measured`` added."""
    out = folder / "draws.npz"
    job = {"seed": seed, "out": str(out)}
    env = caches(folder / row)
    if row == "causalpy":
        job |= {"data": str(folder / "wide.csv"), "treated": "California", "start": 1989}
        found = run_worker(python, "causalpy_worker.py", job, env=env)
    else:
        found = run_worker(
            sys.executable,
            "our_worker.py",
            job | {"model": row, "sampling": dict(sampling)},
            env=env,
        )
    with np.load(out) as draws:
        worth = judged(dict(draws), found["times"]["refit"])
    found["measured"] = found["times"] | worth | {"divergences": found["divergences"]}
    return found


def judged(draws: Mapping[str, np.ndarray], seconds: float) -> Measured:
    """What the second fit's draws, arrays of ``(chain, draw, quantity)``, were worth."""
    data = xr.Dataset(
        {name: (("chain", "draw", f"{name}_quantity"), values) for name, values in draws.items()}
    )
    ess = float(arviz_stats.ess(data[["weights"]], method="bulk")["weights"].min())
    rhat = arviz_stats.rhat(data[["weights", "noise"]])
    return {
        "ess": ess,
        "ess_per_second": ess / seconds,
        "r_hat": max(float(values.max()) for values in rhat.values()),
        "average": float(data["average"].mean()),
        "sd": float(data["average"].std()),
    }


def rounds(python: Path, repeats: int, folder: Path) -> list[dict[str, dict[str, Any]]]:
    """All answers, one mapping by row per round; the first round fills the compiler caches."""
    answers: list[dict[str, dict[str, Any]]] = []
    for number in range(repeats + 1):
        done: dict[str, dict[str, Any]] = {}
        for row in ROWS:
            sampling = (
                {name: done["causalpy"][name] for name in SAMPLING} if row == "same" else SAMPLING
            )
            done[row] = measure(row, python, 100 * number, folder, sampling)
            print(
                number,
                row,
                {name: round(value, 3) for name, value in done[row]["measured"].items()},
                flush=True,
            )
        answers.append(done)
    return answers


def section(answers: list[dict[str, dict[str, Any]]], command: str, busy: float) -> str:
    """The section of the page."""
    cold, *warm = [{row: found["measured"] for row, found in done.items()} for done in answers]

    def middle(row: str, name: str) -> float:
        return statistics.median(done[row][name] for done in warm)

    def first(row: str, name: str) -> float:
        return cold[row][name]

    def worst(row: str, name: str) -> float:
        return max(done[row][name] for done in [cold, *warm])

    header = ("", *ROWS.values(), "CausalPy / same", "CausalPy / default")
    theirs = {
        f"{name} (CausalPy's)": number
        for name, number in answers[-1]["causalpy"]["versions"].items()
    }
    return caution(busy) + "\n\n".join(
        [
            f"{rounds_in_words(len(warm))} {settings(answers[-1])}",
            table([dict(zip(header, row, strict=True)) for row in results(middle, first, worst)]),
            table(
                [
                    dict(zip(("target", "measured", "met"), row, strict=True))
                    for row in targets(middle, first, worst)
                ]
            ),
            footer(command, theirs),
        ]
    )


def settings(done: Mapping[str, Mapping[str, Any]]) -> str:
    """Chains and draws of every row, in words."""
    draws = [f"{ROWS[row]} {a['chains']} x ({a['tune']} + {a['draws']})" for row, a in done.items()]
    compiler = done["causalpy"]["compiler"]
    warning = (
        ""
        if compiler
        else " **CausalPy found no C compiler and ran in Python: not numbers to quote.**"
    )
    return f"Chains x (tuning + draws): {', '.join(draws)}.{warning}"


def rounds_in_words(repeats: int) -> str:
    """How often everything was measured, and whether that is enough."""
    timed = f"Medians of {repeats} rounds." if repeats > 1 else "One round."
    words = (
        f"{timed} Divergences and R-hat are the worst of all rounds, the first with empty caches "
        "included."
    )
    return words if repeats > 2 else f"{words} **Too few to quote.**"


Statistic = Callable[[str, str], float]


def results(middle: Statistic, first: Statistic, worst: Statistic) -> list[list[str]]:
    """One row per quantity. Ratios say how many times better than CausalPy's."""
    kinds: list[tuple[str, str, Statistic, str, int]] = [
        ("import, s", "import", middle, ".2f", 1),
        ("fresh process to first fit, empty caches, s", "fresh", first, ".1f", 1),
        ("fresh process to first fit, s", "fresh", middle, ".1f", 1),
        ("first fit after all imports, with compilation, s", "first", middle, ".2f", 1),
        ("refit, s", "refit", middle, ".2f", 1),
        ("minimum bulk ESS of the weights", "ess", middle, ".0f", 0),
        (
            "minimum bulk ESS of the weights per second of refit",
            "ess_per_second",
            middle,
            ".1f",
            -1,
        ),
        ("divergences", "divergences", worst, ".0f", 0),
        ("largest R-hat of weights and noise", "r_hat", worst, ".3f", 0),
        ("average effect, packs", "average", middle, ".2f", 0),
        ("its sd, packs", "sd", middle, ".2f", 0),
    ]
    rows = []
    for label, name, statistic, form, power in kinds:
        values = [statistic(row, name) for row in ROWS]
        ratios = [f"{(values[0] / value) ** power:.1f}" if power else "" for value in values[1:]]
        rows.append([label, *(format(value, form) for value in values), *ratios])
    return rows


def targets(middle: Statistic, first: Statistic, worst: Statistic) -> list[list[str]]:
    """What was promised, what was found."""

    def faster(row: str, name: str) -> float:
        return middle("causalpy", name) / middle(row, name)

    def sampling(row: str) -> float:
        return 1 / faster(row, "ess_per_second")

    checks = [
        ("same model: first fit at least 5 times faster", faster("same", "first"), 5, ".1f"),
        ("same model: refit at least 30 times faster", faster("same", "refit"), 30, ".1f"),
        ("same model: ESS per second at least 30 times", sampling("same"), 30, ".1f"),
        ("default model: ESS per second at least 30 times", sampling("default"), 30, ".1f"),
        ("same model: no divergences", -worst("same", "divergences"), 0, ".0f"),
        ("default model: no divergences", -worst("default", "divergences"), 0, ".0f"),
        ("default model: refit in 0.6 s at most", -middle("default", "refit"), -0.6, ".2f"),
        (
            "default model: fresh process to fit in 20 s at most",
            -middle("default", "fresh"),
            -20,
            ".1f",
        ),
        ("the same with empty compiler caches", -first("default", "fresh"), -20, ".1f"),
        ("import in 1.5 s at most", -middle("default", "import"), -1.5, ".2f"),
    ]
    return [
        [label, format(abs(value), form), "yes" if value >= least else "**no**"]
        for label, value, least, form in checks
    ]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="rounds after the first")
    parser.add_argument(
        "--env", type=Path, default=CAUSALPY.folder, help="folder of CausalPy's environment"
    )
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    python, busy = environment(options.env.expanduser().absolute(), CAUSALPY.requirements), load()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bs.load_dataset("prop99").outcomes.to_pandas().to_csv(folder / "wide.csv")
        answers = rounds(python, options.repeats, folder)
    command = f"uv run python tests/benchmarks/vs_causalpy.py --repeats {options.repeats}"
    write_between("benchmarks.md", "vs_causalpy", section(answers, command, busy))


if __name__ == "__main__":
    main()
