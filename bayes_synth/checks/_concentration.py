"""Concentration: whether the answer rests on a single donor, and whether donors trade weight."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.checks.result import Check, check, graded, thresholds
from bayes_synth.results.answers import AbstractFit

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["concentration"]

QUESTION = "Does the answer rest on a single donor?"


@check(QUESTION, place=6)
def concentration(
    fit: AbstractFit, *, caution: float = 0.5, fail: float = 0.9, trading: float = -0.5
) -> Check:
    """Whether one donor carries the counterfactual.

    Parameters
    ----------
    fit
        The fit.
    caution, fail
        Largest posterior mean weight of a donor that passes, and that is not failed: with half of the weight, whatever
        befalls that donor befalls half of the counterfactual (our thresholds; Abadie 2021, section 4, asks for sparse
        weights that can be argued about one by one).
    trading
        Pairs of donors whose weights are correlated below this are named: only their sum is known.

    Returns
    -------
    Check
        Table: one row per donor with posterior mean weight, and with whom it trades most, and how strongly; ``attrs`` has
        the posterior mean number of effective donors and the prior's.
    """
    draws = fit.idata["posterior"]["weights"]
    flat = draws.to_numpy().reshape(-1, draws.sizes["donor"])
    effective = float((1 / (flat**2).sum(1)).mean())
    prior = fit.idata["prior"]["weights"].to_numpy().reshape(-1, flat.shape[1])
    table = pd.DataFrame(
        {"weight": flat.mean(0)}, index=pd.Index(fit.panel.donors, name="donor", dtype=object)
    )
    table[["partner", "correlation"]] = _partners(flat, fit.panel.donors)
    table = table.sort_values("weight", ascending=False, kind="stable")
    top, pairs = table.iloc[0], table[(table["correlation"] < trading) & (table["weight"] > 0.01)]
    trade = (
        f"; {len(pairs)} donors trade weight with another (correlation under {trading:g})"
        if len(pairs)
        else ""
    )
    reason = f"The largest weight is {top.name} {top['weight']:.2f}; {effective:.1f} effective donors{trade}."
    extra = {
        "effective_donors": effective,
        "prior_effective_donors": float((1 / (prior**2).sum(1)).mean()),
    }
    return Check(
        "concentration",
        QUESTION,
        graded(float(top["weight"]), caution, fail) if len(table) > 1 else "caution",
        reason,
        thresholds(table, caution=caution, fail=fail, trading=trading, **extra),
        partial(_draw, fit),
    )


def _partners(flat: np.ndarray, donors: tuple[str, ...]) -> list[tuple[str, float]]:
    """For every donor, the one whose weight falls most when its own rises."""
    if flat.shape[1] == 1:
        return [("", np.nan)]
    known = np.corrcoef(flat, rowvar=False)
    np.fill_diagonal(known, np.inf)
    return [(donors[int(np.argmin(row))], float(row.min())) for row in known]


def _draw(fit: AbstractFit, *, backend: str | None = None) -> "PlotCollection":
    from bayes_synth.plots.weights import plot_weights

    return plot_weights(fit, backend=backend)
