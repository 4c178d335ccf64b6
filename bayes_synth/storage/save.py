"""Fits on disk: netCDF or zarr that xarray opens without this library, and no pickle.

A file carries a digest of everything in it; one that does not match it, or cannot be decoded, is refused.
"""

import json
import os
import tempfile
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.data.times import time_label
from bayes_synth.data.validation import locked
from bayes_synth.errors import BayesSynthError, LoadError
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.record import RunRecord
from bayes_synth.storage.digests import digest, fingerprint
from bayes_synth.storage.provenance import SCHEMA, provenance, record_of
from bayes_synth.storage.specs import foreign_parts, from_spec, to_spec
from bayes_synth.storage.trees import ROOT, put, read_tree, suffix_of, write
from bayes_synth.words import listed

__all__ = ["Parts", "read", "save"]

FACTS = "bayes_synth"
SEAL = "bayes_synth_sha256"


class Parts(NamedTuple):
    """The parts of a fit, as a file has them."""

    panel: Panel
    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord


def save(fit: AbstractFit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fit as netCDF or zarr; see :meth:`bayes_synth.Fit.save`."""
    target = Path(path)
    suffix = suffix_of(target)
    if not target.parent.is_dir():
        raise LoadError("L001", f"the folder {target.parent} does not exist.")
    _require_rebuildable(fit.model)
    _require_free(target, overwrite)
    _require_plain(fit.idata)
    tree = _sealed(fit.idata, provenance(fit.model, fit.panel, fit.record))
    with tempfile.TemporaryDirectory(prefix=".saving_", dir=target.parent) as folder:
        made = Path(folder) / f"fit{suffix}"
        _write_checked(tree, made, suffix)
        put(made, target)


def _require_rebuildable(model: AbstractSyntheticControl) -> None:
    """Refuse a model that a file could not give back: its draws would be lost to the library."""
    spec = to_spec(model)
    reason = f"it uses {listed(foreign, 3)}" if (foreign := foreign_parts(spec)) else _other(spec)
    if reason:
        raise LoadError(
            "L003",
            f"the model must be one that can be rebuilt from a file, but {reason}.\n"
            "  Make your own types frozen dataclasses, priors on a number with the decorator bs.priors.saved; or write the "
            "draws alone with fit.idata.to_netcdf(path).",
        )


def _other(spec: Any) -> str:
    """Why the specification that is rebuilt is another; empty when it is the same."""
    try:
        same = to_spec(from_spec(spec)) == spec
    # The constructor may be a user's own.
    except Exception as error:
        return f"rebuilding it raises {type(error).__name__}: {error}"
    return "" if same else "rebuilt it is another"


def read(path: str | os.PathLike[str]) -> Parts:
    """Read the parts of a fit; see :func:`bayes_synth.load`."""
    source = Path(path)
    suffix = suffix_of(source)
    if not source.exists():
        raise LoadError("L001", f"{source} does not exist.")
    try:
        idata = read_tree(source, suffix)
        seal = idata.attrs.pop(SEAL, None)
        found = digest(idata)
    # HDF5, zarr, their codecs and xarray decode bytes that may be anything. What they raise then is neither documented
    # nor stable (OSError, KeyError, RuntimeError, TypeError, zlib.error, MemoryError for a damaged size, ...), and
    # whichever it is, the file could not be read. So any exception, but of these three lines only, and it stays attached.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise LoadError(
            "L001", f"{source} is not a {suffix} file that can be read: {reason}"
        ) from error
    facts = _facts(idata, source)
    if found != seal:
        raise LoadError("L001", f"{source} does not hold what was saved: the file was changed.")
    try:
        parts = Parts(
            _panel(idata, facts["panel"]), _model(facts["model"]), idata, record_of(facts)
        )
    except LoadError:
        raise
    # The digest fits, so this is a file that somebody composed: any part may be missing or of another type.
    except (
        BayesSynthError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise LoadError("L001", f"{source} lacks parts of a fit: {error!r}.") from error
    if fingerprint(parts.panel) != facts["panel"]["sha256"]:
        raise LoadError(
            "L001", f"the data in {source} are not those that were fitted: the file was changed."
        )
    del idata.attrs[FACTS]
    return parts


def _require_free(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise LoadError("L004", f"{target} exists; pass overwrite=True to replace it.")
    if target.is_dir() and not (target / ROOT).exists():
        raise LoadError(
            "L004",
            f"{target} is a folder that holds no zarr store, so it is not replaced: move it.",
        )


def _require_plain(tree: xr.DataTree) -> None:
    """Refuse what only pickle could write, by name, before anything is written."""
    for path, node in tree.subtree_with_keys:
        dataset = node.to_dataset(inherit=False)
        for name, variable in dataset.variables.items():
            if not _is_plain_array(variable):
                raise LoadError(
                    "L006",
                    f"{path}/{name} has dtype {variable.dtype}, which a file cannot hold: numbers, booleans, text and dates "
                    f"without a time zone can be kept.\n  Convert or remove fit.idata[{path!r}][{name!r}].",
                )
        owners = {path: dataset.attrs} | {
            f"{path}/{name}": var.attrs for name, var in dataset.variables.items()
        }
        for owner, attrs in owners.items():
            for key, value in attrs.items():
                if not _is_plain_attribute(key, value):
                    raise LoadError(
                        "L006",
                        f"the attribute {key!r} of {owner} is of type {type(value).__name__}, which a file cannot hold: text, "
                        "numbers and flat lists of them can be kept.\n  Convert or remove it from fit.idata.",
                    )


def _is_plain_array(variable: xr.Variable) -> bool:
    if not isinstance(variable.dtype, np.dtype):
        return False
    if variable.dtype.kind == "O":
        return all(isinstance(value, str) for value in variable.to_numpy().ravel())
    return variable.dtype.kind in "biufMUT"


def _is_plain_attribute(key: object, value: object) -> bool:
    items = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
    return isinstance(key, str) and all(isinstance(item, (str, Real)) for item in items)


def _sealed(tree: xr.DataTree, facts: str) -> xr.DataTree:
    """The tree with its digest; without encodings, as those of another format, or lossy ones, may be left on it."""
    groups = {
        path: node.to_dataset(inherit=False).drop_encoding()
        for path, node in tree.subtree_with_keys
    }
    sealed = xr.DataTree.from_dict(groups)
    sealed.attrs.pop(SEAL, None)
    sealed.attrs[FACTS] = facts
    sealed.attrs[SEAL] = digest(sealed)
    return sealed


def _write_checked(tree: xr.DataTree, made: Path, suffix: str) -> None:
    """Write and read back: a file that could not be loaded must not take the place of one that can."""
    try:
        write(tree, made, suffix)
        back = read_tree(made, suffix)
    # What xarray refuses to encode; trouble with the disk is an OSError and says so itself.
    except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise LoadError("L006", f"fit.idata holds what a {suffix} file cannot: {error}") from error
    if digest(back) != digest(tree):
        raise LoadError(
            "L006",
            f"a {suffix} file gives back other values than fit.idata holds; try another suffix.",
        )


def _facts(idata: xr.DataTree, source: Path) -> dict[str, Any]:
    text = idata.attrs.get(FACTS)
    if not isinstance(text, str):
        raise LoadError("L001", f"{source} holds no fit of this library.")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(
            "L001", f"the description of the fit in {source} is damaged: {error}."
        ) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
        raise LoadError("L001", f"{source} does not say which schema it follows.")
    if facts["schema"] > SCHEMA:
        raise LoadError(
            "L002",
            f"{source} follows schema {facts['schema']}, newer than {SCHEMA}: update bayes_synth.",
        )
    if facts["schema"] < SCHEMA:
        raise LoadError(
            "L003",
            f"{source} follows schema {facts['schema']}, from before the first release: fit again with schema {SCHEMA}.",
        )
    return facts


def _model(spec: Any) -> AbstractSyntheticControl:
    model = from_spec(spec)
    if not isinstance(model, AbstractSyntheticControl):
        raise TypeError(f"{type(model).__name__} is no model")
    return model


def _panel(idata: xr.DataTree, facts: dict[str, Any]) -> Panel:
    halves = [idata[group].to_dataset() for group in ("constant_data", "predictions_constant_data")]
    parts = [
        xr.concat([half[name].rename({dim: "unit"}) for half in halves], dim="time")
        for name, dim in (("donor_outcomes", "donor"), ("treated_outcomes", "treated"))
    ]
    outcomes = (
        xr.concat([part.drop_attrs() for part in parts], dim="unit")
        .transpose("time", "unit")
        .sortby("unit")
    )
    outcomes = outcomes.assign_coords(
        unit=np.array([str(label) for label in outcomes["unit"].to_numpy()], dtype=object)
    )
    times = outcomes["time"].to_index()
    label = time_label(facts["start"], pd.Index(times), what="start")
    # As the axis has it: 2005.0 among fractions of years, not 2005.
    start = next((time for time in times if time == label), label)
    names = {name: facts[name] for name in ("unit", "time", "outcome")}
    return Panel(locked(outcomes), tuple(facts["treated"]), start, **names)
