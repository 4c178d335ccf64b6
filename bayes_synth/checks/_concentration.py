"""Concentration: ask whether the answer rests on a single donor."""

from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, known_to, thresholds
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.monte_carlo import mean_error

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["concentration"]

QUESTION = "Does the answer rest on a single donor?"


@check(QUESTION, place=6)
def concentration(
    fit: AbstractFit, *, caution: float = 0.5, fail: float = 0.9, trading: float = -0.5
) -> Check:
    """Ask whether one donor carries the counterfactual, and which donors trade weight.

    Parameters
    ----------
    fit
        The fit.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the largest
        posterior mean weight of a donor: with half of the weight, whatever happens to that donor
        happens to half of the counterfactual (our thresholds; Abadie 2021, section 4, asks for
        sparse weights that can be argued about one by one).
    trading
        Donors whose weights are correlated below this with another donor's are counted: only the
        sum of such weights is known.

    Returns
    -------
    Check
        Table: one row per donor with its posterior mean ``weight``, the ``partner`` with which it
        trades most, and the ``correlation`` of their weights. ``attrs`` has the mean number of
        effective donors under posterior and prior. A single donor is a caution.

    Examples
    --------
    >>> bs.checks.concentration(fit).verdict
    'caution'
    """
    draws = fit.idata["posterior"].to_dataset()["weights"]
    flat = draws.to_numpy().reshape(-1, draws.sizes["donor"])
    effective = float((1 / (flat**2).sum(1)).mean())
    prior = fit.idata["prior"]["weights"].to_numpy().reshape(-1, flat.shape[1])
    table = pd.DataFrame(
        {"weight": flat.mean(0)}, index=pd.Index(fit.panel.donors, name="donor", dtype=object)
    )
    table[["partner", "correlation"]] = _trading_partners(flat, fit.panel.donors)
    table = table.sort_values("weight", ascending=False, kind="stable")
    largest = table.iloc[0]
    place = list(fit.panel.donors).index(str(largest.name))
    weight, error = float(largest["weight"]), mean_error(draws.isel(donor=place))
    reason = (
        f"The largest weight is {largest.name} {weight:.2f} "
        f"{known_to(weight, error, caution, fail)}; {effective:.1f} effective "
        f"donors{_trading_words(table, trading)}."
    )
    extra = {
        "weight_mcse": error,
        "effective_donors": effective,
        "prior_effective_donors": float((1 / (prior**2).sum(1)).mean()),
    }
    return Check(
        "concentration",
        QUESTION,
        graded(weight, caution, fail, error) if len(table) > 1 else "caution",
        reason,
        thresholds(table, caution=caution, fail=fail, trading=trading, **extra),
        partial(_draw_weights, fit),
    )


def _trading_partners(flat: np.ndarray, donors: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return for every donor the one whose weight falls most when its own rises."""
    if flat.shape[1] == 1:
        return [("", np.nan)]
    correlations = np.corrcoef(flat, rowvar=False)
    np.fill_diagonal(correlations, np.inf)
    return [(donors[int(np.argmin(row))], float(row.min())) for row in correlations]


def _trading_words(table: pd.DataFrame, trading: float) -> str:
    count = int(((table["correlation"] < trading) & (table["weight"] > 0.01)).sum())
    words = f"; {count} donors trade weight with another (correlation under {trading:g})"
    return words if count else ""


def _draw_weights(fit: AbstractFit, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    from bayes_synth.plots.weights import plot_weights

    return plot_weights(fit, **options)
