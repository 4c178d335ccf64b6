"""Prior sensitivity: how far other defensible choices would have moved the effect."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.pictures.forest import plot_forest
from bayes_synth.checks.refits import Case, Refitter, as_row, concluded, refits, shifted
from bayes_synth.checks.result import Check, Verdict, check, graded, not_applicable, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import locked
from bayes_synth.fitting.noise_choice import CANDIDATES
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise import IID, LocalLevel
from bayes_synth.priors import Dirichlet
from bayes_synth.results.answers import AbstractFit, watched
from bayes_synth.words import short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

__all__ = ["prior_sensitivity"]

QUESTION = "Would other defensible choices have given another effect?"
EFFECTIVE = (2.0, 8.0)
LATER = (0.25, 0.5)
"""Shares of the pre-period that are left out at its beginning."""
LATER_BEGINNING = "pre-period from"


@check(QUESTION, place=12, refits=True)
def prior_sensitivity(
    fit: AbstractFit,
    *,
    power: float = 0.05,
    caution: float = 1.0,
    fail: float = 2.0,
    least: int = 8,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Refitter = refits,
) -> Check:
    """Power-scale the noise's priors, and refit with other priors, noise, levels and beginnings of the pre-period.

    Parameters
    ----------
    fit
        The fit.
    power
        Power-scaling sensitivity of the average effect, as the sampler left it, to the priors of the noise, above which
        it is a caution: the threshold of Kallioinen et al. (2024).
    caution, fail
        Largest shift of the average effect among the refits, in posterior standard deviations of the fit's: what passes,
        and what does not fail (our thresholds, those of :func:`leave_one_out`). Of refits that begin later half the shift
        counts: they learn from less and differ by chance, too.
    least
        Smallest number of periods with an outcome that a later beginning must leave.
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: the specification curve, one row per refit in the order of its median, with 95 % ETI, ``ok`` and ``shift``.
        ``attrs`` has ``prior_power`` and ``likelihood_power`` (missing without the densities). All refits are spread by the
        fit's own kappa, which another noise process would not have: compare medians, not widths.

    Notes
    -----
    Power-scaling leaves the weights' prior out: a sparse Dirichlet raised to a power is soon no distribution any more, so
    weights are refitted instead. ``likelihood_power`` rests on the sum of ``log p(y_t | y_-t)``, which the fit stores
    and which is the likelihood only for independent noise: it is shown and does not decide.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing 34, 57. Simonsohn, Simmons and Nelson (2020),
    Nature Human Behaviour 4, for the specification curve.
    """
    cases = dict(_cases(fit, least))
    found = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Other specifications"
    )
    if not found:
        return not_applicable("prior_sensitivity", QUESTION, "No refit was done.")
    table = shifted(fit, {label: as_row(refit) for label, refit in found.items()}).sort_values(
        "median"
    )
    table = table.rename_axis("specification")
    powers = {f"{group}_power": _power(fit, group) for group in ("prior", "likelihood")}
    counted = table["shift"].abs() * np.where(table.index.str.startswith(LATER_BEGINNING), 0.5, 1.0)
    worst = str(counted.idxmax())
    verdict, remarks = concluded(graded(float(counted.max()), caution, fail), cases, found)
    own = float(fit.effect("average").draws.median())
    same = int((np.sign(table["median"]) == np.sign(own)).sum())
    reason = (
        f"Over {len(table)} other specifications the average effect lies between {table['median'].min():.3g} and "
        f"{table['median'].max():.3g} (fit: {own:.3g}), with the fit's sign in {same}; counting most is {worst}, with "
        f"{table['shift'][worst]:+.2f} posterior sd{_said(powers['prior_power'], power)}{remarks}."
    )
    table = thresholds(table, power=power, caution=caution, fail=fail, least=least, **powers)
    verdict = _with_power(verdict, powers["prior_power"], power)
    return Check("prior_sensitivity", QUESTION, verdict, reason, table, partial(_draw, fit, table))


def _cases(fit: AbstractFit, least: int) -> Iterator[tuple[str, Case]]:
    for label, model in _models(fit.model, len(fit.panel.donors)):
        if repr(model) != repr(fit.model):
            yield label, Case(model, fit.panel)
    for panel in _later(fit.panel, least):
        yield f"{LATER_BEGINNING} {short(panel.pre[0])}", Case(fit.model, panel)


def _models(
    model: AbstractSyntheticControl, donors: int
) -> Iterator[tuple[str, AbstractSyntheticControl]]:
    """Other priors on the weights, other noise, other levels."""
    for effective in EFFECTIVE:
        if effective < donors:
            label = f"{effective:g} effective donors"
            yield label, replace(model, weights=Dirichlet(effective_donors=effective))
    if donors > 1:
        yield "uniform weights", replace(model, weights=Dirichlet(concentration=1.0))
    for noise in CANDIDATES:
        yield f"noise {type(noise).__name__}", replace(model, noise=noise)
    yield "noise IID, no intercept", replace(model, noise=IID(intercept=False))
    if isinstance(model.process, LocalLevel):
        yield (
            "free initial level",
            replace(model, noise=replace(model.process, initial_level=np.inf)),
        )
        yield (
            "initial level near donors",
            replace(model, noise=replace(model.process, initial_level=1.0)),
        )


def _later(panel: Panel, least: int) -> Iterator[Panel]:
    """The panel without the first part of its pre-period, as long as enough outcomes are left."""
    seen = panel.treated_outcome.notnull().to_numpy()[: len(panel.pre)]
    for share in LATER:
        gone = round(share * len(seen))
        if gone and seen[gone:].sum() >= least:
            yield replace(panel, outcomes=locked(panel.outcomes.isel(time=slice(gone, None))))


def _power(fit: AbstractFit, group: str) -> float:
    """Power-scaling sensitivity of the average effect; missing where the fit has no such densities."""
    name = f"log_{group}"
    if name not in fit.idata.children:
        return np.nan
    densities = fit.idata[name].to_dataset().drop_vars("weights", errors="ignore")
    if not densities.data_vars or not all(
        bool(np.isfinite(values).all()) for values in densities.values()
    ):
        return np.nan
    average = watched(fit.panel, fit.model, fit.idata)["average effect"]
    groups = {"posterior": xr.Dataset({"average": average}), name: densities}
    return float(arviz_stats.psense(xr.DataTree.from_dict(groups), group=group)["average"])


def _said(prior_power: float, power: float) -> str:
    if np.isnan(prior_power):
        return ""
    return (
        f"; power-scaling sensitivity to the noise's priors {prior_power:.2f} (threshold {power:g})"
    )


def _with_power(verdict: Verdict, prior_power: float, power: float) -> Verdict:
    return "caution" if verdict == "pass" and prior_power > power else verdict


def _draw(fit: AbstractFit, table: pd.DataFrame, *, backend: str | None = None) -> "PlotCollection":
    return plot_forest(
        fit, table, f"Specification curve: {len(table)} other specifications", backend=backend
    )
