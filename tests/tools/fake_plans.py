"""Histories and plans without a fit: their draws come from numpy."""

import numpy as np
import pandas as pd
import xarray as xr

import bayes_synth as bs
from bayes_synth.planning.before import Before
from bayes_synth.planning.cells import CellPlan
from bayes_synth.planning.contrast import Contrast
from bayes_synth.planning.difference import Gap
from bayes_synth.planning.operating import Window
from bayes_synth.results.fit_verdict import FitVerdict


def walks(units=12, times=60, *, seed=0, dates=False) -> pd.DataFrame:
    """Random walks around 100 that share a common part, one column per unit."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.standard_normal((times, 1)), axis=0)
    own = np.cumsum(0.2 * rng.standard_normal((times, units)), axis=0)
    index = pd.date_range("2024-01-01", periods=times) if dates else pd.RangeIndex(times)
    values = 100 + common + own + 0.3 * rng.standard_normal((times, units))
    return pd.DataFrame(values, index=index, columns=[f"u{k:02d}" for k in range(units)])


def fake_history(**options) -> bs.History:
    return bs.History.from_wide(walks(**options), outcome="sales")


def fake_plan(
    *, periods=(5, 10), starts=(30, 38, 46), sd=2.0, effects=(0.05,), rule=None, seed=0, **fields
) -> bs.Plan:
    """A plan whose counterfactuals are normal around the observed mean."""
    history = fields.pop("history", None) or fake_history(dates=True)
    rng = np.random.default_rng(seed)
    rule, treated = rule or bs.rules.Interval(0.9), fields.pop("treated", ("u00", "u01"))
    series, rows, draws = history.series(treated), [], []
    for length in periods:
        for start in starts:
            seen = float(series[start : start + length].mean())
            each = seen + sd * (rng.standard_normal((2, 250)) + 0.2 * rng.standard_normal())
            region = rule.region(each.ravel())
            rows.append(
                {
                    "start": history.times[start],
                    "periods": length,
                    "pre": start,
                    "observed": seen,
                    "median": float(np.median(each)),
                    "lower": region.low,
                    "upper": region.high,
                    "from_below": region.low / seen - 1,
                    "from_above": region.high / seen - 1,
                    "pit": 0.5,
                    "found": bool(region.found(seen)),
                    "kappa": 1.0,
                    "prior_influence": 0.05,
                    "placebos": 10,
                    "ok": True,
                }
            )
            draws.append(each)
    array = xr.DataArray(
        np.reshape(draws, (len(periods), len(starts), 2, 250)),
        dims=("periods", "start", "chain", "draw"),
        coords={"periods": list(periods), "start": history.times[list(starts)].to_numpy()},
    )
    audit = pd.DataFrame(
        [
            [unit, history.times[s], d, 100.0, 100.0, sd, 0.5, rng.random() < 0.1, True]
            for unit in history.units[2:]
            for s in starts
            for d in periods
        ],
        columns=[
            "unit",
            "start",
            "periods",
            "observed",
            "median",
            "spread",
            "pit",
            "found",
            "held",
        ],
    )
    donors = pd.Index(history.units[2:], name="donor", dtype=object)
    weights = pd.DataFrame(
        {"mean": 0.1, "sd": 0.1, "lower": 0.0, "upper": 0.3, "core": True}, index=donors
    )
    path = pd.DataFrame({"observed": series, "synthetic": series + 0.1}, index=history.times)
    before = Before(weights, FitVerdict(1.0, 3.0, 6, {"s": 0.5}), path.rename_axis("time"))
    return bs.Plan(
        history,
        bs.SyntheticControl(),
        treated,
        rule,
        pd.DataFrame(rows),
        array,
        audit,
        before,
        effects=tuple(effects),
        record={"random_seed": 1},
        **fields,
    )


def fake_choice(*, cost: float = np.nan) -> bs.Choice:
    """Two finalists of two lengths, and a set that the budget removed.

    With a cost per unit and period, they can be drawn by it.
    """
    plans = {
        units: fake_plan(treated=units, sd=sd, history=fake_history(dates=True))
        for units, sd in ((("u00", "u01"), 1.0), (("u02",), 3.0))
    }
    rows = [
        {
            "units": units,
            "size": len(units),
            "periods": length,
            "rank": rank,
            "tied": rank == 1,
            "power_when_chosen": 1.0 - 0.2 * rank,
            "power_when_chosen_error": 0.05,
            **plan.table.loc[
                length, ["power", "detectable_up", "detectable_down", "width_share", "share"]
            ],
            "cost": cost * len(units) * length,
            "verdict": plan.verdict,
        }
        for rank, (units, plan) in enumerate(plans.items(), 1)
        for length in plan.periods
    ]
    table = pd.DataFrame(rows)
    table.attrs["ranked_by"] = "power"
    left_out = pd.DataFrame(
        [[3, "u03 + u04", 120.0]], ["budget"], ["sets", "example", "nearest"]
    ).rename_axis("constraint")
    times = next(iter(plans.values())).history.times
    return bs.Choice(table, plans, left_out, (40, 6), (tuple(times[[30]]), tuple(times[[38, 46]])))


def fake_cells() -> CellPlan:
    """Two cells of a unit each, and what can be said of their difference."""
    history = fake_history(dates=True)
    plans = {
        name: fake_plan(treated=(unit,), history=history, periods=(7,))
        for name, unit in {"search": "u00", "social": "u01"}.items()
    }
    gaps = tuple(Gap(0.02, 0.001 * k) for k in range(3))
    apart = tuple(Window(np.random.default_rng(k).normal(0, 0.02, 500), 0.0) for k in range(3))
    audit = pd.DataFrame(
        {
            "units": ["u02 - u03", "u04 - u05"],
            "start": history.times[30],
            "seen": 0.0,
            "found": False,
        }
    )
    members, rule = (("u00",), ("u01",)), bs.rules.Interval(0.9)
    kappa = (1.0, 1.0, 1.0)
    contrast = Contrast(("search", "social"), 7, apart, rule, False, gaps, kappa, audit, members)
    return CellPlan(plans, {("search", "social", 7): contrast})


def windows(count=3, *, seed=0, sd=2.0, draws=1000) -> list[Window]:
    rng = np.random.default_rng(seed)
    return [Window(100 + k + sd * rng.standard_normal(draws), 100.0 + k) for k in range(count)]


def legend_of(plot) -> list[str]:
    """Return the words of a picture's legend, as the backend "none" records them."""
    panels = plot(backend="none").viz["plot"].data_vars.values()
    drawn = [each for panel in panels for each in panel.item()]
    return next(each["labels"] for each in drawn if each.get("function") == "legend")
