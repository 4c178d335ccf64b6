"""Do claims of plans hold in a future that nobody has seen, for a fixed set and for a winner?

Every replication simulates a panel, plans its first periods, and judges the last ones, with effects
of half, once and twice the detectable one added. One set is fixed beforehand; the other is the
winner of all pairs of eight units (28 sets), which claims by windows that took no part in choosing.
``python tests/benchmarks/plan_claims.py rows FILE.jsonl --replications 200`` goes on where it
stopped (a replication takes about a minute of one core); ``... page FILE.jsonl`` prints the table.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_synth as bs

UNITS, PAST, LENGTH = 20, 60, 6
ABLE = 8
RULE = bs.rules.Interval(0.9)
FACTORS = (0.5, 1.0, 2.0)


def world(seed: int) -> pd.DataFrame:
    """Two common walks with loadings of each unit, walks of its own and noise."""
    rng = np.random.default_rng([seed, 19])
    shape = PAST + LENGTH, UNITS
    common_part = np.cumsum(rng.standard_normal((shape[0], 2)), axis=0)
    own = np.cumsum(0.2 * rng.standard_normal(shape), axis=0) + 0.7 * rng.standard_normal(shape)
    values = 100 + common_part @ rng.uniform(0.3, 1.2, (2, UNITS)) + own
    return pd.DataFrame(values, columns=[f"u{k:02d}" for k in range(UNITS)])


def judged(plan: bs.Plan, table: pd.DataFrame, seed: int) -> dict:
    """What the plan claims at multiples of its detectable effect, and what the future shows."""
    least = plan.detectable()
    panel = plan.panel(bs.History.from_wide(table), start=PAST)
    fit = bs.SyntheticControl().fit(panel, random_seed=seed, progressbar=False)
    post = panel.post.to_numpy()
    region = RULE.region(fit.counterfactual.sel(time=post).mean("time").to_numpy().ravel())
    seen = float(panel.outcomes.sel(unit=list(panel.treated), time=post).mean())
    claims = [plan.power(factor * least) for factor in FACTORS]
    found = [bool(seen * (1 + factor * least) > region.high) for factor in FACTORS]
    zero = bool(region.found(seen))
    return {"detectable": least, "claimed": claims, "found": found, "false_positive": zero}


def replication(seed: int) -> dict:
    """Judge a fixed set and a winner in one simulated panel."""
    table, began = world(seed), time.process_time()
    history = bs.History.from_wide(table.iloc[:PAST])
    options = {"periods": LENGTH, "rule": RULE, "random_seed": seed, "progressbar": False}
    fixed = bs.SyntheticControl().plan(history, ["u00", "u01"], starts=4, cores=1, **options)
    choice = bs.choose_treated(
        history,
        sizes=2,
        effect=fixed.detectable(),
        exclude=list(table.columns[ABLE:]),
        starts=6,
        most=3,
        cores=1,
        **options,
    )
    first = choice.table.iloc[0]
    return {
        "seed": seed,
        "fixed": judged(fixed, table, seed),
        "winner": judged(choice.best, table, seed),
        "when_chosen": float(first["power_when_chosen"]),
        "since": float(first["power"]),
        "seconds": time.process_time() - began,
    }


def rows(file: Path, replications: int) -> None:
    """Run the replications that the file does not hold yet."""
    done = {json.loads(line)["seed"] for line in file.open()} if file.exists() else set()
    for seed in range(replications):
        if seed not in done:
            row = replication(seed)
            with file.open("a") as out:
                out.write(json.dumps(row) + "\n")
            print(seed, round(row["seconds"]), flush=True)


def page(file: Path) -> None:
    """Print the table: claimed, found, and the Monte Carlo error of their difference."""
    runs = [json.loads(line) for line in file.open()]
    print(f"{len(runs)} replications\n")
    print("| set | effect / detectable | claimed | found | difference |")
    print("| --- |" + " --- |" * 4)
    for who in ("fixed", "winner"):
        for k, factor in enumerate(FACTORS):
            claimed = np.array([run[who]["claimed"][k] for run in runs])
            found = np.array([run[who]["found"][k] for run in runs], dtype=float)
            gap, error = claimed - found, (claimed - found).std() / np.sqrt(len(runs))
            cells = f"{claimed.mean():.3f} | {found.mean():.3f} | {gap.mean():+.3f} ({error:.3f})"
            print(f"| {who} | {factor:g} | {cells} |")
        zero = np.mean([run[who]["false_positive"] for run in runs])
        error = np.sqrt(zero * (1 - zero) / len(runs))
        print(f"| {who} | 0 | 0.100 | {zero:.3f} | {0.1 - zero:+.3f} ({error:.3f}) |")
    chosen, since = (np.mean([run[name] for run in runs]) for name in ("when_chosen", "since"))
    print(f"\nPower of the winner when chosen {chosen:.3f}, on windows held back {since:.3f}.")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("order", choices=["rows", "page"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--replications", type=int, default=200)
    given = parser.parse_args()
    if given.order == "rows":
        rows(given.file, given.replications)
    else:
        page(given.file)
