"""Fit several treated units, each with a start of its own, in one joint posterior."""

from bayes_synth.study.joint_fit import JointFit
from bayes_synth.study.study import Study

__all__ = ["JointFit", "Study"]
