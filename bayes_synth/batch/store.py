"""Keep a batch's results as they come: in memory, or in a folder from which a killed run goes on.

A file of the folder holds several results, is written under another name first, and carries a
digest of its bytes. Failures are not kept: their cause may have been mended, so a later run tries
again.
"""

import hashlib
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
import xarray as xr

from bayes_synth.batch.one import Answer, columns
from bayes_synth.errors import LoadError
from bayes_synth.sampling.settings import entropy
from bayes_synth.storage.trees import read_tree, write_zip
from bayes_synth.words import listed

__all__ = ["Folder", "Memory", "Results"]

SCHEMA = 1
HEADER, SUFFIX = "batch.json", ".zarr.zip"
MOST, BYTES, SECONDS = 64, 2**24, 5.0
"""A file is written after so many results, so many bytes, or so many seconds."""


class Results(Protocol):
    """What a batch needs of its results: ``rows`` by key, and the draws that were kept."""

    rows: dict[str, np.ndarray]

    def add(self, answer: Answer) -> None:
        """Add an answer."""

    def flush(self) -> None:
        """Make sure that nothing that was added can be lost."""

    def kept(self, key: str) -> xr.DataTree:
        """Return the draws that were kept of this task."""


@final
class Memory:
    """Keep results while the process lives."""

    def __init__(self) -> None:
        self.rows: dict[str, np.ndarray] = {}
        self._kept: dict[str, xr.DataTree] = {}

    def add(self, answer: Answer) -> None:
        """Add an answer."""
        assert answer.row is not None
        self.rows[answer.key] = answer.row
        if answer.kept is not None:
            self._kept[answer.key] = answer.kept

    def flush(self) -> None:
        """Do nothing: memory is all there is."""

    def kept(self, key: str) -> xr.DataTree:
        """Return the draws that were kept of this task."""
        return self._kept[key]


@final
class Folder:
    """Keep results in a folder; see :func:`bayes_synth.fit_many`."""

    def __init__(self, folder: Path, random_seed: int | None, keep: str, *, resume: bool) -> None:
        self._folder = folder = folder.resolve()
        self._begin_part()
        self.rows: dict[str, np.ndarray] = {}
        self._parts: dict[str, Path] = {}
        self.random_seed = self._opened(random_seed, keep)
        for part in sorted(folder.glob(f"[!.]*{SUFFIX}")):
            self._read(part)
        if self.rows and not resume:
            raise LoadError(
                "L004",
                f"{folder} holds {len(self.rows)} results; pass resume=True to go on from them.",
            )

    def add(self, answer: Answer) -> None:
        """Add an answer; write it with those that wait when they are many, large or old."""
        assert answer.row is not None
        self.rows[answer.key] = answer.row
        self._waiting.append(answer)
        self._size += answer.kept.nbytes if answer.kept is not None else 0
        # An answer that took long is written at once, because the next may take as long.
        self._work += float(answer.row[columns().index("seconds")])
        long = max(self._work, time.monotonic() - self._written) > SECONDS
        if long or len(self._waiting) >= MOST or self._size > BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the answers that wait."""
        if self._waiting:
            keys = [answer.key for answer in self._waiting]
            digest = hashlib.sha256(" ".join(keys).encode()).hexdigest()
            part = self._folder / f"{digest[:16]}{SUFFIX}"
            with tempfile.TemporaryDirectory(prefix=".saving_", dir=self._folder) as beside:
                unfinished = Path(beside) / part.name
                write_zip(_tree(self._waiting), unfinished)
                unfinished.replace(part)
            self._parts |= dict.fromkeys(keys, part)
        self._begin_part()

    def _begin_part(self) -> None:
        self._waiting: list[Answer] = []
        self._size, self._work, self._written = 0, 0.0, time.monotonic()

    def kept(self, key: str) -> xr.DataTree:
        """Read the draws that were kept of this task."""
        return _group(self._parts[key], f"/fits/{key}")

    def _opened(self, random_seed: int | None, keep: str) -> int:
        """Make the folder unless it is there, and return its seed.

        Raises
        ------
        LoadError
            L001 for a folder of other things, L008 for one of another batch.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        header = self._folder / HEADER
        if not header.exists():
            if any(not path.name.startswith(".") for path in self._folder.iterdir()):
                raise LoadError(
                    "L001",
                    f"store must be an empty folder or that of a batch, got {self._folder}, which "
                    "holds other files: give store=... a folder of its own.",
                )
            unfinished = self._folder / f".{HEADER}"
            unfinished.write_text(json.dumps(_facts(entropy(random_seed), keep)))
            unfinished.replace(header)
        stored = _stored_facts(header)
        wanted = _facts(stored["random_seed"] if random_seed is None else random_seed, keep)
        other = [
            f"{name}={stored.get(name)!r} instead of {value!r}"
            for name, value in wanted.items()
            if stored.get(name) != value
        ]
        if other:
            raise LoadError(
                "L008",
                f"{self._folder} holds another batch ({', '.join(other)}): "
                "give store=... another folder.",
            )
        return int(wanted["random_seed"])

    def _read(self, part: Path) -> None:
        """Take over the rows of one file."""
        rows = _group(part, "/rows").to_dataset()
        try:
            keys, values = rows["key"].to_numpy().tolist(), rows["value"].to_numpy()
            held = rows["column"].to_numpy().tolist()
        except KeyError as error:
            raise LoadError(
                "L001", f"{part} must hold results of a batch, but lacks {error}: delete it."
            ) from error
        if held != list(columns()):
            other = listed(sorted({*held} ^ {*columns()})) or "in another order"
            raise LoadError(
                "L008",
                f"{part} has other columns than this batch ({other}): "
                "give store=... another folder.",
            )
        self.rows |= dict(zip(keys, values, strict=True))
        self._parts |= dict.fromkeys(keys, part)


def _facts(random_seed: int, keep: str) -> dict[str, Any]:
    """Return what a folder says of its batch."""
    return {
        "schema": SCHEMA,
        "random_seed": random_seed,
        "keep": keep,
        "bayes_synth": version("bayes_synth"),
    }


def _stored_facts(header: Path) -> dict[str, Any]:
    """Read what a folder says of its batch.

    Raises
    ------
    LoadError
        L001 when it cannot be read, L002 when a newer version wrote it.
    """
    try:
        stored = json.loads(header.read_text())
        schema = int(stored["schema"])
        int(stored["random_seed"])
    except (LookupError, TypeError, ValueError) as error:
        raise LoadError("L001", f"{header} does not describe a batch: {error!r}.") from error
    if schema > SCHEMA:
        raise LoadError(
            "L002", f"{header} follows schema {schema}, newer than {SCHEMA}: update bayes_synth."
        )
    return dict(stored)


def _tree(answers: list[Answer]) -> xr.DataTree:
    """Put several results into one tree: a table of rows, and under each key its groups."""
    keys = np.array([answer.key for answer in answers], dtype=object)
    values = np.stack([answer.row for answer in answers if answer.row is not None])
    rows = xr.Dataset(
        {"value": (("task", "column"), values), "key": ("task", keys)},
        coords={"column": list(columns())},
    )
    groups: dict[str, xr.Dataset] = {"/rows": rows}
    for answer in answers:
        if answer.kept is not None:
            for path, node in answer.kept.subtree_with_keys:
                groups[f"/fits/{answer.key}/{path}"] = node.to_dataset(
                    inherit=False
                ).drop_encoding()
    return xr.DataTree.from_dict(groups)


def _group(part: Path, group: str) -> xr.DataTree:
    try:
        return read_tree(part, SUFFIX, group)
    # As in storage.save: which errors decoders raise on damaged bytes is not documented.
    except Exception as error:
        raise LoadError(
            "L001",
            f"{part} cannot be read ({type(error).__name__}: {error}). "
            "Delete it: its tasks are fitted again.",
        ) from error
