"""Dates in disguise: numbers that are days, months or instants, recognised by kind.

They become dates with a remark when they can mean one thing only, and are refused with the line
that converts them otherwise.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayes_synth.data.remarks import Remark
from bayes_synth.errors import PanelError
from bayes_synth.words import short

__all__ = ["YEARS", "in_code", "undisguised"]

YEARS = (1800, 2200)
"""Years that dates written as one number are believed to be in."""


def in_code(name: str) -> str:
    """Write the column as code does; ``df`` stands for the caller's frame."""
    return "df.index" if name == "index" else f"df[{name!r}]"


class Disguise(NamedTuple):
    """Describe one way of writing dates as numbers.

    ``line`` converts a column, written ``{c}``, with its text ``{t}``; without one the numbers are
    converted here, by ``dates``.
    """

    what: str
    fits: Callable[[np.ndarray], bool]
    dates: Callable[[np.ndarray], pd.DatetimeIndex]
    line: str = ""


def undisguised(index: pd.Index, name: str, notes: list[Remark]) -> pd.Index:
    """Convert numbers that are dates when there is one reading; refuse those that need a word.

    Raises
    ------
    PanelError
        P041 with the line that converts them.
    """
    numbers = np.unique(index.to_numpy())
    disguise = next((each for each in DISGUISES if each.fits(numbers)), None)
    if disguise is None:
        return index
    first = short(disguise.dates(numbers[:1])[0])
    if not disguise.line:
        how = f"read as dates, {numbers[0]} as {first}"
        text = f"the numbers in {name!r} are {disguise.what}: {how}."
        notes.append(Remark("P040", "noted", text))
        dates: pd.Index = disguise.dates(index.to_numpy()).as_unit("ns").rename("time")
        return dates
    column = in_code(name)
    line = disguise.line.format(c=column, t=f"{column}.astype(str)")
    raise PanelError(
        "P041",
        f"the numbers in {name!r} look like {disguise.what}: {numbers[0]:.16g} would be {first}.\n"
        f"  Convert it first: {column} = {line}; "
        f"if they only count periods, subtract the first: {column} -= {numbers[0]:.16g}.",
    )


def _between(numbers: np.ndarray, low: float, high: float) -> bool:
    return bool(len(numbers) and low <= numbers[0] and numbers[-1] <= high)


def _split(numbers: np.ndarray, by: int) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(numbers, by)


def _whole(numbers: np.ndarray) -> bool:
    return numbers.dtype.kind == "i"


def _written_as(pattern: str, digits: int) -> Callable[[np.ndarray], bool]:
    """Test for whole numbers of that many digits which are all dates of a likely year."""

    def fits(numbers: np.ndarray) -> bool:
        unit = 10 ** (digits - 4)
        if not _whole(numbers) or not _between(numbers, YEARS[0] * unit, (YEARS[1] + 1) * unit - 1):
            return False
        return bool(_parsed(numbers, pattern, errors="coerce").notna().all())

    return fits


def _parsed(numbers: np.ndarray, pattern: str, errors: Any = "raise") -> pd.DatetimeIndex:
    return pd.DatetimeIndex(
        pd.to_datetime(pd.Index(numbers.astype(str)), format=pattern, errors=errors)
    )


def _parser(pattern: str) -> Callable[[np.ndarray], pd.DatetimeIndex]:
    return lambda numbers: _parsed(numbers, pattern)


def _are_weeks(numbers: np.ndarray) -> bool:
    """Test for year and week in one number, over a change of year: 202352, 202401."""
    if not _whole(numbers) or not _between(numbers, 180_001, 220_053):
        return False
    years, weeks = _split(numbers, 100)
    return bool(years[0] < years[-1] and weeks.min() >= 1 and weeks.max() <= 53)


def _weeks(numbers: np.ndarray) -> pd.DatetimeIndex:
    years, weeks = _split(numbers, 100)
    first = [dt.date.fromisocalendar(int(year), 1, 1) for year in years]
    return pd.DatetimeIndex(pd.to_datetime(first) + pd.to_timedelta(7 * (weeks - 1), unit="D"))


def _are_quarters(numbers: np.ndarray) -> bool:
    """Test for year and quarter in one number, over a change of year: 20234, 20241."""
    if not _whole(numbers) or not _between(numbers, 18_001, 22_004) or len(numbers) < 3:
        return False
    years, quarters = _split(numbers, 10)
    steps = set(np.diff(numbers).tolist())
    likely = quarters.min() >= 1 and quarters.max() <= 4 and years[0] < years[-1]
    return bool(likely and steps <= {1, 7})


def _quarters(numbers: np.ndarray) -> pd.DatetimeIndex:
    years, quarters = _split(numbers, 10)
    return _parsed(100 * years + 3 * quarters - 2, "%Y%m")


def _are_padded_quarters(numbers: np.ndarray) -> bool:
    """Test for quarters in two digits, which look like months that skip from April to January."""
    if not _whole(numbers) or not _between(numbers, 180_001, 220_004) or len(numbers) < 3:
        return False
    last = _split(numbers, 100)[1]
    return bool(last.min() >= 1 and last.max() <= 4 and set(np.diff(numbers)) == {1, 97})


def _are_decimals(first: int, last: int, by: int) -> Callable[[np.ndarray], bool]:
    """Test for a year and, behind its point, a period that is counted from ``first`` on."""

    def fits(numbers: np.ndarray) -> bool:
        whole = np.rint(by * numbers).astype(np.int64) if len(numbers) > 2 else np.zeros(1, int)
        exact = not _whole(numbers) and np.allclose(whole / by, numbers, rtol=0, atol=1e-6)
        if not exact or not _between(numbers, *YEARS):
            return False
        behind, skip = whole % by, by - last + first
        return bool(behind.min() >= first and behind.max() <= last) and (
            set(np.diff(whole)) == {1, skip}
        )

    return fits


def _are_written(*patterns: str, digits: int, low: int, high: int) -> Callable[..., bool]:
    """Test for whole numbers that are dates by every pattern, but not one day of several years."""

    def fits(numbers: np.ndarray) -> bool:
        if not _whole(numbers) or not _between(numbers, low, high) or len(numbers) < 3:
            return False
        texts = pd.Index(numbers.astype(str)).str.zfill(digits)
        for pattern in patterns:
            dates = pd.DatetimeIndex(pd.to_datetime(texts, format=pattern, errors="coerce"))
            if dates.hasnans or dates.year.min() < YEARS[0] or dates.year.max() > YEARS[1]:
                return False
        return bool(len(set(zip(dates.month, dates.day, strict=True))) > 1)

    return fits


def _padded(pattern: str, digits: int) -> dict[str, Any]:
    def dates(numbers: np.ndarray) -> pd.DatetimeIndex:
        texts = pd.Index(numbers.astype(str)).str.zfill(digits)
        return pd.DatetimeIndex(pd.to_datetime(texts, format=pattern))

    return {
        "dates": dates,
        "line": f"pandas.to_datetime({{t}}.str.zfill({digits}), format={pattern!r})",
    }


def _decimal_months(numbers: np.ndarray) -> pd.DatetimeIndex:
    return _parsed(np.rint(100 * numbers).astype(np.int64), "%Y%m")


def _since(origin: str, unit: Any, low: float, high: float) -> dict[str, Any]:
    return {
        "fits": lambda numbers: _between(numbers, low, high),
        "dates": lambda numbers: pd.DatetimeIndex(
            pd.to_datetime(pd.Series(numbers), unit=unit, origin=origin)
        ),
        "line": f"pandas.to_datetime({{c}}, unit={unit!r}"
        + ("" if origin == "unix" else f", origin={origin!r}")
        + ")",
    }


SECONDS = 3e8, 4.1e9
"""Seconds since 1970, from 1979 to 2099."""
DISGUISES: tuple[Disguise, ...] = (
    Disguise("dates written YYYYMMDD", _written_as("%Y%m%d", 8), _parser("%Y%m%d")),
    Disguise(
        "quarters written YYYYQQ",
        _are_padded_quarters,
        lambda numbers: _parsed(3 * (numbers % 100) - 2 + 100 * (numbers // 100), "%Y%m"),
        "pandas.PeriodIndex({t}.str[:4] + 'Q' + {t}.str[5:], freq='Q').to_timestamp()",
    ),
    Disguise("months written YYYYMM", _written_as("%Y%m", 6), _parser("%Y%m")),
    Disguise(
        "ISO weeks written YYYYWW",
        _are_weeks,
        _weeks,
        "pandas.to_datetime({t} + '1', format='%G%V%u')",
    ),
    Disguise(
        "quarters written YYYYQ",
        _are_quarters,
        _quarters,
        "pandas.PeriodIndex({t}.str[:4] + 'Q' + {t}.str[4:], freq='Q').to_timestamp()",
    ),
    Disguise(
        "quarters written YYYY.Q",
        _are_decimals(1, 4, 10),
        lambda numbers: _quarters(np.rint(10 * numbers).astype(np.int64)),
        "pandas.PeriodIndex({t}.str[:4] + 'Q' + {t}.str[5:], freq='Q').to_timestamp()",
    ),
    Disguise(
        "months written YYYY.MM",
        _are_decimals(1, 12, 100),
        _decimal_months,
        "pandas.to_datetime((100 * {c}.astype(float)).round().astype(int).astype(str), "
        "format='%Y%m')",
    ),
    Disguise(
        "days of the year written YYYYDDD",
        _are_written("%Y%j", digits=7, low=1_800_001, high=2_200_366),
        **_padded("%Y%j", 7),
    ),
    Disguise(
        "dates written YYMMDD",
        _are_written("%y%m%d", digits=6, low=100_101, high=991_231),
        **_padded("%y%m%d", 6),
    ),
    Disguise(
        "dates written DDMMYYYY (or MMDDYYYY: then format='%m%d%Y')",
        _are_written("%d%m%Y", "%m%d%Y", digits=8, low=1_011_800, high=12_122_200),
        **_padded("%d%m%Y", 8),
    ),
    Disguise(
        "dates written DDMMYYYY",
        _are_written("%d%m%Y", digits=8, low=1_011_800, high=31_122_200),
        **_padded("%d%m%Y", 8),
    ),
    Disguise(
        "dates written MMDDYYYY",
        _are_written("%m%d%Y", digits=8, low=1_011_800, high=12_312_200),
        **_padded("%m%d%Y", 8),
    ),
    *(
        Disguise(
            f"clock times written {name}",
            _written_as(pattern, digits),
            _parser(pattern),
            f"pandas.to_datetime({{t}}, format={pattern!r})",
        )
        for name, pattern, digits in (
            ("YYYYMMDDHH", "%Y%m%d%H", 10),
            ("YYYYMMDDHHMM", "%Y%m%d%H%M", 12),
            ("YYYYMMDDHHMMSS", "%Y%m%d%H%M%S", 14),
        )
    ),
    *(
        Disguise(
            f"{name} since 1970, in UTC", **_since("unix", unit, *(factor * s for s in SECONDS))
        )
        for name, unit, factor in (
            ("seconds", "s", 1),
            ("milliseconds", "ms", 1e3),
            ("microseconds", "us", 1e6),
            ("nanoseconds", "ns", 1e9),
        )
    ),
    Disguise("serial dates of a spreadsheet", **_since("1899-12-30", "D", 29_221, 58_804)),
)
"""Ways of writing dates as numbers, in the order in which they are tried."""
