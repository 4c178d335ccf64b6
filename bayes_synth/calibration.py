"""What the donors say about the forecast error, and how the predictive draws are spread by it.

Donors are untreated, so how far each one's own synthetic control missed it after ``start``, in predictive
standard deviations, is data on this panel's forecast error. The inflation ``kappa`` of that error has a
prior and an exact posterior on a grid: one number needs no sampler. Imports no PyMC.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from bayes_synth.design import texts
from bayes_synth.effects import SAMPLE_DIMS
from bayes_synth.errors import PriorError, listed
from bayes_synth.sampling import check_acceptance, check_count

__all__ = ["COLUMNS", "Calibrated", "Calibration", "Placebos", "check_excluded", "read_calibration", "spread"]

FEW, INFLUENTIAL = 8, 0.25
"""Below this many donors, or above this influence, it is said how much of kappa is its prior."""
COLUMNS = ("error", "sd", "scale", "z", "divergences", "ok")
REACH, NODES = 8.0, 2001
"""The grid of log kappa: its reach in prior standard deviations, and its size."""


class Placebos(NamedTuple):
    """One row per donor as if treated, with :data:`COLUMNS`; the donors that could not be, with the reason.

    ``gaps`` has each one's mean gap (observed minus synthetic, on the model's scale), one column per time; ``stopped`` says
    where an interrupt ended the refits.
    """

    table: pd.DataFrame
    skipped: tuple[str, ...]
    gaps: pd.DataFrame = pd.DataFrame()
    stopped: str = ""

    @property
    def enough(self) -> bool:
        """Whether there is anything to calibrate on; after an interrupt, no fewer than :data:`FEW` donors."""
        return len(self.table) >= (FEW if self.stopped else 1)


@final
@dataclass(frozen=True)
class Calibration:
    """How the intervals are calibrated on the donors; pass it as ``SyntheticControl(calibrate=...)``.

    Parameters
    ----------
    exclude
        Donors set aside because the treatment may have reached them (declared spillover, never a large miss). They
        still serve in the synthetic controls, unless they are dropped from the panel.
    kappa_sd
        Prior standard deviation of ``log kappa``, centred on 0: at 1, kappa lies between 0.14 and 7.1 with
        probability 95 %.
    degrees_of_freedom
        Of the Student-t likelihood of the donors' z-scores, so that a few contaminated donors do not dominate.
        Infinite: normal.
    pooling
        How far each unit's predictive standard deviation is drawn towards the donors' typical one, in units of the
        unit's own scale: from 0 (its own) to 1 (the typical one). A short pre-period says little on how far one
        series will wander; the other series say more.
    most
        Largest number of donors refitted; more are drawn by the fit's seed.
    draws, tune, chains, target_accept
        Of each refit: smaller than the fit's own, because only a mean and a standard deviation are read off.

    Raises
    ------
    PriorError
        O007 for numbers that are out of range, O010 for counts that are too small.

    Notes
    -----
    With ``v`` a unit's predictive standard deviation of the average gap, ``c`` its scale (robust sd of its first
    differences before treatment) and ``r`` the median (of logs) of ``v / c`` over the donors, the pooled one is
    ``V = v^(1-p) (r c)^p``. ``z_j ~ t_nu(0, kappa)``, ``log kappa ~ N(0, kappa_sd^2)``, with ``z_j`` the realised
    average gap of donor j minus its predictive mean, over ``V_j``. The treated unit's predictive path is spread about
    its mean by ``kappa V / (v sqrt(lambda))``, ``lambda ~ Gamma(nu/2, nu/2)``, kappa and lambda drawn once per draw and
    independently of the path. Assumes that the treated unit is exchangeable with the donors in forecast error and
    that no donor was affected. The z-scores share donors and shocks, so their number overstates the evidence.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.4, for placebos in space, of which this is the
    parametric relative. Lange, Little and Taylor (1989), JASA 84(408), for the Student-t likelihood.
    """

    exclude: tuple[str, ...] = ()
    kappa_sd: float = 1.0
    degrees_of_freedom: float = 5.0
    pooling: float = 0.5
    most: int = 40
    draws: int = 250
    tune: int = 400
    chains: int = 2
    target_accept: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(texts(self.exclude)))
        if not (np.isfinite(self.kappa_sd) and self.kappa_sd > 0):
            raise PriorError("O007", f"kappa_sd={self.kappa_sd!r} must be a positive number.")
        if not self.degrees_of_freedom > 0:
            raise PriorError("O007", f"degrees_of_freedom={self.degrees_of_freedom!r} must be positive.")
        for name, least in {"most": 1, "draws": 50, "tune": 50, "chains": 2}.items():
            check_count(name, getattr(self, name), least)
        if not 0 <= self.pooling <= 1:
            raise PriorError("O007", f"pooling={self.pooling!r} must lie between 0 and 1.")
        check_acceptance(self.target_accept)

    def pooled(self, sd: Any, scale: Any, placebos: pd.DataFrame) -> Any:
        """Predictive standard deviations drawn towards the placebos' typical one; units as ``sd`` and ``scale``."""
        typical = np.exp((placebos["sd"] / placebos["scale"]).map(np.log).median())
        # A power of a ratio: exact whatever the units.
        return sd * (typical * scale / sd) ** self.pooling

    def scored(self, placebos: pd.DataFrame) -> pd.DataFrame:
        """The placebos with their z-scores: errors over pooled standard deviations."""
        return placebos.assign(z=placebos["error"] / self.pooled(placebos["sd"], placebos["scale"], placebos))

    @property
    def law(self) -> Any:
        """The likelihood of a z-score at kappa = 1."""
        return stats.norm() if np.isinf(self.degrees_of_freedom) else stats.t(self.degrees_of_freedom)

    def posterior(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior of kappa given the donors' z-scores: values on a grid and their probabilities."""
        logs = np.linspace(-REACH * self.kappa_sd, REACH * self.kappa_sd, NODES)
        likelihood = self.law.logpdf(np.asarray(z)[:, None] * np.exp(-logs)) - logs
        density = likelihood.sum(0) - 0.5 * (logs / self.kappa_sd) ** 2
        mass = np.exp(density - density.max())
        return np.exp(logs), mass / mass.sum()

    def draw(self, z: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws of kappa from its posterior, and of lambda from the scale mixture that makes a Student-t."""
        values, mass = self.posterior(z)
        kappa = np.exp(np.interp(rng.random(shape), np.cumsum(mass) - mass / 2, np.log(values)))
        nu = self.degrees_of_freedom
        return kappa, np.ones(shape) if np.isinf(nu) else rng.gamma(nu / 2, 2 / nu, size=shape)

    def spread(
        self,
        path: xr.DataArray,
        seen: xr.DataArray,
        scale: float,
        placebos: pd.DataFrame,
        rng: np.random.Generator,
        *,
        pooling: float | None = None,
    ) -> "Spread":
        """A predictive path on the model's scale, spread by what the scored placebos say.

        ``seen`` are the times that count for its average; ``pooling`` replaces the one that the placebos imply.
        """
        coords = {dim: path[dim] for dim in SAMPLE_DIMS}
        draws = self.draw(placebos["z"].to_numpy(), path.shape[:2], rng)
        kappa, lam = (xr.DataArray(values, dims=SAMPLE_DIMS, coords=coords) for values in draws)
        if pooling is None:
            sd = float(path.where(seen).mean("time").std(ddof=1))
            pooling = float(self.pooled(sd, scale, placebos)) / sd
        return Spread(spread(path, pooling * kappa, lam), kappa, lam, pooling)

    def __str__(self) -> str:
        return f"LogNormal(0, {self.kappa_sd:g}), Student-t with {self.degrees_of_freedom:g} degrees of freedom"


class Spread(NamedTuple):
    """A path that was spread, and by what: draws of kappa and lambda, and the pooling of its standard deviation."""

    path: xr.DataArray
    kappa: xr.DataArray
    lam: xr.DataArray
    pooling: float


@final
@dataclass(frozen=True, eq=False, repr=False)
class Calibrated:
    """What the donors said, or why they were not asked.

    Parameters
    ----------
    table
        One row per refitted donor (several averaged ones joined by ``+``): ``error`` (realised minus predictive mean of
        the average gap, units of the model's scale), ``sd`` (predictive), ``scale`` (of the donor as treated unit),
        ``z`` (error over pooled sd), ``divergences``, ``ok`` (whether the refit was settled).
    kappa
        Posterior draws, dims ``(chain, draw)``; None without calibration.
    pooling
        The treated unit's pooled over its own predictive standard deviation; its draws are spread by this times kappa.
    excluded
        Donors that the user set aside.
    skipped
        Donors that cannot stand in for a treated unit, each with its reason.
    prior_sd
        Prior standard deviation of log kappa.
    reason
        Why the intervals are not calibrated; empty when they are.
    gaps
        Each donor's mean gap, observed minus synthetic, units of the model's scale: one column per time.
    """

    table: pd.DataFrame
    kappa: xr.DataArray | None = None
    pooling: float = 1.0
    excluded: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    prior_sd: float = np.nan
    reason: str = ""
    gaps: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def prior_influence(self) -> float:
        """Posterior over prior variance of log kappa: near 0 the donors decide, near 1 the prior does."""
        return np.nan if self.kappa is None else float(np.log(self.kappa).var() / self.prior_sd**2)

    @property
    def short(self) -> str:
        """For titles: on how many donors, and the mean of kappa."""
        return "not calibrated" if self.kappa is None else self._sentence()

    def _sentence(self, interval: str = "") -> str:
        size = str(self.table.index[0]).count(" + ") + 1
        who = "donors" if size == 1 else f"averages of {size} donors"
        kappa = float(self.kappa.mean())  # type: ignore[union-attr]
        total = f"model's spread x {kappa * self.pooling:.2g}"
        return f"calibrated on {len(self.table)} {who} (kappa {kappa:.2g}{interval}; {total})"

    def interval(self, ci_prob: float = 0.95) -> np.ndarray:
        """Credible interval of kappa: lower, upper."""
        if self.kappa is None:
            return np.array([np.nan, np.nan])
        return np.asarray(arviz_stats.eti(self.kappa.to_numpy().ravel(), prob=ci_prob))

    def __str__(self) -> str:
        if self.kappa is None:
            return f"not calibrated ({self.reason})"
        low, high = self.interval()
        notes = [f"set aside: {listed(self.excluded, 3)}"] if self.excluded else []
        notes += [f"unusable: {listed(self.skipped, 3)}"] if self.skipped else []
        few = len(self.table) < FEW or self.prior_influence > INFLUENTIAL
        notes += [f"few donors: the prior keeps {self.prior_influence:.0%} of its variance of log kappa"] if few else []
        unsettled = int((~self.table["ok"].astype(bool)).sum())
        notes += [f"{unsettled} refits not settled"] if unsettled else []
        return "; ".join([self._sentence(f" [{low:.2g}, {high:.2g}]"), *notes])

    __repr__ = __str__


def spread(path: xr.DataArray, kappa: xr.DataArray, lam: xr.DataArray) -> xr.DataArray:
    """``m + kappa / sqrt(lambda) * (path - m)`` with ``m`` the mean over draws, ``kappa`` pooled; dims as ``path``.

    The path keeps its mean up to Monte Carlo error, and its draws when kappa and lambda are 1.
    """
    mean = path.mean(SAMPLE_DIMS)
    return (mean + (kappa / np.sqrt(lam)) * (path - mean)).transpose(*path.dims)


def read_calibration(
    group: xr.DataTree | None, plan: Calibration | None, sizes: tuple[int, int], stopped: str = ""
) -> Calibrated:
    """What the group ``calibration`` of a fit says, or why there is none; ``sizes`` are donors and treated units."""
    if plan is None or group is None:
        none = stopped or "no placebo could be made of {} donors for {} treated".format(*sizes)
        reason = none if plan else "calibrate=False"
        return Calibrated(pd.DataFrame(columns=COLUMNS), excluded=plan.exclude if plan else (), reason=reason)
    found = group.to_dataset()
    table = found[list(COLUMNS)].to_dataframe().rename_axis("donor")
    skipped, pooling = tuple(json.loads(found.attrs["skipped"])), float(found.attrs["pooling"])
    gap = found["gap"].transpose("placebo", "time")
    gaps = pd.DataFrame(gap.to_numpy(), index=table.index, columns=gap.indexes["time"])
    return Calibrated(table, found["kappa"], pooling, plan.exclude, skipped, plan.kappa_sd, gaps=gaps)


def check_excluded(exclude: Sequence[str], donors: Sequence[str]) -> None:
    """Refuse to set aside what is no donor."""
    unknown = [label for label in exclude if label not in donors]
    if unknown:
        raise PriorError("O006", f"exclude names {listed(unknown)}, no donor of this panel: {listed(donors)}.")
