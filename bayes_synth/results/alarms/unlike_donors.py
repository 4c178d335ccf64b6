"""A006: the treated unit moved before the treatment as no donor did."""

from bayes_synth.data.trends import compared, outside
from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["unlike_donors"]


@alarm("A006")
def unlike_donors(evidence: Evidence) -> str:
    """Say that slope or change before treatment lie outside the donors', on the model's scale."""
    inputs, seen = evidence.problem.inputs, evidence.seen
    found = outside(inputs.outcome[seen], inputs.donor_outcomes[seen])
    if not found:
        return ""
    course = "grow" if found[0].z > 0 else "fall"
    return (
        f"OUTSIDE THE DONORS: before treatment the treated unit's {compared(found, inputs.step)} "
        f"lies outside those of all donors. If it would have gone on to {course} as before, the "
        "effect is partly that: add donors that moved alike, compare "
        "noise=bs.noise.LocalLinearTrend(), or read the effect with this in mind."
    )
