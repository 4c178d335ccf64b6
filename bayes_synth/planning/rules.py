"""Rules by which a test will be judged: what the posterior must say for an effect to be found.

Every rule depends on the data through one number, the observed mean over the test, so it is a pair
of thresholds of that number, computed from the draws of the counterfactual alone.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from bayes_synth.errors import OptionError, PlanError
from bayes_synth.registry import saved
from bayes_synth.words import per_cent

__all__ = ["AbstractRule", "Interval", "Probability", "Region", "Rope"]


class Region(NamedTuple):
    """Hold the observed means with which an effect is found: above ``high`` or below ``low``.

    With ``inside`` it is found between them. Either may be infinite.
    """

    low: float
    high: float
    inside: bool = False

    def found(self, observed: Any) -> Any:
        """Tell of observed means whether an effect is found."""
        if self.inside:
            return (observed > self.low) & (observed < self.high)
        return (observed > self.high) | (observed < self.low)


@dataclass(frozen=True)
class AbstractRule(ABC):
    """Say when an effect is found.

    A rule is one definition in one file: give it :meth:`region`, :meth:`nominal`, :meth:`claim`
    and a text.
    """

    @abstractmethod
    def region(self, draws: np.ndarray, *, additive: bool = False) -> Region:
        """Return the observed means with which the rule finds an effect.

        Parameters
        ----------
        draws
            The average counterfactual, dims ``(sample,)``, in outcome units.
        additive
            Whether the rule's bounds are in outcome units instead of fractions.
        """

    @property
    @abstractmethod
    def nominal(self) -> float | None:
        """Return the share of tests without an effect that find one; None when none is implied."""

    @abstractmethod
    def claim(self, prior: Any) -> float:
        """Return the prior probability of what the rule claims: assurance never exceeds it.

        ``prior`` is a prior on the effect, with ``cdf``.
        """


@saved()
@final
@dataclass(frozen=True)
class Interval(AbstractRule):
    """Find an effect when its equal-tailed credible interval excludes zero.

    Parameters
    ----------
    ci_prob
        Probability of the interval.

    Raises
    ------
    OptionError
        O060 for a probability outside (0, 1).

    Examples
    --------
    >>> bs.rules.Interval(0.9)
    Interval(ci_prob=0.9)
    """

    ci_prob: float = 0.95

    def __post_init__(self) -> None:
        require_share("ci_prob", self.ci_prob)

    def region(self, draws: np.ndarray, *, additive: bool = False) -> Region:
        """Return the interval of the counterfactual; see :class:`AbstractRule`.

        Parameters
        ----------
        draws, additive
            As there; zero is zero either way.
        """
        tail = (1 - self.ci_prob) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        return Region(float(low), float(high))

    @property
    def nominal(self) -> float:
        """Return one minus the interval's probability."""
        return 1 - self.ci_prob

    def claim(self, prior: Any) -> float:
        """Return 1: every ``prior`` with a density says that there is some effect."""
        return 1.0

    def __str__(self) -> str:
        return f"{per_cent(self.ci_prob)} interval excludes zero"


@saved()
@final
@dataclass(frozen=True)
class Probability(AbstractRule):
    """Find an effect when it lies above, or below, a bound with enough probability.

    Parameters
    ----------
    above, below
        The bound: a fraction of the counterfactual (outcome units in additive plans). Give one.
    at_least
        The probability that it takes.

    Raises
    ------
    OptionError
        O060 for a probability outside (0, 1).
    PlanError
        H006 unless exactly one bound is given; in a plan, for a fraction at or below -1.

    Examples
    --------
    >>> bs.rules.Probability(above=0.02, at_least=0.8)
    Probability(above=0.02, below=None, at_least=0.8)
    """

    above: float | None = None
    below: float | None = None
    at_least: float = 0.95

    def __post_init__(self) -> None:
        require_share("at_least", self.at_least)
        if (self.above is None) == (self.below is None):
            text = f"give one bound, above= or below=, got {self.above!r} and {self.below!r}."
            raise PlanError("H006", text)

    @property
    def bound(self) -> float:
        """Return the bound."""
        return float(self.above if self.above is not None else self.below)  # type: ignore[arg-type]

    def region(self, draws: np.ndarray, *, additive: bool = False) -> Region:
        """Return a threshold above the counterfactual, or below it; see :class:`AbstractRule`.

        Parameters
        ----------
        draws, additive
            As there.
        """
        tail = self.at_least if self.above is not None else 1 - self.at_least
        edge = _shifted(float(np.quantile(draws, tail)), self.bound, additive)
        return Region(-np.inf, edge) if self.above is not None else Region(edge, np.inf)

    @property
    def nominal(self) -> float | None:
        """Return one minus the probability when the bound is zero; else no share is implied."""
        return 1 - self.at_least if self.bound == 0 else None

    def claim(self, prior: Any) -> float:
        """Return the probability under ``prior`` that the effect is beyond the bound."""
        below = float(prior.cdf(self.bound))
        return 1 - below if self.above is not None else below

    def __str__(self) -> str:
        side = "above" if self.above is not None else "below"
        return f"P(effect {side} {self.bound:g}) is at least {self.at_least:g}"


@saved()
@final
@dataclass(frozen=True)
class Rope(AbstractRule):
    """Find that the effect is negligible: within a region of practical equivalence.

    Parameters
    ----------
    low, high
        The region, as fractions of the counterfactual (outcome units in additive plans).
    at_least
        The probability with which the effect must lie in it.

    Raises
    ------
    OptionError
        O060 for a probability outside (0, 1).
    PlanError
        H006 unless ``low`` is below ``high``; in a plan, for a fraction at or below -1.

    Examples
    --------
    >>> bs.rules.Rope(-0.01, 0.01, at_least=0.9)
    Rope(low=-0.01, high=0.01, at_least=0.9)
    """

    low: float
    high: float
    at_least: float = 0.95

    def __post_init__(self) -> None:
        require_share("at_least", self.at_least)
        if not self.low < self.high:
            raise PlanError("H006", f"low must be below high, got {self.low:g} and {self.high:g}.")

    def region(self, draws: np.ndarray, *, additive: bool = False) -> Region:
        """Return the observed means that leave enough probability; see :class:`AbstractRule`.

        Parameters
        ----------
        draws, additive
            As there. The region is empty when the posterior is too wide for the rule.
        """
        ordered = np.sort(draws)
        edges = np.sort(
            np.concatenate([_shifted(ordered, end, additive) for end in (self.low, self.high)])
        )
        middles = (edges[1:] + edges[:-1]) / 2
        mass = self._mass(ordered, middles, additive)
        enough = np.flatnonzero(mass >= self.at_least)
        if not len(enough):
            return Region(np.nan, np.nan, inside=True)
        return Region(float(edges[enough[0]]), float(edges[enough[-1] + 1]), inside=True)

    def _mass(self, ordered: np.ndarray, observed: np.ndarray, additive: bool) -> np.ndarray:
        """Return the posterior probability of the region for these observed means."""
        high, low = (
            observed - end if additive else observed / (1 + end) for end in (self.low, self.high)
        )
        inside = np.searchsorted(ordered, high) - np.searchsorted(ordered, low)
        return np.asarray(inside / len(ordered))

    @property
    def nominal(self) -> float | None:
        """Return None: the rule does not say how often it holds without an effect."""
        return None

    def claim(self, prior: Any) -> float:
        """Return the probability of the region under ``prior``."""
        return float(prior.cdf(self.high) - prior.cdf(self.low))

    def __str__(self) -> str:
        return f"P(effect between {self.low:g} and {self.high:g}) is at least {self.at_least:g}"


def as_rule(rule: Any, *, additive: bool = False) -> AbstractRule:
    """Return the rule, the default one for None; refuse anything else, and bounds that are none.

    Raises
    ------
    PlanError
        H006.
    """
    if rule is None:
        return Interval()
    if not isinstance(rule, AbstractRule):
        hint = "such as bs.rules.Interval(0.9) or bs.rules.Probability(above=0, at_least=0.95)"
        raise PlanError("H006", f"rule must be one of bs.rules, {hint}, got {rule!r}.")
    # Any draws will do: what a rule refuses it refuses before anything is fitted.
    rule.region(np.linspace(1.0, 2.0, 100), additive=additive)
    return rule


def probability_of(rule: AbstractRule) -> float:
    """Return the probability of the intervals that go with a rule: its own, else 0.95."""
    return rule.ci_prob if isinstance(rule, Interval) else 0.95


def require_share(name: str, value: Any) -> None:
    """Refuse anything but a number between 0 and 1.

    Raises
    ------
    OptionError
        O060.
    """
    if not isinstance(value, (int, float)) or not 0 < value < 1:
        hint = ""
        if isinstance(value, (int, float)) and 1 < value < 100:
            hint = f" Did you mean {value / 100:g}?"
        raise OptionError("O060", f"{name} must lie between 0 and 1, got {value!r}.{hint}")


def _shifted(value: Any, bound: float, additive: bool) -> Any:
    """Return the observed mean at which a counterfactual has an effect of just the bound.

    Raises
    ------
    PlanError
        H006 for a fraction at or below -1, beyond which no effect goes.
    """
    if additive:
        return value + bound
    if bound <= -1:
        raise PlanError(
            "H006",
            f"a rule's bound must be a fraction above -1, got {bound:g}; in outcome units pass "
            "additive=True.",
        )
    return value * (1 + bound)


def __dir__() -> list[str]:
    return ["Interval", "Probability", "Rope"]
