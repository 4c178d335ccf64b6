"""Tell the result of a study in one screen."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import pandas as pd

from bayes_synth.api import Fit
from bayes_synth.results.effects import describe
from bayes_synth.words import listed, short

__all__ = ["calibration_in_words", "event_counts", "headline", "sets_in_words"]


def headline(joint: Any) -> str:
    """Write which average it is, the units behind each event time, and what kappa rests on."""
    rows = {
        "average": describe(joint.effect("average")),
        "by cell": describe(joint.effect("average", weights="cell")),
        "units": _units(joint),
        "event": event_counts(joint),
        "calibration": joint.calibration,
        "dependence": _dependence(joint),
        "sampling": _sampling(joint),
    }
    width = max(map(len, rows)) + 2
    alarms = [f"  ! [{code}] {sentence}" for code, sentence in joint.alarms]
    lines = [f"  {name:<{width}}{text}" for name, text in rows.items()]
    title = f"JointFit: {joint.study.outcome}, {len(joint.fits)} treated units"
    return "\n".join([title, *alarms, *lines])


def event_counts(joint: Any) -> str:
    """Say how many units stand behind each event time, in runs of equal numbers."""
    draws = joint.effect("average", by="event").draws
    counts = list(zip(draws["event"].to_numpy().tolist(), draws["units"].to_numpy(), strict=True))
    runs = []
    for number, run in groupby(counts, key=lambda pair: int(pair[1])):
        events = [event for event, _ in run]
        where = f"{events[0]}" if len(events) == 1 else f"{events[0]} to {events[-1]}"
        runs.append(f"{number} unit{'s' * (number != 1)} at {where}")
    return listed(runs, 8)


def calibration_in_words(fits: Mapping[str, Fit], sets: pd.DataFrame | None) -> str:
    """Say on what the intervals rest, in one sentence."""
    if sets is None:
        return str(next(iter(fits.values())).calibration)
    kappa = next(iter(fits.values())).calibration.kappa
    mean = "" if kappa is None else f", kappa {float(kappa.mean()):.2g} for all units"
    return f"calibrated on {sets_in_words(sets)}{mean}"


def sets_in_words(sets: pd.DataFrame) -> str:
    """Say how many placebo sets of how many donors there are, and how many donors in all."""
    size = int(sets.groupby("set").size().max())
    number = sets["set"].nunique()
    return f"{number} placebo sets of {size} ({sets['donor'].nunique()} donors in all)"


def _units(joint: Any) -> str:
    counts = pd.Series(list(joint.study.starts.values())).value_counts().sort_index()
    starts = listed((f"{short(start)} ({n})" for start, n in counts.items()), 6)
    return f"{len(joint.fits)} units, starts {starts}; {len(joint.study.donors)} donors"


def _dependence(joint: Any) -> str:
    if len(joint.fits) == 1:
        return "one unit"
    matrix = joint.correlation.to_numpy()
    count = len(matrix)
    mean = (matrix.sum() - count) / (count * (count - 1))
    return f"units are independent apart from shared donors: correlation {mean:.2f} on average"


def _sampling(joint: Any) -> str:
    failed = [unit for unit, fit in joint.fits.items() if not fit.converged]
    if failed:
        return f"NOT CONVERGED for {len(failed)} of {len(joint.fits)} units: {listed(failed)}"
    return "converged for every unit"
