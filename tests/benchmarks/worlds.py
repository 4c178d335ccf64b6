"""Simulated panels without an effect whose treated unit is one of all, or one that was selected.

Each design draws a :class:`World` from a generator of random numbers. The designs are of the kinds
on which version 0.1 broke its promise; sizes are small, because each panel is one fit.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from designs import ar1

import bayes_synth as bs


class World(NamedTuple):
    """Hold outcomes, dims ``(time, unit)``, the treated column, and the number of pre-periods."""

    outcomes: np.ndarray
    treated: int
    pre: int

    @property
    def panel(self) -> bs.Panel:
        """Name the donors and put the treated unit beside them; there is no effect."""
        series, donors = self.series
        names = [f"donor_{j:02d}" for j in range(1, donors.shape[1] + 1)]
        frame = pd.DataFrame(donors, columns=names).assign(treated=series)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bs.Panel.from_wide(frame, treated="treated", start=self.pre)

    @property
    def series(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the treated series and its donors, dims ``(time,)`` and ``(time, donor)``."""
        return self.outcomes[:, self.treated], np.delete(self.outcomes, self.treated, axis=1)


def factors(rng: np.random.Generator, periods: int, units: int, rho: float = 0.7) -> np.ndarray:
    """Units that share three autoregressive factors, each with noise of its own."""
    loadings = rng.normal(1, 0.5, (3, units))
    common = ar1(rng, rho, periods, 3)
    levels = rng.normal(0, 2, units)
    return levels + common @ loadings + 0.5 * rng.standard_normal((periods, units))


def clean(rng: np.random.Generator, units: int = 13, pre: int = 30, post: int = 10) -> World:
    """Exchangeable units, one of them treated at random."""
    return World(factors(rng, pre + post, units), 0, pre)


def walks(rng: np.random.Generator, units: int = 13) -> World:
    """Exchangeable units with random walks of their own on common ones."""
    common = np.cumsum(rng.standard_normal((40, 2)), axis=0) @ rng.uniform(0.5, 1.5, (2, units))
    return World(common + np.cumsum(0.5 * rng.standard_normal((40, units)), axis=0), 0, 30)


def white(rng: np.random.Generator) -> World:
    """Exchangeable units that are white noise on a white factor: no level drifts, ever."""
    common = rng.standard_normal((120, 1)) * rng.uniform(0.5, 1.5, 13)
    return World(rng.normal(0, 2, 13) + common + rng.standard_normal((120, 13)), 0, 100)


def autoregressive(rng: np.random.Generator) -> World:
    """Exchangeable units whose own noise is an autoregression, on a factor that is one too."""
    common = ar1(rng, 0.7, 40, 1) * rng.uniform(0.5, 1.5, 13)
    return World(rng.normal(0, 2, 13) + common + 0.5 * ar1(rng, 0.7, 40, 13), 0, 30)


def counts(rng: np.random.Generator) -> World:
    """Exchangeable counts of which one in ten is zero."""
    rates = np.exp(np.log(6) + 0.3 * ar1(rng, 0.7, 50, 1) + 0.3 * rng.standard_normal(13))
    return World(rng.poisson(rates).astype(float), 0, 36)


def levels(rng: np.random.Generator) -> np.ndarray:
    """Levels of 22 units as those of output: growth by 2 % and 1 % apart, own and common walks."""
    rates = rng.normal(0.02, 0.01, 22) + 0.01 * rng.standard_normal((37, 1))
    return 100 * np.exp(np.cumsum(rates + 0.008 * rng.standard_normal((37, 22)), axis=0))


def grower(rng: np.random.Generator, rank: int | None) -> World:
    """Treat a unit by the rank of its growth before the start; None for one at random."""
    outcomes = levels(rng)
    order = np.argsort(outcomes[24] / outcomes[0])
    chosen = int(rng.integers(22)) if rank is None else int(order[rank])
    others = np.delete(np.arange(22), chosen) if rank is None else order[2:-2]
    drawn = rng.choice(np.setdiff1d(others, chosen), 12, replace=False)
    return World(outcomes[:, [chosen, *drawn]], 0, 25)


def last_off(rng: np.random.Generator, sds: float = 6.0) -> World:
    """Let the treated unit's last pre-period be off by six sds of its noise."""
    world = clean(rng)
    world.outcomes[world.pre - 1, 0] += sds * 0.5 * rng.choice([-1, 1])
    return world


def dip(rng: np.random.Generator) -> World:
    """Treat the unit that lies lowest against itself in the last two pre-periods (Ashenfelter)."""
    noise = ar1(rng, 0.7, 32, 14)
    outcomes = noise + ar1(rng, 0.7, 32, 1)
    chosen = int(np.argmin(outcomes[22:24].mean(0) - outcomes[:22].mean(0)))
    return World(outcomes, chosen, 24)


def wandering(rng: np.random.Generator) -> World:
    """Treat a walker where three in ten units walk and the others do not."""
    outcomes = ar1(rng, 0.7, 80, 1) + 0.7 * rng.standard_normal((80, 13))
    walkers = rng.random(13) < 0.3
    walkers[0] = True
    outcomes[:, walkers] += np.cumsum(0.5 * rng.standard_normal((80, walkers.sum())), axis=0)
    return World(outcomes, 0, 60)


def broken(rng: np.random.Generator, kind: str) -> World:
    """Break donors for six of twenty post-periods, or from one of them on."""
    outcomes = 100 + np.cumsum(rng.standard_normal((110, 2)), axis=0) @ rng.uniform(
        0.5, 1.5, (2, 9)
    )
    outcomes += 0.5 * rng.standard_normal((110, 9))
    outcomes[:, 0] = outcomes[:, 1:4].mean(1) + 0.3 * rng.standard_normal(110)
    at = int(rng.integers(92, 100))
    rows, many = slice(at, at + 6), slice(1, 5)
    if kind == "zeros":
        outcomes[rows, many] = 0
    if kind == "filled":
        outcomes[rows, many] = outcomes[at - 1, many]
    if kind == "level":
        outcomes[at:, 1] += 40
    if kind == "gone":
        outcomes[at:, 1] = 0
    return World(outcomes, 0, 90)


Draw = Callable[[np.random.Generator], World]
CLEAN: dict[str, Draw] = {
    "factors": clean,
    "walks": walks,
    "white noise": white,
    "autoregressive": autoregressive,
    "counts": counts,
    "long past": lambda rng: clean(rng, pre=100, post=30),
    "growth, random unit": lambda rng: grower(rng, None),
}
"""Designs in which the treated unit is one of all: an alarm is in vain."""
FEW: dict[str, Draw] = {
    "two donors": lambda rng: clean(rng, units=3),
    "three donors": lambda rng: clean(rng, units=4),
}
"""Designs with too few donors to learn from, which A005 says."""
WRONG: dict[str, tuple[str, Draw]] = {
    "growth, fastest": ("A006", lambda rng: grower(rng, -1)),
    "growth, second": ("A006", lambda rng: grower(rng, -2)),
    "growth, slowest": ("A006", lambda rng: grower(rng, 0)),
    "last period off": ("A007", last_off),
    "dip": ("A007", dip),
    "wanderer": ("A011", wandering),
    "four donors at zero": ("A008", lambda rng: broken(rng, "zeros")),
    "four donors filled forward": ("A008", lambda rng: broken(rng, "filled")),
    "a donor on another level": ("A008", lambda rng: broken(rng, "level")),
    "a donor gone": ("A008", lambda rng: broken(rng, "gone")),
}
"""Designs with something wrong, and the alarm that is meant to say so."""
DRAWS: dict[str, Draw] = CLEAN | FEW | {name: draw for name, (_, draw) in WRONG.items()}
"""Every design by name."""
STATEMENTS = tuple(name for name in DRAWS if WRONG.get(name, ("",))[0] != "A008")
"""Those whose coverage is of interest: intervals on broken donors need not hold."""
