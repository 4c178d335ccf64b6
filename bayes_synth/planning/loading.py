"""Read plans from files; nothing that a file names is imported."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from scipy import stats

from bayes_synth.api import SyntheticControl
from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import Zone
from bayes_synth.errors import BayesSynthError, LoadError
from bayes_synth.planning.before import Before
from bayes_synth.planning.history import History
from bayes_synth.planning.plan import Plan
from bayes_synth.planning.request import Prior
from bayes_synth.planning.saving import FACTS, SEAL, TABLES, family_of
from bayes_synth.results.fit_verdict import FitVerdict
from bayes_synth.storage.digests import digest
from bayes_synth.storage.specs import from_spec
from bayes_synth.storage.trees import read_tree, suffix_of

__all__ = ["load_plan"]


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan that :meth:`bayes_synth.Plan.save` wrote; this needs no PyMC.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    LoadError
        L001 when it is not there, is damaged or holds no plan, L003 when its model or rule cannot
        be rebuilt, L005 for another suffix.
    """
    source = Path(path)
    suffix = suffix_of(source)
    if not source.exists():
        raise LoadError("L001", f"{source} does not exist.")
    try:
        tree = read_tree(source, suffix)
        seal = tree.attrs.pop(SEAL, None)
        content = digest(tree)
    # As for fits (bayes_synth.storage.save): decoders of HDF5 and zarr may raise anything.
    except Exception as error:
        text = f"{source} is not a {suffix} file that can be read: {error!r}"
        raise LoadError("L001", text) from error
    facts = tree.attrs.get(FACTS)
    if facts is None:
        raise LoadError("L001", f"{source} holds no plan of this library; of fits see bs.load.")
    if content != seal:
        raise LoadError("L001", f"{source} does not hold what was saved: the file was changed.")
    try:
        return _plan(tree, json.loads(facts))
    except LoadError:
        raise
    # The digest fits, so somebody composed this file: any part may be missing or of another type.
    except (BayesSynthError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise LoadError("L001", f"{source} lacks parts of a plan: {error!r}.") from error


def _prior(facts: Any) -> Prior | None:
    if facts is None:
        return None
    family = family_of(facts[0])
    if not isinstance(family, stats.rv_continuous):
        raise LoadError("L003", f"the prior {facts[0]!r} is none of scipy.stats.")
    frozen: Prior = family(*facts[1], **facts[2])
    return frozen


def _plan(tree: xr.DataTree, facts: dict[str, Any]) -> Plan:
    frames = {name: _frame(tree[name].to_dataset()) for name in TABLES}
    weights = frames["weights"].set_index("donor")
    weights.attrs = facts["attrs"]
    before = Before(weights, FitVerdict(**facts["verdict"]), frames["path"].set_index("time"))
    unit, time, outcome, remarks = facts["history"]
    outcomes = tree["history"]["outcome"].transpose("time", "unit")
    kept = tuple(Remark(*each) for each in remarks)
    history = History(outcomes, unit, time, outcome, kept, Zone(**facts["zone"]))
    model = from_spec(facts["model"])
    if not isinstance(model, SyntheticControl):
        raise TypeError(f"the model must be a SyntheticControl, got {type(model).__name__}")
    average = tree["counterfactual"]["average"].transpose("periods", "start", "chain", "draw")
    return Plan(
        history,
        model,
        tuple(facts["treated"]),
        from_spec(facts["rule"]),
        frames["pretend_tests"],
        average.drop_attrs(),
        frames["placebo_tests"],
        before,
        effects=tuple(facts["effects"]),
        prior=_prior(facts["prior"]),
        additive=facts["additive"],
        never_donors=tuple(facts["never_donors"]),
        record=facts["record"],
        notes=tuple(Remark(*each) for each in facts["notes"]),
    )


def _frame(dataset: xr.Dataset) -> pd.DataFrame:
    names = [str(name) for name in dataset.data_vars]
    return pd.DataFrame({name: dataset[name].to_numpy() for name in names})
