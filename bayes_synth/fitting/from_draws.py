"""Make a fit of draws that another sampler has made of the same PyMC model."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PanelError, ResultError
from bayes_synth.fitting.fit_panel import Fitted, judged, prepare, warn_about, warn_of_draws
from bayes_synth.model.graph import MISSING_RESIDUAL
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.sampling.regression import COEFFICIENTS
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.task import Sampled
from bayes_synth.words import SAMPLE_DIMS, listed

__all__ = ["fit_of_draws"]


def fit_of_draws(
    model: AbstractSyntheticControl, panel: Panel, idata: Any, settings: Settings
) -> Fitted:
    """Label, calibrate and judge draws as a fit does; see :meth:`bayes_synth.Fit.from_idata`.

    Raises
    ------
    OptionError
        O001 when ``panel`` is something else, O095 unless the model names its noise, its calendar
        and its scale.
    PanelError
        P096 for a panel with auxiliary outcomes.
    ResultError
        R046 when the draws lack a variable, have other donors or are not finite.
    """
    if not isinstance(panel, Panel):
        raise OptionError("O001", f"panel must be a bs.Panel, got {type(panel).__name__}.")
    if panel.auxiliary is not None:
        raise PanelError(
            "P096",
            "panel must have one outcome for draws that were made outside, got auxiliary outcomes "
            f"too: {listed(panel.auxiliary.names, 3)}.\n  Use model.fit(panel), whose slices "
            "draw from the same posterior.",
        )
    chosen = {"noise": model.noise, "calendar": model.calendar, "scale": model.scale}
    if auto := [
        name for name, value in chosen.items() if isinstance(value, str) and value == "auto"
    ]:
        raise OptionError(
            "O095",
            f"{auto[0]} must be named for draws that were made outside, got 'auto'; "
            "pass fit.model of a fit that chose it.",
        )
    # The draws are under the prior on q as the model states it: there is nothing to average over.
    if (plan := model.calibration) is not None:
        plan = replace(plan, q_factors=(1.0,), q_probabilities=(1.0,))
        model = replace(model, calibrate=plan)
    sampled = _sampled(Problem.of(model, panel), idata)
    sizes = sampled.posterior.sizes
    size = Size(sizes["draw"], settings.size.tune, sizes["chain"], settings.size.target_accept)
    prepared = prepare(model, panel, replace(settings, size=size))
    draft = judged(prepared, replace(settings, size=size), sampled)
    warnings = [f"[{code}] {text}" for code, kind, text in panel.remarks if kind == "warned"]
    warnings += warn_about(draft.verdict)
    warnings += warn_of_draws(draft.idata, prepared.problem)
    return Fitted(
        prepared.problem.model, draft.idata, replace(draft.record, warnings=tuple(warnings))
    )


def _sampled(problem: Problem, idata: Any) -> Sampled:
    """Take the draws of the model's own variables, in typical steps."""
    groups = getattr(idata, "children", None)
    if groups is None or "posterior" not in groups:
        raise OptionError(
            "O001",
            "idata must be an xarray.DataTree with a group 'posterior', as pm.sample returns, got "
            f"{type(idata).__name__}.",
        )
    given, process = idata["posterior"].to_dataset(), problem.model.process
    names = [
        "weights",
        *process.sampled,
        *([MISSING_RESIDUAL] if len(problem.inputs.missing) else []),
        *([COEFFICIENTS] if problem.covariates else []),
    ]
    if absent := [name for name in names if name not in given]:
        raise ResultError(
            "R046",
            f"idata must have {listed(names)} in its posterior, as the model of model.build(panel) "
            f"does, got none of {listed(absent)}.",
        )
    draws = given[names].transpose(*SAMPLE_DIMS, ...)
    _require_donors(draws, problem.donors)
    draws["weights"] = draws["weights"].sel(donor=list(problem.donors))
    for name in process.parameters:
        draws[name] = draws[name] / problem.parameter_unit(name)
    if problem.covariates is not None:
        draws[COEFFICIENTS] = _in_prior_sds(draws[COEFFICIENTS], problem)
    if not all(np.isfinite(array).all() for array in draws.data_vars.values()):
        raise ResultError("R046", "idata must have finite draws only; drop the chains that broke.")
    plain = {name: (draws[name].dims, draws[name].to_numpy()) for name in names}
    library = str(idata["posterior"].attrs.get("inference_library", "given draws"))
    return Sampled(xr.Dataset(plain), _stats(idata, draws), 0.0, 0.0, sampler=library)


def _in_prior_sds(coefficients: xr.DataArray, problem: Problem) -> xr.DataArray:
    """Convert coefficients from outcome units per covariate; refuse those of others.

    Raises
    ------
    ResultError
        R046.
    """
    assert problem.covariates is not None
    names, labels = problem.covariates.names, coefficients.coords.get("covariate")
    got = [] if labels is None else [str(label) for label in labels.to_numpy()]
    if sorted(got) != sorted(names):
        raise ResultError(
            "R046",
            "coefficients of idata must have the dim covariate with the panel's covariates, "
            f"{listed(names)}; got {listed(got) if got else 'no such dim'}.",
        )
    ordered = coefficients.sel(covariate=list(names)).transpose(*SAMPLE_DIMS, "covariate")
    return ordered * (problem.covariates.per_step / problem.inputs.step)


def _require_donors(draws: xr.Dataset, donors: tuple[str, ...]) -> None:
    """Refuse draws of the weights of other donors."""
    labels = draws["weights"].coords.get("donor")
    got = [] if labels is None else [str(label) for label in labels.to_numpy()]
    if sorted(got) != sorted(donors):
        raise ResultError(
            "R046",
            "weights of idata must have the dim donor with the panel's donors, "
            f"{listed(donors)}; got {listed(got) if got else 'no such dim'}.",
        )


def _stats(idata: Any, draws: xr.Dataset) -> xr.Dataset:
    """Return the sampler's statistics; without any, no divergence is known of."""
    sizes = [draws.sizes[dim] for dim in SAMPLE_DIMS]
    none = xr.Dataset({"diverging": (SAMPLE_DIMS, np.zeros(sizes, dtype=bool))})
    if "sample_stats" not in idata.children:
        return none
    stats = idata["sample_stats"].to_dataset()
    kept = {
        name: (array.dims, array.to_numpy())
        for name, array in stats.items()
        if set(array.dims) == set(SAMPLE_DIMS) and array.dtype.kind in "fiub"
    }
    return none.assign(kept)
