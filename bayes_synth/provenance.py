"""Where a fit comes from: specification, data, seed and versions, as JSON text.

The specification is rebuilt from a fixed list of our own types; nothing named by a file is imported.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from bayes_synth.calibration import Calibration
from bayes_synth.design import short
from bayes_synth.errors import LoadError
from bayes_synth.model import SyntheticControl
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.panel import Panel
from bayes_synth.priors import Dirichlet, HalfNormal
from bayes_synth.sampling import Sampled, Settings

__all__ = ["SCHEMA", "add_to_sampling", "digest", "fingerprint", "from_spec", "provenance", "to_spec"]

SCHEMA = 3
TYPES = {
    cls.__name__: cls
    for cls in (SyntheticControl, Calibration, Dirichlet, HalfNormal, LocalLevel, LocalLinearTrend, AR1, IID)
}
PACKAGES = ("bayes_synth", "pymc", "nutpie", "numba", "arviz", "numpy", "xarray")


def provenance(
    model: SyntheticControl, panel: Panel, settings: Settings, sampled: Sampled, *, stopped: str = ""
) -> str:
    """Everything needed to repeat the fit, as JSON text; ``stopped`` is an interrupt of the donors' refits."""
    kept = {"chains": sampled.posterior.sizes["chain"], "draws": sampled.posterior.sizes["draw"]}
    facts = {
        "schema": SCHEMA,
        "versions": {name: version(name) for name in PACKAGES},
        "model": to_spec(model),
        "panel": {
            "treated": list(panel.treated),
            "start": short(panel.start),
            "unit": panel.unit,
            "time": panel.time,
            "outcome": panel.outcome,
            "sha256": fingerprint(panel),
        },
        "sampling": to_spec(settings)
        | {"sampled_by": sampled.sampler}
        | {"compile_seconds": sampled.compile_seconds, "seconds": sampled.sample_seconds}
        | {"kept": kept, "calibration_stopped": stopped, "attempts": [], "warnings": []}
        | {"partial": [*filter(None, (sampled.partial, stopped and f"calibration {stopped}"))]},
    }
    return json.dumps(facts)


def add_to_sampling(text: str, **more: Any) -> str:
    """The provenance with what became known after sampling: attempts, warnings."""
    facts = json.loads(text)
    return json.dumps(facts | {"sampling": facts["sampling"] | more})


def fingerprint(panel: Panel) -> str:
    """Digest of the panel's numbers and labels."""
    digest = hashlib.sha256(np.ascontiguousarray(panel.outcomes.to_numpy()).tobytes())
    labels = [*panel.outcomes["unit"].to_numpy(), *(short(time) for time in panel.times), *panel.treated]
    digest.update("\x1f".join(map(str, labels)).encode())
    return digest.hexdigest()


def digest(tree: xr.DataTree) -> str:
    """Digest of all groups: names, dims, types, shapes, numbers, labels and attributes, whatever file they are from."""
    found = hashlib.sha256()
    for path, node in sorted(tree.subtree_with_keys, key=lambda group: group[0]):
        dataset = node.to_dataset(inherit=False)
        found.update(_text("group", path, _attributes(dataset.attrs)))
        for name in sorted(map(str, dataset.variables)):
            variable, role = dataset.variables[name], "coordinate" if name in dataset.coords else "variable"
            found.update(_text(role, name, variable.dims, variable.shape, _attributes(variable.attrs)))
            found.update(_content(variable.to_numpy()))
    return found.hexdigest()


def _content(values: np.ndarray) -> bytes:
    """An array's type and numbers, the same for every way in which the three formats give them back."""
    kind = values.dtype.kind
    if kind in "OTU":
        return _text("text", values.tolist())
    if kind == "M":
        # The resolution of dates is the reader's choice, so seconds and what is left of them.
        seconds = values.astype("datetime64[s]")
        return b"".join(_numbers(part) for part in (seconds, (values - seconds).astype("timedelta64[ns]")))
    # Readers mask missing numbers anew, which changes the sign and payload of a NaN.
    return _numbers(np.where(np.isnan(values), np.nan, values).astype(values.dtype) if kind == "f" else values)


def _numbers(values: np.ndarray) -> bytes:
    return values.dtype.str[1:].encode() + values.astype(values.dtype.newbyteorder("<")).tobytes()


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON has them: netCDF turns lists into arrays, and lists of one into their element."""
    plain = {
        str(k): value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value for k, value in attrs.items()
    }
    return {name: list(value) if isinstance(value, (list, tuple)) else [value] for name, value in plain.items()}


def _text(*parts: Any) -> bytes:
    return json.dumps(parts, sort_keys=True, default=str).encode()


def to_spec(value: Any) -> Any:
    """A specification as plain JSON values; foreign priors as their text, which cannot be read back."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {f.name: to_spec(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {"type": "mapping", "items": {str(key): to_spec(item) for key, item in value.items()}}
    if isinstance(value, tuple):
        return {"type": "tuple", "items": [to_spec(item) for item in value]}
    if isinstance(value, (np.integer, np.floating)):
        return to_spec(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return {"type": "number", "value": str(value)}
    return value if isinstance(value, (str, int, float, bool, type(None))) else {"type": "foreign", "text": str(value)}


def from_spec(spec: Any) -> Any:
    """The specification back from plain JSON values."""
    if not isinstance(spec, dict):
        return spec
    kind = spec.get("type")
    rest = {key: item for key, item in spec.items() if key != "type"}
    if kind == "mapping":
        return {key: from_spec(item) for key, item in rest["items"].items()}
    if kind == "tuple":
        return tuple(from_spec(item) for item in rest["items"])
    if kind == "number":
        return float(rest["value"])
    if kind not in TYPES:
        raise LoadError(
            "L003", f"the file's model uses {rest.get('text', kind)!r}, which cannot be rebuilt from a file."
        )
    return TYPES[kind](**{key: from_spec(item) for key, item in rest.items()})
