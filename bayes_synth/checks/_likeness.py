"""Likeness: ask whether the weight lies on donors that resemble the treated unit."""

from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.innovations import periods_seen
from bayes_synth.checks.pictures.layers import HOLLOW, Axes, Layer, named_points, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import (
    Check,
    Verdict,
    graded,
    known_to,
    not_applicable,
    thresholds,
    worst,
)
from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, PanelError
from bayes_synth.plots.common import shortened_apart
from bayes_synth.plots.legend import Entry
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.monte_carlo import mean_error
from bayes_synth.results.weighted import adjusted
from bayes_synth.words import listed

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["likeness"]

HEAVIEST = 4
"""How many donors the picture names."""
QUESTION = "Does the weight lie on donors that resemble the treated unit?"
DONOR = ("weight", "outcome_distance", "covariate_distance", "far")
BALANCE = ("treated", "synthetic", "lower", "upper", "donor_mean", "sd", "difference")


@check(QUESTION, place=4)
def likeness(
    fit: AbstractFit,
    *,
    covariates: pd.DataFrame | None = None,
    caution: float = 1.0,
    fail: float = 1.5,
    heavy: float = 0.25,
    balance: float = 0.25,
    balance_fail: float = 1.0,
) -> Check:
    """Ask whether the synthetic control averages units that resemble the treated one.

    An average of units that lie far off on opposite sides can match the path before treatment and
    yet be wrong after it, when outcomes are not linear in what the units differ in (interpolation
    bias).

    Parameters
    ----------
    fit
        The fit.
    covariates
        One row per unit, treated and donors, one column per covariate, measured before treatment;
        other rows are ignored. None takes the panel's predictors; without any, outcomes only are
        compared.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the weighted
        mean of the donors' distances over their plain mean. Above 1 the weight prefers donors that
        are less alike than a donor drawn at random (our thresholds; the ratio's numerator is the
        penalty of Abadie and L'Hour 2021).
    heavy
        A donor with at least this weight that is farther than three quarters of the donors is a
        caution.
    balance, balance_fail
        Upper bounds: up to ``balance`` it passes, above ``balance_fail`` it fails. They bound the
        difference between the treated unit and its synthetic control in a covariate, in standard
        deviations over the units (0.25: Rubin 2001; the other is ours).

    Returns
    -------
    Check
        Table: index ``kind`` and ``name``. Kind ``donor``: ``weight`` (posterior mean),
        ``outcome_distance`` (root mean square difference before treatment over the treated unit's
        standard deviation; minus the own means if the model has a level), ``covariate_distance``
        (root mean square over the covariates, each in standard deviations) and ``far`` (both
        distances squared and added exceed those of three quarters of the donors). Kind
        ``covariate``: ``treated``, ``synthetic`` with ``lower`` and ``upper`` (95 % equal-tailed),
        ``donor_mean``, ``sd`` (over the units) and ``difference`` (treated minus synthetic, in
        standard deviations).

    Raises
    ------
    DesignError
        D009 when ``covariates`` lacks a unit, D050 when it has a unit more than once.
    PanelError
        P010 for covariates that are not numbers, V018 for missing or infinite values, V019 for one
        that is constant.

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 3.3 and 5. Abadie and L'Hour
    (2021), JASA 116(536). Rubin (2001), Health Services and Outcomes Research Methodology 2, for
    the standardised difference of 0.25.

    Examples
    --------
    >>> bs.checks.likeness(fit).verdict
    'pass'
    """
    if covariates is None and fit.panel.predictors is not None:
        covariates = fit.panel.predictors.to_frame()
    numbers = None if covariates is None else _require_covariates(covariates, fit.panel)
    if len(fit.panel.donors) == 1:
        only = "There is one donor, so there is nothing to prefer."
        return not_applicable("likeness", QUESTION, only)
    donors = _donor_distances(fit, numbers)
    total = _total_distance(donors)
    donors["far"] = total > total.quantile(0.75)
    ratio = float((donors["weight"] * total).sum() / total.mean())
    draws = fit.idata["posterior"].to_dataset()["weights"]
    distances = xr.DataArray(total.to_numpy(), dims="donor") / total.mean()
    error = mean_error(draws.dot(distances, dim="donor"))
    known = known_to(ratio, error, caution, fail)
    grades: list[Verdict] = [graded(ratio, caution, fail, error)]
    culprits = donors.index[donors["far"] & (donors["weight"] >= heavy)]
    grades += ["caution"] * len(culprits)
    parts = {"donor": donors.sort_values("weight", ascending=False, kind="stable")}
    if numbers is not None:
        parts["covariate"] = _covariate_balance(fit, numbers)
        differences = parts["covariate"]["difference"].abs()
        grades += [graded(difference, balance, balance_fail) for difference in differences]
    columns = [*DONOR, *(BALANCE if numbers is not None else ())]
    table = pd.concat(parts, names=["kind", "name"]).reindex(columns=columns)
    limits = {
        "caution": caution,
        "fail": fail,
        "heavy": heavy,
        "balance": balance,
        "balance_fail": balance_fail,
    }
    return Check(
        "likeness",
        QUESTION,
        worst(grades),
        _likeness_reason(ratio, known, list(culprits), parts.get("covariate")),
        thresholds(table, **limits, distance_ratio=ratio, distance_ratio_mcse=error),
        partial(_draw_likeness, fit, table),
    )


def _require_covariates(covariates: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Return the covariates of the panel's units, all of which must be numbers."""
    table = covariates.set_axis(covariates.index.map(str), axis=0)
    units = [*panel.treated, *panel.donors]
    lost = [unit for unit in units if unit not in table.index]
    if lost:
        text = f"covariates must hold every unit, {len(lost)} of {len(units)} are missing"
        raise DesignError("D009", f"{text}: {listed(lost)}. Index them by unit.")
    twice = table.index[table.index.duplicated()].intersection(units)
    if len(twice):
        raise DesignError(
            "D050",
            f"covariates must have one row per unit, got several of {listed(twice)}: "
            "keep one of them, or their average.",
        )
    table = table.loc[units]
    words = [str(name) for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        text = f"covariates must be numbers, these are not: {listed(words)}"
        raise PanelError("P010", f"{text}. Leave them out or code them as numbers.")
    table = table.astype(float)
    holes = [str(name) for name in table if not np.isfinite(table[name]).all()]
    if holes:
        text = f"covariates must be finite, these are not for some units: {listed(holes)}"
        raise PanelError("V018", f"{text}. Fill or drop them.")
    flat = [str(name) for name in table if np.ptp(table[name].to_numpy()) == 0]
    if flat:
        text = f"covariates must differ between units, these are constant: {listed(flat)}"
        raise PanelError("V019", f"{text}. Drop them.")
    return table


def _donor_distances(fit: AbstractFit, covariates: pd.DataFrame | None) -> pd.DataFrame:
    """Tabulate the donors' weights and their distances from the treated unit."""
    inputs = adjusted(fit.problem, fit.idata).inputs
    seen = periods_seen(inputs)
    differences = inputs.donor_outcomes[seen] - inputs.outcome[seen, None]
    differences -= differences.mean(0) if fit.model.process.level_sd > 0 else 0
    weights = fit.idata["posterior"]["weights"].mean(("chain", "draw")).to_numpy()
    table = pd.DataFrame({"weight": weights}, index=pd.Index(fit.panel.donors, dtype=object))
    sd = inputs.outcome[seen].std(ddof=1)
    table["outcome_distance"] = np.sqrt((differences**2).mean(0)) / sd
    table["covariate_distance"] = np.nan
    if covariates is not None:
        apart = covariates.loc[table.index] - covariates.loc[list(fit.panel.treated)].mean()
        apart = apart / covariates.std(ddof=1)
        table["covariate_distance"] = np.sqrt((apart**2).mean(axis=1))
    return table


def _covariate_balance(fit: AbstractFit, covariates: pd.DataFrame) -> pd.DataFrame:
    """Tabulate each covariate of the treated unit, its synthetic control and its donors."""
    weights = fit.idata["posterior"]["weights"].to_numpy().reshape(-1, len(fit.panel.donors))
    donors = covariates.loc[list(fit.panel.donors)]
    treated = covariates.loc[list(fit.panel.treated)].mean()
    draws = weights @ donors.to_numpy()
    lower, upper = np.quantile(draws, [0.025, 0.975], axis=0)
    table = pd.DataFrame(
        {"treated": treated, "synthetic": draws.mean(0), "lower": lower, "upper": upper}
    )
    table = table.assign(donor_mean=donors.mean(), sd=covariates.std(ddof=1))
    return table.assign(difference=(table["treated"] - table["synthetic"]) / table["sd"])


def _total_distance(donors: pd.DataFrame) -> pd.Series:
    """Combine the distances in outcomes and in covariates."""
    apart = donors[["outcome_distance", "covariate_distance"]].astype(float).fillna(0)
    return pd.Series(np.sqrt((apart**2).sum(axis=1)), index=donors.index)


def _likeness_reason(
    ratio: float, known: str, culprits: list[str], balance: pd.DataFrame | None
) -> str:
    far = f"; heavy and far: {listed(culprits)}" if culprits else ""
    words = (
        f"Donors with weight are {ratio:.2g} times as far from the treated unit "
        f"as donors on average {known}{far}"
    )
    if balance is None:
        return f"{words}; no covariates were given."
    at = int(balance["difference"].abs().argmax())
    most = f"{balance.index[at]} ({balance['difference'].iloc[at]:+.2g} sd)"
    return f"{words}; largest imbalance: {most}."


def _draw_likeness(
    fit: AbstractFit, table: pd.DataFrame, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    """Draw weight against distance, and the balance of the covariates."""
    donors = pd.DataFrame(table.xs("donor"))
    total = _total_distance(donors)
    spots = pd.DataFrame({"x": total, "y": donors["weight"].astype(float)})
    named, entries = named_points(spots, list(donors.index[:HEAVIEST]))
    points = {"mean": Layer("vertical", float(total.mean()))} | named
    title = "Weight against distance from the treated unit"
    legend = [
        *entries,
        Entry("mean distance", "line", "B1", 0.8, width=1.2, dash="dashed"),
    ]
    panels = {"likeness": Axes(title, points, "distance (pre-period sds)", "weight", legend=legend)}
    if "covariate" in table.index.get_level_values("kind"):
        panels["balance"] = _balance_axes(pd.DataFrame(table.xs("covariate")).astype(float))
    return picture(panels, options, fit=fit)


def _balance_axes(rows: pd.DataFrame) -> Axes:
    """Show differences from the treated unit in standard deviations over the units."""
    heights = np.arange(len(rows))[::-1]
    names = ("synthetic", "lower", "upper", "donor_mean")
    apart = {name: ((rows[name] - rows["treated"]) / rows["sd"]).to_numpy() for name in names}
    layers = {
        "zero": Layer("vertical", 0),
        "donor_mean": Layer("points", apart["donor_mean"], heights, style=HOLLOW),
        "synthetic": Layer("points", apart["synthetic"], heights),
    }
    ends = np.column_stack([apart["lower"], apart["upper"]])
    for name, height, pair in zip(rows.index, heights, ends, strict=True):
        layers[f"interval_{name}"] = Layer("line", pair, np.array([height, height], float))
    ticks = dict(zip(heights.astype(float), shortened_apart(rows.index, 28), strict=True))
    legend = [
        Entry("synthetic control, 95% ETI", "points", "C0"),
        Entry("donors' mean", "points", "gray", 0.8, hollow=True),
    ]
    title = "Covariates: difference from the treated unit"
    return Axes(title, layers, "standard deviations over the units", ticks=ticks, legend=legend)
