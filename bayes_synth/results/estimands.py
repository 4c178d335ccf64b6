"""Estimands: pure functions of labelled draws, each declared once with its words and its format.

An estimand of your own is one function under :func:`estimand`. From then on ``fit.effect(name)``, ``fit.summary()``,
plots, reports, batches and the command line have it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import xarray as xr

from bayes_synth.errors import ResultError
from bayes_synth.registry import Registry
from bayes_synth.words import SAMPLE_DIMS

__all__ = ["ESTIMANDS", "Estimand", "effect_draws", "estimand", "estimate", "pointwise"]

Draws = Callable[[xr.DataArray, xr.DataArray], xr.DataArray]
SIGN_CHANGES = 1e-3
"""Largest share of draws in which a relative effect's denominator may have the other sign."""


def _always(effect: xr.DataArray, counterfactual: xr.DataArray) -> str:
    return ""


@final
@dataclass(frozen=True)
class Estimand:
    """One way to summarise the effect; made by :func:`estimand`.

    Parameters
    ----------
    name
        What users ask for: ``fit.effect(name)``.
    function
        Takes the pointwise effect and the counterfactual, dims ``(chain, draw, time)``, NaN where nothing was observed,
        and returns draws with dims ``(chain, draw)``, or with ``time`` for a path.
    words
        What it is, for tables and sentences.
    measure
        What its draws are measured in; ``{outcome}`` stands for the outcome's name. Empty for pure numbers.
    style
        ``"number"``, or ``"per cent"`` for a fraction that is shown in per cent.
    reported
        Whether reports and the tables of batches have it; ``fit.summary()`` always does.
    path
        Whether it has a value per period.
    obstacle
        Takes the arguments of ``function`` and says why they have no such estimand; empty when they do.
    """

    name: str
    function: Draws
    words: str
    measure: str = "{outcome}"
    style: Literal["number", "per cent"] = "number"
    reported: bool = True
    path: bool = False
    obstacle: Callable[[xr.DataArray, xr.DataArray], str] = _always

    @property
    def factor(self) -> int:
        """What values are multiplied by to be shown."""
        return 100 if self.style == "per cent" else 1

    def measured(self, outcome: str) -> str:
        """The measure of this outcome."""
        return self.measure.replace("{outcome}", outcome)

    def text(self, value: float, spread: float) -> str:
        """A value with as many digits as its spread makes meaningful."""
        if self.style == "per cent":
            return f"{value:+.1%}"
        digits = max(0, 1 - int(np.floor(np.log10(spread or 1.0))))
        return f"{value:+,.{digits}f}"


ESTIMANDS: Registry[Estimand] = Registry("estimand")
"""Every estimand by name, in the order in which tables show them."""


def estimand(
    words: str,
    *,
    measure: str = "{outcome}",
    style: Literal["number", "per cent"] = "number",
    reported: bool = True,
    path: bool = False,
    obstacle: Callable[[xr.DataArray, xr.DataArray], str] = _always,
) -> Callable[[Draws], Draws]:
    """Declare a function an estimand, under the function's own name; see :class:`Estimand` for the options."""

    def declared(function: Draws) -> Draws:
        name = getattr(function, "__name__", "")
        ESTIMANDS.add(
            name, Estimand(name, function, words, measure, style, reported, path, obstacle)
        )
        return function

    return declared


def pointwise(observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Observed minus counterfactual in each period; dims ``(chain, draw, time)``, NaN where nothing was observed."""
    observed, counterfactual = xr.align(observed, counterfactual, join="exact")
    return (observed - counterfactual).transpose(*SAMPLE_DIMS, "time")


@estimand("average per period", measure="{outcome} per period")
def average(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Mean of the pointwise effect; dims ``(chain, draw)``."""
    return effect.mean("time")


@estimand("total")
def cumulative(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Sum of the pointwise effect; dims ``(chain, draw)``."""
    return effect.sum("time")


def _ratio_obstacle(effect: xr.DataArray, counterfactual: xr.DataArray) -> str:
    share = sign_changes(counterfactual)
    if share <= SIGN_CHANGES:
        return ""
    return (
        f"the counterfactual total is positive in some draws and negative in others ({share:.1%} of them), "
        "so a ratio to it means nothing"
    )


@estimand(
    "total, relative to the counterfactual", measure="", style="per cent", obstacle=_ratio_obstacle
)
def relative(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Cumulative effect over the size of the cumulative counterfactual, draw by draw; dims ``(chain, draw)``."""
    return effect.sum("time") / np.abs(counterfactual.sum("time"))


def _log_obstacle(effect: xr.DataArray, counterfactual: xr.DataArray) -> str:
    total = counterfactual.sum("time")
    if ((total + effect.sum("time")) * total > 0).all():
        return ""
    return "outcome and counterfactual total differ in sign in some draws, so their ratio has no logarithm"


@estimand("log ratio to the counterfactual", measure="", reported=False, obstacle=_log_obstacle)
def log_ratio(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Log of the cumulative outcome over the cumulative counterfactual, draw by draw; dims ``(chain, draw)``."""
    total = counterfactual.sum("time")
    ratio: xr.DataArray = xr.ufuncs.log((total + effect.sum("time")) / total)
    return ratio


def _per_period(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    return effect


ESTIMANDS.add(
    "pointwise",
    Estimand("pointwise", _per_period, "in each period", "{outcome} per period", path=True),
)


def sign_changes(counterfactual: xr.DataArray) -> float:
    """Share of draws whose cumulative counterfactual has the rarer sign, or is zero."""
    total = counterfactual.sum("time")
    return min(float((total <= 0).mean()), float((total >= 0).mean()))


def estimate(name: str, observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Draws of one estimand, over the times that were observed.

    Raises
    ------
    ResultError
        R004 when these data have no such estimand.
    """
    chosen, seen = ESTIMANDS[name], counterfactual.where(observed.notnull())
    effect = pointwise(observed, seen)
    if obstacle := chosen.obstacle(effect, seen):
        raise ResultError("R004", f"{obstacle}.\n  Use the average or the cumulative effect.")
    return chosen.function(effect, seen).rename(name)


def effect_draws(observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.Dataset:
    """Draws of every estimand that these data allow, by name, over the times that were observed."""
    counterfactual = counterfactual.where(observed.notnull())
    effect = pointwise(observed, counterfactual)
    allowed = [each for each in ESTIMANDS.values() if not each.obstacle(effect, counterfactual)]
    return xr.Dataset({each.name: each.function(effect, counterfactual) for each in allowed})
