"""Labels of units: written as text, told apart, and found again when they are typed differently."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_synth.data.remarks import Remark
from bayes_synth.errors import DesignError, PanelError
from bayes_synth.words import suggestion

__all__ = ["is_missing", "labels_of", "near_miss", "require_distinct_labels", "require_names"]

INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
"""Characters that take no place: soft hyphens, zero-width blanks and joiners, direction marks."""
MARKS = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d", '"')
)
"""Dashes and quotation marks that programs put in place of those on a keyboard."""
NUMBER = re.compile(r"([+-]?)0*([0-9]+?)(?:\.0*)?", re.ASCII)
"""A whole number, with the zeros before and behind it that programs add and lose."""


def labels_of(column: Any, name: object, notes: list[Remark]) -> pd.Index:
    """Write the labels of units as text; refuse missing, empty and look-alike ones.

    Raises
    ------
    PanelError
        P022 for missing labels, P023 for two that look alike, P024 for labels of other types.
    """
    raw = list(column)
    missing = sum(is_missing(value) for value in raw)
    if missing:
        raise PanelError(
            "P022",
            f"{missing} of {len(raw)} labels in {name!r} are missing or empty. "
            "Fill or drop those rows.",
        )
    kinds = {type(value) for value in raw}
    labels = [str(value) for value in raw]
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    try:
        different = set(raw)
    except TypeError as error:
        text = f"the labels in {name!r} must be text, numbers or dates, got {names}."
        raise PanelError("P024", text) from error
    if len(set(labels)) < len(different):
        raise PanelError(
            "P024",
            f"{name!r} mixes labels that look alike but have different types ({names}). "
            "Use one type.",
        )
    if raw and kinds <= {int, np.int64, np.int32}:
        text = f"the labels in {name!r} are whole numbers: kept as text, '{labels[0]}'."
        notes.append(Remark("P039", "noted", text))
    require_distinct_labels(sorted(set(labels)), name)
    return pd.Index(labels, dtype=object, name="unit")


def is_missing(value: object) -> bool:
    """Test for None, NaN, NaT, pd.NA and blank text."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))  # type: ignore[call-overload]
    )


def require_distinct_labels(labels: Sequence[str], name: object) -> None:
    """Refuse labels that only a program tells apart: by case, blanks, encoding or zeros.

    Raises
    ------
    PanelError
        P023 with the line that makes them one.
    """
    folded: dict[str, str] = {}
    for label in labels:
        other = folded.setdefault(_folded(label).casefold(), label)
        if other != label:
            raise PanelError(
                "P023",
                f"{name!r} has {_shown(other, label)} and {_shown(label, other)}, "
                f"which differ only in {_difference(other, label)}. Make them one or rename"
                f"{_cure(other, label, name)}.",
            )


def require_names(labels: Sequence[str], units: Sequence[str]) -> None:
    """Refuse treated units that are not in the data, with how they are written there.

    Raises
    ------
    DesignError
        D007.
    """
    for label in labels:
        if label not in units:
            parts = [part.strip() for part in re.split("[,;|+&]", label)]
            several = len(parts) > 1 and set(parts) <= set(units)
            hint = f"Write treated={parts!r}." if several else near_miss(label, units)
            raise DesignError("D007", f"the treated unit {label!r} is not in the data. {hint}")


def near_miss(label: str, known: Sequence[str]) -> str:
    """Say how a label is written among the known ones; without a sure one, suggest a close one."""
    same = [other for other in known if _folded(other).casefold() == _folded(label).casefold()]
    if not same:
        return suggestion(label, known)
    other = same[0]
    difference = _difference(label, other)
    zeros = (
        "; zeros in front are lost when a file is read as numbers: read the column as text, "
        "with dtype=str"
        if difference == "zeros" and label.startswith("0") and not other.startswith("0")
        else ""
    )
    return (
        f"{_shown(other, label)} is, which differs from {_shown(label, other)} only in "
        f"{difference}: write {_shown(other, label)}{zeros}."
    )


def _folded(label: str) -> str:
    """Write a label as a reader sees it: one form of each character, single blanks, no zeros."""
    marked = unicodedata.normalize("NFKC", label.translate(MARKS))
    plain = " ".join(INVISIBLE.sub("", marked).split())
    number = NUMBER.fullmatch(plain)
    return f"{number[1].strip('+')}{number[2]}" if number else plain


def _difference(one: str, other: str) -> str:
    """Name what two labels of one folded form differ in."""
    short, other_short = " ".join(one.split()), " ".join(other.split())
    if short.lower() == other_short.lower():
        return "case or blanks"
    if unicodedata.normalize("NFKC", short) == unicodedata.normalize("NFKC", other_short):
        return "how characters are encoded"
    if short.casefold() == other_short.casefold():
        return "case or blanks"
    if one.translate(MARKS).casefold() == other.translate(MARKS).casefold():
        return "dashes or quotation marks"
    if NUMBER.fullmatch(one.strip()) and NUMBER.fullmatch(other.strip()):
        return "zeros"
    if INVISIBLE.sub("", one) == INVISIBLE.sub("", other):
        return "characters that cannot be seen"
    return "how characters are encoded"


def _cure(one: str, other: str, name: object) -> str:
    """Write the line that makes two labels one."""
    column = f"df[{name!r}]"
    if _difference(one, other) == "zeros":
        width = max(len(one.strip()), len(other.strip()))
        return f": {column}.astype(str).str.removesuffix('.0').str.zfill({width})"
    if one.split() == other.split():
        return f": {column}.str.split().str.join(' ')"
    if _difference(one, other) in ("case or blanks", "dashes or quotation marks"):
        return ""
    line = f"{column}.str.normalize('NFKC').str.strip()"
    hidden = INVISIBLE.search(one + other)
    return f": {line}" + (f".str.replace({hidden[0]!a}, '')" if hidden else "")


def _shown(label: str, other: str) -> str:
    """Quote a label, in escapes when it would look like the other one."""
    alike = _difference(label, other).startswith(("how", "char", "dashes"))
    hidden = INVISIBLE.search(label) or any(c.isspace() and c != " " for c in label)
    return ascii(label) if alike or hidden else repr(label)
