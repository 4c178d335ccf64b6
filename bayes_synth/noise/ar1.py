"""Stationary autocorrelated noise around a level or around none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from scipy import stats

from bayes_synth.noise.base import (
    AbstractNoise,
    Draws,
    Shocks,
    estimator,
    variance,
)
from bayes_synth.noise.sd_priors import SdPrior, require_sd_priors
from bayes_synth.priors import HalfNormal
from bayes_synth.registry import saved

__all__ = ["AR1"]


@final
@dataclass(frozen=True)
class AR1(AbstractNoise, data=("s", "intercept", "degrees_of_freedom"), any_length=True):
    """Stationary autocorrelated noise: ``r_t = rho r_(t-1) + e_t``.

    Parameters
    ----------
    s
        Prior on the standard deviation of the innovations ``e``, in typical steps.
    intercept
        As in :class:`IID`.
    degrees_of_freedom
        Infinite: normal innovations. Finite: Student-t ones, for single periods that lie far out;
        4 is a usual choice.

    Raises
    ------
    PriorError
        O006 for a prior of another type, O007 unless ``degrees_of_freedom`` exceeds 2.

    Notes
    -----
    ``(rho + 1) / 2 ~ Beta(3, 1.5)``: mean 0.33, sd 0.4. In-sample residuals understate ``rho``, and
    with it the drift beyond the pre-period; :class:`LocalLevel` does better on annual panels.

    References
    ----------
    Hamilton (1994), Time Series Analysis, section 5.2, for the exact likelihood.

    Examples
    --------
    >>> bs.SyntheticControl(noise=bs.noise.AR1()).noise.parameters
    ('s', 'rho')
    """

    unitless: ClassVar[frozenset[str]] = frozenset({"rho"})

    s: SdPrior = HalfNormal(1.0)
    intercept: bool = True
    degrees_of_freedom: float = np.inf

    def __post_init__(self) -> None:
        require_sd_priors(self.priors(), self.degrees_of_freedom)

    @property
    def level_sd(self) -> float:
        """The level's prior sd: infinite with an intercept, else 0."""
        return np.inf if self.intercept else 0.0

    def priors(self) -> dict[str, Any]:
        """Return the priors of ``s`` and ``rho``."""
        return {"s": self.s, "rho": Autocorrelation()}

    def describe(self) -> str:
        """Say in one line whether levels are matched."""
        return f"AR(1) noise{self.tails_in_words}: {estimator(self.intercept)}"

    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """Take quasi-differences; the first period follows the stationary law."""
        import pytensor.tensor as pt

        # The spectrum is all zeros: adding it gives one sd per period.
        rho, sd = parameters["rho"], pt.sqrt(variance(parameters) + spectrum)
        first = pt.sqrt(1 - rho**2)

        def whitened(x: Any) -> Any:
            return pt.concatenate([first * x[:1], x[1:] - rho * x[:-1]]) / sd

        return whitened, pt.log(sd).sum() - pt.log(first)

    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """Take quasi-differences, weight them and difference back."""
        rho = draws["rho"][:, None]
        steps = np.hstack(
            [np.sqrt(1 - rho**2) * residual[:, :1], residual[:, 1:] - rho * residual[:, :-1]]
        )
        product = steps / self.deviation(draws) ** 2
        return np.asarray(
            np.hstack([np.sqrt(1 - rho**2) * product[:, :1], product[:, 1:]])
            - rho * _ahead(product)
        )

    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Return the diagonal of the tridiagonal inverse covariance."""
        rho = draws["rho"][:, None]
        weight = np.broadcast_to(1 / self.deviation(draws) ** 2, (len(rho), periods))
        return np.asarray(
            np.hstack([(1 - rho**2) * weight[:, :1], weight[:, 1:]]) + rho**2 * _ahead(weight)
        )

    def from_shocks(self, draws: Draws, shocks: Shocks, rng: np.random.Generator) -> np.ndarray:
        """Make a stationary path: the first innovation is the stationary law's."""
        steps = self.independent(draws, shocks)
        steps[:, 0] /= np.sqrt(1 - draws["rho"] ** 2)
        return _onwards(draws["rho"], np.zeros(len(steps)), steps)

    def paths(
        self, draws: Draws, past: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return no persistent part, a fresh past, and the future that follows the given past."""
        again = self.simulate(draws, past.shape[1], rng)
        future = _onwards(draws["rho"], past[:, -1], self.independent(draws, shocks))
        return np.zeros_like(past), again, future

    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Return the variance of the mean of a path that starts from a known value."""
        ahead = periods - np.arange(periods)
        reach = (1 - draws["rho"][:, None] ** ahead) / (1 - draws["rho"][:, None])
        return {"s": self.tail_variance() * draws["s"] ** 2 * (reach**2).sum(1) / periods**2}


def _onwards(rho: np.ndarray, last: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Continue paths from their last values, ``(draws,)``, by steps ``(draws, periods)``."""
    path = steps.copy()
    for t in range(path.shape[1]):
        path[:, t] += rho * (path[:, t - 1] if t else last)
    return path


def _ahead(rows: np.ndarray) -> np.ndarray:
    """Return each period's successor; zero after the last."""
    return np.hstack([rows[:, 1:], np.zeros_like(rows[:, :1])])


@saved()
@final
@dataclass(frozen=True)
class Autocorrelation:
    """The prior of ``rho``: ``(rho + 1) / 2 ~ Beta(3, 1.5)``."""

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
