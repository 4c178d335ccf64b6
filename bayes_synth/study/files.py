"""Joint fits on disk: one file with a group per unit, the study's data and its placebo sets."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.api import Fit
from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import Zone
from bayes_synth.errors import BayesSynthError, LoadError
from bayes_synth.storage.provenance import provenance
from bayes_synth.storage.save import (
    FACTS,
    STUDY_FACTS,
    parts_of,
    require_folder,
    require_rebuildable,
    write_sealed,
)

__all__ = ["Saved", "read_study", "save_study"]

SCHEMA = 1
DATA, SETS = "study", "sets"
"""Groups of the study's outcomes and of the members of its placebo sets."""
NAMES = ("unit", "time", "outcome")
NOT_A_STUDY = (AttributeError, LookupError, TypeError, ValueError)

Saved = tuple[dict[str, Any], dict[str, Fit], pd.DataFrame | None]
"""The fields of a study, the fits of its units, and the members of its placebo sets."""


def save_study(
    study: Any,
    fits: Mapping[str, Fit],
    sets: pd.DataFrame | None,
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
) -> None:
    """Write a joint fit; see :meth:`bayes_synth.JointFit.save`."""
    require_folder(path)
    groups: dict[str, xr.Dataset] = {f"/{DATA}": xr.Dataset({"outcomes": study.outcomes})}
    if sets is not None:
        groups[f"/{SETS}"] = sets.to_xarray()
    for k, fit in enumerate(fits.values()):
        require_rebuildable(fit.model)
        for place, node in fit.idata.subtree_with_keys:
            dataset = node.to_dataset(inherit=False)
            if node is fit.idata:
                dataset.attrs[FACTS] = provenance(fit.model, fit.panel, fit.record)
            groups[f"/{_group(k)}/{place}".rstrip("/.")] = dataset
    tree = xr.DataTree.from_dict(groups)
    write_sealed(tree, {STUDY_FACTS: json.dumps(_facts(study))}, path, overwrite=overwrite)


def read_study(tree: xr.DataTree, source: Path) -> Saved:
    """Put a joint fit together from the groups of its file.

    Raises
    ------
    LoadError
        L002 when a newer version wrote it, L025 when parts are lacking.
    """
    try:
        facts = json.loads(tree.attrs[STUDY_FACTS])
        if facts["schema"] > SCHEMA:
            raise LoadError(
                "L002",
                f"{source} follows schema {facts['schema']} of studies, newer than {SCHEMA}: "
                "update bayes_synth.",
            )
        fits = {}
        for k, unit in enumerate(facts["starts"]):
            parts = parts_of(_alone(tree[_group(k)]), source)
            fits[str(unit)] = Fit(*parts)
        sets = None
        if SETS in tree.children:
            sets = tree[SETS].to_dataset().to_dataframe()
        return _fields(tree[DATA].to_dataset()["outcomes"], facts), fits, sets
    except LoadError:
        raise
    # The digest fits, so somebody composed this file: any part may be missing or of another type.
    except (BayesSynthError, *NOT_A_STUDY) as error:
        raise LoadError("L025", f"{source} lacks parts of a study: {error!r}.") from error


def _group(number: int) -> str:
    return f"unit_{number:04d}"


def _alone(node: Any) -> xr.DataTree:
    """Cut one unit's groups out of the tree of the study."""
    return xr.DataTree.from_dict(
        {path: each.to_dataset(inherit=False) for path, each in node.subtree_with_keys}
    )


def _facts(study: Any) -> dict[str, Any]:
    """Write down what makes a study beside its outcomes; times by their position."""
    times = study.times
    return {
        "schema": SCHEMA,
        "starts": {unit: int(times.get_loc(start)) for unit, start in study.starts.items()},
        "ends": {unit: int(times.get_loc(end)) for unit, end in study.ends.items()},
        "pools": {unit: list(pool) for unit, pool in study.pools.items()},
        "zone": asdict(study.zone),
        "remarks": [list(remark) for remark in study.remarks],
        **{name: getattr(study, name) for name in NAMES},
    }


def _fields(outcomes: xr.DataArray, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the study."""
    times = outcomes["time"].to_index()
    units = np.array([str(label) for label in outcomes["unit"].to_numpy()], dtype=object)
    return {
        "outcomes": outcomes.transpose("time", "unit").assign_coords(unit=units).drop_attrs(),
        "starts": {unit: times[place] for unit, place in facts["starts"].items()},
        "ends": {unit: times[place] for unit, place in facts["ends"].items()},
        "pools": {unit: tuple(pool) for unit, pool in facts["pools"].items()},
        "zone": Zone(**facts["zone"]),
        "remarks": tuple(Remark(*remark) for remark in facts["remarks"]),
        **{name: facts[name] for name in NAMES},
    }
