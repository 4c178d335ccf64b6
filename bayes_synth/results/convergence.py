"""Whether the draws can be trusted: our own checks, run after every fit.

The verdict is about the effect and the noise. Weights have a flag of their own: similar donors can
trade weight without changing the counterfactual, so theirs may mix slowly while the effect is sharp
(Gelman et al. 2020, Bayesian Workflow, section 5, on weak identification).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

__all__ = [
    "FIT", "REFIT", "Convergence", "Standard", "convergence_of", "diagnose", "diagnose_weights", "sampler_problems", "worst",
]  # fmt: skip


class Standard(NamedTuple):
    """What passes as converged: the largest R-hat and the smallest bulk and tail effective sample size."""

    r_hat: float
    ess: float

    def enough(self, draws: int) -> bool:
        """Whether so many draws could reach the effective sample size when they hardly depend on each other."""
        return draws >= 2.5 * self.ess


FIT = Standard(1.01, 400)
"""For a fit: Vehtari et al. (2021)."""
REFIT = Standard(1.05, 100)
"""For a refit, of which a median, a standard deviation and an interval are read to a tenth."""
R_HAT, ESS = FIT
E_BFMI = 0.3
TAIL = 0.89
"""ArviZ's own; said here, so that a verdict does not depend on the user's ``rcParams``."""
CHAINS, DRAWS = 4, 1000
"""Below these the verdict says in words what it cannot see."""
RARE = 1e-3
"""Largest share of draws that may diverge or saturate the tree depth."""


@final
@dataclass(frozen=True)
class Convergence:
    """The verdict on effect, noise and sampler.

    Parameters
    ----------
    problems
        What is wrong, one sentence each; none means converged.
    divergences
        Number of divergent transitions after tuning.
    r_hat, ess
        Worst R-hat, and worst bulk or tail effective sample size, among effect and noise parameters.
    steps
        Whether the sampler's own steps were in trouble (divergences, tree depth, E-BFMI), which smaller ones may mend.
    partial
        What an interrupt left undone, one sentence each; none means whole.
    reservations
        What so few chains or draws cannot show; they leave the verdict as it is.
    """

    problems: tuple[str, ...]
    divergences: int
    r_hat: float
    ess: float
    steps: bool = False
    partial: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and nothing was left undone."""
        return not self.problems and not self.partial

    @property
    def alarms(self) -> tuple[str, ...]:
        """What must be said first wherever the fit is shown; nothing if it is in order."""
        problems = ("NOT CONVERGED: do not use this fit",) if self.problems else ()
        return problems + (
            ("PARTIAL: interrupted, so not the fit that was asked for",) if self.partial else ()
        )

    def __str__(self) -> str:
        facts = f"R-hat {self.r_hat:.3f}, ESS {self.ess:.0f}, {self.divergences} divergences"
        word = f"NOT CONVERGED: {'; '.join(self.problems)}" if self.problems else "converged"
        partial = f"PARTIAL: {'; '.join(self.partial)}; " if self.partial else ""
        return "; ".join([f"{partial}{word} ({facts})", *self.reservations])


def diagnose(draws: xr.Dataset) -> pd.DataFrame:
    """R-hat, bulk and tail ESS and the mean's Monte Carlo error, one row per quantity.

    Parameters
    ----------
    draws
        Variables with dims ``(chain, draw)``, or one further dim whose labels name the rows.

    Notes
    -----
    R-hat of a single chain compares its halves, split once more as every chain is.

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2).
    """
    table = {
        "r_hat": arviz_stats.rhat(_halves(draws) if draws.sizes["chain"] == 1 else draws),
        "ess_bulk": arviz_stats.ess(draws, method="bulk"),
        "ess_tail": arviz_stats.ess(draws, method="tail", prob=TAIL),
        "mcse": arviz_stats.mcse(draws, method="mean"),
    }
    frame = pd.DataFrame(
        {name: _by_quantity(values) for name, values in table.items()}
    ).rename_axis("quantity")
    good = (frame["r_hat"] <= R_HAT) & (frame[["ess_bulk", "ess_tail"]] >= ESS).all(axis=1)
    return frame.assign(ok=good)


def diagnose_weights(draws: xr.DataArray) -> pd.DataFrame:
    """:func:`diagnose` for every donor's weight."""
    return diagnose(draws.to_dataset(name="weights"))


def convergence_of(
    draws: xr.Dataset, sample_stats: xr.Dataset, partial: Sequence[str] = ()
) -> Convergence:
    """The verdict from the draws of effect and noise, the sampler's own statistics, and what an interrupt left undone."""
    table = diagnose(draws)
    bad = table.index[~table["ok"]]
    worst, least = float(table["r_hat"].max()), float(table[["ess_bulk", "ess_tail"]].min().min())
    mixing = [f"{', '.join(bad)}: R-hat above {R_HAT} or ESS below {ESS}"] if len(bad) else []
    divergences = int(sample_stats["diverging"].sum())
    steps = sampler_problems(sample_stats)
    few = _reservations(draws.sizes["chain"], draws.sizes["draw"])
    return Convergence(
        tuple(mixing + steps), divergences, worst, least, bool(steps), tuple(partial), few
    )


def _halves(draws: xr.Dataset) -> xr.Dataset:
    """One chain as two."""
    half = draws.sizes["draw"] // 2
    parts = [draws.isel(chain=0, draw=slice(start, start + half)) for start in (0, half)]
    return xr.concat(
        [part.drop_vars(["chain", "draw"], errors="ignore") for part in parts], dim="chain"
    )


def _reservations(chains: int, draws: int) -> tuple[str, ...]:
    """Codes O011 and O012, as words of the verdict: a good fit of few draws is still one."""
    one = "one chain: R-hat compares halves of one chain and cannot see a second mode"
    few = f"{chains} chains: R-hat is surer with {CHAINS}"
    total = f"{chains * draws} draws in all: tails are rough below {DRAWS}"
    said = [one if chains == 1 else few] if chains < CHAINS else []
    return tuple(said + ([total] if chains * draws < DRAWS else []))


def worst(draws: np.ndarray) -> tuple[float, float]:
    """Largest R-hat and smallest bulk or tail effective sample size of quantities ``(quantity, chain, draw)``.

    The same numbers as :func:`diagnose`, without labels: in a batch they cost more than the sampler. NaN stays NaN.
    """
    chains, size = draws.shape[1:]
    halves = draws[:, 0, : size // 2 * 2].reshape(len(draws), 2, -1) if chains == 1 else draws
    axes = {"chain_axis": 1, "draw_axis": 2}
    sizes = [
        arviz_stats.ess(draws, **kind, **axes)
        for kind in ({"method": "bulk"}, {"method": "tail", "prob": TAIL})
    ]
    return float(np.max(arviz_stats.rhat(halves, **axes))), float(np.min(sizes))


def sampler_problems(stats: xr.Dataset) -> list[str]:
    """What the sampler's own statistics complain of, one sentence each."""
    problems = []
    diverging = float(stats["diverging"].mean())
    if diverging > RARE:
        problems.append(f"{diverging:.1%} of transitions diverged; raise target_accept")
    if (
        "reached_max_treedepth" in stats
        and (deep := float(stats["reached_max_treedepth"].mean())) > RARE
    ):
        problems.append(f"{deep:.1%} of transitions reached the largest tree depth")
    if "energy" in stats and stats.sizes["draw"] > 1:
        bfmi = np.atleast_1d(arviz_stats.bfmi(stats["energy"]).to_numpy())
        if not (bfmi >= E_BFMI).all():
            problems.append(f"E-BFMI {bfmi.min():.2f} is below {E_BFMI}")
    return problems


def _by_quantity(values: xr.Dataset) -> pd.Series:
    rows: dict[str, float] = {}
    for name, array in values.data_vars.items():
        labels = (
            [str(name)]
            if array.ndim == 0
            else [f"{name}[{label}]" for label in array[array.dims[0]].to_numpy()]
        )
        rows |= dict(zip(labels, np.atleast_1d(array.to_numpy()).tolist(), strict=True))
    return pd.Series(rows, dtype=float)
