"""Prior sensitivity: ask how far other defensible choices would have moved the effect."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Unpack

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.earlier_starts import of_rows
from bayes_synth.checks.pictures.forest import plot_forest
from bayes_synth.checks.refits import Case, Refitter, as_row, concluded, refits, shifted
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds
from bayes_synth.data.panel import Panel
from bayes_synth.fitting.noise_choice import CANDIDATES
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise import IID, LocalLevel
from bayes_synth.priors import Dirichlet
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.convergence import watched
from bayes_synth.words import short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["prior_sensitivity"]

QUESTION = "Would other defensible choices have given another effect?"
EFFECTIVE = (2.0, 8.0)
"""Effective donors of other priors on the weights."""
LATER = (0.25, 0.5)
"""Shares of the pre-period that are left out at its beginning."""
LATER_BEGINNING = "pre-period from"
"""How labels of refits without the beginning of the pre-period begin."""


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
    """Power-scale the noise's priors, and refit with other priors, noise, levels and beginnings.

    Parameters
    ----------
    fit
        The fit.
    power
        Upper bound: up to ``power`` it passes, above it is a caution. It bounds the power-scaling
        sensitivity of the average effect, before calibration, to the priors of the noise: the
        threshold of Kallioinen et al. (2024).
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the largest
        shift of the average effect among the refits, in posterior standard deviations of the fit's
        (our thresholds, those of :func:`leave_one_out`). Of refits that begin later half the shift
        counts: they learn from less and differ by chance, too.
    least
        Smallest number of periods with an outcome that a later beginning of the pre-period must
        leave.
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the refits; replace it to answer cases in another way.

    Returns
    -------
    Check
        Table: the specification curve, one row per refit in the order of its median, with 95 % ETI
        of the average effect in outcome units per period, ``mcse`` (of the median), ``ok``,
        ``shift`` and ``shift_mcse``. ``attrs`` has ``prior_power`` and ``likelihood_power`` (NaN
        without the densities). All intervals are inflated by the fit's own kappa, which another
        noise process would not have: compare medians, not widths.

    Notes
    -----
    Power-scaling leaves the weights' prior out: a sparse Dirichlet raised to a power soon has no
    density, so weights are refitted instead. ``likelihood_power`` rests on the sum of ``log p(y_t
    | y_-t)``, which the fit stores and which is the likelihood only for independent noise: it is
    shown and does not decide.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing 34, 57. Simonsohn,
    Simmons and Nelson (2020), Nature Human Behaviour 4, for the specification curve.

    Examples
    --------
    >>> check = bs.checks.prior_sensitivity(fit, progressbar=False)
    >>> check.table.columns[:3].tolist()
    ['median', 'lower', 'upper']
    >>> figure = check.plot()
    """
    cases = dict(_specifications(fit, least))
    answers = refit(
        fit, cases, random_seed=random_seed, progressbar=progressbar, what="Other specifications"
    )
    if not answers:
        return not_applicable("prior_sensitivity", QUESTION, "No refit was done.")
    rows = {label: as_row(each) for label, each in answers.items()}
    table = shifted(fit, rows).sort_values("median").rename_axis("specification")
    later = table.index.str.startswith(LATER_BEGINNING)
    share = np.where(later, 0.5, 1.0)
    counted, errors = table["shift"].abs() * share, table["shift_mcse"] * share
    most = str(counted.idxmax())
    verdict, remarks = concluded(graded(counted[most], caution, fail), cases, answers)
    powers = {f"{group}_power": _sensitivity(fit, group) for group in ("prior", "likelihood")}
    sensitive = powers["prior_power"] > power
    verdict = "caution" if verdict == "pass" and sensitive else verdict
    table = thresholds(table, power=power, caution=caution, fail=fail, least=least, **powers)
    known = known_to(counted[most], errors[most], caution, fail)
    reason = _sensitivity_reason(fit, table, most, f" {known}{remarks}")
    picture = partial(_draw_specifications, fit, table)
    return Check("prior_sensitivity", QUESTION, verdict, reason, table, picture)


def _sensitivity_reason(fit: AbstractFit, table: pd.DataFrame, most: str, remarks: str) -> str:
    medians, own = table["median"], float(fit.effect("average").draws.median())
    same = int((np.sign(medians) == np.sign(own)).sum())
    prior_power, scaled = table.attrs["prior_power"], ""
    if not np.isnan(prior_power):
        scaled = (
            f"; power-scaling sensitivity to the noise's priors {prior_power:.2f} "
            f"(threshold {table.attrs['power']:g})"
        )
    return (
        f"Over {len(table)} other specifications the average effect lies between "
        f"{medians.min():.3g} and {medians.max():.3g} (fit: {own:.3g}), with the fit's sign in "
        f"{same}; counting most is {most}, with {table['shift'][most]:+.2f} posterior sd"
        f"{remarks}{scaled}."
    )


def _specifications(fit: AbstractFit, least: int) -> Iterator[tuple[str, Case]]:
    """Yield what to refit by label; a model that is the fit's own is left out."""
    for label, model in _other_models(fit.model, len(fit.panel.donors)):
        if repr(model) != repr(fit.model):
            yield label, Case(model, fit.panel)
    for panel in _later_beginnings(fit.panel, least):
        yield f"{LATER_BEGINNING} {short(panel.pre[0])}", Case(fit.model, panel)


def _other_models(
    model: AbstractSyntheticControl, donors: int
) -> Iterator[tuple[str, AbstractSyntheticControl]]:
    """Yield models with other priors on the weights, other noise and other levels."""
    own = model.prior if isinstance(model.prior, Dirichlet) else Dirichlet()
    for effective in EFFECTIVE:
        if effective < donors:
            weights = replace(own, effective_donors=effective, concentration=None)
            yield f"{effective:g} effective donors", replace(model, weights=weights)
    if donors > 1:
        weights = replace(own, effective_donors=None, concentration=1.0)
        yield "uniform weights", replace(model, weights=weights)
    for noise in filter(model.suits, CANDIDATES):
        yield f"noise {type(noise).__name__}", replace(model, noise=noise)
    yield "noise IID, no intercept", replace(model, noise=IID(intercept=False))
    if isinstance(model.process, LocalLevel):
        for label, initial in (("free initial level", np.inf), ("initial level near donors", 1.0)):
            yield label, replace(model, noise=replace(model.process, initial_level=initial))


def _later_beginnings(panel: Panel, least: int) -> Iterator[Panel]:
    """Yield the panel without the first part of its pre-period, if enough outcomes are left."""
    seen = panel.treated_outcome.notnull().to_numpy()[: len(panel.pre)]
    for share in LATER:
        gone = round(share * len(seen))
        if gone and seen[gone:].sum() >= least:
            yield of_rows(panel, slice(gone, None))


def _sensitivity(fit: AbstractFit, group: str) -> float:
    """Return the power-scaling sensitivity of the average effect, NaN if there are no densities."""
    name = f"log_{group}"
    if name not in fit.idata.children:
        return np.nan
    densities = fit.idata[name].to_dataset().drop_vars("weights", errors="ignore")
    finite = all(bool(np.isfinite(values).all()) for values in densities.values())
    if not densities.data_vars or not finite:
        return np.nan
    average = watched(fit.panel, fit.model, fit.idata)["average effect"]
    groups = {"posterior": xr.Dataset({"average": average}), name: densities}
    return float(arviz_stats.psense(xr.DataTree.from_dict(groups), group=group)["average"])


def _draw_specifications(
    fit: AbstractFit, table: pd.DataFrame, **options: "Unpack[PictureOptions]"
) -> "PlotCollection":
    title = f"Specification curve: {len(table)} other specifications"
    return plot_forest(fit, table, title, options)
