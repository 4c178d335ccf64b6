"""Do predictors, and square roots of counts, forecast donors better? Placebos of one fit per panel.

``python tests/benchmarks/predictor_rules.py`` fits each panel with each model for two seeds and
writes the tables into ``docs/predictors.md``. Every donor is refitted as if treated by the fit's
own calibration; errors are over the donor's standard deviation before the treatment. Answers are
kept, one line each, in a file under ``--store``.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import footer, stored, table, write_between
from real_panels import DATA, PANELS

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.fitting.refit import settled
from bayes_synth.sampling.settings import Settings

STORE = Path.home() / ".cache" / "bayes_synth" / "predictor_rules.jsonl"
SEEDS = (1, 2)
LEVELS = (0.5, 0.8, 0.95)
SIZE = {"draws": 500, "tune": 500, "chains": 4, "cores": 1, "progressbar": False}
SMOKING = bs.Predictors(
    ["lnincome", "age15to24", "retprice"],
    window=slice(1980, 1988),
    special={"beer": ("beer", slice(1984, 1988))},
)
SECTORS = ("agriculture", "energy", "industry", "construction", "services.venta")
SCHOOLS = ("school.illit", "school.prim", "school.med", "school.high")
REGIONS = bs.Predictors(
    [*SCHOOLS, "invest"],
    window=slice(1964, 1969),
    special={
        **{f"sec.{name}": (f"sec.{name}", slice(1961, 1969)) for name in SECTORS},
        "sec.services.nonventa": ("sec.services.nonventa", slice(1961, 1969)),
        "popdens": ("popdens", 1969),
    },
)
RULES: dict[str, Any] = {
    "none": None,
    "Matched(sd=1)": bs.predictors.Matched(sd=1.0),
    "Matched(sd=0.7)": bs.predictors.Matched(sd=0.7),
    "Matched(sd=0.5)": bs.predictors.Matched(),
    "Closeness(2)": bs.predictors.Closeness(),
}


def prop99(first: int = 1970) -> bs.Panel:
    frame = pd.read_csv(f"{DATA}/prop99.csv")
    return bs.Panel.from_long(
        frame[frame["year"] >= first],
        unit="state",
        time="year",
        outcome="cigsale",
        treated="California",
        start=1989,
        predictors=SMOKING,
    )


def basque(start: int) -> bs.Panel:
    frame = pd.read_csv(f"{DATA}/basque.csv")
    return bs.Panel.from_long(
        frame[frame["regionname"] != "Spain (Espana)"],
        unit="regionname",
        time="year",
        outcome="gdpcap",
        treated="Basque Country (Pais Vasco)",
        start=start,
        predictors=REGIONS,
    )


def counts(mean: float, seed: int = 1) -> bs.Panel:
    """Counts of 30 units, whose means follow two common walks and differ by a factor."""
    rng = np.random.default_rng(seed)
    walks = 0.08 * rng.standard_normal((60, 2)).cumsum(0)
    rates = mean * np.exp(walks @ rng.dirichlet([1, 1], 30).T + 0.5 * rng.standard_normal(30))
    names = ["treated", *(f"donor_{j:02d}" for j in range(29))]
    frame = pd.DataFrame(rng.poisson(rates).astype(float), columns=names)
    return bs.Panel.from_wide(frame.rename_axis("week"), treated="treated", start=45)


PREDICTED: dict[str, Callable[[], bs.Panel]] = {
    "Prop 99": prop99,
    "Prop 99, last 9 years": lambda: prop99(1980),
    "Basque 1970": lambda: basque(1970),
    "Basque 1975": lambda: basque(1975),
}
COUNTED: dict[str, Callable[[], bs.Panel]] = {
    "counts, mean 3": lambda: counts(3),
    "counts, mean 30": lambda: counts(30),
    "Prop 99 (wrong)": prop99,
    "Germany (wrong)": PANELS["Germany"],
}


def scored(
    panel: bs.Panel, model: bs.SyntheticControl, seed: int, *, roots: bool
) -> dict[str, Any]:
    """Return the placebos' root mean square errors, and coverage without the own z-score."""
    fit = model.fit(panel, random_seed=seed, **SIZE)
    sds = panel.donor_outcomes.to_pandas().iloc[: len(panel.pre)].std()
    errors = in_outcome_units(fit, seed) if roots else fit.calibration.table["error"]
    z = errors / sds[errors.index]
    coverage = checks.placebo_in_space(fit).table.attrs["coverage"]
    return {"rmse": float(np.sqrt((z**2).mean())), "coverage": [coverage[p] for p in LEVELS]}


def in_outcome_units(fit: bs.Fit, seed: int) -> pd.Series:
    """Return the placebos' average errors where the model's scale is another one."""
    plan = fit.model.calibration
    settings = Settings.checked(plan.size, cores=1, random_seed=seed, progressbar=False)
    errors = {}
    for donor in fit.panel.donors:
        refit = settled(fit.problem.as_if_treated([donor]), settings).value
        observed, path = refit.labelled(refit.path)
        errors[donor] = float((observed - path.median(("chain", "draw"))).mean())
    return pd.Series(errors)


def answers(store: Path) -> list[dict[str, Any]]:
    """Run what is not stored yet, one line each."""
    done = list(stored(store))
    known = {(row["panel"], row["model"], row["seed"]) for row in done}
    jobs = [
        job
        for seed in SEEDS
        for job in (
            *(
                (name, make, rule, bs.SyntheticControl(predictors=each), seed)
                for name, make in PREDICTED.items()
                for rule, each in RULES.items()
            ),
            *(
                (name, make, scale, bs.SyntheticControl(scale=scale), seed)
                for name, make in COUNTED.items()
                for scale in ("linear", "sqrt")
            ),
        )
    ]
    for name, make, label, model, seed in jobs:
        if (name, label, seed) in known:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = scored(make(), model, seed, roots=label in ("linear", "sqrt"))
            row = {"panel": name, "model": label, "seed": seed} | answer
        done.append(row)
        with store.open("a") as file:
            file.write(json.dumps(row) + "\n")
    return done


def rows(found: list[dict[str, Any]], panels: Any) -> list[dict[str, str]]:
    """One row per panel and model: error, its change against the first model, coverage.

    Changes compare the same seeds.
    """
    frame, out = pd.DataFrame(found), []
    for panel in panels:
        mine = frame[frame["panel"] == panel]
        errors = mine.pivot_table(index="seed", columns="model", values="rmse", sort=False)
        for model, each in mine.groupby("model", sort=False):
            cover = np.mean(each["coverage"].tolist(), axis=0)
            ratios = (errors[model] / errors.iloc[:, 0] - 1).dropna()
            change = " and ".join(f"{ratio:+.1%}" for ratio in ratios)
            first = model == errors.columns[0]
            row = {"panel": panel, "model": model, "error": f"{each['rmse'].mean():.3f}"}
            row["change by seed"] = "" if first else change
            held = zip(LEVELS, cover, strict=True)
            out.append(row | {f"held at {level:.0%}": f"{c:.2f}" for level, c in held})
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    store = options.store
    store.parent.mkdir(parents=True, exist_ok=True)
    found = list(stored(store)) if options.report else answers(store)
    command = footer("uv run python tests/benchmarks/predictor_rules.py")
    for mark, panels, models in (
        ("rules", PREDICTED, RULES),
        ("roots", COUNTED, ("linear", "sqrt")),
    ):
        kept = [row for row in found if row["model"] in models]
        write_between("predictors.md", mark, f"{table(rows(kept, panels))}\n\n{command}")


if __name__ == "__main__":
    main()
