"""Digests of panels and of trees: the same for equal content."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.words import short

__all__ = ["digest", "fingerprint"]


def fingerprint(panel: Panel) -> str:
    """Digest of the panel's numbers and labels."""
    digest = hashlib.sha256(np.ascontiguousarray(panel.outcomes.to_numpy()).tobytes())
    labels = [
        *panel.outcomes["unit"].to_numpy(),
        *(short(time) for time in panel.times),
        *panel.treated,
    ]
    digest.update("\x1f".join(map(str, labels)).encode())
    return digest.hexdigest()


def digest(tree: xr.DataTree) -> str:
    """Digest of all groups: names, dims, types, shapes, numbers, labels and attributes, whatever file they are from."""
    found = hashlib.sha256()
    for path, node in sorted(tree.subtree_with_keys, key=lambda group: group[0]):
        dataset = node.to_dataset(inherit=False)
        found.update(_text("group", path, _attributes(dataset.attrs)))
        for name in sorted(map(str, dataset.variables)):
            variable, role = (
                dataset.variables[name],
                "coordinate" if name in dataset.coords else "variable",
            )
            found.update(
                _text(role, name, variable.dims, variable.shape, _attributes(variable.attrs))
            )
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
        return b"".join(
            _numbers(part) for part in (seconds, (values - seconds).astype("timedelta64[ns]"))
        )
    # Readers mask missing numbers anew, which changes the sign and payload of a NaN.
    return _numbers(
        np.where(np.isnan(values), np.nan, values).astype(values.dtype) if kind == "f" else values
    )


def _numbers(values: np.ndarray) -> bytes:
    return values.dtype.str[1:].encode() + values.astype(values.dtype.newbyteorder("<")).tobytes()


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON has them: netCDF turns lists into arrays, and lists of one into their element."""
    plain = {
        str(k): value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        for k, value in attrs.items()
    }
    return {
        name: list(value) if isinstance(value, (list, tuple)) else [value]
        for name, value in plain.items()
    }


def _text(*parts: Any) -> bytes:
    return json.dumps(parts, sort_keys=True, default=str).encode()
