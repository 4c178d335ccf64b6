"""How often the checks catch a planted problem, how often they cry wolf, and what they cost.

The file keeps verdicts whatever the code: after a change to a check delete its lines.

``python tests/benchmarks/checks.py --simulations 100 --store FILE`` adds what is missing to the
file, one JSON object a line, and writes the tables of ``docs/checks.md``; ``--cost`` times the
checks on Proposition 99 instead.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import xarray as xr
from common import caution, footer, load, write_between

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.checks import refits
from bayes_synth.data.validation import locked

COMMAND = "tests/benchmarks/checks.py"
PRE, POST, NEAR = 40, 10, 8
UNSEEN = 1000
"""Thresholds were set on smaller seeds."""
REFITTING = ("leave_one_out", "backdating", "placebo_in_space", "anticipation", "prior_sensitivity")
LOOKING = (
    "fit_quality",
    "overfitting",
    "convex_hull",
    "likeness",
    "concentration",
    "detectable",
    "hidden_bias",
)
CALIBRATED = bs.SyntheticControl(calibrate=bs.Calibration(draws=200, tune=200))
SMALL = {"draws": 500, "tune": 500, "chains": 2, "cores": 1, "progressbar": False}


class Drawn(NamedTuple):
    """A panel without an effect, and the true weights of its donors."""

    panel: bs.Panel
    weights: pd.Series


def solid(seed: int) -> Drawn:
    """Thirty donors on two factors; the treated unit averages the eight nearest to a typical one.

    Its gap before treatment is .09 of its sd in the median panel (quartiles .07 and .11); in the
    six public panels the error of demeaned simplex least squares is .01 to .19 of it, .09 at the
    median.
    """
    rng = np.random.default_rng(seed)
    panel = bs.simulate(
        donors=30, factors=2, pre=PRE, post=POST, noise=0.5, active=1, random_seed=rng
    ).panel
    donors = panel.donor_outcomes.to_pandas()
    moves = donors[:PRE] - donors[:PRE].mean()
    typical = (moves**2).mean().rank().sub(len(moves.columns) / 2).abs().idxmin()
    near = (moves.sub(moves[typical], axis=0) ** 2).mean().nsmallest(NEAR).index
    weights = pd.Series(0.0, donors.columns)
    weights[near] = rng.dirichlet(np.full(NEAR, 2.0))
    treated = donors @ weights + 0.5 * rng.standard_normal(PRE + POST)
    return Drawn(
        bs.Panel.from_wide(donors.assign(treated=treated), treated="treated", start=PRE), weights
    )


def few_periods(seed: int) -> bs.Panel:
    return bs.simulate(donors=60, pre=15, post=POST, random_seed=seed).panel


def pure_noise(seed: int) -> bs.Panel:
    series = np.random.default_rng(seed).standard_normal((15 + POST, 61))
    names = ["treated", *(f"donor_{j:02d}" for j in range(1, 61))]
    return bs.Panel.from_wide(pd.DataFrame(series, columns=names), treated="treated", start=15)


def changed(panel: bs.Panel, unit: str, path: np.ndarray) -> bs.Panel:
    """The panel with a path added to one unit, in units of its own sd before the start."""
    sd = float(panel.outcomes.sel(unit=unit, time=panel.pre.to_numpy()).std())
    return added(
        panel, unit, xr.DataArray(sd * path, dims="time", coords={"time": panel.outcomes["time"]})
    )


def added(panel: bs.Panel, unit: str, extra: xr.DataArray | float) -> bs.Panel:
    """The panel with outcomes added to one unit: a number, or one per time."""
    outcomes = panel.outcomes + extra * (panel.outcomes["unit"] == unit)
    return replace(panel, outcomes=locked(outcomes.transpose("time", "unit")))


def steps(first: int) -> np.ndarray:
    """Zero, and one from period ``first`` on."""
    return (np.arange(PRE + POST) >= first).astype(float)


def ramp(first: int) -> np.ndarray:
    """From zero to one over as many periods as the post-period has, and one from then on."""
    return np.clip((np.arange(PRE + POST) - first + 1) / POST, 0, 1)


def anticipates(seed: int) -> bs.Panel:
    return changed(solid(seed).panel, "treated", 0.5 * steps(PRE - PRE // 10))


def drifts(seed: int) -> bs.Panel:
    return changed(solid(seed).panel, "treated", 0.5 * ramp(PRE - POST))


def contaminated(seed: int) -> bs.Panel:
    made = solid(seed)
    return changed(made.panel, made.weights.idxmin(), 2.0 * steps(PRE))


def breaks(seed: int) -> bs.Panel:
    made = solid(seed)
    return changed(made.panel, made.weights.idxmax(), steps(PRE))


def grows(seed: int) -> bs.Panel:
    made = solid(seed)
    return changed(made.panel, made.weights.idxmax(), 2.0 * ramp(PRE))


def above(seed: int) -> bs.Panel:
    panel = solid(seed).panel
    top = float((panel.donor_outcomes.max("donor") - panel.treated_outcome).max())
    return added(panel, "treated", top + 10)


def restless(seed: int) -> bs.Panel:
    """A unit whose moves about its mean are stretched until no donor moves as far."""
    panel = solid(seed).panel
    before = panel.outcomes.sel(time=panel.pre.to_numpy())
    moves, mean = np.abs(before - before.mean("time")), before.sel(unit="treated").mean()
    own = panel.outcomes.sel(unit="treated")
    factor = 1.5 * (moves.drop_sel(unit="treated").max("unit") / moves.sel(unit="treated")).median()
    return added(panel, "treated", (factor - 1) * (own - mean).drop_vars("unit"))


class Planted(NamedTuple):
    """A design, how its panels are drawn, the checks meant for it, and the model that is fitted."""

    design: str
    draw: Callable[[int], bs.Panel]
    asked: tuple[str, ...]
    model: bs.SyntheticControl = CALIBRATED


PLAIN = bs.SyntheticControl(calibrate=False)
DESIGNS = (
    Planted(
        "clean: a solid study", lambda seed: solid(seed).panel, ("screen", *LOOKING, *REFITTING)
    ),
    Planted(
        "anticipation: half a sd from four periods before start on", anticipates, ("anticipation",)
    ),
    Planted("drift: half a sd over ten periods before start", drifts, ("backdating",)),
    Planted(
        "contaminated donor: two sd from start on", contaminated, ("screen", "placebo_in_space")
    ),
    Planted("largest donor breaks at start by one sd", breaks, ("screen", "placebo_in_space")),
    Planted("largest donor treated too: growing to two sd", grows, ("screen", "placebo_in_space")),
    Planted("above all donors", above, ("convex_hull",), PLAIN),
    Planted("moves more than all donors", restless, ("convex_hull",), PLAIN),
    Planted(
        "60 donors of pure noise, 15 periods", pure_noise, ("overfitting", "fit_quality"), PLAIN
    ),
    Planted(
        "clean, few periods: 60 donors, 15 periods, three with weight",
        few_periods,
        ("screen", *LOOKING),
        PLAIN,
    ),
)


def answers(number: int, seed: int) -> dict[str, Any]:
    """The verdicts of the checks meant for one planted problem in one simulation."""
    design, began = DESIGNS[number], time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        panel = design.draw(seed)
        fit = design.model.fit(panel, random_seed=seed, **SMALL)
        found = {name: _asked(name, fit) for name in design.asked}
    refits.KNOWN.clear()
    verdicts = {name: answer.verdict for name, answer in found.items()}
    seconds = round(time.process_time() - began, 2)
    return {"design": design.design, "seed": seed, "verdicts": verdicts, "cpu_seconds": seconds}


def _asked(name: str, fit: bs.Fit) -> checks.Check:
    if name == "screen":
        return checks.screen(fit.panel)
    return getattr(checks, name)(fit, **({"progressbar": False} if name in REFITTING else {}))


def collected(store: Path, seeds: range, only: list[str]) -> list[dict[str, Any]]:
    """Run the simulations that the store lacks, one by one; return them all."""
    done = [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []
    known = {(row["design"], row["seed"]) for row in done}
    jobs = (
        joblib.delayed(answers)(k, seed)
        for seed in seeds
        for k, design in enumerate(DESIGNS)
        if (design.design, seed) not in known and design.design.startswith(tuple(only))
    )
    pool = joblib.Parallel(
        n_jobs=joblib.cpu_count(), return_as="generator_unordered", pre_dispatch="n_jobs"
    )
    with store.open("a") as file:
        for row in pool(jobs):
            done.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
    return [row for row in done if row["seed"] >= UNSEEN]


def tables(done: list[dict[str, Any]]) -> str:
    """Alarms by planted problem and check; where two checks are meant for one, also of either."""
    lines = [
        "| design | check | not applicable | caution | fail | alarms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for design in DESIGNS:
        rows = [row["verdicts"] for row in done if row["design"] == design.design]
        lines += [f"| {design.design} | {line} |" for line in _lines(rows, design)]
    return "\n".join(lines)


def _lines(rows: list[dict[str, str]], design: Planted) -> Iterator[str]:
    for name in design.asked:
        answers = [row[name] for row in rows]
        none, cautions, fails = (
            answers.count(verdict) for verdict in ("not applicable", "caution", "fail")
        )
        counts = " | ".join(str(count or "") for count in (none, cautions, fails))
        yield f"`{name}` | {counts} | {cautions + fails} of {len(rows)}"
    if len(design.asked) == 2:
        either = sum(bool({"caution", "fail"} & set(row.values())) for row in rows)
        yield f"either | | | | {either} of {len(rows)}"


def cost() -> str:
    """Seconds of every check on Proposition 99, by the clock and of the processor."""
    busy, began = load(), (time.perf_counter(), time.process_time())
    fit = bs.SyntheticControl().fit(bs.load_dataset("prop99"), random_seed=1, progressbar=False)
    lines = [
        "| on Proposition 99 | refits | clock, s | processor, s |",
        "| --- | --- | --- | --- |",
    ]
    for name in ("fit", *LOOKING, *REFITTING):
        before = len(refits.KNOWN.get(fit, ()))
        if name != "fit":
            _asked(name, fit)
        ended = time.perf_counter(), time.process_time()
        clock, processor = ended[0] - began[0], ended[1] - began[1]
        refitted = "38 (calibration)" if name == "fit" else len(refits.KNOWN.get(fit, ())) - before
        lines.append(f"| `{name}` | {refitted} | {clock:.1f} | {processor:.1f} |")
        began = ended
        print(lines[-1], flush=True)
    return caution(busy) + "\n".join([*lines, "", footer(f"python {COMMAND} --cost")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--first", type=int, default=UNSEEN, help="seed of the first")
    parser.add_argument("--only", nargs="*", default=[""], help="run only designs that begin so")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    if options.cost:
        write_between("checks.md", "checks-cost", cost())
    if options.store:
        found = tables(
            collected(
                options.store,
                range(options.first, options.first + options.simulations),
                options.only,
            )
        )
        write_between(
            "checks.md",
            "checks",
            f"{found}\n\n{footer(f'python {COMMAND} --simulations N --store FILE')}",
        )


if __name__ == "__main__":
    main()
