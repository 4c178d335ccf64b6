"""Say which difference between the effects of two cells a test could find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, final

import numpy as np
import pandas as pd

from bayes_synth.errors import PlanError
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.inflation import Inflation
from bayes_synth.planning.after import window_of_fit
from bayes_synth.planning.answers import POWER
from bayes_synth.planning.audit import Rate, rate_of
from bayes_synth.planning.difference import (
    Gap,
    Pair,
    gap_of,
    learn_difference,
    pairs_of,
    spread_apart,
    window_of,
)
from bayes_synth.planning.operating import Law, Window
from bayes_synth.planning.plan import Plan
from bayes_synth.planning.request import checked_effect
from bayes_synth.planning.rules import AbstractRule, probability_of, require_share
from bayes_synth.planning.sentences import audit_sentence
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import listed, preformatted, public

__all__ = ["Contrast", "contrasts_of"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Contrast:
    """Say which difference between the effects of two cells a test could find.

    Parameters
    ----------
    cells
        Names of both: the effect of the first minus that of the second.
    periods
        Length of the test.
    windows
        One per past start: draws of the difference when both effects are equal, and the one seen.
    rule, additive
        How the test will be judged, and whether effects are in outcome units instead of fractions.
    gaps
        The difference of both cells' gaps in each window, before its inflation.
    kappa
        Mean inflation of the difference in each window, NaN without calibration.
    audit
        One row per pair of placebos that share no unit with another pair: ``units``, ``start``,
        ``seen``, ``found``; each is calibrated on the pairs that hold none of its units.
    members
        Labels of the units of either cell.
    """

    cells: tuple[str, str]
    periods: int
    windows: tuple[Window, ...]
    rule: AbstractRule
    additive: bool
    gaps: tuple[Gap, ...]
    kappa: tuple[float, ...]
    audit: pd.DataFrame
    members: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def law(self) -> Law:
        """Return the predictive law, from which every number is read."""
        return Law(self.windows, self.rule, additive=True)

    @property
    def false_positives(self) -> Rate:
        """Return how often the rule told two cells apart that nobody had treated."""
        rows = self.audit
        return rate_of(rows["found"].tolist(), rows["units"].tolist(), rows["start"].tolist())

    def power(self, difference: float) -> float:
        """Return the probability of finding a difference between both effects, with its own sign.

        Parameters
        ----------
        difference
            First minus second effect: a fraction, in outcome units in additive plans.

        Raises
        ------
        PlanError
            H007 for a difference of zero or, as a fraction, beyond 100 %.
        """
        (size,) = checked_effect(float(difference), additive=self.additive)
        return self.law.power(size)

    def detectable(self, *, power: float = POWER, sign: int = 1) -> float:
        """Return the smallest difference that is found with a stated probability.

        Parameters
        ----------
        power
            That probability.
        sign
            1 when the first effect is the larger one, -1 when the second is.

        Raises
        ------
        OptionError
            O060 for a probability outside (0, 1).
        """
        require_share("power", power)
        return self.law.detectable(power, sign)

    def width(self, *, ci_prob: float | None = None) -> float:
        """Return the expected width of the interval of the difference.

        Parameters
        ----------
        ci_prob
            Its probability; None for the rule's own, else 0.95.

        Raises
        ------
        OptionError
            O060 for a probability outside (0, 1).
        """
        probability = probability_of(self.rule) if ci_prob is None else ci_prob
        require_share("ci_prob", probability)
        return self.law.width(probability)[0]

    def judge(self, first: AbstractFit, second: AbstractFit) -> pd.Series:
        """Read the difference off the fits of the test, with the kappa of the latest past window.

        Parameters
        ----------
        first, second
            Fits of both cells, in the order of :attr:`cells`, on the panels of their plans.

        Returns
        -------
        pandas.Series
            ``difference``, ``lower``, ``upper`` (of the rule's probability, else 0.95), ``found``.

        Raises
        ------
        PlanError
            H032 for fits of other units.
        """
        gaps = []
        for fit, units in zip((first, second), self.members, strict=True):
            if tuple(sorted(fit.panel.treated)) != units:
                raise PlanError(
                    "H032",
                    f"the fits must be those of {' and '.join(self.cells)}, in this order: the "
                    f"treated units must be {listed(units)}, got {listed(fit.panel.treated)}.",
                )
            gaps.append(_gap(window_of_fit(fit), self.additive))
        gap = gaps[0].minus(gaps[1])
        # The law of the latest window, as wide as these fits are.
        null = self.windows[-1].draws * gap.spread / self.gaps[-1].spread
        tail = (1 - probability_of(self.rule)) / 2
        low, high = gap.seen - np.quantile(null, [1 - tail, tail])
        found = bool(self.rule.region(null, additive=True).found(gap.seen))
        numbers = {"difference": gap.seen, "lower": float(low), "upper": float(high)}
        return pd.Series(numbers | {"found": found}, dtype=object)

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"{' minus '.join(self.cells)}, {self.periods} periods ({self.rule})",
                f"  {self._least()}; kappa of differences: {np.mean(self.kappa):.2g}.",
                f"  {audit_sentence(self.false_positives, self.rule.nominal, self.periods)}",
            ]
        )

    def _least(self) -> str:
        """Say which difference is found."""
        least = self.detectable()
        if not np.isfinite(least):
            return "No difference is found in 8 of 10 tests by this rule"
        amount = f"{least:,.3g}" if self.additive else f"{100 * least:.3g} percentage points"
        return f"The smallest difference found in 8 of 10 tests: {amount}"

    def _repr_html_(self) -> str:
        return preformatted(repr(self))


def contrasts_of(plans: Mapping[str, Plan]) -> dict[tuple[str, str, int], Contrast]:
    """Contrast every two cells over every length, by their names and the length.

    Parameters
    ----------
    plans
        Plans of the same past windows, none of which has units of another as donors.
    """
    lengths = next(iter(plans.values())).periods
    return {
        (one, two, length): _contrast({one: plans[one], two: plans[two]}, length)
        for one, two in combinations(plans, 2)
        for length in lengths
    }


def _contrast(both: Mapping[str, Plan], length: int) -> Contrast:
    """Contrast two cells, window by window."""
    (one, two), (first, second) = both, both.values()
    seed = first.record["random_seed"]
    rng = np.random.default_rng(np.random.SeedSequence([seed, length, 11]))
    parts, windows, gaps, kappas = [], [], [], []
    laws = [plan.law(length).windows for plan in (first, second)]
    for start, a, b in zip(first.counterfactual["start"].to_numpy(), *laws, strict=True):
        pairs = _pairs(first, second, length, start)
        gap = _gap(a, first.additive).minus(_gap(b, first.additive))
        learnt = None if first.model.calibration is None else _learnt(first, pairs)
        windows.append(window_of(gap, learnt, rng))
        gaps.append(gap)
        kappas.append(np.nan if learnt is None else float(np.dot(*learnt.kappa)))
        parts += [
            [" + ".join(sorted(pair.units)), start, pair.gap.seen, found]
            for pair, found in _audited(first, pairs, rng)
        ]
    audit = pd.DataFrame(parts, columns=["units", "start", "seen", "found"])
    return Contrast(
        (one, two),
        length,
        tuple(windows),
        first.rule,
        first.additive,
        tuple(gaps),
        tuple(kappas),
        audit,
        (first.treated, second.treated),
    )


def _gap(window: Window, additive: bool) -> Gap:
    return gap_of(window.median, window.spread, window.observed, additive=additive)


def _pairs(first: Plan, second: Plan, length: int, start: Any) -> list[Pair]:
    """Return the differences of placebos in one window."""
    sides: list[Any] = []
    for plan in (first, second):
        tests = plan.placebo_tests
        here = tests[(tests["periods"] == length) & (tests["start"] == start)]
        sides.append(here.to_dict("records"))
    return list(pairs_of(sides[0], sides[1], additive=first.additive))


def _learnt(plan: Plan, pairs: list[Pair]) -> Inflation:
    return learn_difference(pairs, plan.model.calibration or Calibration())


def _audited(
    plan: Plan, pairs: list[Pair], rng: np.random.Generator
) -> Iterator[tuple[Pair, bool]]:
    """Judge pairs that share no unit, each calibrated on those that hold none of its units."""
    for pair in spread_apart(pairs):
        rest = [each for each in pairs if not each.units & pair.units]
        learnt = _learnt(plan, rest) if plan.model.calibration is not None and rest else None
        null = window_of(pair.gap, learnt, rng)
        yield pair, bool(plan.rule.region(null.draws, additive=True).found(pair.gap.seen))
