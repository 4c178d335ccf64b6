"""Bad input to a study is refused in words: three of each kind."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_studies import long, wide

import bayes_synth as bs
from bayes_synth.errors import DesignError, DesignWarning, OptionError


def refused(code: str, match: str, **options) -> None:
    with pytest.raises(DesignError, match=match) as caught:
        bs.Study.from_wide(options.pop("data", wide()), **options)
    assert caught.value.code == code


@pytest.mark.parametrize("starts", [{"u00": 2000}, {"u00": 1990}, {"u00": 2010, "u01": 1999}])
def test_a_unit_treated_from_the_first_period_on(starts):
    refused("D060", "treated from it on: u0", starts=starts)


@pytest.mark.parametrize("starts", [{"u00": 2001}, {"u01": 2002}, {"u00": 2010, "u05": 2002}])
def test_fewer_than_three_pre_periods_names_the_units(starts):
    refused("D061", f"Drop them .*{max(starts)}", starts=starts)


def test_missing_outcomes_do_not_count_as_pre_periods():
    data = wide()
    data.loc[2000:2003, "u00"] = np.nan
    refused("D061", r"u00 \(1 before 2005\)", data=data, starts={"u00": 2005}, missing="model")


@pytest.mark.parametrize("last", [2012, 2015, 2018])
def test_a_treatment_that_switches_off(last):
    rows = long(wide())
    rows["on"] = ((rows["unit"] == "u03") & rows["year"].between(2010, last)).astype(int)
    with pytest.raises(DesignError, match=f"u03 at {last + 1}") as caught:
        bs.Study.from_long(rows, unit="unit", time="year", outcome="y", starts="on")
    assert caught.value.code == "D062"


@pytest.mark.parametrize("value", [2, -1, 0.5])
def test_a_column_with_other_values(value):
    rows = long(wide())
    rows["on"] = np.where((rows["unit"] == "u03") & (rows["year"] >= 2010), value, 0)
    with pytest.raises(DesignError, match="other values for u03") as caught:
        bs.Study.from_long(rows, unit="unit", time="year", outcome="y", starts="on")
    assert caught.value.code == "D063"


def test_a_column_that_says_nothing_about_a_period():
    rows = long(wide())
    rows["on"] = ((rows["unit"] == "u03") & (rows["year"] >= 2010)).astype(float)
    rows.loc[(rows["unit"] == "u03") & (rows["year"] == 2004), "on"] = np.nan
    with pytest.raises(DesignError, match="u03 at 2004") as caught:
        bs.Study.from_long(rows, unit="unit", time="year", outcome="y", starts="on")
    assert caught.value.code == "D063"


def test_nobody_is_treated():
    refused("D064", "at least one treated unit", starts={})
    rows = long(wide(), on=0)
    with pytest.raises(DesignError, match="at least one treated unit"):
        bs.Study.from_long(rows, unit="unit", time="year", outcome="y", starts="on")
    study = bs.Study.from_wide(wide(), starts={"u00": 2010})
    with pytest.raises(DesignError, match="D064"):
        study.drop("u00")


def test_everybody_is_treated():
    everybody = dict.fromkeys(wide(), 2010)
    refused("D064", "must never be treated", starts=everybody)
    study = bs.Study.from_wide(wide(), starts={"u00": 2010})
    with pytest.raises(DesignError, match="must never be treated"):
        study.drop(study.donors)


@pytest.mark.parametrize("donors", [3, 5, 7])
def test_fewer_donors_than_a_set_needs(donors):
    with pytest.warns(DesignWarning, match="D065"):
        bs.Study.from_wide(wide(donors + 2), starts={"u00": 2010, "u01": 2012})


def test_enough_donors_are_not_warned_about(recwarn):
    bs.Study.from_wide(wide(10), starts={"u00": 2010, "u01": 2012})
    assert not [w for w in recwarn if "D065" in str(w.message)]


@pytest.mark.parametrize("pool", [["u01"], ["u02", "u01"], ["u00"]])
def test_a_not_yet_treated_donor(pool):
    refused("D066", "never be treated", starts={"u00": 2010, "u01": 2015}, donors={"u00": pool})


def test_a_pool_of_units_that_do_not_exist():
    starts = {"u00": 2010}
    refused("D009", "u99", starts=starts, donors={"u00": ["u99"]})
    refused("D070", "by treated unit", starts=starts, donors={"u05": ["u06"]})
    refused("D014", "has no donors", starts=starts, donors={"u00": []})
    refused("D069", "must map", starts=starts, donors=["u05"])


@pytest.mark.parametrize("late", [2020, 2021, 2100])
def test_a_start_after_the_data(late):
    refused("D067", "Leave these units out", starts={"u00": 2010, "u02": late})


@pytest.mark.parametrize(
    "starts", [{1: 2010, "1": 2011}, {"u00": 2010, 1.5: 2011, "1.5": 2012}, {2: 2003, "2": 2003}]
)
def test_one_label_twice(starts):
    refused("D068", "once", starts=starts)


@pytest.mark.parametrize("starts", [2010, ["u00"], [("u00", 2010)]])
def test_starts_of_another_type(starts):
    refused("D069", "must map each treated unit", starts=starts)


def test_keeping_what_is_not_treated():
    study = bs.Study.from_wide(wide(), starts={"u00": 2010, "u01": 2012})
    for units in ("u05", ["u00", "u06"], "nobody"):
        with pytest.raises(DesignError, match="to leave donors out, use drop") as caught:
            study.keep(units)
        assert caught.value.code == "D070"


@pytest.mark.parametrize("by", [8, 9, 19])
def test_backdating_too_far(by):
    study = bs.Study.from_wide(wide(), starts={"u00": 2010, "u01": 2015})
    with pytest.raises(DesignError, match="u00") as caught:
        study.backdate(by)
    assert caught.value.code == "D071"


@pytest.mark.parametrize("by", [0, -1, 1.5])
def test_backdating_by_no_number_of_periods(by):
    study = bs.Study.from_wide(wide(), starts={"u00": 2010})
    with pytest.raises(OptionError, match="O010"):
        study.backdate(by)


def test_a_start_between_two_times_is_remarked():
    dates = wide().set_axis(pd.date_range("2000-01-01", periods=20, freq="MS"), axis=0)
    with pytest.warns(DesignWarning, match="the start of u00, 2000-10-15"):
        study = bs.Study.from_wide(dates, starts={"u00": "2000-10-15"})
    assert study.starts["u00"] == pd.Timestamp("2000-11-01")


def test_a_constant_unit_is_named():
    data = wide().assign(u03=5.0)
    refused("V004", "u03", data=data, starts={"u00": 2010, "u03": 2010})


def test_the_data_are_never_modified():
    data, rows = wide(), long(wide(), on=0)
    rows.loc[(rows["unit"] == "u03") & (rows["year"] >= 2010), "on"] = 1
    before = data.copy(), rows.copy()
    bs.Study.from_wide(data, starts={"u00": 2010})
    bs.Study.from_long(rows, unit="unit", time="year", outcome="y", starts="on")
    pd.testing.assert_frame_equal(data, before[0])
    pd.testing.assert_frame_equal(rows, before[1])


def test_all_doors_give_one_study():
    data, starts = wide(), {"u00": 2010, "u03": 2015}
    rows = long(data)
    rows["on"] = [
        year >= starts.get(unit, 9999)
        for unit, year in zip(rows["unit"], rows["year"], strict=True)
    ]
    names = {"unit": "unit", "time": "year", "outcome": "y"}
    array = xr.DataArray(data, dims=("year", "unit"), name="y")
    studies = [
        bs.Study.from_long(rows, **names, starts=starts),
        bs.Study.from_long(rows, **names, starts="on"),
        bs.Study.from_long(rows.assign(on=rows["on"].astype(int)), **names, starts="on"),
        bs.Study.from_xarray(array, starts=starts, unit="unit", time="year"),
    ]
    assert all(study == studies[0] for study in studies)
    assert bs.Study.from_wide(data, starts=starts).outcomes.equals(studies[0].outcomes)


def test_panels_have_their_own_start_and_never_treated_donors():
    study = bs.Study.from_wide(
        wide(), starts={"u00": 2010, "u03": 2015}, donors={"u03": ["u05", "u07"]}
    )
    assert study.panels["u00"].start == 2010
    assert "u03" not in study.panels["u00"].donors
    assert study.panels["u03"].donors == ("u05", "u07")
    earlier = study.backdate(2)
    assert earlier.panels["u03"].start == 2013
    assert list(earlier.panels["u03"].post) == [2013, 2014]
    assert list(study.keep("u03").panels) == ["u03"]
    assert "u07" not in study.drop("u07").panels["u03"].donors


def test_a_study_says_what_it_is():
    study = bs.Study.from_wide(wide(), starts={"u00": 2010, "u03": 2015})
    assert "2: u00, u03" in repr(study)
    assert "2010 (1), 2015 (1)" in repr(study)
    assert "<strong>Study</strong>" in study._repr_html_()
    assert list(study.report.columns) == ["code", "kind", "remark"]
