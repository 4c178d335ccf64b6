"""Pool the effects on units towards their mean: an extra assumption, beside the headline.

``tau_i ~ N(mu, omega^2)``. Given kappa and lambda the estimates are ``N(tau, c V)`` with
``c = kappa^2 / lambda`` and ``V`` the joint covariance of the units' averages; with
``V = U L U'`` the likelihood of each ``omega`` costs as much as there are units.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.results.effects import Effect
from bayes_synth.words import SAMPLE_DIMS, listed

__all__ = ["Pooled", "pool"]

GRID = 80
"""Points of the grid of omega, over :data:`REACH` prior standard deviations."""
REACH = 5.0
FEW = 5
"""Below so many units the prior on omega decides."""
BLOCK = 500
"""Draws that are computed at a time."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pooled:
    """Hold effects on units that were pooled towards their mean.

    Parameters
    ----------
    units
        Average effect on each unit, dims ``(chain, draw, treated)``, in outcome units per period.
    mean
        Expected effect on one more unit like these, dims ``(chain, draw)``.
    heterogeneity
        Standard deviation of the effects over units, dims ``(chain, draw)``, in outcome units.
    prior_sd
        Scale of the half-normal prior on the heterogeneity, in outcome units.
    prior_influence
        Posterior variance of the heterogeneity over that of its prior: near 0 the units decide,
        near 1 the prior does.

    Notes
    -----
    ``tau_i ~ N(mu, omega^2)`` with a flat prior on ``mu``: units are taken to be exchangeable in
    their effects, which the headline of a study does not assume.

    References
    ----------
    Rubin (1981), Journal of Educational Statistics 6(4); Gelman (2006), Bayesian Analysis 1(3), for
    priors on the heterogeneity.
    """

    units: Effect
    mean: Effect
    heterogeneity: Effect
    prior_sd: float
    prior_influence: float

    def to_frame(self, *, ci_prob: float = 0.95) -> pd.DataFrame:
        """Return median, interval and probabilities of each unit's pooled effect.

        Parameters
        ----------
        ci_prob
            Probability of the intervals.
        """
        return self.units.to_frame(ci_prob=ci_prob)

    def __repr__(self) -> str:
        few = (
            f"; under {FEW} units the prior decides"
            if self.units.draws["treated"].size < FEW
            else ""
        )
        rows = {
            "mean": repr(self.mean).removeprefix("Effect: "),
            "heterogeneity": f"median {float(self.heterogeneity.draws.median()):.3g}, prior "
            f"HalfNormal({self.prior_sd:.3g}) keeps {self.prior_influence:.0%} of its variance"
            f"{few}",
            "units": listed(self.units.draws["treated"].to_numpy(), 8),
        }
        lines = [f"  {name:<15}{text}" for name, text in rows.items()]
        return "\n".join(["Pooled effects: units exchangeable, beside the headline", *lines])


def pool(
    average: xr.DataArray,
    inflation: np.ndarray,
    outcome: str,
    rng: np.random.Generator,
    prior_sd: float | None = None,
) -> Pooled:
    """Pool the average effects of units.

    Parameters
    ----------
    average
        Draws of each unit's average effect, dims ``(chain, draw, treated)``.
    inflation
        ``kappa / sqrt(lambda)`` of each draw, dims ``(chain, draw)``; ones without calibration.
    outcome
        Its name, for the measures.
    rng
        Randomness of omega, mu and tau.
    prior_sd
        Of the half-normal prior on omega; None: the units' typical predictive standard deviation.
    """
    draws = average.transpose(*SAMPLE_DIMS, "treated")
    values, scale = draws.to_numpy(), np.asarray(inflation, dtype=float)
    estimate = np.median(values, axis=(0, 1))
    # The joint covariance before the inflation that all units share in a draw.
    errors = ((values - estimate) / scale[..., None]).reshape(-1, values.shape[-1])
    covariance = np.atleast_2d(np.cov(errors.T))
    typical = float(np.sqrt(np.median(np.diag(covariance)) * np.median(scale**2)))
    width = typical if prior_sd is None else prior_sd
    tau, mu, omega = _sampled(estimate, covariance, scale.ravel() ** 2, width, rng)
    shape, measure = values.shape[:2], f"{outcome} per period"
    whole = xr.DataArray(tau.reshape(values.shape), dims=draws.dims, coords=draws.coords)
    one = draws.isel(treated=0, drop=True)
    influence = float(np.var(omega) / (width**2 * (1 - 2 / np.pi)))
    return Pooled(
        Effect(whole, "average", measure, "pooled average"),
        Effect(one.copy(data=mu.reshape(shape)), "average", measure, "mean over units"),
        Effect(one.copy(data=omega.reshape(shape)), "average", measure, "heterogeneity"),
        width,
        influence,
    )


def _sampled(
    estimate: np.ndarray,
    covariance: np.ndarray,
    inflation: np.ndarray,
    width: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw tau, mu and omega given each draw's inflation of the variance."""
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-12 * values.max())
    grid = width * REACH * (np.arange(GRID) + 0.5) / GRID
    rotated, ones = vectors.T @ estimate, vectors.T @ np.ones(len(estimate))
    parts = [
        _block(rotated, ones, values, inflation[k : k + BLOCK], (grid, width), rng)
        for k in range(0, len(inflation), BLOCK)
    ]
    tau, mu, omega = (np.concatenate(each) for each in zip(*parts, strict=True))
    return tau @ vectors.T, mu, omega


def _block(
    rotated: np.ndarray,
    ones: np.ndarray,
    values: np.ndarray,
    inflation: np.ndarray,
    prior: tuple[np.ndarray, float],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw in the coordinates in which the estimates are independent."""
    (grid, width), count = prior, len(inflation)
    total = inflation[:, None, None] * values + grid[None, :, None] ** 2
    information = (ones**2 / total).sum(-1)
    mean = (ones * rotated / total).sum(-1) / information
    misfit = ((rotated - mean[..., None] * ones) ** 2 / total).sum(-1)
    log = -0.5 * (np.log(total).sum(-1) + np.log(information) + misfit) - 0.5 * (grid / width) ** 2
    mass = np.exp(log - log.max(1, keepdims=True))
    cumulative = np.cumsum(mass, axis=1) / mass.sum(1, keepdims=True)
    chosen = (cumulative < rng.random((count, 1))).sum(1)
    rows = np.arange(count)
    omega = grid[chosen] + (rng.random(count) - 0.5) * (grid[1] - grid[0])
    mu = mean[rows, chosen] + rng.standard_normal(count) / np.sqrt(information[rows, chosen])
    noise = inflation[:, None] * values
    share = omega[:, None] ** 2 / (omega[:, None] ** 2 + noise)
    centre = mu[:, None] * ones
    spread = np.sqrt(share * noise)
    tau = centre + share * (rotated - centre) + spread * rng.standard_normal((count, len(values)))
    return tau, mu, omega
