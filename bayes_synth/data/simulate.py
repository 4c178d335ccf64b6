"""Simulate panels with a known effect and known weights, from a factor model."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.dates import read_date
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError

__all__ = ["Simulation", "simulate"]


@final
@dataclass(frozen=True, eq=False)
class Simulation:
    """Hold a panel and the truth behind it.

    Parameters
    ----------
    panel
        Treated unit ``treated``, donors ``donor_01`` and so on.
    weights
        True weights by donor, summing to one.
    effect
        True effect, dims ``(time,)`` over the post-period, in outcome units.
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
    """Simulate a panel whose treated unit is a sparse average of its donors plus noise.

    Every donor is a level of its own plus loadings on common autoregressive factors plus noise; the
    treated unit is ``donors @ weights`` plus noise, plus a random walk if ``drift`` is above zero,
    plus the effect from ``start`` on.

    Parameters
    ----------
    donors, pre, post
        Numbers of donors, of pre-periods and of post-periods.
    factors
        Number of common factors: first-order autoregressions, coefficient 0.8, unit variance.
    active
        Number of donors with weight; the weights are a uniform draw from their simplex.
    effect
        Added to the treated unit after treatment, in outcome units: one number, or one per
        post-period.
    level, spread
        Mean of the donors' levels, and their standard deviation, which the loadings share.
    noise
        Standard deviation of the white noise of every series.
    drift
        Standard deviation of the steps of the treated unit's own random walk, which a synthetic
        control of constant weights cannot follow.
    season
        Size of a weekly pattern common to all units, as a fraction of each donor's level.
    start
        Date of the first treated day, which makes the times daily; None numbers the periods from 0.
    random_seed
        A whole number or a Generator.

    Raises
    ------
    OptionError
        O010 for a count, a standard deviation, an effect, a start or a seed that cannot be used.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), eq. 1.

    Examples
    --------
    >>> made = bs.simulate(donors=5, pre=20, post=5, effect=10.0, random_seed=1)
    >>> made.panel.treated, len(made.panel.donors)
    (('treated',), 5)
    >>> made.weights.sum().round(6).item()
    1.0
    """
    _require_at_least(1, donors=donors, post=post, factors=factors, active=active)
    _require_at_least(3, pre=pre)
    _require_not_negative(spread=spread, noise=noise, drift=drift, season=season)
    if not _is_number(level):
        raise OptionError("O010", f"level must be a finite number, got {level!r}.")
    if active > donors:
        text = f"active must be at most the number of donors, {donors}, got {active}."
        raise OptionError("O010", text)
    effects = _one_per_period(effect, post)
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
    return _labelled(series, weights, untreated, effects, start)


def _labelled(
    series: np.ndarray, weights: np.ndarray, untreated: np.ndarray, effect: np.ndarray, start: Any
) -> Simulation:
    """Label the arrays with times and donors, and add the effect to the treated unit."""
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
        _series(effect.copy(), panel.post, "effect"),
        _series(untreated, panel.times, "untreated"),
    )


def _series(values: np.ndarray, times: pd.Index, name: str) -> xr.DataArray:
    return xr.DataArray(values, dims="time", coords={"time": times.to_numpy()}, name=name)


def _factors(periods: int, factors: int, rng: np.random.Generator) -> np.ndarray:
    """Draw stationary autoregressions with unit variance, shape ``(periods, factors)``."""
    path = rng.standard_normal((periods, factors))
    for t in range(1, periods):
        path[t] = 0.8 * path[t - 1] + 0.6 * path[t]
    return path


def _generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        text = f"random_seed must be a whole number that is not negative, got {seed!r}."
        raise OptionError("O010", text) from error


def _iso(start: Any) -> Any:
    """Return text that is a date in ISO as that date, and other text as none."""
    reading = read_date(start) if isinstance(start, str) else None
    return reading.first if reading else pd.NaT if isinstance(start, str) else start


def _date(start: Any) -> pd.Timestamp:
    """Read ``start`` as a date; a bare number would count nanoseconds from 1970."""
    date = (
        pd.NaT
        if isinstance(start, (int, float, np.number))
        else pd.to_datetime(_iso(start), errors="coerce")
    )
    if not isinstance(date, pd.Timestamp):
        text = f"start must be a date, such as '2025-05-01', or None, got {start!r}."
        raise OptionError("O010", text)
    return date


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(np.isfinite(value))


def _require_at_least(least: int, **counts: Any) -> None:
    """Refuse a count that is not a whole number of at least ``least``."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            text = f"{name} must be a whole number of at least {least}, got {value!r}."
            raise OptionError("O010", text)


def _require_not_negative(**values: Any) -> None:
    for name, value in values.items():
        if not (_is_number(value) and value >= 0):
            text = f"{name} must be a number that is not negative, got {value!r}."
            raise OptionError("O010", text)


def _one_per_period(effect: Any, post: int) -> np.ndarray:
    """Return the effect as one finite number per post-period."""
    values = np.asarray(effect)
    if values.shape not in {(), (post,)}:
        text = f"effect must be one number or one per post-period ({post}), got {values.shape}."
        raise OptionError("O010", text)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise OptionError("O010", "effect must hold finite numbers only.")
    return np.broadcast_to(values.astype(float), post)
