"""Fits on disk: netCDF or zarr that xarray opens without this library, and no pickle.

A file carries a digest of all that is in it; what does not match it, or cannot be decoded, is refused.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.design import locked
from bayes_synth.errors import BayesSynthError, LoadError
from bayes_synth.fit import Fit
from bayes_synth.intake import time_label
from bayes_synth.model import SyntheticControl
from bayes_synth.panel import Panel
from bayes_synth.provenance import SCHEMA, digest, fingerprint, from_spec

__all__ = ["load", "read_tree", "save", "write_zip"]

SUFFIXES = (".nc", ".zarr", ".zarr.zip")
SEAL = "bayes_synth_sha256"
# Beside the digest of the content there is one of the bytes, checked before any decoder sees them: HDF5 can loop for ever
# on damaged bytes, and zarr's text codec allocates whatever a damaged count asks for. netCDF has it appended, where HDF5
# does not look, zarr in its root's attributes. So a file that another tool repacked is refused too.
MARK = b"\nbayes_synth sha256 "
STAMP = "bayes_synth_parts_sha256"
ROOT = "zarr.json"
# Format 2 knows a codec that unpickles; only format 3 is written, so only it is read. Consolidated metadata would
# say everything a second time, outside the specification.
ZARR: dict[str, Any] = {"zarr_format": 3, "consolidated": False}


def save(fit: Fit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fit as netCDF or zarr.

    Parameters
    ----------
    fit
        The fit; all its draws, its data and its specification are written.
    path
        A name that ends in ``.nc`` (one netCDF file), ``.zarr`` (a folder) or ``.zarr.zip`` (one file).
    overwrite
        Whether an existing file or zarr folder may be replaced; it goes only when the new one is complete.

    Raises
    ------
    LoadError
        L001 when the folder does not exist, L003 when the model uses a prior of your own, L004 when the file
        exists, L005 for another suffix, L006 when something was added to ``fit.idata`` that a file cannot hold.
    """
    target = Path(path)
    suffix = _suffix(target)
    if not target.parent.is_dir():
        raise LoadError("L001", f"the folder {target.parent} does not exist.")
    if '"type": "foreign"' in fit.idata.attrs["bayes_synth"]:
        raise LoadError(
            "L003",
            "the model uses a prior of your own, which a file cannot hold: the fit could not be read back.\n"
            "  Write its draws alone with fit.idata.to_netcdf(path).",
        )
    _check_free(target, overwrite)
    _check_content(fit.idata)
    tree = _sealed(fit.idata)
    with tempfile.TemporaryDirectory(prefix=".saving_", dir=target.parent) as folder:
        made = Path(folder) / f"fit{suffix}"
        _write_checked(tree, made, suffix)
        _put(made, target)


def load(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote; needs no PyMC.

    Parameters
    ----------
    path
        A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``.

    Raises
    ------
    LoadError
        L001 when the file does not exist, is not ours, is damaged, or was changed since it was written; L002 when a
        newer version wrote it; L003 when its model cannot be rebuilt; L005 for another suffix.
    """
    source = Path(path)
    suffix = _suffix(source)
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
        raise LoadError("L001", f"{source} is not a {suffix} file that can be read: {reason}") from error
    facts = _facts(idata, source)
    if found != seal:
        raise LoadError("L001", f"{source} does not hold what was saved: the file was changed.")
    try:
        panel = _panel(idata, facts["panel"])
        model = _model(facts["model"])
    except LoadError:
        raise
    # The digest fits, so this is a file that somebody composed: any part may be missing or of another type.
    except (
        BayesSynthError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise LoadError("L001", f"{source} lacks parts of a fit: {error!r}.") from error
    if fingerprint(panel) != facts["panel"]["sha256"]:
        raise LoadError("L001", f"the data in {source} are not those that were fitted: the file was changed.")
    return Fit(panel, model, idata)


def _suffix(path: Path) -> str:
    # The longest first: ".zarr.zip" is one suffix here.
    for suffix in reversed(SUFFIXES):
        if path.name.endswith(suffix):
            return suffix
    raise LoadError("L005", f"{path.name!r} must end in .nc, .zarr (a folder) or .zarr.zip (one file).")


def _check_free(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise LoadError("L004", f"{target} exists; pass overwrite=True to replace it.")
    if target.is_dir() and not (target / ROOT).exists():
        raise LoadError("L004", f"{target} is a folder that holds no zarr store, so it is not replaced: move it.")


def _check_content(tree: xr.DataTree) -> None:
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
        owners = {path: dataset.attrs} | {f"{path}/{name}": var.attrs for name, var in dataset.variables.items()}
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


def _sealed(tree: xr.DataTree) -> xr.DataTree:
    """The tree with its digest; without encodings, as those of another format, or lossy ones, may be left on it."""
    groups = {path: node.to_dataset(inherit=False).drop_encoding() for path, node in tree.subtree_with_keys}
    sealed = xr.DataTree.from_dict(groups)
    sealed.attrs.pop(SEAL, None)
    sealed.attrs[SEAL] = digest(sealed)
    return sealed


def _write_checked(tree: xr.DataTree, made: Path, suffix: str) -> None:
    """Write and read back: a file that could not be loaded must not take the place of one that can."""
    try:
        _write(tree, made, suffix)
        back = read_tree(made, suffix)
    # What xarray refuses to encode; trouble with the disk is an OSError and says so itself.
    except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise LoadError("L006", f"fit.idata holds what a {suffix} file cannot: {error}") from error
    if digest(back) != digest(tree):
        raise LoadError("L006", f"a {suffix} file gives back other values than fit.idata holds; try another suffix.")


def _write(tree: xr.DataTree, made: Path, suffix: str) -> None:
    if suffix == ".nc":
        tree.to_netcdf(made, engine="h5netcdf")
        made.write_bytes(_marked(made.read_bytes()))
    elif suffix == ".zarr":
        tree.to_zarr(made, **ZARR)
        (made / ROOT).write_bytes(_stamped(_parts(made)))
    else:
        write_zip(tree, made)


def write_zip(tree: xr.DataTree, made: Path) -> None:
    """The tree as one file, with a digest of its bytes."""
    # By way of memory: written straight to a zip, zarr's metadata would be in it several times over.
    from zarr.storage import MemoryStore

    buffers: dict[str, Any] = {}
    tree.to_zarr(MemoryStore(buffers), **ZARR)
    parts = {name: buffers[name].to_bytes() for name in sorted(buffers)}
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in (parts | {ROOT: _stamped(parts)}).items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)


def read_tree(source: Path, suffix: str, group: str | None = None) -> xr.DataTree:
    """All of it, or one group of a zarr store, in memory, once its bytes are known to be those that were written."""
    if not (_is_marked(source.read_bytes()) if suffix == ".nc" else _is_stamped(_parts(source))):
        raise ValueError("its bytes are not those that were written")
    if suffix == ".nc":
        with xr.open_datatree(source, engine="h5netcdf") as opened:
            return opened.load()
    from zarr.storage import LocalStore, ZipStore

    store: Any = (LocalStore if suffix == ".zarr" else ZipStore)(source, read_only=True)
    with store as reader, xr.open_datatree(reader, engine="zarr", group=group, **ZARR) as opened:
        tree = opened.load()
    tree.attrs.pop(STAMP, None)
    return tree


def _parts(source: Path) -> dict[str, bytes]:
    """The files of a zarr store; hidden ones are not zarr's."""
    if source.is_dir():
        files = {path.relative_to(source).as_posix(): path for path in source.rglob("[!.]*") if path.is_file()}
        return {name: path.read_bytes() for name, path in files.items()}
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _stamped(parts: dict[str, bytes]) -> bytes:
    """The root's metadata with a digest of all parts."""
    root = json.loads(parts[ROOT])
    root["attributes"].pop(STAMP, None)
    found = hashlib.sha256(json.dumps(root).encode())
    for name in sorted(parts.keys() - {ROOT}):
        found.update(f"{name!r} {len(parts[name])} ".encode() + parts[name])
    root["attributes"][STAMP] = found.hexdigest()
    return json.dumps(root).encode()


def _is_stamped(parts: dict[str, bytes]) -> bool:
    return _stamped(parts) == parts[ROOT]


def _marked(body: bytes) -> bytes:
    return body + MARK + hashlib.sha256(body).digest()


def _is_marked(whole: bytes) -> bool:
    return _marked(whole[: -len(_marked(b""))]) == whole


def _put(made: Path, target: Path) -> None:
    """Give what was written its name; a folder cannot be replaced in one step, so the old one is put aside first."""
    if not target.is_dir():
        made.replace(target)
        return
    aside = made.with_name("old")
    target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        aside.rename(target)
        raise


def _facts(idata: xr.DataTree, source: Path) -> dict[str, Any]:
    text = idata.attrs.get("bayes_synth")
    if not isinstance(text, str):
        raise LoadError("L001", f"{source} holds no fit of this library.")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError("L001", f"the description of the fit in {source} is damaged: {error}.") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
        raise LoadError("L001", f"{source} does not say which schema it follows.")
    if facts["schema"] > SCHEMA:
        raise LoadError("L002", f"{source} follows schema {facts['schema']}, newer than {SCHEMA}: update bayes_synth.")
    if facts["schema"] < SCHEMA:
        raise LoadError(
            "L003",
            f"{source} follows schema {facts['schema']}, from before the first release: fit again with schema {SCHEMA}.",
        )
    return facts


def _model(spec: Any) -> SyntheticControl:
    model = from_spec(spec)
    if not isinstance(model, SyntheticControl):
        raise TypeError(f"{type(model).__name__} is no model")
    return model


def _panel(idata: xr.DataTree, facts: dict[str, Any]) -> Panel:
    halves = [idata[group].to_dataset() for group in ("constant_data", "predictions_constant_data")]
    parts = [
        xr.concat([half[name].rename({dim: "unit"}) for half in halves], dim="time")
        for name, dim in (("donor_outcomes", "donor"), ("treated_outcomes", "treated"))
    ]
    outcomes = xr.concat([part.drop_attrs() for part in parts], dim="unit").transpose("time", "unit").sortby("unit")
    outcomes = outcomes.assign_coords(
        unit=np.array([str(label) for label in outcomes["unit"].to_numpy()], dtype=object)
    )
    times = outcomes["time"].to_index()
    label = time_label(facts["start"], pd.Index(times), what="start")
    # As the axis has it: 2005.0 among fractions of years, not 2005.
    start = next((time for time in times if time == label), label)
    names = {name: facts[name] for name in ("unit", "time", "outcome")}
    return Panel(locked(outcomes), tuple(facts["treated"]), start, **names)
