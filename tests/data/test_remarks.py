"""Remarks about a panel: each code is found where its oddity is planted, none on a clean panel."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bayes_synth.data.panel import Panel
from bayes_synth.data.remarks import skipped
from bayes_synth.errors import (
    DesignError,
    DesignWarning,
    OptionError,
    PanelError,
    PanelWarning,
)

PRE, POST = 20, 10


def table() -> pd.DataFrame:
    """Five donors that share a trend, and a treated unit among them."""
    rng = np.random.default_rng(5)
    trend = 100 + np.cumsum(1 + rng.standard_normal(PRE + POST))
    frame = pd.DataFrame(
        trend[:, None] + rng.standard_normal((PRE + POST, 5)), columns=list("abcde")
    )
    return frame.assign(
        treated=frame[["a", "b"]].mean(axis=1) + 0.1 * rng.standard_normal(PRE + POST)
    )


def read(frame: pd.DataFrame, start: int = PRE, **options) -> Panel:
    return Panel.from_wide(frame, treated="treated", start=start, **options)


def test_a_clean_panel_has_no_remarks():
    assert read(table()).report.empty


def small(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        treated=np.random.default_rng(1).poisson(0.7, len(frame)),
        f=-5.0,
        g=5.0 + np.arange(len(frame)),
    )


ODD: dict[str, tuple[type, str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "V002": (PanelWarning, r"1 donors never change: f\.", lambda t: t.assign(f=7.0)),
    "V005": (
        PanelWarning, "1 pairs of donors move as one .* c and f", lambda t: t.assign(f=2 * t["c"])
    ),
    "V007": (PanelWarning, "f equal the treated unit in every pre-period", lambda t: t.assign(
        f=t["treated"] + np.where(np.arange(len(t)) < PRE, 0, 3 * np.sin(np.arange(len(t)))))),
    "V008": (
        PanelWarning, "outside its donors' range in 20 of 20",
        lambda t: t.assign(treated=t["treated"] + 50),
    ),
    "V009": (
        PanelWarning, "1 donors are over 100 times larger or smaller .*: f",
        lambda t: t.assign(f=t["c"] ** 3),
    ),
    "V011": (PanelWarning, "1 donors move against .*: f", lambda t: t.assign(f=300 - t["c"])),
    "V012": (PanelWarning, "1 donors jump at 20, .*: c", lambda t: t.assign(
        c=t["c"] + np.where(np.arange(len(t)) < PRE, 0, 60))),
    "V014": (PanelWarning, "only 2 values in 20", lambda t: t.assign(
        treated=np.where(t["treated"] > t["treated"].median(), 140.0, 110.0), f=50.0 + t["c"] / 9)),
    "P012": (PanelWarning, "counts few events", small),
}  # fmt: skip


@pytest.mark.filterwarnings(r"ignore:\[D040\]")
@pytest.mark.parametrize("code", ODD)
def test_an_oddity_is_warned_about_and_stays_in_the_report(code):
    category, text, planted = ODD[code]
    with pytest.warns(category) as caught:
        panel = read(planted(table()))
    assert any(pd.Series([str(w.message) for w in caught]).str.contains(rf"\[{code}\] .*{text}"))
    assert code in list(panel.report["code"])
    assert set(panel.report["kind"]) <= {"warned", "noted"}


@pytest.mark.parametrize(
    ("start", "code", "text"),
    [
        (6, "D005", "only 6 pre-periods"),
        (12, "D019", "18 post-periods are more"),
        (4, "D020", "over five times"),
    ],
)
def test_lengths_are_warned_about(start, code, text):
    with pytest.warns(DesignWarning) as caught:
        read(table(), start=start)
    assert any(f"[{code}]" in str(w.message) and text in str(w.message) for w in caught)


def test_more_donors_than_periods_and_extreme_sizes_are_only_noted():
    rng = np.random.default_rng(2)
    many = pd.DataFrame(
        rng.standard_normal((30, 25)), columns=[f"d{j:02d}" for j in range(25)]
    ).add(table()["a"], axis=0)
    frame = 1e12 * many.assign(treated=many["d00"] + 0.1 * rng.standard_normal(30))
    report = read(frame).report
    assert list(report["code"]) == ["D022", "V010"]
    assert set(report["kind"]) == {"noted"}


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_the_correlations_of_extreme_outcomes_neither_vanish_nor_overflow(factor):
    with pytest.warns(PanelWarning) as caught:
        panel = read(factor * table().assign(f=lambda t: 2 * t["c"], g=lambda t: 300 - t["c"]))
    assert {str(warning.message)[1:5] for warning in caught} == {"V005", "V011"}
    assert list(panel.report["code"]) == ["V005", "V010", "V011"]


def test_a_copy_of_the_treated_unit_is_refused():
    with pytest.raises(DesignError, match=r"\[V006\] f equal the treated unit in every period"):
        read(table().assign(f=lambda t: t["treated"]))


def test_only_constant_donors_are_refused():
    with pytest.raises(DesignError, match=r"\[V003\] all 2 donors are constant"):
        read(table()[["treated"]].assign(a=1.0, b=2.0))


def test_remarks_do_not_make_panels_different():
    with pytest.warns(PanelWarning):
        odd = read(table().assign(f=7.0))
    assert odd.drop("f") == read(table())


def long(frame: pd.DataFrame) -> pd.DataFrame:
    return (
        frame.rename_axis("year").reset_index().melt("year", var_name="state", value_name="sales")
    )


def read_long(frame, **options) -> Panel:
    names = {"unit": "state", "time": "year", "outcome": "sales"}
    return Panel.from_long(
        frame, **names, treated="treated", start=options.pop("start", PRE), **options
    )


NOTED = {
    "P006": lambda: read_long(long(table()).set_index(["state", "year"])),
    "P008": lambda: read_long(long(table()).astype({"sales": "float32"})),
    "P021": lambda: read_long(long(table().iloc[::-1])),
    "P031": lambda: read(
        table().set_axis(pd.date_range("2024-01-01", periods=30, tz="Europe/Rome")),
        start="2024-01-21",
    ),
    "P033": lambda: read(
        table().set_axis(pd.period_range("2024-01", periods=30, freq="M")), start="2025-09"
    ),
    "P039": lambda: Panel.from_wide(table().set_axis(range(6), axis=1), treated=5, start=PRE),
}


@pytest.mark.parametrize("code", NOTED)
def test_what_was_converted_or_sorted_is_noted(code):
    report = NOTED[code]().report
    assert code in list(report["code"])
    assert set(report["kind"]) == {"noted"}


@pytest.mark.filterwarnings(r"ignore:\[(V009|V014)\]")
def test_whole_numbers_beyond_the_exact_ones_are_warned_about():
    frame = table().round().astype("int64")
    frame["c"] += 2**53
    with pytest.warns(PanelWarning, match=r"\[V017\] 'c' has whole numbers over 2\^53"):
        read(frame)


def incomplete() -> pd.DataFrame:
    frame = table()
    frame.loc[[3, 4], "c"] = np.nan
    return frame


@pytest.mark.filterwarnings(r"ignore:\[P029\]")
@pytest.mark.parametrize(
    "data", [incomplete(), pl.from_pandas(incomplete().reset_index())], ids=["pandas", "polars"]
)
def test_missing_outcomes_are_refused_unless_one_says_what_to_drop(data):
    time = {} if isinstance(data, pd.DataFrame) else {"time": "index"}
    with pytest.raises(
        PanelError, match=r"\[P025\] 1 of 6 units have missing outcomes: c \(2 of 30 times\)"
    ) as refused:
        read(data, **time)
    assert "missing='drop_donors'" in str(refused.value)
    with pytest.warns(PanelWarning, match=r"\[P026\] 1 donors with missing outcomes dropped: c"):
        dropped = read(data, missing="drop_donors", **time)
    assert list(dropped.donors) == list("abde")
    assert len(dropped.times) == PRE + POST
    with pytest.warns(PanelWarning, match=r"\[P026\] 2 times with missing outcomes dropped: 3, 4"):
        shorter = read(data, missing="drop_times", **time)
    assert len(shorter.pre) == PRE - 2
    assert list(shorter.donors) == list("abcde")


def test_rows_that_are_not_there_are_missing_outcomes_too():
    text = r"\[P025\] 1 of 6 units have missing outcomes: c \(2 of 30 times\)"
    with pytest.raises(PanelError, match=text):
        read_long(long(incomplete()).dropna())


def test_the_treated_units_missing_outcomes_cannot_be_dropped_with_donors():
    frame = table()
    frame.loc[3, "treated"] = np.nan
    text = r"\[P027\] the treated unit itself has missing outcomes: treated"
    with pytest.raises(PanelError, match=text):
        read(frame, missing="drop_donors")


def test_nothing_left_is_refused():
    frame = table()
    frame["c"] = np.nan
    with pytest.raises(
        PanelError, match=r"\[P025\] no data are left after dropping missing outcomes"
    ):
        read(frame, missing="drop_times")


def test_an_unknown_rule_for_missing_outcomes_is_refused():
    text = r"\[O001\] missing must be a known rule, got 'drop_donor'. Did you mean 'drop_donors'"
    with pytest.raises(OptionError, match=text):
        read(table(), missing="drop_donor")


@pytest.mark.parametrize(
    ("times", "after"),
    [
        (pd.bdate_range("2024-01-01", periods=60).delete(17), "after 2024-01-23 comes 2024-01-25"),
        (pd.date_range("2024-01-01", periods=60).delete(17), "after 2024-01-17 comes 2024-01-19"),
        (
            pd.date_range("2020-01-01", periods=40, freq="MS").delete(25),
            "after 2022-01-01 comes 2022-03-01",
        ),
        (pd.Index([*range(10), *range(12, 30)]), "after 9 comes 12"),
    ],
)
def test_a_skipped_period_is_named_and_no_weekend(times, after):
    (remark,) = skipped(times)
    assert after in remark.text


def test_donors_that_mirror_each_other_do_not_move_as_one():
    with pytest.warns((DesignWarning, PanelWarning)):
        panel = read(table().assign(f=lambda t: 300 - 2 * t["c"]))
    assert "V005" not in list(panel.report["code"])
