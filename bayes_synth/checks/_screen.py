"""Screening: what about each donor deserves a look before any fit. Suggestions only; nothing is dropped."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.checks.result import Check, check, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import ROUNDING
from bayes_synth.errors import DesignError
from bayes_synth.model.inputs import typical_step
from bayes_synth.plots.common import shortened
from bayes_synth.words import listed, short, suggestion, texts

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["screen"]

QUESTION = "Are the donors fit to serve?"
FEWEST = 5
"""With fewer donors none can be told from the others."""
SHOWN = 30
PENALTIES = np.geomspace(1e-4, 10, 16)
"""Of the ridge regressions, in units of the largest squared singular value."""
NORMAL = 0.6745
"""Median of the absolute value of a standard normal."""


@check(QUESTION, place=5, of="panel")
def screen(
    panel: Panel,
    *,
    neighbours: str | Sequence[str] = (),
    jump: float = 4.0,
    window: int = 5,
    twin: float = 0.9999,
    level: float = 5.0,
    trend: float = 2.0,
    volatility: float = 5.0,
    correlation: float = 0.0,
) -> Check:
    """What about each donor deserves a look, before any fit.

    Parameters
    ----------
    panel
        The data. The treated unit's outcomes from ``start`` on are not looked at.
    neighbours
        Donors that the treatment may have reached, or that may be treated themselves: the data do not know.
    jump, window
        A donor breaks at ``start`` when its error against a forecast from the other donors moves by more than ``jump`` times
        what is usual among donors, from the mean of the ``window`` periods before to that of the ``window`` periods from
        ``start`` on. The usual is the median over donors, as a standard deviation. (Our threshold: for its false alarms see
        the page on checks.)
    twin
        Absolute correlation of two donors above which they count as one (as in remark V005).
    level, trend
        Difference from the treated unit in the mean, and in what a linear trend adds over the pre-period, in standard
        deviations of the treated unit before treatment, above which it is noted (ours).
    volatility
        Ratio of the scales of first differences, either way, above which it is noted (ours).
    correlation
        Correlation of first differences with the treated unit's below which it is noted: such a donor moves against it.

    Returns
    -------
    Check
        Table: one row per donor with ``level``, ``trend``, ``volatility``, ``correlation``, ``break`` (all as above), ``twin``
        (its most correlated donor, if over ``twin``), ``neighbour`` and ``suggestion``. Breaks, twins and neighbours call for
        caution; the rest is noted and passes, since a weighted average may need unlike donors. A screen never fails.

    Raises
    ------
    DesignError
        D009 for a neighbour that is no donor.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 5 and 7. O'Riordan and Gilligan-Lee (2025), Journal of
    Causal Inference 13(1), for donors that are forecast by others after ``start``.
    """
    flagged = _known(neighbours, panel)
    donors = pd.DataFrame(
        panel.donor_outcomes.to_numpy(), panel.times, pd.Index(panel.donors, dtype=object)
    )
    table = _likeness(panel, donors)
    table["break"], table["twin"] = _breaks(donors, len(panel.pre), window), _twins(donors, twin)
    table["neighbour"] = table.index.isin(flagged)
    serious = {
        "break": table["break"] > jump,
        "twin": table["twin"] != "",
        "neighbour": table["neighbour"],
    }
    noted = {
        "level": table["level"].abs() > level,
        "trend": table["trend"].abs() > trend,
        "volatility": np.abs(np.log(table["volatility"])) > np.log(volatility),
        "correlation": table["correlation"] < correlation,
    }
    table["suggestion"] = _suggestions(serious, noted)
    limits = {
        "jump": jump,
        "window": window,
        "twin": twin,
        "level": level,
        "trend": trend,
        "volatility": volatility,
    }
    return Check(
        "screen",
        QUESTION,
        "caution" if pd.DataFrame(serious).to_numpy().any() else "pass",
        _reason(panel, serious, noted),
        thresholds(table, **limits, correlation=correlation),
        partial(_draw, panel, table, jump),
    )


def _known(neighbours: str | Sequence[str], panel: Panel) -> list[str]:
    labels = texts(neighbours)
    for label in labels:
        if label not in panel.donors:
            raise DesignError(
                "D009",
                f"neighbours name {label!r}, no donor of this panel. {suggestion(label, panel.donors)}",
            )
    return labels


def _likeness(panel: Panel, donors: pd.DataFrame) -> pd.DataFrame:
    """Each donor against the treated unit, over the pre-periods in which that has an outcome."""
    own = panel.treated_outcome.to_series().iloc[: len(panel.pre)].dropna()
    before, sd, time = donors.loc[own.index], own.std(ddof=1), np.arange(len(own), dtype=float)
    steps, own_steps = before.diff().iloc[1:], own.diff().iloc[1:]
    slopes, own_slope = (
        np.polyfit(time, before.to_numpy(), 1)[0],
        np.polyfit(time, own.to_numpy(), 1)[0],
    )
    moving = [name for name in before if np.ptp(steps[name].to_numpy()) > 0]
    scales = pd.Series(
        {name: typical_step(before[name].to_numpy()) for name in moving}, dtype=float
    )
    return pd.DataFrame(
        {
            "level": (before.mean() - own.mean()) / sd,
            "trend": (slopes - own_slope) * (len(own) - 1) / sd,
            "volatility": scales.reindex(before.columns) / typical_step(own.to_numpy()),
            "correlation": steps[moving].corrwith(own_steps).reindex(before.columns)
            if np.ptp(own_steps) > 0
            else np.nan,
        },
        index=pd.Index(before.columns, name="donor"),
    )


def _breaks(donors: pd.DataFrame, pre: int, window: int) -> np.ndarray:
    """Each donor's move at ``start`` against its own synthetic control, over what is usual among donors.

    Every move is taken over the donor's own misfit before, so that volatile donors do not stand out for being volatile.
    What is usual is read off the others without the donor that moves most: it would move those that lean on it.
    """
    values = donors.to_numpy()
    if values.shape[1] < FEWEST:
        return np.full(values.shape[1], np.nan)
    moves = _moves(values, pre, window)
    others = _moves(np.delete(values, int(np.nanargmax(moves)), axis=1), pre, window)
    usual = float(np.nanmedian(others)) / NORMAL
    return moves / usual if usual > 0 else np.full(len(moves), np.nan)


def _moves(values: np.ndarray, pre: int, window: int) -> np.ndarray:
    return np.array(
        [
            _move(np.delete(values, j, axis=1), values[:, j], pre, window)
            for j in range(values.shape[1])
        ]
    )


def _move(others: np.ndarray, series: np.ndarray, pre: int, window: int) -> float:
    """Move of a donor's forecast error at ``start``, over its usual error before."""
    before, after = _forecast_errors(others, series, pre)
    misfit = float(np.sqrt(np.mean(before**2)))
    step = float(after[:window].mean() - before[-window:].mean())
    return abs(step) / misfit if misfit > ROUNDING * np.abs(series).max() else 0.0


def _forecast_errors(
    others: np.ndarray, series: np.ndarray, pre: int
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of a ridge regression on the other donors: leaving each pre-period out, and after ``start``.

    Not over the simplex: most donors are vertices of the hull of all donors, and their misfit would hide a break.
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
    moving = [j for j in range(donors.shape[1]) if np.ptp(donors.iloc[:, j].to_numpy()) > 0]
    alike = np.zeros((donors.shape[1], donors.shape[1]))
    alike[np.ix_(moving, moving)] = np.atleast_2d(
        np.abs(np.corrcoef(donors.iloc[:, moving].to_numpy(), rowvar=False))
    )
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
    flags = pd.DataFrame(serious | noted)
    words = [SUGGESTIONS[str(name)] for name in flags]
    return [
        "; ".join(word for word, on in zip(words, row, strict=True) if on)
        for row in flags.to_numpy()
    ]


def _reason(panel: Panel, serious: dict[str, pd.Series], noted: dict[str, pd.Series]) -> str:
    words = {
        "break": f"jump at {short(panel.start)}",
        "twin": "move as another donor",
        "neighbour": "flagged as neighbours",
    }
    found = [
        f"{int(flag.sum())} {words[name]} ({listed(flag.index[flag], 3)})"
        for name, flag in serious.items()
        if flag.any()
    ]
    rest = [f"{int(flag.sum())} {SUGGESTIONS[name]}" for name, flag in noted.items() if flag.any()]
    text = "; ".join(found) or "no breaks at start, no near-duplicates, no flagged neighbours"
    return f"{len(panel.donors)} donors: {text}" + (f"; noted: {', '.join(rest)}." if rest else ".")


def _draw(
    panel: Panel, table: pd.DataFrame, jump: float, *, backend: str | None = None
) -> "PlotCollection":
    """Breaks by donor, the largest on top, and level against correlation."""
    rows = table.sort_values("break", ascending=False, kind="stable", na_position="last").head(
        SHOWN
    )
    heights = np.arange(len(rows))[::-1]
    ticks = {float(h): shortened(str(name)) for h, name in zip(heights, rows.index, strict=True)}
    breaks = {
        "limit": Layer("vertical", jump),
        "points": Layer("points", rows["break"].to_numpy(), heights),
    }
    more = f", {len(table) - len(rows)} more donors not shown" if len(table) > len(rows) else ""
    likeness = {
        "zero": Layer("horizontal", y=0),
        "treated": Layer("vertical", 0),
        "points": Layer("points", table["level"].to_numpy(), table["correlation"].to_numpy(float)),
    }
    panels = {
        "breaks": Axes(
            f"Jump at {short(panel.start)}, in what is usual (dashed: {jump:g}){more}",
            breaks,
            "times the usual",
            ticks=ticks,
        ),
        "likeness": Axes(
            "Donors against the treated unit before treatment",
            likeness,
            "level (its sds)",
            "correlation of differences",
        ),
    }
    return picture(panels, fit=None, backend=backend, height=max(330, 60 + 20 * len(rows)))
