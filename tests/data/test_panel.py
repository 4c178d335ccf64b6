"""Panels: equal data give equal panels, and everything else is refused in a sentence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import (
    BayesSynthError,
    DesignError,
    DesignWarning,
    OptionError,
    PanelError,
    PanelWarning,
)
from bayes_synth.testing import fake_panel

ROLES = {"unit": "state", "time": "year", "outcome": "packs"}
DESIGN = {**ROLES, "treated": "Ca", "start": 2004}


@pytest.fixture
def long():
    rng = np.random.default_rng(0)
    rows = [
        (s, y, float(v))
        for s in ("Ca", "Ut", "Nv", "Mt")
        for y, v in zip(range(2000, 2008), rng.random(8), strict=True)
    ]
    return pd.DataFrame(rows, columns=["state", "year", "packs"])


@pytest.fixture
def wide(long):
    return long.pivot(index="year", columns="state", values="packs")


def built(frame, **changes) -> Panel:
    return Panel.from_long(frame, **(DESIGN | changes))


def cells(panel: Panel) -> np.ndarray:
    return panel.outcomes.to_numpy()


def test_long_frames_of_every_kind_give_the_same_panel(long):
    frames = [
        long,
        pl.from_pandas(long),
        pl.from_pandas(long).to_arrow(),
        long.set_index(["state", "year"]),
    ]
    frames += [
        long.sample(frac=1, random_state=1),
        long.assign(state=long["state"].astype("category"), other=1),
    ]
    frames += [long.convert_dtypes(), long.astype({"year": str})]
    assert all(built(frame) == built(long) for frame in frames)


def test_wide_frames_and_arrays_give_the_same_numbers(long, wide):
    expected = cells(built(long))
    polars = pl.from_pandas(wide.reset_index())
    panels = [
        Panel.from_wide(wide, treated="Ca", start=2004),
        Panel.from_wide(wide.iloc[::-1, ::-1], treated="Ca", start=2004),
        Panel.from_wide(polars, time="year", treated="Ca", start=2004),
        Panel.from_xarray(xr.DataArray(wide), unit="state", time="year", treated="Ca", start=2004),
        Panel.from_xarray(
            xr.Dataset({"packs": xr.DataArray(wide)}),
            unit="state",
            time="year",
            treated="Ca",
            start=2004,
        ),
    ]
    assert all(np.array_equal(cells(panel), expected) for panel in panels)


def test_the_callers_frame_is_never_changed(long, wide):
    before = long.copy(deep=True), wide.copy(deep=True)
    built(long)
    Panel.from_wide(wide, treated="Ca", start=2004).drop("Ut")
    pd.testing.assert_frame_equal(long, before[0])
    pd.testing.assert_frame_equal(wide, before[1])


def test_a_later_change_of_the_frame_does_not_reach_the_panel(wide):
    panel = Panel.from_wide(wide, treated="Ca", start=2004)
    before = cells(panel).copy()
    wide.iloc[:, :] = 0
    assert np.array_equal(cells(panel), before)


def test_outcomes_cannot_be_written_to(long):
    with pytest.raises(ValueError, match="read-only"):
        built(long).outcomes[0, 0] = 1.0


def test_periods_and_donors_are_sorted_and_split_at_start(long):
    panel = built(long.sample(frac=1, random_state=2))
    assert panel.donors == ("Mt", "Nv", "Ut")
    assert panel.pre.tolist() == [2000, 2001, 2002, 2003]
    assert panel.post.tolist() == [2004, 2005, 2006, 2007]


def test_as_if_treated_makes_the_donor_treated_and_the_real_unit_leave(long):
    placebo = built(long).as_if_treated("Ut")
    assert placebo.treated == ("Ut",)
    assert placebo.donors == ("Mt", "Nv")


def test_backdating_keeps_only_untreated_periods(long):
    placebo = built(long).backdate(2003)
    assert placebo.pre.tolist() == [2000, 2001, 2002]
    assert placebo.post.tolist() == [2003]


def test_drop_and_keep_are_complements(long):
    panel = built(long)
    assert panel.drop("Ut") == panel.keep(["Nv", "Mt"])


def test_several_treated_units_are_averaged(long):
    panel = built(long, treated=["Ca", "Ut"])
    mean = built(long).outcomes.sel(unit=["Ca", "Ut"]).mean("unit")
    assert np.array_equal(panel.treated_outcome.to_numpy(), mean.to_numpy())
    assert "mean of 2 units; a placebo is a mean of as many donors" in repr(panel)


def test_a_placebo_for_two_treated_units_needs_two_donors(long):
    with pytest.raises(DesignError, match=r"\[D024\] 2 units are treated and averaged"):
        built(long, treated=["Ca", "Ut"]).as_if_treated("Nv")


@pytest.mark.parametrize(
    ("times", "start"),
    [
        (pd.date_range("2024-01-01", periods=8), "2024-01-05"),
        (pd.date_range("2024-01-01", periods=8).strftime("%Y-%m-%d"), pd.Timestamp("2024-01-05")),
        (pd.date_range("2024-01-01", periods=8, tz="Europe/Berlin"), "2024-01-05T00:00+01:00"),
        (pd.period_range("2024-01", periods=8, freq="M"), "2024-05"),
        (np.arange(2000.0, 2002.0, 0.25), 2001.0),
        ([f"{year}" for year in range(2000, 2008)], "2004"),
        (pd.date_range("2024-01-01", periods=8).date, pd.Timestamp("2024-01-05").date()),
    ],
    ids=[
        "datetime",
        "ISO text",
        "time zone",
        "Period",
        "quarters as floats",
        "years as text",
        "date objects",
    ],
)
def test_every_kind_of_time_axis_is_split_in_the_middle(wide, times, start):
    panel = Panel.from_wide(wide.set_axis(times, axis=0), treated="Ca", start=start)
    assert (len(panel.pre), len(panel.post)) == (4, 4)


def test_a_start_between_two_times_moves_to_the_next_and_says_so(wide):
    with pytest.warns(DesignWarning, match=r"\[D003\].*the first treated period is 2004"):
        panel = Panel.from_wide(wide, treated="Ca", start=2003.5)
    assert panel.start == 2004


def test_a_label_with_markup_is_escaped_in_html(wide):
    panel = Panel.from_wide(wide.rename(columns={"Mt": "<script>"}), treated="Ca", start=2004)
    assert "<script>" in panel.donors
    assert "<script>" not in panel._repr_html_()


REFUSED = {
    "a path": (
        lambda f: built("data.csv"),
        PanelError,
        r"P001\] data must be a data frame .* got str",
    ),
    "an array of arrays": (lambda f: built(xr.Dataset()), PanelError, r"(?s)P001.*from_xarray"),
    "a lazy frame": (lambda f: built(pl.from_pandas(f).lazy()), PanelError, r"P007.*collect"),
    "no rows": (lambda f: built(f.iloc[:0]), PanelError, r"P002\] the frame is empty"),
    "a misspelled column": (
        lambda f: built(f, outcome="pack"),
        PanelError,
        r"P003\] the frame has no column 'pack'. Did you mean 'packs'",
    ),
    "one column twice": (lambda f: built(f, unit="year"), PanelError, r"P004.*three columns"),
    "two columns of one name": (
        lambda f: built(f.set_axis(["state", "year", "year"], axis=1)),
        PanelError,
        "P005",
    ),
    "text": (
        lambda f: built(f.assign(packs="12 %")),
        PanelError,
        r"P009.*32 of 32 are not: '12 %'",
    ),
    "numbers as text": (lambda f: built(f.astype({"packs": str})), PanelError, "P009"),
    "booleans": (
        lambda f: built(f.assign(packs=True)),
        PanelError,
        r"P010\] column .packs. must hold numbers, got Boolean",
    ),
    "dates": (lambda f: built(f.assign(packs=pd.Timestamp("2024-01-01"))), PanelError, "P010"),
    "complex": (
        lambda f: built(f.assign(packs=pd.Series([1j] * 32, dtype=object))),
        PanelError,
        "P011",
    ),
    "a cell twice": (
        lambda f: built(pd.concat([f, f.iloc[:2]])),
        PanelError,
        r"P020\] 2 cells .* Ca at 2000, Ca at 2001",
    ),
    "no unit": (
        lambda f: built(f.assign(state=f["state"].where(f["state"] != "Ut"))),
        PanelError,
        r"P022\] 8 of 32",
    ),
    "no time": (
        lambda f: built(f.assign(year=f["year"].where(f["year"] != 2001))),
        PanelError,
        r"P022\] 4 of 32 times",
    ),
    "look-alikes": (
        lambda f: built(f.replace({"state": {"Ut": "ca "}})),
        PanelError,
        r"P023.*'Ca' and 'ca '",
    ),
    "1 and '1'": (
        lambda f: built(f.replace({"state": {"Ut": 1, "Nv": "1"}})),
        PanelError,
        r"P024.*int, str",
    ),
    "rows left out": (
        lambda f: built(f.iloc[:-3]),
        PanelError,
        r"P025\] 1 of 4 units have missing outcomes: Mt \(3 of 8 times\)",
    ),
    "NaN": (
        lambda f: built(f.assign(packs=f["packs"].where(f.index != 9))),
        PanelError,
        r"P025.*Ut \(1 of 8",
    ),
    "mixed zones": (
        lambda f: built(f.assign(year=[*[pd.Timestamp("2024-01-01")] * 31, 5])),
        PanelError,
        "P030",
    ),
    "dates that do not parse": (
        lambda f: built(f.assign(year="1/2/2020")),
        PanelError,
        r"P032.*'1/2/2020'",
    ),
    "an infinite time": (
        lambda f: built(f.assign(year=f["year"].replace(2001, np.inf))),
        PanelError,
        "P034",
    ),
    "one unit": (lambda f: built(f[f["state"] == "Ca"]), PanelError, r"P037.*single unit"),
    "infinity": (
        lambda f: built(f.assign(packs=f["packs"].where(f.index != 9, np.inf))),
        PanelError,
        r"V001.*Ut at 2001",
    ),
    "a date for years": (
        lambda f: built(f, start="2004-01-01"),
        DesignError,
        r"D001.*write it like 2000",
    ),
    "start is True": (lambda f: built(f, start=True), DesignError, "D001"),
    "start too late": (
        lambda f: built(f, start=2010),
        DesignError,
        r"D002.*outside the times, 2000 to 2007",
    ),
    "start too early": (
        lambda f: built(f, start=2001),
        DesignError,
        r"D004\] 1 periods before start=2001",
    ),
    "unknown treated": (lambda f: built(f, treated="Co"), DesignError, r"D007.*'Co'"),
    "dropping the treated": (lambda f: built(f).drop("Ca"), DesignError, r"D008.*'Ca' is treated"),
    "unknown donor": (
        lambda f: built(f).keep(["Utt"]),
        DesignError,
        r"D009\] 'Utt' must be a donor of this panel. Did you mean 'Ut'",
    ),
    "nobody treated": (lambda f: built(f, treated=[]), DesignError, "D014"),
    "no donor left": (lambda f: built(f).drop(["Ut", "Nv", "Mt"]), DesignError, r"D014.*no donors"),
    "staggered": (
        lambda f: built(f, start={"Ca": 2004, "Ut": 2005}),
        DesignError,
        r"D021.*Ca: 2004, Ut: 2005",
    ),
    "constant treated": (
        lambda f: built(f.assign(packs=f["packs"].where(f["state"] != "Ca", 5))),
        DesignError,
        "V004",
    ),
    "a list for a label": (
        lambda f: built(f.assign(state=[["Ca"], *f["state"][1:]])),
        PanelError,
        r"P024.*must be text, numbers or dates, got list, str",
    ),
    "an array for a cell": (
        lambda f: built(f.assign(packs=[np.array([1.0, 2.0]), *f["packs"][1:]])),
        PanelError,
        r"P009.*1 of 32 are not: array",
    ),
    "a frame for a cell": (
        lambda f: built(f.assign(packs=pd.Series([pd.DataFrame(), *f["packs"][1:]], dtype=object))),
        PanelError,
        r"P009.*1 of 32",
    ),
    "a number beyond 64 bits": (
        lambda f: built(f.assign(packs=pd.Series([-(10**400), *f["packs"][1:]], dtype=object))),
        PanelError,
        r"V001\] 1 outcomes are infinite or beyond 64 bits: Ca at 2000",
    ),
    "a time beyond 2^53": (
        lambda f: built(f.assign(year=pd.Series([10**30, *f["year"][1:]], dtype=object))),
        PanelError,
        r"P034.*infinite or beyond 2\^53",
    ),
    "an unsigned time beyond 64 bits": (
        lambda f: built(f.assign(year=f["year"].astype("uint64") + np.uint64(2**63))),
        PanelError,
        r"P034.*beyond 2\^53",
    ),
    "text with a huge number for a time": (
        lambda f: built(f.assign(year=f["year"].astype(str).replace("2001", "9" * 30))),
        PanelError,
        r"P032.*got '999",
    ),
    "a list for a column": (
        lambda f: built(f, unit=["state"]),
        PanelError,
        r"P004.*three columns, got",
    ),
    "an array for the column of times": (
        lambda f: Panel.from_wide(f, time=np.array(["year", "x"]), treated="Ca", start=2004),
        PanelError,
        r"P003\] time must name one column, got array",
    ),
    "a frame without columns": (
        lambda f: Panel.from_wide(f.iloc[:, :0], time="year", treated="Ca", start=2004),
        PanelError,
        r"P002.*empty|P003.*no column 'year'",
    ),
    "an array for missing": (
        lambda f: built(f, missing=np.array(["error", "drop_times"])),
        OptionError,
        r"O001\] missing must be a known rule, got array",
    ),
    "a start beyond floats": (
        lambda f: built(f, start=10**400),
        DesignError,
        r"D002.*lies outside the times",
    ),
    "a list as start of a unit": (
        lambda f: built(f, start={"Ca": [2004]}),
        DesignError,
        r"D001\] start=\[2004\]",
    ),
    "a donor of nullable integers without numbers": (
        lambda f: Panel.from_wide(
            f.pivot(index="year", columns="state", values="packs").assign(
                Ut=pd.array([pd.NA] * 8, dtype="Int64")
            ),
            treated="Ca",
            start=2004,
        ),
        PanelError,
        r"P025.*Ut \(8 of 8 times\)",
    ),
    "a start after the panel's last time": (
        lambda f: Panel(built(f).outcomes, ("Ca",), 2010),
        DesignError,
        r"D006\] no periods from start=2010 on",
    ),
    "backdating beyond": (lambda f: built(f).backdate(2006), DesignError, "D002"),
    "backdating too far": (lambda f: built(f).backdate(2001), DesignError, "D004"),
}


@pytest.mark.parametrize(("attempt", "kind", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_unusable_data_are_refused_in_words(long, attempt, kind, text):
    with pytest.raises(kind, match=text) as caught:
        attempt(long)
    assert isinstance(caught.value, BayesSynthError)


def test_a_wide_frame_without_index_asks_for_its_time_column(wide):
    with pytest.raises(PanelError, match=r"P003.*name it with time="):
        Panel.from_wide(pl.from_pandas(wide.reset_index()), treated="Ca", start=2004)


def test_an_array_without_the_named_dimensions_says_which_it_has(wide):
    with pytest.raises(PanelError, match=r"P014.*'unit' and 'time', got year, state"):
        Panel.from_xarray(xr.DataArray(wide), treated="Ca", start=2004)


def test_equal_starts_per_unit_are_one_start(long):
    assert built(long, treated=["Ca", "Ut"], start={"Ca": 2004, "Ut": 2004}) == built(
        long, treated=["Ca", "Ut"]
    )


def test_a_named_index_may_be_asked_for_as_the_times(wide):
    named = wide.rename_axis("year")
    assert Panel.from_wide(named, time="year", treated="Ca", start=2004).time == "year"


def test_numbered_units_become_text(long):
    numbered = long.assign(state=long["state"].map({"Ca": 1, "Ut": 2, "Nv": 3, "Mt": 10}))
    assert built(numbered, treated=1).donors == ("10", "2", "3")


def test_a_unit_named_twice_is_treated_once(long):
    assert built(long, treated=["Ca", "Ca"]) == built(long)


def test_every_unit_treated_leaves_no_donors(long):
    with pytest.raises(DesignError, match=r"\[D014\] no donors are left"):
        built(long, treated=["Ca", "Ut", "Nv", "Mt"])


def test_a_panel_cannot_be_reassigned(long):
    with pytest.raises(AttributeError, match="cannot assign to field 'start'"):
        built(long).start = 2005


def test_a_panel_cannot_be_a_dictionary_key(long):
    with pytest.raises(TypeError, match="unhashable"):
        hash(built(long))


def test_the_old_name_of_the_missing_times_still_works(long):
    panel = built(long)
    with pytest.warns(DeprecationWarning, match=r"Panel\.missing_times") as caught:
        assert panel.gaps.equals(panel.missing_times)
    assert caught[0].filename == __file__


def test_panels_with_another_start_differ(long):
    assert built(long) != built(long, start=2005)


def test_the_last_period_may_be_the_only_treated_one(long):
    assert built(long, start=2007).post.tolist() == [2007]


def test_a_zone_of_the_start_is_converted_like_that_of_the_times(wide):
    zoned = wide.set_axis(pd.date_range("2024-01-01", periods=8, tz="UTC"), axis=0)
    start = pd.Timestamp("2024-01-05 01:00", tz="Europe/Berlin")
    assert Panel.from_wide(zoned, treated="Ca", start=start).start == pd.Timestamp("2024-01-05")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_resolution_of_dates_does_not_matter(wide, unit):
    dates = pd.date_range("2024-01-01", periods=8)
    first, second = (
        Panel.from_wide(wide.set_axis(axis, axis=0), treated="Ca", start="2024-01-05")
        for axis in (dates, dates.as_unit(unit))
    )
    assert first == second


@pytest.mark.parametrize("start", ["soon", pd.NaT, 2004, None], ids=str)
def test_a_start_that_cannot_be_a_date_shows_how_to_write_one(wide, start):
    dated = wide.set_axis(pd.date_range("2024-01-01", periods=8), axis=0)
    with pytest.raises(DesignError, match=r"D001\].*write it like '2024-01-01'"):
        Panel.from_wide(dated, treated="Ca", start=start)


def test_booleans_are_refused_as_times(long):
    with pytest.raises(PanelError, match=r"P032\] 'year' must hold times, got booleans"):
        built(long.assign(year=True))


def test_a_blank_label_is_missing(long):
    with pytest.raises(PanelError, match=r"P022\] 8 of 32 labels in 'state' are missing or empty"):
        built(long.replace({"state": {"Ut": " "}}))


def test_repeated_times_of_a_wide_frame_are_refused(wide):
    with pytest.raises(PanelError, match=r"P020\] 4 cells .* Ca at 2000"):
        Panel.from_wide(pd.concat([wide, wide.iloc[:1]]), treated="Ca", start=2004)


def array(wide) -> xr.DataArray:
    return xr.DataArray(wide).rename(state="unit", year="time")


def test_a_further_dimension_of_one_label_is_dropped(wide):
    panels = [
        Panel.from_xarray(a, treated="Ca", start=2004)
        for a in (array(wide), array(wide).expand_dims(k=[1]))
    ]
    assert panels[0] == panels[1]


REFUSED_ARRAYS = {
    "a frame": (
        lambda a: a.to_pandas(),
        {},
        r"P001\] data must be an xarray DataArray or Dataset, got DataFrame",
    ),
    "two variables": (
        lambda a: xr.Dataset({"y": a, "z": a}),
        {},
        r"P003\] outcome must name one variable of the dataset, got None. Known: y, z",
    ),
    "a misspelled variable": (
        lambda a: xr.Dataset({"yy": a}),
        {"outcome": "yyy"},
        r"P003\].*Did you mean 'yy'",
    ),
    "a third dimension": (
        lambda a: a.expand_dims(k=[1, 2]),
        {},
        r"P014\] data must hold one outcome, got more by k: select",
    ),
    "no labels": (lambda a: a.drop_vars("unit"), {}, r"P014\] the dimensions unit have no labels"),
}


@pytest.mark.parametrize(
    ("change", "options", "text"), REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS.keys()
)
def test_unusable_arrays_are_refused_in_words(wide, change, options, text):
    with pytest.raises(PanelError, match=text):
        Panel.from_xarray(change(array(wide)), treated="Ca", start=2004, **options)


@pytest.mark.parametrize(
    ("year", "text"),
    [
        ("--2000", "P032.*must hold ISO dates, got '--2000'"),
        ("²", "P032.*must hold ISO dates, got '²'"),
        (pd.Timedelta("1D"), "P032.*must hold times, got Timedelta"),
    ],
    ids=str,
)
def test_times_that_only_look_like_numbers_are_refused(long, year, text):
    with pytest.raises(PanelError, match=text):
        built(long.assign(year=year))


def test_dates_out_of_range_are_refused(wide):
    years = pd.date_range("1400-01-01", periods=8, unit="s")
    with pytest.raises(PanelError, match=r"P032.*between 1678 and 2261, got 1400-01-01"):
        Panel.from_wide(wide.set_axis(years, axis=0), treated="Ca", start="1400-01-05")


def test_a_period_may_be_the_start_of_periods(wide):
    monthly = wide.set_axis(pd.period_range("2024-01", periods=8, freq="M"), axis=0)
    assert Panel.from_wide(monthly, treated="Ca", start=pd.Period("2024-05")).start == pd.Timestamp(
        "2024-05-01"
    )


def test_none_counts_as_nobody_treated(long):
    with pytest.raises(DesignError, match=r"D014\] nobody is treated"):
        built(long, treated=None)


def test_a_treated_number_that_names_no_unit_is_refused(long):
    with pytest.raises(DesignError, match=r"D007.*'1.5'"):
        built(long, treated=1.5)


def test_numbered_donors_are_dropped_by_number(long):
    numbered = long.assign(state=long["state"].map({"Ca": 1, "Ut": 2, "Nv": 3, "Mt": 10}))
    assert built(numbered, treated=1).drop(2).donors == ("10", "3")


def test_one_donor_named_twice_cannot_be_a_placebo_for_two_units(long):
    with pytest.raises(DesignError, match=r"D024.*got 1: Nv"):
        built(long, treated=["Ca", "Ut"]).as_if_treated(["Nv", "Nv"])


def test_a_panel_made_directly_needs_its_treated_unit(long):
    with pytest.raises(DesignError, match=r"D007.*'Co'"):
        Panel(built(long).outcomes, ("Co",), 2004)


def test_the_only_variable_of_a_dataset_names_the_outcome(wide):
    panel = Panel.from_xarray(xr.Dataset({"packs": array(wide)}), treated="Ca", start=2004)
    assert panel.outcome == "packs"


def test_a_moved_start_is_reported_at_the_callers_line(wide):
    with pytest.warns(DesignWarning) as caught:
        Panel.from_wide(wide, treated="Ca", start=2003.5).backdate(2002.5)
    assert {record.filename for record in caught} == {__file__}


def test_a_numbered_index_with_a_name_may_be_the_times(wide):
    numbered = wide.reset_index(drop=True).rename_axis("week")
    assert Panel.from_wide(numbered, time="week", treated="Ca", start=4).time == "week"


@pytest.mark.parametrize("start", ["2024-01-05", pd.Timestamp("2024-01-05", tz="Europe/Berlin")])
@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_days_in_a_time_zone_stay_the_days_they_are(wide, start, convert):
    days = pd.date_range("2024-01-01", periods=8, tz="Europe/Berlin", name="day")
    frame = convert(wide.set_axis(days, axis=0).reset_index())
    panel = Panel.from_wide(frame, time="day", treated="Ca", start=start)
    assert panel.post[0] == pd.Timestamp("2024-01-05")


def test_a_skipped_period_is_noticed(long):
    with pytest.warns(PanelWarning, match=r"\[P029\].*after 2000 comes 2002"):
        built(long[long["year"] != 2001])


def test_months_are_evenly_spaced(wide):
    months = pd.date_range("2024-01-31", periods=8, freq="ME")
    assert (
        len(Panel.from_wide(wide.set_axis(months, axis=0), treated="Ca", start="2024-05-31").pre)
        == 4
    )


def test_hours_in_a_time_zone_and_a_start_in_it_agree(wide):
    hours = pd.date_range("2024-05-01", periods=8, freq="h", tz="Europe/Berlin")
    panel = Panel.from_wide(wide.set_axis(hours, axis=0), treated="Ca", start=hours[4])
    assert (len(panel.pre), len(panel.post)) == (4, 4)


def test_a_panel_made_by_hand_is_checked_and_locked(long):
    panel = built(long)
    with pytest.raises(PanelError, match=r"P025"):
        Panel(panel.outcomes * np.nan, panel.treated, panel.start)
    with pytest.raises(PanelError, match=r"P021"):
        Panel(panel.outcomes[::-1], panel.treated, panel.start)
    copy = Panel(panel.outcomes.copy(), panel.treated, panel.start, "state", "year", "packs")
    assert not copy.outcomes.to_numpy().flags.writeable


def test_booleans_among_objects_are_refused_as_numbers(long):
    with pytest.raises(PanelError, match=r"P009"):
        built(long.assign(packs=pd.Series([True, 1.0] * 16, dtype=object)))


def test_starts_of_units_that_are_not_treated_are_refused(long):
    with pytest.raises(
        DesignError, match=r"D021.*start must name the treated units \(Ca\), got Ut"
    ):
        built(long, start={"Ut": 2004})


def test_no_unit_is_treated_twice():
    panel = fake_panel()
    with pytest.raises(DesignError, match=r"D068.*treated twice"):
        replace(panel, treated=("treated", "treated"))
