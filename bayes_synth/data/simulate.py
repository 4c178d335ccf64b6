"""Panels with a known effect and known weights, from a factor model."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import PriorError

__all__ = ["Simulation", "simulate"]


@final
@dataclass(frozen=True, eq=False)
class Simulation:
    """A panel and the truth behind it.

    Parameters
    ----------
    panel
        Treated unit ``treated``, donors ``donor_01`` and so on.
    weights
        True weights by donor, summing to one.
    effect
        True effect, dims ``(time,)`` over the post-period.
    untreated
        The treated unit's outcome without treatment, dims ``(time,)`` over all times.
    """

    panel: Panel
    weights: pd.Series
    effect: xr.DataArray
    untreated: xr.DataArray


def simulate(
    *,
    donors: int = 20,
    pre: int = 60,
    post: int = 20,
    factors: int = 3,
    active: int = 3,
    effect: float | np.ndarray = 0.0,
    level: float = 100.0,
    spread: float = 10.0,
    noise: float = 1.0,
    drift: float = 0.0,
    season: float = 0.0,
    start: Any = None,
    random_seed: int | np.random.Generator | None = None,
) -> Simulation:
    """Panel whose treated unit is a sparse average of its donors plus noise.

    Every donor is its own level plus loadings on common autoregressive factors plus noise; the treated
    unit is ``donors @ weights`` plus noise, plus a drifting level if asked for, plus the effect from ``start`` on.

    Parameters
    ----------
    donors, pre, post
        Numbers of donors, of pre-periods and of post-periods.
    factors
        Number of common factors, first-order autoregressions with coefficient 0.8 and unit variance.
    active
        Number of donors with weight; the weights are a uniform draw from their simplex.
    effect
        Added to the treated unit after treatment: one number, or one per post-period. Outcome units.
    level, spread
        Mean of the donors' levels, and their standard deviation, which the loadings share.
    noise
        Standard deviation of the white noise of every series.
    drift
        Standard deviation of the steps of the treated unit's own random walk: what a synthetic control of
        constant weights cannot follow.
    season
        Size of a weekly pattern common to all, as a fraction of each donor's level.
    start
        A date makes the time axis daily; None numbers the periods from 0.
    random_seed
        A whole number or a Generator.

    Raises
    ------
    PriorError
        O010 for a count, a scale, an effect, a start or a seed that makes no sense.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), eq. 1.
    """
    _check(locals())
    rng = _generator(random_seed)
    periods = pre + post
    levels = level + spread * rng.standard_normal(donors)
    loadings = spread * rng.standard_normal((factors, donors)) / np.sqrt(factors)
    weekly = 1 + season * np.sin(2 * np.pi * np.arange(periods) / 7)[:, None]
    series = (
        levels * weekly
        + _factors(periods, factors, rng) @ loadings
        + noise * rng.standard_normal((periods, donors))
    )

    weights = np.zeros(donors)
    weights[rng.choice(donors, active, replace=False)] = rng.dirichlet(np.ones(active))
    walk = drift * np.cumsum(rng.standard_normal(periods))
    untreated = series @ weights + walk + noise * rng.standard_normal(periods)
    return _labelled(
        series, weights, untreated, np.broadcast_to(np.asarray(effect, dtype=float), post), start
    )


def _labelled(
    series: np.ndarray, weights: np.ndarray, untreated: np.ndarray, effect: np.ndarray, start: Any
) -> Simulation:
    periods, donors, post = len(series), series.shape[1], len(effect)
    first = periods - post
    times: pd.Index = pd.RangeIndex(periods)
    if start is not None:
        times = pd.date_range(_date(start) - pd.Timedelta(days=first), periods=periods)
    names = [f"donor_{j:0{max(2, len(str(donors)))}d}" for j in range(1, donors + 1)]
    treated = untreated + np.append(np.zeros(first), effect)
    table = pd.DataFrame(series, index=times, columns=names).assign(treated=treated)
    outcomes = xr.DataArray(table.sort_index(axis=1), dims=("time", "unit"))
    panel = Panel(outcomes, ("treated",), times[first])
    return Simulation(
        panel,
        pd.Series(weights, index=pd.Index(names, name="donor"), name="weight"),
        xr.DataArray(
            effect.copy(), dims="time", coords={"time": panel.post.to_numpy()}, name="effect"
        ),
        xr.DataArray(
            untreated, dims="time", coords={"time": panel.times.to_numpy()}, name="untreated"
        ),
    )


def _factors(periods: int, factors: int, rng: np.random.Generator) -> np.ndarray:
    """Stationary first-order autoregressions with unit variance, shape ``(periods, factors)``."""
    path = rng.standard_normal((periods, factors))
    for t in range(1, periods):
        path[t] = 0.8 * path[t - 1] + 0.6 * path[t]
    return path


def _generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise PriorError(
            "O010", f"random_seed={seed!r} must be a whole number that is not negative."
        ) from error


def _date(start: Any) -> pd.Timestamp:
    """``start`` as a date; a bare number would count nanoseconds from 1970."""
    date = (
        pd.NaT
        if isinstance(start, (int, float, np.number))
        else pd.to_datetime(start, errors="coerce")
    )
    if not isinstance(date, pd.Timestamp):
        raise PriorError("O010", f"start={start!r} must be a date, such as '2025-05-01', or None.")
    return date


def _number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(np.isfinite(value))


def _check(options: dict[str, Any]) -> None:
    for name, least in {"donors": 1, "pre": 3, "post": 1, "factors": 1, "active": 1}.items():
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise PriorError(
                "O010", f"{name}={value!r} must be a whole number of at least {least}."
            )
    for name in ("spread", "noise", "drift", "season"):
        if not (_number(options[name]) and options[name] >= 0):
            raise PriorError(
                "O010", f"{name}={options[name]!r} must be a number that is not negative."
            )
    if not _number(options["level"]):
        raise PriorError("O010", f"level={options['level']!r} must be a finite number.")
    if options["active"] > options["donors"]:
        raise PriorError(
            "O010",
            f"active={options['active']} donors with weight, but only {options['donors']} donors.",
        )
    _check_effect(np.asarray(options["effect"]), options["post"])


def _check_effect(effect: np.ndarray, post: int) -> None:
    if effect.shape not in {(), (post,)}:
        raise PriorError(
            "O010",
            f"effect has shape {effect.shape}; give one number or one per post-period, {post}.",
        )
    if effect.dtype.kind not in "iuf" or not np.isfinite(effect).all():
        raise PriorError("O010", "effect must hold finite numbers.")
