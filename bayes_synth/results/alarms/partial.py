"""A002: an interrupt ended the fit early."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["partial"]


@alarm("A002")
def partial(evidence: Evidence) -> str:
    """Say what an interrupt left undone."""
    undone = evidence.convergence.partial
    asked = "PARTIAL: interrupted, so not the fit that was asked for"
    return f"{asked}. {'; '.join(undone)}." if undone else ""
