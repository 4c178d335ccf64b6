"""Local level with a drift: a random walk around a straight line whose slope is integrated out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, final

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.noise.base import (
    NOISE,
    AbstractNoise,
    DiagonalNoise,
    Draws,
    Shocks,
    initial,
)
from bayes_synth.noise.local_level import LocalLevel, walk_eigenvalues
from bayes_synth.noise.sd_priors import SdPrior, require_sd_priors
from bayes_synth.priors import HalfNormal

__all__ = ["LocalLinearTrend"]


@final
@dataclass(frozen=True)
class LocalLinearTrend(
    AbstractNoise, data=("s", "q", "drift", "initial_level", "degrees_of_freedom"), any_length=True
):
    """A level that wanders around a line: ``u_t = u_(t-1) + d + h_t``, ``r_t = u_t + e_t``.

    Parameters
    ----------
    s, q
        As in :class:`LocalLevel`.
    drift
        Prior standard deviation of the constant drift, ``d ~ N(0, drift^2)``, in typical steps per
        period. Small values come close to :class:`LocalLevel`.
    initial_level
        As in :class:`LocalLevel`, for ``u_0``, where the line starts.
    degrees_of_freedom
        As in :class:`LocalLevel`.

    Raises
    ------
    PriorError
        O007 unless ``drift`` is positive and finite; O006 and O007 as in :class:`LocalLevel`.

    Notes
    -----
    ``d`` is integrated out exactly and drawn for the forecast, so the sampler does not see it. With
    ``K`` the covariance of :class:`LocalLevel` and ``b_t = drift t`` counted from the first period,
    the noise has covariance ``K + b b'``: the sine basis keeps the likelihood diagonal up to rank
    one. The forecast continues along the line, so its variance grows with the square of the
    horizon.

    References
    ----------
    Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, section 2.3,
    with a fixed slope.
    Sherman and Morrison (1950), Annals of Mathematical Statistics 21(1), for the inverse.

    Examples
    --------
    >>> bs.SyntheticControl(noise=bs.noise.LocalLinearTrend()).noise.parameters
    ('s', 'q')
    """

    shocks: ClassVar[tuple[str, ...]] = LocalLevel.shocks

    s: SdPrior = HalfNormal(1.0)
    q: SdPrior = HalfNormal(0.5)
    drift: float = 0.05
    initial_level: float = 4.0
    degrees_of_freedom: float = np.inf

    def __post_init__(self) -> None:
        require_sd_priors(self.priors(), self.degrees_of_freedom)
        if not (isinstance(self.drift, Real) and 0 < self.drift < np.inf):
            raise PriorError(
                "O007",
                f"drift must be a positive number, got {self.drift!r}; "
                "for no drift write bs.noise.LocalLevel().",
            )

    @property
    def level_sd(self) -> float:
        """The level's prior sd, ``initial_level``."""
        return self._walk.level_sd

    def priors(self) -> dict[str, Any]:
        """Return the priors of ``s`` and ``q``."""
        return self._walk.priors()

    def describe(self) -> str:
        """Say in one line where the level starts, and the prior of its drift per period."""
        return (
            f"local linear trend{self.tails_in_words}: an offset from the donors that wanders "
            f"around a line, {initial(self.initial_level)}, "
            f"drift ~ Normal(0, {self.drift:g} x typical step)"
        )

    def integrated(self, step: str) -> dict[str, str]:
        """Return the priors of the level and of the drift, in words."""
        return {**super().integrated(step), "drift": f"Normal(0, {self.drift:g}) {step} per period"}

    def rotation(self, periods: int) -> np.ndarray | None:
        """Return the sine basis of the random walk; None for Student-t noise."""
        return self._walk.rotation(periods)

    def spectrum(self, periods: int) -> np.ndarray:
        """Return the spectrum of the local level, and in a last row the line ``b`` in its basis."""
        return np.vstack([self._walk.spectrum(periods), self.rotate(self._line(periods))])

    def diagonal(self, periods: int) -> DiagonalNoise | None:
        """Return the process in the sine basis, the line a column; None for Student-t noise."""
        return self._diagonal(walk_eigenvalues(periods), self.rotate(self._line(periods)))

    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """Whiten as the local level, then by ``(I + c c')^(-1/2)`` with ``c`` the whitened line."""
        import pymc as pm

        whitened, half_log_determinant = self._walk.whiten(
            parameters, spectrum[:-1] if self.heavy else spectrum[0]
        )
        line = whitened(spectrum[-1])
        root = pm.math.sqrt(1 + (line**2).sum())

        def corrected(x: Any) -> Any:
            white = whitened(x)
            return white - line * (line * white).sum() / (root * (1 + root))

        return corrected, half_log_determinant + pm.math.log(root)

    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """Apply the local level's precision, less what the line explains."""
        line, weighted, information = self._drift_terms(draws, residual.shape[1])
        product = self._walk.precision(draws, residual)
        return np.asarray(product - weighted * (product @ line)[:, None] / information)

    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Return the local level's diagonal, less what the line explains."""
        _, weighted, information = self._drift_terms(draws, periods)
        return np.asarray(self._walk.precision_diagonal(draws, periods) - weighted**2 / information)

    def from_shocks(self, draws: Draws, shocks: Shocks, rng: np.random.Generator) -> np.ndarray:
        """Make a line with a slope from its prior, plus a local level."""
        walk = self._walk.from_shocks(draws, shocks, rng)
        slope = rng.standard_normal((len(walk), 1))
        return np.asarray(slope * self._line(walk.shape[1]) + walk)

    def paths(
        self, draws: Draws, past: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw the slope given the past, then the local level around its line."""
        _, weighted, information = self._drift_terms(draws, past.shape[1])
        mean = (weighted * past).sum(1, keepdims=True) / information
        slope = mean + rng.standard_normal((len(past), 1)) / np.sqrt(information)
        times = past.shape[1] + shocks[NOISE].shape[1]
        before, after = np.split(slope * self._line(times), [past.shape[1]], axis=1)
        level, again, future = self._walk.paths(draws, past - before, shocks, rng)
        return before + level, again, after + future

    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Return the local level's parts: the slope's uncertainty counts with the level's."""
        return self._walk.average_variance(draws, periods)

    @property
    def _walk(self) -> LocalLevel:
        return LocalLevel(self.s, self.q, self.initial_level, self.degrees_of_freedom)

    def _line(self, periods: int) -> np.ndarray:
        """Return ``b``: the drift's path for a slope of one prior standard deviation."""
        return np.asarray(self.drift * np.arange(1, periods + 1))

    def _drift_terms(self, draws: Draws, periods: int) -> tuple[np.ndarray, ...]:
        """Return ``b``, ``K^-1 b``, and the slope's posterior precision ``1 + b' K^-1 b``.

        The slope is in units of its prior standard deviation.
        """
        line = self._line(periods)
        weighted = self._walk.precision(draws, line[None])
        return line, weighted, 1 + (weighted @ line)[:, None]
