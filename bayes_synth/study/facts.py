"""Facts about a joint fit as plain data, for programs that read the command line's answer."""

import math
from typing import Any

import numpy as np

from bayes_synth.checks.result import Checks
from bayes_synth.report.facts import check_facts
from bayes_synth.study.aggregates import Weights
from bayes_synth.study.cells import By
from bayes_synth.words import short

__all__ = ["study_facts"]


def study_facts(
    joint: Any, by: By, weights: Weights, ci_prob: float, checks: Checks | None = None
) -> dict[str, Any]:
    """Return what a joint fit says as numbers, words and lists, ready for JSON.

    Parameters
    ----------
    joint
        The joint fit.
    by, weights, ci_prob
        As in :meth:`bayes_synth.JointFit.summary`.
    checks
        What was answered about it, if anything.

    Returns
    -------
    dict
        ``ok``, ``alarms`` (each with ``code`` and ``sentence``), ``starts`` and ``converged`` by
        unit, ``effects``, ``by`` (rows of :meth:`bayes_synth.JointFit.summary` by its label),
        ``calibration``, ``checks``. A number that does not exist is None.
    """
    study = joint.study
    rows = joint.summary(weights=weights, ci_prob=ci_prob).to_dict(orient="index")
    levels = joint.summary(by=by, weights=weights, ci_prob=ci_prob).to_dict(orient="index")
    return {
        "outcome": study.outcome,
        "starts": {unit: short(start) for unit, start in study.starts.items()},
        "donors": len(study.donors),
        "ok": joint.converged,
        "converged": {unit: fit.converged for unit, fit in joint.fits.items()},
        "alarms": [alarm._asdict() for alarm in joint.alarms],
        "calibration": joint.calibration,
        "effects": {str(name): _finite(row) for name, row in rows.items()},
        "by": by,
        by: {short(label): _finite(row) for label, row in levels.items()},
        "checks": {} if checks is None else check_facts(checks),
    }


def _finite(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row without numbers that JSON cannot hold."""
    plain = {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in row.items()
    }
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in plain.items()
    }
