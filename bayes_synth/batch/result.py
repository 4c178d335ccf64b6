"""What came of a batch: one row per task, the fits, and what failed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final, overload

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.api import Fit, SyntheticControl
from bayes_synth.batch.one import CI_PROB, EffectDraws, Failure, Keep, columns
from bayes_synth.batch.store import Results
from bayes_synth.batch.task import FitTask
from bayes_synth.noise import AbstractNoise
from bayes_synth.results.estimands import effect_draws
from bayes_synth.results.groups import tree
from bayes_synth.storage.provenance import record_of
from bayes_synth.storage.specs import from_spec

__all__ = ["BatchResult", "Known", "collected"]


class Known(NamedTuple):
    """What stays of a task after it has run; the task itself only if its draws are kept."""

    key: str
    labels: dict[str, Any]
    task: FitTask | None


@final
class Fits(Sequence["Fit | EffectDraws | None"]):
    """Fits in task order, read when asked for; None for a task that failed."""

    def __init__(self, known: Sequence[Known], results: Results) -> None:
        self._known = known
        self._results = results

    def __len__(self) -> int:
        return len(self._known)

    @overload
    def __getitem__(self, at: int) -> Fit | EffectDraws | None: ...
    @overload
    def __getitem__(self, at: slice) -> "Fits": ...
    def __getitem__(self, at: int | slice) -> "Fit | EffectDraws | Fits | None":
        if isinstance(at, slice):
            return Fits(self._known[at], self._results)
        key, _, task = self._known[at]
        assert task is not None
        return _fit(task, self._results.kept(key)) if key in self._results.rows else None

    def __repr__(self) -> str:
        return f"{len(self)} fits"


@final
@dataclass(frozen=True, eq=False, repr=False)
class BatchResult:
    """What came of :func:`bayes_synth.fit_many`.

    Parameters
    ----------
    table
        One row per task, in the tasks' order, indexed by their labels; numbers only. ``average_*``, ``cumulative_*``,
        ``relative_*``: median and 95 % equal-tailed interval (``lower``, ``upper``), in outcome units, the relative effect a
        fraction (NaN where it means nothing); ``p_below_0`` of the average; worst ``r_hat`` and ``ess`` of average effect and
        noise; ``divergences``; ``ok``, whether these pass; ``attempts``; ``seconds``; ``kappa``, its posterior mean, if
        calibrated. A task that failed has NaN, and ``ok`` False. ``attrs`` has the batch's ``random_seed``.
    failures
        What failed, and why.
    fits
        In the tasks' order: with ``keep="full"`` each a :class:`bayes_synth.Fit`, with ``keep="draws"`` an object with its
        ``effect``, None for a task that failed; with a store, read from it when asked for. Empty with ``keep="summary"``.
    """

    table: pd.DataFrame
    failures: tuple[Failure, ...]
    fits: Sequence[Fit | EffectDraws | None]

    def __repr__(self) -> str:
        fine = int(self.table["ok"].sum())
        failed, undone = (
            len(self.failures),
            sum(failure.error == "KeyboardInterrupt" for failure in self.failures),
        )
        why = f" ({undone} of them interrupted)" if undone else ""
        return f"{len(self.table)} fits: {fine} fine, {len(self.table) - fine - failed} flagged, {failed} failed{why}"

    def _repr_html_(self) -> str:
        shown: str = self.table.to_html(max_rows=20, float_format=lambda x: f"{x:.4g}")
        return f"<pre>{self!r}</pre>{shown}"


def collected(
    known: Sequence[Known],
    results: Results,
    failures: dict[str, Failure],
    keep: Keep,
    random_seed: int,
) -> BatchResult:
    """Everything in the tasks' order."""
    failed = [
        failures[key]._replace(task=at, labels=labels)
        for at, (key, labels, _) in enumerate(known)
        if key in failures
    ]
    fits: Sequence[Fit | EffectDraws | None] = () if keep == "summary" else Fits(known, results)
    return BatchResult(_table(known, results, random_seed), tuple(failed), fits)


def _table(known: Sequence[Known], results: Results, random_seed: int) -> pd.DataFrame:
    """One row per task; ``ok`` is a truth value, all else are numbers."""
    missing = np.full(len(columns()), np.nan)
    rows = [results.rows.get(key, missing) for key, _, _ in known]
    frame = pd.DataFrame(
        np.reshape(rows, (-1, len(columns()))), index=_index(known), columns=list(columns())
    )
    frame["ok"] = frame["ok"] == 1
    frame.attrs = {"random_seed": random_seed, "ci_prob": CI_PROB, "ci_kind": "eti"}
    return frame


def _index(known: Sequence[Known]) -> pd.Index:
    names = list(dict.fromkeys(name for _, labels, _ in known for name in labels))
    if not names:
        return pd.RangeIndex(len(known), name="task")
    parts = [pd.Index([labels.get(name) for _, labels, _ in known], name=name) for name in names]
    return parts[0] if len(names) == 1 else pd.MultiIndex.from_arrays(parts, names=names)


def _fit(task: FitTask, kept: xr.DataTree) -> Fit | EffectDraws:
    if "bayes_synth" in kept.attrs:
        facts = json.loads(kept.attrs.pop("bayes_synth"))
        return Fit(task.panel, _chosen(task.model, facts), kept, record_of(facts))
    groups = {str(name): node.to_dataset() for name, node in kept.children.items()}
    outcome, path = (
        groups["predictions_constant_data"]["outcome"],
        groups["predictions"]["counterfactual"],
    )
    return EffectDraws(
        task.panel, task.model, tree(groups | {"effects": effect_draws(outcome, path)})
    )


def _chosen(model: SyntheticControl, facts: dict[str, Any]) -> SyntheticControl:
    """The model with the noise that was chosen for it, if it was."""
    if isinstance(model.noise, AbstractNoise):
        return model
    return replace(model, noise=from_spec(facts["model"]["noise"]))
