"""How often intervals of the average over several treated units hold what they say.

Donors are untreated, so placebo sets have a true effect of zero. Each set is judged by the kappa
that the sets without any of its donors teach. Three ways are compared on the same sets: shocks of
donors in common (what the library does), independent units, and, where all start at once, the mean
of the units as one treated series.

    python tests/benchmarks/placebo_sets.py DATA FOLDER [panel ...]

``DATA`` holds the public panels; rows already in ``FOLDER`` are kept, so it can be stopped. The
word ``held-out`` stands for the panels on which no threshold was chosen.
"""

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

import bayes_synth as bs
from bayes_synth.fitting.placebos import placebo_answer
from bayes_synth.model.forecast_error import summarise
from bayes_synth.model.problem import Problem
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.study.evidence import (
    SetAverage,
    SetEvidence,
    learn_averages,
    learn_from_sets,
    window_factors,
)
from bayes_synth.study.members import refit_sets
from bayes_synth.study.overlap import correlation_of_averages
from bayes_synth.study.sets import placebo_sets, set_size

SIZES = (4, 8, 2)
SCHEMES = ("common", "staggered")
SEED = 1
HELD_OUT = ("texas", "castle", "basque", "hongkong", "unemployment", "ppi")
"""Panels that were not there when the threshold of R057 was chosen; the others are the default."""


def donors_of(data: Path, name: str) -> tuple[pd.DataFrame, int]:
    """Outcomes of units that are never treated, times by units, and the number of pre-periods."""
    if name == "prop99":
        panel = bs.load_dataset("prop99")
        return panel.donor_outcomes.to_pandas(), len(panel.pre)
    if name == "germany":
        frame = pd.read_csv(data / "staggered_germany.csv")
        table = frame.pivot_table(index="year", columns="country", values="gdp")
        return table.drop(columns=["West Germany", "Italy"]), 31
    if name == "turnout":
        frame = pd.read_csv(data / "staggered_turnout.csv")
        table = frame.pivot_table(index="year", columns="abb", values="turnout")
        ever = frame.groupby("abb")["policy_edr"].max()
        return table[ever.index[ever == 0]].dropna(axis=1), 16
    if name == "bargaining":
        frame = pd.read_csv(data / "staggered_bargaining.csv")
        frame = frame[~frame["State"].isin(["DC", "WI"]) & frame["year"].between(1959, 1997)]
        table = frame.pivot_table(index="year", columns="State", values="lnppexpend")
        ever = frame.groupby("State")["CBrequired_SY"].max()
        return table[ever.index[ever == 0]].dropna(axis=1), 18
    if name in HELD_OUT:
        return held_out(data, name)
    if name != "geolift":
        raise SystemExit(f"no panel is called {name!r}")
    frame = pd.read_csv(data / "geolift_test.csv")
    names = {c.lower(): c for c in frame.columns}
    unit, time, outcome = names["location"], names["date"], names["y"]
    table = frame.pivot_table(index=time, columns=unit, values=outcome)
    table.index = pd.to_datetime(table.index)
    return table.drop(columns=["chicago", "portland"]).iloc[:90], 75


def held_out(data: Path, name: str) -> tuple[pd.DataFrame, int]:
    """Panels on which no threshold was chosen."""
    if name in ("texas", "castle"):
        panel = bs.load_dataset(name)
        return panel.donor_outcomes.to_pandas(), len(panel.pre)
    file, time, unit, outcome, pre = {
        "basque": ("basque", "year", "regionname", "gdpcap", 20),
        "unemployment": ("unemployment", "month", "state", "rate", 84),
        "hongkong": ("growth_hongkong", "quarter", "country", "growth", 44),
        "ppi": ("growth_ppi", "month", "country", "growth", 84),
    }[name]
    frame = pd.read_csv(data / f"{file}.csv")
    frame = frame[~frame[unit].isin(["Spain (Espana)", "Basque Country (Pais Vasco)"])]
    table = frame.pivot_table(index=time, columns=unit, values=outcome).dropna(axis=1)
    if isinstance(table.index[0], str):
        table.index = pd.to_datetime(table.index)
    return table.iloc[: pre + max(8, pre // 4)], pre


def study_of(table: pd.DataFrame, pre: int, size: int, scheme: str) -> bs.Study:
    """A study whose donors are all of these units; its treated units only lend their starts."""
    spread = max(1, min(pre // 3, len(table) - pre - 2))
    places = {
        "common": [pre] * size,
        "staggered": [pre - spread // 2 + k * spread // max(1, size - 1) for k in range(size)],
    }[scheme]
    outcome = table.mean(axis=1) + 0.01 * table.std().mean() * np.sin(np.arange(len(table)))
    labels = [f"~role {k}" for k in range(size)]
    whole = table.assign(**dict.fromkeys(labels, outcome))
    whole = whole[sorted(whole.columns)]
    starts = {label: table.index[place] for label, place in zip(labels, places, strict=True)}
    return bs.Study(xr.DataArray(whole, dims=("time", "unit")), starts)


def pit(sets: list[SetAverage], chosen: int, plan: bs.Calibration) -> tuple[float, float]:
    """P(mean error of a set below what it was), by sets without its donors; and the evidence."""
    mine = {name.split(" (set ")[0] for name in sets[chosen].names}
    others = [s for s in sets if not mine & {name.split(" (set ")[0] for name in s.names}]
    donors = {name.split(" (set ")[0] for s in others for name in s.names}
    size = len(sets[chosen].names)
    power = min(1.0, max(1, len(donors) // size) / len(others)) if others else 1.0
    learnt, evidence = learn_averages(others, plan, power)
    return 1 - learnt.beyond(sets[chosen].score), evidence


def judged(each: list[tuple[float, list[SetAverage]]], plan: bs.Calibration) -> pd.DataFrame:
    """One row per set: its z-score under the likeliest prior on q, and the PIT over all of them."""
    rows = []
    for k in range(len(each[0][1])):
        pits, logs = zip(*(pit(sets, k, plan) for _, sets in each), strict=True)
        prior = plan.q_probabilities if len(each) > 1 else (1.0,)
        shares = special.softmax(np.log(prior) + np.array(logs))
        best = each[int(np.argmax(shares))][1][k]
        rows.append(
            {
                "pit": float(shares @ np.array(pits)),
                "z": best.score,
                "error": best.error.mean(),
                "mean_square": float(np.mean((best.error / best.width) ** 2)),
                "pairs": float(best.correlation.sum() / len(best.names) - 1),
                "names": " + ".join(best.names),
            }
        )
    return pd.DataFrame(rows)


def whole(evidence: SetEvidence, answers: dict) -> list[SetAverage]:
    """The same sets as if all of an error, not its shocks alone, came from what donors share."""
    found = []
    for each in evidence.sets:
        members = [answers[name, evidence.factor] for name in each.names]
        factors = [window_factors(member, evidence.growth) for member in members]
        sds = []
        for member, factor in zip(members, factors, strict=True):
            mean = factor / np.count_nonzero(factor)
            parts = [mean @ paths for paths in member.response.paths.values()]
            sds.append(float(np.sqrt(sum(part @ part for part in parts))))
        responses = [member.response for member in members]
        found.append(each._replace(correlation=correlation_of_averages(responses, sds, factors)))
    return found


def apart(sets: tuple[SetAverage, ...]) -> list[SetAverage]:
    """The same sets as if errors of units were independent."""
    return [s._replace(correlation=np.eye(len(s.error))) for s in sets]


def averaged_first(
    study: bs.Study,
    evidence: tuple[SetEvidence, ...],
    model: bs.SyntheticControl,
    settings: Settings,
) -> list[tuple[float, list[SetAverage]]]:
    """Refit the mean of each set's members as one treated series."""
    plan, answers = model.calibration, []
    panel = next(iter(study.panels.values()))
    groups = [tuple(n.split(" (set ")[0] for n in s.names) for s in evidence[0].sets]
    small = replace(settings, size=Size(84, 67, 2, 0.95))
    for one in evidence:
        rows = []
        for group in groups:
            units = [*study.donors]
            mean = bs.Panel(panel.outcomes.sel(unit=units), tuple(sorted(group)), panel.start)
            problem = Problem.of(model, mean).narrowed(one.factor)
            answer = placebo_answer(problem, small)
            ahead = 1.0 + np.arange(len(panel.post))
            rows.append(
                summarise(answer.forecast, ahead, one.growth)
                | {"doubt": answer.forecast.doubt, "step": answer.row["step"]}
            )
        table = pd.DataFrame(rows)
        width = (
            table["sd"]
            if len(table) < 2
            else plan.pooled({n: table[n] for n in ("sd", "step", "doubt")}, "sd", table)
        )
        answers.append(
            (
                one.factor,
                [
                    SetAverage(s.names, np.array([e]), np.array([w]), np.eye(1))
                    for s, e, w in zip(one.sets, table["error"], width, strict=True)
                ],
            )
        )
    return answers


def run(data: Path, name: str, size: int, scheme: str) -> Iterator[pd.DataFrame]:
    table, pre = donors_of(data, name)
    study = study_of(table, pre, size, scheme)
    model = bs.SyntheticControl()
    plan = model.calibration
    settings = Settings.checked(Size(), random_seed=SEED, cores=1)
    sets = placebo_sets(study, plan)
    refitting = refit_sets(study, model, plan, sets, settings)
    evidence = learn_from_sets(refitting, study, plan, sets.power)
    ways = {
        "shared shocks": [(e.factor, list(e.sets)) for e in evidence],
        "all shared": [(e.factor, whole(e, refitting.answers)) for e in evidence],
        "independent": [(e.factor, apart(e.sets)) for e in evidence],
    }
    if scheme == "common":
        ways["average first"] = averaged_first(study, evidence, model, settings)
    for way, each in ways.items():
        yield judged(each, plan).assign(panel=name, size=size, scheme=scheme, way=way)


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage, with its Monte Carlo error as if sets were independent, and the variance of z."""

    def one(part: pd.DataFrame) -> pd.Series:
        inside = {p: ((part["pit"] - 0.5).abs() <= p / 2) for p in (0.5, 0.8, 0.95)}
        # Against the members' own mean square on the same panel, so that kappa drops out.
        by = part.groupby(["panel", "size", "scheme"])
        variance = float((by["z"].apply(lambda z: np.mean(z**2)) / by["mean_square"].mean()).mean())
        return pd.Series(
            {"sets": len(part)}
            | {f"{p:.0%}": hit.mean() for p, hit in inside.items()}
            | {"error at 95%": np.sqrt(0.95 * 0.05 / len(part)), "variance": variance}
        )

    groups = rows.groupby(["way", "scheme", "size"])
    return pd.DataFrame({key: one(part) for key, part in groups}).T


def main(data: Path, folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for size in SIZES:
        for name in names:
            for scheme in SCHEMES:
                target = folder / f"{name}_{size}_{scheme}.csv"
                donors = donors_of(data, name)[0].shape[1]
                if target.exists() or set_size(size, donors) < size:
                    continue
                pd.concat(run(data, name, size, scheme)).to_csv(target, index=False)
                print(target.name, flush=True)
    rows = pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))])
    print(table_of(rows).round(3).to_string())


if __name__ == "__main__":
    # numba imports coverage where there is one, and a script of that name lies beside this one.
    sys.path.remove(str(Path(__file__).parent))
    named = [n for word in sys.argv[3:] for n in (HELD_OUT if word == "held-out" else [word])]
    chosen = named or ["bargaining", "prop99", "turnout", "germany", "geolift"]
    main(Path(sys.argv[1]), Path(sys.argv[2]), chosen)
