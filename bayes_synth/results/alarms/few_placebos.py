"""A005: the intervals are calibrated on too few placebos."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["few_placebos"]

ENOUGH = 5
"""From so many independent placebos on, intervals held what they say in simulations."""


@alarm("A005")
def few_placebos(evidence: Evidence) -> str:
    """Say that fewer than five independent placebos stand behind the intervals."""
    calibration, panel = evidence.calibration, evidence.panel
    independent = min(len(calibration.table), len(panel.donors) // len(panel.treated))
    if calibration.kappa is None or independent >= ENOUGH:
        return ""
    placebos = "one placebo" if independent == 1 else f"{independent} placebos"
    return (
        f"CALIBRATED ON TOO FEW: only {placebos} stand behind the intervals, fewer than {ENOUGH}; "
        "add donors, or read the intervals as rough."
    )
