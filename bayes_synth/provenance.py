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

from bayes_synth.calibration import Calibration
from bayes_synth.design import short
from bayes_synth.errors import LoadError
from bayes_synth.model import SyntheticControl
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.panel import Panel
from bayes_synth.priors import Dirichlet, HalfNormal
from bayes_synth.sampling import Sampled, Settings

__all__ = ["SCHEMA", "add_to_sampling", "from_spec", "provenance", "to_spec"]

SCHEMA = 2
TYPES = {
    cls.__name__: cls
    for cls in (SyntheticControl, Calibration, Dirichlet, HalfNormal, LocalLevel, LocalLinearTrend, AR1, IID)
}
PACKAGES = ("bayes_synth", "pymc", "nutpie", "arviz", "numpy", "xarray")


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
