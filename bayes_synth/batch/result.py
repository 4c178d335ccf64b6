"""The result of a batch: one row per task, the fits, and the failures."""

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
from bayes_synth.results.alarms import codes_in
from bayes_synth.results.estimands import effect_draws
from bayes_synth.results.groups import tree
from bayes_synth.storage.provenance import record_of
from bayes_synth.storage.specs import from_spec
from bayes_synth.words import preformatted, public

__all__ = ["BatchResult", "Entry", "collected"]


SHOWN, WIDTH = 5, 160
"""So many failures are named in a result's repr, and so much of a message is shown."""


class Entry(NamedTuple):
    """What a batch remembers of a task after it has run."""

    key: str
    """The task's key."""
    labels: dict[str, Any]
    """Its labels."""
    task: FitTask | None
    """The task itself, only if its draws are kept."""


@final
class Fits(Sequence["Fit | EffectDraws | None"]):
    """Read fits when asked for, in the tasks' order; a task that failed has None."""

    def __init__(self, entries: Sequence[Entry], results: Results) -> None:
        self._entries = entries
        self._results = results

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, at: int) -> Fit | EffectDraws | None: ...
    @overload
    def __getitem__(self, at: slice) -> "Fits": ...
    def __getitem__(self, at: int | slice) -> "Fit | EffectDraws | Fits | None":
        if isinstance(at, slice):
            return Fits(self._entries[at], self._results)
        key, _, task = self._entries[at]
        assert task is not None
        return _fit(task, self._results.kept(key)) if key in self._results.rows else None

    def __repr__(self) -> str:
        return f"{len(self)} fits"


@final
@dataclass(frozen=True, eq=False, repr=False)
class BatchResult:
    """The result of :func:`bayes_synth.fit_many`.

    Parameters
    ----------
    table
        One row per task, in the tasks' order, indexed by their labels; numbers, but for the alarms.
        ``average_*`` (per period and treated unit), ``total_*`` (summed over periods and treated
        units), ``relative_*`` and those of every other reported estimand are the median and the 95
        % equal-tailed interval (``lower``, ``upper``), in outcome units; the relative effect is a
        fraction, NaN where it means nothing. ``p_below_0`` is of the average effect, ``r_hat`` and
        ``ess`` are the worst of average effect and noise, ``ok`` says whether these and the
        sampler's steps pass, ``alarms`` has the codes of the fit's alarms with spaces between,
        empty without any, ``kappa`` is its posterior mean, NaN without calibration; further
        columns are ``divergences``, ``attempts`` and ``seconds``. A task that failed has NaN, and
        ``ok`` False. ``attrs`` has the batch's ``random_seed``.
    failures
        One :class:`bayes_synth.batch.Failure` per task that failed.
    fits
        In the tasks' order: with ``keep="full"`` each is a :class:`bayes_synth.Fit`, with
        ``keep="draws"`` an object that has its ``effect``; a task that failed has None. With a
        store they are read from it when asked for. Empty with ``keep="summary"``.

    Examples
    --------
    >>> result = bs.fit_many([], progressbar=False)
    >>> result.table.empty, result.failures
    (True, ())
    """

    table: pd.DataFrame
    failures: tuple[Failure, ...]
    fits: Sequence[Fit | EffectDraws | None]

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        fine = int(self.table["ok"].sum())
        failed, count = len(self.failures), len(self.table)
        undone = sum(failure.error == "KeyboardInterrupt" for failure in self.failures)
        why = f" ({undone} of them interrupted)" if undone else ""
        flagged = count - fine - failed
        total = f"{count} fits: {fine} fine, {flagged} flagged, {failed} failed{why}"
        known = [each for each in self.failures if each.error != "KeyboardInterrupt"]
        more = [f"  and {len(known) - SHOWN} more: see .failures"] if len(known) > SHOWN else []
        return "\n".join([total, *map(_failure_line, known[:SHOWN]), *more])

    def _repr_html_(self) -> str:
        shown: str = self.table.to_html(max_rows=20, float_format=lambda x: f"{x:.4g}")
        return f"{preformatted(repr(self))}{shown}"


def _failure_line(failure: Failure) -> str:
    """Say in a line which task failed, and why."""
    labels = ", ".join(f"{name}={value}" for name, value in failure.labels.items())
    message = " ".join(failure.message.split())
    cut = f"{message[:WIDTH]}..." if len(message) > WIDTH else message
    where = f"task {failure.task}" + (f" ({labels})" if labels else "")
    return f"  failed: {where}: {failure.error} [{failure.code}] {cut}"


def collected(
    entries: Sequence[Entry],
    results: Results,
    failures: dict[str, Failure],
    keep: Keep,
    random_seed: int,
) -> BatchResult:
    """Put everything into the tasks' order."""
    failed = [
        failures[key]._replace(task=at, labels=labels)
        for at, (key, labels, _) in enumerate(entries)
        if key in failures
    ]
    fits: Sequence[Fit | EffectDraws | None] = () if keep == "summary" else Fits(entries, results)
    return BatchResult(_table(entries, results, random_seed), tuple(failed), fits)


def _table(entries: Sequence[Entry], results: Results, random_seed: int) -> pd.DataFrame:
    """Make the table: one row per task; ``ok`` is a truth value, ``alarms`` a text."""
    missing = np.full(len(columns()), np.nan)
    rows = [results.rows.get(key, missing) for key, _, _ in entries]
    frame = pd.DataFrame(
        np.reshape(rows, (-1, len(columns()))), index=_index(entries), columns=list(columns())
    )
    frame["ok"] = frame["ok"] == 1
    frame["alarms"] = [codes_in(number) for number in frame["alarms"]]
    frame.attrs = {"random_seed": random_seed, "ci_prob": CI_PROB, "ci_kind": "eti"}
    return frame


def _index(entries: Sequence[Entry]) -> pd.Index:
    names = list(dict.fromkeys(name for _, labels, _ in entries for name in labels))
    if not names:
        return pd.RangeIndex(len(entries), name="task")
    # A label may be a tuple, which pandas would take for several levels.
    parts = [
        pd.Index([labels.get(name) for _, labels, _ in entries], name=name, tupleize_cols=False)
        for name in names
    ]
    return parts[0] if len(names) == 1 else pd.MultiIndex.from_arrays(parts, names=names)


def _fit(task: FitTask, kept: xr.DataTree) -> Fit | EffectDraws:
    """Make the fit, or the draws of its effects, of the groups that were kept."""
    if "bayes_synth" in kept.attrs:
        facts, kept = json.loads(kept.attrs["bayes_synth"]), kept.copy()
        # Of the copy alone: the fit may be asked for twice.
        del kept.attrs["bayes_synth"]
        return Fit(task.panel, _chosen(task.model, facts), kept, record_of(facts))
    groups = {str(name): node.to_dataset() for name, node in kept.children.items()}
    outcome, path = (
        groups["predictions_constant_data"]["outcome"],
        groups["predictions"]["counterfactual"],
    )
    return EffectDraws(
        task.panel,
        task.model,
        tree(groups | {"effects": effect_draws(outcome, path, units=len(task.panel.treated))}),
    )


def _chosen(model: SyntheticControl, facts: dict[str, Any]) -> SyntheticControl:
    """Return the model with the noise, scale and calendar that were chosen for it, if any were."""
    if not isinstance(model.noise, AbstractNoise):
        model = replace(model, noise=from_spec(facts["model"]["noise"]))
    if model.calendar == "auto":
        model = replace(model, calendar=from_spec(facts["model"]["calendar"]))
    return replace(model, scale=facts["model"]["scale"])
