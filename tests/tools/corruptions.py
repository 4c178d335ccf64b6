"""Catalogue for the fuzzer: corruptions of data on their way to a panel, and the answer each needs.

How to read an entry::

    corrupts("values", "a copy until start", remarks="V007", perhaps="V012 D022")(assigned(...))
             stage     name                  codes                               the change

- A *stage* is a step from a table to a panel; a case gets at most one corruption of each, in the
  order of ``STAGES``: ``values`` (numbers of the table), ``times`` (how its axis is written),
  ``labels`` (how its units are called), ``frame`` (rows and columns of what is handed over),
  ``numbers`` (how outcomes are stored), ``container`` (what holds them), ``words`` (the arguments).
- ``refused``: codes, one of which must refuse the panel. Without any, the panel must hold exactly
  ``Case.expected``, with every code of ``remarks`` in its report and of ``perhaps`` possibly.
- ``says``: texts that the refusal, or the remark, must hold, above all the cure.
- ``layouts``: the forms of the data (``LONG``, ``WIDE``, ``COLUMN``) that it can happen to;
  ``fits``: a further condition on the case.
- The change is a function of a :class:`Case`. Factories make them: ``cell``, ``assigned``, ``rows``
  (values), ``axis``, ``planted`` (times), ``renamed``, ``one_label`` (labels), ``stored``,
  ``narrowed``, ``whole`` (numbers), ``into``, ``labelled`` (container), ``passed`` and ``then``
  (words). ``each`` enters a table of corruptions that one factory makes.
- What must come of missing outcomes depends on ``missing=...``, so no entry lists a code for them;
  see ``fuzz.expectation``.
"""

import datetime as dt
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr

from bayes_synth.data.panel import Panel

LONG, WIDE, COLUMN = "long", "wide", "wide with a column of times"
NAMES = {"unit": "state", "time": "year", "outcome": "sales"}


@dataclass
class Case:
    """Hold data on their way to a panel, the options to read them with, and the table expected."""

    table: pd.DataFrame
    treated: Any
    start: Any
    layout: str
    rng: np.random.Generator
    expected: pd.DataFrame = field(init=False)
    mine: tuple[str, ...] = field(init=False)
    first: Any = field(init=False)
    data: Any = None
    reader: Callable[..., Panel] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Panel], Panel] = lambda panel: panel

    def __post_init__(self) -> None:
        self.expected, self.mine, self.first = self.table, (self.treated,), self.start

    @property
    def at(self) -> int:
        """Count the pre-periods."""
        return int(self.expected.index.get_loc(self.first))

    @property
    def donors(self) -> list[str]:
        return [name for name in self.table.columns if name != self.treated]

    def pick(self, several: list[Any]) -> Any:
        return several[self.rng.integers(len(several))]

    def holds(self, table: pd.DataFrame) -> None:
        """Change the data so that the panel must follow."""
        self.table = self.expected = table

    def lay_out(self) -> None:
        """Turn the table into a frame as people have them."""
        index, columns = self.table.index, list(self.table.columns)
        clock = pd.Series(index.array.copy(), name="year")
        if self.layout == LONG:
            years = pd.concat([clock] * len(columns), ignore_index=True)
            states = pd.Series([label for label in columns for _ in clock])
            self.data = pd.DataFrame(
                {"state": states, "year": years, "sales": self.table.to_numpy().ravel(order="F")}
            )
            self.reader, self.options = Panel.from_long, dict(NAMES)
        else:
            self.data, self.reader = self.table.rename_axis(index="year"), Panel.from_wide
            if self.layout == COLUMN:
                self.data = pd.concat([clock, self.data.reset_index(drop=True)], axis=1)
                self.options = {"time": "year"}
        self.options |= {"treated": self.treated, "start": self.start}


class Corruption(NamedTuple):
    """Hold one entry of the catalogue; the module's docstring explains the fields."""

    name: str
    change: Callable[[Case], None]
    refused: frozenset[str] = frozenset()
    remarks: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()
    layouts: tuple[str, ...] = (LONG, WIDE, COLUMN)
    fits: Callable[[Case], bool] = lambda case: True
    says: tuple[str, ...] = ()


STAGES: dict[str, list[Corruption]] = {
    stage: [] for stage in ("values", "times", "labels", "frame", "numbers", "container", "words")
}


def corrupts(
    stage,
    name,
    *,
    refused="",
    remarks="",
    perhaps="",
    layouts=(LONG, WIDE, COLUMN),
    fits=lambda case: True,
    says=(),
):
    """Enter a corruption; several codes are words in one string."""

    def register(change: Callable[[Case], None]) -> Callable[[Case], None]:
        codes = [frozenset(text.split()) for text in (refused, remarks, perhaps)]
        STAGES[stage].append(Corruption(name, change, *codes, layouts, fits, tuple(says)))
        return change

    return register


def each(
    stage,
    entries: dict[str, tuple[str, Any]],
    make: Callable[[Any], Callable[[Case], None]],
    **options,
) -> None:
    """Enter corruptions of one kind: name, codes that refuse it, and the value for ``make``."""
    for name, (refused, value) in entries.items():
        corrupts(stage, name, refused=refused, **options)(make(value))


def ordinary(case: Case) -> bool:
    """Test that the numbers survive a narrower type."""
    return 1 < float(case.expected.abs().max().max()) < 1e6


def peopled(case: Case) -> bool:
    """Test for at least two donors."""
    return len(case.donors) > 1


# --- values: the numbers themselves ---


def cell(value: float, whose: str):
    def change(case: Case) -> None:
        name = case.treated if whose == "treated" else case.pick(case.donors)
        table = case.table.copy()
        table.loc[case.pick(list(table.index)), name] = value
        case.holds(table)

    return change


corrupts("values", "a donor with a missing outcome")(cell(np.nan, "donor"))
corrupts("values", "the treated unit with a missing outcome")(cell(np.nan, "treated"))
corrupts("values", "infinity", refused="V001")(cell(np.inf, "donor"))
corrupts("values", "minus infinity", refused="V001")(cell(-np.inf, "treated"))


@corrupts("values", "a donor without a single number")
def _(case: Case) -> None:
    case.holds(case.table.assign(**{case.pick(case.donors): np.nan}))


@corrupts("values", "a time without a single number")
def _(case: Case) -> None:
    table = case.table.copy()
    table.iloc[case.rng.integers(len(table))] = np.nan
    case.holds(table)


def assigned(make: Callable[[Case], Any], name: Callable[[Case], str] = lambda case: "zz new"):
    return lambda case: case.holds(case.table.assign(**{name(case): make(case)}))


def mine(case: Case) -> str:
    return case.treated


def before(case: Case) -> np.ndarray:
    return np.arange(len(case.table)) < case.at


corrupts("values", "a constant donor", remarks="V002", perhaps="V008 D022")(
    assigned(lambda c: 100.0)
)
corrupts("values", "constant before start", refused="V004")(
    assigned(lambda c: c.table[c.treated].where(~before(c), 7.25), mine)
)
corrupts("values", "a treated unit of zeros", refused="V004")(assigned(lambda c: 0.0, mine))
corrupts("values", "a copy of the treated unit", refused="V006")(
    assigned(lambda c: c.table[c.treated])
)
corrupts("values", "a copy until start", remarks="V007", perhaps="V012 D022")(
    assigned(
        lambda c: c.table[c.treated] + np.where(before(c), 0, 3 * np.sin(np.arange(len(c.table))))
    )
)
corrupts("values", "a donor under two names", remarks="V005", perhaps="D022")(
    assigned(lambda c: c.table[c.pick(c.donors)])
)
corrupts("values", "a treated unit above all", remarks="V008")(
    assigned(lambda c: c.table[c.treated] + 1e3, mine)
)
corrupts("values", "a donor in another unit of measurement", remarks="V005 V009", perhaps="D022")(
    assigned(lambda c: 1e4 * c.table[c.donors[0]])
)
corrupts("values", "a donor that moves against", remarks="V011", perhaps="D022 V008")(
    assigned(
        lambda c: 300 - c.table[c.treated] + np.where(before(c), 0, np.cos(np.arange(len(c.table))))
    )
)
corrupts("values", "a donor that jumps at start", remarks="V012", perhaps="D022")(
    assigned(lambda c: c.table[c.donors[0]] + np.where(before(c), 0, 1e3))
)


def stretch(make: Callable[[Case, np.ndarray], Any], first: int, last: int):
    """Replace so many values of the first donor, counted from the start."""

    def change(case: Case) -> None:
        series = case.table[case.donors[0]].to_numpy().copy()
        at = slice(case.at + first, case.at + last)
        series[at] = make(case, series[: case.at + first])
        case.holds(case.table.assign(**{case.donors[0]: series}))

    return change


SEEN = "D022 V002 V008 V009 V012"
"""What else may be said of a donor that was changed."""
corrupts("values", "a donor at zero after start", remarks="V040", perhaps=SEEN)(
    stretch(lambda case, past: 0.0, 1, 6)
)
corrupts("values", "a donor at zero before start", remarks="V040", perhaps=SEEN)(
    stretch(lambda case, past: 0.0, -8, -3)
)
corrupts("values", "a donor filled forward", remarks="V041", perhaps=SEEN)(
    stretch(lambda case, past: past[-1], 1, 6)
)
corrupts("values", "a dummy among the donors", remarks="V045", perhaps=f"{SEEN} V011")(
    assigned(lambda c: (~before(c)).astype(float))
)
corrupts("values", "a clock among the donors", remarks="V046", perhaps=f"{SEEN} V011 V005")(
    assigned(lambda c: 1.0 + np.arange(len(c.table)))
)
corrupts("values", "two values only", remarks="V014", perhaps="V008")(
    assigned(
        lambda c: np.where(
            c.table[c.treated] > c.table[c.treated].iloc[: c.at].median(), 120.0, 100.0
        ),
        mine,
    )
)


def times(factor: float):
    return lambda case: case.holds(case.table * factor)


corrupts("values", "negative numbers")(times(-1.0))
for factor in (1e12, 1e-13, 1e150, 1e-150, 1e300, 1e-300):
    corrupts("values", f"all times {factor:g}", remarks="V010")(times(factor))


@corrupts("values", "constant donors only", refused="V003")
def _(case: Case) -> None:
    case.holds(case.table.assign(**{name: float(j) for j, name in enumerate(case.donors)}))


@corrupts("values", "one unit", refused="P037")
def _(case: Case) -> None:
    case.holds(case.table[[case.treated]])


@corrupts("values", "a single donor", remarks="V008", perhaps="V009 V012")
def _(case: Case) -> None:
    case.holds(case.table[[case.donors[0], case.treated]])


@corrupts("values", "a time left out", remarks="P029")
def _(case: Case) -> None:
    middle = [i for i in range(1, len(case.table) - 1) if i != case.at]
    case.holds(case.table.drop(case.table.index[case.pick(middle)]))


def rows(start: int, stop: int | None):
    """Keep rows from ``start`` to ``stop``, counted from the first treated one."""
    return lambda case: case.holds(
        case.table.iloc[case.at + start : None if stop is None else case.at + stop]
    )


corrupts("values", "two periods before start", refused="D004")(rows(-2, None))
corrupts("values", "five periods before start", remarks="D005", perhaps="D019 D020 D022 V014")(
    rows(-5, None)
)
corrupts("values", "one period after start")(rows(-15, 1))


# --- times: how the axis is written ---


def axis(
    make: Callable[[int], Any],
    expected: Callable[[int], Any],
    start: Callable[[Any], Any] = lambda label: label,
):
    """Write the axis with other times; ``start`` is written as ``start(its label)``."""

    def change(case: Case) -> None:
        at, count = case.at, len(case.table)
        labels = list(make(count))
        # The periods stay the same, so outcomes missing before stay missing.
        case.table = case.table.set_axis(pd.Index(make(count)), axis=0)
        case.expected = case.expected.set_axis(pd.Index(expected(count)), axis=0)
        case.start, case.first = start(labels[at]), case.expected.index[at]

    return change


def even(case: Case) -> bool:
    """Test that no time was left out: another axis would hide that."""
    return bool(len(set(np.diff(case.expected.index.to_numpy()))) == 1)


def years(count: int) -> pd.Index:
    return pd.Index(range(1990, 1990 + count))


def days(count: int) -> pd.DatetimeIndex:
    return pd.date_range("2021-02-20", periods=count).as_unit("ns")


HARMLESS_TIMES = {
    "years as text": ("", (lambda n: [str(y) for y in years(n)], years)),
    "years as floats": ("", (lambda n: years(n).astype(float), years)),
    "years as small integers": ("", (lambda n: years(n).astype("int16"), years)),
    "years as unsigned integers": ("", (lambda n: years(n).astype("uint64"), years)),
    "nullable years": ("", (lambda n: pd.Index(years(n), dtype="Int64"), years)),
    "years of Arrow": ("", (lambda n: pd.Index(years(n), dtype="int64[pyarrow]"), years)),
    "years as objects": ("", (lambda n: years(n).astype(object), years)),
    "years as categories": ("", (lambda n: pd.CategoricalIndex(years(n)), years)),
    "quarters as floats": (
        "",
        (lambda n: 1990 + np.arange(n) / 4, lambda n: 1990 + np.arange(n) / 4),
    ),
    "dates as text": ("", (lambda n: days(n).strftime("%Y-%m-%d"), days)),
    "date objects": ("", (lambda n: days(n).date, days)),
    "dates in seconds": ("", (lambda n: days(n).as_unit("s"), days)),
    "dates of Arrow": ("", (lambda n: pd.Index(days(n), dtype="timestamp[us][pyarrow]"), days)),
    "dates as categories": ("", (lambda n: pd.CategoricalIndex(days(n)), days)),
    "timestamps as objects": ("", (lambda n: days(n).astype(object), days)),
    "hours": ("", (lambda n: pd.date_range("2021-03-28", periods=n, freq="h"),) * 2),
    "working days": ("", (lambda n: pd.bdate_range("2021-02-22", periods=n).as_unit("ns"),) * 2),
}
each("times", HARMLESS_TIMES, lambda pair: axis(*pair), fits=even)
corrupts("times", "days in a zone", remarks="P031", fits=even)(
    axis(lambda n: days(n).tz_localize("Asia/Tokyo"), days)
)
corrupts("times", "months as periods", remarks="P033", fits=even)(
    axis(
        lambda n: pd.period_range("2001-01", periods=n, freq="M"),
        lambda n: pd.date_range("2001-01-01", periods=n, freq="MS").as_unit("ns"),
    )
)


def written(dates: pd.DatetimeIndex, pattern: str) -> list[int]:
    return [int(date.strftime(pattern)) for date in dates]


def months(count: int) -> pd.DatetimeIndex:
    return pd.date_range("1990-01-01", periods=count, freq="MS").as_unit("ns")


def quarters(count: int) -> pd.DatetimeIndex:
    return pd.date_range("1990-01-01", periods=count, freq="QS").as_unit("ns")


def weeks(count: int) -> pd.DatetimeIndex:
    return pd.date_range("2019-12-02", periods=count, freq="7D").as_unit("ns")


READ_AS_DATES = {
    "days written YYYYMMDD": ("P040", lambda n: written(days(n), "%Y%m%d"), days),
    "days written YYYYMMDD as text": ("P040", lambda n: days(n).strftime("%Y%m%d"), days),
    "months written YYYYMM": ("P040", lambda n: written(months(n), "%Y%m"), months),
    "quarters as text": (
        "P033",
        lambda n: [f"{d.year}Q{d.quarter}" for d in quarters(n)],
        quarters,
    ),
    "weeks as text": ("P033", lambda n: weeks(n).strftime("%G-W%V"), weeks),
}
for name, (code, make, expected) in READ_AS_DATES.items():
    corrupts("times", name, remarks=code, fits=even)(axis(make, expected))
corrupts("times", "months as text", fits=even)(axis(lambda n: months(n).strftime("%Y-%m"), months))
corrupts("times", "years as decimals in text", fits=even)(
    axis(lambda n: [f"{year}.0" for year in years(n)], years)
)
corrupts("times", "hours over summer time's begin", remarks="P031", fits=even)(
    axis(
        lambda n: pd.date_range("2024-03-31", periods=n, freq="h", tz="Europe/Berlin"),
        lambda n: (
            pd.date_range("2024-03-31", periods=n, freq="h", tz="Europe/Berlin")
            .tz_localize(None)
            .as_unit("ns")
        ),
        start=lambda label: str(label.tz_localize(None)),
    )
)
corrupts("times", "hours over summer time's end", remarks="P043", fits=even)(
    axis(
        lambda n: pd.date_range("2024-10-27", periods=n, freq="h", tz="Europe/Berlin"),
        lambda n: pd.date_range("2024-10-26 22:00", periods=n, freq="h").as_unit("ns"),
    )
)


def planted(make: Callable[[int], Any], value: Any):
    """Put another value in place of one time."""

    def labels(count: int) -> pd.Index:
        values = list(make(count))
        values[1] = value
        return pd.Index(values, dtype=object)

    return axis(labels, make)


BAD_TIMES = {
    "one time is missing": ("P022", (years, None)),
    "one date is NaT": ("P022", (days, pd.NaT)),
    "one time is NaN": ("P022", (years, np.nan)),
    "one time is pd.NA": ("P022", (years, pd.NA)),
    "one time is infinite": ("P034", (years, np.inf)),
    "a date among years": ("P030", (years, pd.Timestamp("2020-01-01"))),
    "text among years": ("P030", (years, "soon")),
    "a number among dates": ("P030", (days, 5)),
    "a zone among dates": ("P030", (days, pd.Timestamp("2021-02-21", tz="UTC"))),
    "text that cannot be a date": (
        "P032 P030",
        (lambda n: days(n).strftime("%Y-%m-%d"), "2021-13-45"),
    ),
    "a boolean among years": ("P030 P032", (years, True)),
    "a complex number among years": ("P030 P032", (years, 1j)),
    "a list among years": ("P030 P032", (years, [1991])),
    "a dict among years": ("P030 P032", (years, {"year": 1991})),
    "an array among years": ("P030 P032", (years, np.array([1991, 1992]))),
    "a decimal among years": ("P030 P032", (years, Decimal("1991"))),
    "a number beyond 64 bits": ("P032 P030 P034", (years, 10**30)),
    "a year twice": ("P020", (years, 1990)),
    "text with a huge number": ("P032", (lambda n: [str(y) for y in years(n)], "9" * 30)),
}
each("times", BAD_TIMES, lambda pair: planted(*pair), fits=lambda case: len(case.table) > 3)
WRONG_TIMES = {
    "month before day": ("P032", (lambda n: days(n).strftime("%m/%d/%y"), days)),
    "names of months": ("P032", (lambda n: days(n).strftime("%d %B %Y"), days)),
    "fiscal years": ("P032", (lambda n: [f"{y}/{(y + 1) % 100:02d}" for y in years(n)], years)),
    "serial dates of a spreadsheet": ("P041", (lambda n: 45292 + np.arange(n), days)),
    "seconds since 1970": ("P041", (lambda n: 1_704_067_200 + 86_400 * np.arange(n), days)),
    "milliseconds since 1970": (
        "P041",
        (lambda n: 1_704_067_200_000 + 86_400_000 * np.arange(n), days),
    ),
    "weeks written YYYYWW": ("P041", (lambda n: written(weeks(n), "%G%V"), weeks)),
    "quarters written YYYYQ": (
        "P041",
        (lambda n: [10 * d.year + d.quarter for d in quarters(n)], quarters),
    ),
    "booleans for times": ("P032 P020", (lambda n: np.arange(n) % 2 == 0, years)),
    "one time only": ("P020 D002 D004", (lambda n: [1990] * n, years)),
    "day before month": ("P032", (lambda n: days(n).strftime("%d/%m/%Y"), days)),
    "dates before 1678": (
        "P032",
        (lambda n: pd.date_range("1400-01-01", periods=n, unit="s"), days),
    ),
    "dates after 2262": (
        "P032",
        (lambda n: [dt.datetime(2300, 1, 1) + dt.timedelta(days=i) for i in range(n)], days),
    ),
    "dates after 2262 as text": ("P032", (lambda n: [f"{2300 + i}-01-01" for i in range(n)], days)),
    "durations": ("P032", (lambda n: pd.timedelta_range("1D", periods=n), days)),
    "complex times": ("P032 P030", (lambda n: years(n).astype(complex), years)),
    "times as tuples": (
        "P032 P030",
        (lambda n: pd.Index([(y, 1) for y in years(n)], tupleize_cols=False), years),
    ),
    "intervals for times": ("P032", (lambda n: pd.interval_range(0, n, periods=n), years)),
    "unsigned times beyond 64 bits": (
        "P034",
        (lambda n: np.arange(n, dtype="uint64") + np.uint64(2**63), years),
    ),
    "bytes for times": ("P032", (lambda n: [str(y).encode() for y in years(n)], years)),
    "clock times": ("P032", (lambda n: [dt.time(0, i) for i in range(n)], years)),
    "mixed UTC offsets": (
        "P030",
        (lambda n: [f"2021-01-01T00:{i:02d}:00+0{i % 2}:00" for i in range(n)], days),
    ),
}
each("times", WRONG_TIMES, lambda pair: axis(*pair))


# --- labels: what the units are called ---


def renamed(new: Callable[[list[str]], list[Any]], *, known: bool = True):
    """Give all units other labels, in their order; the panel writes them as text."""

    def change(case: Case) -> None:
        old = list(case.table.columns)
        labels = new(old)
        case.treated = labels[old.index(case.treated)]
        case.table = case.table.set_axis(
            pd.Index(labels, dtype=object, tupleize_cols=False), axis=1
        )
        if known:
            case.expected = case.expected.set_axis([str(label) for label in labels], axis=1)
            case.mine = (str(case.treated),)

    return change


def one_label(value: Any):
    """Give the first donor another label."""

    def change(case: Case) -> None:
        donor = case.donors[0]
        labels = [value if name == donor else name for name in case.table.columns]
        case.table = case.table.set_axis(
            pd.Index(labels, dtype=object, tupleize_cols=False), axis=1
        )
        case.expected = case.expected.rename(columns={donor: str(value)})

    return change


corrupts("labels", "whole numbers", remarks="P039", layouts=(LONG, WIDE))(
    renamed(lambda n: list(range(len(n))))
)
corrupts("labels", "numpy numbers", remarks="P039", layouts=(LONG, WIDE))(
    renamed(lambda names: list(np.arange(len(names), dtype="int32")))
)
corrupts("labels", "numbers as text")(renamed(lambda names: [str(j) for j in range(len(names))]))
corrupts("labels", "numbers with a point")(
    renamed(lambda names: [j + 0.5 for j in range(len(names))])
)
corrupts("labels", "dates for labels", layouts=(LONG,))(
    renamed(
        lambda names: [
            dt.date(2020, 1, 1 + j % 28).replace(year=2000 + j) for j in range(len(names))
        ]
    )
)
TEXTS = {
    "markup": "<script>alert(1)</script>",
    "quotes and &": "\"A\" & 'B'",
    "a line break": "up\ndown",
    "an emoji": "\N{TROPICAL DRINK} bar",
    "right to left": "\u05e9\u05dc\u05d5\u05dd",
    "500 characters": "x" * 500,
    "percent signs and braces": "%s {0} {name}",
}
for name, text in TEXTS.items():
    corrupts("labels", f"a label with {name}", fits=peopled)(one_label(text))
UNLABELLED = {
    "None": None,
    "NaN": np.nan,
    "blanks": "  ",
    "nothing": "",
    "pd.NA": pd.NA,
    "NaT": pd.NaT,
}
for name, value in UNLABELLED.items():
    corrupts("labels", f"{name} for a label", refused="P022", fits=peopled)(one_label(value))


@corrupts("labels", "a label in another case", refused="P023", fits=peopled)
def _(case: Case) -> None:
    one_label(case.treated.upper())(case)


@corrupts("labels", "a label with a blank more", refused="P023", fits=peopled)
def _(case: Case) -> None:
    one_label(case.treated + " ")(case)


ALIKE = {
    "a no-break space more": lambda label: label + "\u00a0",
    "a zero-width space": lambda label: label[:1] + "\u200b" + label[1:],
    "wide letters": lambda label: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in label
    ),
}
for name, change in ALIKE.items():
    corrupts("labels", f"a label with {name}", refused="P023", fits=peopled)(
        lambda case, change=change: one_label(change(case.treated))(case)
    )
DRAWN = {"dollar signs": "Ca$h & $avings_{x", "a backslash": r"\alpha $x", "two dollars": "$$x$$"}
for name, text in DRAWN.items():
    corrupts("labels", f"a label with {name}", fits=peopled)(one_label(text))


@corrupts("labels", "06 and 6", refused="P023 P024", fits=peopled)
def _(case: Case) -> None:
    one_label("06")(case)
    donor = next(name for name in case.table.columns if name not in ("06", case.treated))
    case.table = case.table.rename(columns={donor: "6"})


@corrupts("labels", "1 and '1'", refused="P024", fits=peopled)
def _(case: Case) -> None:
    one_label(1)(case)
    donor = next(name for name in case.table.columns if name not in (1, case.treated))
    case.table = case.table.rename(columns={donor: "1"})


@corrupts("labels", "tuples for labels", layouts=(LONG, WIDE))
def _(case: Case) -> None:
    renamed(lambda names: [("a", name) for name in names])(case)
    case.treated = str(case.treated)


corrupts("labels", "a list for a label", refused="P022 P024", layouts=(LONG,), fits=peopled)(
    one_label(["a"])
)
corrupts("labels", "a dict for a label", refused="P022 P024", layouts=(LONG,), fits=peopled)(
    one_label({"a": 1})
)
corrupts("labels", "booleans and text", fits=peopled)(one_label(True))


# --- frame: rows and columns ---


@corrupts("frame", "rows in another order", perhaps="P021")
def _(case: Case) -> None:
    case.data = case.data.iloc[case.rng.permutation(len(case.data))]


@corrupts("frame", "rows backwards", remarks="P021")
def _(case: Case) -> None:
    case.data = case.data.iloc[::-1]


@corrupts("frame", "columns in another order")
def _(case: Case) -> None:
    case.data = case.data.iloc[:, case.rng.permutation(case.data.shape[1])]


@corrupts("frame", "further columns", layouts=(LONG,))
def _(case: Case) -> None:
    case.data = case.data.assign(note="x", other=np.nan)


def hashable(case: Case) -> bool:
    """Test for labels and times that an index of several levels can hold."""
    return all(isinstance(key, Hashable) for key in [*case.table.index, *case.table.columns])


@corrupts("frame", "keys in the row index", remarks="P006", layouts=(LONG,), fits=hashable)
def _(case: Case) -> None:
    case.data = case.data.set_index(["state", "year"])


@corrupts("frame", "one key in the row index", remarks="P006", layouts=(LONG, COLUMN))
def _(case: Case) -> None:
    case.data = case.data.set_index("year")


@corrupts("frame", "a row index without meaning", layouts=(LONG, COLUMN))
def _(case: Case) -> None:
    case.data = case.data.set_axis(np.zeros(len(case.data)), axis=0)


@corrupts("frame", "a view of a larger frame")
def _(case: Case) -> None:
    case.data = pd.concat([case.data, case.data])[: len(case.data)]


@corrupts("frame", "categories for labels", layouts=(LONG,))
def _(case: Case) -> None:
    case.data = case.data.astype({"state": "category"})


@corrupts(
    "frame",
    "labels of Arrow",
    layouts=(LONG,),
    fits=lambda case: all(isinstance(x, str) for x in case.table),
)
def _(case: Case) -> None:
    case.data = case.data.astype({"state": "string[pyarrow]"})


@corrupts("frame", "a row twice", refused="P020")
def _(case: Case) -> None:
    case.data = pd.concat([case.data, case.data.iloc[[case.rng.integers(len(case.data))]]])


@corrupts("frame", "all rows twice", refused="P020")
def _(case: Case) -> None:
    case.data = pd.concat([case.data] * 2, ignore_index=case.layout != WIDE)


def upright(case: Case) -> bool:
    """Test for text as labels, and for times that nobody takes for anything else."""
    index = case.table.index
    years = index.dtype.kind == "i" and bool((index >= 1900).all() and (index <= 2100).all())
    words = all(isinstance(label, str) and not label[:1].isdigit() for label in case.table)
    return words and (years or isinstance(index, pd.DatetimeIndex))


@corrupts("frame", "a frame on its side", refused="P042 P003", layouts=(WIDE, COLUMN), fits=upright)
def _(case: Case) -> None:
    keyed = case.data if case.layout == WIDE else case.data.set_index("year")
    case.data = keyed.T if case.layout == WIDE else keyed.T.rename_axis("state").reset_index()


@corrupts("frame", "columns called by numbers", layouts=(LONG,))
def _(case: Case) -> None:
    names = {name: place for place, name in enumerate(case.data.columns)}
    case.data = case.data.rename(columns=names)
    case.options |= {role: names[case.options[role]] for role in ("unit", "time", "outcome")}


@corrupts(
    "frame", "a row twice with another outcome", refused="P020", layouts=(LONG,), fits=ordinary
)
def _(case: Case) -> None:
    row = case.data.iloc[[case.rng.integers(len(case.data))]]
    case.data = pd.concat([case.data, row.assign(sales=row["sales"] + 1)])


@corrupts("frame", "a row left out", layouts=(LONG,))
def _(case: Case) -> None:
    row = int(case.rng.integers(len(case.data)))
    case.data = case.data.drop(index=row)
    count, expected = len(case.expected), case.expected.copy()
    expected.iloc[row % count, row // count] = np.nan
    case.expected = expected


@corrupts("frame", "no rows", refused="P002")
def _(case: Case) -> None:
    case.data = case.data.iloc[:0]


@corrupts("frame", "no columns", refused="P002 P003", layouts=(LONG, COLUMN))
def _(case: Case) -> None:
    case.data = case.data.iloc[:, :0]


@corrupts("frame", "two columns of one name", refused="P005", layouts=(LONG,))
def _(case: Case) -> None:
    case.data = pd.concat([case.data, case.data[["sales"]]], axis=1)


@corrupts("frame", "a donor's column twice", refused="P005", layouts=(WIDE, COLUMN))
def _(case: Case) -> None:
    case.data = pd.concat([case.data, case.data.iloc[:, [-1]]], axis=1)


@corrupts("frame", "another name for the outcome", refused="P003", layouts=(LONG,))
def _(case: Case) -> None:
    case.data = case.data.rename(columns={"sales": "Sales"})


@corrupts("frame", "another name for the times", refused="P003", layouts=(LONG, COLUMN))
def _(case: Case) -> None:
    case.data = case.data.rename(columns={"year": "yr"})


@corrupts("frame", "a column of text", refused="P009", layouts=(WIDE, COLUMN))
def _(case: Case) -> None:
    case.data = case.data.assign(remark="x")


# --- numbers: how outcomes are stored ---


def stored(convert: Callable[[pd.Series], pd.Series]):
    """Convert every column of outcomes."""

    def change(case: Case) -> None:
        if case.data.empty:
            return
        places = range(case.data.shape[1])
        mine = [j for j in places if outcomes(case, str(case.data.columns[j]))]
        columns = {j: case.data.iloc[:, j].reset_index(drop=True) for j in places}
        columns |= {j: convert(columns[j]) for j in mine}
        case.data = (
            pd.concat(columns, axis=1)
            .set_axis(case.data.columns, axis=1)
            .set_axis(case.data.index, axis=0)
        )

    return change


def outcomes(case: Case, name: str) -> bool:
    """Test for a column of outcomes, which may be called by its number."""
    if case.layout == LONG:
        return name in {"sales", "Sales", "2"}
    return name not in {"year", "yr", "remark", case.options.get("time")}


def narrowed(kind: str):
    """Store outcomes as ``kind``, which loses digits before the panel sees them."""

    def change(case: Case) -> None:
        case.expected = case.expected.astype(kind).astype(float)
        stored(lambda column: column.astype(kind))(case)

    return change


def whole(kind: str):
    """Store outcomes as ``kind`` after rounding to whole numbers."""

    def change(case: Case) -> None:
        case.expected = case.expected.round()
        stored(lambda column: column.round().astype(kind))(case)

    return change


def solid(case: Case) -> bool:
    """Test for ordinary, finite numbers, which rounding leaves apart."""
    return ordinary(case) and bool(np.isfinite(case.expected.to_numpy(dtype=float)).all())


ROUNDED = "V005 V014 P012 V008"
corrupts("numbers", "32 bits", remarks="P008", fits=ordinary)(narrowed("float32"))
corrupts("numbers", "16 bits", remarks="P008", perhaps=ROUNDED, fits=ordinary)(narrowed("float16"))
corrupts("numbers", "whole numbers", perhaps=ROUNDED, fits=solid)(whole("int64"))
corrupts("numbers", "small whole numbers", perhaps=ROUNDED, fits=solid)(whole("int32"))
corrupts("numbers", "nullable whole numbers", perhaps=ROUNDED + " P008", fits=ordinary)(
    whole("Int64")
)
corrupts("numbers", "nullable floats", perhaps="P008")(stored(lambda s: s.astype("Float64")))
corrupts("numbers", "floats of Arrow", perhaps="P008")(
    stored(lambda s: s.astype("float64[pyarrow]"))
)
corrupts("numbers", "objects", remarks="P008")(stored(lambda s: s.astype(object)))
corrupts("numbers", "sparse", perhaps="P008")(stored(lambda s: s.astype(pd.SparseDtype(float))))
corrupts("numbers", "long doubles", perhaps="P008")(stored(lambda s: s.astype(np.longdouble)))
corrupts("numbers", "decimals", remarks="P008")(
    stored(lambda s: s.map(lambda v: Decimal(repr(float(v)))).astype(object))
)
corrupts("numbers", "fractions", remarks="P008", fits=solid)(
    stored(lambda s: s.map(Fraction).astype(object))
)
corrupts("numbers", "categories of numbers", remarks="P008")(stored(lambda s: s.astype("category")))
corrupts("numbers", "missing outcomes as None", remarks="P008")(
    stored(lambda s: s.astype(object).where(s.notna(), None))
)
WRONG_NUMBERS = {
    "text": ("P009", lambda s: s.astype(str)),
    "text with separators": ("P009", lambda s: s.map("{:,.3f}".format)),
    "text with decimal commas": ("P009", lambda s: s.map("{:.2f}".format).str.replace(".", ",")),
    "text with apostrophes": ("P009", lambda s: s.map("{:,.1f}".format).str.replace(",", "'")),
    "text with dollars": ("P009", lambda s: s.map("${:.2f}".format)),
    "shares as text": ("P009", lambda s: s.map("{:.1f} %".format)),
    "text as categories": ("P009", lambda s: s.astype(str).astype("category")),
    "booleans": ("P010", lambda s: s > 0),
    "nullable booleans": ("P010", lambda s: (s > 0).astype("boolean")),
    "booleans as objects": ("P009", lambda s: (s > 0).astype(object)),
    "dates": ("P010", lambda s: pd.Series(pd.date_range("2020-01-01", periods=len(s)))),
    "durations": ("P010", lambda s: pd.Series(pd.timedelta_range("1D", periods=len(s)))),
    "complex": ("P011 P009", lambda s: s.astype(complex)),
    "complex objects": ("P011", lambda s: s.astype(complex).astype(object)),
    "lists": ("P009", lambda s: pd.Series([[v] for v in s])),
    "arrays": ("P009", lambda s: pd.Series([np.array([v, v]) for v in s])),
    "dicts": ("P009", lambda s: pd.Series([{"v": v} for v in s])),
    "sets": ("P009", lambda s: pd.Series([{v} for v in s])),
    "periods": (
        "P009 P010",
        lambda s: pd.Series(pd.period_range("2020-01", periods=len(s), freq="M")),
    ),
    "intervals": ("P009 P010", lambda s: pd.Series(pd.interval_range(0, len(s), periods=len(s)))),
    "bytes": ("P009", lambda s: pd.Series([b"1"] * len(s))),
    "numbers beyond 64 bits": ("V001 P009", lambda s: pd.Series([10**400, *s[1:]], dtype=object)),
    "decimals that are infinite": (
        "V001",
        lambda s: pd.Series([Decimal("Infinity"), *s[1:]], dtype=object),
    ),
    "one cell of text": ("P009", lambda s: pd.Series(["n/a", *s[1:]], dtype=object)),
    "one cell that is an array": (
        "P009",
        lambda s: pd.Series([np.array([1.0, 2.0]), *s[1:]], dtype=object),
    ),
    "one cell that is a frame": (
        "P009",
        lambda s: pd.Series([pd.DataFrame({"a": [1]}), *s[1:]], dtype=object),
    ),
    "nothing but None": ("P025 P027 P009", lambda s: pd.Series([None] * len(s), dtype=object)),
}
each("numbers", WRONG_NUMBERS, stored)


# --- container: what holds the frame ---


def into(convert: Callable[[pd.DataFrame], Any]):
    def change(case: Case) -> None:
        case.data = convert(case.data)

    return change


def plain(case: Case) -> bool:
    """Test for what every container can hold: text for names, one type per column."""
    frame = case.data
    kinds = {str(kind).split("[")[0] for kind in frame.dtypes}
    keyed = list(frame.index.names) == [None]
    simple = kinds <= {
        "float64",
        "float32",
        "int64",
        "int32",
        "Int64",
        "Float64",
        "str",
        "datetime64",
        "bool",
    }
    return (
        keyed
        and simple
        and frame.columns.is_unique
        and all(isinstance(name, str) for name in frame.columns)
    )


TABLE = (LONG, COLUMN)
corrupts("container", "polars", layouts=TABLE, fits=plain)(into(pl.from_pandas))
corrupts("container", "Arrow", layouts=TABLE, fits=plain)(
    into(lambda f: pl.from_pandas(f).to_arrow())
)
corrupts("container", "chunks", layouts=TABLE, fits=plain)(
    into(lambda f: pl.concat([pl.from_pandas(f)[:7], pl.from_pandas(f)[7:]], rechunk=False))
)


@corrupts(
    "container",
    "read-only memory",
    layouts=(WIDE,),
    fits=lambda case: (case.data.dtypes == "float64").all(),
)
def _(case: Case) -> None:
    values = np.array(case.data.to_numpy(), order=case.pick(["C", "F"]))
    values.flags.writeable = False
    case.data = pd.DataFrame(values, index=case.data.index, columns=case.data.columns, copy=False)


def labelled(make: Callable[[xr.DataArray], Any], **options):
    """Turn a wide frame into an array of xarray."""

    def change(case: Case) -> None:
        coords = {
            "when": case.data.index.rename("when"),
            "who": np.array(case.data.columns, dtype=object),
        }
        case.data = make(xr.DataArray(case.data.to_numpy(), dims=("when", "who"), coords=coords))
        case.reader = Panel.from_xarray
        case.options |= {"unit": "who", "time": "when"} | options

    return change


def arrayable(case: Case) -> bool:
    index, floats = case.data.index, (case.data.dtypes == "float64").all()
    return (
        bool(floats)
        and index.dtype.kind in "iufM"
        and index.is_unique
        and case.data.columns.is_unique
    )


ARRAYS = {
    "an xarray array": ("", (lambda a: a, {})),
    "an xarray array on its side": ("", (lambda a: a.T, {})),
    "an xarray dataset": ("", (lambda a: xr.Dataset({"sales": a}), {})),
    "one of two variables": (
        "",
        (lambda a: xr.Dataset({"sales": a, "n": a}), {"outcome": "sales"}),
    ),
    "a third dimension of one": ("", (lambda a: a.expand_dims(k=[1]), {})),
    "a third dimension of two": ("P014", (lambda a: a.expand_dims(k=[1, 2]), {})),
    "two variables": ("P003", (lambda a: xr.Dataset({"sales": a, "n": a}), {})),
    "other dimensions": ("P014", (lambda a: a, {"unit": "unit"})),
    "an array without labels": ("P014", (lambda a: a.drop_vars("when"), {})),
    "a variable of an array": ("P001", (lambda a: a.variable, {})),
    "a dataset without variables": ("P003", (lambda a: xr.Dataset(), {})),
}
for name, (refused, (make, options)) in ARRAYS.items():
    corrupts("container", name, refused=refused, layouts=(WIDE,), fits=arrayable)(
        labelled(make, **options)
    )

CONTAINERS = {
    "nothing": lambda f: None,
    "a path": lambda f: "data.csv",
    "a number": lambda f: 3,
    "a dict": lambda f: {name: [1.0] for name in map(str, f.columns)},
    "a list of rows": lambda f: f.to_numpy().tolist(),
    "an array": lambda f: f.to_numpy(),
    "a generator": lambda f: (row for row in f.to_numpy()),
    "a grouped frame": lambda f: f.groupby(np.zeros(len(f))),
    "an iterator": lambda f: f.itertuples(),
    "an xarray dataset for a frame": lambda f: xr.Dataset({"sales": ("i", np.ones(len(f)))}),
    "the type itself": lambda f: pd.DataFrame,
}
for name, make in CONTAINERS.items():
    corrupts("container", name, refused="P001")(into(make))
corrupts("container", "a series", refused="P001")(
    into(lambda f: f.iloc[:, 0] if f.shape[1] else pd.Series(dtype=float))
)
corrupts("container", "a series of polars", refused="P001")(into(lambda f: pl.Series([1.0, 2.0])))
corrupts("container", "a lazy frame", refused="P007", layouts=TABLE, fits=plain)(
    into(lambda f: pl.from_pandas(f).lazy())
)
corrupts("container", "a frame for an array", refused="P001")(
    lambda case: setattr(
        case, "reader", lambda data, **_: Panel.from_xarray(data, treated="a", start=1)
    )
)


# --- words: what the caller writes ---


def passed(**options: Any):
    def change(case: Case) -> None:
        case.options |= {key: make(case) for key, make in options.items()}

    return change


def then(after: Callable[[Case, Panel], Panel]):
    """Call a method of the panel afterwards."""

    def change(case: Case) -> None:
        case.after = lambda panel: after(case, panel)

    return change


def calendar(case: Case) -> bool:
    return isinstance(case.expected.index, pd.DatetimeIndex)


def otherwise(label: Any) -> Any:
    """Write a label in another form that looks the same."""
    return "0" + label if str(label).isdigit() else str(label) + "\u200b"


TREATED = {
    "the name in another form": ("D007", lambda c: otherwise(str(c.treated))),
    "a list of one": ("", lambda c: [c.treated]),
    "a tuple of one": ("", lambda c: (c.treated,)),
    "a set of one": ("", lambda c: {c.treated}),
    "an index of one": ("", lambda c: pd.Index([c.treated])),
    "the same name twice": ("", lambda c: [c.treated, c.treated]),
    "a stranger": ("D007", lambda c: "nobody"),
    "the name in another case": ("D007", lambda c: str(c.treated).swapcase() + "_"),
    "a number that names no unit": ("D007", lambda c: -77),
    "None": ("D014", lambda c: None),
    "an empty list": ("D014", lambda c: []),
    "everybody": ("D014", lambda c: list(c.table.columns)),
    "a list in a list": ("D007", lambda c: [[c.treated]]),
    "one known and one stranger": ("D007", lambda c: [c.treated, "nobody"]),
    "an empty text": ("D007", lambda c: ""),
    "NaN": ("D007", lambda c: np.nan),
}
for name, (refused, make) in TREATED.items():
    corrupts("words", f"treated is {name}", refused=refused)(passed(treated=make))

corrupts(
    "words",
    "treated is a column of zeros and ones",
    refused="D010 D007",
    fits=lambda case: not any(str(label)[:1].isdigit() for label in case.table),
)(passed(treated=lambda c: [0] * (len(c.table) * len(c.table.columns) - 1) + [1]))


def zoned(case: Case) -> bool:
    """Test for times with a zone, among which a stamp without one is a clock's reading."""
    return getattr(case.table.index, "tz", None) is not None


def unzoned(case: Case) -> bool:
    return calendar(case) and not zoned(case)


DAY_FIRST = {"day first": "%d/%m/%Y", "month first": "%m.%d.%Y", "named": "%d %b %Y"}
for name, pattern in DAY_FIRST.items():
    corrupts("words", f"start is text with the {name}", refused="D001", fits=calendar)(
        passed(start=lambda c, pattern=pattern: c.first.strftime(pattern))
    )
ISO = {"text in ISO": "%Y-%m-%dT%H:%M", "text without dashes": "%Y%m%d"}
for name, pattern in ISO.items():
    corrupts(
        "words",
        f"start is {name}",
        fits=lambda c: unzoned(c) and c.first == c.first.normalize(),
    )(passed(start=lambda c, pattern=pattern: c.first.strftime(pattern)))
corrupts("words", "start has a zone", refused="D012", fits=unzoned)(
    passed(start=lambda c: (c.first + pd.Timedelta("1h")).tz_localize("Asia/Tokyo"))
)

START = {
    "per unit": ("", lambda c: {c.treated: c.start}),
    "after the last time": (
        "D002",
        lambda c: c.expected.index[-1] + (pd.Timedelta("1D") if calendar(c) else 1),
    ),
    "before the first time": (
        "D002",
        lambda c: c.expected.index[0] - (pd.Timedelta("1D") if calendar(c) else 1),
    ),
    "the first time": ("D004", lambda c: c.expected.index[0]),
    "True": ("D001", lambda c: True),
    "None": ("D001", lambda c: None),
    "NaN": ("D001", lambda c: np.nan),
    "NaT": ("D001", lambda c: pd.NaT),
    "pd.NA": ("D001", lambda c: pd.NA),
    "a word": ("D001", lambda c: "soon"),
    "an empty text": ("D001", lambda c: ""),
    "a list": ("D001", lambda c: [c.start]),
    "an array": ("D001", lambda c: np.array([1.0, 2.0])),
    "a slice": ("D001", lambda c: slice(c.start, None)),
    "complex": ("D001", lambda c: 1j),
    "infinite": ("D001", lambda c: np.inf),
    "an empty dict": ("D021", lambda c: {}),
    "two starts": ("D021", lambda c: {c.treated: c.start, "other": "x"}),
    "unhashable per unit": ("D021 D001", lambda c: {c.treated: [c.start]}),
    "a huge number": ("D001 D002", lambda c: 10**30),
    "a number beyond floats": ("D001 D002", lambda c: 10**400),
    "a huge year": ("D001 D002", lambda c: "99999-01-01"),
    "of another type": ("D001", lambda c: 2000 if calendar(c) else pd.Timestamp("2000-01-01")),
}
for name, (refused, make) in START.items():
    corrupts("words", f"start is {name}", refused=refused, fits=lambda case: not zoned(case))(
        passed(start=make)
    )
corrupts(
    "words",
    "start is between two times",
    remarks="D003",
    fits=lambda case: case.at > 3 and not zoned(case),
)(passed(start=lambda c: c.first - (pd.Timedelta("1min") if calendar(c) else 0.125)))

MISSING = {
    "drop_donors": ("", "drop_donors"),
    "drop_times": ("", "drop_times"),
    "x": ("O001", "x"),
    "None": ("O001", None),
    "True": ("O001", True),
    "a list": ("O001", ["error"]),
    "upper case": ("O001", "ERROR"),
    "NaN": ("O001", np.nan),
    "an array": ("O001", np.array(["error", "drop_times"])),
}
for name, (refused, value) in MISSING.items():
    corrupts("words", f"missing is {name}", refused=refused)(
        passed(missing=lambda c, value=value: value)
    )

COLUMNS = {
    "the unit names no column": ("P003", LONG, {"unit": "nope"}),
    "the time names no column": ("P003", COLUMN, {"time": "nope"}),
    "one column for two roles": ("P004", LONG, {"unit": "year"}),
    "the unit is None": ("P003", LONG, {"unit": None}),
    "the unit is a list": ("P003 P004", LONG, {"unit": ["state"]}),
    "the outcome is a number": ("P003", LONG, {"outcome": 7}),
    "the time is a list": ("P003", COLUMN, {"time": ["year"]}),
    "the time is an array": ("P003", COLUMN, {"time": np.array(["year", "yr"])}),
    "the time is a dict": ("P003 P004", LONG, {"time": {"year": 1}}),
    "the outcome is an array": ("P003 P004", LONG, {"outcome": np.array(["a", "b"])}),
}
for name, (refused, layout, options) in COLUMNS.items():
    fixed = {key: (lambda c, value=value: value) for key, value in options.items()}
    corrupts("words", name, refused=refused, layouts=(layout,))(passed(**fixed))

METHODS = {
    "dropping a stranger": ("D009", lambda c, p: p.drop("nobody")),
    "dropping the treated unit": ("D008", lambda c, p: p.drop(p.treated[0])),
    "dropping every donor": ("D014", lambda c, p: p.drop(p.donors)),
    "keeping nobody": ("D014", lambda c, p: p.keep([])),
    "keeping a stranger": ("D009", lambda c, p: p.keep(["nobody"])),
    "dropping None of them": ("", lambda c, p: p.drop(None)),
    "keeping all": ("", lambda c, p: p.keep(p.donors)),
    "a stranger as if treated": ("D009", lambda c, p: p.as_if_treated("nobody")),
    "backdating to start": ("D002", lambda c, p: p.backdate(p.start)),
    "backdating to the first time": ("D004", lambda c, p: p.backdate(p.times[0])),
    "backdating to nowhere": ("D001", lambda c, p: p.backdate([])),
}
for name, (refused, after) in METHODS.items():
    corrupts("words", name, refused=refused)(then(after))
