"""Declare estimands: pure functions of labelled draws, each with its words and its format.

An estimand of your own is one function under :func:`estimand`. From then on ``fit.effect(name)``,
``fit.summary()``, plots, reports, batches and the command line have it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import xarray as xr

from bayes_synth.errors import ResultError
from bayes_synth.registry import Registry
from bayes_synth.words import SAMPLE_DIMS

__all__ = [
    "ESTIMANDS",
    "Estimand",
    "effect_draws",
    "estimand",
    "estimate",
    "per_period",
    "pointwise",
]

Function = Callable[[xr.DataArray, xr.DataArray], xr.DataArray]
Obstacle = Callable[[xr.DataArray, xr.DataArray], str]
Style = Literal["number", "per cent"]
Over = Literal["mean", "sum"]
SIGN_CHANGES = 1e-3
"""At most this share of draws may give a relative effect's denominator the other sign."""


def no_obstacle(effect: xr.DataArray, counterfactual: xr.DataArray) -> str:
    """Say of an estimand that all data have it."""
    return ""


@final
@dataclass(frozen=True)
class Estimand:
    """Describe one way to summarise the effect; :func:`estimand` makes it.

    Parameters
    ----------
    name
        What users ask for: ``fit.effect(name)``.
    function
        Takes the pointwise effect and the counterfactual, dims ``(chain, draw, time)``, outcome
        units, NaN where the outcome is missing, and returns draws with dims ``(chain, draw)``, or
        with ``time`` for a path. With several treated units both are those of their mean.
    words
        What it is, for tables and sentences.
    measure
        What its draws are measured in; ``{outcome}`` stands for the outcome's name. Empty for pure
        numbers.
    style
        ``"number"``, or ``"per cent"`` for a fraction that is shown in per cent.
    reported
        Whether reports and the tables of batches have it; ``fit.summary()`` always does.
    path
        Whether it has a value per period.
    obstacle
        Takes the arguments of ``function`` and says why they have no such estimand; empty when
        they do.
    over
        What it is of several treated units: ``"mean"``, per unit; ``"sum"``, of all of them
        together, ``function``'s draws times their number.

    Examples
    --------
    >>> bs.estimands.ESTIMANDS["total"].words
    'total'
    """

    name: str
    function: Function
    words: str
    measure: str = "{outcome}"
    style: Style = "number"
    reported: bool = True
    path: bool = False
    obstacle: Obstacle = no_obstacle
    over: Over = "mean"

    @property
    def factor(self) -> int:
        """Return what values are multiplied by to be shown."""
        return 100 if self.style == "per cent" else 1

    def measured(self, outcome: str, units: int = 1) -> str:
        """Return the measure for an outcome of this name and so many treated units."""
        measure, several = self.measure.replace("{outcome}", outcome), self.of(units)
        return f"{measure} ({several})" if several and measure else measure

    def worded(self, units: int = 1) -> str:
        """Return what it is, for tables, of so many treated units."""
        several = self.of(units) if self.measure else ""
        return f"{self.words}, {several}" if several else self.words

    def of(self, units: int) -> str:
        """Say what is shown of several treated units: their mean or their sum; empty for one."""
        if units == 1:
            return ""
        return f"sum of {units} units" if self.over == "sum" else f"per unit, mean of {units}"

    def draws(
        self, effect: xr.DataArray, counterfactual: xr.DataArray, units: int = 1
    ) -> xr.DataArray:
        """Return the draws, given those of the mean of so many treated units."""
        draws = self.function(effect, counterfactual)
        return units * draws if units > 1 and self.over == "sum" else draws

    def text(self, value: float, sd: float) -> str:
        """Write a value with as many digits as the draws' standard deviation warrants."""
        if self.style == "per cent":
            return f"{value:+.1%}"
        digits = max(0, 1 - int(np.floor(np.log10(sd or 1.0))))
        return f"{value:+,.{digits}f}"


ESTIMANDS: Registry[Estimand] = Registry("estimand")
"""Holds every estimand by name, in the order in which tables show them."""


def estimand(
    words: str,
    *,
    measure: str = "{outcome}",
    style: Style = "number",
    reported: bool = True,
    path: bool = False,
    obstacle: Obstacle = no_obstacle,
    over: Over = "mean",
) -> Callable[[Function], Function]:
    """Declare a function to be an estimand, under the function's own name.

    Parameters
    ----------
    words, measure, style, reported, path, obstacle, over
        See :class:`Estimand`.

    Examples
    --------
    >>> @bs.estimands.estimand("effect in the last period")
    ... def final(observed, counterfactual):
    ...     return (observed - counterfactual).isel(time=-1)
    >>> fit.effect("final").estimand
    'final'
    """

    def declare(function: Function) -> Function:
        name = getattr(function, "__name__", "")
        ESTIMANDS.add(
            name, Estimand(name, function, words, measure, style, reported, path, obstacle, over)
        )
        return function

    return declare


def pointwise(observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Subtract the counterfactual from the observed outcome in each period.

    Dims ``(chain, draw, time)``, outcome units, NaN where the outcome is missing.

    Examples
    --------
    >>> bs.estimands.pointwise(seen, untreated).sizes["time"]
    8
    """
    observed, counterfactual = xr.align(observed, counterfactual, join="exact")
    return (observed - counterfactual).transpose(*SAMPLE_DIMS, "time")


@estimand("average per period", measure="{outcome} per period")
def average(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Average the pointwise effect over its periods; dims ``(chain, draw)``."""
    return effect.mean("time")


@estimand("total", over="sum")
def total(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Sum the pointwise effect over its periods; dims ``(chain, draw)``."""
    return effect.sum("time")


def _ratio_obstacle(effect: xr.DataArray, counterfactual: xr.DataArray) -> str:
    share = sign_changes(counterfactual)
    if share <= SIGN_CHANGES:
        return ""
    return (
        "the counterfactual total is positive in some draws and negative in others "
        f"({share:.1%} of them), so a ratio to it means nothing"
    )


@estimand(
    "total, relative to the counterfactual", measure="", style="per cent", obstacle=_ratio_obstacle
)
def relative(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Divide the total effect by the size of the total counterfactual, draw by draw.

    Dims ``(chain, draw)``; a fraction.
    """
    return effect.sum("time") / np.abs(counterfactual.sum("time"))


def _log_obstacle(effect: xr.DataArray, counterfactual: xr.DataArray) -> str:
    total = counterfactual.sum("time")
    if ((total + effect.sum("time")) * total > 0).all():
        return ""
    return (
        "outcome and counterfactual total differ in sign in some draws, "
        "so their ratio has no logarithm"
    )


@estimand("log ratio to the counterfactual", measure="", reported=False, obstacle=_log_obstacle)
def log_ratio(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Take the log of the total outcome over the total counterfactual, draw by draw.

    Dims ``(chain, draw)``; a difference of logarithms.
    """
    total = counterfactual.sum("time")
    ratio: xr.DataArray = xr.ufuncs.log((total + effect.sum("time")) / total)
    return ratio


def _per_period(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    return effect


ESTIMANDS.add(
    "pointwise",
    Estimand("pointwise", _per_period, "in each period", "{outcome} per period", path=True),
)


@estimand("running total", path=True, over="sum")
def cumulative(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Add up the pointwise effect from the first period on; dims ``(chain, draw, time)``.

    A period without an outcome adds nothing; before the first outcome there is no total (NaN).
    """
    begun = effect.notnull().any(SAMPLE_DIMS).cumsum("time") > 0
    return effect.cumsum("time").where(begun)


def per_period(units: int) -> str:
    """Say of an average that it is per period, and of so many treated units their mean.

    Examples
    --------
    >>> bs.estimands.per_period(2)
    'per period (per unit, mean of 2)'
    """
    several = ESTIMANDS["average"].of(units)
    return f"per period ({several})" if several else "per period"


def sign_changes(counterfactual: xr.DataArray) -> float:
    """Return the share of draws whose total counterfactual has the rarer sign, or is zero."""
    total = counterfactual.sum("time")
    return min(float((total <= 0).mean()), float((total >= 0).mean()))


def estimate(
    name: str, observed: xr.DataArray, counterfactual: xr.DataArray, *, units: int = 1
) -> xr.DataArray:
    """Return the draws of one estimand, over the times that have an outcome.

    Parameters
    ----------
    name
        One of :data:`ESTIMANDS`.
    observed, counterfactual
        Outcome units, dims ``(time,)`` and ``(chain, draw, time)``.
    units
        Of how many treated units they are the mean; totals are summed over the units.

    Raises
    ------
    ResultError
        R004 when these data have no such estimand.

    Examples
    --------
    >>> bs.estimands.estimate("average", seen, untreated).dims
    ('chain', 'draw')
    """
    chosen, counterfactual = ESTIMANDS[name], counterfactual.where(observed.notnull())
    effect = pointwise(observed, counterfactual)
    if obstacle := chosen.obstacle(effect, counterfactual):
        raise ResultError("R004", f"{obstacle}.\n  Use the average or the total effect.")
    return chosen.draws(effect, counterfactual, units).rename(name)


def effect_draws(
    observed: xr.DataArray,
    counterfactual: xr.DataArray,
    names: Iterable[str] | None = None,
    *,
    units: int = 1,
) -> xr.Dataset:
    """Return the draws of every estimand that these data allow, by name; see :func:`estimate`.

    ``names`` are the estimands that are wanted; None for all.

    Examples
    --------
    >>> sorted(bs.estimands.effect_draws(seen, untreated, ["average", "total"]))
    ['average', 'total']
    """
    wanted = ESTIMANDS if names is None else names
    counterfactual = counterfactual.where(observed.notnull())
    effect = pointwise(observed, counterfactual)
    return xr.Dataset(
        {
            name: ESTIMANDS[name].draws(effect, counterfactual, units)
            for name in wanted
            if not ESTIMANDS[name].obstacle(effect, counterfactual)
        }
    )


def __dir__() -> list[str]:
    return sorted(__all__)
