"""A004: the intervals are the model's own."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["not_calibrated"]


@alarm("A004")
def not_calibrated(evidence: Evidence) -> str:
    """Say that the intervals are not calibrated, also when that was asked for.

    Whoever reads the result need not be the one who typed ``calibrate=False``.
    """
    calibration = evidence.calibration
    if calibration.kappa is not None:
        return ""
    return (
        f"NOT CALIBRATED ({calibration.reason}): the intervals are the model's own, and no "
        "donor's forecast error has tested how often they hold."
    )
