"""Judge whether the donors forecast the treated unit out of sample, before treatment.

A wandering level absorbs misfit, so an in-sample fit says nothing. From rolling origins in the
pre-period, donors with least-squares weights under the fitted noise compete with forecasts that
could win: the unit's own level, its own level with a drift, and the plain mean of the donors. No
sampling, no PyMC.
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
GOOD, FAIR = 0.5, 1.0
"""Of the errors with donors over those of the unit's own past: the largest ratio that is good, and
the smallest that is poor. At 0.75 one in eight panels whose donors know nothing was good."""
WEIGHTS = 1.25
"""The largest ratio of errors with these weights over those of the plain mean that is good: where
donors are all alike, the plain mean is the truth and weights that are learnt miss by more."""
LOST = 2 / 3
"""Share of the origins from which the own past must come closer before that is an alarm."""
NOTHING = 1e-9
"""An error of fewer typical steps is rounding."""


@final
@dataclass(frozen=True)
class FitVerdict:
    """Say how well the donors forecast the treated unit in its own past.

    Parameters
    ----------
    error, error_without
        Root mean square forecast error from rolling origins on the model's scale (in outcome
        units, or logarithms of them): with the donors and their weights, and of a local level
        without donors, which stays where it is.
    origins
        Number of origins; 0 when the pre-period is too short to hold any period out.
    noise_share
        Share of the average counterfactual's predictive variance that the noise's parameters
        bring, by name; the rest is uncertainty about weights and level.
    error_drift
        The same error of a local level that goes on rising or falling as it did: what can be known
        of a trending series without donors.
    error_mean
        The same error of the plain mean of the donors, moved to the treated unit's own level
        (difference-in-differences): what can be known without weights. NaN with one donor, whose
        mean it is.
    lost
        Number of origins from which the better forecast without donors comes closer than the donors
        do: errors overlap and are few, so that an error that is larger in all may rest on one.
    """

    error: float
    error_without: float
    origins: int
    noise_share: dict[str, float]
    error_drift: float = np.nan
    error_mean: float = np.nan
    lost: int = 0

    @property
    def error_own(self) -> float:
        """Return the error of the better forecast without donors: with a drift or without."""
        return float(np.fmin(self.error_without, self.error_drift))

    @property
    def ratio(self) -> float:
        """Divide the error by that of the best of the other forecasts; NaN where that is zero."""
        return _ratio(self.error, float(np.fmin(self.error_own, self.error_mean)))

    @property
    def ratio_own(self) -> float:
        """Divide the error by that of the unit's own past; from 1 on the donors add nothing."""
        return _ratio(self.error, self.error_own)

    @property
    def ratio_mean(self) -> float:
        """Divide the error by that of the plain mean; at 1 the weights add nothing to it."""
        return _ratio(self.error, self.error_mean)

    @property
    def clearly_poor(self) -> bool:
        """Tell whether the own past forecasts better in all and from most origins: enough to alarm.

        Where the donors help a little, the error with them is the larger by chance in one panel of
        six, and most of those are not lost from two origins in three.
        """
        return self.word == "poor" and self.lost >= LOST * self.origins

    @property
    def word(self) -> str:
        """Call the fit ``good``, ``fair``, ``poor`` or ``unknown``.

        Good: the donors at least halve the error of the unit's own past, and their weights are not
        clearly worse than their plain mean. Poor: they forecast no better than its own past. Fair:
        what lies between. Weights that only equal the plain mean make no fit poor: the donors do
        forecast.
        """
        if not np.isfinite(self.ratio):
            return "unknown"
        if self.ratio_own >= FAIR:
            return "poor"
        return "good" if self.ratio_own <= GOOD and not self.ratio_mean > WEIGHTS else "fair"

    def __str__(self) -> str:
        if self.origins == 0:
            return "unknown (the pre-period is too short to hold periods out)"
        if self.word == "unknown":
            return (
                "unknown (a forecast without these weights missed nothing, so there is nothing to "
                "compare with)"
            )
        return f"{self.word} ({self._errors()}, {self.origins} rolling origins){self._weakness()}"

    def _errors(self) -> str:
        own = "its own drift" if self.error_drift < self.error_without else "its own level"
        mean = f", {self.error_mean:.3g} with their plain mean"
        plain = mean if np.isfinite(self.error_mean) else ""
        ours = f"held-out error {self.error:.3g} with these donors"
        return f"{ours}{plain}, {self.error_own:.3g} with {own}"

    def _weakness(self) -> str:
        """Say what keeps the fit from being good."""
        if self.word == "poor":
            which = f"which comes closer from {self.lost} of {self.origins} origins"
            return f": the donors add nothing to its own past, {which}"
        reasons = {
            "the donors do not halve the error of its own past": self.ratio_own > GOOD,
            "the weights do worse than the plain mean": self.ratio_mean > WEIGHTS,
        }
        weak = " and ".join(reason for reason, holds in reasons.items() if holds)
        return f": {weak}" if weak else ""


def _ratio(error: float, other: float) -> float:
    return error / other if other > 0 else np.nan


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
    windows = [
        _forecast_errors(noise, means, mixing, outcome, donors, origin, post) for origin in origins
    ]
    errors = {
        name: _root_mean_square([window[name] for window in windows]) * inputs.step
        for name in ("error", "error_without", "error_drift", "error_mean")
    }
    if donors.shape[1] == 1:
        errors["error_mean"] = np.nan
    variances = noise.average_variance(draws, post)
    shares = {name: float(part.mean() / variance) for name, part in variances.items()}
    own = "error_drift" if errors["error_drift"] < errors["error_without"] else "error_without"
    lost = sum(_size(window["error"]) > _size(window[own]) for window in windows)
    return FitVerdict(**errors, origins=len(origins), noise_share=shares, lost=lost)


def _size(errors: np.ndarray) -> float:
    return float(np.square(errors).sum())


def _root_mean_square(errors: list[np.ndarray]) -> float:
    """Return it over several windows; NaN without any, and zero where it is rounding."""
    if not errors:
        return np.nan
    size = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    return size if size > NOTHING else 0.0


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
) -> dict[str, np.ndarray]:
    """Forecast from one origin and return every forecast's errors, by field of the verdict."""
    ahead, trust = slice(origin, origin + post), np.sqrt(mixing[origin : origin + post])
    means = {**means, MIXING: mixing[None, :origin]} if noise.heavy else means
    seen = ~np.isnan(outcome)
    missing = np.flatnonzero(~seen[:origin])
    weights = gls_weights(noise, means, donors[:origin] - outcome[:origin, None], missing)
    residual = outcome - donors @ weights
    past = noise.completed(means, residual[None, :origin], missing)
    path = noise.expected_path(means, past, len(outcome[ahead]))
    gap = outcome - donors.mean(1)
    errors = {
        "error": residual[ahead] - path[0],
        "error_without": outcome[ahead] - _own_forecast(outcome[:origin], len(path[0])),
        "error_drift": outcome[ahead] - _own_forecast(outcome[:origin], len(path[0]), drift=True),
        "error_mean": gap[ahead] - np.nanmean(gap[:origin]),
    }
    return {name: (trust * values)[seen[ahead]] for name, values in errors.items()}


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


def _own_forecast(past: np.ndarray, periods: int, *, drift: bool = False) -> np.ndarray:
    """Forecast a series by a local level, with or without a drift, fitted by maximum likelihood.

    The likelihood is maximised over the signal-to-noise ratio, on a grid; level and drift have flat
    priors. Neighbours of a missing outcome count as consecutive for the level and not for the
    drift.

    Parameters
    ----------
    past
        The series before the origin, dims ``(time,)``, NaN where an outcome is missing.
    periods
        Number of periods to forecast.
    drift
        Whether the level drifts at a constant rate.

    Returns
    -------
    numpy.ndarray
        Dims ``(period,)``.
    """
    when, seen = np.arange(len(past) + periods) - len(past), ~np.isnan(past)
    columns = np.column_stack([np.ones(len(when)), when])[:, : 1 + drift]
    series, design = past[seen], columns[: len(past)][seen]
    basis, walk = sine_basis(len(series)), walk_eigenvalues(len(series))
    data, turned = basis @ series, basis @ design
    _, coefficients, variance = max(
        (
            _profile_likelihood(data, turned, 1 + ratio * walk)
            for ratio in np.geomspace(1e-4, 1e4, 33)
        ),
        key=lambda fit: fit[0],
    )
    share = (variance - 1) / variance
    level = (share * (data - turned @ coefficients)) @ basis[:, -1]
    return np.asarray(columns[len(past) :] @ coefficients + level)


def _profile_likelihood(
    data: np.ndarray, design: np.ndarray, variance: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return a profile log likelihood with free coefficients, these coefficients, and variances."""
    weighted = design / variance[:, None]
    information = design.T @ weighted
    coefficients = np.linalg.solve(information, weighted.T @ data)
    squares = ((data - design @ coefficients) ** 2 / variance).mean()
    log_likelihood = (
        -0.5 * (len(data) - design.shape[1]) * np.log(max(squares, np.finfo(float).tiny))
        - 0.5 * np.log(variance).sum()
        - 0.5 * np.linalg.slogdet(information)[1]
    )
    return float(log_likelihood), coefficients, variance
