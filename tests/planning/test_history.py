"""Histories: read as panels are, refused as panels are, and never filled."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from fake_plans import fake_history, walks

import bayes_synth as bs
from bayes_synth.errors import OptionError, PanelError, PlanError


def test_every_reader_gives_the_same_history():
    wide = walks(4, 20)
    long = wide.rename_axis("t").reset_index().melt("t", var_name="unit", value_name="y")
    array = xr.DataArray(wide, dims=("time", "unit"))
    first = bs.History.from_wide(wide)
    others = [
        bs.History.from_long(long, unit="unit", time="t", outcome="y"),
        bs.History.from_long(pl.from_pandas(long), unit="unit", time="t", outcome="y"),
        bs.History.from_xarray(array),
    ]
    assert all(np.array_equal(first.outcomes, other.outcomes) for other in others)


def test_a_history_says_what_it_holds():
    history = fake_history(dates=True)
    assert "12: u00, u01" in repr(history)
    assert "60 periods, 2024-01-01 to 2024-02-29" in repr(history)
    assert "<strong>History</strong>" in history._repr_html_()


def test_missing_outcomes_are_refused_dropped_or_kept():
    wide = walks(5, 20)
    wide.iloc[3, 2] = np.nan
    with pytest.raises(PanelError, match="P025"):
        bs.History.from_wide(wide)
    with pytest.warns(match="P026"):
        assert bs.History.from_wide(wide, missing="drop_donors").units == (
            "u00", "u01", "u03", "u04",
        )  # fmt: skip
    with pytest.warns(match="P026"), pytest.warns(match="P029"):
        assert len(bs.History.from_wide(wide, missing="drop_times").times) == 19
    kept = bs.History.from_wide(wide, missing="model")
    assert int(kept.outcomes.isnull().sum()) == 1
    with pytest.raises(OptionError, match="O001"):
        bs.History.from_wide(wide, missing="fill")


def test_a_unit_with_missing_outcomes_is_no_donor_where_it_has_none():
    wide = walks(5, 20)
    wide.iloc[12, 2] = np.nan
    history = bs.History.from_wide(wide, missing="model")
    assert "u02" in history.panel(["u00"], 8, 4).donors
    assert "u02" not in history.panel(["u00"], 10, 4).donors
    assert list(history.panel(["u02"], 10, 4).missing_times) == [12]


def test_an_earlier_test_is_excluded_and_not_filled():
    history = fake_history(dates=True)
    later = history.exclude("u03", slice("2024-01-10", "2024-01-12"))
    assert int(later.outcomes.isnull().sum()) == 3
    assert int(history.outcomes.isnull().sum()) == 0
    assert later.report["code"].tolist()[-1] == "H003"
    shorter = history.exclude(None, slice("2024-02", "2024-02"))
    assert shorter.times[-1] == pd.Timestamp("2024-01-31")


def test_what_cannot_be_excluded():
    history = fake_history(dates=True)
    with pytest.raises(PlanError, match=r"H001.*u03"):
        history.exclude("u3", slice(None, "2024-01-10"))
    with pytest.raises(PlanError, match="H002"):
        history.exclude("u03", slice("2025-01-10", "2025-01-12"))


def test_the_callers_numbers_stay_as_they_are():
    wide = walks(4, 20)
    before = wide.copy()
    history = bs.History.from_wide(wide)
    history.exclude("u00", slice(0, 3))
    assert wide.equals(before)
    with pytest.raises(ValueError, match="read-only"):
        history.outcomes.values[0, 0] = 1


def test_one_unit_is_no_history():
    with pytest.raises(PanelError, match="P037"):
        bs.History.from_wide(walks(1, 20))


def test_dims_must_be_times_and_units():
    with pytest.raises(PanelError, match="P014"):
        bs.History(xr.DataArray(np.ones((2, 2)), dims=("a", "b")))
