"""Digests of panels and of trees: equal content gives equal digests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.words import short

__all__ = ["answer_digest", "digest", "fingerprint"]


def fingerprint(panel: Panel) -> str:
    """Return the SHA-256 digest of the panel's numbers and labels, in hexadecimal digits."""
    content = hashlib.sha256(np.ascontiguousarray(panel.outcomes.to_numpy()).tobytes())
    labels = [
        *panel.outcomes["unit"].to_numpy(),
        *(short(time) for time in panel.times),
        *panel.treated,
    ]
    content.update("\x1f".join(map(str, labels)).encode())
    if panel.predictors is not None:
        known = panel.predictors.series.sel(unit=panel.outcomes["unit"].to_numpy())
        names = [*panel.predictors.names, *(short(time) for time in known.indexes["time"])]
        content.update("\x1f".join(names).encode())
        content.update(_array_bytes(known.to_numpy()))
    if panel.covariates is not None:
        series = panel.covariates.of(panel.outcomes["unit"].values.tolist())
        content.update("\x1f".join(["covariates", *panel.covariates.names]).encode())
        content.update(_array_bytes(series.to_numpy()))
    if panel.auxiliary is not None:
        others = panel.auxiliary.of(panel.outcomes["unit"].values.tolist())
        content.update("\x1f".join(["auxiliary", *panel.auxiliary.names]).encode())
        content.update(_array_bytes(others.to_numpy()))
    return content.hexdigest()


def answer_digest(panel: Panel, idata: xr.DataTree) -> str:
    """Return the SHA-256 digest of a panel and of its counterfactual's draws: of one fit's answer.

    A fit that was saved and loaded has the digest of the one that was saved.
    """
    predictions = digest(xr.DataTree.from_dict({"predictions": idata["predictions"].to_dataset()}))
    content = f"{fingerprint(panel)} {short(panel.start)} {predictions}"
    return hashlib.sha256(content.encode()).hexdigest()


def digest(tree: xr.DataTree) -> str:
    """Return the SHA-256 digest of all groups, in hexadecimal digits.

    It covers names, dims, types, shapes, numbers, labels and attributes, and does not depend on
    the format of the file that they were read from.
    """
    content = hashlib.sha256()
    for path, node in sorted(tree.subtree_with_keys, key=lambda group: group[0]):
        dataset = node.to_dataset(inherit=False)
        content.update(_as_bytes("group", path, _plain_attributes(dataset.attrs)))
        for name in sorted(map(str, dataset.variables)):
            variable = dataset.variables[name]
            role = "coordinate" if name in dataset.coords else "variable"
            attributes = _plain_attributes(variable.attrs)
            content.update(_as_bytes(role, name, variable.dims, variable.shape, attributes))
            content.update(_array_bytes(variable.to_numpy()))
    return content.hexdigest()


def _array_bytes(values: np.ndarray) -> bytes:
    """Return an array's type and numbers, equal for all ways in which the formats return them."""
    kind = values.dtype.kind
    if kind in "OTU":
        return _as_bytes("text", values.tolist())
    if kind == "M":
        # Readers choose the resolution of dates, so seconds and the remainder are hashed.
        seconds = values.astype("datetime64[s]")
        remainder = (values - seconds).astype("timedelta64[ns]")
        return _number_bytes(seconds) + _number_bytes(remainder)
    # Readers mask missing numbers again, which changes the sign and payload of a NaN.
    masked = np.where(np.isnan(values), np.nan, values) if kind == "f" else values
    return _number_bytes(masked.astype(values.dtype))


def _number_bytes(values: np.ndarray) -> bytes:
    return values.dtype.str[1:].encode() + values.astype(values.dtype.newbyteorder("<")).tobytes()


def _plain_attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as lists: netCDF reads lists as arrays, and lists of one as a scalar."""
    plain = {
        str(name): value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        for name, value in attrs.items()
    }
    return {
        name: list(value) if isinstance(value, (list, tuple)) else [value]
        for name, value in plain.items()
    }


def _as_bytes(*parts: Any) -> bytes:
    return json.dumps(parts, sort_keys=True, default=str).encode()
