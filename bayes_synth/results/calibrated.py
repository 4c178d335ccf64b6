"""Read from a fit what its donors showed about the forecast error, and say it in a sentence."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.model.calibration import COLUMNS, Calibration
from bayes_synth.model.inflation import Inflation
from bayes_synth.words import listed

__all__ = ["FEW", "IN_A_SET", "Calibrated", "Placebos", "read_calibration"]

IN_A_SET = re.compile(r" \(set \d+\)$")
"""What follows a donor's label where it was refitted as a member of several placebo sets."""
FEW, INFLUENTIAL = 8, 0.25
"""Below this many donors, or above this influence, the words say how much of kappa is its prior."""


class Alternative(NamedTuple):
    """Hold what the donors' refits have shown under one prior on ``q``.

    ``factor`` multiplies the prior sd of ``q``; ``share`` is its posterior probability given the
    donors' errors; ``table`` has one row per donor with :data:`COLUMNS`; ``growth`` is the power of
    the horizon by which errors grow beyond what the model says; ``inflations`` of the average and
    of the deviations are given where they were learnt from sets of donors, else the rows give them.
    """

    factor: float
    share: float
    table: pd.DataFrame
    growth: float = 0.0
    inflations: tuple[Inflation, Inflation] | None = None


class Placebos(NamedTuple):
    """Hold what refits of the donors as if treated have shown.

    ``table`` has one row per donor with :data:`COLUMNS`, under the most probable prior on ``q``;
    ``skipped`` names the donors that could not be refitted, each with its reason; ``gaps`` has each
    one's mean gap (observed minus synthetic, on the model's scale), one column per time;
    ``stopped`` says where an interrupt ended the refits; ``alternatives`` has the tables under
    every prior on ``q``; ``power`` is that of the likelihood, below one where groups overlap;
    ``sets`` is the number of placebo sets of a study that they were refitted in, 0 without any;
    ``auxiliary`` has what they have shown about each auxiliary outcome.
    """

    table: pd.DataFrame
    skipped: tuple[str, ...]
    gaps: pd.DataFrame = pd.DataFrame()
    stopped: str = ""
    alternatives: tuple[Alternative, ...] = ()
    power: float = 1.0
    sets: int = 0
    auxiliary: tuple["Placebos", ...] = ()

    @property
    def each(self) -> tuple[Alternative, ...]:
        """Return the alternatives; the table alone where the prior on ``q`` was not weighed."""
        return self.alternatives or (Alternative(1.0, 1.0, self.table),)

    def without(self, labels: Sequence[str], plan: Calibration) -> "Placebos":
        """Leave out every placebo in which one of these donors was treated, and score the rest."""
        out = [row for row in self.table.index if {*labels} & _members(str(row))]
        kept = [each._replace(table=each.table.drop(index=out)) for each in self.each]
        scored = tuple(
            each._replace(table=plan.scored(each.table)) if len(each.table) else each
            for each in kept
        )
        best = max(scored, key=lambda each: each.share)
        gaps = self.gaps.drop(index=[row for row in out if row in self.gaps.index])
        return self._replace(table=best.table, gaps=gaps, alternatives=scored)

    @property
    def enough(self) -> bool:
        """Tell whether to calibrate on these; after an interrupt it takes :data:`FEW` donors."""
        return len(self.table) >= (FEW if self.stopped else 1)


def _members(row: str) -> set[str]:
    """Return the labels that a placebo may be called by: itself, and those averaged in it."""
    return {row, *row.split(" + "), IN_A_SET.sub("", row)}


@final
@dataclass(frozen=True, eq=False, repr=False)
class Calibrated:
    """Say how the intervals are calibrated on the donors, or why they are not.

    Parameters
    ----------
    table
        One row per refitted donor (several averaged ones joined by ``+``): ``error`` (realised
        minus predictive mean of the average gap, on the model's scale), ``sd`` (predictive),
        ``step`` (typical step of the donor as treated unit), ``z`` (error over pooled sd),
        ``divergences``, ``ok`` (whether the refit was settled).
    kappa
        Posterior draws, dims ``(chain, draw)``; None without calibration.
    pooling
        The treated unit's pooled over its own predictive standard deviation; its draws are
        inflated by this times kappa.
    excluded
        Donors that the user set aside.
    skipped
        Donors that cannot stand in for a treated unit, each with its reason.
    prior_sd
        Prior standard deviation of log kappa.
    reason
        Why the intervals are not calibrated; empty when they are.
    gaps
        Each donor's mean gap (observed minus synthetic) on the model's scale, one column per time.
    alternatives
        The tables under every prior on ``q``, with the weight that the donors' errors give it.
    pooling_deviations
        As ``pooling``, for the deviations from the average.
    power
        Power of the likelihood of the z-scores: below one where groups of donors overlap.
    width_ratio
        Width of the calibrated 95 % interval of the average effect over that of the model's own
        (:mod:`bayes_synth.results.width_ratio`); NaN when the file has no uncalibrated draws.
    sets
        Number of placebo sets of a study that the table's rows were refitted in; 0 without any.
    """

    table: pd.DataFrame
    kappa: xr.DataArray | None = None
    pooling: float = 1.0
    excluded: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    prior_sd: float = np.nan
    reason: str = ""
    gaps: pd.DataFrame = field(default_factory=pd.DataFrame)
    alternatives: tuple[Alternative, ...] = ()
    pooling_deviations: float = 1.0
    power: float = 1.0
    width_ratio: float = np.nan
    sets: int = 0

    @property
    def placebos(self) -> Placebos:
        """The refits behind it, as the calibration used them."""
        return Placebos(
            self.table,
            self.skipped,
            self.gaps,
            alternatives=self.alternatives,
            power=self.power,
            sets=self.sets,
        )

    @property
    def prior_influence(self) -> float:
        """Divide the posterior by the prior variance of log kappa.

        Near 0 the donors decide, near 1 the prior does.
        """
        return np.nan if self.kappa is None else float(np.log(self.kappa).var() / self.prior_sd**2)

    @property
    def short(self) -> str:
        """Return one sentence for titles: on how many donors, and the mean of kappa."""
        return "not calibrated" if self.kappa is None else self._sentence()

    def _sentence(self, interval: str = "") -> str:
        averaged = str(self.table.index[0]).count(" + ") + 1
        who = "donors" if averaged == 1 else f"averages of {averaged} donors"
        kappa = float(self.kappa.mean())  # type: ignore[union-attr]
        who = f"{who} in {self.sets} placebo sets" if self.sets else who
        total = f"95% interval x {self.width_ratio:.2g} of the model's own"
        total = total if np.isfinite(self.width_ratio) else "no uncalibrated draws to compare with"
        return f"calibrated on {len(self.table)} {who} (kappa {kappa:.2g}{interval}; {total})"

    def interval(self, ci_prob: float = 0.95) -> np.ndarray:
        """Return the equal-tailed credible interval of kappa: lower, upper."""
        if self.kappa is None:
            return np.array([np.nan, np.nan])
        return np.asarray(arviz_stats.eti(self.kappa.to_numpy().ravel(), prob=ci_prob))

    def __str__(self) -> str:
        if self.kappa is None:
            return f"not calibrated ({self.reason})"
        low, high = self.interval()
        notes = [f"set aside: {listed(self.excluded, 3)}"] if self.excluded else []
        notes += [f"unusable: {listed(self.skipped, 3)}"] if self.skipped else []
        if len(self.table) < FEW or self.prior_influence > INFLUENTIAL:
            share = f"{self.prior_influence:.0%}"
            notes += [f"few donors: the prior keeps {share} of its variance of log kappa"]
        unsettled = int((~self.table["ok"].astype(bool)).sum())
        notes += [f"{unsettled} refits not settled"] if unsettled else []
        return "; ".join([self._sentence(f" [{low:.2g}, {high:.2g}]"), *notes])

    __repr__ = __str__


def read_calibration(
    group: xr.DataTree | None, plan: Calibration | None, counts: tuple[int, int], stopped: str = ""
) -> Calibrated:
    """Read the group ``calibration`` of a fit, or say why there is none.

    Parameters
    ----------
    group
        The group; None when the fit has none.
    plan
        How the intervals were to be calibrated; None without calibration.
    counts
        How many donors and treated units the panel has.
    stopped
        Where an interrupt ended the refits; empty when it did not.
    """
    if plan is None:
        return Calibrated(pd.DataFrame(columns=COLUMNS), reason="calibrate=False")
    if group is None:
        none = "no placebo could be made of {} donors for {} treated".format(*counts)
        table = pd.DataFrame(columns=COLUMNS)
        return Calibrated(table, excluded=plan.exclude, reason=stopped or none)
    evidence = group.to_dataset()
    alternatives = _alternatives(evidence)
    table = max(alternatives, key=lambda each: each.share).table
    pooling = float(evidence.attrs["pooling"])
    return Calibrated(
        table,
        evidence["kappa"],
        pooling,
        plan.exclude,
        tuple(json.loads(evidence.attrs["skipped"])),
        plan.kappa_sd,
        gaps=_gaps(evidence, table.index),
        alternatives=alternatives,
        pooling_deviations=float(evidence.attrs.get("pooling_deviations", pooling)),
        power=float(evidence.attrs.get("power", 1.0)),
        sets=int(evidence.attrs.get("sets", 0)),
    )


def _alternatives(evidence: xr.Dataset) -> tuple[Alternative, ...]:
    """Read the tables; files of version 0.1 have one, without deviations from the average."""
    # Files of version 0.1 name the typical step "scale".
    evidence = evidence.rename(scale="step") if "scale" in evidence else evidence
    if "alternative" not in evidence.dims:
        absent = {name: np.nan for name in COLUMNS if name not in evidence}
        first = evidence.assign(absent)[list(COLUMNS)]
        return (Alternative(1.0, 1.0, first.to_dataframe().rename_axis("donor")),)
    parts = [evidence.isel(alternative=k) for k in range(evidence.sizes["alternative"])]
    return tuple(
        Alternative(
            float(part["alternative"]),
            float(part["share"]),
            part[list(COLUMNS)].to_dataframe()[list(COLUMNS)].rename_axis("donor"),
            float(part["growth"]),
        )
        for part in parts
    )


def _gaps(evidence: xr.Dataset, donors: pd.Index) -> pd.DataFrame:
    """Read each donor's mean gap; the first files of version 0.1 have none."""
    if "gap" not in evidence:
        return pd.DataFrame(index=donors)
    gap = evidence["gap"].transpose("placebo", "time")
    return pd.DataFrame(gap.to_numpy(), index=donors, columns=gap.indexes["time"])
