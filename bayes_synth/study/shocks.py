"""Draw the shocks that treated units share through their donors, by calendar period.

A forecast error is a unit's own shock minus its donors' weighted ones. Every unit, treated or not,
has one standard normal shock ``xi(t)`` per posterior draw, kind and calendar period ``t``, and a
treated unit's forecast is driven by

    eta(t) = (xi_i(t) - sum_j w_ij xi_j(t)) / sqrt(1 + sum_j w_ij^2).

Given the weights ``eta`` is standard normal and independent over time, so that each unit's own law
stays what it is alone; two units correlate by what they share of their donors, in the periods that
both are treated.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np

from bayes_synth.noise.base import TAILS, AbstractNoise, Shocks
from bayes_synth.results.continued import ShocksOf

__all__ = ["CalendarShocks", "label_seed"]

OWN = 5
"""Stream of the shocks beside the streams of a fit, whose numbers are smaller."""


def label_seed(label: str) -> int:
    """Return a number that depends on the label alone, so that no unit's draws hang on others."""
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "little")


@final
@dataclass(frozen=True)
class CalendarShocks:
    """Give every unit of a study its shocks; equal seeds give equal ones.

    Parameters
    ----------
    seed
        Of all shocks.
    """

    seed: int

    def of(
        self,
        unit: str,
        donors: Sequence[str],
        periods: Sequence[int] | np.ndarray,
        process: AbstractNoise,
    ) -> ShocksOf:
        """Return the function that gives a unit's shocks for its weights.

        Parameters
        ----------
        unit, donors
            Labels of the treated unit and of its donors, in the order of the weights.
        periods
            Positions of its periods to come among the times of the study.
        process
            The noise, which names the kinds of shocks.
        """
        return partial(self._shared, unit, tuple(donors), tuple(map(int, periods)), process)

    def _shared(
        self,
        unit: str,
        donors: tuple[str, ...],
        periods: tuple[int, ...],
        process: AbstractNoise,
        weights: np.ndarray,
    ) -> Shocks:
        draws = len(weights)
        scale = 1 / np.sqrt(1 + (weights**2).sum(1))
        shocks: dict[str, np.ndarray] = {}
        for kind in process.shocks:
            shocks[kind] = np.empty((draws, len(periods)))
            for column, period in enumerate(periods):
                error = self._normal(kind, unit, period, draws)
                for j, donor in enumerate(donors):
                    error -= weights[:, j] * self._normal(kind, donor, period, draws)
                shocks[kind][:, column] = scale * error
        if process.heavy:
            own = [process.tails((draws,), self._stream(TAILS, unit, p)) for p in periods]
            shocks[TAILS] = np.stack([np.asarray(each) for each in own], axis=1)
        return shocks

    def _normal(self, kind: str, unit: str, period: int, draws: int) -> np.ndarray:
        return self._stream(kind, unit, period).standard_normal(draws)

    def _stream(self, kind: str, unit: str, period: int) -> np.random.Generator:
        entropy = [self.seed, OWN, label_seed(kind), label_seed(unit), period]
        return np.random.default_rng(np.random.SeedSequence(entropy))
