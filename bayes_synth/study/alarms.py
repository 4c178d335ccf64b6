"""Collect what must be read first about a study from the alarms of its units."""

from collections.abc import Mapping

import pandas as pd

from bayes_synth.api import Fit
from bayes_synth.results.alarms import Alarm
from bayes_synth.words import listed

__all__ = ["alarms_of_study"]

ENOUGH = 5
"""From so many different donors on, kappa rests on enough (see alarm A005)."""


def alarms_of_study(fits: Mapping[str, Fit], sets: pd.DataFrame | None) -> tuple[Alarm, ...]:
    """Return the alarms of all units, each code once, with the units that raise it."""
    raised: dict[str, dict[str, str]] = {}
    for unit, fit in fits.items():
        for code, sentence in fit.alarms:
            raised.setdefault(code, {})[unit] = sentence
    found = {code: _said(units, len(fits)) for code, units in raised.items()}
    if sets is not None and (few := _few(sets)):
        found["A005"] = few
    return tuple(Alarm(code, found[code]) for code in sorted(found))


def _said(units: Mapping[str, str], count: int) -> str:
    """Say an alarm once, and of which units it is; the sentence is the first unit's."""
    first = next(iter(units.values()))
    if len(units) == count and len(set(units.values())) == 1:
        return first
    return f"{len(units)} of {count} treated units ({listed(units, 4)}): {first}"


def _few(sets: pd.DataFrame) -> str:
    donors = sets["donor"].nunique()
    if donors >= ENOUGH:
        return ""
    return (
        f"CALIBRATED ON TOO FEW: only {donors} donors stand behind the intervals, fewer than "
        f"{ENOUGH}; add donors, or read the intervals as rough."
    )
