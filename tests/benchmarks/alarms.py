"""Count how often each alarm sounds in vain, and what it catches: the tables of ``docs/alarms.md``.

``python tests/benchmarks/alarms.py --units 200`` judges on seeds that thresholds were not set on;
``--seed 0`` has those on which they were. The fits are those of ``simulations.py``, in the same
file; ``--report`` makes none. ``--without-fits`` asks only the detectors that read the panel and
takes seconds; ``--write`` puts the tables on the page.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common import footer, table, write_between
from simulations import JUDGED, STORE, judged, work
from worlds import CLEAN, DRAWS, WRONG, World

import bayes_synth as bs
from bayes_synth.data.broken import broken_series
from bayes_synth.data.trends import outside
from bayes_synth.model.problem import Problem
from bayes_synth.results.alarms import ALARMS
from bayes_synth.results.fit_verdict import fit_verdict

OF_PANELS = ("A006", "A008", "A009")
"""Alarms that need no fit."""


class Answer(NamedTuple):
    """Hold the codes that sound on one panel, and whether the 95 % interval misses zero."""

    codes: frozenset[str]
    missed: bool | None


def by_panel(world: World) -> Answer:
    """Ask only what needs no fit."""
    pre, (series, donors) = world.pre, world.series
    names = [f"donor_{j:02d}" for j in range(1, donors.shape[1] + 1)]
    found = broken_series(series, donors, names, "treated")
    codes = {"A006"} if outside(series[:pre], donors[:pre]) else set()
    codes |= {"A009" if each.unit == "treated" else "A008" for each in found if each.last >= pre}
    return Answer(frozenset(codes), None)


def by_fit(row: dict[str, Any]) -> Answer:
    """Read the alarms of a stored fit; whether it converged is not judged here."""
    codes = set(row["alarms"]) - {"A001", "A003", "A011"}
    codes |= {"A003"} if clearly_poor(row) else set()
    codes |= {"A011"} if wanders(row) else set()
    return Answer(frozenset(codes), not row["average"]["0.95"])


def clearly_poor(row: dict[str, Any]) -> bool:
    """Ask again for A003, as the library is now, of the noise that the fit has found."""
    panel = DRAWS[row["design"]](np.random.default_rng(row["seed"])).panel
    problem = Problem.of(bs.SyntheticControl(), panel)
    process = problem.model.process
    noise = {
        name: np.array([value / problem.parameter_unit(name)])
        for name, value in row["noise"].items()
    }
    return fit_verdict(
        problem.inputs, process, noise, None, len(problem.observed), 1.0
    ).clearly_poor


def wanders(row: dict[str, Any]) -> bool:
    """Ask again for A011, of the weights and the donors' gaps that the fit has found."""
    panel = DRAWS[row["design"]](np.random.default_rng(row["seed"])).panel
    problem = Problem.of(bs.SyntheticControl(), panel)
    evidence = SimpleNamespace(
        problem=problem,
        seen=np.arange(len(panel.pre)),
        weights=np.array(row["weights"]),
        calibration=SimpleNamespace(gaps=pd.DataFrame(row["gaps"])),
    )
    return bool(ALARMS["A011"](evidence))


def answered(
    names: Sequence[str], first: int, units: int, path: Path | None
) -> Iterator[tuple[str, list[Answer]]]:
    """Judge so many panels of each design, or as many of them as are stored."""
    rows = judged(path, first, units) if path else []
    for name in names:
        if path:
            answers = [by_fit(row) for row in rows if row["design"] == name]
        else:
            rngs = (np.random.default_rng(seed) for seed in range(first, first + units))
            answers = [by_panel(DRAWS[name](rng)) for rng in rngs]
        if answers:
            yield name, answers


def share(flags: Sequence[bool]) -> str:
    """Write a share with its Monte Carlo error; a dash for none."""
    if not len(flags):
        return "-"
    p, n = float(np.mean(flags)), len(flags)
    return f"{p:.2f} ± {np.sqrt(max(p * (1 - p), 0.25 / n) / n):.2f}"


def in_vain(answers: dict[str, list[Answer]], codes: Sequence[str]) -> list[dict[str, Any]]:
    """Make a row per alarm: how often it sounds on clean panels, by design."""
    rows = [
        {"alarm": code} | {n: share([code in a.codes for a in each]) for n, each in answers.items()}
        for code in codes
    ]
    any_of = {n: share([bool(a.codes) for a in each]) for n, each in answers.items()}
    panels = {n: str(len(each)) for n, each in answers.items()}
    table_rows = [*rows, {"alarm": "any"} | any_of, {"alarm": "panels"} | panels]
    pooled = [a for each in answers.values() for a in each]
    shares = [share([code in a.codes for a in pooled]) for code in codes]
    last = [*shares, share([bool(a.codes) for a in pooled]), str(len(pooled))]
    return [row | {"all": value} for row, value in zip(table_rows, last, strict=True)]


def caught(answers: dict[str, list[Answer]]) -> list[dict[str, Any]]:
    """Make a row per design: how often its interval misses, and what of that is alarmed."""
    rows = []
    for name, each in answers.items():
        meant = WRONG[name][0]
        missed = [a for a in each if a.missed]
        rows.append(
            {
                "what is wrong": name,
                "panels": len(each),
                "alarm": meant,
                "intervals that miss": share([a.missed for a in each if a.missed is not None]),
                "misses with this alarm": share([meant in a.codes for a in missed]),
                "misses with any": share([bool(a.codes) for a in missed]),
                "panels with this alarm": share([meant in a.codes for a in each]),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=50, help="panels of each design")
    parser.add_argument("--seed", type=int, default=JUDGED, help="the first seed")
    parser.add_argument("--without-fits", action="store_true", help="detectors of panels only")
    parser.add_argument("--only", nargs="*", default=[*CLEAN, *WRONG], help="names of designs")
    parser.add_argument("--minutes", type=float, default=300, help="start no fit after so many")
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--report", action="store_true", help="make no fits")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/alarms.md")
    options = parser.parse_args()
    fits = not options.without_fits
    if fits and not options.report:
        work(options.store, options.only, options.units, options.seed, options.minutes)
    path = options.store if fits else None
    answers = dict(answered(options.only, options.seed, options.units, path))
    codes = [code for code in sorted(ALARMS) if code != "A001"] if fits else OF_PANELS
    clean_rows = in_vain({n: a for n, a in answers.items() if n in CLEAN}, codes)
    wrong = {n: a for n, a in answers.items() if n in WRONG}
    tables = {"in_vain": table(clean_rows), "caught": table(caught(wrong)) if wrong else ""}
    command = f"python tests/benchmarks/alarms.py --units {options.units} --write"
    for name, text in tables.items():
        if options.write:
            write_between("alarms.md", name, f"{text}\n\n{footer(command)}")
        else:
            print(f"{text}\n")


if __name__ == "__main__":
    main()
