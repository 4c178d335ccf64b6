"""Compute how forecast errors of two units go together: by the donors and the periods they share.

A path to come is linear in its standard normal shocks, so the response to a unit shock in every
period, at the posterior mean of the noise's parameters, gives all covariances in closed form; no
draw enters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayes_synth.noise.base import AbstractNoise
from bayes_synth.noise.integrated_level import NO_SHOCKS

__all__ = ["Response", "correlation_of_averages", "covariance", "response_of", "share_of_donors"]


@final
@dataclass(frozen=True, eq=False)
class Response:
    """Hold how a unit's path to come answers its shocks, on the model's scale.

    Parameters
    ----------
    unit
        Label of the unit.
    loadings
        Posterior mean of ``w_j / sqrt(1 + sum w^2)`` by donor.
    paths
        Response to a shock in each period by kind, dims ``(time, shock)``.
    periods
        Positions of the periods to come among the times of the study.
    """

    unit: str
    loadings: Mapping[str, float]
    paths: Mapping[str, np.ndarray]
    periods: tuple[int, ...]


def response_of(
    unit: str,
    donors: Sequence[str],
    weights: np.ndarray,
    noise: Mapping[str, float],
    process: AbstractNoise,
    step: float,
    periods: Sequence[int],
) -> Response:
    """Compute a unit's response.

    Parameters
    ----------
    unit, donors
        Labels.
    weights
        Posterior draws, dims ``(draw, donor)``.
    noise, process, step
        Posterior means of the noise's parameters in typical steps, the noise, and a typical step.
    periods
        Positions of the periods to come among the times of the study.
    """
    loadings = (weights / np.sqrt(1 + (weights**2).sum(1, keepdims=True))).mean(0)
    count = len(periods)
    draws = {name: np.full(count, value) for name, value in noise.items()}
    nothing = {kind: np.zeros((count, count)) for kind in process.shocks}
    paths = {
        kind: step * process.from_shocks(draws, nothing | {kind: np.eye(count)}, NO_SHOCKS).T
        for kind in process.shocks
    }
    return Response(unit, dict(zip(donors, loadings, strict=True)), paths, tuple(periods))


def share_of_donors(one: Response, other: Response) -> float:
    """Return the correlation of two units' shocks in a period that both are treated."""
    shared = set(one.loadings) & set(other.loadings)
    return float(sum(one.loadings[label] * other.loadings[label] for label in shared))


def covariance(one: Response, other: Response) -> np.ndarray:
    """Return the covariance of two units' paths, dims ``(time of one, time of other)``."""
    places = {period: place for place, period in enumerate(other.periods)}
    both = [(k, places[p]) for k, p in enumerate(one.periods) if p in places]
    mine, theirs = [k for k, _ in both], [k for _, k in both]
    total = np.zeros((len(one.periods), len(other.periods)))
    for kind in one.paths.keys() & other.paths.keys():
        total += one.paths[kind][:, mine] @ other.paths[kind][:, theirs].T
    return share_of_donors(one, other) * total


def correlation_of_averages(
    responses: Sequence[Response], sds: Sequence[float], factors: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the correlation matrix of the units' average forecast errors.

    Parameters
    ----------
    responses
        One per unit.
    sds
        Predictive sd of each unit's average, all of its uncertainty included.
    factors
        What multiplies each unit's path in each period to come, and zero where it has no outcome.
    """
    matrix = np.eye(len(responses))
    means = [factor / np.count_nonzero(factor) for factor in factors]
    for i, one in enumerate(responses):
        for k in range(i):
            both = float(means[i] @ covariance(one, responses[k]) @ means[k])
            matrix[i, k] = matrix[k, i] = both / (sds[i] * sds[k])
    return matrix
