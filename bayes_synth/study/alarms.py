"""Collect what must be read first about a study from the alarms of its units."""

from collections.abc import Mapping

import pandas as pd

from bayes_synth.api import Fit
from bayes_synth.results.alarms import Alarm
from bayes_synth.words import listed

__all__ = ["alarms_of_study", "miss_together"]

ENOUGH = 5
"""From so many different donors on, kappa rests on enough (see alarm A005)."""
TOGETHER, MOST = "R057", 1.6
"""Code of the alarm of sets whose members miss together, and the ratio of variances it begins at.

Chosen on five panels, of which GeoLift's markets reach 1.7 to 2.6 in sets of four and eight, and
the others stay below 1.45; five further panels stay below 1.4 (``docs/many_treated.md``).
"""


def alarms_of_study(fits: Mapping[str, Fit], sets: pd.DataFrame | None) -> tuple[Alarm, ...]:
    """Return the alarms of all units, each code once, with the units that raise it.

    What is of the study alone comes first: it is about every interval over several units.
    """
    raised: dict[str, dict[str, str]] = {}
    for unit, fit in fits.items():
        for code, sentence in fit.alarms:
            raised.setdefault(code, {})[unit] = sentence
    found = {code: _said(units, len(fits)) for code, units in raised.items()}
    if sets is not None and (few := _few(sets)):
        found["A005"] = few
    if sets is not None and len(fits) > 1 and (together := _together(sets)):
        found[TOGETHER] = together
    ordered = sorted(found, key=lambda code: (code != TOGETHER, code))
    return tuple(Alarm(code, found[code]) for code in ordered)


def _said(units: Mapping[str, str], count: int) -> str:
    """Say an alarm once, and of which units it is; the sentence is the first unit's."""
    first = next(iter(units.values()))
    if len(units) == count and len(set(units.values())) == 1:
        return first
    return f"{len(units)} of {count} treated units ({listed(units, 4)}): {first}"


def miss_together(sets: pd.DataFrame) -> float:
    """Return how much more the means of sets vary than their members and shared donors explain."""
    each = sets.groupby("set")[["score"]].first()
    return float((each["score"] ** 2).mean() / (sets["z"] ** 2).mean())


def _together(sets: pd.DataFrame) -> str:
    """Say that donors miss in the same direction more than shared donors explain."""
    if sets.groupby("set").size().max() < 2 or "score" not in sets:
        return ""
    ratio = miss_together(sets)
    if not ratio > MOST:
        return ""
    return (
        f"DONORS MISS TOGETHER: averages over placebo sets vary {ratio:.1f} times as much as the "
        "donors they share explain, so intervals over several units are too narrow; those of "
        "single units are not touched. Where all units start at once, compare the mean of the "
        "units, bs.Panel with several treated; else look for a shock or a season that they share."
    )


def _few(sets: pd.DataFrame) -> str:
    donors = sets["donor"].nunique()
    if donors >= ENOUGH:
        return ""
    return (
        f"CALIBRATED ON TOO FEW: only {donors} donors stand behind the intervals, fewer than "
        f"{ENOUGH}; add donors, or read the intervals as rough."
    )
