"""Write plans as netCDF or zarr that xarray opens without this library, and no pickle."""

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from bayes_synth.errors import LoadError
from bayes_synth.planning.answers import AbstractPlan
from bayes_synth.planning.request import Prior
from bayes_synth.storage.digests import digest
from bayes_synth.storage.specs import foreign_parts, to_spec
from bayes_synth.storage.trees import put, suffix_of, write
from bayes_synth.words import listed

__all__ = ["FACTS", "SEAL", "TABLES", "family_of", "save_plan"]

FACTS, SEAL = "bayes_synth_plan", "bayes_synth_plan_sha256"
"""Attributes of a file's root: how the plan was made, and the digest of the content."""
SCHEMA = 1
TABLES = ("pretend_tests", "placebo_tests", "weights", "path")


def save_plan(plan: AbstractPlan, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a plan; see :meth:`bayes_synth.Plan.save`."""
    target = Path(path)
    suffix = suffix_of(target)
    if not target.parent.is_dir():
        raise LoadError("L001", f"the folder {target.parent} does not exist.")
    if target.exists() and not overwrite:
        raise LoadError("L004", f"{target} exists; pass overwrite=True to replace it.")
    tree = xr.DataTree.from_dict(_groups(plan))
    tree.attrs[FACTS] = json.dumps(_facts(plan))
    tree.attrs[SEAL] = digest(tree)
    with tempfile.TemporaryDirectory(prefix=".saving_", dir=target.parent) as folder:
        written = Path(folder) / f"plan{suffix}"
        write(tree, written, suffix)
        put(written, target)


def _groups(plan: AbstractPlan) -> dict[str, xr.Dataset]:
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


def _facts(plan: AbstractPlan) -> dict[str, Any]:
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
