"""Specifications as plain JSON values, and back, from the types that are registered.

Nothing that a file names is imported: a type of the user's own must be defined before the file is loaded.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from bayes_synth.errors import LoadError
from bayes_synth.registry import SAVED, entry, type_name

__all__ = ["foreign_parts", "from_spec", "to_spec"]


def to_spec(value: Any) -> Any:
    """A specification as plain JSON values; what is not registered as its text, which cannot be read back."""
    if entry(value) is not None:
        named = {field.name: to_spec(getattr(value, field.name)) for field in fields(value)}
        return {"type": type_name(type(value))} | named
    if isinstance(value, Mapping):
        return {
            "type": "mapping",
            "items": {str(key): to_spec(item) for key, item in value.items()},
        }
    if isinstance(value, tuple):
        return {"type": "tuple", "items": [to_spec(item) for item in value]}
    if isinstance(value, (np.integer, np.floating)):
        return to_spec(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return {"type": "number", "value": str(value)}
    return (
        value
        if isinstance(value, (str, int, float, bool, type(None)))
        else {"type": "foreign", "text": str(value)}
    )


def foreign_parts(spec: Any) -> list[str]:
    """The texts of everything in a specification that cannot be read back."""
    if not isinstance(spec, dict | list):
        return []
    own = [spec["text"]] if isinstance(spec, dict) and spec.get("type") == "foreign" else []
    inside = spec.values() if isinstance(spec, dict) else spec
    return own + [text for part in inside for text in foreign_parts(part)]


def from_spec(spec: Any) -> Any:
    """The specification back from plain JSON values.

    Raises
    ------
    LoadError
        L003 for a type that is not known here.
    """
    if not isinstance(spec, dict):
        return spec
    kind = str(spec.get("type"))
    rest = {key: item for key, item in spec.items() if key != "type"}
    if kind == "mapping":
        return {key: from_spec(item) for key, item in rest["items"].items()}
    if kind == "tuple":
        return tuple(from_spec(item) for item in rest["items"])
    if kind == "number":
        return float(rest["value"])
    if kind not in SAVED:
        hint = (
            "define or import that class first, then load the file again"
            if ":" in kind
            else "it cannot be rebuilt"
        )
        raise LoadError("L003", f"the file's model uses {rest.get('text', kind)!r}: {hint}.")
    return SAVED[kind].cls(**{key: from_spec(item) for key, item in rest.items()})
