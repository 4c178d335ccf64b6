"""Write plans and choices as netCDF or zarr, which xarray opens without this library; no pickle."""

import json
import os
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from bayes_synth.errors import LoadError
from bayes_synth.planning.answers import AbstractPlan
from bayes_synth.planning.request import Prior
from bayes_synth.storage.save import CHOICE_FACTS, PLAN_FACTS, write_sealed
from bayes_synth.storage.specs import foreign_parts, to_spec
from bayes_synth.words import listed

__all__ = ["SCHEMA", "TABLES", "family_of", "save_choice", "save_plan"]

SCHEMA = 1
TABLES = ("pretend_tests", "placebo_tests", "weights", "path")


def save_plan(plan: AbstractPlan, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a plan; see :meth:`bayes_synth.Plan.save`."""
    tree = xr.DataTree.from_dict(plan_groups(plan))
    facts = {PLAN_FACTS: json.dumps(plan_facts(plan))}
    write_sealed(tree, facts, path, overwrite=overwrite)


def save_choice(choice: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a choice, with a group per finalist; see :meth:`bayes_synth.Choice.save`."""
    groups = {"/": xr.Dataset(), "/table": _dataset(choice.table.drop(columns="units"))}
    for k, plan in enumerate(choice.plans.values()):
        groups |= {f"/plan_{k:04d}{name}".rstrip("/"): g for name, g in plan_groups(plan).items()}
    facts = {
        "schema": SCHEMA,
        "plans": [plan_facts(plan) for plan in choice.plans.values()],
        "units": [list(units) for units in choice.table["units"]],
        "attrs": choice.table.attrs,
        "left_out": choice.left_out.reset_index().to_dict("list"),
        "considered": choice.considered,
        "windows": [_places(choice.best, part) for part in choice.windows],
    }
    tree = xr.DataTree.from_dict(groups)
    write_sealed(tree, {CHOICE_FACTS: json.dumps(facts)}, path, overwrite=overwrite)


def _places(plan: AbstractPlan, times: Any) -> list[int]:
    """Return the positions of times in the history."""
    return [int(place) for place in plan.history.times.get_indexer(pd.Index(times))]


def plan_groups(plan: AbstractPlan) -> dict[str, xr.Dataset]:
    """Lay the plan out as datasets."""
    weights = plan.before.weights.rename_axis("donor").reset_index()
    path = plan.before.path.rename_axis("time").reset_index()
    frames = dict(zip(TABLES, (plan.pretend_tests, plan.placebo_tests, weights, path), strict=True))
    return {
        "/": xr.Dataset(),
        "/history": plan.history.outcomes.to_dataset(name="outcome"),
        "/counterfactual": plan.counterfactual.to_dataset(name="average"),
        **{f"/{name}": _dataset(frame) for name, frame in frames.items()},
    }


def _dataset(frame: pd.DataFrame) -> xr.Dataset:
    columns = {name: ("row", _plain(frame[name])) for name in frame}
    return xr.Dataset(columns)


def _plain(column: pd.Series) -> np.ndarray:
    text = column.dtype.kind not in "biufM"
    return np.array([str(v) for v in column], dtype=object) if text else column.to_numpy()


def plan_facts(plan: AbstractPlan) -> dict[str, Any]:
    """Write everything else as JSON."""
    history, verdict = plan.history, plan.before.verdict
    model, rule = to_spec(plan.model), to_spec(plan.rule)
    if foreign := foreign_parts([model, rule]):
        text = (
            f"the model and the rule must be such that a file can hold, not so: {listed(foreign)}."
        )
        raise LoadError("L003", text)
    return {
        "schema": SCHEMA,
        "model": model,
        "rule": rule,
        "treated": plan.treated,
        "never_donors": plan.never_donors,
        "effects": plan.effects,
        "prior": _prior_facts(plan.prior),
        "additive": plan.additive,
        "record": dict(plan.record),
        "notes": plan.notes,
        "attrs": plan.before.weights.attrs,
        "verdict": asdict(verdict),
        "history": [history.unit, history.time, history.outcome, history.remarks],
        "zone": asdict(history.zone),
    }


def _prior_facts(prior: Prior | None) -> Any:
    """Name a frozen distribution of SciPy.

    Raises
    ------
    LoadError
        L003 for any other prior.
    """
    if prior is None:
        return None
    family = getattr(getattr(prior, "dist", None), "name", None)
    args, kwds = getattr(prior, "args", ()), getattr(prior, "kwds", {})
    if not isinstance(family, str) or not isinstance(family_of(family), stats.rv_continuous):
        text = (
            f"the prior on the effect must be a frozen distribution of scipy.stats, got {prior!r}."
        )
        raise LoadError("L003", text)
    return [family, [float(a) for a in args], {name: float(a) for name, a in kwds.items()}]


def family_of(name: str) -> Any:
    """Return the distribution of scipy.stats with this name, or None."""
    return getattr(stats, name, None)
