"""Independent noise around a level or around none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.noise.base import (
    AbstractNoise,
    DiagonalNoise,
    Draws,
    Shocks,
    estimator,
    variance,
)
from bayes_synth.noise.sd_priors import SdPrior, require_sd_priors
from bayes_synth.priors import HalfNormal

__all__ = ["IID"]


@final
@dataclass(frozen=True)
class IID(AbstractNoise, data=("s", "intercept", "degrees_of_freedom"), any_length=True):
    """Independent noise: the textbook model, whose intervals are too narrow on real panels.

    Parameters
    ----------
    s
        Prior on the noise's standard deviation, in typical steps.
    intercept
        With a free intercept the estimator is demeaned synthetic control (Ferman and Pinto 2021);
        without, the classical one that matches levels (Abadie, Diamond and Hainmueller 2010).
    degrees_of_freedom
        Infinite: normal noise. Finite: Student-t noise, for single periods that lie far out; 4 is
        a usual choice.

    Raises
    ------
    PriorError
        O006 for a prior of another type, O007 unless ``degrees_of_freedom`` exceeds 2.

    Examples
    --------
    >>> bs.SyntheticControl(noise=bs.noise.IID()).noise.parameters
    ('s',)
    """

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
        """Return the prior of ``s``."""
        return {"s": self.s}

    def describe(self) -> str:
        """Say in one line whether levels are matched."""
        return f"iid noise{self.tails_in_words}: {estimator(self.intercept)}"

    def diagonal(self, periods: int) -> DiagonalNoise | None:
        """Return the process as it is, already uncorrelated; None for Student-t noise."""
        return self._diagonal(np.zeros(periods))

    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """Divide by the standard deviation."""
        import pymc as pm

        # The spectrum is all zeros: adding it gives one variance per period.
        each = variance(parameters) + spectrum
        return (lambda x: x / pm.math.sqrt(each)), 0.5 * pm.math.log(each).sum()

    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """Divide by the variance."""
        return np.asarray(residual / self.deviation(draws) ** 2)

    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """Return one over the variance."""
        return np.broadcast_to(1 / self.deviation(draws) ** 2, (len(draws["s"]), periods))

    def from_shocks(self, draws: Draws, shocks: Shocks, rng: np.random.Generator) -> np.ndarray:
        """Make white noise."""
        return self.independent(draws, shocks)

    def paths(
        self, draws: Draws, past: np.ndarray, shocks: Shocks, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return no persistent part (zeros), a fresh past and a fresh future."""
        again = self.simulate(draws, past.shape[1], rng)
        return np.zeros_like(past), again, self.independent(draws, shocks)

    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Return the variance of the mean of so many independent shocks."""
        return {"s": self.tail_variance() * draws["s"] ** 2 / periods}
