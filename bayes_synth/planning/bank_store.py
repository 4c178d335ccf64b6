"""Keep refits of past starts in a folder, so that a plan that was interrupted goes on from them.

A file holds the refits of one start, as plain arrays. Its name is the digest of all that decides
them: data, model, lengths, sizes, seed and version.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from bayes_synth.data.panel import Panel
from bayes_synth.errors import LoadError
from bayes_synth.fitting.placebos import Answer, Key, Refits
from bayes_synth.model.forecast_error import Forecast
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.told import Told
from bayes_synth.sampling.settings import Settings
from bayes_synth.storage.digests import fingerprint
from bayes_synth.storage.specs import to_spec

__all__ = ["BankStore"]

ROW = ("step", "divergences", "ok")
"""What a refit's row of the table holds."""


class BankStore(NamedTuple):
    """Read and write the refits of one start.

    Parameters
    ----------
    folder
        Made if it does not exist.
    """

    folder: Path

    def path(
        self,
        model: AbstractSyntheticControl,
        panel: Panel,
        periods: Sequence[int],
        settings: Settings,
    ) -> Path:
        """Return the file of one start.

        Parameters
        ----------
        model, panel, periods, settings
            All that decides the refits.
        """
        facts = [
            version("bayes_synth"),
            to_spec(model),
            fingerprint(panel),
            [int(p) for p in periods],
            settings.sampler,
            settings.random_seed,
        ]
        name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
        return self.folder / f"start_{name}.npz"

    def read(self, path: Path) -> Refits[Told] | None:
        """Return what a file holds; None when there is none.

        Parameters
        ----------
        path
            As :meth:`path` gives it.

        Raises
        ------
        LoadError
            L001 for a file that is damaged.
        """
        if not path.exists():
            return None
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return _unpacked({name: file[name] for name in file.files})
        # What numpy raises on damaged bytes: of the zip, of an array's header, of a missing array.
        except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
            text = f"{path} cannot be read ({error}). Delete it: its start is refitted."
            raise LoadError("L001", text) from error

    def write(self, path: Path, refits: Refits[Told]) -> None:
        """Write under another name first, so that no file is half there.

        Parameters
        ----------
        path
            As :meth:`path` gives it.
        refits
            All those of one start.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.stem}.{os.getpid()}.half.npz")
        np.savez(half, **_packed(refits))
        half.replace(path)


def _packed(refits: Refits[Told]) -> dict[str, Any]:
    """Lay refits out as arrays: one row per refit, paths under each other."""
    told = list(refits.answers.values())
    facts: dict[str, Any] = {
        "keys": list(refits.answers),
        "labels": refits.labels,
        "skipped": refits.skipped,
        "power": refits.power,
        "periods": list(told[0].answers) if told else [],
    }
    arrays: dict[str, Any] = {"facts": np.array(json.dumps(facts))}
    if not told:
        return arrays
    arrays["sizes"] = np.array([len(each.path) for each in told])
    arrays["paths"] = np.concatenate([each.path for each in told])
    arrays["observed"] = np.array([each.observed for each in told])
    for length in facts["periods"]:
        answers = [each.answers[length] for each in told]
        arrays[f"error_{length}"] = np.array([a.forecast.error for a in answers])
        arrays[f"covariance_{length}"] = np.array([a.forecast.covariance for a in answers])
        arrays[f"doubt_{length}"] = np.array([a.forecast.doubt for a in answers])
        arrays[f"row_{length}"] = np.array([[float(a.row[name]) for name in ROW] for a in answers])
        arrays[f"gap_{length}"] = np.array([a.gap for a in answers])
    return arrays


def _unpacked(arrays: dict[str, np.ndarray]) -> Refits[Told]:
    """Put refits together from arrays."""
    facts = json.loads(str(arrays["facts"]))
    answers: dict[Key, Told] = {}
    ends: Any = np.cumsum(arrays["sizes"]) if facts["keys"] else ()
    for k, (label, factor) in enumerate(facts["keys"]):
        path = arrays["paths"][ends[k] - arrays["sizes"][k] : ends[k]]
        each = {length: _answer(arrays, length, k) for length in facts["periods"]}
        answers[label, float(factor)] = Told(each, path, arrays["observed"][k])
    labels, skipped = tuple(facts["labels"]), tuple(facts["skipped"])
    return Refits(answers, labels, skipped, float(facts["power"]))


def _answer(arrays: dict[str, np.ndarray], length: int, k: int) -> Answer:
    error, covariance, doubt, numbers, gap = (
        arrays[f"{name}_{length}"][k] for name in ("error", "covariance", "doubt", "row", "gap")
    )
    step, divergences, ok = numbers
    row = {"step": float(step), "divergences": int(divergences), "ok": bool(ok)}
    return Answer(Forecast(error, covariance, float(doubt)), row, gap)
