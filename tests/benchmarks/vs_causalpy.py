"""Prop 99 in CausalPy 0.9 and in this library, interleaved in one run.

``uv run python tests/benchmarks/vs_causalpy.py [--repeats 3] [--refits 5] [--env FOLDER]``. CausalPy needs ``pymc<6`` and
``numpy<2.4``, so it gets an environment of its own in FOLDER (default: a folder of the temporary directory).
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from common import footer, run_worker, table, write_between

import bayes_synth as bs

MEASURES = {
    "import": "import, s",
    "fresh process": "fresh process to finished first fit, s",
    "warm first fit": "first fit after the import, with compilation, s",
    "refit": "refit, s",
    "ESS": "least bulk ESS of the weights",
    "ESS per second": "least bulk ESS of the weights per second of refit",
    "divergences": "divergences",
    "R-hat": "largest R-hat of the weights",
}
NAMES = {"causalpy": "CausalPy 0.9, its defaults", "same": "ours, same model", "default": "ours, default model"}
REQUIREMENTS = ("causalpy==0.9.*", "pymc<6", "numpy<2.4")


def environment(folder: Path) -> Path:
    """CausalPy's own Python, made when it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        uv = ["uv", "--no-config"]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *REQUIREMENTS], check=True)
    return python


def measure(python: Path, repeats: int, refits: int) -> dict[str, list[dict[str, Any]]]:
    """Results by contestant, one per repeat, the contestants taking turns."""
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "prop99.csv")
        bs.load_dataset("prop99").outcomes.to_pandas().to_csv(data)
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
        for turn in range(repeats):
            print(f"turn {turn + 1} of {repeats}", file=sys.stderr)
            results["causalpy"].append(run_worker(python, "causalpy_worker.py", data, str(max(1, refits // 3))))
            for kind in ("same", "default"):
                results[kind].append(run_worker(sys.executable, "our_worker.py", kind, str(refits)))
    for runs in results.values():
        for run in runs:
            run["ESS per second"] = run["ESS"] / run["refit"]
    return results


def rows(results: dict[str, list[dict[str, Any]]]) -> list[dict[str, str]]:
    """Medians side by side, with ours against theirs."""
    made = []
    for key, what in MEASURES.items():
        value = {name: median(run[key] for run in runs) for name, runs in results.items()}
        ratio = {name: value["causalpy"] / value[name] if value[name] else float("nan") for name in ("same", "default")}
        if key.startswith("ESS"):
            ratio = {name: 1 / r for name, r in ratio.items()}
        plain = key in {"divergences", "R-hat"}
        made.append(
            {"": what}
            | {NAMES[name]: f"{value[name]:.3g}" if key != "R-hat" else f"{value[name]:.3f}" for name in NAMES}
            | {f"{NAMES[name]}: times better": "" if plain else f"{ratio[name]:.1f}" for name in ratio}
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--refits", type=int, default=5)
    parser.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "bayes_synth_causalpy")
    options = parser.parse_args()
    results = measure(environment(options.env), options.repeats, options.refits)
    theirs = results["causalpy"][0]
    note = (
        f"Medians of {options.repeats} fresh processes each, interleaved. CausalPy has {theirs['chains']} x {theirs['draws']} "
        "draws with its own tuning; ours 4 x (1000 + 1000). Same model: Dirichlet(1), iid noise, no intercept.\n\n"
    )
    command = f"uv run python tests/benchmarks/vs_causalpy.py --repeats {options.repeats} --refits {options.refits}"
    write_between(
        "benchmarks.md", "vs_causalpy", f"{table(rows(results))}\n\n{note}{footer(command, theirs['versions'])}"
    )


if __name__ == "__main__":
    main()
