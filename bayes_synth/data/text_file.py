"""Read a text file of columns: how it is written is found out where it is not given, and said.

Labels of units stay the text that they are: ``NA`` is a label, and so is ``06``.
"""

import bz2
import csv
import gzip
import io
import lzma
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast, final

import pandas as pd

from bayes_synth.errors import OptionError, PanelError
from bayes_synth.words import listed, short

__all__ = ["OPENERS", "TextFormat", "TextTable", "read_text", "read_unit_rows"]

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|"}
"""Separators that a shell makes hard to type, by name."""
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "None", "<NA>")
).union(("#NA", "#N/A", "#N/A N/A", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN"))
"""Words for a missing outcome, as pandas has them; in a column of labels they are labels."""
DATES = {
    ".": ["%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d", "%m.%Y"],
    "/": ["%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y", "%m/%Y"],
    "-": ["%d-%m-%Y", "%m-%d-%Y", "%m-%Y", "%d-%b-%Y", "%d-%b-%y", "%b-%Y"],
    " ": ["%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%b %Y", "%B %Y"],
    "": ["%d%b%Y", "%b%Y"],
}
"""Formats of dates that are tried, by what separates their parts."""
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
NUMBER = re.compile(r"[-+]?\d+(\.0*)?")


@final
@dataclass(frozen=True)
class TextFormat:
    """Say how a text file is written; what is None is found out.

    Parameters
    ----------
    sep
        Character between fields, or its name (``"tab"``).
    decimal
        ``"."`` or ``","``; the other one may group thousands.
    encoding
        Name of the encoding.
    date_format
        Format of the times, such as ``"%d.%m.%Y"``.
    """

    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        sep = NAMED.get(str(self.sep).lower(), self.sep)
        if sep is not None and (len(sep) != 1 or sep.isalnum() or sep in "\"'\n\r"):
            raise OptionError(
                "O050", f"--sep must be one character between fields, or tab; got {sep!r}."
            )
        if self.decimal not in (None, ".", ","):
            raise OptionError("O050", f"--decimal must be . or , ; got {self.decimal!r}.")
        object.__setattr__(self, "sep", sep)


class TextTable(NamedTuple):
    """What was read: a table, the start in the same writing of dates, and what was found out."""

    frame: pd.DataFrame
    start: Any
    found: tuple[str, ...]
    """What is not plain (comma, decimal point, UTF-8, ISO dates), in words."""


def read_text(
    path: Path,
    *,
    unit: str,
    time: str,
    outcome: str,
    start: str,
    layout: TextFormat,
    more: Iterable[str] = (),
) -> TextTable:
    """Read a text file whose first line names its columns.

    Parameters
    ----------
    path
        The file, also compressed (``.gz``, ``.bz2``, ``.xz``).
    unit, time, outcome
        Names of columns. Units stay text, times become numbers or dates, outcomes numbers.
    start
        The first treated period, in ISO or as the file's times are written.
    layout
        How the file is written, as far as that is known.
    more
        Further columns of numbers.

    Returns
    -------
    TextTable
        Outcomes that are not numbers are left as they are, for the panel to name them.

    Raises
    ------
    PanelError
        P001 when the file is none, or not a table.
    OptionError
        O051 when it cannot be decoded, O052 when numbers, O053 when dates can be read in two ways
        or not at all: the message names the option that decides.
    """
    text, encoding = _decoded(_bytes(path), path, layout.encoding)
    text, sep = _separated(text, (unit, time, outcome), layout.sep)
    frame = _frame(text, sep, path)
    found = [] if sep == "," or layout.sep else [f"{SEPARATORS.get(sep, repr(sep))}-separated"]
    found += [] if encoding == "utf-8" or layout.encoding else [f"encoding {encoding}"]
    if outcome in frame:
        decimal = layout.decimal or _decimal(frame[outcome], sep, outcome)
        found += ["decimal comma"] if decimal == "," and not layout.decimal else []
        frame[outcome] = _numbers(frame[outcome], decimal)
    for name in more:
        if name in frame and name != outcome:
            own = layout.decimal or _decimal(frame[name], sep, name)
            found += [f"decimal comma in {name}"] if own == "," and not layout.decimal else []
            frame[name] = _numbers(frame[name], own)
    first: Any = start
    if time in frame:
        style = layout.date_format or _date_format(frame[time], time)
        frame[time] = _times(frame[time], style, time)
        first = _start(start, style)
        found += [f"dates as {style}"] if style and not layout.date_format else []
        found += [] if first is start else [f"start {start} read as {short(first)}"]
    return TextTable(frame, first, tuple(found))


def read_unit_rows(path: Path, layout: TextFormat | None = None) -> pd.DataFrame:
    """Read a text file with one row per unit: labels in the first column, then numbers.

    Parameters
    ----------
    path
        The file, also compressed. Labels stay text.
    layout
        How the file is written, as far as that is known.

    Returns
    -------
    pandas.DataFrame
        One column of numbers per covariate; a column that holds a word stays text.

    Raises
    ------
    PanelError
        P001 when the file is none, or not a table of two columns or more.
    OptionError
        O051 when it cannot be decoded, O052 when its numbers can be read in two ways.
    """
    layout = layout or TextFormat()
    text, _ = _decoded(_bytes(path), path, layout.encoding)
    text, sep = _separated(text, (), layout.sep)
    frame = _frame(text, sep, path)
    if frame.shape[1] < 2:
        raise PanelError(
            "P001",
            f"{path} must have a column of units and then one column per covariate, "
            f"got {listed(frame.columns)}.",
        )
    table = frame.set_index(frame.columns[0])
    for name in table:
        decimal = layout.decimal or _decimal(table[name], sep, str(name))
        table[name] = _numbers(table[name], decimal)
    return table


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise PanelError("P001", f"the data must be a CSV file; there is no {path}.")
    with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
        content: bytes = file.read()
    if content[:4] in (b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"):
        raise PanelError(
            "P001",
            f"the data must be a CSV file, got {path}, a workbook or another binary file; save "
            "the sheet as CSV, or read it in Python and pass the frame to bs.Panel.from_long.",
        )
    return content


def _decoded(content: bytes, path: Path, encoding: str | None) -> tuple[str, str]:
    """Return the text, and the name of the encoding that made it."""
    marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for name in (encoding,) if encoding else (marked, "cp1252"):
        try:
            return content.decode(name).removeprefix("\ufeff"), name.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
        except LookupError as error:
            raise OptionError("O051", f"--encoding is unknown: {encoding!r}.") from error
    tried = encoding or "utf-8 and cp1252"
    raise OptionError("O051", f"{path} is not text in {tried}; pass its --encoding.")


def _separated(text: str, names: Iterable[str], sep: str | None) -> tuple[str, str]:
    """Return the text without Excel's line about separators, and the separator.

    The separator is the one with which the header has the columns that are asked for.
    """
    head, _, rest = text.partition("\n")
    if head[:4].lower() == "sep=" and len(head.strip()) == 5:
        return rest, sep or head[4]
    if sep is not None:
        return text, sep
    fields = {
        each: next(csv.reader([head.rstrip("\r")], delimiter=each), []) for each in SEPARATORS
    }
    asked = set(names)
    best = max(SEPARATORS, key=lambda each: (len(asked & set(fields[each])), len(fields[each])))
    return text, best


def _frame(text: str, sep: str, path: Path) -> pd.DataFrame:
    """Read every field as text, so that no label is taken for a number or for missing."""
    try:
        frame = pd.read_csv(io.StringIO(text), sep=sep, dtype=object, na_filter=False)
    except ValueError as error:
        raise PanelError("P001", f"cannot read {path} as CSV: {error}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise PanelError(
            "P001",
            f"cannot read {path} as CSV: its rows have more fields than its header has names; "
            "name every column in the first line.",
        )
    return frame


def _decimal(column: pd.Series, sep: str, name: str) -> str:
    """Find out which of ``.`` and ``,`` begins the decimals of a column's numbers.

    Raises
    ------
    OptionError
        O052 when both readings are possible: 1,234 is a thousand or a little more than one.
    """
    texts = [text for text in map(str.strip, column.unique()) if text not in MISSING]
    votes = {vote for text in texts if (vote := _vote(text))}
    if len(votes - {"?,", "?."}) == 1:
        return (votes - {"?,", "?."}).pop()
    # In files of a decimal comma fields cannot be separated by commas, so semicolons are.
    doubtful = {"?,"} | ({"?."} if sep == ";" else set())
    if len(votes - {"?,", "?."}) > 1 or votes & doubtful:
        examples = listed([text for text in texts if _vote(text)], 3)
        raise OptionError(
            "O052",
            f"{name!r} can be read with a decimal comma or with a decimal point ({examples}); "
            "pass --decimal , or --decimal .",
        )
    return "."


def _vote(text: str) -> str:
    """Say which decimal sign a number shows, with a question mark when it may group thousands."""
    point, comma = text.rfind("."), text.rfind(",")
    if point >= 0 and comma >= 0:
        return "." if point > comma else ","
    sign = "." if point >= 0 else "," if comma >= 0 else ""
    other = {".": ",", ",": "."}.get(sign, "")
    if text.count(sign or "x") > 1:
        return other
    grouped = sign and re.fullmatch(rf"[-+]?[1-9]\d{{0,2}}\{sign}\d{{3}}", text)
    return f"?{sign}" if grouped else sign


def _numbers(column: pd.Series, decimal: str) -> pd.Series:
    """Convert numbers with this decimal sign; what is none stays text."""
    group = "," if decimal == "." else "."
    shape = re.compile(
        rf"[-+]?(\d+|\d{{1,3}}(\{group}\d{{3}})+)?(\{decimal}\d*)?([eE][-+]?\d+)?|[-+]?inf"
    )

    def number(text: str) -> Any:
        bare = text.strip()
        if bare in MISSING:
            return float("nan")
        if not shape.fullmatch(bare) or not any(sign.isalnum() for sign in bare):
            return text
        return float(bare.replace(group, "").replace(decimal, "."))

    values = [number(text) for text in column]
    kind: Any = object if any(isinstance(value, str) for value in values) else float
    return cast(pd.Series, pd.Series(values, index=column.index, dtype=kind))


def _date_format(column: pd.Series, name: str) -> str | None:
    """Find the format of dates that are neither ISO nor numbers; None when there is none.

    Raises
    ------
    OptionError
        O053 when two formats fit and give different dates.
    """
    texts = [text.strip() for text in column.unique()]
    if not texts or any(re.match(r"\d{4}(\d|-|W|Q|$)", text) or not text for text in texts):
        return None
    formats = (date + clock for dates in DATES.values() for date in dates for clock in CLOCKS)
    fitting = {style: found for style in formats if (found := _dates(texts, style)) is not None}
    if len({tuple(dates) for dates in fitting.values()}) > 1:
        styles = " and ".join(fitting)
        raise OptionError(
            "O053",
            f"the times in {name!r} fit {styles} (such as {texts[0]}): say which with "
            f'--date-format "{next(iter(fitting))}".',
        )
    return next(iter(fitting), None)


def _dates(texts: Iterable[str], style: str) -> list[datetime] | None:
    """Read all texts in one format, or none of them."""
    try:
        return [datetime.strptime(text, style) for text in texts]
    except ValueError:
        return None


def _times(column: pd.Series, style: str | None, name: str) -> pd.Series:
    """Convert times to dates by their format, or to numbers where all are numbers."""
    if style is None:
        numbers = all(NUMBER.fullmatch(text.strip()) for text in column.unique())
        if not numbers or not len(column):
            return column
        return pd.to_numeric(column)
    try:
        dates = {text: datetime.strptime(text.strip(), style) for text in column.unique()}
    except ValueError as error:
        raise OptionError(
            "O053", f"--date-format must fit every time in {name!r}, got {style!r}: {error}."
        ) from error
    return pd.to_datetime(column.map(dates))


def _start(start: str, style: str | None) -> Any:
    """Read the start as the file's dates are written; leave what is written otherwise as it is."""
    dates = _dates([start.strip()], style) if style else None
    return pd.Timestamp(dates[0]) if dates else start
