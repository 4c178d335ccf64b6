"""Answer questions about draws of an effect, by one type.

Every statement (interval, probability, region of practical equivalence, table, sentence) is read
off the same draws. Imports no PyMC.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, final, get_args

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.errors import OptionError, deprecated
from bayes_synth.results.arithmetic import AbstractArithmetic
from bayes_synth.results.bands import BandKind, band, require_band, warned
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.results.monte_carlo import two_sided
from bayes_synth.sampling.settings import require_probability
from bayes_synth.words import (
    SAMPLE_DIMS,
    listed,
    per_cent,
    probable,
    public,
    short,
    span,
    suggestion,
)

__all__ = ["Effect", "IntervalKind", "as_text", "describe", "interval", "require_interval"]

IntervalKind = Literal["eti", "hdi"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Effect(AbstractArithmetic):
    """Hold the posterior of one estimand and answer questions about it.

    Parameters
    ----------
    draws
        Dims ``(chain, draw)``, and ``time`` for a path: the pointwise effect and the cumulative
        one; of a study ``treated``, ``start``, ``event`` or ``time``. Outcome units; the relative
        effect is a fraction, the log ratio a difference of logarithms.
    estimand
        Name of what the draws are draws of.
    measure
        What the draws are measured in, for labels; with several treated units also whether the
        draws are of their mean (``per unit, mean of 2``) or of their sum (``sum of 2 units``).
    label
        How the draws were computed from the estimand's, such as ``total / 250,000``; empty for the
        estimand itself.

    Notes
    -----
    ``+``, ``-``, ``*`` and ``/`` with a number on either side return another effect:
    ``fit.effect("total") / 250_000`` is the return on a spend of 250,000, with its interval.
    The measure stays in words: ``sales / 250,000``.

    Observed minus counterfactual, noise included: the interval is for the outcome that would have
    been seen without treatment, not for its expectation. Causal only if no donor was affected and
    nothing else changed at ``start`` (Abadie 2021, section 5).

    Examples
    --------
    >>> total = fit.effect("total")
    >>> profit = total * 12 - 100  # arithmetic with numbers
    >>> profit.probability(above=0) > 0.9
    True
    """

    draws: xr.DataArray
    estimand: str
    measure: str = ""
    label: str = ""

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
            Dim ``ci_bound`` (``lower``, ``upper``), and ``time`` for a path, in the units of the
            draws; attributes ``ci_prob`` and ``ci_kind``. Of a path every period has an interval
            of its own; :meth:`band` holds them all at once.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Examples
        --------
        >>> fit.effect("average").interval(0.9).ci_bound.values.tolist()
        ['lower', 'upper']
        """
        return interval(self.draws, ci_prob, ci_kind)

    def band(self, ci_prob: float = 0.95) -> xr.DataArray:
        """Return a band that holds the whole path of the effect.

        The path may be looked at in every period, and the probability still holds for all of them
        together.

        Parameters
        ----------
        ci_prob
            Probability with which the band holds the path in all of its periods.

        Returns
        -------
        xarray.DataArray
            Dims ``(time, ci_bound)``, in the units of the draws, NaN where the outcome is missing.
            Attributes ``ci_prob``; ``ci_kind``, ``"simultaneous"``; ``held``, the share of draws
            that it holds; ``mcse``, the Monte Carlo error of this share; ``ess``, its effective
            sample size; ``interval_prob``, the probability of the interval that it is in each
            period.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1).
        ResultError
            R030 for an effect that is one number.

        Warns
        -----
        ConvergenceWarning
            R032 when there are too few draws for the probability.

        References
        ----------
        Besag, Green, Higdon and Mengersen (1995), Statistical Science 10(1), section 6.3.

        Examples
        --------
        >>> band = fit.effect("cumulative").band(0.95)
        >>> band.dims
        ('time', 'ci_bound')
        """
        return warned(band(self.draws, ci_prob))

    def median(self) -> Any:
        """Return the posterior median.

        Returns
        -------
        float or xarray.DataArray
            A number, in the units of the draws; with dim ``time`` for a path.

        Examples
        --------
        >>> round(fit.effect("average").median())
        3
        """
        return _number(self.draws.median(SAMPLE_DIMS))

    def to_frame(
        self,
        *,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        band: BandKind = "none",
    ) -> pd.DataFrame:
        """Return median, interval and probabilities as a table.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.
        band
            ``"simultaneous"`` adds the band that holds the whole path with probability
            ``ci_prob``; ``"none"`` does not.

        Returns
        -------
        pandas.DataFrame
            One row, or one per time for a path. Columns median, lower, upper, p_below_0,
            p_above_0, and band_lower and band_upper if asked for, in the units of the draws; NaN
            where the outcome is missing. ``attrs`` has ``effect``, ``measure``, ``ci_prob`` and
            ``ci_kind``.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.
        ResultError
            R030 for a band of one number.

        Examples
        --------
        >>> fit.effect("pointwise").to_frame().columns.tolist()
        ['median', 'lower', 'upper', 'p_below_0', 'p_above_0']
        """
        require_band(band)
        parts = {"median": self.draws.median(SAMPLE_DIMS)}
        parts |= _ends(self.interval(ci_prob, ci_kind))
        parts |= {"p_below_0": self.probability(below=0), "p_above_0": self.probability(above=0)}
        if band == "simultaneous":
            parts |= _ends(self.band(ci_prob), "band_")
        index = self._index()
        table = pd.DataFrame(
            {name: np.broadcast_to(np.asarray(part), len(index)) for name, part in parts.items()},
            index=index,
        )
        table.attrs = {"effect": self.name, "measure": self.measure}
        table.attrs |= {"ci_prob": ci_prob, "ci_kind": ci_kind}
        return table

    @property
    def name(self) -> str:
        """Return what the effect is called: its label, or the name of its estimand.

        Examples
        --------
        >>> fit.effect("total").name
        'total'
        """
        return self.label or self.estimand

    def probability(self, *, above: float | None = None, below: float | None = None) -> Any:
        """Return the posterior probability that the effect lies above, below or between values.

        Parameters
        ----------
        above, below
            The values, in outcome units (a fraction for the relative effect); at least one.

        Returns
        -------
        float or xarray.DataArray
            A number; with dim ``time`` for a path.

        Raises
        ------
        OptionError
            O005 when neither bound is given, or ``above`` is not less than ``below``.

        Examples
        --------
        >>> fit.effect("average").probability(above=1) > 0.9
        True
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
            A number; with dim ``time`` for a path.

        Raises
        ------
        OptionError
            O005 unless ``low`` is less than ``high``.

        References
        ----------
        Kruschke (2018), Advances in Methods and Practices in Psychological Science 1(2).

        Examples
        --------
        >>> fit.effect("average").rope(-1, 1) < 0.1
        True
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
            f"Effect: {self.name}, {describe(self)}"
            if self.draws.ndim == 2
            else f"Effect: {self._path()}"
        )

    def _path(self) -> str:
        index = self._index()
        periods = index.name in ("time", "event")
        over = span(index) if periods else f"by {index.name}: {listed(map(short, index))}"
        return " ".join([f"{self.name},", *([f"{self.measure},"] if self.measure else []), over])

    def _index(self) -> pd.Index:
        for dim in self.draws.dims:
            if dim not in SAMPLE_DIMS:
                return self.draws[dim].to_index()
        return pd.Index([self.name], name="effect")


def describe(effect: Effect, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> str:
    """Write the median, the interval with its probability and kind, and the sign's probability.

    The median, because a ratio, and the exponential of a Student-t, have no mean. The probability
    is of the sign that was found, so it is at least a half: .95 is a two-sided .10, which stands
    beside it.
    """
    low, high = (as_text(effect, float(bound)) for bound in effect.interval(ci_prob, ci_kind))
    middle = float(effect.draws.median())
    value = " ".join(filter(None, [as_text(effect, middle), effect.measure]))
    interval_text = f"[{low}, {high}] ({per_cent(ci_prob)} {ci_kind.upper()})"
    if middle < 0:
        sign, mass = "<", effect.probability(below=0)
    else:
        sign, mass = ">", effect.probability(above=0)
    tails = f"two-sided p {probable(two_sided(effect.draws))}"
    return f"{value} {interval_text}, P(effect {sign} 0) {probable(mass)}, {tails}"


def as_text(effect: Effect, value: float) -> str:
    """Write a value of the effect with as many digits as its standard deviation warrants."""
    chosen = ESTIMANDS[effect.estimand]
    # A relative effect times a number is not a fraction, so it is not shown in per cent.
    shown = replace(chosen, style="number") if effect.label else chosen
    return shown.text(value, float(effect.draws.std()))


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


def _ends(bounds: xr.DataArray, prefix: str = "") -> dict[str, xr.DataArray]:
    return {
        f"{prefix}{bound}": bounds.sel(ci_bound=bound, drop=True) for bound in ("lower", "upper")
    }


def _number(value: xr.DataArray) -> Any:
    return float(value) if value.ndim == 0 else value
