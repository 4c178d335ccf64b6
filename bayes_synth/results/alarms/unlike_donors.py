"""A006: the treated unit moved before the treatment as no donor did."""

from bayes_synth.data.trends import Trend, outside
from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["unlike_donors"]


@alarm("A006")
def unlike_donors(evidence: Evidence) -> str:
    """Say that slope or change before treatment lie outside the donors', on the model's scale."""
    inputs, seen = evidence.problem.inputs, evidence.seen
    found = outside(inputs.outcome[seen], inputs.donor_outcomes[seen])
    if not found:
        return ""
    parts = " and ".join(_phrase(trend, inputs.step) for trend in found)
    course = "grow on" if found[0].z > 0 else "fall on"
    return (
        f"OUTSIDE THE DONORS: before treatment {parts}. If it would have gone on to {course} as "
        "before, the effect is partly that: add donors that moved alike, compare "
        "noise=bs.noise.LocalLinearTrend(), or read the effect with this in mind."
    )


def _phrase(trend: Trend, step: float) -> str:
    own, low, high = (value * step for value in (trend.own, trend.low, trend.high))
    per = " per period" if trend.measure == "slope" else ""
    return (
        f"the treated unit's {trend.measure} ({own:+.3g}{per}) lies outside those of all donors "
        f"({low:+.3g} to {high:+.3g})"
    )
