"""Simulation designs of the coverage scoreboard, from the papers that docstrings name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

import bayes_synth as bs


class Drawn(NamedTuple):
    """A panel and the true average effect in it, in outcome units."""

    panel: bs.Panel
    effect: float


@dataclass(frozen=True)
class Design:
    """A data-generating process and how often the scoreboard draws from it."""

    name: str
    source: str
    draw: Callable[[np.random.Generator], Drawn]
    replications: int = 200


BURN_IN = 200
"""Periods thrown away before an AR(2) counts as stationary."""


def ar1(
    rng: np.random.Generator, rho: float | np.ndarray, periods: int, series: int, sd: float = 1.0
) -> np.ndarray:
    """Stationary AR(1) paths whose innovations have this sd, shape ``(periods, series)``."""
    path = sd * rng.standard_normal((periods, series))
    path[0] /= np.sqrt(1 - np.square(rho))
    for t in range(1, periods):
        path[t] += rho * path[t - 1]
    return path


def unit_ar1(rng: np.random.Generator, rho: float, periods: int, series: int) -> np.ndarray:
    """Stationary AR(1) paths of variance one."""
    return ar1(rng, rho, periods, series, float(np.sqrt(1 - rho**2)))


def unit_ar2(
    rng: np.random.Generator, first: float, second: float, periods: int, series: int
) -> np.ndarray:
    """Stationary AR(2) paths of variance one."""
    variance = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
    path = rng.standard_normal((BURN_IN + periods, series)) / np.sqrt(variance)
    for t in range(2, len(path)):
        path[t] += first * path[t - 1] + second * path[t - 2]
    return path[BURN_IN:]


def as_panel(
    treated: np.ndarray, donors: np.ndarray, pre: int, times: pd.Index | None = None
) -> bs.Panel:
    """A panel whose treated unit ``treated`` is treated after ``pre`` periods."""
    index = pd.RangeIndex(1, len(donors) + 1) if times is None else times
    table = pd.DataFrame(
        donors, index=index, columns=[f"donor_{j:02d}" for j in range(1, donors.shape[1] + 1)]
    )
    return bs.Panel.from_wide(table.assign(treated=treated), treated="treated", start=index[pre])


def ferman(rng: np.random.Generator, *, donors: int, pre: int) -> Drawn:
    """Two factors, of which the treated unit and half of the donors have the first (D1).

    Ferman (2021), On the properties of the synthetic control estimator with many periods and many
    controls, JASA 116(536): factors are AR(1) of coefficient 0.5 and variance 1, shocks N(0, 1),
    one post-period, no effect.
    """
    factors = unit_ar1(rng, 0.5, pre + 1, 2)
    own = (np.arange(donors) >= donors // 2).astype(int)
    outcomes = factors[:, np.append(own, 0)] + rng.standard_normal((pre + 1, donors + 1))
    return Drawn(as_panel(outcomes[:, -1], outcomes[:, :-1], pre), 0.0)


def conformal(rng: np.random.Generator, *, rho: float, trending: bool) -> Drawn:
    """Twenty donors, of which three make the treated unit with weights 1/3; one post-period (D7).

    Chernozhukov, Wuthrich and Zhu (2021), An exact and robust conformal inference method for
    counterfactual and synthetic controls, JASA 116(536): level ``j/J``, a common factor, a second
    one with loading ``j/J`` (plus ``t`` when not stationary), AR(1) errors of variance 1 in donors
    and treated unit. Of their four vectors of weights only the sparse one, (1/3, 1/3, 1/3, 0, ...),
    is drawn: the one a simplex with sparse weights is made for.
    """
    pre, donors = 20, 20
    loadings = np.arange(1, donors + 1) / donors
    common, second = rng.standard_normal((2, pre + 1, 1))
    second += trending * np.arange(1, pre + 2)[:, None]
    outcomes = loadings + common + second * loadings + unit_ar1(rng, rho, pre + 1, donors)
    treated = outcomes[:, :3].mean(axis=1) + unit_ar1(rng, rho, pre + 1, 1)[:, 0]
    return Drawn(as_panel(treated, outcomes, pre), 0.0)


CARBON_WEIGHTS = np.array([0, 0.2, 0, 0.4, 0, 0.1, 0, 0, 0.2, 0, 0, 0, 0, 0.1])
"""Five of fourteen donors; the first has none, because design 6 makes it deviate."""


def carbon(rng: np.random.Generator, *, trends: np.ndarray) -> Drawn:
    """Donors of four factors, each with a slope from ``trends``; a weighted average is treated
    (D8).

    Chernozhukov, Wuthrich and Zhu, A t-test for synthetic controls (arXiv:1812.10820), Table 3:
    white factors, AR(1) unit errors, treated = donors @ weights + AR(1) of coefficient .3125; 30
    pre- and 16 post-periods; no effect; design 1 has no trends, 6 a common ``t`` and another ``t``
    for the first donor, which has no weight, 8 a trend ``j + j t`` for donor ``j``. Theirs is
    calibrated to detrended carbon emissions, which are not at hand. Assumed here: 14 donors with
    ``CARBON_WEIGHTS``; loadings drawn anew each time, N(0, sd^2) with sd .28, .25, .12, .04;
    donors' AR(1) coefficients uniform on (.45, .85) and innovations of sd .035. Those are what four
    principal components leave of the demeaned Basque panel, to which the authors' later version is
    calibrated. Innovations of the treated unit's error have sd .07 (Basque residual sd .076, with
    their .3125 in place of its own .6).
    """
    pre, periods, donors = 30, 46, len(CARBON_WEIGHTS)
    loadings = np.array([[0.28], [0.25], [0.12], [0.04]]) * rng.standard_normal((4, donors))
    outcomes = rng.standard_normal((periods, 4)) @ loadings
    outcomes += ar1(rng, rng.uniform(0.45, 0.85, donors), periods, donors, 0.035)
    outcomes += trends[0] + trends[1] * np.arange(1, periods + 1)[:, None]
    treated = outcomes @ CARBON_WEIGHTS + ar1(rng, 0.3125, periods, 1, 0.07)[:, 0]
    return Drawn(as_panel(treated, outcomes, pre), 0.0)


def carbon_trends() -> dict[int, np.ndarray]:
    """Intercepts and slopes of the donors in designs 1, 6 and 8 of :func:`carbon`."""
    donors = len(CARBON_WEIGHTS)
    order, none = np.arange(1.0, donors + 1), np.zeros(donors)
    return {
        1: np.stack([none, none]),
        6: np.stack([none, 1.0 + (order == 1)]),
        8: np.stack([order, order]),
    }


WEEK = np.array([-1, -0.5, 0, 0.2, 0.8, 1, 0.5])
"""Monday to Sunday."""


def geo(
    rng: np.random.Generator,
    *,
    controls: int = 20,
    days: int = 105,
    pre: int = 90,
    lift: float = 0.0,
    inflated: float = 1.0,
) -> Drawn:
    """Daily sales of markets that share trend and week; the median one is treated (D11, A1 to A4).

    Recast, geo-experiment simulation study (getrecast/geolift-simulation-study): baselines
    lognormal with mean 4000 and log-sd .6, trend 1 + .001 t, week 1 + .10 profile, errors exp(.20
    sqrt(b / mean b) AR(1)) with coefficient .30 and innovations N(0, 1). A2 multiplies the treated
    baseline by five after the choice and leaves its errors alone. The true effect is the average
    lift of the periods as drawn, not its expectation. Panels start on a Monday.
    """
    baselines = np.sort(rng.lognormal(np.log(4000) - 0.6**2 / 2, 0.6, controls + 1))
    chosen = int(np.argmin(np.abs(baselines - np.median(baselines))))
    errors = np.exp(
        0.20 * np.sqrt(baselines / baselines.mean()) * ar1(rng, 0.30, days, controls + 1)
    )
    baselines[chosen] *= inflated
    day = np.arange(1, days + 1)
    sales = ((1 + 0.001 * day) * (1 + 0.10 * WEEK[(day - 1) % 7]))[:, None] * baselines * errors
    gain = lift * sales[pre:, chosen]
    sales[pre:, chosen] += gain
    times = pd.date_range("2024-01-01", periods=days)
    return Drawn(
        as_panel(sales[:, chosen], np.delete(sales, chosen, axis=1), pre, times), float(gain.mean())
    )


def penn(rng: np.random.Generator) -> Drawn:
    """Log output of forty countries, AR(2) errors (.91, -.22); one treated for ten years (D2,
    PENN-like).

    Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), Synthetic difference-in-differences,
    American Economic Review 111(12), section 3: two-way part plus four interactive factors plus
    errors, no effect. Assumed, because the Penn World Table is not read here: 40 of 111 countries
    over 48 years; in units of the overall standard deviation a two-way part of rms .97 (unit
    effects N(0, .94^2) and a linear trend of sd .25), a doubly centred interactive part of rms .23
    (random-walk factors, normal loadings) and errors of sd .07; every country as likely to be
    treated.
    """
    periods, units, pre = 48, 40, 38
    trend = np.linspace(-0.25, 0.25, periods)[:, None] * np.sqrt(3)
    walks = np.cumsum(rng.standard_normal((periods, 4)), axis=0)
    interactive = (walks - walks.mean(axis=0)) @ centred(rng.standard_normal((units, 4))).T
    outcomes = (
        0.94 * rng.standard_normal(units)
        + trend
        + 0.23 * interactive / np.sqrt(np.mean(interactive**2))
    )
    outcomes += 0.07 * unit_ar2(rng, 0.91, -0.22, periods, units)
    chosen = int(rng.integers(units))
    return Drawn(as_panel(outcomes[:, chosen], np.delete(outcomes, chosen, axis=1), pre), 0.0)


def centred(columns: np.ndarray) -> np.ndarray:
    """Columns minus their means."""
    return columns - columns.mean(axis=0)


class Ridge(NamedTuple):
    """Posterior of a Bayesian regression, in the basis of the regressors' left singular vectors."""

    basis: np.ndarray
    fitted: np.ndarray
    share: np.ndarray
    squares: float
    freedom: int
    mean: float
    penalty: float


def ridge(outcome: np.ndarray, regressors: np.ndarray) -> Ridge:
    """Normal-inverse-gamma posterior with the penalty that maximises the marginal likelihood.

    Slopes of the standardised regressors are N(0, sigma^2 / penalty), the intercept is flat,
    p(sigma^2) ~ 1 / sigma^2.
    """
    scaled = centred(regressors) / regressors.std(axis=0)
    basis, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    # Centring costs a degree of freedom: the smallest singular value is zero but for rounding.
    freedom = len(outcome) - 1
    basis, singular = basis[:, :freedom], singular[:freedom]
    rotated, total = basis.T @ outcome, float(np.sum(centred(outcome) ** 2))

    def posterior(penalty: float) -> tuple[float, Ridge]:
        share = singular**2 / (singular**2 + penalty)
        squares = total - float(np.sum(share * rotated**2))
        evidence = 0.5 * np.log1p(-share).sum() - 0.5 * freedom * np.log(squares)
        return evidence, Ridge(
            basis, share * rotated, share, squares, freedom, float(outcome.mean()), penalty
        )

    return max(
        (posterior(penalty) for penalty in np.geomspace(1e-3, 1e5, 161)), key=lambda found: found[0]
    )[1]


@cache
def smoking(state: str) -> tuple[bs.Panel, Ridge]:
    """Proposition 99 without California, a state as if treated; its regression on the others."""
    panel = bs.load_dataset("prop99").as_if_treated(state)
    return panel, ridge(panel.treated_outcome.to_numpy(), panel.donor_outcomes.to_numpy())


def empirical(rng: np.random.Generator, *, state: str) -> Drawn:
    """A state's smoking drawn from its posterior predictive given the other 37, as observed (D5b).

    Klinenberg (2023), Synthetic control with time varying coefficients, JBES 41(4): coefficients do
    not vary in time and are fitted on all 31 years, so that there is no effect from 1989 on. The
    paper fits horseshoe regressions with bayesreg, which is R only; here the regression is
    conjugate, see :func:`ridge`. Slopes may be negative and do not sum to one.
    """
    panel, fit = smoking(state)
    sigma = np.sqrt(fit.squares / rng.chisquare(fit.freedom))
    slopes = fit.fitted + sigma * np.sqrt(fit.share) * rng.standard_normal(len(fit.share))
    level = fit.mean + sigma / np.sqrt(len(panel.times)) * rng.standard_normal()
    series = level + fit.basis @ slopes + sigma * rng.standard_normal(len(panel.times))
    table = panel.donor_outcomes.to_pandas().assign(**{state: series})
    return Drawn(bs.Panel.from_wide(table, treated=state, start=panel.start), 0.0)


STATES = ("Alabama", "Colorado", "Illinois", "Nebraska", "Utah")


def _small() -> Iterable[Design]:
    """Short panels: D1 and D7."""
    for donors in (4, 10):
        for label, pre in (("A", donors + 5), ("B", 2 * donors)):
            draw = partial(ferman, donors=donors, pre=pre)
            yield Design(f"D1 {label}, {donors} donors, {pre} periods", "Ferman 2021", draw)
    for rho in (0.0, 0.6):
        for trending in (False, True):
            draw = partial(conformal, rho=rho, trending=trending)
            yield Design(f"D7 rho {rho:g}{', trend' * trending}", "Chernozhukov et al. 2021", draw)


def _calibrated() -> Iterable[Design]:
    """Designs with the sizes of an application: D8, D11, PENN-like, D5b."""
    for number, trends in carbon_trends().items():
        yield Design(
            f"D8 design {number}", "Chernozhukov et al., t-test", partial(carbon, trends=trends)
        )
    yield Design("D11 A1", "Recast", geo)
    yield Design("D11 A1, 7.5 %", "Recast", partial(geo, lift=0.075))
    yield Design("D11 A2", "Recast", partial(geo, inflated=5.0))
    yield Design("D11 A3", "Recast", partial(geo, controls=9))
    yield Design("D11 A4", "Recast", partial(geo, days=45, pre=30))
    yield Design("AR(2), PENN-like", "Arkhangelsky et al. 2021", penn)
    for state in STATES:
        yield Design(f"D5b {state}", "Klinenberg 2023", partial(empirical, state=state), 100)


DESIGNS: dict[str, Design] = {design.name: design for design in (*_small(), *_calibrated())}
