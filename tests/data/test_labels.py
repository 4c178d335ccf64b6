"""Labels and numbers as files hold them: each refusal names its cure, and the cure works."""

import re
import unicodedata

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.data.text_file import TextFormat, read_text
from bayes_synth.errors import DesignError, PanelError, PanelWarning

YEARS = range(1990, 2010)


def long(units=("a", "b", "c", "d")) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [(unit, year, 100 + 10 * rng.random()) for unit in units for year in YEARS]
    frame = pd.DataFrame(rows, columns=["geo", "year", "y"])
    return frame.astype({"geo": object}) if isinstance(units[0], str) else frame


def panel(frame, treated="a", **options) -> bs.Panel:
    roles = {"unit": "geo", "time": "year", "outcome": "y", "start": 2005}
    return bs.Panel.from_long(frame, treated=treated, **(roles | options))


NFC, NFD = "S\u00e3o Paulo", unicodedata.normalize("NFD", "S\u00e3o Paulo")
ALIKE = {
    "composed and decomposed": (NFC, NFD, "how characters are encoded", r"Sa\u0303o"),
    "wide letters": ("DE1", "\uff24\uff25\uff11", "how characters are encoded", r"\uff24"),
    "a no-break space": ("New York", "New\u00a0York", "case or blanks", r"New\xa0York"),
    "a zero-width space": ("Utah", "Utah\u200b", "characters that cannot be seen", r"\u200b"),
    "a byte-order mark": ("Utah", "\ufeffUtah", "characters that cannot be seen", r"\ufeff"),
    "a trailing blank": ("Utah", "Utah ", "case or blanks", "'Utah '"),
    "leading zeros": ("6", "06", "zeros", "'06'"),
    "a long dash": ("a-b", "a\u2013b", "dashes or quotation marks", r"a\u2013b"),
    "a curly apostrophe": ("O'Hare", "O\u2019Hare", "dashes or quotation marks", r"O\u2019Hare"),
    "a ligature": ("Suffolk", "Su\ufb00olk", "how characters are encoded", r"Su\ufb00olk"),
    "a float's point": ("6", "6.0", "zeros", "'6.0'"),
}


@pytest.mark.parametrize(("one", "other", "what", "shown"), ALIKE.values(), ids=ALIKE.keys())
def test_labels_that_only_a_program_tells_apart_are_refused(one, other, what, shown):
    with pytest.raises(PanelError, match="P023") as caught:
        panel(long(("a", one, other, "d")))
    assert what in str(caught.value)
    assert shown in str(caught.value)


@pytest.mark.parametrize(("one", "other", "what", "shown"), ALIKE.values(), ids=ALIKE.keys())
def test_a_label_typed_in_another_form_is_refused_with_the_right_one(one, other, what, shown):
    for mine, typed in ((one, other), (other, one)):
        with pytest.raises(DesignError, match=rf"D007.*only in {what}: write ") as caught:
            panel(long((mine, "b", "c", "d")), treated=typed)
        assert shown in str(caught.value)
        with pytest.raises(DesignError, match=rf"D009.*only in {what}: write "):
            panel(long((mine, "b", "c", "d")), treated="b").drop(typed)


def test_lost_zeros_are_explained():
    with pytest.raises(DesignError, match=r"write '6'; zeros in front are lost.*dtype=str"):
        panel(long((6, 16, 26, 36)), treated="06")
    with pytest.raises(DesignError, match=r"write '6.0'\.$"):
        panel(long((6.0, 16.0, 26.0, 36.0)), treated=6)
    assert panel(long((6, 16, 26, 36)), treated=6).treated == ("6",)
    assert panel(long(("06", "16", "26")), treated="06").treated == ("06",)


def test_columns_may_be_called_by_numbers():
    frame = long()
    numbered = frame.set_axis([0, 1, 2], axis=1)
    made = panel(numbered, unit=0, time=1, outcome=2)
    assert np.array_equal(made.outcomes, panel(frame).outcomes)
    assert (made.unit, made.time, made.outcome) == ("0", "1", "2")
    wide = frame.pivot(index="year", columns="geo", values="y")
    numbered = wide.reset_index().set_axis(range(5), axis=1)
    made = bs.Panel.from_wide(numbered, time=0, treated=1, start=2005)
    assert np.array_equal(made.outcomes, panel(frame).outcomes)
    assert bs.Panel.from_wide(wide.set_axis(range(4), axis=1), treated=0, start=2005).treated == (
        "0",
    )


SIDE = {
    "units in the index": lambda w: w.T,
    "units in a column": lambda w: w.T.rename_axis("geo").reset_index(),
    "years as text": lambda w: w.T.set_axis([str(year) for year in w.index], axis=1),
    "the World Bank's years": lambda w: w.T.set_axis([f"{y} [YR{y}]" for y in w.index], axis=1),
    "dates": lambda w: w.T.set_axis(pd.date_range("2024-01-01", periods=len(w)), axis=1),
    "a stem before the year": lambda w: w.T.set_axis([f"sales_{year}" for year in w.index], axis=1),
    "months by name": lambda w: w.T.set_axis(
        pd.date_range("2010-01-01", periods=len(w), freq="MS").strftime("%b-%y"), axis=1
    ),
    "days month first": lambda w: w.T.set_axis(
        pd.date_range("2010-01-13", periods=len(w)).strftime("%m/%d/%Y"), axis=1
    ),
    "years with an X": lambda w: w.T.set_axis([f"X{year}" for year in w.index], axis=1),
}


@pytest.mark.parametrize("lay", SIDE.values(), ids=SIDE.keys())
def test_a_frame_on_its_side_is_recognised(lay):
    df = lay(long().pivot(index="year", columns="geo", values="y"))
    with pytest.raises(PanelError, match=r"P042\] the frame lies on its side(?s:.*)\.T") as caught:
        bs.Panel.from_wide(df, treated="a", start=2005)
    line = str(caught.value).split("from_wide(")[1].split(", ...")[0]
    assert {"a", "b", "c", "d"} <= set(eval(line, {"df": df}).columns)
    if all(isinstance(name, str) for name in df.columns):
        with pytest.raises(PanelError, match=r"P003.*The columns are times: turn the frame"):
            panel(df)


@pytest.mark.parametrize("values", [(0, 1), (False, True), (0.0, 1.0)], ids=str)
def test_a_column_of_zeros_and_ones_is_not_a_list_of_units(values):
    frame = long()
    on = (frame["geo"] == "c") & (frame["year"] >= 2003)
    frame["treat"] = np.where(on, values[1], values[0])
    for treated in ("treat", frame["treat"], frame["treat"].to_numpy(), frame["treat"].tolist()):
        with pytest.raises(DesignError, match=r"D010.*treated=\['c'\], start='2003'"):
            panel(frame, treated=treated)


CODED = {
    "words": ("yes", "no"),
    "text": ("1", "0"),
    "signs": (1, -1),
    "nothing": (1.0, np.nan),
    "groups": ("Treated", "Control"),
}


@pytest.mark.parametrize(("on", "off"), CODED.values(), ids=CODED.keys())
def test_a_treatment_column_of_any_code_is_read_for_its_units(on, off):
    frame = long()
    treated = (frame["geo"] == "c") & (frame["year"] >= 2003)
    frame["treat"] = [on if yes else off for yes in treated]
    for given in ("treat", frame["treat"], frame["treat"].tolist()):
        with pytest.raises(DesignError, match=r"D010.*treated=\['c'\], start='2003'"):
            panel(frame, treated=given)


@pytest.mark.parametrize("values", [(2003, 0), (2, 1), (2003.0, np.inf), ("new", "old")], ids=str)
def test_a_column_without_a_clear_reading_is_refused_as_a_column(values):
    frame = long()
    frame["treat"] = np.where(frame["geo"] == "c", *values)
    for given in ("treat", frame["treat"]):
        with pytest.raises(DesignError, match=r"D010.*got a column.*write the labels"):
            panel(frame, treated=given)


@pytest.mark.parametrize("text", ["a, c", "a;c", "a + c"])
def test_several_units_in_one_text_are_taken_apart_for_the_message(text):
    with pytest.raises(DesignError, match=r"D007.*Write treated=\['a', 'c'\]"):
        panel(long(), treated=text)


def test_a_long_frame_given_as_wide_is_sent_to_the_other_reader():
    with pytest.raises(PanelError, match=r"P009.*(?s:.*)use bs.Panel.from_long"):
        bs.Panel.from_wide(long(), treated="a", start=2005)


@pytest.mark.parametrize("odd", ["(5)", "<5", "5k", "1.2.3"])
def test_the_cells_unlike_the_rest_are_named(odd):
    df = long()
    df["y"] = df["y"].map("{:.2f}".format)
    df.loc[7, "y"] = odd
    with pytest.raises(PanelError, match=rf"P009(?s:.*)unlike the rest: '{re.escape(odd)}'"):
        panel(df)


def test_a_treatment_that_is_always_on_gives_no_start():
    frame = long()
    frame["treat"] = (frame["geo"] == "c").astype(int)
    with pytest.raises(DesignError, match=r"D010.*treated=\['c'\].*give the start yourself"):
        panel(frame, treated="treat")


COMMAS = {
    "decimal commas": (["100,94", "98,5"], "decimal commas", [100.94, 98.5]),
    "decimal commas and points": (["1.100,94", "98,5"], "decimal commas", [1100.94, 98.5]),
    "commas between thousands": (["1,100.94", "98.5"], "between thousands", [1100.94, 98.5]),
    "thousands twice": (["1,100,200", "98"], "between thousands", [1100200.0, 98.0]),
    "blanks between thousands": (["1 100.94", "98.5"], "to_numeric", [1100.94, 98.5]),
    "no-break blanks": (["1\u202f100,94", "98,5"], "decimal commas", [1100.94, 98.5]),
    "apostrophes": (["1'100.94", "98.5"], "to_numeric", [1100.94, 98.5]),
    "dollars": (["$1,100.94", "$98.5"], "between thousands", [1100.94, 98.5]),
    "per cent": (["12.5 %", "98 %"], "in per cent", [12.5, 98.0]),
    "a long minus": (["\u2212100.94", "98.5"], "to_numeric", [-100.94, 98.5]),
    "plain": (["100.94", "98.5"], "to_numeric", [100.94, 98.5]),
    "a small fraction": (["0,123", "0,450"], "decimal commas", [0.123, 0.45]),
}


@pytest.mark.parametrize(("texts", "what", "numbers"), COMMAS.values(), ids=COMMAS.keys())
def test_numbers_as_text_are_refused_with_the_line_that_reads_them(texts, what, numbers):
    df = long()
    df["y"] = (texts * len(df))[: len(df)]
    with pytest.raises(PanelError, match="P009") as caught:
        panel(df)
    message = str(caught.value)
    assert what in message
    code = message[message.index("df['y'] = ") :].split(", or read")[0].removesuffix(".")
    names = {"df": df, "pandas": pd}
    exec(code, names)
    assert names["df"]["y"].tolist()[:2] == numbers


def test_a_comma_with_two_readings_is_left_to_the_caller():
    df = long()
    df["y"] = (["1,234", "567"] * len(df))[: len(df)]
    with pytest.raises(PanelError, match=r"P009.*(?s:.*)two readings.*thousands.*decimal comma"):
        panel(df)


def test_words_among_numbers_may_mean_missing():
    df = long()
    df["y"] = df["y"].astype(object)
    df.loc[3, "y"] = "suppressed"
    with pytest.raises(PanelError, match=r"P009(?s:.*)'suppressed' means.*errors='coerce'"):
        panel(df)


def test_copies_and_readings_of_a_cell_have_other_cures():
    df = long()
    copies = pd.concat([df, df[df["geo"] == "b"]])
    with pytest.raises(PanelError, match=r"P020\] 20 cells.*same outcome(?s:.*)drop_dup") as caught:
        panel(copies)
    assert "sum()" not in str(caught.value)
    line = "df.drop_duplicates(['geo', 'year', 'y'])"
    assert line in str(caught.value)
    assert panel(eval(line, {"df": copies})) == panel(df)
    half = df.assign(y=df["y"] / 2)
    with pytest.raises(PanelError, match=r"P020.*different(?s:.*)groupby.*sum\(\).*mean\(\)"):
        panel(pd.concat([df, half[half["geo"] == "b"]]))
    both = pd.concat([copies, half[half["geo"] == "c"]])
    with pytest.raises(PanelError, match=r"P020\] 40 cells .* 20 of them with different outcomes"):
        panel(both)
    gone = df.assign(y=df["y"].where(df["geo"] != "b"))
    with pytest.raises(PanelError, match=r"P020.*same outcome"):
        panel(pd.concat([gone, gone[gone["geo"] == "b"]]))


def test_rows_that_are_not_there_may_mean_zero():
    df = long()
    kept = df.drop(index=[25, 45, 46])
    with pytest.raises(
        PanelError, match=r"P025(?s:.*)3 of the missing.*no row means zero"
    ) as caught:
        panel(kept)
    line = str(caught.value).split("from_wide: ")[1].removesuffix(".")
    # Zeros that a line writes by itself may also be a broken feed: they are kept, and said.
    with pytest.warns(PanelWarning, match="V040.*If they are real, keep them"):
        filled = bs.Panel.from_wide(eval(line, {"df": kept}), treated="a", start=2005)
    assert int((filled.outcomes == 0).sum()) == 3
    with pytest.raises(PanelError, match="P025") as caught:
        panel(df.assign(y=df["y"].where(df.index != 25)))
    assert "zero" not in str(caught.value)


COLUMNS = {"unit": "geo", "time": "year", "outcome": "y"}


@pytest.mark.parametrize("labels", [("NA", "DE", "FR", "IT"), ("06", "01", "16", "26")], ids=str)
def test_a_file_keeps_its_labels_as_they_are_written(tmp_path, labels):
    frame = long(labels)
    frame.loc[25, "y"] = np.nan
    frame.to_csv(tmp_path / "data.csv", index=False, na_rep="NA")
    table, _, _ = read_text(tmp_path / "data.csv", **COLUMNS, start="2005", layout=TextFormat())
    with pytest.warns(PanelWarning, match="P026.*1 of 20 times"):
        made = panel(table, treated=labels[0], missing="model")
    assert made.treated == (labels[0],)
    assert len(made.donors) == 2
    assert made.times[0] == 1990


def test_a_file_keeps_its_decimal_years(tmp_path):
    frame = long()
    frame["year"] += 0.25
    frame.to_csv(tmp_path / "data.csv", index=False)
    table, _, _ = read_text(tmp_path / "data.csv", **COLUMNS, start="2005", layout=TextFormat())
    assert panel(table, start=2005.25).times[0] == 1990.25
