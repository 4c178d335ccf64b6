"""Checks of a design, and how labels of units and times are written.

Imports :mod:`bayes_synth.errors` only.
"""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.errors import DesignError, PanelError, PanelWarning, listed, suggestion

__all__ = ["check_numbers", "check_treated", "one_start", "short", "span", "texts", "warn_of_skipped"]

HERE = (str(Path(__file__).parent),)
"""Warnings point at the caller's line, not at ours."""


def short(time: Hashable) -> str:
    """A time as a person writes it: midnight is not spelled out."""
    return str(time).removesuffix(" 00:00:00")


def span(times: pd.Index) -> str:
    """How many periods, and from when to when."""
    return f"{len(times)} periods, {short(times[0])} to {short(times[-1])}"


def texts(labels: Any) -> list[str]:
    """One label or several, as text, each once."""
    several = labels if pd.api.types.is_list_like(labels) else [] if labels is None else [labels]
    return list(dict.fromkeys(str(label) for label in several))


def check_treated(treated: Sequence[str], units: Sequence[str]) -> None:
    """Refuse a design in which nobody, or somebody unknown, is treated."""
    if not treated:
        raise DesignError("D014", "nobody is treated: name at least one unit with treated=...")
    for label in treated:
        if label not in units:
            raise DesignError("D007", f"the treated unit {label!r} is not in the data. {suggestion(label, units)}")


def warn_of_skipped(times: pd.Index) -> None:
    """Warn of skipped periods: noise that wanders or remembers takes every step as one period."""
    if not _evenly_spaced(times):
        at = int(np.argmax(np.diff(times.to_numpy())))
        warnings.warn(
            f"[P029] times are not evenly spaced: after {short(times[at])} comes {short(times[at + 1])}. "
            "The noise takes every step as one period.",
            PanelWarning,
            skip_file_prefixes=HERE,
        )


def _evenly_spaced(times: pd.Index) -> bool:
    """Equal steps; on a calendar also equal numbers of months or of working days."""
    steps = [np.diff(times.to_numpy()).astype(float)]
    if isinstance(times, pd.DatetimeIndex):
        days = times.to_numpy().astype("datetime64[D]")
        steps += [np.diff(times.year * 12 + times.month), np.busday_count(days[:-1], days[1:])]
    return any(step.min() > 0 and np.ptp(step) <= 1e-9 * step.max() for step in steps)


def one_start(start: Any, treated: Sequence[str]) -> Any:
    """The common start when one is given per unit."""
    if not isinstance(start, Mapping):
        return start
    if len(set(start.values())) != 1:
        dates = listed(f"{unit}: {date}" for unit, date in start.items())
        raise DesignError(
            "D021", f"the treated units start at different times ({dates}). Fit one panel per start for now."
        )
    if {str(unit) for unit in start} != set(treated):
        raise DesignError("D021", f"start names {listed(start)}, but treated are {listed(treated)}.")
    return next(iter(start.values()))


def check_numbers(outcomes: xr.DataArray) -> None:
    """Refuse outcomes that are not sorted, unique and finite."""
    if outcomes.dims != ("time", "unit"):
        raise PanelError("P014", f"expected the dimensions ('time', 'unit'), found {outcomes.dims}.")
    if not all(
        outcomes.indexes[dim].is_monotonic_increasing and outcomes.indexes[dim].is_unique for dim in outcomes.dims
    ):
        raise PanelError("P021", "times and units must be sorted and occur once; bs.Panel.from_wide sorts them.")
    if not np.isfinite(outcomes.to_numpy()).all():
        raise PanelError(
            "P025", "every outcome must be a finite number; bs.Panel.from_wide names the ones that are not."
        )
