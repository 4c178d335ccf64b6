"""Bayesian synthetic control: sparse donor weights, and effects as posteriors.

>>> import bayes_synth as bs
>>> fit = bs.SyntheticControl().fit(bs.load_dataset("prop99"), random_seed=1)  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayes_synth import batch as batch
    from bayes_synth import checks as checks
    from bayes_synth import errors as errors
    from bayes_synth import noise as noise
    from bayes_synth import plots as plots
    from bayes_synth import priors as priors
    from bayes_synth.api import Fit, SyntheticControl
    from bayes_synth.batch import FitTask, fit_many
    from bayes_synth.data.panel import Panel
    from bayes_synth.data.predictors import Predictors
    from bayes_synth.data.simulate import simulate
    from bayes_synth.datasets import fetch_dataset, load_dataset
    from bayes_synth.model import calendar as calendar
    from bayes_synth.model import predictors as predictors
    from bayes_synth.model.calibration import Calibration
    from bayes_synth.planning import rules as rules
    from bayes_synth.planning.cells import CellPlan, plan_cells
    from bayes_synth.planning.choice import Choice
    from bayes_synth.planning.choose import choose_treated
    from bayes_synth.planning.cost import Spend
    from bayes_synth.planning.history import History
    from bayes_synth.planning.loading import load
    from bayes_synth.planning.plan import Plan
    from bayes_synth.report.cite import cite
    from bayes_synth.results import estimands as estimands
    from bayes_synth.results.effects import Effect
    from bayes_synth.study.compare import compare
    from bayes_synth.study.joint_fit import JointFit
    from bayes_synth.study.study import Study

    __version__: str

_HOMES = {
    "Calibration": "model.calibration",
    "CellPlan": "planning.cells",
    "Choice": "planning.choice",
    "Effect": "results.effects",
    "Fit": "api",
    "FitTask": "batch",
    "History": "planning.history",
    "JointFit": "study.joint_fit",
    "Panel": "data.panel",
    "Plan": "planning.plan",
    "Predictors": "data.predictors",
    "Spend": "planning.cost",
    "Study": "study.study",
    "SyntheticControl": "api",
    "choose_treated": "planning.choose",
    "cite": "report.cite",
    "compare": "study.compare",
    "fetch_dataset": "datasets",
    "fit_many": "batch",
    "load": "planning.loading",
    "load_dataset": "datasets",
    "plan_cells": "planning.cells",
    "simulate": "data.simulate",
}
"""Where each public name lives, below the package."""
_MODULES = {
    **{name: name for name in ("batch", "checks", "errors", "noise", "plots", "priors", "testing")},
    "calendar": "model.calendar",
    "predictors": "model.predictors",
    "estimands": "results.estimands",
    "rules": "planning.rules",
}
"""Public modules, by the name that users type."""

__all__ = [
    "Calibration",
    "CellPlan",
    "Choice",
    "Effect",
    "Fit",
    "FitTask",
    "History",
    "JointFit",
    "Panel",
    "Plan",
    "Predictors",
    "Spend",
    "Study",
    "SyntheticControl",
    "batch",
    "calendar",
    "checks",
    "choose_treated",
    "cite",
    "compare",
    "errors",
    "estimands",
    "fetch_dataset",
    "fit_many",
    "load",
    "load_dataset",
    "noise",
    "plan_cells",
    "plots",
    "predictors",
    "priors",
    "rules",
    "simulate",
    "testing",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package stays quick."""
    if name == "__version__":
        return import_module("importlib.metadata").version("bayes_synth")
    if name in _MODULES:
        return import_module(f"bayes_synth.{_MODULES[name]}")
    if name in _HOMES:
        return getattr(import_module(f"bayes_synth.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'bayes_synth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
