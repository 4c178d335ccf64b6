"""Least squares over the simplex, and what the posterior of the weights says in a few donors.

Pure numpy and scipy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

__all__ = ["Projection", "core_donors", "project", "simplex_least_squares"]


CLOSE = 1e-3


class Projection(NamedTuple):
    """The counterfactual said with few donors.

    ``weights`` by position of the donor, summing to one; ``loss`` is the root mean square distance to
    the full counterfactual's mean, in the units of the series.
    """

    weights: dict[int, float]
    loss: float


def simplex_least_squares(
    donors: np.ndarray, target: np.ndarray, *, level: bool = False
) -> np.ndarray:
    """Weights ``w >= 0``, ``sum w = 1`` that minimise ``|target - donors @ w|``, shape ``(donor,)``.

    Parameters
    ----------
    donors, target
        Shapes ``(time, donor)`` and ``(time,)``.
    level
        Whether a constant is fitted too (demeaned synthetic control).

    Notes
    -----
    As the weights sum to one, the misfit is ``|M w|`` with ``M = donors - target``, homogeneous in ``w``.
    So the non-negative ``v`` that minimises ``|M v|^2 + (sum v - 1)^2`` points to the solution.
    """
    gaps = donors - target[:, None]
    return direction(gaps - gaps.mean(0) if level else gaps)


def direction(gaps: np.ndarray) -> np.ndarray:
    """Weights on the simplex that minimise ``|gaps @ w|``."""
    size = np.abs(gaps).max() or 1.0
    rows = np.vstack([gaps / size, np.ones(gaps.shape[1])])
    solution, _ = nnls(rows, np.append(np.zeros(len(gaps)), 1.0), maxiter=30 * gaps.shape[1])
    return np.asarray(solution / solution.sum())


def core_donors(weights: np.ndarray, mass: float = 0.8) -> tuple[np.ndarray, float]:
    """The smallest set of donors that holds ``mass`` of the weight on average, and its probability.

    Parameters
    ----------
    weights
        Posterior draws, shape ``(draws, donors)``.

    Returns
    -------
    tuple
        Positions, the heaviest first, and the posterior probability that they hold ``mass`` together.
    """
    order = np.argsort(-weights.mean(0), kind="stable")
    held = np.cumsum(weights.mean(0)[order])
    chosen = order[: int(np.searchsorted(held, mass - 1e-12)) + 1]
    return chosen, float((weights[:, chosen].sum(1) >= mass).mean())


def project(
    donors: np.ndarray, target: np.ndarray, *, most: int = 5, level: bool = False
) -> Projection:
    """The target series on at most ``most`` donors, chosen one by one.

    Parameters
    ----------
    donors, target
        Shapes ``(time, donor)`` and ``(time,)``; the target is the mean of ``donors @ weights``.
    most
        Largest number of donors; fewer when they come within 0.1 % of the target's standard deviation.
    level
        Whether a constant may differ.

    References
    ----------
    Piironen, Paasiniemi and Vehtari (2020), Electronic Journal of Statistics 14(1), for the idea of
    projecting a posterior predictive mean on a submodel.
    """
    chosen: list[int] = []
    near = CLOSE * target.std()
    while len(chosen) < min(most, donors.shape[1]) and (
        not chosen or _loss(donors, target, chosen, level) > near
    ):
        candidates = [j for j in range(donors.shape[1]) if j not in chosen]
        losses = [_loss(donors, target, [*chosen, j], level) for j in candidates]
        chosen.append(candidates[int(np.argmin(losses))])
    weights = simplex_least_squares(donors[:, chosen], target, level=level)
    kept = {j: float(w) for j, w in zip(chosen, weights, strict=True) if w > 0}
    return Projection(kept, _loss(donors, target, chosen, level))


def _loss(donors: np.ndarray, target: np.ndarray, chosen: Sequence[int], level: bool) -> float:
    weights = simplex_least_squares(donors[:, chosen], target, level=level)
    gap = target - donors[:, chosen] @ weights
    return float(np.sqrt(np.mean((gap - gap.mean() * level) ** 2)))
