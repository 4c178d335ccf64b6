"""Screening: ask which donors deserve a look before any fit.

It only suggests; nothing is dropped.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import Axes, Layer, named_points, picture, rows_that_fit
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import ROUNDING
from bayes_synth.errors import DesignError, OptionError, deprecated
from bayes_synth.model.inputs import typical_step
from bayes_synth.plots.common import shortened, shortened_apart
from bayes_synth.plots.legend import Entry
from bayes_synth.words import listed, short, suggestion, texts

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["screen"]

QUESTION = "Are the donors fit to serve?"
FEWEST = 5
"""Smallest number of donors among which one can stand out."""
SHOWN = 30
"""Largest number of donors in the picture."""
PENALTIES = np.geomspace(1e-4, 10, 16)
"""Penalties of the ridge regressions, over the largest squared singular value."""
NORMAL = 0.6745
"""Median of the absolute value of a standard normal."""
NOTED: Mapping[str, float] = MappingProxyType(
    {"level": 5.0, "trend": 2.0, "volatility": 5.0, "correlation": 0.0}
)
"""Default thresholds of what is noted about a donor and passes."""


@check(QUESTION, place=5, of="panel")
def screen(
    panel: Panel,
    *,
    neighbours: str | Sequence[str] = (),
    jump: float = 4.0,
    window: int = 5,
    twin: float = 0.9999,
    noted: Mapping[str, float] = NOTED,
    **older: float,
) -> Check:
    """Ask what about each donor deserves a look, before any fit.

    Parameters
    ----------
    panel
        The data. The treated unit's outcomes from ``start`` on are not used.
    neighbours
        Donors that the treatment may have reached, or that may be treated themselves; you must
        name them, since the data cannot tell.
    jump, window
        Upper bound: up to ``jump`` it passes, above it is a caution. It bounds the move of a
        donor's error against a forecast from the other donors, over what is usual among donors,
        from the mean of the ``window`` periods before ``start`` to that of the ``window`` periods
        from ``start`` on. The usual is the median over donors, as a standard deviation. (Our
        threshold: for its false alarms see the page on checks.)
    twin
        Upper bound: up to ``twin`` it passes, above it is a caution. It bounds the absolute
        correlation of two donors, above which they count as one (as in remark V005).
    noted
        Thresholds of what is noted and passes; those left out have their defaults. ``level`` (5)
        and ``trend`` (2): difference from the treated unit in the mean, and in what a linear trend
        adds over the pre-period, above which it is noted, in standard deviations of the treated
        unit before treatment. ``volatility`` (5): ratio of the typical steps, either way, above
        which it is noted. ``correlation`` (0): correlation of first differences with the treated
        unit's below which it is noted, because such a donor moves against it. (All are ours.)
    **older
        Deprecated: the keys of ``noted`` as keywords.

    Returns
    -------
    Check
        Table: one row per donor with ``level``, ``trend``, ``volatility``, ``correlation``,
        ``break`` (all as above), ``twin`` (its most correlated donor, if over ``twin``),
        ``neighbour`` and ``suggestion``. Breaks, twins and neighbours are a caution; the rest is
        noted and passes, since a weighted average may need unlike donors. A screen never fails.

    Raises
    ------
    DesignError
        D009 for a neighbour that is not a donor.
    OptionError
        O001 for an unknown key of ``noted``.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 5 and 7. O'Riordan and
    Gilligan-Lee (2025), Journal of Causal Inference 13(1), for donors that are forecast by others
    after ``start``.

    Examples
    --------
    >>> bs.checks.screen(panel).verdict
    'caution'
    """
    flagged, limits = _require_donors(neighbours, panel), _noted_limits(noted, older)
    donors = pd.DataFrame(
        panel.donor_outcomes.to_numpy(), panel.times, pd.Index(panel.donors, dtype=object)
    )
    table = _compared_with_treated(panel, donors)
    table["break"], table["twin"] = _breaks(donors, len(panel.pre), window), _twins(donors, twin)
    table["neighbour"] = table.index.isin(flagged)
    serious = {
        "break": table["break"] > jump,
        "twin": table["twin"] != "",
        "neighbour": table["neighbour"],
    }
    passing = _noted(table, limits)
    table["suggestion"] = _suggestions(serious, passing)
    return Check(
        "screen",
        QUESTION,
        "caution" if pd.DataFrame(serious).to_numpy().any() else "pass",
        _screen_reason(panel, serious, passing),
        thresholds(table, jump=jump, window=window, twin=twin, **limits),
        partial(_draw_screen, panel, table, jump),
    )


def _noted_limits(noted: Mapping[str, float], older: Mapping[str, float]) -> dict[str, float]:
    """Complete the thresholds by their defaults, and take those of the deprecated keywords."""
    for name in noted:
        if name not in NOTED:
            hint = suggestion(name, tuple(NOTED))
            raise OptionError(
                "O001", f"noted must have keys of {listed(NOTED)}, got {name!r}. {hint}"
            )
    for name in older:
        if name not in NOTED:
            raise TypeError(f"screen() got an unexpected keyword argument {name!r}")
        deprecated(f"screen({name}=...)", f"screen(noted={{{name!r}: ...}})")
    return {**NOTED, **noted, **older}


def _noted(table: pd.DataFrame, limits: Mapping[str, float]) -> dict[str, pd.Series]:
    """Flag the donors that are unlike the treated unit in some respect."""
    return {
        "level": table["level"].abs() > limits["level"],
        "trend": table["trend"].abs() > limits["trend"],
        "volatility": np.abs(np.log(table["volatility"])) > np.log(limits["volatility"]),
        "correlation": table["correlation"] < limits["correlation"],
    }


def _require_donors(neighbours: str | Sequence[str], panel: Panel) -> list[str]:
    """Return the labels of the neighbours, each of which must be a donor."""
    labels = texts(neighbours)
    for label in labels:
        if label not in panel.donors:
            hint = suggestion(label, panel.donors)
            raise DesignError(
                "D009", f"neighbours must be donors of this panel, got {label!r}. {hint}"
            )
    return labels


def _compared_with_treated(panel: Panel, donors: pd.DataFrame) -> pd.DataFrame:
    """Compare each donor with the treated unit, over the pre-periods with an outcome."""
    own = panel.treated_outcome.to_series().iloc[: len(panel.pre)].dropna()
    before, sd, time = donors.loc[own.index], own.std(ddof=1), np.arange(len(own), dtype=float)
    steps, own_steps = before.diff().iloc[1:], own.diff().iloc[1:]
    slopes = np.polyfit(time, before.to_numpy(), 1)[0]
    own_slope = np.polyfit(time, own.to_numpy(), 1)[0]
    moving = [name for name in before if np.ptp(steps[name].to_numpy()) > 0]
    typical = {name: typical_step(before[name].to_numpy()) for name in moving}
    volatility = pd.Series(typical, dtype=float).reindex(before.columns)
    moves = np.ptp(own_steps) > 0
    correlation = steps[moving].corrwith(own_steps).reindex(before.columns) if moves else np.nan
    columns = {
        "level": (before.mean() - own.mean()) / sd,
        "trend": (slopes - own_slope) * (len(own) - 1) / sd,
        "volatility": volatility / typical_step(own.to_numpy()),
        "correlation": correlation,
    }
    return pd.DataFrame(columns, index=pd.Index(before.columns, name="donor"))


def _breaks(donors: pd.DataFrame, pre: int, window: int) -> np.ndarray:
    """Return each donor's move at ``start`` against the others, over what is usual among donors.

    Every move is taken over the donor's own misfit before, so that volatile donors do not stand
    out for being volatile. What is usual is read off the others without the donor that moves most:
    it would move those that lean on it.
    """
    values = donors.to_numpy()
    if values.shape[1] < FEWEST:
        return np.full(values.shape[1], np.nan)
    moves = _moves(values, pre, window)
    others = _moves(np.delete(values, int(np.nanargmax(moves)), axis=1), pre, window)
    usual = float(np.nanmedian(others)) / NORMAL
    return moves / usual if usual > 0 else np.full(len(moves), np.nan)


def _moves(values: np.ndarray, pre: int, window: int) -> np.ndarray:
    pools = (np.delete(values, j, axis=1) for j in range(values.shape[1]))
    moves = [
        _move_at_start(pool, series, pre, window)
        for pool, series in zip(pools, values.T, strict=True)
    ]
    return np.array(moves)


def _move_at_start(others: np.ndarray, series: np.ndarray, pre: int, window: int) -> float:
    """Return the move of a donor's forecast error at ``start``, over its usual error before."""
    before, after = _forecast_errors(others, series, pre)
    misfit = float(np.sqrt(np.mean(before**2)))
    step = float(after[:window].mean() - before[-window:].mean())
    return abs(step) / misfit if misfit > ROUNDING * np.abs(series).max() else 0.0


def _forecast_errors(
    others: np.ndarray, series: np.ndarray, pre: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of a ridge regression on the other donors, before and from ``start`` on.

    Each pre-period is left out in turn. The regression is not over the simplex: most donors are
    vertices of the hull of all donors, and their misfit would hide a break.
    """
    centre, mean = others[:pre].mean(0), series[:pre].mean()
    left, size, right = np.linalg.svd(others[:pre] - centre, full_matrices=False)
    rotated = left.T @ (series[:pre] - mean)
    shares = size**2 / (size**2 + PENALTIES[:, None] * (size**2).max())
    leverage = shares @ (left**2).T + 1 / pre
    errors = (series[:pre] - mean - shares * rotated @ left.T) / (1 - leverage)
    best = int(np.argmin((errors**2).sum(1)))
    slopes = right.T @ (shares[best] * rotated / np.maximum(size, ROUNDING * size.max()))
    return errors[best], series[pre:] - mean - (others[pre:] - centre) @ slopes


def _twins(donors: pd.DataFrame, twin: float) -> list[str]:
    """Return for each donor the one that it is most correlated with, if that is over ``twin``."""
    moving = [j for j in range(donors.shape[1]) if np.ptp(donors.iloc[:, j].to_numpy()) > 0]
    alike = np.zeros((donors.shape[1], donors.shape[1]))
    correlations = np.corrcoef(donors.iloc[:, moving].to_numpy(), rowvar=False)
    alike[np.ix_(moving, moving)] = np.atleast_2d(np.abs(correlations))
    np.fill_diagonal(alike, 0)
    return [str(donors.columns[int(np.argmax(row))]) if row.max() > twin else "" for row in alike]


SUGGESTIONS = {
    "break": "jumps at start: was it treated or shocked? fit without it",
    "twin": "moves as another donor: read their weights together",
    "neighbour": "flagged: fit without it, or Calibration(exclude=...)",
    "level": "far in level",
    "trend": "another trend",
    "volatility": "another volatility",
    "correlation": "moves against the treated unit",
}


def _suggestions(serious: dict[str, pd.Series], noted: dict[str, pd.Series]) -> list[str]:
    """Return one text per donor with a suggestion for every flag."""
    flags = pd.DataFrame(serious | noted)
    words = [SUGGESTIONS[str(name)] for name in flags]
    return [
        "; ".join(word for word, on in zip(words, row, strict=True) if on)
        for row in flags.to_numpy()
    ]


def _screen_reason(panel: Panel, serious: dict[str, pd.Series], noted: dict[str, pd.Series]) -> str:
    words = {
        "break": f"jump at {short(panel.start)}",
        "twin": "move as another donor",
        "neighbour": "flagged as neighbours",
    }
    alarms = [
        f"{int(flag.sum())} {words[name]} ({listed(flag.index[flag], 3)})"
        for name, flag in serious.items()
        if flag.any()
    ]
    rest = [f"{int(flag.sum())} {SUGGESTIONS[name]}" for name, flag in noted.items() if flag.any()]
    text = "; ".join(alarms) or "no breaks at start, no near-duplicates, no flagged neighbours"
    return f"{len(panel.donors)} donors: {text}" + (f"; noted: {', '.join(rest)}." if rest else ".")


def _least_alike(table: pd.DataFrame) -> list[str]:
    """Name the two donors that are farthest in level, and the two least correlated."""
    far = table["level"].astype(float).abs().nlargest(2).index
    against = table["correlation"].astype(float).nsmallest(2).index
    return [str(name) for name in dict.fromkeys([*far, *against])]


def _draw_screen(
    panel: Panel, table: pd.DataFrame, jump: float, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    """Draw breaks by donor, the largest on top, and level against correlation."""
    rows = table.sort_values("break", ascending=False, kind="stable", na_position="last")
    height = 2 * max(330, 60 + 20 * min(len(rows), SHOWN))
    rows = rows.head(min(SHOWN, rows_that_fit(options, height, 2)))
    heights = np.arange(len(rows))[::-1]
    ticks = dict(zip(heights.astype(float), shortened_apart(rows.index, 28), strict=True))
    breaks = {
        "limit": Layer("vertical", jump),
        "points": Layer("points", rows["break"].to_numpy(), heights),
    }
    more = f", {len(table) - len(rows)} more donors not shown" if len(table) > len(rows) else ""
    spots = pd.DataFrame({"x": table["level"], "y": table["correlation"]}).astype(float)
    named, entries = named_points(spots, _least_alike(table))
    likeness = {"zero": Layer("horizontal", y=0), "treated": Layer("vertical", 0)} | named
    title = f"Jump at {short(panel.start)}, in what is usual among donors{more}"
    compared = f"Donors against {shortened(panel.treated_name, 40)} before treatment"
    limit = Entry(f"threshold {jump:g}", "line", "B1", 0.8, width=1.2, dash="dashed")
    measured = "difference in level (its sds)", "correlation of differences"
    farthest = 1.05 * float(np.nanmax([jump, *table["break"]]))
    least = float(np.nanmin([0.0, *spots["y"]])) - 0.05
    panels = {
        "breaks": Axes(
            title, breaks, "times the usual", ticks=ticks, legend=[limit], across=(0.0, farthest)
        ),
        "likeness": Axes(compared, likeness, *measured, legend=entries, limits=(least, 1.05)),
    }
    return picture(panels, options, fit=None, height=height // 2)
