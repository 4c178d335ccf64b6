"""Trees of datasets on disk: netCDF and zarr, each with a digest of its bytes."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import xarray as xr

from bayes_synth.errors import LoadError

__all__ = ["ROOT", "put", "read_tree", "suffix_of", "write", "write_zip"]

SUFFIXES = (".nc", ".zarr", ".zarr.zip")
# Beside the digest of the content there is one of the bytes, checked before any decoder sees them: HDF5 can loop for ever
# on damaged bytes, and zarr's text codec allocates whatever a damaged count asks for. netCDF has it appended, where HDF5
# does not look, zarr in its root's attributes. So a file that another tool repacked is refused too.
MARK = b"\nbayes_synth sha256 "
STAMP = "bayes_synth_parts_sha256"
ROOT = "zarr.json"
# Format 2 knows a codec that unpickles; only format 3 is written, so only it is read. Consolidated metadata would
# say everything a second time, outside the specification.
ZARR: dict[str, Any] = {"zarr_format": 3, "consolidated": False}


def suffix_of(path: Path) -> str:
    """The suffix that names the format.

    Raises
    ------
    LoadError
        L005 for another one.
    """
    # The longest first: ".zarr.zip" is one suffix here.
    for suffix in reversed(SUFFIXES):
        if path.name.endswith(suffix):
            return suffix
    raise LoadError(
        "L005", f"{path.name!r} must end in .nc, .zarr (a folder) or .zarr.zip (one file)."
    )


def write(tree: xr.DataTree, made: Path, suffix: str) -> None:
    """Write the tree in the format of this suffix."""
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
        files = {
            path.relative_to(source).as_posix(): path
            for path in source.rglob("[!.]*")
            if path.is_file()
        }
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


def put(made: Path, target: Path) -> None:
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
