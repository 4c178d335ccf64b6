"""Answer questions about draws of an effect, by one type.

Every statement (interval, probability, region of practical equivalence, table, sentence) is read
off the same draws. Imports no PyMC.
"""

from dataclasses import dataclass
from typing import Any, Literal, final, get_args

import arviz_stats
import numpy as np
import xarray as xr

from bayes_synth.errors import OptionError, deprecated
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.sampling.settings import require_probability
from bayes_synth.words import SAMPLE_DIMS, per_cent, probable, public, short, suggestion

__all__ = ["Effect", "IntervalKind", "as_text", "describe", "interval", "require_interval"]

IntervalKind = Literal["eti", "hdi"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Effect:
    """Hold the posterior of one estimand and answer questions about it.

    Parameters
    ----------
    draws
        Dims ``(chain, draw)``, and ``time`` for the pointwise effect. Outcome units; the relative
        effect is a fraction, the log ratio a difference of logarithms.
    estimand
        Name of what the draws are draws of.
    measure
        What the draws are measured in, for labels.

    Notes
    -----
    Observed minus counterfactual, noise included: the interval is for the outcome that would have
    been seen without treatment, not for its expectation. Causal only if no donor was affected and
    nothing else changed at ``start`` (Abadie 2021, section 5).
    """

    draws: xr.DataArray
    estimand: str
    measure: str = ""

    def interval(self, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> xr.DataArray:
        """Return a credible interval.

        Parameters
        ----------
        ci_prob
            Its probability.
        ci_kind
            ``"eti"`` (equal-tailed) or ``"hdi"`` (of highest density).

        Returns
        -------
        xarray.DataArray
            Dim ``ci_bound`` (``lower``, ``upper``), and ``time`` for the pointwise effect, in the
            units of the draws; attributes ``ci_prob`` and ``ci_kind``.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.
        """
        return interval(self.draws, ci_prob, ci_kind)

    def probability(self, *, above: float | None = None, below: float | None = None) -> Any:
        """Return the posterior probability that the effect lies above, below or between values.

        Parameters
        ----------
        above, below
            The values, in outcome units (a fraction for the relative effect); at least one.

        Returns
        -------
        float or xarray.DataArray
            A number; with dim ``time`` for the pointwise effect.

        Raises
        ------
        OptionError
            O005 when neither bound is given, or ``above`` is not less than ``below``.
        """
        if above is None and below is None:
            raise OptionError(
                "O005",
                "above or below must be given, in outcome units (a fraction for the relative "
                "effect), got neither.",
            )
        low, high = -np.inf if above is None else above, np.inf if below is None else below
        if not low < high:
            raise OptionError("O005", f"above={low} must be smaller than below={high}.")
        inside = ((self.draws > low) & (self.draws < high)).where(self.draws.notnull())
        return _number(inside.mean(SAMPLE_DIMS))

    def rope(self, low: float, high: float) -> Any:
        """Return the posterior probability of the region of practical equivalence.

        Parameters
        ----------
        low, high
            Where the region begins and ends, in outcome units (a fraction for the relative effect).

        Returns
        -------
        float or xarray.DataArray
            A number; with dim ``time`` for the pointwise effect.

        Raises
        ------
        OptionError
            O005 unless ``low`` is less than ``high``.

        References
        ----------
        Kruschke (2018), Advances in Methods and Practices in Psychological Science 1(2).
        """
        return self.probability(above=low, below=high)

    @property
    def unit(self) -> str:
        """Return the measure, under its deprecated name."""
        deprecated("Effect.unit", "Effect.measure")
        return self.measure

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return (
            f"Effect: {self.estimand}, {describe(self)}"
            if self.draws.ndim == 2
            else f"Effect: {self._path()}"
        )

    def _path(self) -> str:
        times = self.draws["time"].to_index()
        return f"{self.estimand}, {len(times)} periods, {short(times[0])} to {short(times[-1])}"


def describe(effect: Effect, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> str:
    """Write the median, the interval with its probability and kind, and the sign's probability.

    The median, because a ratio, and the exponential of a Student-t, have no mean.
    """
    low, high = (as_text(effect, float(bound)) for bound in effect.interval(ci_prob, ci_kind))
    middle = float(effect.draws.median())
    value = " ".join(filter(None, [as_text(effect, middle), effect.measure]))
    interval_text = f"[{low}, {high}] ({per_cent(ci_prob)} {ci_kind.upper()})"
    if middle < 0:
        sign, mass = "<", effect.probability(below=0)
    else:
        sign, mass = ">", effect.probability(above=0)
    return f"{value} {interval_text}, P(effect {sign} 0) {probable(mass)}"


def as_text(effect: Effect, value: float) -> str:
    """Write a value of the effect with as many digits as its standard deviation warrants."""
    return ESTIMANDS[effect.estimand].text(value, float(effect.draws.std()))


def interval(draws: xr.DataArray, ci_prob: float, ci_kind: IntervalKind) -> xr.DataArray:
    """Return an interval over chains and draws, with its probability and kind as attributes.

    Raises
    ------
    OptionError
        O004 for a probability outside (0, 1), O001 for an unknown kind.
    """
    require_interval(ci_prob, ci_kind)
    bounds: xr.DataArray = getattr(arviz_stats, ci_kind)(draws, prob=ci_prob, dim=list(SAMPLE_DIMS))
    return bounds.assign_attrs(ci_prob=ci_prob, ci_kind=ci_kind)


def require_interval(ci_prob: float, ci_kind: str) -> None:
    """Refuse a probability or a kind of interval that makes no sense.

    Raises
    ------
    OptionError
        O004 for a probability outside (0, 1), O001 for an unknown kind.
    """
    require_probability("ci_prob", ci_prob, "O004")
    if ci_kind not in get_args(IntervalKind):
        hint = suggestion(ci_kind, get_args(IntervalKind))
        raise OptionError("O001", f'ci_kind must be "eti" or "hdi", got {ci_kind!r}. {hint}')


def _number(value: xr.DataArray) -> Any:
    return float(value) if value.ndim == 0 else value
