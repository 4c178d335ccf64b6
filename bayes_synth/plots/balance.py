"""How far the synthetic unit is from the treated one in each predictor."""

from typing import Unpack

import pandas as pd
from arviz_plots import PlotCollection

from bayes_synth.plots.forest import PARTS, Forest, draw_forest
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.plots.registry import plot
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind
from bayes_synth.words import per_cent

__all__ = ["plot_balance"]


def _has_predictors(fit: AbstractFit) -> bool:
    return fit.panel.predictors is not None


@plot(
    "How far the synthetic {treated} is from {treated} in each predictor.",
    section="Balance",
    place=4,
    needs=_has_predictors,
)
def plot_balance(
    fit: AbstractFit,
    *,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
    backend: str | None = None,
    **options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Plot synthetic minus treated unit in each predictor, in standard deviations over units.

    Parameters
    ----------
    fit
        A fit of a panel with predictors.
    ci_prob, ci_kind
        The interval's probability and kind.
    backend, **options
        As in :func:`plot_fit`. Labels: effect (the axis). Parts: interval, median, zero, legend,
        title, xlabel, yticks. A collection must have the variable effect.

    Returns
    -------
    arviz_plots.PlotCollection
        One row per predictor with posterior mean and interval. A quarter of a standard deviation is
        what :func:`bayes_synth.checks.likeness` lets pass.

    Raises
    ------
    ResultError
        P057 when the panel carries no predictors, R006 when the backend is not installed.
    OptionError
        O001 for unknown names, O004 for a probability outside (0, 1).

    Examples
    --------
    >>> columns = {"unit": "state", "time": "year", "outcome": "sales"}
    >>> known = bs.Panel.from_long(
    ...     df.assign(income=df["sales"] / 2),
    ...     **columns,
    ...     treated="treated",
    ...     start=2030,
    ...     predictors=bs.Predictors(["income"]),
    ... )
    >>> figure = bs.plots.plot_balance(bs.testing.fake_fit(panel=known))
    """
    look = Look.of(backend, options, PARTS, ("effect",))
    table = fit.balance(ci_prob=ci_prob, ci_kind=ci_kind)
    apart = table[["synthetic", "lower", "upper"]].sub(table["treated"], axis=0)
    rows: pd.DataFrame = apart.div(table["sd"].where(table["sd"] > 0), axis=0)
    rows = rows.fillna(0.0).rename(columns={"synthetic": "median"})
    title = f"Balance of {len(rows)} predictors: mean and {per_cent(ci_prob)} {ci_kind.upper()}"
    forest = Forest(rows, title, "synthetic minus treated (sds over units)")
    return draw_forest(forest, look, fit)
