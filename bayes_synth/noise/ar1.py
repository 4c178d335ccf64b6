"""Stationary autocorrelated noise around a level or around none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from scipy import stats

from bayes_synth.noise.base import FLOOR, AbstractNoise, Draws, Scale, check_scales, estimator, floored
from bayes_synth.priors import HalfNormal

__all__ = ["AR1"]


@final
@dataclass(frozen=True)
class AR1(AbstractNoise):
    """Stationary autocorrelated noise: ``r_t = rho r_(t-1) + e_t``.

    Parameters
    ----------
    s
        Prior on the standard deviation of the innovations ``e``, in units of the panel's scale.
    intercept
        As in :class:`IID`.

    Notes
    -----
    ``(rho + 1) / 2 ~ Beta(3, 1.5)``: mean 0.33, sd 0.4. In-sample residuals understate ``rho``, and drift beyond the
    pre-period with it; :class:`LocalLevel` does better on annual panels.

    References
    ----------
    Hamilton (1994), Time Series Analysis, section 5.2, for the exact likelihood.
    """

    unitless: ClassVar[frozenset[str]] = frozenset({"rho"})

    s: Scale = HalfNormal(1.0)
    intercept: bool = True

    def __post_init__(self) -> None:
        check_scales(self)

    @property
    def level_sd(self) -> float:
        """Infinite with an intercept, else 0."""
        return np.inf if self.intercept else 0.0

    def priors(self) -> dict[str, Any]:
        """Priors of ``s`` and ``rho``."""
        return {"s": self.s, "rho": Autocorrelation()}

    def describe(self) -> str:
        """Whether levels are matched."""
        return f"AR(1) noise: {estimator(self.intercept)}"

    def whiten(self, parameters: Mapping[str, Any], spectrum: Any) -> tuple[Callable[[Any], Any], Any]:
        """Quasi-differences; the first period from the stationary law."""
        import pytensor.tensor as pt

        rho, sd = parameters["rho"], pt.sqrt(parameters["s"] ** 2 + FLOOR**2)
        first = pt.sqrt(1 - rho**2)

        def whitened(x: Any) -> Any:
            return pt.concatenate([first * x[:1], x[1:] - rho * x[:-1]]) / sd

        return whitened, spectrum.shape[0] * pt.log(sd) - pt.log(first)

    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """The tridiagonal inverse covariance."""
        rho, variance = draws["rho"][:, None], floored(draws["s"]) ** 2
        product = self.precision_diagonal(draws, residual.shape[1]) * variance * residual
        product[:, 1:] -= rho * residual[:, :-1]
        product[:, :-1] -= rho * residual[:, 1:]
        return np.asarray(product / variance)

    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Of the tridiagonal inverse covariance."""
        diagonal = np.repeat(1 + draws["rho"][:, None] ** 2, periods, axis=1)
        diagonal[:, [0, -1]] = 1
        return np.asarray(diagonal / floored(draws["s"]) ** 2)

    def simulate(self, draws: Draws, periods: int, rng: np.random.Generator) -> np.ndarray:
        """A stationary path."""
        start = rng.standard_normal(len(draws["s"])) * floored(draws["s"])[:, 0] / np.sqrt(1 - draws["rho"] ** 2)
        return self._onwards(draws, start, periods, rng)

    def paths(
        self, draws: Draws, past: np.ndarray, periods: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The past drawn anew, and the future from its last period."""
        again = self.simulate(draws, past.shape[1], rng)
        return np.zeros_like(past), again, self._onwards(draws, past[:, -1], periods, rng)

    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Of the average of a path that starts from a known value."""
        ahead = periods - np.arange(periods)
        reach = (1 - draws["rho"][:, None] ** ahead) / (1 - draws["rho"][:, None])
        return {"s": draws["s"] ** 2 * (reach**2).sum(1) / periods**2}

    @staticmethod
    def _onwards(draws: Draws, last: np.ndarray, periods: int, rng: np.random.Generator) -> np.ndarray:
        path = floored(draws["s"]) * rng.standard_normal((len(last), periods))
        for t in range(periods):
            path[:, t] += draws["rho"] * (path[:, t - 1] if t else last)
        return path


@final
@dataclass(frozen=True)
class Autocorrelation:
    """``(rho + 1) / 2 ~ Beta(3, 1.5)``."""

    @property
    def _law(self) -> Any:
        return stats.beta(3, 1.5, loc=-1, scale=2)

    def create_variable(self, name: str) -> Any:
        import pymc as pm

        return pm.Deterministic(name, 2 * pm.Beta(f"{name}_unit", 3, 1.5) - 1)

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self._law.rvs(draws, random_state=rng))

    def log_density(self, value: np.ndarray) -> np.ndarray:
        return np.asarray(self._law.logpdf(value))

    def __str__(self) -> str:
        return "2 Beta(3, 1.5) - 1"
