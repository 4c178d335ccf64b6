"""Local level: a random walk plus white noise, in the sine basis that makes it diagonal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, final

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.noise.base import (
    NOISE,
    STEP,
    AbstractNoise,
    DiagonalNoise,
    Draws,
    Shocks,
    floored,
    initial,
    variance,
)
from bayes_synth.noise.sd_priors import SdPrior, require_sd_priors
from bayes_synth.priors import HalfNormal

__all__ = ["LocalLevel"]

DENSE = 4_000_000
"""Most numbers in one block of dense matrices: 32 MB."""


@final
@dataclass(frozen=True)
class LocalLevel(
    AbstractNoise, data=("s", "q", "initial_level", "degrees_of_freedom"), any_length=True
):
    """A level that wanders, plus observation noise: ``u_t = u_(t-1) + h_t``, ``r_t = u_t + e_t``.

    Parameters
    ----------
    s
        Prior on the standard deviation of the observation noise ``e``, in typical steps.
    q
        Prior on the standard deviation of the level's steps ``h``, in typical steps. It carries the
        interval's width when the pre-period is short or noisy. ``q = 0`` is iid noise with an
        intercept.
    initial_level
        Prior standard deviation of the level before the first period, in typical steps: how far
        the treated unit may lie from its donors. Infinite leaves it free, as an intercept does.
    degrees_of_freedom
        Infinite: normal observation noise. Finite: Student-t noise, for single periods that lie
        far out; 4 is a usual choice.

    Raises
    ------
    PriorError
        O006 for a prior of another type, O007 unless ``initial_level`` is positive and
        ``degrees_of_freedom`` exceeds 2.

    Notes
    -----
    The random walk's covariance is diagonal in a sine basis (eigenvalues
    ``1 / (2 - 2 cos((2k-1) pi / (2T+1)))``), so data transformed once make the likelihood a
    diagonal regression: no Kalman filter, no T x T matrix in the sampler. Student-t noise is not
    Student-t in that basis: its likelihood is that of the dense normal given each period's
    precision, whose cost grows with the cube of the pre-period.

    References
    ----------
    Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, section 2.3.

    Examples
    --------
    >>> bs.SyntheticControl(noise=bs.noise.LocalLevel()).noise.parameters
    ('s', 'q')
    """

    shocks: ClassVar[tuple[str, ...]] = (NOISE, STEP)

    s: SdPrior = HalfNormal(1.0)
    q: SdPrior = HalfNormal(0.5)
    initial_level: float = 4.0
    degrees_of_freedom: float = np.inf

    def __post_init__(self) -> None:
        require_sd_priors(self.priors(), self.degrees_of_freedom)
        if not self.initial_level > 0:
            raise PriorError(
                "O007",
                f"initial_level must be positive (np.inf: free), got {self.initial_level!r}.",
            )

    @property
    def level_sd(self) -> float:
        """The level's prior sd, ``initial_level``."""
        return self.initial_level

    def priors(self) -> dict[str, Any]:
        """Return the priors of ``s`` and ``q``."""
        return {"s": self.s, "q": self.q}

    def describe(self) -> str:
        """Say in one line that the level drifts, and where it starts."""
        start = initial(self.initial_level)
        return f"local level{self.tails_in_words}: an offset from the donors that drifts, {start}"

    def rotation(self, periods: int) -> np.ndarray | None:
        """Return the sine basis of the random walk; None for Student-t noise."""
        return None if self.heavy else sine_basis(periods)

    def spectrum(self, periods: int) -> np.ndarray:
        """Return the eigenvalues of the random walk's covariance ``min(i, j)``.

        Student-t noise needs the covariance itself, shape ``(periods, periods)``.
        """
        t = np.arange(1.0, periods + 1)
        return np.minimum.outer(t, t) if self.heavy else walk_eigenvalues(periods)

    def diagonal(self, periods: int) -> DiagonalNoise | None:
        """Return the process in the sine basis; None for Student-t noise."""
        return self._diagonal(walk_eigenvalues(periods))

    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """Divide each sine coordinate by its sd; Student-t noise: solve by the Cholesky factor."""
        import pytensor.tensor as pt

        if self.heavy:
            factor = pt.linalg.cholesky(
                parameters["q"] ** 2 * spectrum + pt.diag(variance(parameters))
            )
            solve = partial(pt.linalg.solve_triangular, factor, lower=True)
            return solve, pt.log(pt.diag(factor)).sum()
        each = variance(parameters) + parameters["q"] ** 2 * spectrum
        root = pt.sqrt(each)
        return (lambda x: x / root), 0.5 * pt.log(each).sum()

    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """Divide by the variances in the sine basis; Student-t noise: invert the covariance."""
        if self.heavy:
            return self._by_inverse(
                draws,
                residual.shape[1],
                lambda inverse, x: (inverse @ x[..., None])[..., 0],
                residual,
            )
        basis = sine_basis(residual.shape[1])
        _, total = self._variances(draws, residual.shape[1])
        return np.asarray((residual @ basis.T / total) @ basis)

    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Sum the inverse variances of the sine basis; Student-t noise: invert the covariance."""
        if self.heavy:
            return self._by_inverse(
                draws,
                periods,
                lambda inverse, _: np.einsum("dii->di", inverse),
                np.zeros((1, periods)),
            )
        return np.asarray((1 / self._variances(draws, periods)[1]) @ sine_basis(periods) ** 2)

    def from_shocks(self, draws: Draws, shocks: Shocks, rng: np.random.Generator) -> np.ndarray:
        """Make a random walk plus white noise."""
        walk = np.cumsum(draws["q"][:, None] * shocks[STEP], axis=1)
        return np.asarray(walk + self.independent(draws, shocks))

    def paths(
        self, draws: Draws, past: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a level given the past, the noise drawn anew, and the continuation of both."""
        level = (
            self._corrected_walk(draws, past, rng) if self.heavy else self._level(draws, past, rng)
        )
        again = floored(draws["s"]) * rng.standard_normal(past.shape) / self.tails(past.shape, rng)
        return level, again, level[:, -1:] + self.from_shocks(draws, shocks, rng)

    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Return the parts; a random walk's average has variance ``q^2 (H+1)(2H+1) / (6H)``."""
        growth = (periods + 1) * (2 * periods + 1) / (6 * periods)
        return {
            "s": self.tail_variance() * draws["s"] ** 2 / periods,
            "q": draws["q"] ** 2 * growth,
        }

    def _level(self, draws: Draws, past: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the level given the past: in the sine basis every coordinate is independent."""
        basis = sine_basis(past.shape[1])
        walk, total = self._variances(draws, past.shape[1])
        share = walk / total
        sd = np.sqrt(share) * floored(draws["s"])
        return np.asarray((share * (past @ basis.T) + sd * rng.standard_normal(past.shape)) @ basis)

    def _corrected_walk(
        self, draws: Draws, past: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw a walk and noise, and correct the walk by the expectation of what they miss.

        Durbin and Koopman (2002), Biometrika 89(3), for state-space models; the walk's covariance
        is here ``q^2 min(i, j)``.
        """
        q, (steps, shocks) = draws["q"][:, None], rng.standard_normal((2, *past.shape))
        walk = np.cumsum(q * steps, axis=1)
        missed = self.precision(draws, past - walk - self.deviation(draws) * shocks)
        return np.asarray(
            walk + q**2 * np.cumsum(np.cumsum(missed[:, ::-1], axis=1)[:, ::-1], axis=1)
        )

    def _by_inverse(
        self,
        draws: Draws,
        periods: int,
        function: Callable[[np.ndarray, np.ndarray], np.ndarray],
        rows: np.ndarray,
    ) -> np.ndarray:
        """Apply ``function`` to the inverse covariance of each draw and to ``rows``, in blocks."""
        count = len(draws["s"])
        noise = np.broadcast_to(self.deviation(draws) ** 2, (count, periods))
        block = max(1, DENSE // periods**2)
        pieces = []
        for first in range(0, count, block):
            part = slice(first, first + block)
            dense = draws["q"][part, None, None] ** 2 * self.spectrum(periods) + noise[
                part, None
            ] * np.eye(periods)
            pieces.append(
                function(np.linalg.inv(dense), rows if count == 1 or len(rows) == 1 else rows[part])
            )
        return np.concatenate(pieces)

    def _variances(self, draws: Draws, periods: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the variances of the walk and of the whole in the sine basis."""
        walk = draws["q"][:, None] ** 2 * walk_eigenvalues(periods)
        return walk, walk + floored(draws["s"]) ** 2


@lru_cache(maxsize=8)
def walk_eigenvalues(periods: int) -> np.ndarray:
    """Return the eigenvalues of the random walk's covariance, the largest first."""
    k = np.arange(1, periods + 1)
    return _read_only(1 / (2 - 2 * np.cos((2 * k - 1) * np.pi / (2 * periods + 1))))


@lru_cache(maxsize=8)
def sine_basis(periods: int) -> np.ndarray:
    """Return the eigenvectors of the random walk's covariance, one per row."""
    k, t = np.arange(1, periods + 1)[:, None], np.arange(1, periods + 1)
    return _read_only(
        2 / np.sqrt(2 * periods + 1) * np.sin((2 * k - 1) * t * np.pi / (2 * periods + 1))
    )


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
