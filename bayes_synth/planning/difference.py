"""The law of the difference between two cells, as wide as differences of placebos say.

Errors of two averages share donors and shocks, so the error of their difference is not that of two
independent ones: its inflation kappa is learnt from differences of placebos, not from two kappas.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayes_synth.model.calibration import Calibration
from bayes_synth.model.inflation import Inflation, learn_inflation
from bayes_synth.planning.operating import Window

__all__ = ["Gap", "Pair", "gap_of", "learn_difference", "pairs_of", "spread_apart", "window_of"]

SAMPLES = 4000
"""Draws of a difference."""


class Gap(NamedTuple):
    """Hold a gap without an effect: how far it may be from zero, and how far it was.

    In shares of the median counterfactual, or in outcome units in additive plans.
    """

    spread: float
    seen: float

    def minus(self, other: "Gap") -> "Gap":
        """Subtract another gap, whose error is taken to be independent: kappa mends that."""
        return Gap(float(np.hypot(self.spread, other.spread)), self.seen - other.seen)


class Pair(NamedTuple):
    """Hold the difference of two placebos that share no unit, and the units of both."""

    units: frozenset[str]
    gap: Gap


def gap_of(median: float, spread: float, observed: float, *, additive: bool) -> Gap:
    """Return the gap of a window.

    Parameters
    ----------
    median, spread
        Of the average counterfactual.
    observed
        The mean that was observed.
    additive
        Whether effects are in outcome units.
    """
    size = 1.0 if additive else abs(median)
    return Gap(spread / size, (observed - median) / size)


def pairs_of(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], *, additive: bool
) -> Iterator[Pair]:
    """Yield the difference of every two placebos that share no unit, each pair once.

    Parameters
    ----------
    first, second
        Placebo tests of the size of either cell in one window: ``unit``, ``median``, ``spread``,
        ``observed``. Each is calibrated on the others.
    additive
        Whether effects are in outcome units.
    """
    known = set[frozenset[frozenset[str]]]()
    sides = [
        [(frozenset(t["unit"].split(" + ")), _gap(t, additive=additive)) for t in tests]
        for tests in (first, second)
    ]
    for one, a in sides[0]:
        for two, b in sides[1]:
            key, gap = frozenset({one, two}), a.minus(b)
            if not one & two and key not in known and gap.spread > 0:
                known.add(key)
                yield Pair(one | two, gap)


def _gap(test: Mapping[str, Any], *, additive: bool) -> Gap:
    return gap_of(test["median"], test["spread"], test["observed"], additive=additive)


def spread_apart(pairs: Sequence[Pair]) -> list[Pair]:
    """Return pairs that share no unit with each other, the first ones in order."""
    kept, taken = list[Pair](), set[str]()
    for pair in sorted(pairs, key=lambda each: sorted(each.units)):
        if not pair.units & taken:
            kept.append(pair)
            taken |= pair.units
    return kept


def learn_difference(pairs: Sequence[Pair], plan: Calibration) -> Inflation:
    """Learn the inflation of a difference: seen over spread is taken to be kappa times a t.

    Pairs overlap, so their likelihood is raised to the share of them that share no unit.

    Parameters
    ----------
    pairs
        Differences of placebos.
    plan
        The prior on kappa, and its tails.
    """
    squares = np.array([(pair.gap.seen / pair.gap.spread) ** 2 for pair in pairs])
    power = len(spread_apart(pairs)) / len(pairs) if pairs else 1.0
    options = plan.kappa_sd, plan.degrees_of_freedom, power
    return learn_inflation(squares, np.ones(len(squares)), *options)


def window_of(gap: Gap, learnt: Inflation | None, rng: np.random.Generator) -> Window:
    """Return the law of a difference between effects that are equal, and the one that was seen.

    Parameters
    ----------
    gap
        The difference of both cells' gaps.
    learnt
        The inflation; None leaves the spread as it is.
    rng
        Draws kappa, the tails and the difference.
    """
    draws = gap.spread * rng.standard_normal(SAMPLES)
    if learnt is not None:
        kappa, lam = learnt.draw((SAMPLES,), rng)
        draws *= kappa / np.sqrt(lam)
    return Window(draws, gap.seen)
