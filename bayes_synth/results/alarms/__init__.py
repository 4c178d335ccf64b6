"""Alarms of a fit: one file each, found by registration; :mod:`.registry` says how to add one."""

from bayes_synth.results.alarms import (
    broken_donors,
    broken_treated,
    few_placebos,
    inflation,
    last_periods,
    not_calibrated,
    not_converged,
    partial,
    poor_fit,
    unlike_donors,
    wanderer,
)
from bayes_synth.results.alarms.registry import (
    ALARMS,
    Alarm,
    Evidence,
    alarm,
    alarms_of,
    as_number,
    codes_in,
)

SHIPPED = (
    not_converged,
    partial,
    poor_fit,
    not_calibrated,
    few_placebos,
    unlike_donors,
    last_periods,
    broken_donors,
    broken_treated,
    inflation,
    wanderer,
)
"""The modules of this library's alarms; importing them registers what they define."""

__all__ = [
    "ALARMS",
    "SHIPPED",
    "Alarm",
    "Evidence",
    "alarm",
    "alarms_of",
    "as_number",
    "codes_in",
]
