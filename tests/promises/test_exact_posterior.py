"""Sampled posteriors against quadrature over prior quantiles, with dense covariances."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats import mcse
from scipy import stats

import bayes_synth as bs
from bayes_synth.data.panel import Panel
from bayes_synth.model.inputs import typical_step
from bayes_synth.noise import IID, LocalLevel, LocalLinearTrend

PRE, POST, FLOOR = 12, 4, 1e-3


@dataclass(frozen=True)
class Case:
    """A model small enough for quadrature, and what the reference has to know of it."""

    donors: int
    concentration: float
    noise: Any
    level_sd: float
    walk: float | None = None
    drift: float = 0.0


CASES = {
    "2 donors, local level": Case(2, 1.0, LocalLevel(initial_level=np.inf), np.inf, 0.5),
    "3 donors, local level": Case(3, 0.5, LocalLevel(initial_level=np.inf), np.inf, 0.5),
    "3 donors, local level, proper start": Case(3, 2.0, LocalLevel(initial_level=3.0), 3.0, 0.5),
    "2 donors, local linear trend": Case(
        2, 1.0, LocalLinearTrend(drift=0.25, initial_level=np.inf), np.inf, 0.5, 0.25
    ),
    "2 donors, iid": Case(2, 0.5, IID(), np.inf),
    "3 donors, iid": Case(3, 1.0, IID(), np.inf),
    "3 donors, iid, no intercept": Case(3, 1.0, IID(intercept=False), 0.0),
}
QUANTITIES = [
    (name, quantity)
    for name, case in CASES.items()
    for quantity in [
        *(f"w{j}" for j in range(case.donors)),
        "s",
        *(["q"] if case.walk else []),
        "effect",
    ]
]


@cache
def small_panel(donors: int) -> Panel:
    rng = np.random.default_rng(11)
    series = 50 + np.cumsum(rng.standard_normal((PRE + POST, donors)), axis=0)
    treated = series @ np.array([0.6, 0.4, 0.0])[:donors] + 0.5 * rng.standard_normal(PRE + POST)
    treated[PRE:] += 2
    table = pd.DataFrame(series, columns=[f"d{j}" for j in range(donors)]).assign(treated=treated)
    return Panel.from_wide(table, treated="treated", start=PRE)


@cache
def sampled(case: Case) -> xr.Dataset:
    model = bs.SyntheticControl(
        weights=bs.priors.Dirichlet(concentration=case.concentration),
        noise=case.noise,
        calibrate=False,
    )
    fit = model.fit(small_panel(case.donors), draws=2500, random_seed=3, progressbar=False)
    posterior = fit.idata["posterior"].to_dataset()
    weights = {f"w{j}": posterior["weights"].isel(donor=j, drop=True) for j in range(case.donors)}
    return xr.Dataset(
        {
            **weights,
            **{n: posterior[n] for n in case.noise.parameters},
            "effect": fit.effect().draws,
        }
    )


def rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre on (0, 1)."""
    x, weight = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, weight / 2


def product(*axes: tuple[np.ndarray, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    points = np.meshgrid(*(x for x, _ in axes), indexing="ij")
    masses = np.meshgrid(*(m for _, m in axes), indexing="ij")
    return [x.ravel() for x in points], np.prod([m.ravel() for m in masses], axis=0)


def prior_weights(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Nodes on the simplex by breaking a stick at beta quantiles, with their prior mass."""
    unit, mass = product(*[rule(200 if case.donors == 2 else 48)] * (case.donors - 1))
    left, columns = np.ones_like(mass), []
    for j, u in enumerate(unit):
        piece = stats.beta(case.concentration, case.concentration * (case.donors - 1 - j)).ppf(u)
        columns.append(left * piece)
        left = left * (1 - piece)
    return np.column_stack([*columns, left]), mass


@cache
def exact(case: Case) -> dict[str, tuple[float, float]]:
    """Posterior mean and standard deviation of everything, in outcome units."""
    panel = small_panel(case.donors)
    treated, donors = panel.treated_outcome.to_numpy(), panel.donor_outcomes.to_numpy()
    scale = typical_step(treated[:PRE])
    weights, weights_mass = prior_weights(case)
    units, noise_mass = product(*[rule(48)] * 2 if case.walk else [rule(200)])
    s = scale * stats.halfnorm.ppf(units[0])
    q = scale * stats.halfnorm(scale=case.walk).ppf(units[1]) if case.walk else 0 * s

    t = np.arange(1, PRE + POST + 1)
    dense = (s**2 + (FLOOR * scale) ** 2)[:, None, None] * np.eye(PRE + POST)
    dense = (
        dense
        + q[:, None, None] ** 2 * np.minimum.outer(t, t)
        + (case.drift * scale) ** 2 * np.outer(t, t)
    )
    inverse = np.linalg.inv(dense[:, :PRE, :PRE])
    cross, ahead = dense[:, PRE:, :PRE].mean(1), dense[:, PRE:, PRE:].mean((1, 2))
    gain = np.einsum("btu,bu->bt", inverse, cross)
    variance = ahead - (gain * cross).sum(1)
    log_determinant = -np.linalg.slogdet(inverse)[1]
    if case.level_sd:
        loading = inverse.sum(2)
        information = loading.sum(1) + (case.level_sd * scale) ** -2
        inverse = inverse - loading[:, :, None] * loading[:, None] / information[:, None, None]
        log_determinant = log_determinant + np.log(information)
        left = 1 - gain.sum(1)
        gain, variance = (
            gain + (left / information)[:, None] * loading,
            variance + left**2 / information,
        )

    residual = treated[:PRE] - weights @ donors[:PRE].T
    squares = np.einsum("wt,btu,wu->bw", residual, inverse, residual, optimize=True)
    log_mass = -0.5 * (squares + log_determinant[:, None])
    mass = np.exp(log_mass - log_mass.max()) * weights_mass * noise_mass[:, None]
    mass = mass / mass.sum()
    effect = treated[PRE:].mean() - weights @ donors[PRE:].mean(0) - gain @ residual.T
    values = {f"w{j}": weights[:, j] for j in range(case.donors)} | {
        "s": s[:, None],
        "q": q[:, None],
    }
    moments = {name: ((mass * x).sum(), (mass * x**2).sum()) for name, x in values.items()}
    moments["effect"] = (mass * effect).sum(), (mass * (effect**2 + variance[:, None])).sum()
    return {
        name: (first, np.sqrt(max(second - first**2, 0)))
        for name, (first, second) in moments.items()
    }


def error(draws: xr.DataArray, method: str) -> float:
    return float(mcse(draws.to_dataset(name="x"), method=method)["x"])


@pytest.mark.long
@pytest.mark.parametrize(("case", "quantity"), QUANTITIES)
def test_the_posterior_mean_is_that_of_quadrature(case, quantity):
    draws = sampled(CASES[case])[quantity]
    expected, _ = exact(CASES[case])[quantity]
    assert abs(float(draws.mean()) - expected) < 4 * error(draws, "mean")


@pytest.mark.parametrize(("case", "quantity"), QUANTITIES)
def test_the_posterior_sd_is_that_of_quadrature(case, quantity):
    draws = sampled(CASES[case])[quantity]
    _, expected = exact(CASES[case])[quantity]
    assert abs(float(draws.std()) - expected) < 4 * error(draws, "sd")


def test_padding_takes_no_weight():
    total = sum(sampled(CASES["3 donors, iid"])[f"w{j}"] for j in range(3))
    np.testing.assert_allclose(total, 1, rtol=1e-14)


@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
def test_a_long_pre_period_recovers_the_weights():
    truth = np.array([0.5, 0.3, 0.2, 0.0])
    rng = np.random.default_rng(5)
    series = 100 + 5 * rng.standard_normal((2005, 4))
    treated = series @ truth + rng.standard_normal(2005)
    table = pd.DataFrame(series, columns=list("abcd")).assign(treated=treated)
    panel = Panel.from_wide(table, treated="treated", start=2000)
    model = bs.SyntheticControl(
        weights=bs.priors.Dirichlet(concentration=1.0), noise=IID(), calibrate=False
    )
    fit = model.fit(panel, draws=150, tune=250, chains=2, random_seed=1, progressbar=False)
    # An unconstrained regression weight has standard error 1 / (5 sqrt(2000)) = 0.0045.
    np.testing.assert_allclose(fit.weights()["mean"][list("abcd")], truth, atol=4 * 0.0045)
