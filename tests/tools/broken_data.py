"""Further entries of the fuzzer's catalogue: series that are broken, and data that look right.

Outages, filled gaps and discontinued markets, columns among the donors that are not untreated
units, labels and numbers that only a program tells apart, and columns called like ours. Each entry
says what the message must hold, so that a refusal or a remark with the wrong cure is wrong too.
The fuzzer takes ``STAGES`` from here, which is the whole catalogue.
"""

import unicodedata
from collections.abc import Callable

import numpy as np
import pandas as pd
from corruptions import (
    COLUMN,
    LONG,
    SEEN,
    STAGES,
    WIDE,
    Case,
    assigned,
    axis,
    before,
    corrupts,
    days,
    even,
    months,
    one_label,
    ordinary,
    passed,
    peopled,
    renamed,
    stored,
    upright,
)

__all__ = ["STAGES"]

Change = Callable[[Case], None]
GAP = ("missing='drop_times'", "panel.drop(", "NaN")
"""What cures donors whose values are not real."""
OWN_GAP = ("the treated unit", "missing='model'", "NaN")
"""What cures a treated unit whose values are not real."""
LEAVE_OUT = ("donors=[...]",)
"""What cures columns that are no units."""
LOOKS = f"{SEEN} V005 V011 V014 D080 D081"
"""What else may be said of series that were changed."""


# --- values: outages, filled gaps, markets that are gone ---


def outage(make: Callable[[np.ndarray], float], first: int, last: int | None, units: int) -> Change:
    """Replace a stretch, counted from the start, of so many donors; of the treated unit for 0."""

    def change(case: Case) -> None:
        names = case.donors[:units] if units else [case.treated]
        table, stop = case.table.copy(), len(case.table) if last is None else case.at + last
        for name in names:
            series = table[name].to_numpy().copy()
            series[case.at + first : stop] = make(series[: case.at + first])
            table[name] = series
        case.holds(table)

    return change


def crowded(case: Case) -> bool:
    """Test for so many donors that three of them are not most."""
    return len(case.donors) > 6


def none(past: np.ndarray) -> float:
    return 0.0


def filled(past: np.ndarray) -> float:
    return float(past[-1])


OUTAGES = {
    "three donors at zero before start": ("V040", GAP, none, -8, -3, 3),
    "three donors at zero after start": ("V040", GAP, none, 1, 6, 3),
    "three donors filled forward": ("V041", GAP, filled, -6, 0, 3),
    "two donors filled over the start": ("V041", GAP, filled, -3, 4, 2),
    "a market that ends in zeros": ("V040", (*GAP, ", the end)"), none, 2, None, 1),
    "a market that ends in its last value": ("V041", (*GAP, ", the end)"), filled, 2, None, 1),
    "a treated unit at zero before start": ("V043", OWN_GAP, none, -8, -3, 0),
    "a treated unit at zero after start": ("V043", OWN_GAP, none, 1, 6, 0),
    "a treated unit filled forward": ("V043", OWN_GAP, filled, -7, -1, 0),
    "a treated unit filled after start": ("V043", OWN_GAP, filled, 1, 7, 0),
}
for name, (code, words, value, first, last, units) in OUTAGES.items():
    corrupts(
        "values",
        name,
        remarks=code,
        perhaps=LOOKS,
        fits=lambda case, units=units: crowded(case) or units < 2,
        says=words,
    )(outage(value, first, last, units))
corrupts("values", "a market that ends without outcomes", perhaps=LOOKS)(
    outage(lambda past: np.nan, 2, None, 1)
)
corrupts("values", "a donor with a row of nines", remarks="V041", perhaps=LOOKS, says=GAP)(
    outage(lambda past: -9999.0, -5, -3, 1)
)


# --- values: columns among the donors that are no untreated units ---


def total(case: Case) -> pd.Series:
    return case.table.sum(axis=1)


def weighted(case: Case) -> pd.Series:
    """Average all units with weights, as by population."""
    sizes = 1.0 + np.arange(case.table.shape[1])
    return (case.table * sizes).sum(axis=1) / sizes.sum()


def lasting(case: Case) -> bool:
    """Test for more periods than units, without which no weights can be told."""
    return crowded(case) and len(case.table) > case.table.shape[1] + 5


def region(case: Case) -> pd.Series:
    return case.table[[case.treated, *case.donors[:2]]].sum(axis=1)


AGGREGATES = {
    "a national total": (crowded, total),
    "a national average": (crowded, lambda c: c.table.mean(axis=1)),
    "a rounded national total": (crowded, lambda c: total(c).round(3)),
    "a weighted average of all": (lasting, weighted),
    "a region of the treated unit and two donors": (crowded, region),
}
for name, (fits, make) in AGGREGATES.items():
    corrupts(
        "values",
        name,
        remarks="V044",
        perhaps=f"{LOOKS} V047",
        fits=fits,
        says=("contain the effect", "Drop them"),
    )(assigned(make))


def noise(case: Case) -> np.ndarray:
    """Make a little noise: a ten thousandth of the treated unit's step."""
    usual = float(case.table[case.treated].diff().abs().median())
    return 1e-4 * usual * case.rng.normal(size=len(case.table))


COPIES = {
    "a near copy": lambda c: c.table[c.treated] + noise(c),
    "a copy in another measure": lambda c: 3.7 * c.table[c.treated] + 5 + noise(c),
    "a copy of a period before": lambda c: c.table[c.treated].shift(1).bfill(limit=1) + noise(c),
}
for name, make in COPIES.items():
    corrupts(
        "values",
        name,
        remarks="V047",
        perhaps=LOOKS,
        fits=peopled,
        says=("zz new", "copies"),
    )(assigned(make))


corrupts(
    "values", "a treatment dummy", remarks="V045", perhaps=LOOKS, says=LEAVE_OUT, fits=peopled
)(assigned(lambda c: (~before(c)).astype(float)))
corrupts("values", "a dummy of every seventh day", remarks="V045", perhaps=LOOKS, says=LEAVE_OUT)(
    assigned(lambda c: (np.arange(len(c.table)) % 7 == 0).astype(float))
)
corrupts("values", "a column of the weekday", remarks="V046", perhaps=LOOKS, says=LEAVE_OUT)(
    assigned(lambda c: 1.0 + np.arange(len(c.table)) % 7)
)


# --- times: the same dates written in more ways ---


def serial(count: int) -> np.ndarray:
    """Write days as a spreadsheet counts them."""
    return (days(count) - pd.Timestamp("1899-12-30")).days.to_numpy()


def seconds(count: int) -> np.ndarray:
    return (days(count) - pd.Timestamp("1970-01-01")).total_seconds().to_numpy().astype(int)


MORE_DATES = {
    "days written YYYYMMDD as floats": (
        lambda n: [float(day.strftime("%Y%m%d")) for day in days(n)],
        days,
    ),
    "months written YYYYMM as text": (lambda n: list(months(n).strftime("%Y%m")), months),
}
for name, (make, expected) in MORE_DATES.items():
    corrupts("times", name, remarks="P040", fits=even)(axis(make, expected))
MORE_NUMBERS = {
    "serial dates as floats": (lambda n: serial(n) + 0.5, "unit='D', origin='1899-12-30'"),
    "serial dates as text": (lambda n: [str(day) for day in serial(n)], "origin='1899-12-30'"),
    "serial dates as whole numbers": (serial, "unit='D', origin='1899-12-30'"),
    "seconds as text": (lambda n: [str(second) for second in seconds(n)], "unit='s'"),
    "seconds as floats": (lambda n: seconds(n).astype(float), "unit='s'"),
    "nanoseconds since 1970": (lambda n: seconds(n) * 10**9, "unit='ns'"),
}
for name, (make, word) in MORE_NUMBERS.items():
    corrupts("times", name, refused="P041", says=("pandas.to_datetime(", word))(axis(make, days))


# --- labels: what only a program tells apart ---


def two_labels(one: object, other: object) -> Change:
    """Give two donors labels that read alike."""

    def change(case: Case) -> None:
        one_label(one)(case)
        donor = next(name for name in case.table.columns if name not in (one, case.treated))
        labels = [other if name == donor else name for name in case.table.columns]
        case.table = case.table.set_axis(
            pd.Index(labels, dtype=object, tupleize_cols=False), axis=1
        )

    return change


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


ALIKE = {
    "accents composed and not": ("M\u00e1laga", decomposed("M\u00e1laga"), "normalize('NFKC')"),
    "umlauts composed and not": ("K\u00f6ln", decomposed("K\u00f6ln"), "normalize('NFKC')"),
    "Hangul composed and not": ("\uc11c\uc6b8", decomposed("\uc11c\uc6b8"), "normalize('NFKC')"),
    "a ligature": ("Suffolk", "Su\ufb00olk", "normalize('NFKC')"),
    "6 and 6.0 as text": ("6", "6.0", ".str.removesuffix('.0')"),
    "06 and 6.0": ("06", "6.0", ".str.zfill("),
    "06 and the number 6": ("06", 6, ".str.zfill("),
    "a tab behind": ("Berlin", "Berlin\t", ".str.split().str.join(' ')"),
    "a no-break space": ("New York", "New\u00a0York", ".str.split().str.join(' ')"),
    "another dash": ("Baden-W", "Baden\u2013W", "dashes"),
}
for name, (one, other, word) in ALIKE.items():
    corrupts(
        "labels",
        f"two labels with {name}",
        refused="P023",
        fits=crowded,
        layouts=(LONG, WIDE) if isinstance(other, int) else (LONG, WIDE, COLUMN),
        says=("Make them one", word),
    )(two_labels(one, other))
SHOWN = {
    "a dollar and a brace": "US $ {gross} _net_",
    "tex": r"$\frac{a}{b}$",
    "line breaks": "first\r\nsecond\n",
    "a format": "{0!r} {x:>5} %(y)s",
    "asterisks and pipes": "*a* | `b` | [c](d)",
    "a name of ours": "treated_",
}
for name, text in SHOWN.items():
    corrupts("labels", f"a label with {name}", fits=peopled)(one_label(text))
corrupts("labels", "all labels with dollar signs")(
    renamed(lambda names: [f"${name}_{{{j}}}" for j, name in enumerate(names)])
)


# --- frame: columns called like ours, sides, copies ---


def called(role: str, name: str) -> Change:
    """Call the column of a role by another name."""

    def change(case: Case) -> None:
        case.data = case.data.rename(columns={case.options[role]: name})
        case.options |= {role: name}

    return change


OURS = ("period", "observed", "time", "synthetic", "gap", "effect", "counterfactual", "index")
for name in OURS:
    corrupts("frame", f"times called {name}", layouts=(LONG, COLUMN))(called("time", name))
for name in ("time", "treated", "outcome", "donor", "chain"):
    corrupts("frame", f"units called {name}", layouts=(LONG,))(called("unit", name))


@corrupts("frame", "times in an index called observed", layouts=(WIDE,))
def _(case: Case) -> None:
    case.data = case.data.rename_axis(index="observed")


@corrupts(
    "frame",
    "every row twice, of the same outcome",
    refused="P020",
    layouts=(LONG,),
    says=("drop_duplicates", "would double"),
)
def _(case: Case) -> None:
    case.data = pd.concat([case.data, case.data], ignore_index=True)


@corrupts(
    "frame",
    "two parts of every outcome",
    refused="P020",
    layouts=(LONG,),
    fits=ordinary,
    says=(".sum()", ".mean()"),
)
def _(case: Case) -> None:
    parts = [case.data.assign(sales=share * case.data["sales"], part=share) for share in (0.4, 0.6)]
    case.data = pd.concat(parts, ignore_index=True)


@corrupts(
    "frame",
    "a wide frame read as a long one",
    refused="P003",
    layouts=(COLUMN,),
    fits=upright,
    says=("no column",),
)
def _(case: Case) -> None:
    from bayes_synth.data.panel import Panel

    case.reader = Panel.from_long
    case.options |= {"unit": "state", "time": "year", "outcome": "sales"}


# --- numbers: decimal commas ---


def commas(pattern: str) -> Callable[[pd.Series], pd.Series]:
    """Write numbers as on the continent: points between thousands, a comma before decimals."""
    swapped = str.maketrans(",.", ".,")
    return lambda series: series.map(pattern.format).map(lambda text: text.translate(swapped))


DECIMALS = {
    "decimal commas": commas("{:.2f}"),
    "decimal commas and points": commas("{:,.2f}"),
    "decimal commas and currency": lambda s: commas("{:.2f}")(s) + " \u20ac",
}
for name, convert in DECIMALS.items():
    corrupts(
        "numbers",
        name,
        refused="P009",
        fits=lambda case: ordinary(case) and bool(np.isfinite(case.expected).all(axis=None)),
        says=("decimal comma", ".str.replace(',', '.')"),
    )(stored(convert))


# --- words: who is a donor ---


def named_donors(case: Case) -> None:
    """Name all donors of a wide frame, and add a column that is none of them."""
    case.data = case.data.assign(**{"zz holiday": 1.0 * (np.arange(len(case.data)) % 9 == 0)})
    passed(donors=lambda c: [name for name in c.table.columns if name != c.treated])(case)


corrupts(
    "words",
    "donors are named beside a helper column",
    layouts=(WIDE,),
    fits=lambda c: isinstance(c.data, pd.DataFrame),
)(named_donors)
