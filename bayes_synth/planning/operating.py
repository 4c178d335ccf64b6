r"""What a test can say: power, assurance, detectable effects, wrong signs, exaggeration.

Pure functions of the average counterfactual's draws. The counterfactual reads the pre-period and
the donors only, so one fit serves every effect size: an effect ``e`` turns a mean ``c`` without it
into ``(1 + e) c`` (``c + e`` in additive plans), and the rule's thresholds stay where they are.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayes_synth.planning.rules import AbstractRule, Region

__all__ = ["Law", "Window", "thresholds"]

ONE_SD = 0.15865525393145707, 0.8413447460685429
"""Probabilities of a normal one sd below and above its mean: tails do not move this spread."""


class Window(NamedTuple):
    """Hold what one pretend test says about its window.

    ``draws`` are the calibrated average counterfactual, dims ``(sample,)``, and ``observed`` the
    mean that was observed, both in outcome units per period and treated unit.
    """

    draws: np.ndarray
    observed: float

    @property
    def median(self) -> float:
        """Return the median of the counterfactual."""
        return float(np.median(self.draws))

    @property
    def spread(self) -> float:
        """Return half the width of its interval that a normal would have one sd to either side."""
        low, high = np.quantile(self.draws, ONE_SD)
        return float(high - low) / 2


def thresholds(region: Region, untreated: Any, *, additive: bool = False) -> tuple[Any, Any]:
    """Return the effects at which an observed mean reaches the region's ends: from below, above.

    Parameters
    ----------
    region
        Of the rule.
    untreated
        Means without an effect.
    additive
        Whether effects are in outcome units instead of fractions.
    """
    if additive:
        return region.low - untreated, region.high - untreated
    return region.low / untreated - 1, region.high / untreated - 1


class Law(NamedTuple):
    """Hold the predictive law of a planned test: the windows, and the rule that will judge it."""

    windows: Sequence[Window]
    rule: AbstractRule
    additive: bool = False

    @property
    def regions(self) -> list[Region]:
        """Return the rule's region in every window."""
        return [self.rule.region(each.draws, additive=self.additive) for each in self.windows]

    def ends(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """Return the thresholds of all windows and draws, dims ``(window, sample)`` each."""
        regions = self.regions
        pairs = [
            thresholds(region, each.draws, additive=self.additive)
            for region, each in zip(regions, self.windows, strict=True)
        ]
        size = max(len(each.draws) for each in self.windows)
        low, high = (np.array([np.broadcast_to(p[k], size) for p in pairs]) for k in (0, 1))
        return low, high, regions[0].inside

    def by_window(self, effect: float) -> np.ndarray:
        """Return the probability of finding the effect, with its own sign, in every window."""
        low, high, inside = self.ends()
        if inside:
            return np.asarray(((effect > low) & (effect < high)).mean(1))
        return np.asarray((effect > high).mean(1) if effect > 0 else (effect < low).mean(1))

    def power(self, effect: float) -> float:
        """Average that probability over the windows."""
        return float(self.by_window(effect).mean())

    def wrong_sign(self, effect: float) -> float:
        """Return the probability of finding an effect of the other sign, among those found."""
        low, high, inside = self.ends()
        if inside:
            return 0.0
        up, down = float((effect > high).mean()), float((effect < low).mean())
        wrong = down if effect > 0 else up
        return wrong / (up + down) if up + down > 0 else np.nan

    def exaggeration(self, effect: float) -> float:
        """Return the mean size of the estimate over that of the effect, where one is found.

        References
        ----------
        Gelman and Carlin (2014), Perspectives on Psychological Science 9(6).
        """
        sizes = []
        for region, each in zip(self.regions, self.windows, strict=True):
            seen = each.draws + effect if self.additive else each.draws * (1 + effect)
            estimate = seen - each.median if self.additive else seen / each.median - 1
            sizes.append(np.abs(estimate[region.found(seen)]))
        found = np.concatenate(sizes)
        return float(found.mean() / abs(effect)) if len(found) else np.nan

    def assurance(self, prior: Any) -> float:
        """Average the power over a prior on the effect, exactly.

        Parameters
        ----------
        prior
            It has ``cdf``. The prior on the effect is the planner's; the analysis keeps its own.

        References
        ----------
        O'Hagan, Stevens and Campbell (2005), Pharmaceutical Statistics 4(3).
        """
        low, high, inside = self.ends()
        if inside:
            return float(np.nanmean(np.nan_to_num(prior.cdf(high) - prior.cdf(low))))
        up, down = 1 - prior.cdf(np.maximum(high, 0)), prior.cdf(np.minimum(low, 0))
        return float(np.mean(up + down))

    def detectable(self, power: float, sign: int = 1) -> float:
        """Return the effect of this sign that is found with a stated probability.

        It is a quantile of the thresholds, because the power at ``e`` is the share of them below
        ``e``. NaN when the rule cannot find an effect of this sign.
        """
        low, high, inside = self.ends()
        if inside:
            return np.nan
        ends = high if sign > 0 else low
        if not np.isfinite(ends).all():
            return np.nan
        return float(np.quantile(ends, power if sign > 0 else 1 - power))

    def width(self, ci_prob: float) -> tuple[float, float]:
        """Return the expected width of the equal-tailed interval: in outcome units, and as a share.

        The share is that of the counterfactual.
        """
        tails = [(1 - ci_prob) / 2, (1 + ci_prob) / 2]
        widths = np.array([np.ptp(np.quantile(each.draws, tails)) for each in self.windows])
        sizes = np.array([abs(each.median) for each in self.windows])
        return float(widths.mean()), float((widths / sizes).mean())

    def bias(self) -> float:
        """Return the mean of observed over median, minus one: there was no effect."""
        return float(np.mean([(w.observed - w.median) / abs(w.median) for w in self.windows]))

    def realised(self, effect: float) -> float:
        """Return the share of windows in which the effect would have been found."""
        found = [
            region.found(w.observed + effect if self.additive else w.observed * (1 + effect))
            for region, w in zip(self.regions, self.windows, strict=True)
        ]
        return float(np.mean(found))
