"""Simulation designs of the coverage scoreboard, coded from the papers' descriptions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

import bayes_synth as bs


class Drawn(NamedTuple):
    """One data set and the true average effect in it, in outcome units."""

    panel: bs.Panel
    effect: float


@dataclass(frozen=True)
class Design:
    """How to draw a data set, how often, and whose design it is."""

    source: str
    draw: Callable[[np.random.Generator], Drawn]
    replications: int = 200


def autoregression(
    rng: np.random.Generator, coefficients: tuple[float, ...], periods: int, series: int, sd: float = 1.0
) -> np.ndarray:
    """Autoregressive paths with innovations of this sd, shape ``(periods, series)``, after a long burn-in."""
    burn, order = 200, len(coefficients)
    path = sd * rng.standard_normal((burn + periods, series))
    for t in range(order, burn + periods):
        path[t] += sum(c * path[t - k] for k, c in enumerate(coefficients, 1))
    return path[burn:]


def unit_ar1(rng: np.random.Generator, rho: float, periods: int, series: int) -> np.ndarray:
    """Stationary AR(1) paths of variance one."""
    return autoregression(rng, (rho,), periods, series, np.sqrt(1 - rho**2))


def as_panel(treated: np.ndarray, donors: np.ndarray, pre: int) -> bs.Panel:
    """Arrays as a panel whose treatment starts after ``pre`` periods."""
    table = pd.DataFrame(donors, columns=[f"donor_{j:02d}" for j in range(donors.shape[1])]).assign(treated=treated)
    return bs.Panel.from_wide(table, treated="treated", start=pre)


def ferman(rng: np.random.Generator, *, donors: int, pre: int) -> Drawn:
    """Two stationary factors; the treated unit and half the donors load on the first (Ferman 2021, JASA, D1)."""
    factors = autoregression(rng, (0.5,), pre + 1, 2, np.sqrt(0.75))
    loads = (np.arange(donors) >= donors // 2).astype(int)
    noise = rng.standard_normal((pre + 1, donors + 1))
    return Drawn(as_panel(factors[:, 0] + noise[:, -1], factors[:, loads] + noise[:, :-1], pre), 0.0)


def conformal(rng: np.random.Generator, *, rho: float, trending: bool) -> Drawn:
    """Interactive factors, three donors of weight 1/3, one post-period (Chernozhukov, Wuethrich and Zhu 2021, JASA)."""
    pre, size = 20, 20
    loads, time = np.arange(1, size + 1) / size, np.arange(1, pre + 2)
    factors = rng.standard_normal((pre + 1, 2))
    factors[:, 1] += time * trending
    donors = loads + factors[:, :1] + np.outer(factors[:, 1], loads) + unit_ar1(rng, rho, pre + 1, size)
    return Drawn(as_panel(donors[:, :3].mean(1) + unit_ar1(rng, rho, pre + 1, 1)[:, 0], donors, pre), 0.0)


def cross_fitted(rng: np.random.Generator, *, kind: str) -> Drawn:
    """Four factors, AR(1) errors (rho .3125), T0 = 30, T1 = 16, the spirit of Chernozhukov et al.'s t-test, Table 3.

    Their factors come from data that are not public here; these are simulated. ``stationary`` factors (their design 1),
    ``walk``: random-walk factors (6), ``deviating``: the treated unit has a trend of its own that begins at random (8).
    """
    pre, post, size = 30, 16, 12
    factors = unit_ar1(rng, 0.5, pre + post, 4)
    if kind == "walk":
        factors = np.cumsum(rng.standard_normal((pre + post, 4)), axis=0)
    loads = rng.uniform(0, 1, (4, size + 1))
    outcomes = factors @ loads + unit_ar1(rng, 0.3125, pre + post, size + 1)
    if kind == "deviating":
        outcomes[:, -1] += np.cumsum(0.25 * rng.standard_normal(pre + post))
    return Drawn(as_panel(outcomes[:, -1], outcomes[:, :-1], pre), 0.0)


def geo(
    rng: np.random.Generator, *, controls: int = 20, days: int = 105, pre: int = 90, lift: float = 0.0, larger: float = 1.0
) -> Drawn:
    """Daily sales of markets, the median one treated: the Recast geo-test design, scenarios A1 to A4."""
    base = np.exp(np.log(4000) + 0.6 * rng.standard_normal(controls + 1))
    treated = int(np.argsort(base)[len(base) // 2])
    day = np.arange(days)
    week = 0.10 * np.array([-1, -0.5, 0, 0.2, 0.8, 1, 0.5])[day % 7]
    shocks = unit_ar1(rng, 0.30, days, controls + 1)
    level = base.copy()
    level[treated] *= larger
    sales = level * (1 + 0.001 * day + week)[:, None] * np.exp(0.20 * np.sqrt(base / base.mean()) * shocks)
    effect = lift * sales[pre:, treated]
    sales[pre:, treated] += effect
    return Drawn(as_panel(sales[:, treated], np.delete(sales, treated, axis=1), pre), float(effect.mean()))


def penn(rng: np.random.Generator) -> Drawn:
    """Log output of countries: two-way effects, four factors, AR(2) errors (.91, -.22) (Arkhangelsky et al. 2021, 4.2).

    The Penn World Table is not at hand: unit effects N(0, 1), a common trend, random-walk factors of step sd 0.1 with
    N(0, 0.5^2) loadings, innovations of sd 0.03; one of 40 units treated, more likely a large one.
    """
    pre, post, size = 38, 10, 40
    level = rng.standard_normal(size)
    factors = np.cumsum(0.1 * rng.standard_normal((pre + post, 4)), axis=0)
    outcomes = level + 0.02 * np.arange(pre + post)[:, None] + factors @ (0.5 * rng.standard_normal((4, size)))
    outcomes += autoregression(rng, (0.91, -0.22), pre + post, size, 0.03)
    chances = np.exp(level) / np.exp(level).sum()
    treated = int(rng.choice(size, p=chances))
    return Drawn(as_panel(outcomes[:, treated], np.delete(outcomes, treated, axis=1), pre), 0.0)


@cache
def _regression(state: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Posterior of a Bayesian ridge regression of a state on the others, all years: mean, factor, residual scale, dof.

    The paper's horseshoe regression is R only; here the ridge penalty maximises the marginal likelihood.
    """
    panel = bs.load_dataset("prop99").as_if_treated(state)
    x, y = panel.donor_outcomes.to_numpy(), panel.treated_outcome.to_numpy()
    x, y = (x - x.mean(0)) / x.std(0), y - y.mean()
    left, values, right = np.linalg.svd(x, full_matrices=False)
    rotated = left.T @ y
    best = max(np.geomspace(1e-2, 1e3, 60), key=lambda ridge: _evidence(y, rotated, values, ridge))
    shrunk = values / (values**2 + best) * rotated
    squares = y @ y - (rotated**2 * values**2 / (values**2 + best)).sum()
    return right.T @ shrunk, right.T / np.sqrt(values**2 + best), np.asarray(squares / len(y)), len(y)


def _evidence(y: np.ndarray, rotated: np.ndarray, values: np.ndarray, ridge: float) -> float:
    share = values**2 / (values**2 + ridge)
    squares = y @ y - (share * rotated**2).sum()
    return float(-0.5 * len(y) * np.log(squares) + 0.5 * np.log1p(-share).sum())


def empirical(rng: np.random.Generator, *, state: str) -> Drawn:
    """A state's posterior predictive given the others, constant coefficients (Klinenberg 2023, JBES, section 4.2)."""
    panel = bs.load_dataset("prop99").as_if_treated(state)
    mean, factor, variance, dof = _regression(state)
    donors = panel.donor_outcomes.to_numpy()
    sd = np.sqrt(variance * dof / rng.chisquare(dof))
    slopes = mean + sd * factor @ rng.standard_normal(factor.shape[1])
    standard = (donors - donors.mean(0)) / donors.std(0)
    series = panel.treated_outcome.to_numpy().mean() + standard @ slopes + sd * rng.standard_normal(len(donors))
    return Drawn(as_panel(series, donors, len(panel.pre)), 0.0)


FERMAN, CWZ, RECAST, PENN = "Ferman 2021", "Chernozhukov et al. 2021", "Recast", "Arkhangelsky et al. 2021"
STATES = ("Alabama", "Colorado", "Illinois", "Nebraska", "Utah")

DESIGNS = {
    **{
        f"D7 rho {rho:g}{', trend' * trend}": Design(CWZ, partial(conformal, rho=rho, trending=trend))
        for rho in (0.0, 0.6)
        for trend in (False, True)
    },
    "D11 A1": Design(RECAST, geo),
    "D11 A1, 7.5 %": Design(RECAST, partial(geo, lift=0.075)),
    "D11 A2": Design(RECAST, partial(geo, larger=5.0)),
    "D11 A3": Design(RECAST, partial(geo, controls=9)),
    "D11 A4": Design(RECAST, partial(geo, days=45, pre=30)),
    **{f"D5b {state}": Design("Klinenberg 2023", partial(empirical, state=state), 100) for state in STATES},
    **{
        f"D1 {j} donors, {pre} periods": Design(FERMAN, partial(ferman, donors=j, pre=pre))
        for j in (4, 10)
        for pre in (j + 5, 2 * j)
    },
    **{f"D8 {kind}": Design(CWZ, partial(cross_fitted, kind=kind)) for kind in ("stationary", "walk", "deviating")},
    "AR(2), PENN-like": Design(PENN, penn),
}
