"""How often checks raise alarms on clean panels and catch what was planted: ``python checks.py [replications minutes]``.

No check here refits. Fits are small (2 x 150 draws, uncalibrated) and share a compiled model per width of the pool;
screening needs no fit. The table goes to docs/checks.md.
"""

import itertools
import sys
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
from common import footer, table, write_between

import bayes_synth as bs
from bayes_synth import checks

SMALL = {"draws": 150, "tune": 250, "chains": 2, "cores": 1, "progressbar": False}
FITTED = ("fit_quality", "overfitting", "convex_hull", "likeness", "concentration", "detectable", "hidden_bias")
PRE, POST = 40, 10


class Planted(NamedTuple):
    """A design, how its panels are drawn, and the checks that are asked."""

    design: str
    draw: Callable[[int], bs.Panel]
    asked: tuple[str, ...]


def simulated(seed: int, donors: int = 20, pre: int = PRE) -> bs.Panel:
    return bs.simulate(donors=donors, pre=pre, post=POST, random_seed=seed).panel


def changed(panel: bs.Panel, unit: str, change: Callable[[pd.Series], pd.Series]) -> bs.Panel:
    wide = panel.outcomes.to_pandas()
    wide[unit] = change(wide[unit])
    return bs.Panel.from_wide(wide, treated="treated", start=panel.start)


def above(seed: int) -> bs.Panel:
    """A unit that lies above all its donors by a tenth of its level."""
    panel = simulated(seed)
    top = float((panel.donor_outcomes.max("donor") - panel.treated_outcome).max())
    return changed(panel, "treated", lambda y: y + top + 10)


def restless(seed: int) -> bs.Panel:
    """A unit whose moves about its mean are stretched until no donor moves as far."""
    panel = simulated(seed)
    before = panel.donor_outcomes.sel(time=panel.pre.to_numpy())
    factor = 1.5 * float((np.abs(before - before.mean("time")).max("donor") / _moves(panel)).median())
    return changed(panel, "treated", lambda y: y[: len(panel.pre)].mean() + factor * (y - y[: len(panel.pre)].mean()))


def _moves(panel: bs.Panel):
    before = panel.treated_outcome.sel(time=panel.pre.to_numpy())
    return np.abs(before - before.mean())


def pure_noise(seed: int) -> bs.Panel:
    series = np.random.default_rng(seed).standard_normal((15 + POST, 61))
    names = ["treated", *(f"donor_{j:02d}" for j in range(1, 61))]
    return bs.Panel.from_wide(pd.DataFrame(series, columns=names), treated="treated", start=15)


def spoiled(seed: int, path: np.ndarray) -> bs.Panel:
    """The donor of the largest true weight moves from ``start`` on, in its own pre-period standard deviations."""
    found = bs.simulate(pre=PRE, post=POST, random_seed=seed)
    added = np.append(np.zeros(PRE), path)
    return changed(found.panel, str(found.weights.idxmax()), lambda y: y + y[:PRE].std() * added)


DESIGNS = (
    Planted("clean: 20 donors, 40 periods", simulated, ("screen", *FITTED)),
    Planted("clean: 60 donors, 15 periods", lambda seed: simulated(seed, 60, 15), ("screen", *FITTED)),
    Planted("above all donors", above, ("convex_hull",)),
    Planted("moves more than all donors", restless, ("convex_hull", "fit_quality")),
    Planted("60 donors of pure noise, 15 periods", pure_noise, ("overfitting", "fit_quality")),
    Planted("largest donor breaks at start by 1 sd", lambda seed: spoiled(seed, np.ones(POST)), ("screen",)),
    Planted("largest donor treated too, growing to 2 sd", lambda seed: spoiled(seed, np.linspace(0.2, 2, POST)), ("screen",)),
)  # fmt: skip


def alarms(design: Planted, seed: int) -> dict[str, bool]:
    """Whether each check that is asked says caution or fail."""
    panel, asked = design.draw(seed), design.asked
    found = {"screen": checks.screen(panel)} if "screen" in asked else {}
    if fitted := [name for name in asked if name != "screen"]:
        fit = bs.SyntheticControl(calibrate=False).fit(panel, random_seed=seed, **SMALL)
        found |= {check.name: check for check in checks.run(fit, only=fitted, progressbar=False)}
    return {name: check.verdict in ("caution", "fail") for name, check in found.items()}


def job(number: int, seed: int) -> tuple[str, dict[str, bool]]:
    warnings.simplefilter("ignore")
    # numba would take coverage.py beside this file for the package of that name.
    sys.modules.setdefault("coverage", None)  # type: ignore[arg-type]
    return DESIGNS[number].design, alarms(DESIGNS[number], seed)


def measured(replications: int, minutes: float) -> pd.DataFrame:
    """One row per design and check, seed by seed over all designs until the time is over."""
    end = time.monotonic() + 60 * minutes
    fast = [k for k, design in enumerate(DESIGNS) if design.asked == ("screen",)]
    slow = [k for k in range(len(DESIGNS)) if k not in fast]
    jobs = [(k, seed) for group in (fast, slow) for seed in range(replications) for k in group]
    pool = joblib.Parallel(n_jobs=joblib.cpu_count(), return_as="generator_unordered", pre_dispatch="n_jobs")
    found = pool(joblib.delayed(job)(*each) for each in itertools.takewhile(lambda _: time.monotonic() < end, jobs))
    flat = [(design, name, alarm) for design, answer in found for name, alarm in answer.items()]
    counts = pd.DataFrame(flat, columns=["design", "check", "alarm"]).groupby(["design", "check"])["alarm"]
    return counts.agg(["sum", "count"]).reset_index()


if __name__ == "__main__":
    size, limit = (int(word) for word in (sys.argv[1:] or ["100", "60"]))
    rows = [
        {"design": row.design, "check": f"`{row.check}`", "alarms": f"{row.total} of {row.runs}"}
        for row in measured(size, limit).rename(columns={"sum": "total", "count": "runs"}).itertuples()
    ]
    write_between("checks.md", "checks", f"{table(rows)}\n\n{footer('python tests/benchmarks/checks.py')}")
