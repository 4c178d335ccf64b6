"""The covariates of a problem as arrays, scaled so that their coefficients have prior sd 1."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, final

import numpy as np

from bayes_synth.data.panel import Panel
from bayes_synth.priors import Coefficients
from bayes_synth.sampling.regression import Covariates

__all__ = ["CovariateSeries", "covariates_of"]


@final
@dataclass(frozen=True, eq=False)
class CovariateSeries:
    """Hold the covariates of a treated unit and of its donors over all times.

    Parameters
    ----------
    names
        Of the covariates.
    treated, donors
        Their series as the user gave them, shapes ``(covariate, time)`` and
        ``(covariate, donor, time)``.
    sds
        Prior sd of each coefficient in typical steps of the outcome per typical step of the
        covariate, shape ``(covariate,)``.
    periods
        Number of pre-periods.
    """

    names: tuple[str, ...]
    treated: np.ndarray
    donors: np.ndarray
    sds: np.ndarray
    periods: int

    @cached_property
    def per_step(self) -> np.ndarray:
        """The change in a covariate that moves the outcome by one step at a coefficient of 1.

        Shape ``(covariate,)``; infinite for a covariate that does not change before ``start``.
        """
        series = np.concatenate([self.treated[:, None], self.donors], axis=1)
        changes = np.diff(series[..., : self.periods], axis=2)
        moving = np.abs(changes).max(axis=2) > 0
        squares = np.square(changes).mean(axis=2).sum(axis=1)
        steps = np.sqrt(squares / np.maximum(moving.sum(axis=1), 1))
        return np.asarray(np.where(steps > 0, steps, np.inf) / self.sds)

    @cached_property
    def scaled(self) -> Covariates:
        """The covariates in :attr:`per_step`, from one location each, which cancels out."""
        location, sizes = self._location, self.per_step
        treated = (self.treated - location[:, None]) / sizes[:, None]
        return Covariates(treated, (self.donors - location[:, None, None]) / sizes[:, None, None])

    @property
    def centred(self) -> Covariates:
        """The covariates before ``start``, as they are but for the location."""
        treated = self.treated - self._location[:, None]
        donors = self.donors - self._location[:, None, None]
        return Covariates(treated[:, : self.periods], donors[..., : self.periods])

    @property
    def _location(self) -> np.ndarray:
        return np.asarray(self.treated[:, : self.periods].mean(axis=1))

    @property
    def before(self) -> Covariates:
        """The scaled covariates before ``start``."""
        return Covariates(*(series[..., : self.periods] for series in self.scaled))

    def as_if_treated(self, at: Sequence[int], keep: Sequence[int]) -> Self:
        """Return those of the donors at some positions as if treated, with others as donors."""
        donors = self.donors
        return replace(self, treated=donors[:, list(at)].mean(1), donors=donors[:, list(keep)])


def covariates_of(panel: Panel, prior: Coefficients | None) -> CovariateSeries | None:
    """Return the covariates of a panel; None where it carries none or the model leaves them out.

    Raises
    ------
    PriorError
        O111 unless the prior names these covariates.
    """
    table = panel.covariates
    if prior is None or table is None or not table.names:
        return None
    treated = table.of(panel.treated).mean("unit").to_numpy()
    donors = table.of(panel.donors).transpose("covariate", "unit", "time").to_numpy()
    return CovariateSeries(table.names, treated, donors, prior.sds(table.names), len(panel.pre))
