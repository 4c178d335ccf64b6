"""Estimands: pure functions of labelled draws, and the one type that answers questions about them.

Every statement about an effect (interval, probability, region of practical equivalence, table, sentence)
is read off the same draws. Imports no PyMC.
"""

from dataclasses import dataclass
from typing import Any, Literal, final, get_args

import arviz_stats
import numpy as np
import xarray as xr

from bayes_synth.design import short
from bayes_synth.errors import PriorError, ResultError, suggestion

__all__ = ["SAMPLE_DIMS", "Effect", "Estimand", "IntervalKind", "effect_draws", "estimate", "pointwise"]

Estimand = Literal["pointwise", "average", "cumulative", "relative", "log_ratio"]
IntervalKind = Literal["eti", "hdi"]

SAMPLE_DIMS = ("chain", "draw")
SIGN_CHANGES = 1e-3
"""Largest share of draws in which a relative effect's denominator may have the other sign."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class Effect:
    """Posterior of one estimand.

    Parameters
    ----------
    draws
        Dims ``(chain, draw)``, and ``time`` for the pointwise effect. Outcome units; the relative effect
        is a fraction, the log ratio a difference of logarithms.
    estimand
        What the draws are draws of.
    unit
        Unit of the draws, for labels.

    Notes
    -----
    Observed minus counterfactual, noise included: the interval is for the outcome that would have been
    seen without treatment, not for its expectation. Causal only if no donor was affected and nothing
    else changed at ``start`` (Abadie 2021, section 5).
    """

    draws: xr.DataArray
    estimand: Estimand
    unit: str = ""

    def interval(self, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> xr.DataArray:
        """Credible interval.

        Parameters
        ----------
        ci_prob
            Its probability.
        ci_kind
            Equal-tailed, or of highest density.

        Returns
        -------
        xarray.DataArray
            Dim ``ci_bound`` (``lower``, ``upper``), and ``time`` for the pointwise effect; attributes
            ``ci_prob`` and ``ci_kind``.

        Raises
        ------
        PriorError
            O004 for a probability outside (0, 1), O001 for an unknown kind.
        """
        return interval(self.draws, ci_prob, ci_kind)

    def probability(self, *, above: float | None = None, below: float | None = None) -> Any:
        """Posterior probability that the effect lies above, below, or between two values.

        Returns
        -------
        float or xarray.DataArray
            A number; with dim ``time`` for the pointwise effect.

        Raises
        ------
        PriorError
            O005 when neither bound is given, or ``above`` is not less than ``below``.
        """
        if above is None and below is None:
            raise PriorError(
                "O005", "say above=... or below=..., in outcome units (a fraction for the relative effect)."
            )
        low, high = -np.inf if above is None else above, np.inf if below is None else below
        if not low < high:
            raise PriorError("O005", f"nothing lies above {low} and below {high}; is it the other way round?")
        inside = ((self.draws > low) & (self.draws < high)).where(self.draws.notnull())
        return _number(inside.mean(SAMPLE_DIMS))

    def rope(self, low: float, high: float) -> Any:
        """Posterior probability of the region of practical equivalence from ``low`` to ``high``.

        Returns
        -------
        float or xarray.DataArray
            A number; with dim ``time`` for the pointwise effect.

        Raises
        ------
        PriorError
            O005 unless ``low`` is less than ``high``.

        References
        ----------
        Kruschke (2018), Advances in Methods and Practices in Psychological Science 1(2).
        """
        return self.probability(above=low, below=high)

    def __repr__(self) -> str:
        return f"Effect: {self.estimand}, {describe(self)}" if self.draws.ndim == 2 else f"Effect: {self._path()}"

    def _path(self) -> str:
        times = self.draws["time"].to_index()
        return f"pointwise, {len(times)} periods, {short(times[0])} to {short(times[-1])}"


def describe(effect: Effect, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> str:
    """Median, interval with its probability and kind, and the probability of the sign that was found.

    The median, because a ratio, and the exponential of a Student-t, have no mean.
    """
    low, high = (as_text(effect, float(bound)) for bound in effect.interval(ci_prob, ci_kind))
    middle = float(effect.draws.median())
    value = " ".join(filter(None, [as_text(effect, middle), effect.unit]))
    sign, mass = ("<", effect.probability(below=0)) if middle < 0 else (">", effect.probability(above=0))
    return f"{value} [{low}, {high}] ({per_cent(ci_prob)} {ci_kind.upper()}), P(effect {sign} 0) {probable(mass)}"


def as_text(effect: Effect, value: float) -> str:
    """A value of the effect with as many digits as its spread makes meaningful."""
    if effect.estimand == "relative":
        return f"{value:+.1%}"
    spread = float(effect.draws.std()) or 1.0
    digits = max(0, 1 - int(np.floor(np.log10(spread))))
    return f"{value:+,.{digits}f}"


def per_cent(share: float) -> str:
    """An interval's probability, never rounded to certainty: 99.5%, not 100%."""
    return f"{100 * share:.6g}%"


def probable(mass: float) -> str:
    """A probability that never pretends to be certain."""
    return "> 0.999" if mass > 0.999 else "< 0.001" if mass < 0.001 else f"= {mass:.3f}"


def interval(draws: xr.DataArray, ci_prob: float, ci_kind: IntervalKind) -> xr.DataArray:
    """Interval over chains and draws, with its probability and kind as attributes."""
    check_interval(ci_prob, ci_kind)
    bounds: xr.DataArray = getattr(arviz_stats, ci_kind)(draws, prob=ci_prob, dim=list(SAMPLE_DIMS))
    return bounds.assign_attrs(ci_prob=ci_prob, ci_kind=ci_kind)


def check_interval(ci_prob: float, ci_kind: str) -> None:
    """Refuse a probability or a kind that makes no sense."""
    if not 0 < ci_prob < 1:
        hint = f" Did you mean {ci_prob / 100:g}?" if 1 < ci_prob < 100 else ""
        raise PriorError("O004", f"ci_prob={ci_prob!r} must lie between 0 and 1.{hint}")
    if ci_kind not in get_args(IntervalKind):
        raise PriorError("O001", f"ci_kind={ci_kind!r} is unknown. {suggestion(ci_kind, get_args(IntervalKind))}")


def pointwise(observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Observed minus counterfactual in each period; dims ``(chain, draw, time)``, NaN where nothing was observed."""
    observed, counterfactual = xr.align(observed, counterfactual, join="exact")
    return (observed - counterfactual).transpose(*SAMPLE_DIMS, "time")


def average(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Mean of the pointwise effect; dims ``(chain, draw)``."""
    return effect.mean("time")


def cumulative(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Sum of the pointwise effect; dims ``(chain, draw)``."""
    return effect.sum("time")


def relative(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Cumulative effect over the size of the cumulative counterfactual, draw by draw; dims ``(chain, draw)``.

    Raises
    ------
    ResultError
        R004 when the denominator has both signs: the ratio then means nothing.
    """
    share = sign_changes(counterfactual)
    if share > SIGN_CHANGES:
        raise ResultError(
            "R004",
            f"the counterfactual total is positive in some draws and negative in others ({share:.1%} of them), "
            "so a ratio to it means nothing.\n  Use the average or the cumulative effect.",
        )
    return effect.sum("time") / np.abs(counterfactual.sum("time"))


def log_ratio(effect: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Log of the cumulative outcome over the cumulative counterfactual, draw by draw; dims ``(chain, draw)``.

    Raises
    ------
    ResultError
        R004 when a draw has totals of opposite signs.
    """
    if not log_ratio_exists(effect, counterfactual):
        raise ResultError(
            "R004",
            "outcome and counterfactual total differ in sign in some draws, so their ratio has no logarithm.\n"
            "  Use the average or the cumulative effect.",
        )
    total = counterfactual.sum("time")
    ratio: xr.DataArray = xr.ufuncs.log((total + effect.sum("time")) / total)
    return ratio


def log_ratio_exists(effect: xr.DataArray, counterfactual: xr.DataArray) -> bool:
    """Whether outcome and counterfactual have totals of the same sign in every draw."""
    total = counterfactual.sum("time")
    return bool(((total + effect.sum("time")) * total > 0).all())


def sign_changes(counterfactual: xr.DataArray) -> float:
    """Share of draws whose cumulative counterfactual has the rarer sign, or is zero."""
    total = counterfactual.sum("time")
    return min(float((total <= 0).mean()), float((total >= 0).mean()))


ESTIMANDS = {
    "pointwise": lambda effect, _: effect,
    "average": average,
    "cumulative": cumulative,
    "relative": relative,
    "log_ratio": log_ratio,
}


def estimate(estimand: str, observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.DataArray:
    """Draws of one estimand, over the times that were observed."""
    seen = counterfactual.where(observed.notnull())
    draws: xr.DataArray = ESTIMANDS[estimand](pointwise(observed, seen), seen)
    return draws.rename(estimand)


def effect_draws(observed: xr.DataArray, counterfactual: xr.DataArray) -> xr.Dataset:
    """Draws of every estimand that these data allow, by name, over the times that were observed."""
    counterfactual = counterfactual.where(observed.notnull())
    effect = pointwise(observed, counterfactual)
    absent = {
        "relative": sign_changes(counterfactual) > SIGN_CHANGES,
        "log_ratio": not log_ratio_exists(effect, counterfactual),
    }
    names = [name for name in ESTIMANDS if not absent.get(name, False)]
    return xr.Dataset({name: ESTIMANDS[name](effect, counterfactual) for name in names})


def _number(value: xr.DataArray) -> Any:
    return float(value) if value.ndim == 0 else value
