"""The posterior of the inflation kappa, and of the tails, on a grid.

A part of a forecast error has a mean square ``x``, relative to its predictive variance, over ``n``
independent periods: ``x / kappa^2 ~ F(n, nu)``. With one period this is the Student-t of a z-score,
``z ~ kappa t(nu)``. Two numbers need no sampler.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import special

__all__ = ["TAILS", "Inflation", "learn_inflation"]

REACH, NODES = 8.0, 1001
"""The grid of log kappa: its reach in prior standard deviations, and its number of points."""
TAILS = {2.0: 0.1, 3.0: 0.2, 5.0: 0.4, 10.0: 0.2, 30.0: 0.1}
"""Degrees of freedom on the grid, and their prior probabilities."""
NOTHING = 1e-12
"""Points of the grid with less probability are left out of tail probabilities."""


@final
@dataclass(frozen=True, eq=False)
class Inflation:
    """Hold the joint posterior of log kappa and of the degrees of freedom.

    Parameters
    ----------
    logs
        Values of ``log kappa``, dims ``(kappa,)``.
    tails
        Degrees of freedom, dims ``(tail,)``.
    mass
        Their posterior probabilities, dims ``(kappa, tail)``; they sum to one.
    evidence
        Log marginal likelihood, up to a constant of the data.
    """

    logs: np.ndarray
    tails: np.ndarray
    mass: np.ndarray
    evidence: float

    @property
    def kappa(self) -> tuple[np.ndarray, np.ndarray]:
        """Return kappa's values on the grid and their posterior probabilities."""
        return np.exp(self.logs), self.mass.sum(1)

    def draw(
        self, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw kappa, and lambda, whose mixture of normals is a Student-t.

        Kappa is uniform in its logarithm between two points of the grid.
        """
        ends = np.cumsum(self.mass.ravel())
        cell = np.searchsorted(ends, rng.random(shape) * ends[-1], side="right")
        row, column = np.divmod(np.minimum(cell, self.mass.size - 1), len(self.tails))
        width = self.logs[1] - self.logs[0]
        kappa = np.exp(self.logs[row] + width * (rng.random(shape) - 0.5))
        nu = self.tails[column]
        finite = np.where(np.isinf(nu), 1.0, nu)
        lam = rng.gamma(finite / 2, 2 / finite, size=shape)
        return kappa, np.where(np.isinf(nu), 1.0, lam)

    def log_density(self, z: float) -> float:
        """Return the log predictive density of one more z-score."""
        each = _log_kernel(np.array([z**2]), np.ones(1), self.logs, self.tails)[..., 0]
        return float(special.logsumexp(each, b=self.mass) - 0.5 * np.log(np.pi))

    def beyond(self, z: float) -> float:
        """Return the predictive probability of one more z-score above ``z``."""
        rows, columns = np.nonzero(self.mass > NOTHING)
        scaled, nu = z * np.exp(-self.logs[rows]), self.tails[columns]
        tail = np.where(
            np.isinf(nu), special.ndtr(-scaled), special.stdtr(np.minimum(nu, 1e10), -scaled)
        )
        return float(self.mass[rows, columns] @ tail)


def learn_inflation(
    squares: np.ndarray,
    periods: np.ndarray,
    kappa_sd: float,
    degrees_of_freedom: float | None,
    power: float = 1.0,
    *,
    nodes: int = NODES,
) -> Inflation:
    """Compute the posterior of kappa and of the tails.

    Parameters
    ----------
    squares
        Mean squares of the errors over their predictive variances, dims ``(placebo,)``.
    periods
        Over how many independent periods each is a mean, dims ``(placebo,)``.
    kappa_sd
        Prior sd of ``log kappa``, centred on 0.
    degrees_of_freedom
        The tails; None: those of :data:`TAILS` with their prior probabilities.
    power
        Power of the likelihood: below one where placebos overlap.
    nodes
        Number of points of the grid of log kappa.
    """
    chosen = TAILS if degrees_of_freedom is None else {float(degrees_of_freedom): 1.0}
    logs = np.linspace(-REACH * kappa_sd, REACH * kappa_sd, nodes)
    tails = np.array(list(chosen))
    prior = -0.5 * (logs[:, None] / kappa_sd) ** 2 + np.log(list(chosen.values()))
    likelihood = _log_kernel(np.asarray(squares), np.asarray(periods), logs, tails).sum(-1)
    density = prior + power * likelihood
    evidence = special.logsumexp(density) - special.logsumexp(prior)
    return Inflation(logs, tails, special.softmax(density), float(evidence))


def _log_kernel(
    squares: np.ndarray, periods: np.ndarray, logs: np.ndarray, tails: np.ndarray
) -> np.ndarray:
    """Return the log likelihood up to a constant of data alone, dims ``(kappa, tail, placebo)``.

    The limit of infinite degrees of freedom is a normal.
    """
    n = periods[None, None, :]
    ratio = squares[None, None, :] * np.exp(-2 * logs)[:, None, None]
    nu = np.where(np.isinf(tails), 1.0, tails)[None, :, None]
    student = (
        special.gammaln((n + nu) / 2)
        - special.gammaln(nu / 2)
        - n / 2 * np.log(nu)
        - (n + nu) / 2 * np.log1p(n * ratio / nu)
    )
    normal = -n / 2 * (np.log(2) + ratio)
    kernel = np.where(np.isinf(tails)[None, :, None], normal, student)
    return np.asarray(kernel - n * logs[:, None, None])
