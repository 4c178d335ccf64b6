"""Event composition: ask whether the path over event time changes because units drop out of it."""

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.result import Check, graded, known_to, thresholds
from bayes_synth.plots.common import shortened
from bayes_synth.plots.forest import Forest, draw_forest
from bayes_synth.plots.look import Look
from bayes_synth.results.effects import Effect
from bayes_synth.results.monte_carlo import mean_error
from bayes_synth.study.cells import Cells, cells_of
from bayes_synth.study.checks.registry import study_check
from bayes_synth.words import SAMPLE_DIMS

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["event_composition"]

QUESTION = "Do the units behind late event times differ from those behind early ones?"


@study_check(QUESTION, place=3)
def event_composition(joint: Any, *, caution: float = 1.0, fail: float = 2.0) -> Check:
    """Compare, over the early event times that all units have, the units that stay with all.

    A path by event time averages over fewer units the later the event. If those that are left had
    other effects from the beginning, the path bends without any effect changing.

    Parameters
    ----------
    joint
        The joint fit.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the largest
        difference over the early event times, in posterior standard deviations of the average over
        the late ones.

    Returns
    -------
    Check
        Table: one row per run of event times behind which the same units stand, with the number of
        ``units``, the average effect ``late``, over the run, and ``early``, of the same units over
        the event times that all units have; ``shift``, the difference of ``early`` from that of
        all units in posterior standard deviations of ``late``, and ``shift_mcse``; median,
        ``lower`` and ``upper`` (95 % ETI) of that difference, in outcome units per period.
    """
    cells = {unit: cells_of(fit) for unit, fit in joint.fits.items()}
    runs = _runs(cells)
    if len(runs) == 1:
        events, units = runs[0]
        same = f"The same {len(units)} units stand behind every event time, 0 to {events[-1]}."
        return Check("event_composition", QUESTION, "pass", same, pd.DataFrame())
    everyone = set(cells)
    early = [e for events, units in runs if set(units) == everyone for e in events]
    if not early:
        none = "There is no event time at which every unit has an outcome, so nothing compares."
        return Check("event_composition", QUESTION, "caution", none, pd.DataFrame())
    rows = {
        _named(events): _row(cells, units, early, events)
        for events, units in runs
        if set(units) != everyone
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("event")
    table = thresholds(table, caution=caution, fail=fail)
    most = str(table["shift"].abs().idxmax())
    shift, error = float(table["shift"][most]), float(table["shift_mcse"][most])
    verdict = graded(abs(shift), caution, fail, error)
    reason = _reason(table, most, len(cells), _when(early))
    picture = partial(_draw, joint, table, _when(early))
    return Check("event_composition", QUESTION, verdict, reason, table, picture)


def _reason(table: pd.DataFrame, most: str, everyone: int, early: str) -> str:
    units = table["units"].astype(int)
    shift, error = float(table["shift"][most]), float(table["shift_mcse"][most])
    limits = table.attrs["caution"], table.attrs["fail"]
    difference = float(table["median"][most])
    return (
        f"{everyone} units stand behind {early}, and {units.iloc[-1]} behind "
        f"{table.index[-1]}. Those behind {most} ({units[most]}) differ most from all: by "
        f"{difference:+.3g} at {early}, {shift:+.2f} posterior sd of their later average "
        f"{known_to(abs(shift), error, *limits)}; joint.effect(..., balanced=) keeps the same "
        "units."
    )


def _runs(cells: dict[str, Cells]) -> list[tuple[list[int], tuple[str, ...]]]:
    """Return event times in runs, each with the units that have an outcome at all of them."""
    last = max(int(each.event.max()) for each in cells.values())
    has = {unit: {int(e) for e in each.event} for unit, each in cells.items()}
    behind = [(e, tuple(unit for unit in cells if e in has[unit])) for e in range(last + 1)]
    behind = [(e, units) for e, units in behind if units]
    return [
        ([event for event, _ in run], units)
        for units, run in groupby(behind, key=lambda pair: pair[1])
    ]


def _named(events: list[int]) -> str:
    return f"{events[0]}" if len(events) == 1 else f"{events[0]} to {events[-1]}"


def _when(events: list[int]) -> str:
    return f"event time{'s' * (len(events) > 1)} {_named(events)}"


def _row(
    cells: dict[str, Cells], units: tuple[str, ...], early: list[int], late: list[int]
) -> dict[str, float]:
    """Compare these units with all of them over the early event times."""
    own = _mean(cells, units, early)
    difference = own - _mean(cells, tuple(cells), early)
    after = _mean(cells, units, late)
    sd = float(after.std())
    lower, upper = (float(end) for end in Effect(difference, "average").interval(0.95))
    return {
        "units": len(units),
        "late": float(after.median()),
        "early": float(own.median()),
        "shift": float(difference.mean()) / sd,
        "shift_mcse": mean_error(difference) / sd,
        "median": float(difference.median()),
        "lower": lower,
        "upper": upper,
    }


def _mean(cells: dict[str, Cells], units: tuple[str, ...], events: list[int]) -> xr.DataArray:
    """Average these units over these event times, dims ``(chain, draw)``."""
    each = [cells[u].effect[..., np.isin(cells[u].event, events)].mean(-1) for u in units]
    return xr.DataArray(np.mean(each, axis=0), dims=SAMPLE_DIMS)


def _draw(
    joint: Any, table: pd.DataFrame, early: str, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    everyone = len(joint.fits)
    shown = table.rename(
        index=lambda run: f"event {run}: {int(table['units'][run])} of {everyone} units"
    )
    title = f"Average at {early}: units that stay, minus all (median, 95% ETI)"
    words = f"difference of average effects ({shortened(joint.study.outcome)})"
    return draw_forest(Forest(shown, title, words), Look.of_check(options))
