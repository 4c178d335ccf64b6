"""Results of a batch as they come: in memory, or in a folder of small files that a killed run goes on from.

A file holds several results, is written under another name first, and carries a digest of its bytes. Failures are not
kept: whatever caused them may have been mended, so a later run tries again.
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

from bayes_synth.batch.one import Outcome, columns
from bayes_synth.errors import LoadError
from bayes_synth.sampling.settings import entropy
from bayes_synth.storage.trees import read_tree, write_zip
from bayes_synth.words import listed

__all__ = ["Folder", "Memory", "Results"]

SCHEMA = 1
HEADER, SUFFIX = "batch.json", ".zarr.zip"
MOST, BYTES, SECONDS = 64, 2**24, 5.0
"""A file is written when so many results have come, or so large ones, or so much time has gone by."""


class Results(Protocol):
    """What a batch needs of its results: the rows that are there, by key, and what else was kept."""

    rows: dict[str, np.ndarray]

    def add(self, outcome: Outcome) -> None:
        """One more answer."""

    def flush(self) -> None:
        """Nothing that was added may be lost from here on."""

    def kept(self, key: str) -> xr.DataTree:
        """The draws that were kept."""


@final
class Memory:
    """Results while the process lives."""

    def __init__(self) -> None:
        self.rows: dict[str, np.ndarray] = {}
        self._kept: dict[str, xr.DataTree] = {}

    def add(self, outcome: Outcome) -> None:
        """One more answer."""
        assert outcome.row is not None
        self.rows[outcome.key] = outcome.row
        if outcome.kept is not None:
            self._kept[outcome.key] = outcome.kept

    def flush(self) -> None:
        """Nothing to be done."""

    def kept(self, key: str) -> xr.DataTree:
        """The draws that were kept."""
        return self._kept[key]


@final
class Folder:
    """Results in a folder; see :func:`bayes_synth.fit_many`."""

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

    def add(self, outcome: Outcome) -> None:
        """One more answer; written with those that wait when they are many, or large, or have waited for long."""
        assert outcome.row is not None
        self.rows[outcome.key] = outcome.row
        self._waiting.append(outcome)
        self._size += outcome.kept.nbytes if outcome.kept is not None else 0
        # What took long is not left to wait for the next answer, which may take as long.
        self._work += float(outcome.row[columns().index("seconds")])
        long = max(self._work, time.monotonic() - self._written) > SECONDS
        if long or len(self._waiting) >= MOST or self._size > BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            keys = [outcome.key for outcome in self._waiting]
            part = (
                self._folder / f"{hashlib.sha256(' '.join(keys).encode()).hexdigest()[:16]}{SUFFIX}"
            )
            with tempfile.TemporaryDirectory(prefix=".saving_", dir=self._folder) as beside:
                made = Path(beside) / part.name
                write_zip(_tree(self._waiting), made)
                made.replace(part)
            self._parts |= dict.fromkeys(keys, part)
        self._begin_part()

    def _begin_part(self) -> None:
        self._waiting: list[Outcome] = []
        self._size, self._work, self._written = 0, 0.0, time.monotonic()

    def kept(self, key: str) -> xr.DataTree:
        """The draws that were kept, read now."""
        return _group(self._parts[key], f"/fits/{key}")

    def _opened(self, random_seed: int | None, keep: str) -> int:
        """The seed of the folder, made unless it is there, whose facts must be those of this batch."""
        self._folder.mkdir(parents=True, exist_ok=True)
        header = self._folder / HEADER
        if not header.exists():
            if any(not path.name.startswith(".") for path in self._folder.iterdir()):
                raise LoadError(
                    "L001",
                    f"{self._folder} holds files but no batch: give store=... a folder of its own.",
                )
            made = self._folder / f".{HEADER}"
            made.write_text(json.dumps(_facts(entropy(random_seed), keep)))
            made.replace(header)
        found = _checked(header)
        wanted = _facts(found["random_seed"] if random_seed is None else random_seed, keep)
        other = [
            f"{name}={found.get(name)!r} instead of {value!r}"
            for name, value in wanted.items()
            if found.get(name) != value
        ]
        if other:
            raise LoadError(
                "L008",
                f"{self._folder} holds another batch ({', '.join(other)}): give store=... another folder.",
            )
        return int(wanted["random_seed"])

    def _read(self, part: Path) -> None:
        rows = _group(part, "/rows").to_dataset()
        try:
            keys, values = rows["key"].to_numpy().tolist(), rows["value"].to_numpy()
            held = rows["column"].to_numpy().tolist()
        except KeyError as error:
            raise LoadError("L001", f"{part} holds no results of a batch: {error}.") from error
        if held != list(columns()):
            other = listed(sorted({*held} ^ {*columns()}))
            raise LoadError(
                "L008",
                f"{part} has other columns than this batch ({other}): give store=... another folder.",
            )
        self.rows |= dict(zip(keys, values, strict=True))
        self._parts |= dict.fromkeys(keys, part)


def _facts(random_seed: int, keep: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "random_seed": random_seed,
        "keep": keep,
        "bayes_synth": version("bayes_synth"),
    }


def _checked(header: Path) -> dict[str, Any]:
    try:
        found = json.loads(header.read_text())
        schema = int(found["schema"])
        int(found["random_seed"])
    except (LookupError, TypeError, ValueError) as error:
        raise LoadError("L001", f"{header} does not describe a batch: {error!r}.") from error
    if schema > SCHEMA:
        raise LoadError(
            "L002", f"{header} follows schema {schema}, newer than {SCHEMA}: update bayes_synth."
        )
    return dict(found)


def _tree(outcomes: list[Outcome]) -> xr.DataTree:
    """Several results as one tree: a table of rows, and the groups that were kept under each key."""
    keys = np.array([outcome.key for outcome in outcomes], dtype=object)
    values = np.stack([outcome.row for outcome in outcomes if outcome.row is not None])
    rows = xr.Dataset(
        {"value": (("task", "column"), values), "key": ("task", keys)},
        coords={"column": list(columns())},
    )
    groups: dict[str, xr.Dataset] = {"/rows": rows}
    for outcome in outcomes:
        if outcome.kept is not None:
            for path, node in outcome.kept.subtree_with_keys:
                groups[f"/fits/{outcome.key}/{path}"] = node.to_dataset(
                    inherit=False
                ).drop_encoding()
    return xr.DataTree.from_dict(groups)


def _group(part: Path, group: str) -> xr.DataTree:
    try:
        return read_tree(part, SUFFIX, group)
    # As in io.load: what decoders raise on bytes that may be anything is neither documented nor stable.
    except Exception as error:
        raise LoadError(
            "L001",
            f"{part} cannot be read ({type(error).__name__}: {error}). Delete it: what it held is fitted again.",
        ) from error
