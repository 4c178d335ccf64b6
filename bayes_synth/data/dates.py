"""Dates written as text: ISO is read, and of anything else the readings it might have are named.

Nothing here guesses: ``01/04/2024`` is the fourth of January to some and the first of April to
others, so it has two readings and is left to its writer.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

__all__ = ["Reading", "read_date", "readings"]


class Reading(NamedTuple):
    """Hold the first and the last instant of what a text names, and its kind."""

    first: pd.Timestamp
    last: pd.Timestamp
    kind: str


class Form(NamedTuple):
    """Describe one way to write dates: its pattern, its first instant, and how long it lasts."""

    kind: str
    pattern: re.Pattern[str]
    first: Callable[..., pd.Timestamp]
    lasts: pd.DateOffset


def _form(kind: str, pattern: str, first: Callable[..., pd.Timestamp], **lasts: Any) -> Form:
    return Form(kind, re.compile(pattern, re.ASCII), first, pd.DateOffset(**lasts))


def _day(year: str, month: str = "1", day: str = "1") -> pd.Timestamp:
    return pd.Timestamp(int(year), int(month), int(day))


def _quarter(year: str, quarter: str) -> pd.Timestamp:
    return _day(year, str(3 * int(quarter) - 2))


def _week(year: str, week: str, day: str | None = None) -> pd.Timestamp:
    return pd.Timestamp(date.fromisocalendar(int(year), int(week), int(day or 1)))


DAY = r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}"
TWO = ":?[0-9]{2}"
ZONE = r" ?(?:Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
FORMS = (
    _form("year", r"([0-9]{4})", _day, years=1),
    _form("month", r"([0-9]{4})-([0-9]{2})", _day, months=1),
    _form("month", r"([0-9]{4})-?[Mm]([0-9]{1,2})", _day, months=1),
    _form("day", r"([0-9]{4})([0-9]{2})([0-9]{2})", _day, days=1),
    # Year first is month second everywhere, whatever stands between them.
    _form("day", r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", _day, days=1),
    _form("day", r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})", _day, days=1),
    _form("day", r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,2})", _day, days=1),
    _form("quarter", r"([0-9]{4})[- ]?[Qq]([1-4])", _quarter, months=3),
    _form("quarter", r"[Qq](?P<q>[1-4])[- /]?(?P<y>[0-9]{4})", _quarter, months=3),
    _form("week", r"([0-9]{4})-?[Ww]([0-9]{2})", _week, weeks=1),
    _form("day", r"([0-9]{4})-?[Ww]([0-9]{2})-?([1-7])", _week, days=1),
    _form("clock", rf"({DAY}[T ][0-9]{{2}}{ZONE})", pd.Timestamp, hours=1),
    _form("clock", rf"({DAY}[T ][0-9]{{2}}{TWO}{ZONE})", pd.Timestamp, minutes=1),
    _form("clock", rf"({DAY}[T ][0-9]{{2}}{TWO}{TWO}{ZONE})", pd.Timestamp, seconds=1),
    _form(
        "clock",
        rf"({DAY}[T ][0-9]{{2}}{TWO}{TWO}[.,][0-9]{{1,9}}{ZONE})",
        pd.Timestamp,
        microseconds=1,
    ),
)
"""Every way of writing a date that has one reading, most of them ISO 8601's."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_date(text: str) -> Reading | None:
    """Return what a date written as text names; None unless it has exactly one reading."""
    text = text.strip()
    for form in FORMS:
        found = form.pattern.fullmatch(text)
        if found:
            try:
                groups = found.groups()
                # The quarter may stand before its year.
                first = form.first(*(groups[::-1] if found.groupdict() else groups))
                last = first.as_unit("us") + form.lasts - pd.Timedelta(1, "us")
            except (ValueError, OverflowError):
                return None
            return Reading(first, last, form.kind)
    return None


def readings(text: str) -> list[str]:
    """List what a text might mean, in ISO: ``01/04/2024`` is 2024-01-04 or 2024-04-01."""
    text = " ".join(text.split())
    return sorted({found for guess in GUESSES for found in guess(text)})


def _three_numbers(text: str) -> Iterator[str]:
    """Read three numbers as year, month and day in every order that gives a date."""
    found = re.match(r"([0-9]{1,4})[-./, ]+([0-9]{1,2})[-./, ]+([0-9]{1,4})(?![0-9])", text)
    if found:
        yield from _in_any_order(found.groups())


def _in_any_order(groups: tuple[str, ...]) -> Iterator[str]:
    first, second, third = groups
    orders = [(first, second, third), (third, second, first), (third, first, second)]
    # Year, day, month is a slip, and nobody's habit.
    orders += [(first, third, second)] if len(first) == 4 else []
    for year, month, day in orders:
        if len(year) in (2, 4) and len(month) <= 2 and len(day) <= 2:
            yield from _iso(year, month, day)


def _iso(year: str, month: str, day: str) -> Iterator[str]:
    """Write a date in ISO, if there is such a date; two digits of a year are of 1969 to 2068."""
    full = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 69 else 1900)
    try:
        yield date(full, int(month), int(day)).isoformat()
    except ValueError:
        return


def _eight_digits(text: str) -> Iterator[str]:
    if re.fullmatch(r"[0-9]{8}", text):
        yield from _iso(text[4:], text[2:4], text[:2])
        yield from _iso(text[4:], text[:2], text[2:4])


def _six_digits(text: str) -> Iterator[str]:
    if re.fullmatch(r"[0-9]{6}", text):
        if text[:2] in ("18", "19", "20", "21") and 1 <= int(text[4:]) <= 12:
            yield f"{text[:4]}-{text[4:]}"
        yield from _in_any_order((text[:2], text[2:4], text[4:]))


def _two_numbers(text: str) -> Iterator[str]:
    found = re.fullmatch(r"([0-9]{1,2})[-./ ]([0-9]{4})|([0-9]{4})[-:./ ]([0-9]{1,2})", text)
    if found:
        month, year = (found[1], found[2]) if found[1] else (found[4], found[3])
        if 1 <= int(month) <= 12:
            yield f"{year}-{int(month):02d}"


def _month_names(text: str) -> Iterator[str]:
    """Read a date with the month's English name beside a year; one of two digits stands last."""
    names = [
        MONTHS.index(word[:3].lower())
        for word in re.findall("[A-Za-z]{3,}", text)
        if word[:3].lower() in MONTHS
    ]
    years = re.findall(r"(?<![0-9])[0-9]{4}(?![0-9])", text)
    days = re.findall(r"(?<![0-9:])[0-9]{1,2}(?![0-9:])", text)
    if len(names) == len(years) == 1 and len(days) <= 1:
        if days:
            yield from _iso(years[0], str(names[0] + 1), days[0])
        else:
            yield f"{years[0]}-{names[0] + 1:02d}"
    short = re.fullmatch(r"[A-Za-z]{3,9}[- '/\u2019]*([0-9]{2})", text)
    if len(names) == 1 and short:
        year = int(short[1])
        yield f"{year + (2000 if year < 69 else 1900)}-{names[0] + 1:02d}"


def _quarters(text: str) -> Iterator[str]:
    """Read ``2Q2024``, ``1Q95``, ``Q1 '24``, ``1995:1``: the quarter has one digit."""
    first = re.fullmatch(r"([1-4])[Qq][- ]?([0-9]{4}|[0-9]{2})", text)
    other = re.fullmatch(r"[Qq]([1-4])[-/ '\u2019]*([0-9]{2})", text)
    behind = re.fullmatch(r"([0-9]{4})[-:./ ]([1-4])", text)
    if found := first or other:
        year = int(found[2]) + (0 if len(found[2]) == 4 else 2000 if int(found[2]) < 69 else 1900)
        yield f"{year}Q{found[1]}"
    elif behind:
        yield f"{behind[1]}Q{behind[2]}"


def _day_of_year(text: str) -> Iterator[str]:
    found = re.fullmatch(r"((?:18|19|20|21)[0-9]{2})-?([0-9]{3})", text)
    if found and 1 <= int(found[2]) <= 366:
        yield (date(int(found[1]), 1, 1) + timedelta(int(found[2]) - 1)).isoformat()


def _fiscal(text: str) -> Iterator[str]:
    """Read ``FY24``, ``2023/24`` and ``2023-24``; the year it starts in depends on the country."""
    found = re.fullmatch(r"(?:FY ?)?([0-9]{4})[-/]([0-9]{2}|[0-9]{4})", text, re.IGNORECASE)
    if found and (int(found[1]) + 1) % 100 == int(found[2]) % 100:
        yield from (f"the fiscal year from {found[1]}", f"the fiscal year to {int(found[1]) + 1}")
    found = re.fullmatch(r"FY ?([0-9]{4}|[0-9]{2})", text, re.IGNORECASE)
    if found:
        year = int(found[1]) + (2000 if len(found[1]) == 2 else 0)
        yield from (f"the fiscal year from {year}", f"the fiscal year to {year}")


def _halves(text: str) -> Iterator[str]:
    found = re.fullmatch(r"([0-9]{4})[- ]?[HhSs]([12])", text)
    if found:
        yield f"{found[1]}-{'01' if found[2] == '1' else '07'}"


def _weeks(text: str) -> Iterator[str]:
    found = re.fullmatch(r"(?:W|KW|week) ?([0-9]{1,2})[-/ ]([0-9]{4})", text, re.IGNORECASE)
    other = re.fullmatch(r"([0-9]{4})[-/ ]?(?:W|KW|week) ?([0-9]{1,2})", text, re.IGNORECASE)
    year, week = (found[2], found[1]) if found else (other[1], other[2]) if other else ("", "0")
    if re.search("[Ww]", text) and 1 <= int(week) <= 53:
        yield f"{year}-W{int(week):02d}"


GUESSES: tuple[Callable[[str], Iterator[str]], ...] = (
    _three_numbers,
    _eight_digits,
    _six_digits,
    _two_numbers,
    _month_names,
    _quarters,
    _day_of_year,
    _fiscal,
    _halves,
    _weeks,
)
"""Functions of a text, each of which yields the readings of one way of writing."""
