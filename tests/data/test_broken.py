"""Broken series: each kind is found where it is planted, and what only looks odd is left alone."""

import numpy as np
import pandas as pd
import pytest

from bayes_synth.data.broken import broken_series, described
from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, DesignWarning, PanelWarning

TIMES = pd.date_range("2024-01-01", periods=120)
PRE = 91
NAMES = [f"geo{j}" for j in range(8)]
rng = np.random.default_rng


def smooth(seed: int = 1) -> np.ndarray:
    """Donors around 100 that share two walks."""
    common = np.cumsum(rng(seed).normal(size=(120, 2)), axis=0)
    return 100 + common @ rng(2).uniform(0.5, 1.5, (2, 8)) + rng(3).normal(0, 0.5, (120, 8))


def found(donors: np.ndarray, treated: np.ndarray | None = None):
    treated = donors[:, :3].mean(1) if treated is None else treated
    return broken_series(treated, donors, NAMES[: donors.shape[1]], "test")


def planted(rows: slice, columns: list[int], value) -> np.ndarray:
    donors = smooth()
    donors[rows, columns] = donors[rows.start - 1, columns] if value == "fill" else value
    return donors


@pytest.mark.parametrize("at", [20, 60, 95, 110])
@pytest.mark.parametrize("columns", [[0], [0, 1, 2, 3], [5, 7]])
@pytest.mark.parametrize(("value", "kind"), [(0.0, "zero"), ("fill", "repeat")])
def test_zeros_and_filled_values_are_found_at_any_time_in_any_number_of_donors(
    at, columns, value, kind
):
    first = at if kind == "zero" else at - 1
    broken = found(planted(slice(at, at + 6), columns, value), smooth()[:, 4])
    assert [(each.unit, each.kind, each.first, each.last) for each in broken] == [
        (NAMES[j], kind, first, at + 5) for j in columns
    ]


@pytest.mark.parametrize("value", [0.0, "fill"])
def test_a_market_that_is_gone_is_found_to_its_end(value):
    broken = found(planted(slice(100, 120), [2], value), smooth()[:, 4])
    assert [(each.unit, each.last) for each in broken] == [("geo2", 119)]
    assert ", the end)" in described(broken, TIMES)[0]


@pytest.mark.parametrize("size", [-60.0, 40.0, 200.0])
@pytest.mark.parametrize("until", [120, 108])
def test_another_level_is_found_for_good_and_for_a_while(size, until):
    donors = smooth()
    donors[98:until, 1] += size
    (broken,) = found(donors)
    assert broken[:4] == ("geo1", "level", 98, until - 1)
    assert broken.move == pytest.approx(size, abs=5)


def test_the_same_outage_twice_is_found_twice():
    donors = smooth()
    donors[30:36, 0] = donors[100:106, 0] = 0
    assert [each.first for each in found(donors, smooth()[:, 4])] == [30, 100]


def test_the_treated_units_own_zeros_are_found():
    treated = smooth()[:, 0]
    treated[31:60] = 0
    (broken,) = found(smooth(), treated)
    assert broken[:4] == ("test", "zero", 31, 59)


def closed(days: tuple[int, ...]) -> np.ndarray:
    donors = smooth()
    donors[np.isin(np.arange(120) % 7, days)] = 0
    return donors


LEFT_ALONE = {
    "closed on Sundays": lambda: closed((6,)),
    "closed on two days": lambda: closed((5, 6)),
    "rare counts": lambda: rng(1).poisson(0.5, (120, 8)).astype(float),
    "counts": lambda: rng(2).poisson(4.0, (120, 8)).astype(float),
    "rounded": lambda: smooth().round(),
    "steps": lambda: 5 + np.cumsum(0.25 * (rng(4).random((120, 8)) < 0.05), axis=0),
    "growing from nothing": lambda: (
        rng(5).poisson(np.exp(np.linspace(-3, 5, 120)), (8, 120)).T * 1.0
    ),
    "heavy tails": lambda: np.cumsum(rng(6).standard_t(4, (120, 8)), axis=0),
    "never changing": lambda: np.full((120, 8), 7.0),
    "a common break": lambda: smooth() + 50 * (np.arange(120) > 95)[:, None],
}


@pytest.mark.parametrize("kind", LEFT_ALONE)
def test_what_a_series_is_by_nature_is_left_alone(kind):
    assert found(LEFT_ALONE[kind]()) == []


def test_a_day_on_which_the_treated_unit_is_closed_too_says_nothing():
    donors, treated = smooth(), smooth()[:, 0]
    donors[50] = treated[50] = 0
    assert found(donors, treated) == []


def read(donors: np.ndarray, treated=None, **more) -> Panel:
    frame = pd.DataFrame(donors, index=TIMES, columns=NAMES[: donors.shape[1]])
    own = frame.iloc[:, :3].mean(axis=1) + rng(9).normal(0, 0.3, 120)
    frame = frame.assign(test=own if treated is None else treated, **more)
    return Panel.from_wide(frame, treated="test", start="2024-04-01")


def level() -> Panel:
    donors = smooth()
    donors[100:, 6] += 60
    return read(donors)


def shut_in_february() -> Panel:
    treated = smooth()[:, :3].mean(1) + rng(1).normal(0, 0.3, 120)
    treated[31:60] = 0
    return read(smooth(), treated)


REMARKS = {
    "V040": (
        "geo4, geo5 are exactly zero from 2024-04-10 to 2024-04-15 .*missing='drop_times'",
        lambda: read(planted(slice(100, 106), [4, 5], 0.0)),
    ),
    "V041": (
        "geo4 repeats one value from 2024-04-09 to 2024-04-15",
        lambda: read(planted(slice(100, 106), [4], "fill")),
    ),
    "V042": ("geo6 jumps to another level at 2024-04-10", level),
    "V043": (
        "the treated unit is exactly zero from 2024-02-01 .*missing='model'",
        shut_in_february,
    ),
    "V045": (
        "flag hold only two small whole numbers",
        lambda: read(smooth(), flag=(np.arange(120) >= PRE).astype(float)),
    ),
    "V046": (
        "day, trend count periods or name dates",
        lambda: read(smooth(), day=np.arange(120) % 7, trend=np.arange(120) + 2000),
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", REMARKS)
def test_a_remark_names_units_dates_and_the_cure(code):
    text, make = REMARKS[code]
    with pytest.warns(PanelWarning) as caught:
        panel = make()
    said = pd.Series([str(each.message) for each in caught])
    assert said.str.contains(rf"\[{code}\] .*{text}").any(), list(said)
    assert code in list(panel.report["code"])


@pytest.mark.parametrize("weights", [(1, 1, 1, 0), (0.5, 0.3, 0.2, 0), (1, 0, 0, 2)])
@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.filterwarnings(r"ignore:\[V008\]")
def test_an_aggregate_of_the_treated_unit_is_named(weights, count):
    donors = smooth()[:, :count]
    own = donors.mean(1) + rng(9).normal(0, 1, 120) + 10 * (np.arange(120) >= PRE)
    parts = np.column_stack([own, donors[:, :3]])
    with pytest.warns(PanelWarning, match=r"\[V044\] US are sums or averages"):
        read(donors, own, US=parts @ weights)


def test_an_aggregate_of_donors_alone_is_none_of_the_treated_unit():
    assert "V044" not in list(read(smooth(), US=smooth().mean(1)).report["code"])


@pytest.mark.parametrize("make", [np.sum, np.mean])
@pytest.mark.filterwarnings("ignore")
def test_a_total_of_more_units_than_periods_is_named(make):
    rows, donors = slice(80, 110), smooth() + rng(7).normal(size=(5, 1, 8))
    parts = np.hstack([*donors])[rows]
    frame = pd.DataFrame(parts, index=TIMES[rows]).rename(columns=lambda j: f"geo{j}")
    frame = frame.assign(test=rng(9).normal(100, 3, 30))
    frame = frame.assign(US=make(frame.to_numpy(), axis=1), of_donors=make(parts, axis=1))
    report = Panel.from_wide(frame, treated="test", start="2024-04-01").report
    said = report.set_index("code").loc["V044", "remark"]
    assert said.startswith("US are sums or averages")


@pytest.mark.parametrize("share", [0.5, 0.3, 0.2])
@pytest.mark.parametrize("first", [20, 60, 110])
def test_zeros_late_in_a_series_that_declines_are_found(share, first):
    treated = smooth()[:, 4] * np.linspace(1, share, 120)
    treated[first : first + 5] = 0
    assert [each[:4] for each in found(smooth(), treated)] == [("test", "zero", first, first + 4)]


@pytest.mark.parametrize("factor", [1.0, 2.5])
@pytest.mark.parametrize("offset", [0.0, 7.0])
def test_a_near_copy_of_the_treated_unit_is_named(factor, offset):
    own = smooth()[:, 0] + rng(9).normal(0, 1, 120)
    copy = factor * own + offset + rng(8).normal(0, 0.005, 120) - 5 * (np.arange(120) >= PRE)
    with pytest.warns(PanelWarning, match=r"\[V047\] copy move before treatment"):
        read(smooth(), own, copy=copy)


def wide() -> pd.DataFrame:
    return pd.DataFrame(smooth()[:, :4], index=TIMES, columns=NAMES[:4]).assign(
        test=smooth()[:, :2].mean(1) + rng(9).normal(0, 0.3, 120), flag=1.0, note="text"
    )


@pytest.mark.parametrize("donors", [["geo0", "geo1", "geo2"], ("geo2", "geo0"), "geo3"])
def test_donors_may_be_named_and_other_columns_are_ignored(donors):
    panel = Panel.from_wide(wide(), treated="test", start="2024-04-01", donors=donors)
    assert panel.donors == tuple(sorted([donors] if isinstance(donors, str) else donors))


def test_donors_must_be_columns_that_are_not_treated():
    with pytest.raises(DesignError, match=r"\[D009\] 'geo9'.*Did you mean"):
        Panel.from_wide(wide(), treated="test", start="2024-04-01", donors=["geo9"])
    with pytest.raises(DesignError, match=r"\[D008\] 'test' is treated"):
        Panel.from_wide(wide(), treated="test", start="2024-04-01", donors=["test", "geo1"])


@pytest.mark.parametrize("value", [9999.0, -999.0, -99.0, 999999.0])
@pytest.mark.parametrize("rows", [slice(40, 41), slice(95, 99), slice(118, 120)])
def test_rows_of_nines_are_found_in_donors_and_in_the_treated_unit(value, rows):
    donors, treated = smooth(), smooth()[:, 4].copy()
    donors[rows, 2] = treated[rows] = value
    assert [(each.unit, each.kind, each.first, each.last) for each in found(donors, treated)] == [
        (unit, "placeholder", rows.start, rows.stop - 1) for unit in ("geo2", "test")
    ]


def test_nines_among_their_like_are_numbers():
    donors = smooth()
    donors[50, :] = 99.0
    prices = 900 + 30 * (smooth() - 100)
    prices[60, 1] = 999.0
    assert [each for each in found(donors) + found(prices) if each.kind == "placeholder"] == []


@pytest.mark.parametrize(("first", "last"), [(20, 50), (85, 97), (100, 119)])
def test_straight_lines_are_found_where_they_are_drawn(first, last):
    donors = smooth()
    donors[first : last + 1, 3] = np.linspace(donors[first, 3], donors[last, 3], last - first + 1)
    treated = smooth()[:, 4].copy()
    treated[first : last + 1] = np.linspace(treated[first], treated[last], last - first + 1)
    lines = [each for each in found(donors, treated) if each.kind == "line"]
    assert [(each.unit, each.first, each.last) for each in lines] == [
        (unit, first, last) for unit in ("geo3", "test")
    ]


STRAIGHT = {
    "a trend": lambda: smooth() * 0 + np.arange(120)[:, None] * (1 + np.arange(8)),
    "quarters between years": lambda: np.stack(
        [np.interp(np.arange(120), np.arange(0, 120, 7), smooth()[::7][:, j]) for j in range(8)], 1
    ),
    "whole numbers": lambda: smooth().round(),
}


@pytest.mark.parametrize("kind", STRAIGHT)
def test_series_that_are_straight_by_nature_are_left_alone(kind):
    assert [each for each in found(STRAIGHT[kind]()) if each.kind == "line"] == []


@pytest.mark.parametrize("hold", [3, 7, 28])
@pytest.mark.filterwarnings("ignore")
def test_a_donor_written_on_finer_periods_than_its_own_is_named(hold):
    donors = smooth()
    donors[:, 5] = donors[hold * (np.arange(120) // hold), 5]
    report = read(donors).report.set_index("code")
    assert "geo5 hold" in str(report.loc["D080"])


@pytest.mark.filterwarnings("ignore")
def test_counts_with_many_zeros_are_not_filled():
    counts = rng(1).poisson(0.3, (120, 8)).astype(float)
    assert "D080" not in set(read(counts, counts[:, 0] + 1).report["code"])


@pytest.mark.parametrize("rows", [slice(50, 53), slice(100, 102), slice(119, 120)])
def test_times_at_which_every_unit_is_zero_are_named(rows):
    donors = smooth()
    own = donors[:, :3].mean(1) + rng(9).normal(0, 0.3, 120)
    donors[rows] = own[rows] = 0
    with pytest.warns(DesignWarning, match=r"\[D081\] every unit is exactly zero at 2024-"):
        read(donors, own)


@pytest.mark.filterwarnings(r"ignore:\[V0")
def test_days_on_which_all_are_closed_every_week_are_not_named():
    donors = smooth()
    donors[np.arange(120) % 7 == 6] = 0
    own = donors[:, :3].mean(1)
    own += (own > 0) * rng(9).normal(0, 0.3, 120)
    assert "D081" not in set(read(donors, own).report["code"])


HELPERS = {
    "plus and minus": ("V045", lambda own: np.where(np.arange(120) < PRE, -1, 1)),
    "one and two": ("V045", lambda own: np.where(np.arange(120) < PRE, 1, 2)),
    "month": ("V046", lambda own: TIMES.month),
    "week": ("V046", lambda own: TIMES.isocalendar().week.to_numpy(dtype=float)),
    "yesterday's": ("V047", lambda own: np.append(own[0], own[:-1])),
    "last week's": ("V047", lambda own: np.append(own[:7] + rng(1).normal(size=7), own[:-7])),
    "its logarithm": ("V047", lambda own: np.log(own)),
    "its square": ("V047", lambda own: own**2),
}


@pytest.mark.parametrize("name", HELPERS)
@pytest.mark.filterwarnings("ignore")
def test_columns_made_of_dates_or_of_the_treated_unit_are_named(name):
    code, make = HELPERS[name]
    own = smooth()[:, 0] + rng(9).normal(0, 1, 120)
    report = read(smooth(), own, helper=make(own)).report.set_index("code")
    assert "helper" in str(report.loc[code])
