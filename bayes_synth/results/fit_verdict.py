"""The fit verdict: whether these donors forecast the treated unit out of sample, before treatment.

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
GOOD, FAIR = 0.75, 1.0


@final
@dataclass(frozen=True)
class FitVerdict:
    """How well the donors forecast the treated unit in its own past.

    Parameters
    ----------
    error, error_without
        Root mean square forecast error from rolling origins, in units of the model's scale (outcome units, or log
        units): with the donors, and of a
        local level without donors.
    origins
        Number of origins; 0 when the pre-period is too short to hold any period out.
    noise_share
        Share of the average counterfactual's predictive variance that the noise's parameters bring, by name;
        the rest is uncertainty about weights and level.
    """

    error: float
    error_without: float
    origins: int
    noise_share: dict[str, float]

    @property
    def ratio(self) -> float:
        """Error with donors over error without."""
        return self.error / self.error_without if self.error_without > 0 else np.nan

    @property
    def word(self) -> str:
        """``good``, ``fair``, ``poor`` (no better than no donors) or ``unknown``."""
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
        return (
            f"{self.word} (held-out error {self.error:.3g} with donors, {self.error_without:.3g} without, "
            f"{self.origins} rolling origins)"
        )


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
        Precision of each pre-period relative to the others, shape ``(time,)``; None unless the noise is Student-t. A
        period that lies far out counts as little here as it did in the fit.
    post
        Number of post-periods.
    variance
        Predictive variance of the average counterfactual, in squared typical steps.
    """
    outcome, donors = inputs.outcome, inputs.donor_outcomes[: inputs.periods]
    typical = {name: np.array([value.mean()]) for name, value in draws.items()}
    starts, mixing = (
        rolling_origins(~np.isnan(outcome)),
        np.ones(len(outcome)) if mixing is None else mixing,
    )
    pairs = [_errors(noise, typical, mixing, outcome, donors, origin, post) for origin in starts]
    errors = [
        np.sqrt(np.mean(np.concatenate(side) ** 2)) * inputs.step
        for side in zip(*pairs, strict=True)
    ]
    without = [np.nan, np.nan]
    shares = {
        name: float(v.mean() / variance) for name, v in noise.average_variance(draws, post).items()
    }
    error, alone = errors or without
    return FitVerdict(float(error), float(alone), len(starts), shares)


def rolling_origins(seen: np.ndarray) -> list[int]:
    """Up to six numbers of periods to learn from, with at least half of the outcomes in them, and at least five."""
    at = np.flatnonzero(seen)
    first = max(len(at) // 2, 5)
    return (
        sorted({int(at[int(x)]) for x in np.linspace(first, len(at) - 1, ORIGINS)})
        if first < len(at)
        else []
    )


def _errors(
    noise: AbstractNoise,
    typical: Draws,
    mixing: np.ndarray,
    outcome: np.ndarray,
    donors: np.ndarray,
    origin: int,
    post: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast errors from one origin, with and without donors; the latter takes a gap's neighbours as consecutive."""
    ahead, trust = slice(origin, origin + post), np.sqrt(mixing[origin : origin + post])
    typical = {**typical, MIXING: mixing[None, :origin]} if noise.heavy else typical
    seen = ~np.isnan(outcome)
    weights = gls_weights(
        noise, typical, donors[:origin] - outcome[:origin, None], np.flatnonzero(~seen[:origin])
    )
    residual = outcome - donors @ weights
    past = noise.completed(typical, residual[None, :origin], np.flatnonzero(~seen[:origin]))
    path = noise.expected_path(typical, past, len(outcome[ahead]))
    errors = (
        residual[ahead] - path[0],
        outcome[ahead] - _local_level(outcome[:origin][seen[:origin]]),
    )
    return (trust * errors[0])[seen[ahead]], (trust * errors[1])[seen[ahead]]


def gls_weights(
    noise: AbstractNoise, typical: Draws, distances: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """Generalised least squares over the simplex, the level integrated out, the missing left out."""
    distances[missing] = 0
    gram = distances.T @ noise.contrast_precision(typical, distances.T, missing).T
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    return direction(np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)


def _local_level(series: np.ndarray) -> float:
    """Last level of a local level fitted by maximum likelihood over the signal-to-noise ratio."""
    basis, walk = sine_basis(len(series)), walk_eigenvalues(len(series))
    data, ones = basis @ series, basis @ np.ones(len(series))
    best = max(
        (_profile(data, ones, 1 + ratio * walk) for ratio in np.geomspace(1e-4, 1e4, 33)),
        key=lambda fit: fit[0],
    )
    level, variance = best[1:]
    share = (variance - 1) / variance
    return float(level + (share * (data - ones * level)) @ basis[:, -1])


def _profile(
    data: np.ndarray, ones: np.ndarray, variance: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Profile log likelihood of a local level with a free start, its level, and its variances."""
    information = (ones**2 / variance).sum()
    level = (ones * data / variance).sum() / information
    squares = ((data - ones * level) ** 2 / variance).mean()
    log_likelihood = (
        -0.5 * (len(data) - 1) * np.log(squares)
        - 0.5 * np.log(variance).sum()
        - 0.5 * np.log(information)
    )
    return float(log_likelihood), float(level), variance
