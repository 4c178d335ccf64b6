"""Write the report of a joint fit as text."""

from typing import Any

import pandas as pd

from bayes_synth.study.cells import By
from bayes_synth.study.checks.run import require_same
from bayes_synth.study.headline import headline

__all__ = ["report"]

WORST_FIRST = ("fail", "caution", "pass", "not applicable")
COLUMNS = ["median", "lower", "upper", "p_two_sided", "units", "cells"]
ASSUMED = (
    "Every unit's effect is observed minus the posterior predictive of its outcome without "
    "treatment. It is causal only if no donor was affected by a treatment and nothing else "
    "happened to treated units alone from their starts on. Errors of units go together by the "
    "donors and periods that they share; a shock that hits treated units and no donor would widen "
    "the interval of the average, and no donor can show one."
)


def report(joint: Any, by: By, ci_prob: float, checks: object) -> str:
    """Write the report; see :meth:`bayes_synth.JointFit.report`."""
    tables = {
        "Effects": joint.summary(ci_prob=ci_prob),
        f"Average effect by {by}": joint.summary(by=by, ci_prob=ci_prob),
        "Average effect by treated unit": joint.summary(by="treated", ci_prob=ci_prob),
    }
    parts = [headline(joint), repr(joint.study)]
    parts += [f"{title}\n{_plain(table)}" for title, table in tables.items()]
    parts += [f"Calibration\n  {joint.calibration}.", _checked(joint, checks)]
    parts += [f"Assumptions\n  {ASSUMED}"]
    return "\n\n".join(parts) + "\n"


def _checked(joint: Any, checks: object) -> str:
    """Write the answers of the checks, the worst first, or that they were not asked."""
    if checks is False:
        return "Checks\n  They were not asked for this report: joint.report(checks=True)."
    known = require_same(joint, checks)
    ranked = sorted(known, key=lambda each: WORST_FIRST.index(each.verdict))
    return "\n".join(["Checks", *(f"  {each!r}" for each in ranked)])


def _plain(table: pd.DataFrame) -> str:
    text = table[COLUMNS].to_string(float_format=lambda number: f"{number:.4g}")
    return "\n".join(f"  {line}" for line in text.splitlines())
