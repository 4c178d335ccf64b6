"""Noise processes as dense normals, written independently of the library's algebra."""

import numpy as np
from scipy.stats import multivariate_normal

from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.noise.base import FLOOR, AbstractNoise

NOISES = {
    "local level, free": LocalLevel(initial_level=np.inf),
    "local level, proper": LocalLevel(initial_level=4.0),
    "local linear trend, free": LocalLinearTrend(initial_level=np.inf),
    "local linear trend, proper": LocalLinearTrend(drift=1.5, initial_level=4.0),
    "iid, intercept": IID(),
    "iid, no intercept": IID(intercept=False),
    "AR(1), intercept": AR1(),
    "AR(1), no intercept": AR1(intercept=False),
}
"""Every shipped process, with a free level and with a proper one or none."""
POINTS = [
    {"s": 0.7, "q": 0.4, "rho": 0.6},
    {"s": 0.0, "q": 1.3, "rho": -0.5},
    {"s": 2.5, "q": 1e-6, "rho": 0.97},
]
WANDERING = LocalLevel | LocalLinearTrend


def parameters(noise: AbstractNoise, point: dict[str, float]) -> dict[str, np.ndarray]:
    """One draw of the noise's parameters."""
    return {name: np.array([point[name]]) for name in noise.parameters}


def covariance(noise: AbstractNoise, point: dict[str, float], periods: int) -> np.ndarray:
    """Dense covariance of the noise without its level, for as many periods as one likes."""
    t = np.arange(1, periods + 1)
    variance = point["s"] ** 2 + FLOOR**2
    if isinstance(noise, WANDERING):
        drift = noise.drift if isinstance(noise, LocalLinearTrend) else 0.0
        return (
            variance * np.eye(periods)
            + point["q"] ** 2 * np.minimum.outer(t, t)
            + drift**2 * np.outer(t, t)
        )
    if isinstance(noise, AR1):
        return variance / (1 - point["rho"] ** 2) * point["rho"] ** np.abs(np.subtract.outer(t, t))
    return variance * np.eye(periods)


def dense_log_density(noise: AbstractNoise, point: dict[str, float], residual: np.ndarray) -> float:
    """Log density of a residual: the level integrated out of the dense normal."""
    return level_free(noise, covariance(noise, point, len(residual)), residual)


def level_free(noise: AbstractNoise, dense: np.ndarray, residual: np.ndarray) -> float:
    """Integrate the level out: a proper one adds covariance, a free one leaves differences."""
    if np.isinf(noise.level_sd):
        steps = np.diff(np.eye(len(residual)), axis=0)
        return multivariate_normal.logpdf(steps @ residual, cov=steps @ dense @ steps.T)
    return multivariate_normal.logpdf(residual, cov=dense + noise.level_sd**2)
