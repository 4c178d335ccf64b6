"""Refit every possible donor at every past start, once: what all pretend tests are calibrated on.

A bank serves every length of the test, because what is drawn for a period does not depend on how
many follow it, and every set of treated units that its pool holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.history import AbstractHistory
from bayes_synth.data.panel import Panel
from bayes_synth.fitting.placebos import (
    Answer,
    Refits,
    answer_over,
    placebo_groups,
    placebo_paths,
    placebo_refits,
    weighed,
)
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.settings import Settings

__all__ = ["Bank", "Told", "bank_of", "refits_ahead", "shared_bank_panel"]


class Told(NamedTuple):
    """Hold what one refit says: an answer per length, and its forecast.

    ``path`` has dims ``(sample, post)``, on the model's scale; ``observed`` has dims ``(post,)``,
    in outcome units.
    """

    answers: dict[int, Answer]
    path: np.ndarray
    observed: np.ndarray


@final
@dataclass(frozen=True)
class Bank:
    """Hold the refits at every start.

    Parameters
    ----------
    model
        What was refitted; its noise is chosen.
    refits
        By position of the start.
    times
        All times of the history.
    """

    model: AbstractSyntheticControl
    refits: dict[int, Refits[Told]]
    times: pd.Index
    _weighed: dict[tuple[int, int], Placebos] = field(default_factory=dict, repr=False)

    @property
    def plan(self) -> Calibration:
        """Return how intervals are calibrated; the default where the model's are not."""
        return self.model.calibration or Calibration()

    def placebos(self, start: int, periods: int, treated: Sequence[str] = ()) -> Placebos:
        """Return what a fit of this window would be calibrated on.

        Parameters
        ----------
        start, periods
            Position of the window's start, and its length.
        treated
            Units whose own placebos are left out.
        """
        known = self._weighed.get((start, periods))
        if known is None:
            known = self._weighed[start, periods] = self._all(start, periods)
        inside = [label for label in known.table.index if {*label.split(" + ")} & {*treated}]
        return known.without(treated, self.plan) if inside else known

    def _all(self, start: int, periods: int) -> Placebos:
        """Weigh the refits of every placebo over this window."""
        told = self.refits[start]
        answers = {key: each.answers[periods] for key, each in told.answers.items()}
        observed = next(iter(told.answers.values())).observed if told.answers else np.zeros(0)
        first = Refits(answers, told.labels, told.skipped, told.power, told.stopped)
        return weighed(first, self.plan, observed[:periods], self.times[: start + periods])


def bank_of(
    model: AbstractSyntheticControl,
    panels: dict[int, Panel],
    periods: Sequence[int],
    settings: Settings,
    times: pd.Index,
) -> Bank:
    """Refit the donors of every panel as if they had been treated.

    Parameters
    ----------
    model, settings
        As for the fit that will judge the test.
    panels
        One per start, by its position; each holds the longest window.
    periods
        The lengths of the test.
    times
        All times of the history.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt: a bank is used whole or not at all.
    """

    def told(problem: Problem, chosen: Settings) -> Told:
        best, paths = placebo_paths(problem, chosen)
        path = best.value.path
        answers = {length: answer_over(best, paths, length) for length in periods}
        return Told(answers, path.reshape(-1, path.shape[-1]), problem.observed)

    plan, refits = model.calibration or Calibration(), {}
    for start, panel in panels.items():
        refits[start] = placebo_refits(Problem.of(model, panel), plan, settings, told)
        if refits[start].stopped:
            raise KeyboardInterrupt
    return Bank(model, refits, times)


def refits_ahead(model: AbstractSyntheticControl, panels: dict[int, Panel]) -> int:
    """Count the refits that a bank takes."""
    plan = model.calibration or Calibration()
    problems = [Problem.of(model, panel) for panel in panels.values()]
    return sum(len(placebo_groups(p, plan).sets) * len(p.factors(plan)) for p in problems)


def shared_bank_panel(
    history: AbstractHistory, count: int, start: int, periods: int, never: Sequence[str] = ()
) -> Panel:
    """Return a panel of which every unit is a donor, for sets of so many treated units.

    A panel must have treated units; here copies of the first units stand in for them, and nothing
    is ever fitted to these.
    """
    # The first unit that may be a donor: the panel needs a treated one, which is then a donor too.
    first = next((unit for unit in history.units if unit not in never), history.units[0])
    panel = history.panel([first], start, periods, never)
    units = panel.outcomes
    names = [f"{STAND_IN}{k}" for k in range(count)]
    copies = units.isel(unit=np.arange(count) % units.sizes["unit"]).assign_coords(unit=names)
    both = xr.concat([units, copies], dim="unit").sortby("unit").transpose("time", "unit")
    return replace(panel, outcomes=both, treated=tuple(names))


STAND_IN = "\uffff stand-in "
"""Labels that sort behind all others."""
