"""Keep what was sampled for a study in a folder, so that a run that was killed goes on from it.

A file holds the refits of one member of a placebo set, or the draws of one posterior. Its name is
the digest of all that decides them. The folder says in ``study.json`` to which study, model, seed
and version it belongs.
"""

import json
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import xarray as xr

from bayes_synth.errors import LoadError
from bayes_synth.model.forecast_error import Forecast
from bayes_synth.sampling.settings import entropy
from bayes_synth.sampling.task import Sampled
from bayes_synth.study.overlap import Response
from bayes_synth.study.refit import Refitted

__all__ = ["StudyStore"]

SCHEMA = 1
HEADER = "study.json"
FACTS = "facts"
PLAIN = ("error", "covariance", "gap", "ahead")
DAMAGED = (AttributeError, BadZipFile, EOFError, LookupError, OSError, TypeError, ValueError)
"""What numpy and json raise on bytes that are damaged, and what a lacking part raises."""


class StudyStore(NamedTuple):
    """Read and write what was sampled for one study.

    Parameters
    ----------
    folder
        Where files are.
    random_seed
        The seed of the study that the folder belongs to.
    """

    folder: Path
    random_seed: int

    @classmethod
    def opened(
        cls, folder: str | os.PathLike[str], facts: Mapping[str, Any], random_seed: int | None
    ) -> "StudyStore":
        """Open a folder, or make it, for one study.

        Parameters
        ----------
        folder
            A folder of the study's own.
        facts
            What the folder must belong to: digests of the study and of the model.
        random_seed
            The seed; None takes that of the folder, and a fresh one for a new folder.

        Raises
        ------
        LoadError
            L001 for a folder of other things or a damaged header, L002 when a newer version wrote
            it, L008 when it belongs to another study, model, seed or version.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        header = place / HEADER
        if not header.exists():
            if any(not path.name.startswith(".") for path in place.iterdir()):
                raise LoadError(
                    "L001",
                    f"store must be an empty folder or that of a study, got {place}, which holds "
                    "other files: give store=... a folder of its own.",
                )
            _write_header(header, _header(facts, entropy(random_seed)))
        stored = _read_header(header)
        seed = int(stored["random_seed"]) if random_seed is None else random_seed
        _require_same(place, stored, _header(facts, seed))
        return cls(place, seed)

    def refits(self, digest: str) -> dict[float, Refitted] | None:
        """Return the refits of one member, by factor; None when there are none.

        Raises
        ------
        LoadError
            L001 for a file that is damaged.
        """
        return self._read(f"member_{digest}", _refits)

    def keep_refits(self, digest: str, answers: Mapping[float, Refitted]) -> None:
        """Write the refits of one member."""
        self._write(f"member_{digest}", _arrays_of_refits(answers))

    def draws(self, digest: str) -> Sampled | None:
        """Return the draws of one posterior; None when there are none.

        Raises
        ------
        LoadError
            L001 for a file that is damaged.
        """
        return self._read(f"draws_{digest}", _sampled)

    def keep_draws(self, digest: str, sampled: Sampled) -> None:
        """Write the draws of one posterior."""
        self._write(f"draws_{digest}", _arrays_of_draws(sampled))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _read[R](self, name: str, made_of: Callable[[dict[str, np.ndarray]], R]) -> R | None:
        """Read a file and make of its arrays what was kept; None where there is none."""
        path = self._path(name)
        if not path.exists():
            return None
        return _guarded(path, lambda place: made_of(_loaded(place)), path)

    def _write(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write under another name first, so that no file is half there."""
        path = self._path(name)
        half = path.with_name(f".{path.stem}.{os.getpid()}.half.npz")
        with half.open("wb") as raw:
            np.savez(raw, allow_pickle=False, **arrays)
        half.replace(path)


def _loaded(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _guarded[G, R](path: Path, read: Callable[[G], R], given: G) -> R:
    """Read, and say of a damaged file which one it is."""
    try:
        return read(given)
    except DAMAGED as error:
        text = f"{path} cannot be read ({error}). Delete it: what it held is sampled again."
        raise LoadError("L001", text) from error


def _header(facts: Mapping[str, Any], random_seed: int) -> dict[str, Any]:
    own = {"schema": SCHEMA, "random_seed": random_seed, "bayes_synth": version("bayes_synth")}
    return own | dict(facts)


def _write_header(path: Path, header: Mapping[str, Any]) -> None:
    half = path.with_name(f".{HEADER}.{os.getpid()}")
    half.write_text(json.dumps(header, sort_keys=True))
    half.replace(path)


def _read_header(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text())
        schema = int(stored["schema"])
        int(stored["random_seed"])
    except (LookupError, TypeError, ValueError) as error:
        raise LoadError("L001", f"{path} does not describe a study's store: {error!r}.") from error
    if schema > SCHEMA:
        raise LoadError(
            "L002",
            f"{path} follows schema {schema} of stores, newer than {SCHEMA}: update bayes_synth.",
        )
    return dict(stored)


def _require_same(folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a folder of another study.

    Raises
    ------
    LoadError
        L008.
    """
    other = [
        f"another {name}"
        if name in ("study", "model")
        else f"{name}={stored.get(name)!r} instead of {value!r}"
        for name, value in wanted.items()
        if stored.get(name) != value
    ]
    if other:
        raise LoadError(
            "L008",
            f"{folder} must be the store of this study, model, seed and version, got "
            f"{', '.join(other)}: give store=... another folder.",
        )


def _facts(facts: Mapping[str, Any]) -> np.ndarray:
    return np.array(json.dumps(facts))


def _arrays_of_refits(answers: Mapping[float, Refitted]) -> dict[str, np.ndarray]:
    """Lay the refits of one member out as arrays, numbered by factor."""
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {"factors": list(answers), "each": []}
    for k, (forecast, row, gap, ahead, response, spread) in enumerate(answers.values()):
        plain = forecast.error, forecast.covariance, gap, ahead
        arrays |= {f"{name}_{k}": values for name, values in zip(PLAIN, plain, strict=True)}
        arrays |= {f"path_{kind}_{k}": path for kind, path in response.paths.items()}
        arrays[f"loadings_{k}"] = np.array(list(response.loadings.values()))
        arrays[f"spread_{k}"] = np.array(list(spread.values()))
        # JSON writes a double so that it is read back to the last bit.
        facts["each"].append(
            {
                "doubt": float(forecast.doubt),
                "row": {name: _plain(value) for name, value in row.items()},
                "unit": response.unit,
                "donors": list(response.loadings),
                "kinds": list(response.paths),
                "periods": [int(p) for p in response.periods],
                "counts": [int(count) for count in spread],
            }
        )
    return arrays | {FACTS: _facts(facts)}


def _plain(value: Any) -> bool | int | float:
    """Return a number as Python writes it, of the same kind."""
    return bool(value) if isinstance(value, (bool, np.bool_)) else np.asarray(value).item()


def _refits(arrays: Mapping[str, np.ndarray]) -> dict[float, Refitted]:
    facts = json.loads(str(arrays[FACTS]))
    answers = {}
    for k, (factor, each) in enumerate(zip(facts["factors"], facts["each"], strict=True)):
        error, covariance, gap, ahead = (arrays[f"{name}_{k}"] for name in PLAIN)
        loadings = zip(each["donors"], arrays[f"loadings_{k}"], strict=True)
        paths = {kind: arrays[f"path_{kind}_{k}"] for kind in each["kinds"]}
        response = Response(each["unit"], dict(loadings), paths, tuple(each["periods"]))
        spread = {
            count: (float(average), float(deviation))
            for count, (average, deviation) in zip(
                each["counts"], arrays[f"spread_{k}"], strict=True
            )
        }
        forecast = Forecast(error, covariance, each["doubt"])
        answers[float(factor)] = Refitted(forecast, each["row"], gap, ahead, response, spread)
    return answers


def _arrays_of_draws(sampled: Sampled) -> dict[str, np.ndarray]:
    """Lay draws out as arrays: variables and coordinates of both datasets."""
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {
        "compile_seconds": sampled.compile_seconds,
        "sample_seconds": sampled.sample_seconds,
        "sampler": sampled.sampler,
    }
    for group in ("posterior", "sample_stats"):
        dataset: xr.Dataset = getattr(sampled, group)
        facts[group] = {
            "attrs": json.loads(json.dumps(dataset.attrs, default=str)),
            "coords": [str(name) for name in dataset.coords],
            "dims": {str(name): list(each.dims) for name, each in dataset.variables.items()},
        }
        arrays |= {
            f"{group}.{name}": _writable(each.to_numpy())
            for name, each in dataset.variables.items()
        }
    return arrays | {FACTS: _facts(facts)}


def _writable(values: np.ndarray) -> np.ndarray:
    """Return labels as text of one width: numpy writes objects by pickle only."""
    return values.astype(str) if values.dtype == object else values


def _sampled(arrays: Mapping[str, np.ndarray]) -> Sampled:
    facts = json.loads(str(arrays[FACTS]))
    posterior, stats = (_dataset(arrays, facts[g], g) for g in ("posterior", "sample_stats"))
    seconds = facts["compile_seconds"], facts["sample_seconds"]
    return Sampled(posterior, stats, *seconds, sampler=facts["sampler"])


def _dataset(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], group: str) -> xr.Dataset:
    variables = {name: (dims, arrays[f"{group}.{name}"]) for name, dims in facts["dims"].items()}
    coords = {name: variables.pop(name) for name in facts["coords"]}
    return xr.Dataset(variables, coords, facts["attrs"])
