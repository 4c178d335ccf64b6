"""Judge whether the draws can be trusted, after every fit.

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

from bayes_synth.data.panel import Panel
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.auxiliary import auxiliary_groups
from bayes_synth.sampling.regression import COEFFICIENTS

__all__ = [
    "FIT",
    "REFIT",
    "Convergence",
    "Standard",
    "convergence_of",
    "diagnose",
    "diagnose_weights",
    "sampler_problems",
    "uncalibrated",
    "watched",
    "worst",
]


class Standard(NamedTuple):
    """Say what passes as converged.

    ``r_hat`` is the largest R-hat, ``ess`` the smallest bulk or tail effective sample size.
    """

    r_hat: float
    ess: float

    def enough(self, draws: int) -> bool:
        """Tell whether so many draws could reach ``ess`` when they hardly depend on each other."""
        return draws >= 2.5 * self.ess


FIT = Standard(1.01, 400)
"""A fit must reach this (Vehtari et al. 2021)."""
REFIT = Standard(1.05, 100)
"""A refit must reach this: its median, sd and interval are read to a tenth only."""
E_BFMI = 0.3
TAIL = 0.89
"""ArviZ's default, fixed here so that a verdict does not depend on the user's ``rcParams``."""
CHAINS, DRAWS = 4, 1000
"""Below these the verdict says in words what it cannot see."""
WATCHED = "uncalibrated average effect and noise"
"""What R-hat and ESS of the verdict are of (:func:`watched`)."""
RARE = 1e-3
"""At most this share of draws may diverge or saturate the tree depth."""


@final
@dataclass(frozen=True)
class Convergence:
    """Give the verdict on effect, noise and sampler.

    Parameters
    ----------
    problems
        What is wrong, one sentence each; none means converged.
    divergences
        Number of divergent transitions after tuning.
    r_hat, ess
        Worst R-hat, and worst bulk or tail effective sample size, of effect and noise parameters.
    steps
        Whether the sampler's own steps were in trouble (divergences, tree depth, E-BFMI), which
        smaller ones may mend.
    partial
        What an interrupt left undone, one sentence each; none means that the fit is complete.
    reservations
        What so few chains or draws cannot show, one sentence each; they do not fail the fit.
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
        """Tell whether nothing is wrong and nothing was left undone."""
        return not self.problems and not self.partial

    @property
    def alarms(self) -> tuple[str, ...]:
        """Return what must be said first wherever the fit is shown; empty if it is in order."""
        problems = ("NOT CONVERGED: do not use this fit",) if self.problems else ()
        partial = "PARTIAL: interrupted, so not the fit that was asked for"
        return (*problems, partial) if self.partial else problems

    def __str__(self) -> str:
        worst_of = f"R-hat {self.r_hat:.3f}, ESS {self.ess:.0f}: the worst of {WATCHED}"
        facts = f"{worst_of}; {self.divergences} divergences"
        word = f"NOT CONVERGED: {'; '.join(self.problems)}" if self.problems else "converged"
        partial = f"PARTIAL: {'; '.join(self.partial)}; " if self.partial else ""
        return "; ".join([f"{partial}{word} ({facts})", *self.reservations])


def diagnose(draws: xr.Dataset) -> pd.DataFrame:
    """Compute R-hat, bulk and tail ESS and the mean's Monte Carlo error, a row per quantity.

    Parameters
    ----------
    draws
        Variables with dims ``(chain, draw)``, or one further dim whose labels name the rows.

    Returns
    -------
    pandas.DataFrame
        Columns r_hat, ess_bulk, ess_tail, mcse (in the quantity's own units) and ``ok`` (whether
        the quantity reaches :data:`FIT`).

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
    large = (frame[["ess_bulk", "ess_tail"]] >= FIT.ess).all(axis=1)
    return frame.assign(ok=(frame["r_hat"] <= FIT.r_hat) & large)


def diagnose_weights(draws: xr.DataArray) -> pd.DataFrame:
    """Diagnose every donor's weight; see :func:`diagnose`."""
    return diagnose(draws.to_dataset(name="weights"))


def convergence_of(
    draws: xr.Dataset, sample_stats: xr.Dataset, partial: Sequence[str] = ()
) -> Convergence:
    """Judge whether draws have converged.

    Parameters
    ----------
    draws
        Of effect and noise parameters, dims ``(chain, draw)``.
    sample_stats
        The sampler's own statistics, by ArviZ's names.
    partial
        What an interrupt left undone, one sentence each.
    """
    table = diagnose(draws)
    bad = ", ".join(table.index[~table["ok"]])
    mixing = [f"{bad}: R-hat above {FIT.r_hat} or ESS below {FIT.ess}"] if bad else []
    steps = sampler_problems(sample_stats)
    return Convergence(
        tuple(mixing + steps),
        divergences=int(sample_stats["diverging"].sum()),
        r_hat=float(table["r_hat"].max()),
        ess=float(table[["ess_bulk", "ess_tail"]].min().min()),
        steps=bool(steps),
        partial=tuple(partial),
        reservations=_reservations(draws.sizes["chain"], draws.sizes["draw"]),
    )


def uncalibrated(idata: xr.DataTree) -> xr.DataArray:
    """Return the counterfactual as the sampler left it, before any calibration."""
    group = "predictions_uncalibrated"
    group = group if group in idata.children else "predictions"
    return idata[group].to_dataset()["counterfactual"]


def watched(panel: Panel, model: AbstractSyntheticControl, idata: xr.DataTree) -> xr.Dataset:
    """Return what convergence is judged by: average effect, noise's parameters, coefficients.

    The average is the sampler's own: what calibration adds would hide how well its draws mix.
    Dims ``(chain, draw)``, of coefficients also ``covariate``, outcome units. Auxiliary outcomes
    are judged too.
    """
    observed = idata["predictions_constant_data"].to_dataset()["outcome"]
    average = observed.mean("time") - uncalibrated(idata).where(observed.notnull()).mean("time")
    posterior = idata["posterior"].to_dataset()
    known = [COEFFICIENTS] if COEFFICIENTS in posterior else []
    noise = posterior[[*model.process.parameters, *known]]
    judged = xr.Dataset({"average effect": average}).merge(noise)
    for name, group in auxiliary_groups(idata).items():
        own = watched(panel, model, group)
        judged = judged.merge(own.rename({each: f"{each} of {name}" for each in own.data_vars}))
    return judged


def _halves(draws: xr.Dataset) -> xr.Dataset:
    """Cut one chain into two."""
    half = draws.sizes["draw"] // 2
    parts = [draws.isel(chain=0, draw=slice(start, start + half)) for start in (0, half)]
    return xr.concat(
        [part.drop_vars(["chain", "draw"], errors="ignore") for part in parts], dim="chain"
    )


def _reservations(chains: int, draws: int) -> tuple[str, ...]:
    """Caution about few chains or draws (codes O011 and O012); they do not fail the fit."""
    one = "one chain: R-hat compares halves of one chain and cannot see a second mode"
    few = f"{chains} chains: R-hat is surer with {CHAINS}"
    total = f"{chains * draws} draws in all: tails are rough below {DRAWS}"
    cautions = [one if chains == 1 else few] if chains < CHAINS else []
    return tuple(cautions + ([total] if chains * draws < DRAWS else []))


def worst(draws: np.ndarray) -> tuple[float, float]:
    """Return the largest R-hat and the smallest bulk or tail effective sample size.

    They equal those of :func:`diagnose`, without its labels, which in a batch cost more than the
    sampler. NaN stays NaN.

    Parameters
    ----------
    draws
        Dims ``(quantity, chain, draw)``.
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
    """Say what is wrong by the sampler's own statistics, one sentence each."""
    problems = []
    diverging = float(stats["diverging"].mean())
    if diverging > RARE:
        problems.append(f"{diverging:.1%} of transitions diverged; raise target_accept")
    deep = float(stats.get("reached_max_treedepth", xr.DataArray(0.0)).mean())
    if deep > RARE:
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
