"""What the donors said about the forecast error, and how it is read from a fit."""

import json
from dataclasses import dataclass, field
from typing import NamedTuple, final

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.model.calibration import COLUMNS, Calibration
from bayes_synth.words import listed

__all__ = ["FEW", "Calibrated", "Placebos", "read_calibration"]

FEW, INFLUENTIAL = 8, 0.25
"""Below this many donors, or above this influence, it is said how much of kappa is its prior."""


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
@dataclass(frozen=True, eq=False, repr=False)
class Calibrated:
    """What the donors said, or why they were not asked.

    Parameters
    ----------
    table
        One row per refitted donor (several averaged ones joined by ``+``): ``error`` (realised minus predictive mean of
        the average gap, units of the model's scale), ``sd`` (predictive), ``step`` (typical one of the donor as treated unit),
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
        notes += (
            [f"few donors: the prior keeps {self.prior_influence:.0%} of its variance of log kappa"]
            if few
            else []
        )
        unsettled = int((~self.table["ok"].astype(bool)).sum())
        notes += [f"{unsettled} refits not settled"] if unsettled else []
        return "; ".join([self._sentence(f" [{low:.2g}, {high:.2g}]"), *notes])

    __repr__ = __str__


def read_calibration(
    group: xr.DataTree | None, plan: Calibration | None, sizes: tuple[int, int], stopped: str = ""
) -> Calibrated:
    """What the group ``calibration`` of a fit says, or why there is none; ``sizes`` are donors and treated units."""
    if plan is None or group is None:
        none = stopped or "no placebo could be made of {} donors for {} treated".format(*sizes)
        reason = none if plan else "calibrate=False"
        return Calibrated(
            pd.DataFrame(columns=COLUMNS), excluded=plan.exclude if plan else (), reason=reason
        )
    found = group.to_dataset()
    # Files of version 0.1 call it so.
    found = found.rename(scale="step") if "scale" in found else found
    table = found[list(COLUMNS)].to_dataframe().rename_axis("donor")
    skipped, pooling = tuple(json.loads(found.attrs["skipped"])), float(found.attrs["pooling"])
    gap = found["gap"].transpose("placebo", "time")
    gaps = pd.DataFrame(gap.to_numpy(), index=table.index, columns=gap.indexes["time"])
    return Calibrated(
        table, found["kappa"], pooling, plan.exclude, skipped, plan.kappa_sd, gaps=gaps
    )
