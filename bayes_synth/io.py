"""Fits on disk: netCDF that xarray opens without this library, and no pickle."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.design import locked
from bayes_synth.errors import BayesSynthError, LoadError
from bayes_synth.fit import Fit
from bayes_synth.intake import time_label
from bayes_synth.panel import Panel
from bayes_synth.provenance import SCHEMA, fingerprint, from_spec

__all__ = ["load", "save"]

SUFFIX = ".nc"


def save(fit: Fit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fit as netCDF.

    Parameters
    ----------
    fit
        The fit; all its draws, its data and its specification are written.
    path
        A file name that ends in ``.nc``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    LoadError
        L001 when the folder does not exist, L003 when the model uses a prior of your own, L004 when the file
        exists, L005 for another suffix.
    """
    target = _checked(path)
    if not target.parent.is_dir():
        raise LoadError("L001", f"the folder {target.parent} does not exist.")
    if '"type": "foreign"' in fit.idata.attrs["bayes_synth"]:
        raise LoadError(
            "L003",
            "the model uses a prior of your own, which a file cannot hold: the fit could not be read back.\n"
            "  Write its draws alone with fit.idata.to_netcdf(path).",
        )
    if target.exists() and not overwrite:
        raise LoadError("L004", f"{target} exists; pass overwrite=True to replace it.")
    handle, name = tempfile.mkstemp(suffix=SUFFIX, dir=target.parent)
    os.close(handle)
    try:
        fit.idata.to_netcdf(name, engine="h5netcdf")
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote; needs no PyMC.

    Parameters
    ----------
    path
        A file name that ends in ``.nc``.

    Raises
    ------
    LoadError
        L001 when the file does not exist, is not ours, is damaged, or holds other data than were fitted; L002 when a newer
        version wrote it; L003 when its model cannot be rebuilt; L005 for another suffix.
    """
    source = _checked(path)
    if not source.exists():
        raise LoadError("L001", f"{source} does not exist.")
    try:
        with xr.open_datatree(source, engine="h5netcdf") as opened:
            idata = opened.load()
    except (OSError, ValueError, KeyError) as error:
        raise LoadError("L001", f"{source} is not a netCDF file that can be read: {error}") from error
    facts = _facts(idata, source)
    try:
        panel = _panel(idata, facts["panel"])
        model = from_spec(facts["model"])
    except LoadError:
        raise
    except (KeyError, TypeError, BayesSynthError) as error:
        raise LoadError("L001", f"{source} lacks parts of a fit: {error}.") from error
    if fingerprint(panel) != facts["panel"]["sha256"]:
        raise LoadError("L001", f"the data in {source} are not those that were fitted: the file was changed.")
    return Fit(panel, model, idata)


def _checked(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.suffix != SUFFIX:
        raise LoadError("L005", f"{target.name!r} must end in {SUFFIX}.")
    return target


def _facts(idata: xr.DataTree, source: Path) -> dict[str, Any]:
    text = idata.attrs.get("bayes_synth")
    if not isinstance(text, str):
        raise LoadError("L001", f"{source} holds no fit of this library.")
    try:
        facts = json.loads(text)
    except json.JSONDecodeError as error:
        raise LoadError("L001", f"the description of the fit in {source} is damaged: {error}.") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
        raise LoadError("L001", f"{source} does not say which schema it follows.")
    if facts["schema"] > SCHEMA:
        raise LoadError("L002", f"{source} follows schema {facts['schema']}, newer than {SCHEMA}: update bayes_synth.")
    if facts["schema"] < SCHEMA:
        raise LoadError(
            "L003",
            f"{source} follows schema {facts['schema']}, from before the first release: fit again with schema {SCHEMA}.",
        )
    return facts


def _panel(idata: xr.DataTree, facts: dict[str, Any]) -> Panel:
    halves = [idata[group].to_dataset() for group in ("constant_data", "predictions_constant_data")]
    parts = [
        xr.concat([half[name].rename({dim: "unit"}) for half in halves], dim="time")
        for name, dim in (("donor_outcomes", "donor"), ("treated_outcomes", "treated"))
    ]
    outcomes = xr.concat([part.drop_attrs() for part in parts], dim="unit").transpose("time", "unit").sortby("unit")
    outcomes = outcomes.assign_coords(
        unit=np.array([str(label) for label in outcomes["unit"].to_numpy()], dtype=object)
    )
    start = time_label(facts["start"], pd.Index(outcomes["time"].to_index()), what="start")
    names = {name: facts[name] for name in ("unit", "time", "outcome")}
    return Panel(locked(outcomes), tuple(facts["treated"]), start, **names)
