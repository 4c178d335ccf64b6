"""Read files of every kind: fits, joint fits, plans and choices."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from scipy import stats

from bayes_synth.api import Fit, SyntheticControl
from bayes_synth.data.remarks import Remark
from bayes_synth.data.times import Zone
from bayes_synth.errors import BayesSynthError, LoadError
from bayes_synth.planning.before import Before
from bayes_synth.planning.choice import Choice
from bayes_synth.planning.history import History
from bayes_synth.planning.plan import Plan
from bayes_synth.planning.request import Prior
from bayes_synth.planning.saving import SCHEMA, TABLES, family_of
from bayes_synth.results.fit_verdict import FitVerdict
from bayes_synth.storage.save import CHOICE_FACTS, PLAN_FACTS, read_sealed
from bayes_synth.storage.specs import from_spec
from bayes_synth.study.joint_fit import JointFit
from bayes_synth.study.loading import fit_of

__all__ = ["load"]


def load(path: str | os.PathLike[str]) -> Fit | JointFit | Plan | Choice:
    """Read what ``save`` wrote: a fit, the joint fit of a study, a plan or a choice.

    This needs no PyMC, and nothing that a file names is imported.

    Parameters
    ----------
    path
        A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``. A file whose model uses a class of
        your own needs that class to be defined or imported first.

    Returns
    -------
    Fit, JointFit, Plan or Choice
        Equal to what was saved: its draws, data, model and record.

    Raises
    ------
    LoadError
        L001 when the file does not exist, is not a file of this library, is damaged, lacks parts or
        was changed since it was written; L002 when a newer version wrote it; L003 when its model,
        rule or prior cannot be rebuilt, or it is older than the first release; L005 for another
        suffix; L025 when parts of a study are lacking.

    Examples
    --------
    >>> fit.save("fit.nc")
    >>> bs.load("fit.nc").panel == fit.panel
    True
    """
    tree, source = read_sealed(path)
    name = next((each for each in READERS if each in tree.attrs), None)
    if name is None:
        return fit_of(tree, source)
    try:
        facts = json.loads(tree.attrs[name])
        _require_known(facts["schema"], source)
        return READERS[name](tree, facts)
    except LoadError:
        raise
    # The digest fits, so somebody composed this file: any part may be missing or of another type.
    except (BayesSynthError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise LoadError("L001", f"{source} lacks parts of a plan: {error!r}.") from error


def _require_known(schema: int, source: Path) -> None:
    """Refuse a file of a newer version.

    Raises
    ------
    LoadError
        L002.
    """
    if schema > SCHEMA:
        raise LoadError(
            "L002",
            f"{source} follows schema {schema} of plans, newer than {SCHEMA}: update bayes_synth.",
        )


def _prior(facts: Any) -> Prior | None:
    if facts is None:
        return None
    family = family_of(facts[0])
    if not isinstance(family, stats.rv_continuous):
        raise LoadError("L003", f"the prior {facts[0]!r} is none of scipy.stats.")
    frozen: Prior = family(*facts[1], **facts[2])
    return frozen


def _plan(tree: Any, facts: dict[str, Any]) -> Plan:
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


def _choice(tree: Any, facts: dict[str, Any]) -> Choice:
    plans = {}
    for k, each in enumerate(facts["plans"]):
        plan = _plan(tree[f"plan_{k:04d}"], each)
        plans[plan.treated] = plan
    table = _frame(tree["table"].to_dataset())
    table.insert(0, "units", pd.Series([tuple(units) for units in facts["units"]], dtype=object))
    table.attrs = facts["attrs"]
    left_out = pd.DataFrame(facts["left_out"]).set_index("constraint")
    times = next(iter(plans.values())).history.times
    chosen, claimed = (tuple(times[places]) for places in facts["windows"])
    screened, fitted = facts["considered"]
    return Choice(table, plans, left_out, (screened, fitted), (chosen, claimed))


def _frame(dataset: xr.Dataset) -> pd.DataFrame:
    names = [str(name) for name in dataset.data_vars]
    return pd.DataFrame({name: dataset[name].to_numpy() for name in names})


READERS: dict[str, Callable[[Any, dict[str, Any]], Plan | Choice]] = {
    PLAN_FACTS: _plan,
    CHOICE_FACTS: _choice,
}
"""What reads a file that is not of a fit, by the attribute that tells."""
