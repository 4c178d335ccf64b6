"""Text files as people have them: separators, decimals, encodings, dates, labels."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest

from bayes_synth.data.text_file import TextFormat, read_text
from bayes_synth.errors import OptionError, PanelError

FIRST = pd.Timestamp("2021-04-01")


@pytest.fixture
def read(tmp_path):
    """Write a file and read it; options of the format are keywords, and so is ``start``."""

    def reading(text, *, name="a.csv", start="1990", coding="utf-8", more=(), **layout):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode(coding))
        return read_text(
            file,
            unit="u",
            time="t",
            outcome="y",
            start=start,
            layout=TextFormat(**layout),
            more=more,
        )

    return reading


@pytest.mark.parametrize(
    "label", ["NA", "06", "null", "1e5", "None", "TRUE", "2021-01-01", "1.0", "Washington, DC"]
)
def test_labels_of_units_stay_the_text_that_they_are(read, label):
    table = read(f'u,t,y\n"{label}",1970,1\nOhio,1970,2\n').frame
    assert table["u"].tolist() == [label, "Ohio"]


@pytest.mark.parametrize("word", ["", "NA", "NaN", "null", "#N/A", " NA "])
def test_a_missing_outcome_is_missing(read, word):
    assert np.isnan(read(f"u,t,y\na,1970,{word}\nb,1970,2\n").frame["y"][0])


@pytest.mark.parametrize(("sep", "words"), [(",", ()), (";", "semi"), ("\t", "tab"), ("|", "bar")])
def test_the_separator_is_the_one_with_which_the_columns_are_there(read, sep, words):
    table, _, found = read(sep.join("uty") + "\n" + sep.join(["a", "1970", "1"]))
    assert table["y"].tolist() == [1.0]
    assert bool(words) == any(words in text for text in found if words)


def test_a_header_with_other_separators_in_its_names_is_read(read):
    table = read("u;a,b,c,d;t;y\nx;1,2;1970;3\n").frame
    assert table.columns.tolist() == ["u", "a,b,c,d", "t", "y"]


def test_excels_line_about_separators_is_not_the_header(read):
    assert read("sep=;\r\nu;t;y\r\na;1970;1\r\n").frame["y"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("texts", "numbers", "comma"),
    [
        (["100,94", "2"], [100.94, 2.0], True),
        (["1.234,5", "12"], [1234.5, 12.0], True),
        (["1,234.5", "12"], [1234.5, 12.0], False),
        (["1,234,567", "1,234"], [1234567.0, 1234.0], False),
        (["0,123", "1,234"], [0.123, 1.234], True),
        (["1.5", "1e3", "-2", "+.5", "7."], [1.5, 1000.0, -2.0, 0.5, 7.0], False),
    ],
)
def test_decimals_are_read_as_the_column_shows(read, texts, numbers, comma):
    rows = "".join(f'a,{1970 + i},"{text}"\n' for i, text in enumerate(texts))
    table, _, found = read("u,t,y\n" + rows)
    assert table["y"].tolist() == numbers
    assert ("decimal comma" in found) == comma


@pytest.mark.parametrize("texts", [["1,234"], ["1,500", "2,345", "7"], ["-1,234", "1.234"]])
def test_what_can_be_read_in_two_ways_is_refused(read, texts):
    rows = "".join(f'a,{1970 + i},"{text}"\n' for i, text in enumerate(texts))
    with pytest.raises(OptionError, match=r"O052.*--decimal"):
        read("u,t,y\n" + rows)


def test_whole_thousands_of_a_file_with_semicolons_are_refused_too(read):
    with pytest.raises(OptionError, match="O052"):
        read("u;t;y\na;1970;1.234\nb;1970;987\n")
    assert read("u,t,y\na,1970,1.234\nb,1970,987\n").frame["y"].tolist() == [1.234, 987.0]


def test_the_option_decides(read):
    rows = 'u,t,y\na,1970,"1,234"\n'
    assert read(rows, decimal=".").frame["y"].tolist() == [1234.0]
    assert read(rows, decimal=",").frame["y"].tolist() == [1.234]


@pytest.mark.parametrize("text", ["12%", "$5", "1,5,", "1 234", "1.5"])
def test_what_is_no_number_stays_for_the_panel_to_name(read, text):
    column = read(f'u,t,y\na,1970,"{text}"\nb,1970,"2,5"\n', decimal=",").frame["y"]
    assert column.tolist() == [text, 2.5]


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(read, coding):
    table, _, found = read("u,t,y\nMünchen,1970,1\n", coding=coding)
    assert table["u"].tolist() == ["München"]
    assert found == (() if coding.startswith("utf-8") else (f"encoding {coding}",))


def test_a_given_encoding_must_fit(read):
    assert read("u,t,y\nŁódź,1970,1\n", coding="cp1250", encoding="cp1250").frame["u"][0] == "Łódź"
    with pytest.raises(OptionError, match=r"O051.*not text in ascii"):
        read("u,t,y\nŁódź,1970,1\n", encoding="ascii")
    with pytest.raises(OptionError, match=r"O051.*unknown"):
        read("u,t,y\na,1970,1\n", encoding="utf-nine")


@pytest.mark.parametrize(
    ("dates", "start", "style"),
    [
        (["01.04.2021", "13.04.2021"], "01.04.2021", "%d.%m.%Y"),
        (["04/01/2021", "04/13/2021"], "04/01/2021", "%m/%d/%Y"),
        (["01/04/2021", "13/04/2021"], "01/04/2021", "%d/%m/%Y"),
        (["Apr 2021", "May 2021"], "Apr 2021", "%b %Y"),
        (["2021/04/01", "2021/04/13"], "2021/04/01", "%Y/%m/%d"),
        (["01apr2021", "13may2021"], "01apr2021", "%d%b%Y"),
        (["01.04.2021 00:00", "13.04.2021 12:30"], "01.04.2021 00:00", "%d.%m.%Y %H:%M"),
    ],
)
def test_dates_of_one_reading_are_read_and_said(read, dates, start, style):
    rows = "".join(f'a,"{date}",1\n' for date in dates)
    table, first, found = read("u,t,y\n" + rows, start=start)
    assert (table["t"][0], first) == (FIRST, FIRST)
    assert found == (f"dates as {style}", f"start {start} read as 2021-04-01")


@pytest.mark.parametrize("dates", [["04/01/2021", "04/02/2021"], ["1-2-2021"], ["01/02/21"]])
def test_dates_of_two_readings_are_refused_with_the_option(read, dates):
    with pytest.raises(OptionError, match=r"O053.*--date-format"):
        read("u,t,y\n" + "".join(f"a,{date},1\n" for date in dates))


def test_a_date_format_must_fit_every_time(read):
    rows = "u,t,y\na,04/01/2021,1\n"
    assert read(rows, date_format="%m/%d/%Y", start="2021-04-01").start == "2021-04-01"
    assert read(rows, date_format="%m/%d/%Y").frame["t"][0] == FIRST
    with pytest.raises(OptionError, match=r"O053.*must fit every time"):
        read(rows, date_format="%d.%m.%Y")


@pytest.mark.parametrize(
    ("times", "read_as"),
    [
        (["1970", "1971"], [1970, 1971]),
        (["1970.0", "1971.0"], [1970, 1971]),
        (["2021-04-01", "2021-04-02"], ["2021-04-01", "2021-04-02"]),
        (["2021-04", "2021-05"], ["2021-04", "2021-05"]),
        (["2021Q1", "2021Q2"], ["2021Q1", "2021Q2"]),
    ],
)
def test_numbers_become_numbers_and_iso_is_left_to_the_panel(read, times, read_as):
    table, _, found = read("u,t,y\n" + "".join(f"a,{time},1\n" for time in times))
    assert table["t"].tolist() == read_as
    assert found == ()


@pytest.mark.parametrize(("name", "pack"), [("gz", gzip), ("bz2", bz2), ("xz", lzma)])
def test_compressed_files_are_read(read, name, pack):
    packed = pack.compress(b"u,t,y\na,1970,1\n")
    assert read(packed, name=f"a.csv.{name}").frame["y"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 a workbook", "workbook"),
        (b"", "No columns"),
        (b"u,t,y\na,1970,1,9\n", "more fields"),
        (b"u,t,y\na,1970,1,\nb,1971,2,\n", "more fields"),
    ],
)
def test_what_is_no_table_is_said(read, content, words):
    with pytest.raises(PanelError, match=rf"P001.*{words}"):
        read(content)


@pytest.mark.parametrize(
    "layout", [{"sep": "::"}, {"sep": "a"}, {"sep": '"'}, {"decimal": "x"}, {"decimal": ""}]
)
def test_options_that_cannot_be_are_refused(layout):
    with pytest.raises(OptionError, match="O050"):
        TextFormat(**layout)


@pytest.mark.parametrize(("name", "sep"), [("tab", "\t"), ("TAB", "\t"), ("\\t", "\t"), (";", ";")])
def test_separators_that_are_hard_to_type_have_names(name, sep):
    assert TextFormat(sep=name).sep == sep


def test_a_decimal_comma_of_a_further_column_is_said(read):
    text = "u;t;y;x\na;1970;1.5;2,25\nb;1970;2.5;3,75\n"
    table, _, found = read(text, more=["x"])
    assert table["x"].tolist() == [2.25, 3.75]
    assert "decimal comma in x" in found
    assert "decimal comma" not in found
