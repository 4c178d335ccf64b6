"""Turn columns of outcomes into 64-bit numbers; text is refused with the line that converts it."""

import math
import numbers
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np

from bayes_synth.data.labels import is_missing
from bayes_synth.data.remarks import Remark
from bayes_synth.errors import PanelError
from bayes_synth.words import listed

__all__ = ["numbers_of"]

EXACT = 2**53
"""Whole numbers up to this size are exact in 64-bit floats."""


def numbers_of(column: nw.Series[Any], name: object, notes: list[Remark]) -> np.ndarray:
    """Convert outcomes to float64; refuse text, booleans, dates and complex numbers.

    Raises
    ------
    PanelError
        P009 for text, with the line that converts it, P010 for booleans and dates, P011 for
        complex numbers.
    """
    kind = column.dtype
    if kind == nw.Boolean or kind.is_temporal():
        raise PanelError("P010", f"column {str(name)!r} must hold numbers, got {kind}.")
    if kind != nw.Float64 and not kind.is_integer():
        text = f"{str(name)!r} came as {kind}: converted to 64-bit numbers."
        notes.append(Remark("P008", "noted", text))
    whole = column.drop_nulls() if kind.is_integer() else column.head(0)
    if len(whole) and max(abs(int(whole.max())), abs(int(whole.min()))) > EXACT:
        text = f"{str(name)!r} has whole numbers over 2^53, which lose their last digits."
        notes.append(Remark("V017", "warned", text))
    if kind.is_numeric():
        return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=float)
    return _from_objects(column.to_list(), str(name))


def _from_objects(values: list[Any], name: str) -> np.ndarray:
    """Convert numbers that are stored as objects; missing ones become NaN."""
    if any(isinstance(value, complex) for value in values):
        raise PanelError("P011", f"column {name!r} must hold real numbers, got complex ones.")
    bad = [value for value in values if not (is_missing(value) or _is_real(value))]
    if bad:
        raise PanelError(
            "P009",
            f"column {name!r} must hold numbers, but {len(bad)} of {len(values)} are not: "
            f"{listed(map(repr, bad), 3)}.\n  {_cure(bad, name, len(values))}",
        )
    return np.array([np.nan if is_missing(value) else _float(value) for value in values])


def _is_real(value: object) -> bool:
    number = isinstance(value, (numbers.Real, Decimal))
    return number and not isinstance(value, (bool, np.bool_))


def _float(value: Any) -> float:
    """Convert to 64 bits; a number too large becomes infinite, and is refused with its cell."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


# --- numbers as text ---

PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
AROUND = re.compile(r"^[\s$€£¥₹%]+|[\s$€£¥₹%]+$")
GAPS = "[\\s'\u2019]"
"""Blanks, thin and non-breaking ones too, and apostrophes, which stand between thousands."""
WHOLE = re.compile(r"[+-]?[0-9]+")
COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
POINTS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?")
COMMAS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")


def _cure(bad: Sequence[Any], name: str, count: int) -> str:
    """Write the line that converts what is text, by the way in which its numbers are written."""
    column = f"df[{name!r}]"
    texts = [value.replace("\u2212", "-") for value in bad if isinstance(value, str)]
    bare = [re.sub(GAPS, "", AROUND.sub("", text)) for text in texts]
    if not texts or len(texts) < len(bad):
        return "Convert or drop what is not a number."
    minus = any("\u2212" in str(value) for value in bad)
    source = rf"{column}.str.replace('\u2212', '-')" if minus else column
    around = rf"{source}.str.replace(r'[^0-9,.eE+-]', '', regex=True)"
    text = source if bare == texts else around
    style = _style(bare)
    if style == "plain":
        per_cent = " (in per cent)" if any("%" in value for value in texts) else ""
        return f"Convert it first{per_cent}: {column} = pandas.to_numeric({text})."
    points = f"pandas.to_numeric({text}.str.replace(',', ''))"
    commas = f"pandas.to_numeric({text}.str.replace('.', '').str.replace(',', '.'))"
    if style == "open":
        return (
            f"The comma has two readings. If it stands between thousands: {column} = {points}; "
            f"if it is a decimal comma: {column} = {commas}."
        )
    if style == "comma":
        return f"They have decimal commas: {column} = {commas}, or read the file with decimal=','."
    if style == "commas":
        return (
            f"They have commas between thousands: {column} = {points}, "
            "or read the file with thousands=','."
        )
    return _cure_of_words(texts, bare, name, len(bad) == count)


def _cure_of_words(texts: Sequence[str], bare: Sequence[str], name: str, whole: bool) -> str:
    """Say what to do where words stand among the numbers, or in all of the column."""
    column = f"df[{name!r}]"
    words = [text for text in texts if not any(letter.isdigit() for letter in text)]
    if whole and len(words) == len(texts) > 1 and len(set(words)) > 1:
        return (
            "It holds words, not outcomes: leave the column out, name the donors with "
            "donors=[...], or use bs.Panel.from_long for a frame of one row per unit and time."
        )
    others = [plain for plain, text in zip(bare, texts, strict=True) if text not in words]
    if words and _style(others) == "plain":
        return (
            f"If {listed(dict.fromkeys(map(repr, words)), 3)} means a missing outcome: "
            f"{column} = pandas.to_numeric({column}, errors='coerce')."
        )
    odd = [text for text, plain in zip(texts, bare, strict=True) if not PLAIN.fullmatch(plain)]
    unlike = f"; unlike the rest: {listed(dict.fromkeys(map(repr, odd)), 3)}"
    return (
        "Convert it to numbers first; it is written in several ways, or holds no numbers"
        f"{unlike if len(odd) < len(texts) / 2 else ''}."
    )


def _style(texts: Sequence[str]) -> str:
    """Name how numbers are written; ``open`` when thousands and decimals cannot be told apart."""
    if all(PLAIN.fullmatch(text) for text in texts):
        return "plain"
    thousands = all(PLAIN.fullmatch(text) or COMMAS.fullmatch(text) for text in texts)
    decimals = all(any(form.fullmatch(text) for form in (WHOLE, COMMA, POINTS)) for text in texts)
    if thousands and decimals:
        return "open"
    return "commas" if thousands else "comma" if decimals else "mixed"
