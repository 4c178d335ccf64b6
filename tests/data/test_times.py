"""Times as people write them: one reading or none, in the zone of the data."""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.data.dates import read_date, readings
from bayes_synth.errors import DesignError, PanelError, PanelWarning
from bayes_synth.results.windows import times_in

DAYS = pd.date_range("2024-01-01", periods=120, name="date")
BERLIN = "Europe/Berlin"


def wide(times) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.random((len(times), 4)), index=times, columns=["a", "b", "c", "d"])


def panel(times=DAYS, start="2024-04-01", **options) -> bs.Panel:
    return bs.Panel.from_wide(wide(times), treated="a", start=start, **options)


ONE_READING = {
    "2024-04": ("2024-04-01", "2024-04-30"),
    "20240401": ("2024-04-01", "2024-04-01"),
    "2024-04-01": ("2024-04-01", "2024-04-01"),
    "2024Q2": ("2024-04-01", "2024-06-30"),
    "2024-Q2": ("2024-04-01", "2024-06-30"),
    "Q2 2024": ("2024-04-01", "2024-06-30"),
    "2024-W05": ("2024-01-29", "2024-02-04"),
    "2024W05": ("2024-01-29", "2024-02-04"),
    "2024-W05-3": ("2024-01-31", "2024-01-31"),
    "2024M4": ("2024-04-01", "2024-04-30"),
    "2024": ("2024-01-01", "2024-12-31"),
    "2024-4-1": ("2024-04-01", "2024-04-01"),
    "2024/04/01": ("2024-04-01", "2024-04-01"),
    " 2024-04-01 ": ("2024-04-01", "2024-04-01"),
}


@pytest.mark.parametrize(("text", "ends"), ONE_READING.items(), ids=ONE_READING.keys())
def test_text_with_one_reading_is_read(text, ends):
    reading = read_date(text)
    assert (str(reading.first.date()), str(reading.last.date())) == ends
    assert (reading.last + pd.Timedelta(1, "us")).normalize() > reading.last


SEVERAL = {
    "01/04/2024": ["2024-01-04", "2024-04-01"],
    "01.04.2024": ["2024-01-04", "2024-04-01"],
    "1-4-2024": ["2024-01-04", "2024-04-01"],
    "13.04.2024": ["2024-04-13"],
    "04/13/2024": ["2024-04-13"],
    "22/04/05": ["2005-04-22", "2022-04-05"],
    "4/5/24": ["2024-04-05", "2024-05-04"],
    "01/04/2024 10:30": ["2024-01-04", "2024-04-01"],
    "1 April 2024": ["2024-04-01"],
    "Apr 1, 2024": ["2024-04-01"],
    "April 2024": ["2024-04"],
    "04/2024": ["2024-04"],
    "01042024": ["2024-01-04", "2024-04-01"],
    "2024-13-01": ["2024-01-13"],
    "2024H2": ["2024-07"],
    "KW 5/2024": ["2024-W05"],
    "202404": ["2024-04"],
    "2023/24": ["the fiscal year from 2023", "the fiscal year to 2024"],
    "FY24": ["the fiscal year from 2024", "the fiscal year to 2024"],
    "2Q2024": ["2024Q2"],
    "1Q95": ["1995Q1"],
    "Apr-24": ["2024-04"],
    "2024-4": ["2024-04", "2024Q4"],
    "2024-092": ["2024-04-01"],
    "2024W5": ["2024-W05"],
    "today": [],
    "now": [],
    "soon": [],
    "2024-02-30": [],
    "\uff12\uff10\uff12\uff14-04-01": [],
}


@pytest.mark.parametrize(("text", "found"), SEVERAL.items(), ids=SEVERAL.keys())
def test_other_text_is_not_read_but_its_readings_are_named(text, found):
    assert read_date(text) is None
    assert readings(text) == found


@pytest.mark.parametrize("text", [text for text, found in SEVERAL.items() if found])
def test_a_start_that_is_not_iso_is_refused_with_its_readings(text):
    with pytest.raises(
        DesignError, match=r"D001.*it may be .*write it like '2024-01-01'"
    ) as caught:
        panel(start=text)
    assert all(found in str(caught.value) for found in readings(text))


def test_windows_and_backdating_refuse_what_a_start_refuses():
    with pytest.raises(DesignError, match=r"D001\] window='01/04/2024'.*may be 2024-01-04 or"):
        times_in(slice("01/04/2024", None), panel().post)
    with pytest.raises(DesignError, match=r"D001\] start='02/03/2024'.*may be 2024-02-03 or"):
        panel().backdate("02/03/2024")


@pytest.mark.parametrize(
    ("window", "ends"),
    [
        (slice("2024-04", "2024-04"), ("2024-04-01", "2024-04-29")),
        (slice("2024-W15", "2024-W15"), ("2024-04-08", "2024-04-14")),
        (slice("2024Q2", None), ("2024-04-01", "2024-04-29")),
        (slice("20240403", "2024-04-05"), ("2024-04-03", "2024-04-05")),
        (slice(pd.Period("2024-04-03"), pd.Period("2024-04", "M")), ("2024-04-03", "2024-04-29")),
    ],
    ids=str,
)
def test_a_window_ends_with_what_its_text_names(window, ends):
    times = pd.DatetimeIndex(times_in(window, panel().post))
    assert (str(times[0].date()), str(times[-1].date())) == ends


# --- columns of times ---

FIRST = {
    "YYYYMMDD": ([int(f"{day:%Y%m%d}") for day in DAYS], "2024-01-01", "P040"),
    "YYYYMMDD as text": ([f"{day:%Y%m%d}" for day in DAYS], "2024-01-01", "P040"),
    "YYYYMMDD as floats": ([float(f"{day:%Y%m%d}") for day in DAYS], "2024-01-01", "P040"),
    "YYYYMM": ([100 * (1990 + m // 12) + m % 12 + 1 for m in range(120)], "1990-01-01", "P040"),
    "quarters": ([f"{1990 + q // 4}Q{q % 4 + 1}" for q in range(120)], "1990-01-01", "P033"),
    "quarters with a dash": (
        [f"{1990 + q // 4}-Q{q % 4 + 1}" for q in range(120)],
        "1990-01-01",
        "P033",
    ),
    "weeks": (
        [f"{d:%G-W%V}" for d in pd.date_range("2020-01-06", periods=120, freq="7D")],
        "2020-01-06",
        "P033",
    ),
    "months": ([f"{d:%Y-%m}" for d in pd.date_range("1990", periods=120, freq="MS")], "1990", ""),
}


@pytest.mark.parametrize(("times", "first", "code"), FIRST.values(), ids=FIRST.keys())
def test_dates_with_one_reading_become_dates_with_a_remark(times, first, code):
    made = panel(times, start=times[60])
    assert made.times[0] == pd.Timestamp(first)
    assert len(made.pre) == 60
    assert not {"P029"} & set(made.report["code"])
    assert not code or code in set(made.report["code"])


def test_a_number_is_a_label_where_the_data_had_numbers():
    days = FIRST["YYYYMMDD"][0]
    starts = [20240401, "20240401", "2024-04-01", pd.Timestamp("2024-04-01"), "2024-04"]
    assert {panel(days, start=start).start for start in starts} == {pd.Timestamp("2024-04-01")}
    months = FIRST["YYYYMM"][0]
    starts = [199504, "199504", "1995-04", "1995-04-01", "1995Q2"]
    assert {panel(months, start=start).start for start in starts} == {pd.Timestamp("1995-04-01")}


SECONDS = DAYS.as_unit("s").astype("int64").to_numpy()
REFUSED = {
    "seconds": (SECONDS, r"seconds since 1970.*2024-01-01", "unit='s'"),
    "milliseconds": (1000 * SECONDS, r"milliseconds since 1970.*2024-01-01", "unit='ms'"),
    "microseconds": (10**6 * SECONDS, r"microseconds since 1970.*2024-01-01", "unit='us'"),
    "nanoseconds": (10**9 * SECONDS, r"nanoseconds since 1970.*2024-01-01", "unit='ns'"),
    "seconds as floats": (SECONDS + 0.5, r"seconds since 1970", "unit='s'"),
    "a spreadsheet's serials": (
        45292 + np.arange(120),
        r"spreadsheet: 45292 would be 2024-01-01",
        "origin='1899-12-30'",
    ),
    "weeks in one number": (
        [int(f"{d:%G%V}") for d in pd.date_range("2020-01-06", periods=120, freq="7D")],
        r"ISO weeks written YYYYWW: 202002 would be 2020-01-06",
        "%G%V%u",
    ),
    "quarters in one number": (
        [10 * (1990 + q // 4) + q % 4 + 1 for q in range(120)],
        r"quarters written YYYYQ: 19901 would be 1990-01-01",
        "PeriodIndex",
    ),
    "hours in one number": (
        [int(f"{h:%Y%m%d%H}") for h in pd.date_range("2024-01-01", periods=120, freq="h")],
        "YYYYMMDDHH",
        "%Y%m%d%H",
    ),
}


@pytest.mark.parametrize(("times", "text", "line"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("column", [True, False], ids=["column", "index"])
def test_dates_in_disguise_are_refused_with_a_line_that_converts_them(times, text, line, column):
    df = wide(list(times))
    df = df.rename_axis("when").reset_index() if column else df
    option = {"time": "when"} if column else {}
    with pytest.raises(PanelError, match=rf"P041.*{text}") as caught:
        bs.Panel.from_wide(df, treated="a", start=times[60], **option)
    code = str(caught.value).split("Convert it first: ")[1].split("; if they only count")[0]
    assert line in code
    names = {"df": df, "pandas": pd}
    exec(code, names)
    axis = pd.DatetimeIndex(names["df"]["when"] if column else names["df"].index)
    assert axis.is_monotonic_increasing
    assert 1990 <= axis[0].year <= 2024


@pytest.mark.parametrize(
    "times",
    [
        np.arange(120),
        1900 + np.arange(120),
        1990 + np.arange(120) / 4,
        np.arange(120) * 1000,
        10_000 + np.arange(120),
        -60 + np.arange(120),
    ],
    ids=["counts", "years", "quarters of years", "thousands", "large counts", "around zero"],
)
def test_numbers_that_count_periods_stay_numbers(times):
    made = panel(times, start=times[60])
    assert made.times.dtype.kind in "if"
    assert "P040" not in set(made.report["code"])


TEXTS = {
    "day first": ("%d.%m.%Y", ["format='%d.%m.%Y'"]),
    "month first": ("%m/%d/%Y", ["format='%m/%d/%Y'"]),
    "two digits": ("%d/%m/%y", ["format='%d/%m/%y'"]),
    "named": ("%d %b %Y", ["format='%d %b %Y'"]),
    "with a clock": ("%d/%m/%Y %H:%M", ["format='%d/%m/%Y %H:%M'"]),
}


@pytest.mark.parametrize(("written", "lines"), TEXTS.values(), ids=TEXTS.keys())
def test_columns_that_are_not_iso_are_refused_with_the_line_that_converts_them(written, lines):
    df = wide(DAYS.strftime(written)).rename_axis("when").reset_index()
    with pytest.raises(PanelError, match=r"P032\] 'when' must hold ISO dates") as caught:
        bs.Panel.from_wide(df, time="when", treated="a", start="2024-04-01")
    assert all(line in str(caught.value) for line in lines)
    code = str(caught.value).split("Convert it first: ")[1].removesuffix(".").split(" or ")[0]
    names = {"df": df, "pandas": pd}
    exec(code, names)
    made = bs.Panel.from_wide(names["df"], time="when", treated="a", start="2024-04-01")
    assert made.times[0] == DAYS[0]


def test_days_that_leave_the_order_open_are_given_both_lines():
    df = wide([f"{i:02d}/{i:02d}/2024" for i in range(1, 13)])
    with pytest.raises(PanelError, match=r"P032.*(?s:.*)%d/%m/%Y.* or .*%m/%d/%Y"):
        bs.Panel.from_wide(df, treated="a", start="2024-06-06")


@pytest.mark.parametrize("written", ["{0}/{1:02d}", "{0}-{1:02d}", "FY{0}"])
def test_fiscal_years_are_refused_with_the_line_that_numbers_them(written):
    years = [written.format(2000 + i, (2001 + i) % 100) for i in range(12)]
    with pytest.raises(PanelError, match=r"P032.*fiscal year from 2") as caught:
        panel(years, start=years[6])
    code = str(caught.value).split("Convert it first: ")[1].split(" (the first")[0]
    names = {"df": wide(years)}
    exec(code.replace("df.index.str", "df.index.to_series().str"), names)
    assert list(names["df"].index[:2]) == [2000, 2001]


def test_kinds_of_text_are_not_mixed():
    with pytest.raises(PanelError, match=r"P030.*months, years"):
        panel(["2024", "2024-05", "2024-06", "2024-07", "2024-08"], start="2024-07")


# --- time zones ---

HOURS = pd.date_range("2024-03-28", periods=24 * 8, freq="h", tz=BERLIN)
AUTUMN = pd.date_range("2024-10-20", periods=24 * 14, freq="h", tz=BERLIN)


def test_text_is_read_in_the_zone_of_the_data():
    made = panel(HOURS, start="2024-04-02 00:00")
    assert made.start == pd.Timestamp("2024-04-02")
    assert made.start == panel(HOURS, start=pd.Timestamp("2024-04-02", tz=BERLIN)).start
    assert made.start == panel(HOURS, start=pd.Timestamp("2024-04-01 22:00", tz="UTC")).start
    assert made.start == panel(HOURS, start="2024-04-01T22:00Z").start
    assert not {"P029", "P043"} & set(made.report["code"])
    assert "P031" in set(made.report["code"])
    hours = pd.DatetimeIndex(times_in(slice("2024-04-03", "2024-04-03"), made.post, made.zone))
    assert (len(hours), hours[0]) == (24, pd.Timestamp("2024-04-03"))


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_every_zone_is_treated_alike(zone):
    hours = pd.date_range("2024-05-01", periods=200, freq="h", tz=zone)
    made = panel(hours, start="2024-05-05 06:00")
    assert made.start == pd.Timestamp("2024-05-05 06:00")
    assert made.zone.name == zone
    assert made.backdate("2024-05-03 00:00").start == pd.Timestamp("2024-05-03")


def test_where_the_clock_goes_back_times_are_utc_and_text_is_not():
    with pytest.warns(PanelWarning, match=r"P043.*2024-10-27 02:00:00 occurs twice"):
        made = panel(AUTUMN, start="2024-10-30 00:00")
    assert made.start == pd.Timestamp("2024-10-29 23:00")
    assert len(made.times) == len(AUTUMN)
    with pytest.warns(PanelWarning, match="P043"):
        assert made.start == panel(AUTUMN, start=pd.Timestamp("2024-10-30")).start
    hours = times_in(slice("2024-10-31", "2024-10-31"), made.post, made.zone)
    assert (len(hours), hours[0]) == (24, np.datetime64("2024-10-30T23:00"))
    assert made.backdate("2024-10-25 00:00").start == pd.Timestamp("2024-10-24 22:00")
    assert made.backdate(made.pre[30]).start == made.pre[30]


@pytest.mark.filterwarnings("ignore:.P043")
def test_a_time_that_the_clock_shows_twice_or_never_is_refused():
    with pytest.raises(DesignError, match=r"D011.*occurs twice.*\+02:00' or .*\+01:00'"):
        panel(AUTUMN, start="2024-10-27 02:30")
    year = pd.date_range("2024-03-20", periods=320, freq="D", tz=BERLIN) + pd.Timedelta("12h")
    both = year.append(AUTUMN).unique().sort_values()
    with pytest.raises(DesignError, match=r"D011.*never occurs in Europe/Berlin.*03:00:00\+02:00"):
        panel(both, start="2024-03-31 02:30")


def test_a_zone_for_data_without_one_is_refused():
    hours = pd.date_range("2024-04-01", periods=100, freq="h")
    with pytest.raises(DesignError, match=r"D012.*write .* like '2024-04-03 05:00:00'"):
        panel(hours, start=pd.Timestamp("2024-04-03 05:00", tz=BERLIN))
    with pytest.raises(DesignError, match=r"D012"):
        panel(hours, start="2024-04-03T05:00+02:00")
    with pytest.raises(DesignError, match=r"D012"):
        panel(DAYS, start=pd.Timestamp("2024-04-03 05:00", tz=BERLIN))
    assert panel(DAYS, start=pd.Timestamp("2024-04-03", tz=BERLIN)).start == pd.Timestamp(
        "2024-04-03"
    )


def test_a_zone_without_a_name_is_refused():
    from dateutil.tz import tzoffset

    odd = DAYS.tz_localize(tzoffset("odd", 4321))
    with pytest.raises(PanelError, match=r"P044.*tz_convert\('UTC'\)"):
        panel(odd, start="2024-04-01")


def test_a_mix_of_offsets_is_refused_with_the_line_that_joins_them():
    with pytest.raises(PanelError, match=r"P030.*UTC offsets(?s:.*)utc=True"):
        panel([stamp.isoformat() for stamp in HOURS], start="2024-04-02")


def test_a_saved_fit_keeps_the_zone(tmp_path):
    from bayes_synth.testing import fake_fit

    fit = fake_fit(panel=panel(HOURS, start="2024-04-02 00:00"))
    fit.save(tmp_path / "zoned.nc")
    again = bs.load(tmp_path / "zoned.nc")
    assert again.panel == fit.panel
    assert again.panel.zone.name == BERLIN
    window = slice("2024-04-03", "2024-04-03")
    assert again.effect("pointwise", window=window).draws.sizes["time"] == 24


def test_simulated_panels_take_iso_text_only():
    with pytest.raises(bs.errors.OptionError, match=r"O010\] start must be a date.*'01/04/2024'"):
        bs.simulate(donors=5, pre=20, post=5, start="01/04/2024", random_seed=1)
    assert bs.simulate(donors=5, pre=20, post=5, start="2024-04", random_seed=1).panel.start == (
        pd.Timestamp("2024-04-01")
    )


# --- further ways of writing: each is refused with a line that reads it rightly ---

WEEKS = pd.date_range("2020-01-06", periods=120, freq="7D")
MONTHS = pd.date_range("2010-01-01", periods=120, freq="MS")
QUARTERS = pd.date_range("1990-01-01", periods=120, freq="QS")
NUMBERED = {
    "quarters in two digits": ([100 * d.year + d.quarter for d in QUARTERS], QUARTERS),
    "a quarter behind the point": ([d.year + d.quarter / 10 for d in QUARTERS], QUARTERS),
    "a month behind the point": ([d.year + d.month / 100 for d in MONTHS], MONTHS),
    "days of the year": ([int(f"{d:%Y%j}") for d in DAYS], DAYS),
    "year first, two digits": ([int(f"{d:%y%m%d}") for d in DAYS], DAYS),
    "day first": ([f"{d:%d%m%Y}" for d in DAYS], DAYS),
    "month first": ([int(f"{d:%m%d%Y}") for d in DAYS], DAYS),
}


@pytest.mark.parametrize(("times", "dates"), NUMBERED.values(), ids=NUMBERED.keys())
def test_numbers_that_would_sort_or_step_wrongly_are_refused_with_the_line(times, dates):
    df = wide(times).rename_axis("when").reset_index()
    with pytest.raises(PanelError, match="P041") as caught:
        bs.Panel.from_wide(df, time="when", treated="a", start=times[60])
    names = {"df": df, "pandas": pd}
    exec(str(caught.value).split("Convert it first: ")[1].split("; if they only count")[0], names)
    np.testing.assert_array_equal(pd.DatetimeIndex(names["df"]["when"]), dates)


def test_an_open_order_of_day_and_month_in_one_number_is_said():
    firsts = [f"{d:%d%m%Y}" for d in MONTHS if d.month > 1]
    with pytest.raises(PanelError, match=r"P041.*DDMMYYYY \(or MMDDYYYY"):
        panel(firsts, start=firsts[60])


@pytest.mark.parametrize(
    "times",
    [
        20_000_101 + 10_000 * np.arange(20),
        1_012_000 + np.arange(40),
        2010 + np.arange(60) / 12,
        np.round(2010 + np.arange(120) / 12, 2),
        np.round(2010 + np.arange(120) / 12, 3),
    ],
    ids=["one day a year", "counts", "twelfths", "twelfths, 2 digits", "twelfths, 3 digits"],
)
def test_what_only_resembles_them_is_read_without_a_remark(times):
    made = panel(times, start=times[12])
    assert not {"P029", "P041"} & set(made.report["code"])


def test_a_twelfth_left_out_is_still_seen():
    with pytest.warns(bs.errors.PanelWarning, match="P029"):
        panel(np.delete(np.round(2010 + np.arange(120) / 12, 2), 118), start=2015)


WRITTEN = {
    "1Q1990": ([f"{d.quarter}Q{d.year}" for d in QUARTERS], QUARTERS, 0),
    "1990-1": ([f"{d.year}-{d.quarter}" for d in QUARTERS], QUARTERS, 1),
    "1990:1": ([f"{d.year}:{d.quarter}" for d in QUARTERS], QUARTERS, 1),
    "2010:01": ([f"{d:%Y:%m}" for d in MONTHS], MONTHS, 0),
    "Jan-10": ([f"{d:%b-%y}" for d in MONTHS], MONTHS, 0),
    "2020W2": ([f"{d:%G}W{int(f'{d:%V}')}" for d in WEEKS], WEEKS, 0),
    "2020-02": ([f"{d:%G-%V}" for d in WEEKS], WEEKS, 0),
    "W02 2020": ([f"W{d:%V %G}" for d in WEEKS], WEEKS, 0),
    "2/2020": ([f"{int(f'{d:%V}')}/{d:%G}" for d in WEEKS], WEEKS, 0),
    "a range": ([f"{d:%Y-%m-%d}/{d + pd.Timedelta(days=6):%Y-%m-%d}" for d in WEEKS], WEEKS, 0),
    "2024-001": ([f"{d:%Y-%j}" for d in DAYS], DAYS, 0),
    "week 1": ([f"week {i + 1}" for i in range(120)], range(1, 121), 0),
    "t1": ([f"t{i + 1}" for i in range(120)], range(1, 121), 0),
}


@pytest.mark.parametrize(("times", "dates", "line"), WRITTEN.values(), ids=WRITTEN.keys())
@pytest.mark.parametrize("column", [True, False], ids=["column", "index"])
def test_ways_of_writing_that_no_format_fits_have_their_line(times, dates, line, column):
    df = wide(times)
    df = df.rename_axis("when").reset_index() if column else df
    with pytest.raises(PanelError, match="P032") as caught:
        bs.Panel.from_wide(df, treated="a", start=times[60], **({"time": "when"} if column else {}))
    lines = str(caught.value).split("Convert it first: ")[1].split(" or df")
    code = f"df{lines[line].removeprefix('df')}".split(" if they are ")[0].split(" (the")[0]
    names = {"df": df, "pandas": pd}
    exec(code.removesuffix("."), names)
    np.testing.assert_array_equal(names["df"]["when"] if column else names["df"].index, dates)


@pytest.mark.parametrize("text", ["2024-04-01T00:00:00Z", "2024-04-01 00:00:00+02:00"])
def test_midnight_with_a_zone_is_its_day_for_data_of_days(text):
    assert panel(start=text).start == pd.Timestamp("2024-04-01")
    assert len(times_in(slice(text, text), panel().post)) == 1
