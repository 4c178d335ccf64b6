"""Auxiliary outcomes in a model: the same weights, with noise and a location of their own each."""

from dataclasses import replace

import xarray as xr

from bayes_synth.data.auxiliary import AuxiliaryTable
from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import locked
from bayes_synth.errors import DesignError
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.priors import Dirichlet
from bayes_synth.words import listed

__all__ = ["about", "alone", "require_shareable"]


def about(panel: Panel, name: str) -> Panel:
    """Return the panel in which this auxiliary outcome is the main one, and the main one auxiliary.

    Its donors, treated units, start and predictors are the same.
    """
    table, units = panel.auxiliary, panel.outcomes["unit"].values.tolist()
    assert table is not None
    series = table.of(units).sel(auxiliary=[each for each in table.names if each != name])
    plain = panel.outcomes.drop_vars(set(panel.outcomes.coords) - {"time", "unit"}).rename(None)
    rest = xr.concat([plain.expand_dims(auxiliary=[panel.outcome]), series], dim="auxiliary")
    return replace(alone(panel, name), auxiliary=AuxiliaryTable(rest))


def alone(panel: Panel, name: str) -> Panel:
    """Return the panel of one auxiliary outcome, without any other."""
    assert panel.auxiliary is not None
    units = panel.outcomes["unit"].values.tolist()
    own = panel.auxiliary.of(units).sel(auxiliary=name, drop=True).transpose("time", "unit")
    return replace(panel, outcomes=locked(own), outcome=name, covariates=None, auxiliary=None)


def require_shareable(model: AbstractSyntheticControl, panel: Panel) -> None:
    """Refuse what cannot be fitted with auxiliary outcomes.

    Raises
    ------
    DesignError
        D074 for a choice that is still to be made, D075 for a model that slices cannot sample, D076
        for covariates.
    """
    if panel.auxiliary is None:
        return
    names = listed(panel.auxiliary.names, 3)
    options = {"noise": model.noise, "calendar": model.calendar, "scale": model.scale}
    open_ones = [
        f'{name}="auto"'
        for name, value in options.items()
        if isinstance(value, str) and value == "auto"
    ]
    if open_ones:
        raise DesignError(
            "D074",
            f"noise, calendar and scale must be named with auxiliary outcomes ({names}), got "
            f"{listed(open_ones)}.\n  Fit the panel without them first, and pass what "
            "fit.model of that fit names.",
        )
    normal = model.process.diagonal(len(panel.pre)) is not None
    if not (normal and isinstance(model.prior, Dirichlet) and not len(panel.missing_times)):
        raise DesignError(
            "D075",
            f"auxiliary outcomes ({names}) need what slices sample: a Dirichlet prior, normal "
            "noise that is a local level, a trend or iid with half-normal priors, and treated "
            f"units without missing outcomes; got {model.prior!r}, {model.process!r} and "
            f"{len(panel.missing_times)} missing times.\n  Change the model, or read the panel "
            "without auxiliary=.",
        )
    if panel.covariates is not None and model.covariates is not None:
        raise DesignError(
            "D076",
            f"a model must have either covariates ({listed(panel.covariates.names, 3)}) or "
            f"auxiliary outcomes ({names}), got both.\n  Pass SyntheticControl(covariates=None), "
            "or read the panel without auxiliary=.",
        )
