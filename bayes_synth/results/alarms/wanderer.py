"""A011: a unit harder to forecast than its donors has its interval narrowed by pooling."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["wanderer"]

NARROWED = 0.6
"""Pooling below this narrows by more than similar units ask for."""


@alarm("A011")
def wanderer(evidence: Evidence) -> str:
    """Say that a unit that wanders among calm donors has its interval narrowed by pooling."""
    calibration = evidence.calibration
    if calibration.kappa is None or calibration.pooling >= NARROWED:
        return ""
    return (
        "UNLIKE ITS DONORS IN NOISE: by its own past the treated unit is much harder to forecast "
        f"than they are, and pooling narrows its intervals to {calibration.pooling:.2g} of what "
        "that past says. Compare calibrate=bs.Calibration(pooling=0)."
    )
