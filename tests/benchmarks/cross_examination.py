"""Put every public panel through every check.

``uv run python tests/benchmarks/cross_examination.py --folder reports`` writes one HTML report per
panel into the folder, and the table of verdicts into ``docs/checks.md``.
"""

import argparse
import sys
import time
from pathlib import Path

from common import caution, footer, load, table, write_between
from real_panels import PANELS as SCORED
from real_panels import UNTREATED, local

import bayes_synth as bs
from bayes_synth.checks import Checks
from bayes_synth.results.monte_carlo import two_sided

SEED = 1
TREATED = {name: make for name, make in SCORED.items() if name not in UNTREATED}
PANELS = TREATED | {"GeoLift": lambda: local("geolift", "geolift_test")}
"""GeoLift with both of its treated markets; the scoreboard has one, for more placebos."""


def examine(name: str, folder: Path) -> tuple[bs.Fit, Checks, float]:
    """The recommended fit of one panel and its checks; the report goes into the folder."""
    began = time.perf_counter()
    fit = bs.SyntheticControl().fit(PANELS[name](), random_seed=SEED, progressbar=False)
    checks = bs.checks.run(fit, random_seed=SEED, progressbar=False)
    page = fit.report("html", checks=checks)
    (folder / f"{name.lower().replace(' ', '_')}.html").write_text(str(page))
    return fit, checks, time.perf_counter() - began


def rows(found: dict[str, tuple[bs.Fit, Checks, float]]) -> list[dict[str, str]]:
    """One row per question, one column per panel."""
    names = [check.name for check in next(iter(found.values()))[1]]
    lines = [
        {"": f"`{name}`"} | {p: c[name].verdict for p, (_, c, _) in found.items()} for name in names
    ]
    return [
        *effects(found),
        *lines,
        {"": "seconds, report included"} | {p: f"{s:.0f}" for p, (_, _, s) in found.items()},
    ]


def effects(found: dict[str, tuple[bs.Fit, Checks, float]]) -> list[dict[str, str]]:
    """What is being examined."""
    lines: list[dict[str, str]] = [
        {"": "average effect (95 %)"},
        {"": "two-sided p"},
        {"": "kappa"},
    ]
    for name, (fit, _, _) in found.items():
        effect = fit.effect("average")
        lower, upper = effect.interval(0.95).to_numpy()
        lines[0][name] = f"{float(effect.draws.median()):.3g} [{lower:.3g}, {upper:.3g}]"
        lines[1][name] = f"{two_sided(effect.draws):.3f}"
        lines[2][name] = (
            f"{float(fit.calibration.kappa.median()):.2f}"
            if fit.calibration.kappa is not None
            else "none"
        )
    return lines


def main() -> None:
    """Examine, write reports and table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the reports go")
    options, busy = parser.parse_args(), load()
    options.folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in PANELS:
        found[name] = examine(name, options.folder)
        print(
            name, f"{found[name][2]:.1f} s", {c.name: c.verdict for c in found[name][1]}, flush=True
        )
    for name, (_, checks, _) in found.items():
        print(f"\n{name}", *(f"{c.name}: {c.verdict}: {c.reason}" for c in checks), sep="\n  ")
    command = " ".join(["uv run python tests/benchmarks/cross_examination.py", *sys.argv[1:]])
    write_between(
        "checks.md", "panels", f"{caution(busy)}{table(rows(found))}\n\n{footer(command)}"
    )


if __name__ == "__main__":
    main()
