"""The table of a plan: one row per length and stated effect."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_synth.planning.answers import POWER
from bayes_synth.planning.audit import Rate, rate_of
from bayes_synth.planning.cost import share_of
from bayes_synth.planning.starts import independent

if TYPE_CHECKING:
    from bayes_synth.planning.answers import AbstractPlan

__all__ = ["coverage", "false_positives", "plan_table"]


def plan_table(plan: "AbstractPlan") -> pd.DataFrame:
    """Tabulate a plan; see :attr:`bayes_synth.planning.Plan.table`."""
    effects = plan.effects or (np.nan,)
    rows = [_row(plan, length, effect) for length in plan.periods for effect in effects]
    table = pd.DataFrame(rows).set_index("periods")
    table.attrs = {"rule": str(plan.rule), "treated": list(plan.treated)}
    table.attrs["calibration"] = "donors" if plan.model.calibration else "none"
    return table


def _row(plan: "AbstractPlan", length: int, effect: float) -> dict[str, Any]:
    law, rate = plan.law(length), false_positives(plan, length)
    tests = plan.pretend_tests.query("periods == @length")
    stated, prior = bool(np.isfinite(effect)), plan.prior
    width, width_share = law.width(plan.ci_prob)
    return {
        "periods": length,
        "starts": len(tests),
        "independent": independent(tests["pre"].tolist(), length),
        "effect": effect,
        "power": law.power(effect) if stated else np.nan,
        "wrong_sign": law.wrong_sign(effect) if stated else np.nan,
        "exaggeration": law.exaggeration(effect) if stated else np.nan,
        "assurance": law.assurance(prior) if prior is not None else np.nan,
        "assurance_bound": plan.rule.claim(prior) if prior is not None else np.nan,
        "detectable_up": law.detectable(POWER, 1),
        "detectable_down": law.detectable(POWER, -1),
        "width": width,
        "width_share": width_share,
        "false_positives": rate.share,
        "false_positives_error": rate.error,
        "nominal": np.nan if plan.rule.nominal is None else plan.rule.nominal,
        "audited": rate.tests,
        "coverage": coverage(plan, length).share,
        "bias": law.bias(),
        "kappa": float(tests["kappa"].mean()),
        "share": share_of(plan.history, plan.treated),
        "ok": bool(tests["ok"].all()),
    }


def false_positives(plan: "AbstractPlan", length: int) -> Rate:
    """Return how often the rule found an effect in windows of units that nobody treated.

    Each unit's, or group's, is calibrated on the others.
    """
    audit = plan.placebo_tests.query("periods == @length")
    return rate_of(audit["found"].tolist(), audit["unit"].tolist(), audit["start"].tolist())


def coverage(plan: "AbstractPlan", length: int) -> Rate:
    """Return how often the interval of the rule's probability held the outcome of these windows."""
    audit = plan.placebo_tests.query("periods == @length")
    return rate_of(audit["held"].tolist(), audit["unit"].tolist(), audit["start"].tolist())
