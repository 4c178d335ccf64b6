"""Judge whether the donors forecast the treated unit out of sample, before treatment.

A wandering level absorbs misfit, so an in-sample fit says nothing. From rolling origins in the
pre-period, donors with least-squares weights under the fitted noise are compared with a local level
that has no donors. No sampling, no PyMC.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from bayes_synth.model.inputs import Inputs
from bayes_synth.noise import AbstractNoise
from bayes_synth.noise.base import MIXING, Draws
from bayes_synth.noise.local_level import sine_basis, walk_eigenvalues
from bayes_synth.results.simplex import direction

__all__ = ["FitVerdict", "fit_verdict", "gls_weights", "rolling_origins"]

ORIGINS = 6
"""At most so many origins are forecast from."""
GOOD, FAIR = 0.75, 1.0
"""The largest ratio of errors that is good, and the smallest that is poor."""


@final
@dataclass(frozen=True)
class FitVerdict:
    """Say how well the donors forecast the treated unit in its own past.

    Parameters
    ----------
    error, error_without
        Root mean square forecast error from rolling origins on the model's scale (in outcome
        units, or logarithms of them): with the donors, and of a local level without donors.
    origins
        Number of origins; 0 when the pre-period is too short to hold any period out.
    noise_share
        Share of the average counterfactual's predictive variance that the noise's parameters
        bring, by name; the rest is uncertainty about weights and level.
    """

    error: float
    error_without: float
    origins: int
    noise_share: dict[str, float]

    @property
    def ratio(self) -> float:
        """Divide the error with donors by the error without; NaN where that is zero."""
        return self.error / self.error_without if self.error_without > 0 else np.nan

    @property
    def word(self) -> str:
        """Call the fit ``good``, ``fair``, ``poor`` (no better than no donors) or ``unknown``."""
        if not np.isfinite(self.ratio):
            return "unknown"
        return "good" if self.ratio <= GOOD else "fair" if self.ratio < FAIR else "poor"

    def __str__(self) -> str:
        if self.origins == 0:
            return "unknown (the pre-period is too short to hold periods out)"
        if self.word == "unknown":
            return (
                "unknown (without donors nothing was missed, so there is nothing to compare with)"
            )
        errors = f"{self.error:.3g} with donors, {self.error_without:.3g} without"
        return f"{self.word} (held-out error {errors}, {self.origins} rolling origins)"


def fit_verdict(
    inputs: Inputs,
    noise: AbstractNoise,
    draws: Draws,
    mixing: np.ndarray | None,
    post: int,
    variance: float,
) -> FitVerdict:
    """Judge one fit.

    Parameters
    ----------
    inputs
        The pre-period in typical steps.
    noise, draws
        The noise process and its posterior draws, in typical steps.
    mixing
        Precision of each pre-period relative to the others, dims ``(time,)``; None unless the
        noise is Student-t. A period that lies far out counts as little here as it did in the fit.
    post
        Number of post-periods.
    variance
        Predictive variance of the average counterfactual, in squared typical steps.
    """
    outcome, donors = inputs.outcome, inputs.donor_outcomes[: inputs.periods]
    means = {name: np.array([value.mean()]) for name, value in draws.items()}
    mixing = np.ones(len(outcome)) if mixing is None else mixing
    origins = rolling_origins(~np.isnan(outcome))
    pairs = [
        _forecast_errors(noise, means, mixing, outcome, donors, origin, post) for origin in origins
    ]
    errors = [
        np.sqrt(np.mean(np.concatenate(side) ** 2)) * inputs.step
        for side in zip(*pairs, strict=True)
    ]
    error, error_without = errors or (np.nan, np.nan)
    variances = noise.average_variance(draws, post)
    shares = {name: float(part.mean() / variance) for name, part in variances.items()}
    return FitVerdict(float(error), float(error_without), len(origins), shares)


def rolling_origins(seen: np.ndarray) -> list[int]:
    """Choose up to six numbers of periods to learn from.

    They hold at least half of the outcomes, and at least five.

    Parameters
    ----------
    seen
        Which pre-periods have an outcome, dims ``(time,)``.
    """
    positions = np.flatnonzero(seen)
    first = max(len(positions) // 2, 5)
    if first >= len(positions):
        return []
    spaced = np.linspace(first, len(positions) - 1, ORIGINS)
    return sorted({int(positions[int(x)]) for x in spaced})


def _forecast_errors(
    noise: AbstractNoise,
    means: Draws,
    mixing: np.ndarray,
    outcome: np.ndarray,
    donors: np.ndarray,
    origin: int,
    post: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast from one origin and return the errors, with and without donors.

    The latter forecast takes the neighbours of a missing outcome as consecutive.
    """
    ahead, trust = slice(origin, origin + post), np.sqrt(mixing[origin : origin + post])
    means = {**means, MIXING: mixing[None, :origin]} if noise.heavy else means
    seen = ~np.isnan(outcome)
    missing = np.flatnonzero(~seen[:origin])
    weights = gls_weights(noise, means, donors[:origin] - outcome[:origin, None], missing)
    residual = outcome - donors @ weights
    past = noise.completed(means, residual[None, :origin], missing)
    path = noise.expected_path(means, past, len(outcome[ahead]))
    with_donors = residual[ahead] - path[0]
    without = outcome[ahead] - _local_level(outcome[:origin][seen[:origin]])
    return (trust * with_donors)[seen[ahead]], (trust * without)[seen[ahead]]


def gls_weights(
    noise: AbstractNoise, means: Draws, distances: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """Compute generalised least squares over the simplex, with the level integrated out.

    Parameters
    ----------
    noise, means
        The noise process and its parameters in typical steps, one value each.
    distances
        Donors minus outcome, dims ``(time, donor)``; missing periods are set to zero in place.
    missing
        Positions of the periods without an outcome; they are left out.

    Returns
    -------
    numpy.ndarray
        Weights, dims ``(donor,)``.
    """
    distances[missing] = 0
    gram = distances.T @ noise.contrast_precision(means, distances.T, missing).T
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    return direction(np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)


def _local_level(series: np.ndarray) -> float:
    """Return the last level of a local level fitted by maximum likelihood.

    The likelihood is maximised over the signal-to-noise ratio, on a grid.
    """
    basis, walk = sine_basis(len(series)), walk_eigenvalues(len(series))
    data, ones = basis @ series, basis @ np.ones(len(series))
    best = max(
        (
            _profile_likelihood(data, ones, 1 + ratio * walk)
            for ratio in np.geomspace(1e-4, 1e4, 33)
        ),
        key=lambda fit: fit[0],
    )
    level, variance = best[1:]
    share = (variance - 1) / variance
    return float(level + (share * (data - ones * level)) @ basis[:, -1])


def _profile_likelihood(
    data: np.ndarray, ones: np.ndarray, variance: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Return a local level's profile log likelihood with a free start, its level and variances."""
    information = (ones**2 / variance).sum()
    level = (ones * data / variance).sum() / information
    squares = ((data - ones * level) ** 2 / variance).mean()
    log_likelihood = (
        -0.5 * (len(data) - 1) * np.log(squares)
        - 0.5 * np.log(variance).sum()
        - 0.5 * np.log(information)
    )
    return float(log_likelihood), float(level), variance
