"""From a panel to a fit: sample, calibrate on the donors, label, judge."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import ConvergenceWarning, OptionError, SamplingFailed, warn
from bayes_synth.fitting.attempts import Judged, Settled, mendable, settle
from bayes_synth.fitting.memory import require_memory
from bayes_synth.fitting.noise_choice import choose_noise
from bayes_synth.fitting.placebos import placebos
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.answers import watched
from bayes_synth.results.calibrated import Placebos
from bayes_synth.results.convergence import FIT, Convergence, convergence_of
from bayes_synth.results.groups import calibrated_groups, posterior_groups, prior_groups, tree
from bayes_synth.results.record import RunRecord, versions
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled

__all__ = ["Fitted", "Prepared", "fit_panel", "prepare", "recorded"]


class Fitted(NamedTuple):
    """The parts of a fit: the model with its noise chosen, the labelled draws, and how they were made."""

    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord


class Draft(NamedTuple):
    """One attempt: the labelled draws, the sampler's account, and the verdict."""

    idata: xr.DataTree
    sampled: Sampled
    verdict: Convergence


@final
@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the treated unit is fitted.

    Parameters
    ----------
    problem
        The model, its noise chosen, and the panel.
    found
        What the donors said; None without calibration.
    scores
        Held-out scores of the noise processes, when one was chosen.
    """

    problem: Problem
    found: Placebos | None = None
    scores: pd.DataFrame | None = None

    @property
    def stopped(self) -> str:
        """Where an interrupt ended the refits, and which intervals it leaves; empty when it did not."""
        if self.found is None or not self.found.stopped:
            return ""
        left = (
            "calibrated on the refits that were complete"
            if self.found.enough
            else "too few to calibrate on"
        )
        return f"{self.found.stopped}, {left}"

    def assemble(
        self, settings: Settings, sampled: Sampled, rng: np.random.Generator
    ) -> xr.DataTree:
        """Make every group of a fit from the sampler's draws: labelled, in outcome units, calibrated."""
        problem, plan = self.problem, self.problem.model.calibration
        groups = posterior_groups(problem, sampled.posterior, rng)
        if plan and self.found is not None and self.found.enough:
            groups |= calibrated_groups(
                groups, self.found, plan, problem, settings.calibration_stream()
            )
        groups |= {"sample_stats": sampled.sample_stats} | prior_groups(
            problem, settings.size.draws, rng
        )
        if self.scores is not None:
            groups["noise_scores"] = self.scores.to_xarray()
        return tree(groups)


def fit_panel(
    model: AbstractSyntheticControl, panel: Panel, settings: Settings, *, strict: bool
) -> Fitted:
    """Sample, label and judge; see :meth:`bayes_synth.SyntheticControl.fit`."""
    if not isinstance(panel, Panel):
        got = type(panel).__name__
        raise OptionError(
            "O001", f"fit() needs a bs.Panel, got {got}; build one with bs.Panel.from_long(...)."
        )
    prepared = prepare(model, panel, settings)
    if prepared.stopped and strict:
        raise _unfinished(f"calibration {prepared.stopped}")

    def attempt(chosen: Settings) -> Judged[Draft]:
        # After one interrupt, or in a second attempt, the next interrupt is the caller's.
        return _attempt(prepared, chosen, partial=chosen.attempt == 1 and not prepared.stopped)

    done = settle(attempt, settings, Settings.stricter, keep_interrupted=True)
    partial = _partial(prepared, done)
    problems = done.best.problems
    if partial and strict:
        raise _unfinished("; ".join(partial))
    if problems and strict:
        words = "Pass strict=False to get this fit anyway; fit.ok will be False."
        raise SamplingFailed("S003", f"{done.best.value.verdict}\n  {words}")
    verdict = replace(done.best.value.verdict, partial=partial)
    said = [f"[{code}] {text}" for code, kind, text in panel.remarks if kind == "warned"]
    record = recorded(done.best.settings, done.best.value.sampled, prepared.stopped)
    record = replace(
        record, attempts=done.record, partial=partial, warnings=(*said, *_warned(verdict))
    )
    return Fitted(prepared.problem.model, done.best.value.idata, record)


def prepare(model: AbstractSyntheticControl, panel: Panel, settings: Settings) -> Prepared:
    """Choose the noise if asked to, and refit the donors as if they had been treated."""
    require_memory(model, panel, settings.size)
    model, scores = choose_noise(model, panel, settings)
    problem = Problem.of(model, panel)
    found = placebos(problem, model.calibration, settings) if model.calibration else None
    return Prepared(problem, found, scores)


def recorded(settings: Settings, sampled: Sampled, stopped: str = "") -> RunRecord:
    """The record of one attempt."""
    return RunRecord(
        settings,
        sampled.sampler,
        chains=sampled.posterior.sizes["chain"],
        draws=sampled.posterior.sizes["draw"],
        compile_seconds=sampled.compile_seconds,
        seconds=sampled.sample_seconds,
        partial=tuple(filter(None, (sampled.partial, stopped and f"calibration {stopped}"))),
        calibration_stopped=stopped,
        versions=versions(),
    )


def _attempt(prepared: Prepared, settings: Settings, *, partial: bool) -> Judged[Draft]:
    seed, rng = settings.streams()
    problem = prepared.problem
    sampled = sample(problem, settings, seed, partial=partial)
    idata = prepared.assemble(settings, sampled, rng)
    undone = recorded(settings, sampled, prepared.stopped).partial
    verdict = convergence_of(
        watched(problem.panel, problem.model, idata), sampled.sample_stats, undone
    )
    draws = sampled.posterior.sizes["chain"] * sampled.posterior.sizes["draw"]
    again = mendable(verdict, FIT, draws, sampled.sampler)
    return Judged(
        Draft(idata, sampled, verdict), settings, verdict.problems, verdict.divergences, again
    )


def _partial(prepared: Prepared, done: Settled[Draft]) -> tuple[str, ...]:
    """What interrupts and failures left undone."""
    kept = recorded(done.best.settings, done.best.value.sampled, prepared.stopped).partial
    return (*kept, done.unfinished) if done.unfinished else kept


def _warned(verdict: Convergence) -> list[str]:
    """Warn about a fit that has not converged or is partial, and return what was said."""
    said: list[tuple[str, Any]] = [("S003", verdict)] if verdict.problems else []
    if verdict.partial:
        said.append(("S004", f"PARTIAL: {'; '.join(verdict.partial)}. Run it again for all of it."))
    return [warn(ConvergenceWarning, code, f"{text}") for code, text in said]


def _unfinished(what: str) -> SamplingFailed:
    return SamplingFailed(
        "S004", f"{what}. Pass strict=False to get the completed part; fit.ok will be False."
    )
