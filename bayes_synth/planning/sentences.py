"""Put a plan into words: a verdict, one sentence per length, and what must be known beside it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bayes_synth.planning.answers import POWER
from bayes_synth.planning.audit import Rate
from bayes_synth.planning.starts import independent
from bayes_synth.planning.table import false_positives
from bayes_synth.words import listed

if TYPE_CHECKING:
    from bayes_synth.planning.answers import AbstractPlan

__all__ = ["amount", "headline", "sentences", "verdict_word"]


def verdict_word(plan: "AbstractPlan") -> str:
    """Call the plan by one word; see :attr:`bayes_synth.planning.Plan.verdict`."""
    if _trouble(plan):
        return "not to be trusted"
    if not plan.effects:
        return "no effect stated"
    enough = [
        all(plan.law(length).power(effect) >= POWER for effect in plan.effects)
        for length in plan.periods
    ]
    return "ready" if any(enough) else "weak"


def _trouble(plan: "AbstractPlan") -> list[str]:
    """Say why a plan is not to be trusted; empty when nothing is known against it."""
    found = []
    if plan.weakly_calibrated:
        found.append("kappa rests on its prior more than on donors")
    for length in plan.periods:
        rate = false_positives(plan, length)
        if plan.rule.nominal is not None and rate.interval[0] > plan.rule.nominal:
            found.append(f"{length} periods: more false positives than the rule allows")
    return found


def headline(plan: "AbstractPlan") -> str:
    """Put a plan into a few lines."""
    trouble = _trouble(plan)
    because = f" ({'; '.join(trouble)})" if trouble else ""
    lines = [f"Plan: {verdict_word(plan)}{because}"]
    lines += [f"  {sentence}" for sentence in sentences(plan)]
    lines += [f"  fit before the test: {plan.fit_verdict}"]
    lines += [f"  [{code}] {text}" for code, _, text in plan.notes]
    return "\n".join(lines)


def sentences(plan: "AbstractPlan") -> Iterator[str]:
    """Yield one sentence per length on its power, and those on widths and false positives."""
    for length in plan.periods:
        yield _power(plan, length)
        yield _detectable(plan, length)
        yield _audit(plan, length)


def _power(plan: "AbstractPlan", length: int) -> str:
    law = plan.law(length)
    starts = plan.pretend_tests.query("periods == @length")["pre"].tolist()
    windows = f"{len(starts)} past windows, {independent(starts, length)} of them independent"
    who = f"Treating {listed(plan.treated)} for {length} periods"
    if not plan.effects:
        width, share = law.width(plan.ci_prob)
        wide = f"{width:,.3g} per period and unit" if plan.additive else f"{share:.1%} wide"
        return f"{who} would give an interval {wide} ({plan.rule}; {windows})."
    each = [f"{amount(e, plan)} with probability {law.power(e):.2f}" for e in plan.effects]
    return f"{who} would find an effect of {' and one of '.join(each)} ({plan.rule}; {windows})."


def _detectable(plan: "AbstractPlan", length: int) -> str:
    law = plan.law(length)
    sign = -1 if plan.effects and max(plan.effects) < 0 else 1
    size = law.detectable(POWER, sign)
    width, share = law.width(plan.ci_prob)
    wide = f"{width:,.3g}" if plan.additive else f"{share:.1%} of the counterfactual"
    rest = f"expected {plan.ci_prob:.0%} interval: {wide} wide."
    if not np.isfinite(size):
        return f"No effect of this sign is found in 8 of 10 such tests; {rest}"
    return f"The smallest effect found in 8 of 10 such tests: {amount(size, plan)}; {rest}"


def _audit(plan: "AbstractPlan", length: int) -> str:
    return audit_sentence(false_positives(plan, length), plan.rule.nominal, length)


def audit_sentence(rate: Rate, nominal: float | None, length: int) -> str:
    """Say how often the rule finds an effect where there is none, beside what it promises."""
    if not rate.tests:
        return (
            f"No window of {length} periods of another unit could be judged: nothing audits this."
        )
    low, high = rate.interval
    promised = "the rule implies no share" if nominal is None else f"nominal is {nominal:.0%}"
    return (
        f"With no effect, {rate.share:.0%} [{low:.0%}, {high:.0%}] of {rate.tests} windows of "
        f"other units ({length} periods) showed one; {promised}."
    )


def amount(effect: float, plan: "AbstractPlan") -> str:
    """Write an effect in the measure of the plan."""
    return f"{effect:+,.3g} {plan.history.outcome}" if plan.additive else f"{100 * effect:+.3g}%"
