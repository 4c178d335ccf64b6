"""Put the panel of a fit together from the groups of its file."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.auxiliary import AuxiliaryTable
from bayes_synth.data.covariates import CovariateTable
from bayes_synth.data.panel import Panel
from bayes_synth.data.times import Zone, time_label
from bayes_synth.data.validation import locked
from bayes_synth.results.auxiliary import auxiliary_groups
from bayes_synth.storage.provenance import predictors_of

__all__ = ["panel_of"]


def panel_of(idata: xr.DataTree, facts: dict[str, Any]) -> Panel:
    """Put the panel together from the groups before and after the start."""
    halves = _halves(idata)
    outcomes = _outcomes(halves)
    times = outcomes["time"].to_index()
    label = time_label(facts["start"], pd.Index(times), what="start")
    # The start as the axis has it: 2005.0 among fractions of years, not 2005.
    start = next((time for time in times if time == label), label)
    names = {name: facts[name] for name in ("unit", "time", "outcome")}
    zone = Zone(**facts.get("zone", {}))
    known = predictors_of(facts.get("predictors"), pd.Index(times))
    treated = tuple(facts["treated"])
    panel = Panel(locked(outcomes), treated, start, **names, zone=zone, predictors=known)
    return replace(panel, covariates=_covariates(halves), auxiliary=_auxiliary(idata))


def _halves(idata: xr.DataTree) -> list[xr.Dataset]:
    groups = ("constant_data", "predictions_constant_data")
    return [idata[group].to_dataset() for group in groups]


def _outcomes(halves: list[xr.Dataset]) -> xr.DataArray:
    """Put the outcomes of donors and treated units together, dims ``(time, unit)``."""
    blocks = [
        xr.concat([half[name].rename({dim: "unit"}) for half in halves], dim="time").drop_attrs()
        for name, dim in (("donor_outcomes", "donor"), ("treated_outcomes", "treated"))
    ]
    outcomes = xr.concat(blocks, dim="unit").transpose("time", "unit").sortby("unit")
    units = np.array([str(label) for label in outcomes["unit"].to_numpy()], dtype=object)
    return outcomes.assign_coords(unit=units)


def _auxiliary(idata: xr.DataTree) -> AuxiliaryTable | None:
    """Put the auxiliary outcomes together, if there are any."""
    groups = auxiliary_groups(idata)
    if not groups:
        return None
    names = pd.Index(list(groups), name="auxiliary", dtype=object)
    series = [_outcomes(_halves(group)).rename(None) for group in groups.values()]
    return AuxiliaryTable(xr.concat(series, dim=names))


def _covariates(halves: list[xr.Dataset]) -> CovariateTable | None:
    """Put the covariates together, if there are any."""
    if "donor_covariates" not in halves[0]:
        return None
    blocks = [
        xr.concat([half[f"{dim}_covariates"].rename({dim: "unit"}) for half in halves], dim="time")
        for dim in ("donor", "treated")
    ]
    series = xr.concat(blocks, dim="unit").sortby("unit")
    labels = {
        dim: np.array([str(label) for label in series[dim].to_numpy()], dtype=object)
        for dim in ("unit", "covariate")
    }
    return CovariateTable(series.assign_coords(labels).drop_attrs())
