"""Refit every possible donor at every past start, once: what all pretend tests are calibrated on.

A bank serves every length of the test, because what is drawn for a period does not depend on how
many follow it, and every set of treated units that its pool holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.history import AbstractHistory
from bayes_synth.data.panel import Panel
from bayes_synth.errors import PlanError
from bayes_synth.fitting.memory import SHARE, available
from bayes_synth.fitting.placebos import Refits, weighed
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.told import Told, refits_ahead
from bayes_synth.planning.workers import HERE, Workers
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.settings import Settings

__all__ = ["Bank", "bank_of", "shared_bank_panel"]


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
    panels: Mapping[int, Panel],
    periods: Sequence[int],
    settings: Settings,
    times: pd.Index,
    workers: Workers = HERE,
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
    workers
        Where starts are refitted, and where their refits are kept.

    Raises
    ------
    PlanError
        H034 when the refits' paths would take too much memory.
    KeyboardInterrupt
        After an interrupt: a bank is used whole or not at all. What a store holds is kept.
    """
    _require_memory(model, panels, max(periods))
    refits = dict(workers.refitted(model, panels, periods, settings))
    return Bank(model, {start: refits[start] for start in panels}, times)


def _require_memory(
    model: AbstractSyntheticControl, panels: Mapping[int, Panel], longest: int
) -> None:
    """Refuse a bank that takes more than :data:`SHARE` of the available memory.

    Raises
    ------
    PlanError
        H034.
    """
    free, size = available(), (model.calibration or Calibration()).size
    count = refits_ahead(model, panels)
    # Twice the draws: paths are kept once, and a refit that has not settled draws three times more.
    needed = 2.0 * 8 * count * size.draws * size.chains * longest
    if free is not None and needed > SHARE * free:
        raise PlanError(
            "H034",
            f"{count} refits at {len(panels)} past starts would take {needed / 1e9:.2g} GB, more "
            f"than {SHARE:.0%} of the available memory ({SHARE * free / 1e9:.2g} GB): plan with "
            f"fewer starts=, shorter tests or a smaller Calibration(most=...).",
        )


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
