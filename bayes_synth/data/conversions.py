"""Lines of code that convert a column of times written as text, by the way in which it is written.

A line is offered only when it converts every text of the column; two of them when they disagree.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from bayes_synth.data.dates import readings

__all__ = ["converting_lines"]


class Shape(NamedTuple):
    """Describe texts of one shape and the line that converts them; ``{c}`` is the column."""

    pattern: str
    line: str


MONTHS = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
SHAPES = (
    Shape(
        r"[1-4][Qq][- ]?[0-9]{4}",
        r"pandas.PeriodIndex({c}.str[-4:] + 'Q' + {c}.str[0], freq='Q').to_timestamp()",
    ),
    Shape(
        r"[0-9]{4}[-:./ ]0?[1-4]",
        r"pandas.PeriodIndex({c}.str[:4] + 'Q' + {c}.str[-1], freq='Q').to_timestamp() "
        "if they are quarters",
    ),
    Shape(
        r"[0-9]{4}[-/ ]?(?:W|w|KW)?[-/ ]?[0-9]{1,2}",
        r"pandas.to_datetime({c}.str[:4] + '-' + {c}.str.extract('([0-9]+)$')[0].to_numpy() + '-1',"
        r" format='%G-%V-%u') if they are ISO weeks",
    ),
    Shape(
        r"(?:W|w|KW|week|Week)?[-/ ]?[0-9]{1,2}[-/ ][0-9]{4}",
        r"pandas.to_datetime({c}.str[-4:] + '-' + {c}.str.extract('([0-9]+)')[0].to_numpy() + '-1',"
        r" format='%G-%V-%u') if they are ISO weeks",
    ),
    Shape(r"[0-9]{4}-[0-9]{3}", "pandas.to_datetime({c}, format='%Y-%j')"),
    Shape(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2} ?(?:/|-|\u2013|to|\.\.) ?[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "pandas.to_datetime({c}.str[:10]) (the first day of each)",
    ),
    Shape(
        rf"(?!{MONTHS})[A-Za-z]+[ _-]?[0-9]{{1,4}}",
        r"{c}.str.extract('([0-9]+)')[0].astype(int).to_numpy() (their numbers)",
    ),
)
"""Shapes of texts that no format of dates fits."""
NUMBERS = [
    order.replace("-", separator)
    for order in ("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%m-%Y")
    for separator in ("/", ".", "-")
]
NAMED = ["%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%b %Y", "%B %Y"]
NAMED += ["%b-%Y", "%d-%b-%y", "%d%b%Y", "%b-%y", "%b %y", "%B %y", "%Y-%b-%d", "%Y:%m", "%Y-%m"]
NAMED += ["%Y/%m"]
FORMATS = [
    written + clock for written in [*NUMBERS, *NAMED] for clock in ("", " %H:%M", " %H:%M:%S")
]
"""Ways of writing dates that are not ISO, among which a line that converts is looked for."""


def converting_lines(column: str, texts: Sequence[str]) -> list[str]:
    """Return the lines that would convert the whole column; several when its reading is open.

    Parameters
    ----------
    column
        The column as code writes it, such as ``df['date']``.
    texts
        The texts in it.
    """
    if all(any("fiscal" in found for found in readings(text)) for text in texts):
        digits = "str.extract(r'([0-9]+)')[0].astype(int).to_numpy()"
        return [f"{column} = {column}.{digits} (the first of the years it names, as a number)"]
    fitting = [written for written in FORMATS if _fits(texts, written)]
    lines = [f"pandas.to_datetime({column}, format={written!r})" for written in fitting]
    bare = [text.strip() for text in texts]
    lines += [
        shape.line.format(c=column)
        for shape in SHAPES
        if all(re.fullmatch(shape.pattern, text) for text in bare) and _likely(shape, lines)
    ]
    return [f"{column} = {line}" for line in lines]


def _likely(shape: Shape, lines: Sequence[str]) -> bool:
    """Leave weeks out where months fit: only a week above twelve tells them apart."""
    return not lines or "weeks" not in shape.line


def _fits(texts: Sequence[str], written: str) -> bool:
    return bool(pd.to_datetime(pd.Series(texts), format=written, errors="coerce").notna().all())
