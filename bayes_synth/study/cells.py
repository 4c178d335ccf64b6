"""Add up the treated cells of all units, draw by draw: every aggregate is a linear map of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.errors import ResultError
from bayes_synth.words import SAMPLE_DIMS, listed, short

__all__ = ["By", "Cells", "Level", "cells_of"]

By = Literal["treated", "start", "event", "time"]


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """Hold the treated cells of one unit.

    Parameters
    ----------
    unit, start
        Label of the unit, and its first treated period.
    effect, counterfactual
        Draws, dims ``(chain, draw, cell)``, outcome units.
    event, time
        Periods since the start, 0 first, and the label of the period, dims ``(cell,)``. Cells
        without an outcome are not here.
    """

    unit: str
    start: Any
    effect: np.ndarray
    counterfactual: np.ndarray
    event: np.ndarray
    time: pd.Index

    @property
    def count(self) -> int:
        """Return the number of cells."""
        return len(self.event)

    def labels(self, by: By) -> Sequence[Any]:
        """Return to which level of ``by`` each cell belongs."""
        if by == "event":
            return [int(k) for k in self.event]
        if by == "time":
            return list(self.time)
        return [self.unit if by == "treated" else self.start] * self.count

    def until(self, event: int) -> "Cells | None":
        """Return the cells up to this event time; None unless the unit has all of them."""
        kept = self.event <= event
        if kept.sum() != event + 1:
            return None
        return Cells(
            self.unit,
            self.start,
            self.effect[..., kept],
            self.counterfactual[..., kept],
            self.event[kept],
            self.time[kept],
        )


@final
@dataclass(frozen=True, eq=False)
class Level:
    """Hold the weight of every cell of one level.

    Parameters
    ----------
    label
        The level: a unit, a start, an event time, a time; empty for all cells together.
    weights
        By unit, dims ``(cell,)`` of that unit; a unit that has no cell here is not in it.
    """

    label: Any
    weights: Mapping[str, np.ndarray]

    @property
    def units(self) -> int:
        """Return how many units stand behind it; one whose weight is zero does not."""
        return sum(bool(np.any(w)) for w in self.weights.values())

    @property
    def cells(self) -> int:
        """Return how many cells stand behind it."""
        return int(sum(np.count_nonzero(w) for w in self.weights.values()))


def cells_of(fit: Any) -> Cells:
    """Read the treated cells of one unit's fit.

    Parameters
    ----------
    fit
        A :class:`bayes_synth.Fit` of one treated unit.
    """
    effect = fit.effect("pointwise").draws.transpose(*SAMPLE_DIMS, "time")
    counterfactual = fit.idata["predictions"]["counterfactual"].transpose(*SAMPLE_DIMS, "time")
    seen = np.flatnonzero(effect.notnull().all(SAMPLE_DIMS).to_numpy())
    return Cells(
        fit.panel.treated[0],
        fit.panel.start,
        effect.to_numpy()[..., seen],
        counterfactual.to_numpy()[..., seen],
        seen,
        fit.panel.post[seen],
    )


def levels_of(cells: Mapping[str, Cells], by: By | None) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Return the levels of ``by`` in order, each with the positions of its cells by unit."""
    found: dict[Any, dict[str, list[int]]] = {}
    for unit, each in cells.items():
        labels = [None] * each.count if by is None else each.labels(by)
        for place, label in enumerate(labels):
            found.setdefault(label, {}).setdefault(unit, []).append(place)
    ordered = sorted(found) if None not in found else list(found)
    yield from ((label, found[label]) for label in ordered)


def averaging(
    cells: Mapping[str, Cells], by: By | None, size: Mapping[str, float] | None
) -> list[Level]:
    """Weigh cells so that each level is an average.

    ``size`` is the weight of each unit, shared evenly by its cells of the level; None: every cell
    counts once.

    Raises
    ------
    ResultError
        R051 for a level of which every unit has the weight zero.
    """
    levels = []
    for label, places in levels_of(cells, by):
        weights = {}
        for unit, at in places.items():
            each = np.zeros(cells[unit].count)
            each[at] = 1.0 if size is None else size[unit] / len(at)
            weights[unit] = each
        total = sum(each.sum() for each in weights.values())
        if total == 0:
            raise ResultError(
                "R051",
                f"weights must leave a unit at every {by}, got zero for all at {short(label)} "
                f"({listed(weights, 4)}); leave these units out with joint.keep([...]).",
            )
        levels.append(Level(label, {unit: each / total for unit, each in weights.items()}))
    return levels


def adding(
    cells: Mapping[str, Cells], by: By | None, size: Mapping[str, float] | None
) -> list[Level]:
    """Weigh cells so that each level is a sum; ``size`` multiplies the cells of each unit."""
    levels = []
    for label, places in levels_of(cells, by):
        weights = {}
        for unit, at in places.items():
            weights[unit] = np.zeros(cells[unit].count)
            weights[unit][at] = 1.0 if size is None else size[unit]
        levels.append(Level(label, weights))
    return levels


def running(levels: Sequence[Level]) -> list[Level]:
    """Return the levels of a running total: each with all cells up to it."""
    units = {unit: np.zeros(len(w)) for level in levels for unit, w in level.weights.items()}
    found = []
    for level in levels:
        units = {u: each + level.weights.get(u, 0.0) for u, each in units.items()}
        found.append(Level(level.label, dict(units)))
    return found


def combined(cells: Mapping[str, Cells], levels: Sequence[Level], of: str) -> np.ndarray:
    """Return the draws of every level, dims ``(chain, draw, level)``.

    ``of`` is ``"effect"`` or ``"counterfactual"``.
    """
    shape = next(iter(cells.values())).effect.shape[:2]
    total = np.zeros((*shape, len(levels)))
    for unit, each in cells.items():
        values = each.effect if of == "effect" else each.counterfactual
        matrix = np.zeros((each.count, len(levels)))
        for place, level in enumerate(levels):
            if unit in level.weights:
                matrix[:, place] = level.weights[unit]
        total += values @ matrix
    return total


def labelled(values: np.ndarray, levels: Sequence[Level], by: By | None) -> xr.DataArray:
    """Label draws, dims ``(chain, draw)`` and that of ``by``."""
    sample = {dim: np.arange(size) for dim, size in zip(SAMPLE_DIMS, values.shape[:2], strict=True)}
    if by is None:
        return xr.DataArray(values[..., 0], dims=SAMPLE_DIMS, coords=sample)
    labels = pd.Index([level.label for level in levels])
    counts = {
        "units": (by, [level.units for level in levels]),
        "cells": (by, [level.cells for level in levels]),
    }
    return xr.DataArray(values, dims=(*SAMPLE_DIMS, by), coords={**sample, by: labels, **counts})
