"""A003: the donors do not forecast the treated unit."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["poor_fit"]


@alarm("A003")
def poor_fit(evidence: Evidence) -> str:
    """Say that the donors do not help to forecast the treated unit before treatment."""
    verdict = evidence.fit_verdict
    if not verdict.clearly_poor:
        return ""
    return (
        "POOR FIT: before treatment these donors forecast the treated unit no better than its own "
        f"past does, and worse from {verdict.lost} of {verdict.origins} origins."
    )
