"""Trees of datasets on disk: netCDF and zarr, each with a digest of its bytes."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import xarray as xr

from bayes_synth.errors import LoadError

__all__ = [
    "ROOT",
    "STAMP",
    "SUFFIXES",
    "is_rewritten",
    "is_unchanged",
    "put",
    "read_tree",
    "suffix_of",
    "write",
    "write_zip",
]

SUFFIXES = (".nc", ".zarr", ".zarr.zip")
# Beside the digest of the content there is one of the bytes, which is compared before any decoder
# sees them: HDF5 can loop for ever on damaged bytes, and zarr's text codec allocates whatever a
# damaged count asks for. In netCDF files it is appended, where HDF5 does not look; zarr stores
# have it in the attributes of their root. What another program wrote again is told apart by how
# such files end.
MARK = b"\nbayes_synth sha256 "
STAMP = "bayes_synth_parts_sha256"
ROOT = "zarr.json"
HDF5 = b"\x89HDF\r\n\x1a\n"
# Format 2 has a codec that unpickles; only format 3 is written, so only format 3 is read.
# Consolidated metadata would repeat all metadata, outside the specification of the format.
ZARR: dict[str, Any] = {"zarr_format": 3, "consolidated": False}


def suffix_of(path: Path) -> str:
    """Return the suffix of a path, which names the format.

    Raises
    ------
    LoadError
        L005 for any other suffix.
    """
    # The longest suffix is tried first: ".zarr.zip" counts as one.
    for suffix in reversed(SUFFIXES):
        if path.name.endswith(suffix):
            return suffix
    raise LoadError(
        "L005", f"{path.name!r} must end in .nc, .zarr (a folder) or .zarr.zip (one file)."
    )


def write(tree: xr.DataTree, path: Path, suffix: str) -> None:
    """Write the tree in the format of this suffix, with a digest of its bytes."""
    if suffix == ".nc":
        tree.to_netcdf(path, engine="h5netcdf")
        path.write_bytes(_marked(path.read_bytes()))
    elif suffix == ".zarr":
        tree.to_zarr(path, **ZARR)
        (path / ROOT).write_bytes(_stamped_root(_store_parts(path)))
    else:
        write_zip(tree, path)


def write_zip(tree: xr.DataTree, path: Path) -> None:
    """Write the tree as one zipped zarr store, with a digest of its bytes."""
    # The store goes through memory: written straight to a zip, its metadata would be repeated.
    from zarr.storage import MemoryStore

    buffers: dict[str, Any] = {}
    tree.to_zarr(MemoryStore(buffers), **ZARR)
    parts = {name: buffers[name].to_bytes() for name in sorted(buffers)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in (parts | {ROOT: _stamped_root(parts)}).items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)


def read_tree(source: Path, suffix: str, group: str | None = None) -> xr.DataTree:
    """Read a tree, or one group of a zarr store, into memory.

    Raises
    ------
    ValueError
        When the bytes differ from those that were written, unless another program wrote the file
        again; nothing is decoded then.
    """
    if not (is_unchanged(source, suffix) or is_rewritten(source, suffix)):
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


def is_unchanged(source: Path, suffix: str) -> bool:
    """Tell whether a file has the bytes that were written."""
    if suffix == ".nc":
        return _is_marked(source.read_bytes())
    return _is_stamped(_store_parts(source))


def is_rewritten(source: Path, suffix: str) -> bool:
    """Tell whether another program wrote the file again, such as xarray after opening it.

    A whole HDF5 file ends where its superblock says, so ours are longer by their digest, and
    damaged ones longer or shorter. zarr stores of others have consolidated metadata, or no stamp.
    """
    if suffix == ".nc":
        content = source.read_bytes()
        return content.startswith(HDF5) and _end_of_hdf5(content) == len(content)
    root = json.loads(_store_parts(source)[ROOT])
    return "consolidated_metadata" in root or STAMP not in root["attributes"]


def _end_of_hdf5(content: bytes) -> int:
    """Return the end-of-file address of the superblock (HDF5 File Format Specification, II.A)."""
    place = 40 if content[len(HDF5)] < 2 else 28
    return int.from_bytes(content[place : place + 8], "little")


def put(written: Path, target: Path) -> None:
    """Move what was written to its final path, in place of anything that is there.

    A folder cannot be replaced in one step, so the old one is put aside first and moved back if
    the new one cannot take its place.
    """
    if not target.is_dir():
        written.replace(target)
        return
    aside = written.with_name("old")
    target.rename(aside)
    try:
        written.rename(target)
    except OSError:
        aside.rename(target)
        raise


def _store_parts(source: Path) -> dict[str, bytes]:
    """Return the files of a zarr store by name, without hidden ones, which are not zarr's."""
    if source.is_dir():
        files = {
            path.relative_to(source).as_posix(): path
            for path in source.rglob("[!.]*")
            if path.is_file()
        }
        return {name: path.read_bytes() for name, path in files.items()}
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _stamped_root(parts: dict[str, bytes]) -> bytes:
    """Return the metadata of a store's root with a digest of all its parts."""
    root = json.loads(parts[ROOT])
    root["attributes"].pop(STAMP, None)
    content = hashlib.sha256(json.dumps(root).encode())
    for name in sorted(parts.keys() - {ROOT}):
        content.update(f"{name!r} {len(parts[name])} ".encode() + parts[name])
    root["attributes"][STAMP] = content.hexdigest()
    return json.dumps(root).encode()


def _is_stamped(parts: dict[str, bytes]) -> bool:
    return _stamped_root(parts) == parts[ROOT]


def _marked(body: bytes) -> bytes:
    return body + MARK + hashlib.sha256(body).digest()


def _is_marked(content: bytes) -> bool:
    return _marked(content[: -len(_marked(b""))]) == content
