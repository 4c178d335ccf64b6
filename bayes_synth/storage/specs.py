"""Specifications as plain JSON values, and back, from the types that are registered.

Nothing that a file names is imported: a class of the user's own must be defined before the file is
loaded.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from bayes_synth.errors import LoadError
from bayes_synth.registry import SAVED, entry, type_name

__all__ = ["foreign_parts", "from_spec", "to_spec"]


def to_spec(value: Any) -> Any:
    """Return a specification as plain JSON values.

    A value whose type is not registered becomes its text, marked as foreign: it cannot be read
    back.
    """
    if entry(value) is not None:
        parts = {field.name: to_spec(getattr(value, field.name)) for field in fields(value)}
        return {"type": type_name(type(value))} | parts
    if isinstance(value, Mapping):
        items = {str(key): to_spec(item) for key, item in value.items()}
        return {"type": "mapping", "items": items}
    if isinstance(value, tuple):
        return {"type": "tuple", "items": [to_spec(item) for item in value]}
    if isinstance(value, (np.integer, np.floating)):
        return to_spec(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return {"type": "number", "value": str(value)}
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return {"type": "foreign", "text": str(value)}


def foreign_parts(spec: Any) -> list[str]:
    """Return the texts of all parts of a specification that cannot be read back."""
    if not isinstance(spec, dict | list):
        return []
    own = [spec["text"]] if isinstance(spec, dict) and spec.get("type") == "foreign" else []
    inner = spec.values() if isinstance(spec, dict) else spec
    return own + [text for part in inner for text in foreign_parts(part)]


def from_spec(spec: Any) -> Any:
    """Rebuild a specification from plain JSON values.

    Raises
    ------
    LoadError
        L003 for a type that is not registered in this process.
    """
    if not isinstance(spec, dict):
        return spec
    kind = str(spec.get("type"))
    parts = {key: item for key, item in spec.items() if key != "type"}
    if kind == "mapping":
        return {key: from_spec(item) for key, item in parts["items"].items()}
    if kind == "tuple":
        return tuple(from_spec(item) for item in parts["items"])
    if kind == "number":
        return float(parts["value"])
    if kind not in SAVED:
        raise LoadError("L003", _unknown_type(kind, parts.get("text", kind)))
    return SAVED[kind].cls(**{key: from_spec(item) for key, item in parts.items()})


def _unknown_type(kind: str, text: object) -> str:
    """Say which type is not registered, and what to do about it if it is a user's own class."""
    module, colon, name = kind.partition(":")
    if not colon:
        return f"the file's model uses {text!r}, which cannot be rebuilt."
    return (
        f"the file's model uses the class {name!r} of the module {module!r}, which does not exist "
        "in this process.\n  Define or import that class first, then load the file again."
    )
