"""What each column of the exported tables means, and what it is measured in."""

import re

import pandas as pd

from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.estimands import ESTIMANDS

__all__ = ["GAPS", "dictionary"]

GAPS = (
    "Two differences from the observed outcome are in path.csv, and they are not the same. "
    "gap = observed - synthetic: synthetic is what the weighted donors and the constant level "
    "give, without noise and drift; it is the classical picture of synthetic control. "
    "effect = observed - counterfactual: the counterfactual is the outcome that would have been "
    "seen without treatment, with noise and drift, which forecasts carry on from the last periods "
    "before the start; intervals and probabilities are about it. Before the start counterfactual "
    "is a replicate of what was observed, so the effect is near zero there by construction, while "
    "the gap shows how well the donors fit."
)
OUTCOME, SHARE, NUMBER, WORD = "outcome", "share (0 to 1)", "number", "text"
MEASURE = "see the column measure"
PATH = {
    "counterfactual": "outcome without treatment, noise included (before the start: a replicate)",
    "effect": "observed - counterfactual",
    "cumulative": "effect summed from the start on, and over the treated units",
    "synthetic": "donors times weights plus level, no noise, no drift",
    "gap": "observed - synthetic",
}
ENDS = {
    "median": "posterior median",
    "lower": "lower end of the credible interval of each period",
    "upper": "upper end of the credible interval of each period",
    "band_lower": "lower end of the band that holds the whole path",
    "band_upper": "upper end of the band that holds the whole path",
}
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "effects": {
        "effect": ("name of the effect", WORD),
        "measure": ("what the numbers of the row are measured in", WORD),
        "mean": ("posterior mean; of ratios read the median", MEASURE),
        "median": ("posterior median", MEASURE),
        "sd": ("posterior standard deviation", MEASURE),
        "lower": ("lower end of the credible interval", MEASURE),
        "upper": ("upper end of the credible interval", MEASURE),
        "ci_prob": ("probability of the interval", SHARE),
        "ci_kind": ("eti: equal tails; hdi: highest density", WORD),
        "p_below_0": ("posterior probability that the effect is negative", SHARE),
        "p_above_0": ("posterior probability that the effect is positive", SHARE),
        "p_two_sided": ("twice the smaller of the two probabilities before it", SHARE),
        "ess_bulk": ("effective number of draws for the middle", NUMBER),
        "ess_tail": ("effective number of draws for the tails", NUMBER),
        "r_hat": ("R-hat; at most 1.01 when the chains agree", NUMBER),
        "mcse": ("Monte Carlo error of the mean", MEASURE),
        "mcse_lower": ("Monte Carlo error of the interval's lower end", MEASURE),
        "mcse_upper": ("Monte Carlo error of the interval's upper end", MEASURE),
    },
    "path": {
        "period": ("pre: before the start; post: from it on", WORD),
        "observed": ("outcome of the treated unit, or the mean of several", OUTCOME),
        "synthetic": (f"{PATH['synthetic']} (posterior median)", OUTCOME),
        "gap": (f"{PATH['gap']} (posterior median)", OUTCOME),
    },
    "weights": {
        "donor": ("name of the donor", WORD),
        "mean": ("posterior mean of the weight", SHARE),
        "sd": ("posterior standard deviation of the weight", SHARE),
        "lower": ("lower end of the credible interval", SHARE),
        "upper": ("upper end of the credible interval", SHARE),
        "p_above_1_percent": ("posterior probability that the weight exceeds 1 %", SHARE),
        "core": ("member of the smallest set of donors that holds 80 % of the weight", "boolean"),
        "projected": ("weight in the closest counterfactual on at most five donors", SHARE),
    },
    "checks": {
        "check": ("name of the check", WORD),
        "question": ("the question that was asked", WORD),
        "verdict": ("pass, caution, fail or not applicable", WORD),
        "reason": ("the numbers that decided, in a sentence", WORD),
    },
    "draws": {
        "chain": ("chain of the posterior draw", NUMBER),
        "draw": ("number of the draw in its chain", NUMBER),
    },
    "draws_counterfactual": {
        "chain": ("chain of the posterior draw", NUMBER),
        "draw": ("number of the draw in its chain", NUMBER),
    },
}


def dictionary(fit: AbstractFit, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Describe every column of every table: file, column, meaning, measure."""
    rows = [
        (name, str(column), *_described(fit, name, str(column)))
        for name, table in tables.items()
        for column in table.columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "meaning", "measure"])


def _described(fit: AbstractFit, table: str, column: str) -> tuple[str, str]:
    known = COLUMNS.get(table, {}).get(column)
    if known is not None:
        return known[0], _measured(fit, known[1])
    described = {"path": _of_path, "draws": _of_draws, "draws_counterfactual": _of_times}
    return described.get(table, _unknown)(fit, column)


def _measured(fit: AbstractFit, measure: str) -> str:
    return fit.panel.outcome if measure == OUTCOME else measure


def _of_path(fit: AbstractFit, column: str) -> tuple[str, str]:
    if column in (fit.panel.time, f"{fit.panel.time}_label"):
        return "the period", "label of time"
    found = re.fullmatch(rf"({'|'.join(PATH)})_({'|'.join(ENDS)})", column)
    if found is None:
        return _unknown(fit, column)
    units = len(fit.panel.treated) if found[1] == "cumulative" else 1
    measure = ESTIMANDS["cumulative"].measured(fit.panel.outcome, units)
    return f"{PATH[found[1]]}: {ENDS[found[2]]}", measure


def _of_draws(fit: AbstractFit, column: str) -> tuple[str, str]:
    if column in ESTIMANDS:
        chosen, units = ESTIMANDS[column], len(fit.panel.treated)
        return f"effect: {chosen.words}", chosen.measured(fit.panel.outcome, units) or "fraction"
    if column.startswith("weight["):
        return f"weight of the donor {column[7:-1]}", SHARE
    scale = outcome_scale(fit.model.scale).measure or fit.panel.outcome
    prior = fit.problem.priors.get(column)
    if prior is not None:
        pure = column in fit.model.process.unitless
        return f"parameter of the noise; prior {prior}", NUMBER if pure else scale
    return _unknown(fit, column)


def _of_times(fit: AbstractFit, column: str) -> tuple[str, str]:
    return f"outcome without treatment at {column}; effect = observed - this", fit.panel.outcome


def _unknown(fit: AbstractFit, column: str) -> tuple[str, str]:
    return "", ""
