"""Choosing units: constraints, what they remove, and windows that took no part in choosing."""

import os
from dataclasses import replace
from functools import partial
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_plans import fake_choice, fake_history, fake_plan, legend_of, walks

import bayes_synth as bs
from bayes_synth.errors import OptionError, PlanError
from bayes_synth.planning.candidates import Constraints, candidates
from bayes_synth.planning.choose import split_windows
from bayes_synth.planning.cost import share_of, volume_of
from bayes_synth.planning.pictures.cost import plot_cost
from bayes_synth.planning.request import Request
from bayes_synth.planning.screen import plug_in, screened


def found(history, sizes, effect=0.05, *, additive=False, **options):
    limits = Constraints.checked(history, sizes, options)
    return candidates(history, limits, effect, 5, additive=additive)


def test_every_set_of_every_size_is_listed_once():
    sets = found(fake_history(units=6), [1, 2]).sets
    assert len(sets) == len(set(sets)) == 6 + 15


def test_sets_hold_what_is_included_and_nothing_that_is_excluded():
    sets = found(fake_history(units=8), range(2, 4), include=["u03"], exclude=["u05"]).sets
    assert all("u03" in units and "u05" not in units for units in sets)
    assert len(sets) == 6 + 15


def test_every_constraint_says_what_it_removed():
    history = fake_history(units=8)
    half = np.median([volume_of(history, (u, v), 5) for u in ("u00",) for v in history.units[1:]])
    result = found(
        history,
        2,
        budget=float(0.05 * half * 2),
        cost_per_unit=2.0,
        apart=[("u00", "u01"), ("u02", "u03")],
        strata={u: "north" if u < "u04" else "south" for u in history.units},
        at_least={"north": 1},
    )
    removed = result.left_out["sets"]
    assert removed["apart"] == 2
    assert removed["at_least"] == 6
    assert len(result.sets) + removed.sum() == 28
    assert result.left_out.loc["budget", "nearest"] > 0.05 * half * 2
    assert all(0.1 * volume_of(history, s, 5) <= 0.1 * half for s in result.sets)


def test_the_nearest_share_is_the_one_that_almost_fits():
    history = fake_history(units=6)
    each = sorted(share_of(history, (unit,)) for unit in history.units)
    above = found(history, 1, share=(0.0, (each[0] + each[1]) / 2)).left_out
    below = found(history, 1, share=((each[-2] + each[-1]) / 2, 1.0)).left_out
    assert above.loc["share", "nearest"] == pytest.approx(each[1])
    assert below.loc["share", "nearest"] == pytest.approx(each[-2])


def test_effects_in_outcome_units_cost_what_the_plan_says():
    history = fake_history(units=6)
    # An effect of 3 on one unit over 5 periods at 2 each.
    assert len(found(history, 1, 3.0, additive=True, budget=30, cost_per_unit=2.0).sets) == 6
    with pytest.raises(PlanError, match=r"H019.*the nearest at 30"):
        found(history, 1, 3.0, additive=True, budget=29, cost_per_unit=2.0)
    plan = fake_plan(history=fake_history(units=6, dates=True), treated=("u00",), additive=True)
    assert plan.cost(per_unit=2.0, effect=3.0, periods=5) == 30


def test_a_budget_is_refused_without_an_effect_that_costs():
    with pytest.raises(PlanError, match=r"H025.*effect="):
        found(fake_history(units=6), 1, 0.0, budget=30, cost_per_unit=2.0)


def test_units_with_missing_outcomes_are_said_to_be_left_out():
    history = fake_history(units=6).exclude("u02", slice(10, 12))
    result = found(history, [1, 2])
    assert result.left_out.loc["missing outcomes"].tolist()[:2] == [6, "u02"]
    assert len(result.sets) + 6 == 6 + 15
    assert "missing outcomes" not in found(history, [1, 2], exclude=["u02"]).left_out.index


@pytest.mark.parametrize("option", ["never_donors", "exclude"])
def test_no_role_of_the_first_unit_keeps_others_from_being_chosen(option):
    history = fake_history(times=30).exclude("u01", slice(28, 29))
    with pytest.raises(PlanError, match="H027"):
        bs.choose_treated(history, sizes=2, periods=10, progressbar=False, **{option: ["u00"]})


def test_shares_bound_the_sets():
    history = fake_history(units=6)
    edge = share_of(history, ("u00",))
    sets = found(history, 1, share=(0.0, edge)).sets
    assert {share_of(history, s) <= edge for s in sets} == {True}


def test_many_sets_are_drawn_and_the_seed_decides_nothing_else():
    history = fake_history(units=30)
    result = found(history, [4])
    sets = result.sets
    assert len(sets) == len(set(sets)) == 4000
    assert sets == found(history, [4]).sets
    assert result.left_out.loc["not drawn", "sets"] == comb(30, 4) - 4000


@pytest.mark.parametrize(
    ("sizes", "options", "code"),
    [
        ([2], {"include": ["nowhere"]}, "H001"),
        ([2], {"exclude": ["nowhere"]}, "H001"),
        ([2], {"include": ["u01"], "exclude": ["u01"]}, "H009"),
        ([2], {"include": ["u01", "u02", "u03"]}, "H018"),
        ([2], {"include": ["u01", "u02"], "apart": [("u02", "u01")]}, r"H018.*u01 and u02"),
        ([0], {}, "H018"),
        ([], {}, "H018"),
        ([2.5], {}, "H018"),
        ([7], {}, "H018"),
        ([2], {"budget": 100}, "H025"),
        ([2], {"budget": -1, "cost_per_unit": 1}, "H012"),
        ([2], {"budget": 1, "cost_per_unit": 0}, "H012"),
        ([2], {"share": (0.5, 0.2)}, "H026"),
        ([2], {"share": 0.2}, "H026"),
        ([2], {"apart": [("u01",)]}, "H026"),
        ([2], {"at_least": {"north": 1}}, "H026"),
        ([2], {"strata": {"nowhere": "north"}}, "H001"),
        ([2], {"share": (0.9, 1.0)}, r"H019.*share removed 28 of 28, the nearest at 0\.2"),
        ([2], {"budget": 1, "cost_per_unit": 1}, r"H019.*budget"),
    ],
)
def test_bad_constraints_are_refused_in_one_message(sizes, options, code):
    with pytest.raises(PlanError, match=code):
        found(fake_history(units=8), sizes, **options)


def test_neighbours_of_treated_units_are_no_donors():
    limits = Constraints((2,), apart=(("a", "b"), ("c", "d")))
    assert limits.neighbours(("a", "x")) == {"b"}


def request(history, periods, starts="auto"):
    return Request.checked(history, "u00", periods, 0.05, None, 1, {"starts": starts})


@pytest.mark.parametrize(("times", "periods"), [(60, 5), (90, 15), (19, 2)])
def test_no_claim_rests_on_a_window_that_was_used_for_choosing(times, periods):
    early, late = split_windows(request(fake_history(times=times), periods))
    assert max(early) + periods <= min(late)


def test_without_windows_to_claim_on_nothing_is_chosen():
    with pytest.raises(PlanError, match="H027"):
        bs.choose_treated(fake_history(times=30), sizes=2, periods=10, progressbar=False)


def test_options_of_a_choice_are_known():
    with pytest.raises(OptionError, match=r"O061.*budget"):
        bs.choose_treated(fake_history(), sizes=2, periods=5, budgt=3)
    with pytest.raises(OptionError, match="O010"):
        bs.choose_treated(fake_history(), sizes=2, periods=5, most=0)
    with pytest.raises(PlanError, match="H008"):
        bs.choose_treated(walks(), sizes=2, periods=5)


def test_the_screen_prefers_sets_that_others_follow():
    wide = walks(10, 60, seed=2)
    wide["wild"] = 100 + np.cumsum(np.random.default_rng(1).standard_normal(60) * 4)
    history = bs.History.from_wide(wide)
    kept = screened(history, [(u,) for u in history.units], 50, 5, 10)
    assert ("wild",) not in kept


@pytest.mark.parametrize("backend", ["none", "matplotlib", "plotly", "bokeh"])
def test_finalists_are_drawn_by_power_and_by_cost(backend):
    choice = fake_choice()
    choice.plot(backend=backend)
    priced = replace(choice, table=choice.table.assign(cost=[100.0, 200.0, 50.0, 90.0]))
    priced.plot_cost(backend=backend, theme="dark")
    with pytest.raises(OptionError, match="O063"):
        choice.plot_cost(backend=backend)


def test_every_finalist_is_drawn_however_many_there_are():
    units = [(f"u{k:02d}",) for k in range(7)]
    table = pd.DataFrame({"units": units, "cost": np.arange(7.0), "power": 0.5})
    legend = legend_of(partial(plot_cost, table))
    assert legend == [label for (label,) in units]


DATA = os.environ.get("BAYES_SYNTH_DATA", Path(__file__).parents[3] / "shared" / "data")
PRETEST = Path(DATA) / "geolift_pretest.csv"
GEOLIFT = [
    (
        "chicago cincinnati houston portland",
        15,
        0.05,
        74118.375,
        159.3627,
        0.0483,
        0.1972,
        0.075764,
    ),
    ("chicago portland", 15, 0.10, 64563.75, 290.0071, 0.10117, 0.1739, 0.033065),
    (
        "chicago cincinnati houston portland",
        10,
        0.10,
        99027.75,
        316.6203,
        0.09553,
        0.1967,
        0.075764,
    ),
    ("chicago portland", 10, 0.10, 43646.25, 300.9401, 0.10378, 0.1682, 0.033065),
    ("chicago houston portland", 10, 0.10, 75389.25, 350.3141, 0.10503, 0.2306, 0.057971),
    (
        "chicago cincinnati houston nashville,san diego",
        15,
        0.05,
        95755.50,
        146.7975,
        0.0428,
        0.2699,
        0.098011,
    ),
]


@pytest.mark.parametrize("row", GEOLIFT, ids=lambda row: f"{row[0]} {row[1]}")
@pytest.mark.skipif(not PRETEST.exists(), reason=f"needs {PRETEST.name} (BAYES_SYNTH_DATA)")
def test_the_published_table_of_geolift_is_reproduced(row):
    """GeoLift's walkthrough (facebookincubator/GeoLift, MIT), demeaned and without a ridge."""
    names, periods, effect, cost, average, lift, imbalance, share = row
    treated = tuple(sorted(" ".join(names.split(",")[:1]).split() + names.split(",")[1:]))
    frame = pd.read_csv(PRETEST, parse_dates=["date"])
    history = bs.History.from_long(frame, unit="location", time="date", outcome="Y")
    table = history.outcomes.to_pandas()
    found = plug_in(
        table.drop(columns=list(treated)).to_numpy(),
        table[list(treated)].mean(axis=1).to_numpy(),
        90 - periods,
        periods,
        effect=effect,
    )
    assert 7.5 * effect * volume_of(history, treated, periods) == pytest.approx(cost, abs=0.005)
    assert found["average"] == pytest.approx(average, abs=0.0005)
    assert found["lift"] == pytest.approx(lift, abs=6e-5)
    assert found["imbalance"] == pytest.approx(imbalance, abs=6e-5)
    assert share_of(history, treated) == pytest.approx(share, abs=1e-6)


@pytest.mark.long
def test_a_choice_claims_on_other_windows_than_it_chose_by():
    model = bs.SyntheticControl(calibrate=bs.Calibration(draws=90, tune=60, q_factors=(1.0,)))
    choice = bs.choose_treated(
        fake_history(units=12, times=60),
        sizes=[1, 2],
        periods=[5],
        effect=0.01,
        model=model,
        most=2,
        draws=200,
        tune=200,
        random_seed=1,
        progressbar=False,
    )
    assert len(choice.plans) == 2
    assert choice.best.treated == choice.table["units"].iloc[0]
    early, late = choice.windows
    assert max(early) + 5 <= min(late)
    for plan in choice.plans.values():
        assert set(plan.counterfactual["start"].to_numpy()) == set(late)
        audited = {u for label in plan.placebo_tests["unit"] for u in label.split(" + ")}
        assert not audited & {*plan.treated}
    assert choice.table["rank"].is_monotonic_increasing
    assert choice.best.treated in choice.ties
    assert "finalists" in repr(choice)
    choice.plot(backend="none")
