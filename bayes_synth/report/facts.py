"""Facts about a fit as plain data, for programs that read the command line's answer."""

import math
from typing import Any

import numpy as np

from bayes_synth.checks.result import Checks
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.results.monte_carlo import two_sided
from bayes_synth.words import short

__all__ = ["check_facts", "effects_of", "facts", "total"]


def facts(fit: AbstractFit, ci_prob: float = 0.95) -> dict[str, Any]:
    """Return what a fit says as numbers, words and lists, ready for JSON.

    Parameters
    ----------
    fit
        The fit.
    ci_prob
        Probability of the equal-tailed intervals.

    Returns
    -------
    dict
        ``ok`` and the verdicts, ``alarms`` (each with ``code`` and ``sentence``), ``effects`` by
        estimand (``median``, ``lower``, ``upper``, ``p_below_0``, ``p_above_0``,
        ``p_two_sided``, ``measure``), mean ``weights`` by donor, ``seed``
        and ``versions``; ``auxiliary`` has alarms, calibration and effects of every auxiliary
        outcome, where there are any. A number that does not exist is None.
    """
    panel, record = fit.panel, fit.record
    others = {name: _auxiliary_facts(own, ci_prob) for name, own in fit.auxiliary.items()}
    return {
        "outcome": panel.outcome,
        "treated": list(panel.treated),
        "donors": len(panel.donors),
        "start": short(panel.start),
        "periods": {"pre": len(panel.pre), "post": len(panel.post)},
        "ok": fit.ok,
        "alarms": [alarm._asdict() for alarm in fit.alarms],
        "convergence": str(fit.convergence),
        "fit": str(fit.fit_verdict),
        "calibration": str(fit.calibration),
        "ci_prob": ci_prob,
        "ci_kind": "eti",
        "effects": {name: _numbers(each, ci_prob) for name, each in effects_of(fit).items()},
        **({"auxiliary": others} if others else {}),
        "weights": {str(donor): float(mean) for donor, mean in fit.weights()["mean"].items()},
        "warnings": list(record.warnings),
        "seed": record.settings.random_seed,
        "versions": dict(record.versions),
    }


def _auxiliary_facts(fit: AbstractFit, ci_prob: float) -> dict[str, Any]:
    return {
        "alarms": [alarm._asdict() for alarm in fit.alarms],
        "calibration": str(fit.calibration),
        "effects": {name: _numbers(each, ci_prob) for name, each in effects_of(fit).items()},
    }


def check_facts(checks: Checks) -> dict[str, Any]:
    """Return the verdict, question and reason of every check, by name."""
    rows = checks.table[["verdict", "question", "reason"]].to_dict(orient="index")
    return {str(name): row for name, row in rows.items()}


def effects_of(fit: AbstractFit) -> dict[str, Effect]:
    """Return every effect of a fit that is one number, by estimand; the total is among them."""
    names = [name for name, each in ESTIMANDS.items() if not each.path and name in fit.effects]
    return {name: fit.effect(name) for name in names}


def total(fit: AbstractFit) -> Effect:
    """Return the effect summed over post-periods and treated units, in outcome units."""
    return fit.effect("total")


def _numbers(effect: Effect, ci_prob: float) -> dict[str, Any]:
    lower, upper = (float(bound) for bound in effect.interval(ci_prob))
    numbers = {"median": float(np.median(effect.draws)), "lower": lower, "upper": upper}
    masses = {"p_below_0": effect.probability(below=0), "p_above_0": effect.probability(above=0)}
    masses["p_two_sided"] = two_sided(effect.draws)
    finite = {name: x if math.isfinite(x) else None for name, x in (numbers | masses).items()}
    return finite | {"measure": effect.measure}
