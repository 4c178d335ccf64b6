"""Make a fit from a panel: calibrate on the donors, sample, label, judge."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import (
    ConvergenceWarning,
    DesignWarning,
    OptionError,
    SamplingFailed,
    warn,
)
from bayes_synth.fitting.attempts import Judged, mendable, settle
from bayes_synth.fitting.calendar_choice import choose_calendar
from bayes_synth.fitting.memory import require_memory
from bayes_synth.fitting.mixture import sample_alternatives
from bayes_synth.fitting.noise_choice import choose_noise
from bayes_synth.fitting.placebos import placebos
from bayes_synth.fitting.scale_choice import ScaleChoice, choose_scale
from bayes_synth.model.auxiliary import require_shareable
from bayes_synth.model.outcome_scale import outcome_name
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.auxiliary import AUXILIARY, OUTCOME, each_auxiliary, own_seed
from bayes_synth.results.below_zero import below_zero
from bayes_synth.results.calibrated import Alternative, Placebos
from bayes_synth.results.continued import ShocksOf
from bayes_synth.results.convergence import FIT, Convergence, convergence_of, watched
from bayes_synth.results.estimands import effect_draws
from bayes_synth.results.groups import calibrated_groups, posterior_groups, prior_groups, tree
from bayes_synth.results.record import RunRecord, versions
from bayes_synth.results.seasons import seasonal_remark, unlearnt
from bayes_synth.results.weighted import adjusted
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled

__all__ = [
    "STUDY",
    "STUDY_SEED",
    "Fitted",
    "Prepared",
    "Shared",
    "fit_panel",
    "fit_prepared",
    "judged",
    "prepare",
    "recorded",
    "warn_about",
    "warn_of_draws",
]


class Fitted(NamedTuple):
    """Hold the parts of a fit.

    ``model`` has its noise chosen; ``idata`` has the labelled draws, and ``record`` how they were
    made.
    """

    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord


class Draft(NamedTuple):
    """Hold one attempt: the labelled draws, how they were made, and the verdict."""

    idata: xr.DataTree
    record: RunRecord
    verdict: Convergence


STUDY = "bayes_synth_study"
"""Attribute of the draws of a fit whose shocks and kappa belong to a study of several units."""
STUDY_SEED = "bayes_synth_study_seed"
"""Attribute with the seed of that study, as text: it may have more digits than files can hold."""


class Shared(NamedTuple):
    """Hold what the treated units of a study have in common.

    ``shocks_of`` gives this unit's shocks of the periods to come; ``seed`` is that of kappa and
    lambda, which are the same in each draw of all units; ``study`` names the units, and
    ``study_seed`` is the seed from which all others were made.
    """

    shocks_of: ShocksOf
    seed: int
    study: str
    study_seed: int


@final
@dataclass(frozen=True)
class Prepared:
    """Hold everything that is known before the treated unit is fitted.

    Parameters
    ----------
    problem
        The model, its noise chosen, and the panel.
    placebos
        What the donors' refits have shown; None without calibration.
    scores
        Held-out scores of the noise processes; None unless one was chosen.
    choice
        How the scale was chosen; None where nothing was to be chosen.
    seasons
        Held-out scores with and without a calendar; None unless one was to be chosen.
    shared
        What the unit has in common with the others of its study; None for a unit alone.
    """

    problem: Problem
    placebos: Placebos | None = None
    scores: pd.DataFrame | None = None
    choice: ScaleChoice | None = None
    seasons: pd.DataFrame | None = None
    shared: Shared | None = None

    @property
    def scale_choice(self) -> str:
        """Say how the scale was chosen; empty where the model named it."""
        return self.choice.words if self.choice else ""

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """The priors on ``q`` to average over; none where there is nothing to weigh them by."""
        known = self.placebos is not None and self.placebos.enough
        return self.placebos.alternatives if self.placebos is not None and known else ()

    @property
    def stopped(self) -> str:
        """Say where an interrupt ended the refits and what it leaves; empty when it did not."""
        if self.placebos is None or not self.placebos.stopped:
            return ""
        if self.placebos.enough:
            return f"{self.placebos.stopped}, calibrated on the refits that were complete"
        return f"{self.placebos.stopped}, too few to calibrate on"

    def assemble(
        self, settings: Settings, sampled: Sampled, rng: np.random.Generator
    ) -> xr.DataTree:
        """Make every group of a fit from the sampler's draws.

        They are labelled, in outcome units, and calibrated when there is enough to calibrate on.

        Parameters
        ----------
        settings, sampled
            How it was sampled, and what the sampler gave back.
        rng
            Randomness of the predictive and of the prior draws.
        """
        problem, plan = self.problem, self.problem.model.calibration
        shocks_of = None if self.shared is None else self.shared.shocks_of
        groups = posterior_groups(problem, sampled.posterior, rng, shocks_of)
        if plan and self.placebos is not None and self.placebos.enough:
            stream = (
                settings.calibration_stream()
                if self.shared is None
                else np.random.default_rng(self.shared.seed)
            )
            groups |= calibrated_groups(
                groups, self.placebos, plan, problem, sampled.posterior, stream
            )
        else:
            observed = groups["predictions_constant_data"]["outcome"]
            groups["effects"] = effect_draws(
                observed,
                groups["predictions"]["counterfactual"],
                units=len(problem.panel.treated),
            )
        groups |= {"sample_stats": sampled.sample_stats} | prior_groups(
            problem, settings.size.draws, rng, sampled.posterior
        )
        if self.scores is not None:
            groups["noise_scores"] = self.scores.to_xarray()
        if self.choice and self.choice.table is not None:
            groups["scale_scores"] = self.choice.table.to_xarray()
        if self.seasons is not None:
            groups["calendar_scores"] = self.seasons.to_xarray()
        labelled = tree(groups)
        if self.shared is not None:
            labelled.attrs |= {STUDY: self.shared.study, STUDY_SEED: f"{self.shared.study_seed}"}
        self._add_auxiliary(labelled, settings, sampled)
        return labelled

    def _add_auxiliary(self, labelled: xr.DataTree, settings: Settings, sampled: Sampled) -> None:
        """Add the groups of every auxiliary outcome, made as if it were the only one."""
        shown = self.placebos.auxiliary if self.placebos is not None else ()
        pairs = each_auxiliary(self.problem, sampled.posterior)
        for k, (problem, posterior) in enumerate(pairs):
            placebos = shown[k] if k < len(shown) else None
            own = own_seed(settings, k)
            groups = Prepared(problem, placebos).assemble(
                own, sampled._replace(posterior=posterior), own.streams()[1]
            )
            groups.attrs[OUTCOME] = problem.panel.outcome
            labelled[f"{AUXILIARY}/{k}"] = groups


def fit_panel(
    model: AbstractSyntheticControl,
    panel: Panel,
    settings: Settings,
    *,
    strict: bool,
    draw: Callable[..., Sampled] = sample,
) -> Fitted:
    """Sample, label and judge; see :meth:`bayes_synth.SyntheticControl.fit`.

    ``draw`` samples the treated unit's posterior, as :func:`bayes_synth.sampling.sample.sample`.

    Raises
    ------
    OptionError
        O001 when ``panel`` is something else.
    SamplingFailed
        S001, S002 or S004 when sampling fails, S005 when the draws would take too much memory;
        with ``strict`` also S003 for a fit that has not converged and S004 for an interrupted one.
    """
    if not isinstance(panel, Panel):
        got = type(panel).__name__
        raise OptionError(
            "O001", f"panel must be a bs.Panel, got {got}; build one with bs.Panel.from_long(...)."
        )
    return fit_prepared(prepare(model, panel, settings), settings, strict=strict, draw=draw)


def fit_prepared(
    prepared: Prepared,
    settings: Settings,
    *,
    strict: bool,
    draw: Callable[..., Sampled] = sample,
) -> Fitted:
    """Sample the treated unit's posterior, label and judge; see :func:`fit_panel`."""
    if prepared.stopped and strict:
        raise _unfinished(f"calibration {prepared.stopped}")

    def attempt(chosen: Settings) -> Judged[Draft]:
        # After one interrupt, or in a second attempt, the next interrupt is the caller's.
        partial = chosen.attempt == 1 and not prepared.stopped
        return _attempt(prepared, chosen, draw, partial=partial)

    outcome = settle(attempt, settings, Settings.stricter, keep_interrupted=True)
    best, record = outcome.best, outcome.best.value.record
    partial = (*record.partial, *filter(None, [outcome.unfinished]))
    if partial and strict:
        raise _unfinished("; ".join(partial))
    if best.problems and strict:
        raise SamplingFailed(
            "S003",
            f"{best.value.verdict}\n"
            "  Pass strict=False to get this fit anyway; fit.converged will be False.",
        )
    given = prepared.problem.panel.remarks
    warnings = [f"[{code}] {text}" for code, kind, text in given if kind == "warned"]
    warnings += warn_about(replace(best.value.verdict, partial=partial))
    warnings += warn_of_draws(best.value.idata, prepared.problem)
    record = replace(
        record,
        attempts=outcome.record,
        partial=partial,
        warnings=tuple(warnings),
        scale_choice=prepared.scale_choice,
    )
    return Fitted(prepared.problem.model, best.value.idata, record)


def warn_of_draws(idata: xr.DataTree, problem: Problem) -> list[str]:
    """Warn about what the draws say against the model, and return the messages."""
    said = []
    if where := below_zero(idata, problem):
        impossible = (
            f"the counterfactual is below zero in {where}, but no outcome is.\n"
            '  Model it with scale="sqrt", or with scale="log" where no outcome is zero.'
        )
        said.append(warn(DesignWarning, "V051", impossible))
    if season := _unmodelled_season(idata, problem):
        said.append(warn(DesignWarning, "V056", season))
    if unseen := unlearnt(problem.calendar, problem.inputs.outcome):
        said.append(warn(DesignWarning, "V057", unseen))
    return said


def _unmodelled_season(idata: xr.DataTree, problem: Problem) -> str:
    """Say that the gap follows a calendar that the model does not have; empty otherwise."""
    if problem.calendar.labels:
        return ""
    weights = idata["posterior"]["weights"].mean(("chain", "draw")).to_numpy()
    inputs = adjusted(problem, idata).inputs
    gap = inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ weights
    measure = outcome_name(problem.model.scale, problem.panel.outcome)
    return seasonal_remark(gap * inputs.step, problem.panel.pre, measure)


def prepare(model: AbstractSyntheticControl, panel: Panel, settings: Settings) -> Prepared:
    """Choose scale and noise if asked to, and refit the donors as if they had been treated.

    Raises
    ------
    SamplingFailed
        S005 when the fit's draws would take too much memory.
    DesignError
        D074 to D076 for what cannot be fitted with auxiliary outcomes.
    """
    require_shareable(model, panel)
    require_memory(model, panel, settings.size)
    choice = choose_scale(model, panel, settings)
    model, scores = choose_noise(choice.model, panel, settings)
    model, seasons = choose_calendar(model, panel, settings)
    problem, plan = Problem.of(model, panel), model.calibration
    same = choice.noise == model.noise and choice.model.calendar == model.calendar
    made = choice.placebos if same else None
    if plan and made is None:
        made = placebos(problem, plan, settings)
    return Prepared(problem, made, scores, choice, seasons)


def recorded(settings: Settings, sampled: Sampled, stopped: str = "") -> RunRecord:
    """Record one attempt; ``stopped`` says where an interrupt ended the donors' refits."""
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


def _attempt(
    prepared: Prepared, settings: Settings, draw: Callable[..., Sampled], *, partial: bool
) -> Judged[Draft]:
    """Sample, label and judge once."""
    seed, rng = settings.streams()
    problem = prepared.problem
    sampled = sample_alternatives(
        problem, prepared.alternatives, settings, seed, partial=partial, draw=draw
    )
    draft = judged(prepared, settings, sampled, rng)
    verdict, record = draft.verdict, draft.record
    again = mendable(verdict, FIT, record.chains * record.draws, sampled.sampler)
    return Judged(draft, settings, verdict.problems, verdict.divergences, again)


def judged(
    prepared: Prepared,
    settings: Settings,
    sampled: Sampled,
    rng: np.random.Generator | None = None,
) -> Draft:
    """Label draws, record how they were made, and give the verdict on them.

    ``rng`` makes the predictive and the prior draws; by default it comes from the settings' seed.
    """
    idata = prepared.assemble(settings, sampled, rng or settings.streams()[1])
    record = recorded(settings, sampled, prepared.stopped)
    quantities = watched(prepared.problem.panel, prepared.problem.model, idata)
    return Draft(idata, record, convergence_of(quantities, sampled.sample_stats, record.partial))


def warn_about(verdict: Convergence) -> list[str]:
    """Warn about a fit that has not converged or is partial, and return the messages."""
    messages = []
    if verdict.problems:
        messages.append(warn(ConvergenceWarning, "S003", f"{verdict}"))
    if verdict.partial:
        undone = "; ".join(verdict.partial)
        messages.append(
            warn(ConvergenceWarning, "S004", f"PARTIAL: {undone}. Run it again for all of it.")
        )
    return messages


def _unfinished(what: str) -> SamplingFailed:
    return SamplingFailed(
        "S004", f"{what}. Pass strict=False to get the completed part; fit.converged will be False."
    )
