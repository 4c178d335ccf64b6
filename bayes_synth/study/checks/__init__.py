"""Ask whether the joint answer about several treated units is believable: one question per file."""

from bayes_synth.study.checks.common_shocks import common_shocks
from bayes_synth.study.checks.event_composition import event_composition
from bayes_synth.study.checks.leave_one_unit_out import leave_one_unit_out
from bayes_synth.study.checks.placebo_in_time import placebo_in_time
from bayes_synth.study.checks.registry import STUDY_QUESTIONS, study_check
from bayes_synth.study.checks.run import run

__all__ = [
    "STUDY_QUESTIONS",
    "common_shocks",
    "event_composition",
    "leave_one_unit_out",
    "placebo_in_time",
    "run",
    "study_check",
]
