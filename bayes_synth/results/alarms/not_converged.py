"""A001: the draws have not converged."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["not_converged"]


@alarm("A001")
def not_converged(evidence: Evidence) -> str:
    """Say that effect or noise have not converged, and why."""
    problems = evidence.convergence.problems
    return f"NOT CONVERGED: do not use this fit. {'; '.join(problems)}." if problems else ""
