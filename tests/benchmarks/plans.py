"""Do plans keep their word? False positives at zero, and the power that was claimed.

Every unit of a panel is treated in past windows, calibrated on the others, and judged by the rule:
whatever is found there is a false positive. The power that the first windows claim is compared with
what is found in the last one when the effect is added there; of the unit that the first windows
choose, too. ``python tests/benchmarks/plans.py rows FOLDER`` samples (it goes on where it stopped),
``python tests/benchmarks/plans.py page FOLDER`` prints the tables of ``docs/planning.md``.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_synth as bs
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.planning.audit import rate_of
from bayes_synth.planning.bank import bank_of, shared_bank_panel
from bayes_synth.planning.pretend import placebo_tests
from bayes_synth.planning.starts import past_starts
from bayes_synth.sampling.settings import Settings, Size

EFFECTS = (0.01, 0.025, 0.05, 0.1, 0.2)


def real(name: str) -> tuple[bs.History, list[int]]:
    """A public panel before anybody was treated, and the lengths to judge."""
    if name == "geolift":
        file = Path(os.environ["BAYES_SYNTH_DATA"]) / "geolift_pretest.csv"
        frame = pd.read_csv(file, parse_dates=["date"])
        frame = frame[~frame["location"].isin(["chicago", "portland"])]
        return bs.History.from_long(frame, unit="location", time="date", outcome="Y"), [5, 15]
    panel = bs.load_dataset(name)
    frame = pd.DataFrame(
        panel.donor_outcomes.to_numpy(), index=panel.times, columns=list(panel.donors)
    ).loc[: panel.pre[-1]]
    return bs.History.from_wide(frame, outcome=panel.outcome), [2, 3, 5] if len(frame) > 12 else [
        1,
        2,
    ]


def simulated(name: str, seed: int) -> tuple[bs.History, list[int]]:
    """Thirty units over sixty periods: factors and iid noise, walks, or calm and wild AR(1)."""
    rng = np.random.default_rng([seed, ["factors", "walks", "mixed"].index(name)])
    units, times = 30, 60
    shocks = rng.standard_normal((times, units))
    common = np.cumsum(rng.standard_normal((times, 2)), axis=0) @ rng.uniform(0.3, 1.2, (2, units))
    if name == "factors":
        own = shocks
    elif name == "walks":
        own = 0.5 * shocks + np.cumsum(0.3 * rng.standard_normal((times, units)), axis=0)
    else:
        own, rho = np.zeros((times, units)), rng.uniform(0, 0.9, units)
        for t in range(1, times):
            own[t] = rho * own[t - 1] + rng.uniform(0.5, 2, units) * shocks[t]
    table = pd.DataFrame(100 + common + own, columns=[f"u{k:02d}" for k in range(units)])
    return bs.History.from_wide(table), [3, 12]


def worlds() -> Iterator[tuple[str, bs.History, list[int], int]]:
    """Panels in the order in which they are sampled, each with its number of starts."""
    yield "Texas", *real("texas"), 3
    yield "Prop 99", *real("prop99"), 7
    yield "GeoLift", *real("geolift"), 7
    for seed in range(6):
        for name in ("factors", "walks", "mixed"):
            yield f"{name} {seed}", *simulated(name, seed), 4


def rows(folder: Path) -> None:
    """Sample every world that the folder does not hold yet."""
    model = bs.SyntheticControl()
    for name, history, lengths, count in worlds():
        file = folder / f"{name}.csv"
        if file.exists():
            continue
        settings = Settings.checked(Size(500, 500, 2), cores=1, random_seed=20261128)
        starts = past_starts(history, count, max(lengths))
        table = []
        for start in starts:
            panels = {start: shared_bank_panel(history, 1, start, max(lengths))}
            bank = bank_of(model, panels, lengths, settings, history.times)
            for length in lengths:
                scale = outcome_scale(model.scale)
                for label, window in placebo_tests(bank, start, length, scale, 1):
                    table.append(row(name, label, start, length, window))
        pd.DataFrame(table).to_csv(file, index=False)
        print(name, len(table), flush=True)


def row(name, label, start, length, window) -> dict:
    """One pretend test: what was observed, the thresholds, and the power claimed per effect."""
    ends = dict(zip(("q025", "q05", "q95", "q975"), (0.025, 0.05, 0.95, 0.975), strict=True))
    quantiles = {key: float(np.quantile(window.draws, p)) for key, p in ends.items()}
    power = {
        f"power_{effect:g}": float((window.draws * (1 + effect) > quantiles["q95"]).mean())
        for effect in EFFECTS
    }
    facts = {"panel": name, "unit": label, "start": start, "periods": length}
    return facts | {"observed": window.observed, "median": window.median} | quantiles | power


def page(folder: Path) -> None:
    """Print the tables."""
    table = pd.concat([pd.read_csv(file) for file in sorted(folder.glob("*.csv"))])
    table["kind"] = table["panel"].str.replace(r" \d$", "", regex=True)
    print(false_positives(table), "\n")
    print(claimed(table), "\n")
    print(winners(table))


def false_positives(table: pd.DataFrame) -> str:
    """The share of windows in which an effect was found, where nobody was treated."""
    lines = [
        "| panel | periods | pretend tests | nominal 10 % | nominal 5 % |",
        "| --- |" + " --- |" * 4,
    ]
    groups = [*table.groupby(["kind", "periods"]), (("all", ""), table)]
    for (kind, periods), part in groups:
        cells = []
        for low, high in (("q05", "q95"), ("q025", "q975")):
            found = (part["observed"] > part[high]) | (part["observed"] < part[low])
            unit = (part["panel"] + part["unit"]).tolist()
            window = (part["panel"] + part["start"].astype(str)).tolist()
            rate = rate_of(found.tolist(), unit, window)
            cells.append(f"{rate.share:.3f} ({rate.error:.3f})")
        lines.append(f"| {kind} | {periods} | {len(part)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def split(part: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Windows before the last start of a panel, and those of the last."""
    last = part.groupby("panel")["start"].transform("max")
    return part[part["start"] < last], part[part["start"] == last]


def claimed(table: pd.DataFrame) -> str:
    """Power that earlier windows claim, and the share found in the last one, by its size."""
    lines = [
        "| claimed power | claims | claimed | found later | difference |",
        "| --- |" + " --- |" * 4,
    ]
    before, after = split(table)
    keys = ["panel", "unit", "periods"]
    mean = before.groupby(keys)[[f"power_{e:g}" for e in EFFECTS]].mean()
    last = after.set_index(keys)
    pairs = []
    for effect in EFFECTS:
        name = f"power_{effect:g}"
        found = (last["observed"] * (1 + effect) > last["q95"]).rename("found")
        both = mean[[name]].join(found, how="inner").rename(columns={name: "claimed"})
        pairs.append(both.assign(effect=effect).reset_index())
    both = pd.concat(pairs)
    for low, high in ((0.05, 0.3), (0.3, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.01)):
        part = both[(both["claimed"] >= low) & (both["claimed"] < high)]
        if len(part) < 20:
            continue
        rate = rate_of(
            part["found"].tolist(), (part["panel"] + part["unit"]).tolist(), part["panel"].tolist()
        )
        gap = part["claimed"].mean() - rate.share
        lines.append(
            f"| {low:g} to {min(high, 1):g} | {len(part)} | {part['claimed'].mean():.3f} | "
            f"{rate.share:.3f} | {gap:+.3f} ({rate.error:.3f}) |"
        )
    return "\n".join(lines)


def winners(table: pd.DataFrame) -> str:
    """Of the unit with the most power in the first windows: claimed there, held back, and found."""
    lines = [
        "| effect | panels x lengths | claimed when chosen | claimed since | found later |",
        "| --- |" + " --- |" * 4,
    ]
    for effect in EFFECTS:
        name, chosen = f"power_{effect:g}", []
        for _, part in table.groupby(["panel", "periods"]):
            starts = sorted(part["start"].unique())
            if len(starts) < 3:
                continue
            early = part[part["start"].isin(starts[:-2])].groupby("unit")[name].mean()
            best = early.idxmax()
            held = part[(part["start"] == starts[-2]) & (part["unit"] == best)][name].mean()
            last = part[(part["start"] == starts[-1]) & (part["unit"] == best)].iloc[0]
            found = last["observed"] * (1 + effect) > last["q95"]
            chosen.append((early[best], held, found))
        if chosen:
            values = np.array(chosen, dtype=float)
            error = np.sqrt(values[:, 2].var() / len(values))
            means = [f"{value:.3f}" for value in values.mean(0)[:2]]
            found = f"{values[:, 2].mean():.3f} ({error:.3f})"
            lines.append(f"| {effect:g} | {len(values)} | {' | '.join(means)} | {found} |")
    return "\n".join(lines)


if __name__ == "__main__":
    order, where = sys.argv[1:]
    Path(where).mkdir(parents=True, exist_ok=True)
    {"rows": rows, "page": page}[order](Path(where))
