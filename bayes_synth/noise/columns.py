"""Noise with further columns: known series with normal coefficients, which are integrated out.

With ``K`` the covariance of the noise itself and ``C`` the columns, scaled so that every
coefficient has prior sd 1, the covariance of the whole is ``K + C C'``. Its inverse and its
determinant follow from those of ``K`` and of the ``m x m`` matrix ``I + C' K^-1 C``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.noise.base import (
    NOISE,
    AbstractNoise,
    DiagonalNoise,
    Draws,
    Shocks,
    floored,
)

__all__ = ["WithColumns"]

BLOCK = 4_000_000
"""Most numbers in one block of products of columns: 32 MB."""


@final
@dataclass(frozen=True, eq=False)
class WithColumns(AbstractNoise, data=("columns",)):
    """A noise process plus columns, such as the days of a week.

    Parameters
    ----------
    process
        The noise itself.
    columns
        Loadings over all times, shape ``(time, column)``, in typical steps per prior sd. The
        process starts in the first row; rows after the pre-period serve the forecast.

    References
    ----------
    Woodbury (1950), Memorandum 42 of the Statistical Research Group, Princeton, for the inverse.
    """

    process: AbstractNoise
    columns: np.ndarray

    @property
    def degrees_of_freedom(self) -> float:  # type: ignore[override]
        """Tails of the process itself."""
        return self.process.degrees_of_freedom

    @property
    def level_sd(self) -> float:
        """The level's prior sd."""
        return self.process.level_sd

    def priors(self) -> dict[str, Any]:
        """Return the priors of the process itself: the columns' coefficients are integrated out."""
        return self.process.priors()

    def describe(self) -> str:
        """Describe the process, and count the columns."""
        return f"{self.process.describe()}, plus {self.columns.shape[1]} columns"

    def rotation(self, periods: int) -> np.ndarray | None:
        """Return the basis of the process itself."""
        return self.process.rotation(periods)

    def spectrum(self, periods: int) -> np.ndarray:
        """Return the spectrum of the process, and in the last rows the rotated columns."""
        rows = self.rotate(self.columns[:periods]).T
        return np.vstack([np.atleast_2d(self.process.spectrum(periods)), rows])

    def diagonal(self, periods: int) -> DiagonalNoise | None:
        """Return the process in its basis with the columns beside level and slope."""
        inner = self.process.diagonal(periods)
        if inner is None:
            return None
        used = inner.columns.any(axis=1)
        columns = np.vstack([inner.columns[used], self.rotate(self.columns[:periods]).T])
        precisions = np.append(inner.precisions[used], np.ones(self.columns.shape[1]))
        unused = max(0, 2 - len(columns))
        return DiagonalNoise(
            inner.walk,
            np.ascontiguousarray(np.vstack([columns, np.zeros((unused, periods))])),
            np.append(precisions, np.ones(unused)),
        )

    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """Whiten as the process does, and project the columns out.

        The result is longer by one row per column, which holds the coefficient that the row's
        prior term is made of: inner products are then those of the whole covariance's inverse.
        """
        import pytensor.tensor as pt

        count = self.columns.shape[1]
        flat = self.process.spectrum(2).ndim == 1
        inner, half_log_determinant = self.process.whiten(
            parameters, spectrum[0] if flat else spectrum[:-count]
        )
        columns = pt.stack([inner(spectrum[-count + c]) for c in range(count)])
        information = pt.eye(count) + columns @ columns.T
        factor = pt.linalg.cholesky(information)

        def whitened(x: Any) -> Any:
            white = inner(x)
            coefficients = pt.linalg.solve(information, columns @ white, assume_a="pos")
            return pt.concatenate([white - coefficients @ columns, coefficients])

        return whitened, half_log_determinant + pt.log(pt.diag(factor)).sum()

    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """Apply the process's precision to what the columns leave."""
        columns = self.columns[: residual.shape[1]]
        mean, _ = self._coefficients(draws, residual)
        return self.process.precision(draws, residual - _times(mean, columns))

    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Return the process's diagonal, less what the columns explain."""
        columns = self.columns[:periods]
        diagonal = np.array(self.process.precision_diagonal(draws, periods))
        block = max(1, BLOCK // columns.size)
        for first in range(0, len(draws["s"]), block):
            part = {name: values[first : first + block] for name, values in draws.items()}
            products = np.stack(
                [self.process.precision(part, column[None]) for column in columns.T], axis=2
            )
            explained = products @ np.linalg.inv(self._information(part, periods))
            diagonal[first : first + block] -= np.einsum("dtm,dtm->dt", explained, products)
        return diagonal

    def draw_shocks(self, draws: int, periods: int, rng: np.random.Generator) -> Shocks:
        """Draw the shocks of the process itself."""
        return self.process.draw_shocks(draws, periods, rng)

    def from_shocks(self, draws: Draws, shocks: Shocks, rng: np.random.Generator) -> np.ndarray:
        """Make a path of the process, plus columns with coefficients from their prior."""
        path = self.process.from_shocks(draws, shocks, rng)
        coefficients = rng.standard_normal((len(path), self.columns.shape[1]))
        return np.asarray(path + _times(coefficients, self.columns[: path.shape[1]]))

    def paths(
        self, draws: Draws, past: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Draw the coefficients given the past, then the process around its columns."""
        mean, information = self._coefficients(draws, past)
        factor = np.linalg.cholesky(information)
        shock = rng.standard_normal(mean.shape)
        coefficients = mean + np.linalg.solve(factor.transpose(0, 2, 1), shock[..., None])[..., 0]
        pre, end = past.shape[1], past.shape[1] + shocks[NOISE].shape[1]
        before = _times(coefficients, self.columns[:pre])
        level, again, future = self.process.paths(draws, past - before, shocks, rng)
        after = _times(coefficients, self.columns[pre:end])
        return before + level, again, after + future, coefficients

    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Return the process's parts: what is unknown of the columns counts with the level."""
        return self.process.average_variance(draws, periods)

    def _coefficients(self, draws: Draws, past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the precision of the coefficients given the noise's past."""
        information = self._information(draws, past.shape[1])
        given = self.process.precision(draws, past) @ self.columns[: past.shape[1]]
        return np.linalg.solve(information, given[..., None])[..., 0], information

    def _information(self, draws: Draws, periods: int) -> np.ndarray:
        """Return ``I + C' K^-1 C``, shape ``(draws, column, column)``."""
        columns, inner = self.columns[:periods], self.process.diagonal(periods)
        if inner is None or inner.columns[1].any():
            rows = [self.process.precision(draws, column[None]) @ columns for column in columns.T]
            products = np.stack(rows, axis=1)
        else:
            rotated = self.process.rotate(columns)
            wander = draws["q"][:, None] ** 2 * inner.walk if "q" in draws else 0.0
            outer = (rotated[:, :, None] * rotated[:, None]).reshape(periods, -1)
            products = (1 / (floored(draws["s"]) ** 2 + wander) * np.ones(periods)) @ outer
        count = columns.shape[1]
        return np.asarray(np.eye(count) + products.reshape(-1, count, count))


def _times(coefficients: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return ``coefficients @ columns.T``; a row of it does not depend on how many follow."""
    path = np.zeros((len(coefficients), len(columns)))
    for c in range(columns.shape[1]):
        path += coefficients[:, c, None] * columns[:, c]
    return path
