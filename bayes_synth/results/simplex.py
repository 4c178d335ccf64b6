"""Solve least squares over the simplex, and summarise the weights by a few donors.

Pure numpy and scipy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

__all__ = ["Projection", "core_donors", "project", "simplex_least_squares"]

CLOSE = 1e-3
"""A projection is near enough at this distance, in standard deviations of the target."""


class Projection(NamedTuple):
    """Express the counterfactual by few donors.

    ``weights`` by position of the donor, summing to one; ``loss`` is the root mean square distance
    to the full counterfactual's mean, in the units of the series.
    """

    weights: dict[int, float]
    loss: float


def simplex_least_squares(
    donors: np.ndarray, target: np.ndarray, *, level: bool = False
) -> np.ndarray:
    """Find the ``w >= 0`` with ``sum w = 1`` that minimise ``|target - donors @ w|``.

    Parameters
    ----------
    donors, target
        Dims ``(time, donor)`` and ``(time,)``.
    level
        Whether a constant is fitted too (demeaned synthetic control).

    Returns
    -------
    numpy.ndarray
        Weights, dims ``(donor,)``.

    Notes
    -----
    As the weights sum to one, the misfit is ``|M w|`` with ``M = donors - target``, homogeneous in
    ``w``. So the non-negative ``v`` that minimises ``|M v|^2 + (sum v - 1)^2`` points to the
    solution.
    """
    distances = donors - target[:, None]
    return direction(distances - distances.mean(0) if level else distances)


def direction(distances: np.ndarray) -> np.ndarray:
    """Find the weights on the simplex that minimise ``|distances @ w|``, dims ``(donor,)``."""
    largest, count = np.abs(distances).max() or 1.0, distances.shape[1]
    rows = np.vstack([distances / largest, np.ones(count)])
    solution, _ = nnls(rows, np.append(np.zeros(len(distances)), 1.0), maxiter=30 * count)
    return np.asarray(solution / solution.sum())


def core_donors(weights: np.ndarray, mass: float = 0.8) -> tuple[np.ndarray, float]:
    """Find the smallest set of donors that holds ``mass`` of the weight on average.

    Parameters
    ----------
    weights
        Posterior draws, dims ``(draw, donor)``.
    mass
        The share of the weight.

    Returns
    -------
    tuple
        Positions, the heaviest first, and the posterior probability that together they hold
        ``mass``.
    """
    order = np.argsort(-weights.mean(0), kind="stable")
    held = np.cumsum(weights.mean(0)[order])
    chosen = order[: int(np.searchsorted(held, mass - 1e-12)) + 1]
    return chosen, float((weights[:, chosen].sum(1) >= mass).mean())


def project(
    donors: np.ndarray, target: np.ndarray, *, most: int = 5, level: bool = False
) -> Projection:
    """Project the target series on at most ``most`` donors, chosen one by one.

    Parameters
    ----------
    donors, target
        Dims ``(time, donor)`` and ``(time,)``; the target is the mean of ``donors @ weights``.
    most
        Largest number of donors; fewer when they come within 0.1 % of the target's standard
        deviation.
    level
        Whether a constant may differ.

    References
    ----------
    Piironen, Paasiniemi and Vehtari (2020), Electronic Journal of Statistics 14(1), for the idea
    of projecting a posterior predictive mean on a submodel.
    """
    chosen: list[int] = []
    near = CLOSE * target.std()
    while len(chosen) < min(most, donors.shape[1]) and (
        not chosen or _projection_loss(donors, target, chosen, level) > near
    ):
        candidates = [j for j in range(donors.shape[1]) if j not in chosen]
        losses = [_projection_loss(donors, target, [*chosen, j], level) for j in candidates]
        chosen.append(candidates[int(np.argmin(losses))])
    weights = simplex_least_squares(donors[:, chosen], target, level=level)
    kept = {j: float(w) for j, w in zip(chosen, weights, strict=True) if w > 0}
    return Projection(kept, _projection_loss(donors, target, chosen, level))


def _projection_loss(
    donors: np.ndarray, target: np.ndarray, chosen: Sequence[int], level: bool
) -> float:
    weights = simplex_least_squares(donors[:, chosen], target, level=level)
    gap = target - donors[:, chosen] @ weights
    return float(np.sqrt(np.mean((gap - gap.mean() * level) ** 2)))
