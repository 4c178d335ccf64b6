"""Fits on disk: netCDF or zarr that xarray opens without this library, and no pickle.

A file carries a digest of its content; one that does not match it, or cannot be decoded, is
refused.
"""

import json
import os
import tempfile
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import BayesSynthError, LoadError, LoadWarning, warn
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.auxiliary import AUXILIARY_TO
from bayes_synth.results.record import RunRecord
from bayes_synth.storage.digests import digest, fingerprint
from bayes_synth.storage.panels import panel_of
from bayes_synth.storage.provenance import (
    OLDEST,
    SCHEMA,
    current,
    provenance,
    record_of,
)
from bayes_synth.storage.specs import foreign_parts, from_spec, to_spec
from bayes_synth.storage.trees import ROOT, is_unchanged, put, read_tree, suffix_of, write
from bayes_synth.words import listed

__all__ = [
    "CHOICE_FACTS",
    "FACTS",
    "PLAN_FACTS",
    "SEAL",
    "STUDY_FACTS",
    "Parts",
    "parts_of",
    "read",
    "read_sealed",
    "require_folder",
    "require_rebuildable",
    "save",
    "write_sealed",
]

FACTS = "bayes_synth"
"""Attribute of a file's root: how the fit was made, as JSON text."""
STUDY_FACTS = "bayes_synth_study_facts"
"""Attribute of a study's file: its units, as JSON text; every unit has :data:`FACTS` of its own."""
PLAN_FACTS, CHOICE_FACTS = "bayes_synth_plan", "bayes_synth_choice"
"""Attributes of the files of plans, and of choices among sets of units."""
OTHERS = {
    STUDY_FACTS: "the joint fit of a study; read it with bs.load(path) and take one of joint.fits.",
    PLAN_FACTS: "the plan of a test; read it with bs.load(path).",
    CHOICE_FACTS: "a choice among sets of units; read it with bs.load(path).",
}
"""What files hold that are not one fit, by the attribute that tells."""
SEAL = "bayes_synth_sha256"
"""Attribute of a file's root: the digest of its content, :data:`FACTS` included."""

NOT_A_FIT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Parts(NamedTuple):
    """The parts of a fit, as a file has them."""

    panel: Panel
    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord


def save(fit: AbstractFit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fit as netCDF or zarr; see :meth:`bayes_synth.Fit.save`."""
    require_folder(path)
    if AUXILIARY_TO in fit.idata.attrs:
        raise LoadError(
            "D079",
            f"the fit to save must be that of {fit.idata.attrs[AUXILIARY_TO]!r}, got one of the "
            f"auxiliary outcome {fit.panel.outcome!r}: save the former, its file has both.",
        )
    require_rebuildable(fit.model)
    facts = {FACTS: provenance(fit.model, fit.panel, fit.record)}
    write_sealed(fit.idata, facts, path, overwrite=overwrite)


def read(path: str | os.PathLike[str]) -> Parts:
    """Read the parts of a fit; see :func:`bayes_synth.load`."""
    return parts_of(*read_sealed(path))


def write_sealed(
    tree: xr.DataTree, facts: dict[str, str], path: str | os.PathLike[str], *, overwrite: bool
) -> None:
    """Write a tree with the facts about it and a digest of all of it.

    Parameters
    ----------
    tree
        What is written.
    facts
        JSON text by attribute of the file's root.
    path, overwrite
        As in :meth:`bayes_synth.Fit.save`.

    Raises
    ------
    LoadError
        As in :meth:`bayes_synth.Fit.save`.
    """
    target = require_folder(path)
    suffix = suffix_of(target)
    _require_free(target, overwrite)
    _require_plain(tree)
    sealed = _sealed(tree, facts)
    with tempfile.TemporaryDirectory(prefix=".saving_", dir=target.parent) as folder:
        written = Path(folder) / f"fit{suffix}"
        _write_checked(sealed, written, suffix)
        put(written, target)


def require_folder(path: str | os.PathLike[str]) -> Path:
    """Refuse a path whose suffix is unknown, or whose folder does not exist.

    Raises
    ------
    LoadError
        L005 and L001.
    """
    target = Path(path)
    suffix_of(target)
    if not target.parent.is_dir():
        raise LoadError("L001", f"the folder {target.parent} does not exist.")
    return target


def read_sealed(path: str | os.PathLike[str]) -> tuple[xr.DataTree, Path]:
    """Read a tree that :func:`write_sealed` wrote, with its path, and refuse one that was changed.

    Raises
    ------
    LoadError
        L001, L005.
    """
    source = Path(path)
    suffix = suffix_of(source)
    if not source.exists():
        raise LoadError("L001", f"{source} does not exist.")
    try:
        idata = read_tree(source, suffix)
        rewritten = not is_unchanged(source, suffix)
        seal = idata.attrs.pop(SEAL, None)
        content = digest(idata)
    # HDF5, zarr, their codecs and xarray decode bytes that may be anything. What they raise then is
    # neither documented nor stable (OSError, KeyError, RuntimeError, TypeError, zlib.error,
    # MemoryError for a damaged size, ...), and whichever it is, the file could not be read. So any
    # exception is caught, but of these three lines only, and it stays attached.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        text = f"{source} is not a {suffix} file that can be read: {reason}"
        raise LoadError("L001", text) from error
    if not {*OTHERS} & {*idata.attrs}:
        # What is no fit at all, or one of another version, is told apart from one that was changed.
        _facts(idata, source)
    if content != seal:
        by = ", and another program wrote it again" if rewritten else ""
        raise LoadError("L001", f"{source} does not hold what was saved: the file was changed{by}.")
    if rewritten:
        remark = (
            f"{source} was written again by another program; its content is what was saved. "
            "Save it again with fit.save(), so that damage to its bytes can be seen."
        )
        warn(LoadWarning, "L013", remark)
    return idata, source


def parts_of(idata: xr.DataTree, source: Path) -> Parts:
    """Put a fit together from its groups.

    Raises
    ------
    LoadError
        L001, L002 and L003 as in :func:`bayes_synth.load`; L026 for the file of something else.
    """
    for name in OTHERS.keys() & idata.attrs.keys():
        raise LoadError("L026", f"{source} must hold one fit, got {OTHERS[name]}")
    facts = _facts(idata, source)
    parts = _parts(idata, facts, source)
    if fingerprint(parts.panel) != facts["panel"]["sha256"]:
        text = f"the data in {source} are not those that were fitted: the file was changed."
        raise LoadError("L001", text)
    del idata.attrs[FACTS]
    return parts


def require_rebuildable(model: AbstractSyntheticControl) -> None:
    """Refuse a model that :func:`bayes_synth.load` could not rebuild from its file.

    Raises
    ------
    LoadError
        L003.
    """
    spec = to_spec(model)
    if foreign := foreign_parts(spec):
        raise _not_rebuildable(f"it uses {listed(foreign, 3)}")
    try:
        rebuilt = from_spec(spec)
    # The constructor of a user's own class may raise anything, and whatever it is, the model cannot
    # be rebuilt. So any exception is caught, but of this line only, and it stays attached.
    except Exception as error:
        reason = f"rebuilding it raises {type(error).__name__}: {error}"
        raise _not_rebuildable(reason) from error
    if to_spec(rebuilt) != spec:
        raise _not_rebuildable("its constructors give back another specification")


def _not_rebuildable(reason: str) -> LoadError:
    return LoadError(
        "L003",
        f"the model must be one that can be rebuilt from a file, but {reason}.\n"
        "  Make your own classes frozen dataclasses whose constructor keeps every field as given, "
        "and register priors on a number with the decorator bs.priors.saved(); "
        "or write the draws alone with fit.idata.to_netcdf(path).",
    )


def _require_free(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise LoadError("L004", f"{target} exists; pass overwrite=True to replace it.")
    if target.is_dir() and not (target / ROOT).exists():
        raise LoadError(
            "L004",
            f"{target} is a folder that holds no zarr store, so it is not replaced: move it.",
        )


def _require_plain(tree: xr.DataTree) -> None:
    """Name the first thing in the tree that only pickle could write, before anything is written."""
    for path, node in tree.subtree_with_keys:
        dataset = node.to_dataset(inherit=False)
        _require_plain_attributes(path, dataset.attrs)
        for name, variable in dataset.variables.items():
            _require_plain_attributes(f"{path}/{name}", variable.attrs)
            if not _is_plain_array(variable):
                raise LoadError(
                    "L006",
                    f"{path}/{name} must hold numbers, booleans, text or dates without a time zone "
                    f"to be written, got dtype {variable.dtype}.\n"
                    f"  Convert or remove fit.idata[{path!r}][{name!r}].",
                )


def _require_plain_attributes(owner: str, attrs: dict[Any, Any]) -> None:
    for key, value in attrs.items():
        items = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
        if not (isinstance(key, str) and all(isinstance(item, (str, Real)) for item in items)):
            raise LoadError(
                "L006",
                f"the attribute {key!r} of {owner} must be text, a number or a flat list of them "
                f"to be written, got type {type(value).__name__}.\n"
                "  Convert or remove it from fit.idata.",
            )


def _is_plain_array(variable: xr.Variable) -> bool:
    if not isinstance(variable.dtype, np.dtype):
        return False
    if variable.dtype.kind == "O":
        return all(isinstance(value, str) for value in variable.to_numpy().ravel())
    return variable.dtype.kind in "biufMUT"


def _sealed(tree: xr.DataTree, facts: dict[str, str]) -> xr.DataTree:
    """Return a copy with facts and digest, without encodings.

    Encodings may be left from a file of another format, or may lose digits.
    """
    groups = {
        path: node.to_dataset(inherit=False).drop_encoding()
        for path, node in tree.subtree_with_keys
    }
    sealed = xr.DataTree.from_dict(groups)
    sealed.attrs.pop(SEAL, None)
    sealed.attrs |= facts
    sealed.attrs[SEAL] = digest(sealed)
    return sealed


def _write_checked(tree: xr.DataTree, path: Path, suffix: str) -> None:
    """Write and read back: a file that could not be loaded must not replace one that can."""
    try:
        write(tree, path, suffix)
        back = read_tree(path, suffix)
    # xarray raises these for what it cannot encode; trouble with the disk is an OSError, which
    # speaks for itself.
    except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        text = f"fit.idata holds something that a {suffix} file cannot: {error}"
        raise LoadError("L006", text) from error
    if digest(back) != digest(tree):
        raise LoadError(
            "L006",
            f"a {suffix} file gives back other values than fit.idata holds; try another suffix.",
        )


def _facts(idata: xr.DataTree, source: Path) -> dict[str, Any]:
    """Decode the JSON text of a file, once its schema is known to be ours."""
    text = idata.attrs.get(FACTS)
    if not isinstance(text, str):
        raise LoadError("L001", f"{source} holds no fit of this library.")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"the description of the fit in {source} is damaged: {error}."
        raise LoadError("L001", reason) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
        raise LoadError("L001", f"{source} does not say which schema it follows.")
    schema = facts["schema"]
    if schema > SCHEMA:
        raise LoadError(
            "L002", f"{source} follows schema {schema}, newer than {SCHEMA}: update bayes_synth."
        )
    if schema < OLDEST:
        raise LoadError(
            "L003",
            f"{source} follows schema {schema}, from before the first release: "
            f"fit again with schema {SCHEMA}.",
        )
    return current(facts)


def _parts(idata: xr.DataTree, facts: dict[str, Any], source: Path) -> Parts:
    try:
        panel, model = panel_of(idata, facts["panel"]), _model(facts["model"])
        return Parts(panel, model, idata, record_of(facts))
    except LoadError:
        raise
    # The digest fits, so somebody composed this file: any part may be missing or of another type.
    except (BayesSynthError, *NOT_A_FIT) as error:
        raise LoadError("L001", f"{source} lacks parts of a fit: {error!r}.") from error


def _model(spec: Any) -> AbstractSyntheticControl:
    model = from_spec(spec)
    if not isinstance(model, AbstractSyntheticControl):
        raise TypeError(f"the model must be a SyntheticControl, got {type(model).__name__}")
    return model
