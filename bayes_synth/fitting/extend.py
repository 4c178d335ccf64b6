"""Extend a fit by new periods: its posterior stays, forecasts and calibration are made again.

An extended fit is a fresh fit of the longer panel, made with less work. Everything runs through
:func:`bayes_synth.fitting.fit_panel.fit_panel`, and :class:`Posteriors` alone decides what need not
be sampled again.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, final
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import ConvergenceWarning, OptionError, ResultError, warn
from bayes_synth.fitting.fit_panel import STUDY, fit_panel
from bayes_synth.model.problem import Problem
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.convergence import uncalibrated
from bayes_synth.results.inflating import FACTOR
from bayes_synth.results.record import RunRecord
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled
from bayes_synth.words import listed, short

__all__ = [
    "ANEW_STUDY",
    "KNOWN",
    "Posteriors",
    "asked_for",
    "carry_choices",
    "extended",
    "remembered",
    "require_later_rows",
    "require_same_cells",
    "require_same_past",
    "same_mixture",
]


class Outcomes(Protocol):
    """Outcomes over time, those of a panel or of a study."""

    @property
    def outcomes(self) -> xr.DataArray:
        """Dims ``(time, unit)``."""

    @property
    def times(self) -> pd.Index:
        """All times."""


SCORES = "noise_scores", "scale_scores", "calendar_scores"
"""The groups that say why a noise or a scale was chosen; what was chosen is kept."""
ANEW = "fit the longer panel again, with fit.model.fit(panel)"
ANEW_STUDY = "fit the longer study again, with joint.model.fit(study)"


Recall = Callable[[str], Sampled | None]
Keep = Callable[[str, Sampled], None]


def _nothing(key: str) -> None:
    """Find nothing."""


def _nowhere(key: str, sampled: Sampled) -> None:
    """Keep nothing."""


@final
class Posteriors:
    """Sample every posterior once, and give back what was sampled before.

    Parameters
    ----------
    recall
        Finds what was kept elsewhere, by its digest; None for what was not.
    keep
        Keeps what was sampled, unless an interrupt cut it short.

    Attributes
    ----------
    known : dict
        What was sampled, by the digest of all that decides it.
    """

    def __init__(self, recall: Recall = _nothing, keep: Keep = _nowhere) -> None:
        self.known: dict[str, Sampled] = {}
        self._recall, self._keep = recall, keep

    def sample(
        self, problem: Problem, settings: Settings, seed: int, *, partial: bool = False
    ) -> Sampled:
        """Sample as :func:`bayes_synth.sampling.sample.sample` does, unless it was done before."""
        key = _decisive(problem, settings, seed)
        if key not in self.known:
            found = self._recall(key)
            if found is None:
                self.add(key, sample(problem, settings, seed, partial=partial))
            else:
                self.known[key] = found
        return self.known[key]

    @property
    def nbytes(self) -> int:
        """How many bytes the draws take."""
        every = self.known.values()
        return sum(each.posterior.nbytes + each.sample_stats.nbytes for each in every)

    def add(self, key: str, sampled: Sampled) -> None:
        """Take in what was sampled elsewhere."""
        self.known[key] = sampled
        if not sampled.partial:
            self._keep(key, sampled)


KNOWN: "WeakKeyDictionary[AbstractFit, Posteriors]" = WeakKeyDictionary()
"""What was sampled for each fit that is still in use; a fit from a file has nothing here.

Its own groups are in outcome units, from which typical steps cannot be had back to the last bit.
"""


def remembered[F: AbstractFit](fit: F, posteriors: Posteriors) -> F:
    """Return the fit, and remember for its sake what was sampled."""
    KNOWN[fit] = posteriors
    return fit


def extended[F: AbstractFit](fit: F, panel: Panel, *, strict: bool) -> F:
    """Return the fit of a panel with more rows; see :meth:`bayes_synth.Fit.extend`.

    The donors' refits are sampled again with their seeds: their draws would take as much memory as
    all else, and what a fit spends on the treated unit is saved.
    """
    if _nothing_new(fit, panel):
        return fit
    posteriors = KNOWN.get(fit) or Posteriors()
    settings = asked_for(fit.record)
    fitted = fit_panel(fit.model, panel, settings, strict=strict, draw=posteriors.sample)
    longer = carry_choices(fit, replace(fit, panel=panel, **fitted._asdict()))
    require_same_past(fit, longer)
    return remembered(longer, posteriors)


def carry_choices[F: AbstractFit](fit: F, longer: F) -> F:
    """Return the longer fit with the reasons why noise, scale and calendar were chosen."""
    for name in SCORES:
        if name in fit.idata.children:
            longer.idata[name] = xr.DataTree(fit.idata[name].to_dataset())
    record = replace(longer.record, scale_choice=fit.record.scale_choice)
    return replace(longer, record=record)


def _decisive(problem: Problem, settings: Settings, seed: int) -> str:
    """Return a digest of everything that decides the draws; the number of cores never does."""
    inputs = problem.inputs
    data = hashlib.sha256(inputs.outcome.tobytes())
    data.update(inputs.donor_outcomes[: inputs.periods].tobytes())
    for series in problem.covariates.before if problem.covariates else ():
        data.update(series.tobytes())
    for each in problem.auxiliary:
        data.update(each.inputs.outcome.tobytes())
        data.update(each.inputs.donor_outcomes[: inputs.periods].tobytes())
    how = settings.size, settings.sampler, settings.attempt, seed
    data.update(repr((problem.model, problem.donors, problem.pool, how)).encode())
    return data.hexdigest()


def asked_for(record: RunRecord) -> Settings:
    """Return the settings of the first attempt, whichever was kept."""
    if not record.attempts:
        return record.settings
    first = record.attempts[0]
    size = replace(record.settings.size, target_accept=first.target_accept, tune=first.tune)
    return replace(record.settings, size=size, attempt=1)


def _nothing_new(fit: AbstractFit, panel: Panel) -> bool:
    """Tell whether the panel is the fitted one; refuse one that does not extend it."""
    if not isinstance(panel, Panel):
        got = type(panel).__name__
        text = f"panel must be a bs.Panel, got {got}; build one with bs.Panel.from_long(...)."
        raise OptionError("O001", text)
    if STUDY in fit.idata.attrs:
        raise ResultError(
            "R055",
            f"a fit must stand alone to be extended, got one of the study of "
            f"{fit.idata.attrs[STUDY]}, "
            "whose shocks and kappa are those of all units.\n  Extend all of them: "
            "joint.extend(study).",
        )
    if panel.auxiliary is not None or fit.panel.auxiliary is not None:
        raise ResultError(
            "D078",
            "a fit must have one outcome to be extended, got auxiliary outcomes too.\n"
            f"  Instead, {ANEW}.",
        )
    if not fit.convergence.ok:
        raise ResultError(
            "R043",
            f"a fit must be complete and converged to be extended, got {fit.convergence};\n"
            f"  {ANEW}.",
        )
    _require_same_design(fit.panel, panel)
    require_later_rows(fit.panel.times, panel.times)
    require_same_cells(fit.panel, panel)
    _require_same_covariates(fit.panel, panel)
    return len(panel.times) == len(fit.panel.times)


def _require_same_design(old: Panel, new: Panel) -> None:
    """Refuse other treated units, another start or other donors.

    Raises
    ------
    ResultError
        R041.
    """
    wrong = [
        f"{name}={listed(there)} instead of {listed(here)}"
        for name, here, there in (
            ("treated", old.treated, new.treated),
            ("start", (short(old.start),), (short(new.start),)),
        )
        if here != there
    ]
    lost = [label for label in old.donors if label not in new.donors]
    added = [label for label in new.donors if label not in old.donors]
    wrong += [f"no donor {listed(lost)}"] if lost else []
    wrong += [f"also {listed(added)}"] if added else []
    if wrong:
        raise ResultError(
            "R041",
            "panel must have the treated units, the start and the donors of the fit, got "
            f"{'; '.join(wrong)}.\n  Read it as the fitted one was read, or {ANEW}.",
        )


def require_later_rows(old: pd.Index, new: pd.Index, name: str = "panel", anew: str = ANEW) -> None:
    """Refuse times that are lost, and new ones that are not the latest.

    Raises
    ------
    ResultError
        R042.
    """
    lost, added = old[~old.isin(new)], new[~new.isin(old)]
    early = added[:0] if len(lost) else added[added < old[-1]]
    if len(lost) or len(early):
        got = "it without" if len(lost) else "new ones before its last,"
        raise ResultError(
            "R042",
            f"{name} must have every time of the fit ({short(old[0])} to {short(old[-1])}) and new "
            f"ones after them only, got {got} {listed(map(short, lost if len(lost) else early))}.\n"
            f"  For other times {anew}.",
        )


def require_same_cells(old: Outcomes, new: Outcomes, anew: str = ANEW) -> None:
    """Refuse rows that were fitted and have changed since.

    Raises
    ------
    ResultError
        R040, with the cells.
    """
    was, now = old.outcomes.to_numpy(), new.outcomes.to_numpy()[: len(old.times)]
    units = old.outcomes["unit"].to_numpy()
    cells = np.argwhere(~((was == now) | (np.isnan(was) & np.isnan(now)))).tolist()
    if cells:
        changes = [
            f"{units[j]} at {short(old.times[t])} ({now[t, j]}, was {was[t, j]})" for t, j in cells
        ]
        raise ResultError(
            "R040",
            f"rows that were fitted must not change, got other outcomes in {len(cells)} cells: "
            f"{listed(changes)}.\n  For revised data {anew}.",
        )


def _require_same_covariates(old: Panel, new: Panel) -> None:
    """Refuse other covariates, and numbers of theirs that have changed at the fitted times.

    Raises
    ------
    ResultError
        O113.
    """
    names, others = (p.covariates.names if p.covariates else () for p in (old, new))
    if names != others:
        raise ResultError(
            "O113",
            f"panel must have the covariates of the fit, {listed(names) or 'none'}, got "
            f"{listed(others) or 'none'}.\n  Read it as the fitted one was read, or {ANEW}.",
        )
    if old.covariates is None or new.covariates is None:
        return
    units = old.outcomes["unit"].values.tolist()
    was = old.covariates.of(units)
    now = new.covariates.of(units).isel(time=slice(len(old.times)))
    cells = np.argwhere(was.to_numpy() != now.to_numpy()).tolist()
    if cells:
        changes = [f"{names[k]} of {units[j]} at {short(old.times[t])}" for k, t, j in cells]
        raise ResultError(
            "O113",
            f"covariates at fitted times must not change, got other numbers in {len(cells)} cells: "
            f"{listed(changes)}.\n  For revised data {ANEW}.",
        )


def require_same_past(fit: AbstractFit, fitted: AbstractFit) -> None:
    """Refuse a result that is not the fit's own posterior continued.

    Where a fresh fit of the longer panel keeps another attempt, so does this one, and says so.
    Where the donors' errors over the longer window weigh the priors on ``q`` otherwise, the draws
    are other ones of the same posteriors, and there is nothing to compare.

    Raises
    ------
    ResultError
        R044 for draws that cannot be made again.
    """
    if fitted.record.settings != fit.record.settings:
        was, now = (_attempt_in_words(record) for record in (fit.record, fitted.record))
        warn(
            ConvergenceWarning,
            "R045",
            f"the longer window was fitted with {now} where the shorter one had {was}, as a fresh "
            "fit would be: its weights and all its draws are other ones.",
        )
        return
    if same_mixture(fit.idata, fitted.idata) and not _same_past(
        fit.idata, fitted.idata, len(fit.panel.post)
    ):
        made = ", ".join(f"{name} {number}" for name, number in fit.record.versions.items())
        raise ResultError(
            "R044",
            "the draws of this fit must be those that its seed gives here, got others: it was made "
            f"on another machine or by other versions ({made}).\n  Extend it where it was made, or "
            f"{ANEW}.",
        )


def _same_past(old: xr.DataTree, new: xr.DataTree, post: int) -> bool:
    """Compare posteriors, and forecasts of the first periods as the sampler left them."""
    parts = [
        {
            **tree["posterior"].to_dataset().data_vars,
            "forecast": uncalibrated(tree).isel(time=slice(post)),
        }
        for tree in (old, new)
    ]
    return parts[0].keys() == parts[1].keys() and all(
        np.array_equal(parts[0][name], parts[1][name], equal_nan=True) for name in parts[0]
    )


def same_mixture(old: xr.DataTree, new: xr.DataTree) -> bool:
    """Tell whether every draw comes from the posterior under the same factor."""
    first, second = (tree["posterior"].to_dataset() for tree in (old, new))
    if FACTOR not in first or FACTOR not in second:
        return FACTOR not in first and FACTOR not in second
    return np.array_equal(first[FACTOR], second[FACTOR])


def _attempt_in_words(record: RunRecord) -> str:
    return "a second attempt" if record.settings.attempt > 1 else "one attempt"
