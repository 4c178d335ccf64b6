"""Count how often each alarm sounds in vain, and what it catches: the tables of ``docs/alarms.md``.

``python tests/benchmarks/alarms.py --simulations 200`` judges on seeds that thresholds were not set
on; ``--seed 0`` has those on which they were. ``--without-fits`` asks only the detectors that read
the panel and takes seconds; ``--write`` puts the tables on the page.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from common import footer, table, write_between  # isort: skip

import numpy as np
import pandas as pd
from designs import ar1

import bayes_synth as bs
from bayes_synth.data.broken import broken_series
from bayes_synth.data.trends import outside
from bayes_synth.results.alarms import ALARMS

JUDGED = 10_000
"""Seeds from here on judge; those from 0 on have set the thresholds."""
SIZE = {"draws": 500, "tune": 300, "chains": 2, "progressbar": False}
REFITS = {"draws": 200, "tune": 200, "chains": 2}


class World(NamedTuple):
    """Hold outcomes, dims ``(time, unit)``, the treated column, and the number of pre-periods."""

    outcomes: np.ndarray
    treated: int
    pre: int

    @property
    def panel(self) -> bs.Panel:
        """Name the donors and put the treated unit beside them; there is no effect."""
        series, donors = self.series
        names = [f"donor_{j:02d}" for j in range(1, donors.shape[1] + 1)]
        frame = pd.DataFrame(donors, columns=names).assign(treated=series)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bs.Panel.from_wide(frame, treated="treated", start=self.pre)

    @property
    def series(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the treated series and its donors, dims ``(time,)`` and ``(time, donor)``."""
        return self.outcomes[:, self.treated], np.delete(self.outcomes, self.treated, axis=1)


def factors(rng: np.random.Generator, periods: int, units: int, rho: float = 0.7) -> np.ndarray:
    """Units that share three autoregressive factors, each with noise of its own."""
    loadings = rng.normal(1, 0.5, (3, units))
    common = ar1(rng, rho, periods, 3)
    levels = rng.normal(0, 2, units)
    return levels + common @ loadings + 0.5 * rng.standard_normal((periods, units))


def clean(rng: np.random.Generator, units: int = 21, pre: int = 30, post: int = 10) -> World:
    """Exchangeable units, one of them treated at random."""
    return World(factors(rng, pre + post, units), 0, pre)


def walks(rng: np.random.Generator) -> World:
    """Exchangeable units with random walks of their own on common ones."""
    common = np.cumsum(rng.standard_normal((40, 2)), axis=0) @ rng.uniform(0.5, 1.5, (2, 21))
    return World(common + np.cumsum(0.5 * rng.standard_normal((40, 21)), axis=0), 0, 30)


def counts(rng: np.random.Generator) -> World:
    """Exchangeable counts of which one in ten is zero."""
    rates = np.exp(np.log(6) + 0.3 * ar1(rng, 0.7, 50, 1) + 0.3 * rng.standard_normal(16))
    return World(rng.poisson(rates).astype(float), 0, 36)


def levels(rng: np.random.Generator) -> np.ndarray:
    """Levels of 22 units as those of output: growth by 2 % and 1 % apart, own and common walks."""
    rates = rng.normal(0.02, 0.01, 22) + 0.01 * rng.standard_normal((37, 1))
    return 100 * np.exp(np.cumsum(rates + 0.008 * rng.standard_normal((37, 22)), axis=0))


def grower(rng: np.random.Generator, rank: int | None) -> World:
    """Treat a unit by the rank of its growth before the start; None for one at random."""
    outcomes = levels(rng)
    order = np.argsort(outcomes[24] / outcomes[0])
    chosen = int(rng.integers(22)) if rank is None else int(order[rank])
    others = np.delete(np.arange(22), chosen) if rank is None else order[2:-2]
    drawn = rng.choice(np.setdiff1d(others, chosen), 16, replace=False)
    return World(outcomes[:, [chosen, *drawn]], 0, 25)


def last_off(rng: np.random.Generator, sds: float = 6.0) -> World:
    """Let the treated unit's last pre-period be off by six sds of its noise."""
    world = clean(rng)
    world.outcomes[world.pre - 1, 0] += sds * 0.5 * rng.choice([-1, 1])
    return world


def dip(rng: np.random.Generator) -> World:
    """Treat the unit that lies lowest against itself in the last two pre-periods (Ashenfelter)."""
    noise = ar1(rng, 0.7, 32, 22)
    outcomes = noise + ar1(rng, 0.7, 32, 1)
    chosen = int(np.argmin(outcomes[22:24].mean(0) - outcomes[:22].mean(0)))
    return World(outcomes, chosen, 24)


def wandering(rng: np.random.Generator) -> World:
    """Treat a walker where three in ten units walk and the others do not."""
    outcomes = ar1(rng, 0.7, 80, 1) + 0.7 * rng.standard_normal((80, 21))
    walkers = rng.random(21) < 0.3
    walkers[0] = True
    outcomes[:, walkers] += np.cumsum(0.5 * rng.standard_normal((80, walkers.sum())), axis=0)
    return World(outcomes, 0, 60)


def broken(rng: np.random.Generator, kind: str) -> World:
    """Break donors for six of twenty post-periods, or from one of them on."""
    outcomes = 100 + np.cumsum(rng.standard_normal((110, 2)), axis=0) @ rng.uniform(
        0.5, 1.5, (2, 9)
    )
    outcomes += 0.5 * rng.standard_normal((110, 9))
    outcomes[:, 0] = outcomes[:, 1:4].mean(1) + 0.3 * rng.standard_normal(110)
    at = int(rng.integers(92, 100))
    rows, many = slice(at, at + 6), slice(1, 5)
    if kind == "zeros":
        outcomes[rows, many] = 0
    if kind == "filled":
        outcomes[rows, many] = outcomes[at - 1, many]
    if kind == "level":
        outcomes[at:, 1] += 40
    if kind == "gone":
        outcomes[at:, 1] = 0
    return World(outcomes, 0, 90)


Draw = Callable[[np.random.Generator], World]
CLEAN: dict[str, Draw] = {
    "factors": clean,
    "walks": walks,
    "counts": counts,
    "long past": lambda rng: clean(rng, pre=100, post=30),
    "growth, random unit": lambda rng: grower(rng, None),
}
"""Designs in which the treated unit is one of all: an alarm is in vain."""
WRONG: dict[str, tuple[str, Draw]] = {
    "growth, fastest": ("A006", lambda rng: grower(rng, -1)),
    "growth, second": ("A006", lambda rng: grower(rng, -2)),
    "growth, slowest": ("A006", lambda rng: grower(rng, 0)),
    "last period off": ("A007", last_off),
    "dip": ("A007", dip),
    "wanderer": ("A011", wandering),
    "four donors at zero": ("A008", lambda rng: broken(rng, "zeros")),
    "four donors filled forward": ("A008", lambda rng: broken(rng, "filled")),
    "a donor on another level": ("A008", lambda rng: broken(rng, "level")),
    "a donor gone": ("A008", lambda rng: broken(rng, "gone")),
}
"""Designs with something wrong, and the alarm that is meant to say so."""
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


def by_fit(world: World, seed: int) -> Answer:
    """Fit, small, and read the alarms."""
    model = bs.SyntheticControl(calibrate=bs.Calibration(**REFITS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(world.panel, random_seed=seed, **SIZE)
    low, high = fit.effect("average").interval(0.95).to_numpy()
    # A small fit need not converge: that alarm is not judged here.
    codes = {code for code, _ in fit.alarms} - {"A001"}
    return Answer(frozenset(codes), bool(low > 0 or high < 0))


def simulated(draw: Draw, first: int, count: int, fits: bool) -> list[Answer]:
    """Draw and judge so many panels."""
    seeds = range(first, first + count)
    worlds = [(seed, draw(np.random.default_rng(seed))) for seed in seeds]
    return [by_fit(world, seed) if fits else by_panel(world) for seed, world in worlds]


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
    return [*rows, {"alarm": "any"} | any_of]


def caught(answers: dict[str, list[Answer]]) -> list[dict[str, Any]]:
    """Make a row per design: how often its interval misses, and what of that is alarmed."""
    rows = []
    for name, each in answers.items():
        meant = WRONG[name][0]
        missed = [a for a in each if a.missed]
        rows.append(
            {
                "what is wrong": name,
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
    parser.add_argument("--simulations", type=int, default=50, help="panels of each design")
    parser.add_argument("--seed", type=int, default=JUDGED, help="the first seed")
    parser.add_argument("--without-fits", action="store_true", help="detectors of panels only")
    parser.add_argument("--only", nargs="*", default=[], help="names of designs")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/alarms.md")
    options = parser.parse_args()
    fits = not options.without_fits
    answers: dict[str, list[Answer]] = {}
    for name, draw in (CLEAN | {name: draw for name, (_, draw) in WRONG.items()}).items():
        if not options.only or name in options.only:
            answers[name] = simulated(draw, options.seed, options.simulations, fits)
            print(name, len(answers[name]), file=sys.stderr, flush=True)
    codes = [code for code in sorted(ALARMS) if code != "A001"] if fits else OF_PANELS
    clean_rows = in_vain({n: a for n, a in answers.items() if n in CLEAN}, codes)
    wrong = {n: a for n, a in answers.items() if n in WRONG}
    tables = {"in_vain": table(clean_rows), "caught": table(caught(wrong)) if wrong else ""}
    command = f"python tests/benchmarks/alarms.py {' '.join(sys.argv[1:])}"
    for name, text in tables.items():
        if options.write:
            write_between("alarms.md", name, f"{text}\n\n{footer(command)}")
        else:
            print(f"{text}\n")


if __name__ == "__main__":
    main()
