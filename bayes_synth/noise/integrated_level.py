"""The level integrated out: what a noise process with one constant level implies, in numpy.

With ``K`` the noise's covariance, ``1`` the vector of ones and ``p`` the level's prior precision (0
when it is free), the residual is a regression on one column. Everything is in typical steps.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NO_SHOCKS", "Continuation", "Draws", "IntegratedLevel", "Shocks"]

NOTHING_MISSING = np.zeros(0, dtype=int)

Draws = Mapping[str, np.ndarray]
"""Draws of the noise's parameters, each of shape ``(draws,)``; :data:`MIXING` has ``(draws, pre)``.

Standard deviations are in typical steps.
"""

Shocks = Mapping[str, np.ndarray]
"""Shocks of the periods to come by kind, each of shape ``(draws, periods)``, period by period.

They are standard normal and independent; Student-t noise has :data:`TAILS` beside them, the numbers
that divide its shocks.
"""


class Continuation(NamedTuple):
    """What follows from a residual's past, one row per draw, in typical steps.

    ``level``, shape ``(draws,)``, is the pre-period mean of the level and the noise's persistent
    part; ``replicate``, ``(draws, pre)``, is the pre-period with the rest of the noise drawn again;
    ``future``, ``(draws, post)``, continues the path beyond its end. ``coefficients``,
    ``(draws, column)``, are those of the noise's columns in prior sds, if it has any.
    """

    level: np.ndarray
    replicate: np.ndarray
    future: np.ndarray
    coefficients: np.ndarray


class _NoShocks:
    """A random generator whose shocks are all zero: a simulation by it gives its mean."""

    def spawn(self, count: int) -> list[Any]:
        return [self] * count

    def standard_normal(self, size: Any) -> np.ndarray:
        return np.zeros(size)

    def chisquare(self, df: float, size: Any) -> np.ndarray:
        return np.full(size, df)


NO_SHOCKS: Any = _NoShocks()


class IntegratedLevel(ABC):
    """Say what follows for a residual from a noise covariance and one constant level."""

    @property
    @abstractmethod
    def level_sd(self) -> float:
        """Prior sd of the level, in typical steps: infinite when free, 0 when there is none."""

    @abstractmethod
    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """Return ``K^-1 residual``, not rotated, shape ``(draws, time)``."""

    @abstractmethod
    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Return the diagonal of ``K^-1``, not rotated, shape ``(draws, time)``."""

    @abstractmethod
    def draw_shocks(self, draws: int, periods: int, rng: np.random.Generator) -> Shocks:
        """Draw the shocks of so many periods to come."""

    @abstractmethod
    def paths(
        self, draws: Draws, past: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Draw three arrays given the noise's past: persistent part, replicate, future.

        A process with columns returns their coefficients, ``(draws, column)``, as a fourth.

        The persistent part, ``(draws, pre)``, is what the past tells of the noise and a replication
        would share, such as a wandering level; zeros where there is none. The replicate,
        ``(draws, pre)``, is the rest of the noise drawn again, without the persistent part. The
        future, ``(draws, periods)``, is the whole noise from then on, its persistent part included,
        and each of its periods depends on the shocks up to then only.

        Parameters
        ----------
        draws
            The noise's parameters.
        past
            Residual less the level, shape ``(draws, pre)``.
        shocks
            Those of the future, see :meth:`draw_shocks`; it has as many periods as they have.
        rng
            Source of everything else, such as what the past leaves unknown of a level or a slope.
            With :data:`NO_SHOCKS`, and shocks from it, all three arrays are means.
        """

    @property
    def level_precision(self) -> float:
        """Prior precision of the level; 1 without a level, whose loading is then zero."""
        return 1.0 if self.level_sd == 0 else 1 / self.level_sd**2

    def log_predictive(
        self, draws: Draws, residual: np.ndarray, missing: np.ndarray = NOTHING_MISSING
    ) -> np.ndarray:
        """Return ``log p(r_t | r_-t)``, each residual given all others, shape ``(draws, time)``.

        ``missing`` are positions that are neither given nor predicted: NaN is returned there, and
        the numbers that ``residual`` has there do not matter.

        References
        ----------
        Sundararajan and Keerthi (2001), Neural Computation 13(5), eq. 3.7, for Gaussian vectors.
        """
        terms = _, loading, information = self._level_terms(draws, residual)
        scaled = (
            self.contrast_precision(draws, residual, missing)
            if len(missing)
            else _without_level(*terms)
        )
        precision = self.precision_diagonal(draws, residual.shape[1]) - loading**2 / information
        if len(missing):
            columns = self._columns(draws, residual.shape[1], missing)
            precision = precision - np.einsum(
                "dtm,dtm->dt", columns @ np.linalg.inv(columns[:, missing]), columns
            )
            scaled[:, missing] = precision[:, missing] = np.nan
        return np.asarray(0.5 * np.log(precision / (2 * np.pi)) - 0.5 * scaled**2 / precision)

    def continue_path(
        self, draws: Draws, residual: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> Continuation:
        """Draw level, replicate and future jointly, given the residual, ``(draws, pre)``.

        The future is made of ``shocks``, see :meth:`draw_shocks`, and ``rng`` gives all else; so
        more shocks leave the periods that fewer reach as they are, bit for bit.
        """
        weighted, _, information = self._level_terms(draws, residual)
        mean = weighted.sum(1, keepdims=True) / information
        level = self._has_level * (
            mean + rng.standard_normal((len(residual), 1)) / np.sqrt(information)
        )
        persistent, again, future, *more = self.paths(draws, residual - level, shocks, rng)
        return Continuation(
            level[:, 0] + persistent.mean(1),
            level + persistent + again,
            level + future,
            more[0] if more else np.zeros((len(residual), 0)),
        )

    def expected_path(self, draws: Draws, residual: np.ndarray, periods: int) -> np.ndarray:
        """Return the mean of the future given each draw, shape ``(draws, periods)``."""
        none = self.draw_shocks(len(residual), periods, NO_SHOCKS)
        return self.continue_path(draws, residual, none, NO_SHOCKS).future

    def contrast_precision(
        self, draws: Draws, series: np.ndarray, missing: np.ndarray = NOTHING_MISSING
    ) -> np.ndarray:
        """Apply the precision of level plus noise, ``K^-1 - K^-1 1 1' K^-1 / h``, to each row.

        ``h`` is the level's posterior precision. With ``missing`` it is the precision of the other
        periods, zero at the missing ones, by the Schur complement of their block;
        ``docs/derivations.md``, section 4.
        """
        whole = _without_level(*self._level_terms(draws, series))
        if not len(missing):
            return whole
        columns = self._columns(draws, series.shape[1], missing)
        return np.asarray(
            whole
            - (columns @ np.linalg.solve(columns[:, missing], whole[:, missing, None]))[..., 0]
        )

    def completed(self, draws: Draws, residual: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Fill missing periods of the residual with their expectation given the others."""
        filled = np.array(np.broadcast_to(residual, (len(draws["s"]), residual.shape[1])))
        if len(missing):
            filled[:, missing] = 0
            columns = self._columns(draws, residual.shape[1], missing)
            given = self.contrast_precision(draws, filled)[:, missing, None]
            filled[:, missing] = -np.linalg.solve(columns[:, missing], given)[..., 0]
        return filled

    def _columns(self, draws: Draws, periods: int, missing: np.ndarray) -> np.ndarray:
        """Return the contrast precision's columns at ``missing``, shape ``(draws, time, missing)``.

        They are its products with unit vectors; ``docs/derivations.md``, section 4.
        """
        return np.stack(
            [self.contrast_precision(draws, row[None]) for row in np.eye(periods)[missing]], axis=2
        )

    @property
    def _has_level(self) -> float:
        return float(self.level_sd != 0)

    def _level_terms(self, draws: Draws, residual: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return ``K^-1 r``, ``K^-1 1`` (0 without a level) and the level's posterior precision."""
        loading = self._has_level * self.precision(draws, np.ones((1, residual.shape[1])))
        return (
            self.precision(draws, residual),
            loading,
            self.level_precision + loading.sum(1, keepdims=True),
        )


def _without_level(
    weighted: np.ndarray, loading: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """Combine the terms of ``IntegratedLevel._level_terms``: ``K^-1 r - K^-1 1 1' K^-1 r / h``."""
    return np.asarray(weighted - loading * weighted.sum(1, keepdims=True) / information)
