"""Run one task, wherever that is: make its row of the table, and keep what was asked for."""

import threading
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, final

import arviz_stats
import numpy as np
import xarray as xr

from bayes_synth.api import SyntheticControl
from bayes_synth.batch.task import FitTask
from bayes_synth.data.panel import Panel
from bayes_synth.errors import BayesSynthError, ResultError
from bayes_synth.fitting.attempts import Judged, Settled, mendable, settle
from bayes_synth.fitting.fit_panel import Prepared, prepare, recorded
from bayes_synth.fitting.refit import Refit, refitted
from bayes_synth.noise.base import MIXING
from bayes_synth.results.alarms import Evidence, alarms_of, as_number
from bayes_synth.results.auxiliary import each_auxiliary
from bayes_synth.results.calibrated import read_calibration
from bayes_synth.results.convergence import Convergence, sampler_problems, worst
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import ESTIMANDS, effect_draws
from bayes_synth.results.fit_verdict import fit_verdict
from bayes_synth.results.groups import calibrated_groups, tree
from bayes_synth.results.width_ratio import width_ratio
from bayes_synth.results.windows import Window, effect_of
from bayes_synth.sampling.regression import COEFFICIENTS, OUTCOME_SDS
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.storage.provenance import provenance
from bayes_synth.words import listed

__all__ = ["CI_PROB", "Answer", "EffectDraws", "Failure", "Keep", "columns", "failed", "run"]

Keep = Literal["summary", "draws", "full"]

PARTS = ("median", "lower", "upper")
FACTS = (
    "p_below_0",
    "r_hat",
    "ess",
    "divergences",
    "ok",
    "alarms",
    "attempts",
    "seconds",
    "kappa",
)
CI_PROB = 0.95

_pymc_alone = threading.Lock()
"""PyMC's own sampler compiles anew for each fit, which is not safe in threads."""


class Failure(NamedTuple):
    """A task that failed, and why.

    Examples
    --------
    >>> bs.batch.Failure(0, {"city": "Leeds"}, "PanelError", "P025", "...").code
    'P025'
    """

    task: int
    """Its position among the tasks, from 0."""
    labels: dict[str, Any]
    """The task's labels."""
    error: str
    """Name of the type of the error."""
    code: str
    """The library's code; S006 when the error came from elsewhere, or the worker died."""
    message: str
    """The error's message, without its code."""
    traceback: str = ""
    """Where it was raised."""


class Answer(NamedTuple):
    """What a worker returns for a task: its row and the draws that are kept, or its failure."""

    key: str
    """The task's key."""
    row: np.ndarray | None = None
    """Its row of the table, dims ``(column,)`` as in :func:`columns`."""
    kept: xr.DataTree | None = None
    """Its draws, if any are kept."""
    failure: Failure | None = None
    """Why there is no row."""


@final
@dataclass(frozen=True, eq=False)
class EffectDraws:
    """The draws of one task that were kept with ``keep="draws"``: enough for every effect.

    Parameters
    ----------
    panel, model
        The data and the specification that was fitted.
    idata
        Groups ``predictions``, ``predictions_constant_data`` and ``effects``, as in
        :class:`bayes_synth.Fit`.

    Examples
    --------
    >>> kept = bs.batch.EffectDraws(fit.panel, fit.model, fit.idata)
    >>> kept.effect("total").name
    'total'
    """

    panel: Panel
    model: SyntheticControl
    idata: xr.DataTree

    def effect(self, estimand: str = "average", *, window: Window | None = None) -> Effect:
        """Return the posterior of the effect; see :func:`bayes_synth.Fit.effect`."""
        return effect_of(self.panel, self.idata, estimand, window)


class _Draft(NamedTuple):
    """A sampled posterior with the groups that its effects are read off, and the verdict on it."""

    refit: Refit
    groups: dict[str, xr.Dataset]
    verdict: Convergence


def columns() -> tuple[str, ...]:
    """Return the columns of a batch's table: every reported estimand, then facts of the fit."""
    return (*(f"{name}_{part}" for name in reported() for part in PARTS), *FACTS)


def reported() -> tuple[str, ...]:
    """Return the estimands that have columns."""
    return tuple(name for name, each in ESTIMANDS.items() if each.reported and not each.path)


def run(
    key: str, task: FitTask, random_seed: int, keep: Keep, estimands: tuple[str, ...] = ()
) -> Answer:
    """Run the task and return its answer or its failure.

    Only an interrupt is raised, so that no other task is lost. ``estimands`` are those that the
    batch's table has columns for: a worker that does not know them fails its tasks.
    """
    try:
        with single_threaded(), _pymc_alone if task.sampler == "pymc" else nullcontext():
            _require_known(estimands)
            return _solved(key, task, task.settings(task.seed(random_seed)), keep)
    # A worker must not die of one task, whatever its data or a prior of the user's own did.
    except Exception as error:
        return Answer(key, failure=failed(error))


def _require_known(estimands: tuple[str, ...]) -> None:
    if unknown := [name for name in estimands if name not in ESTIMANDS]:
        raise ResultError(
            "R005",
            f"this worker must know the estimands {listed(unknown)}: declare them in a module that "
            "workers import, or run the batch in threads.",
        )


def failed(error: BaseException) -> Failure:
    """Describe an error in plain text.

    Exceptions hold on to the frames that they came through, and not all can be sent.
    """
    code = error.code if isinstance(error, BayesSynthError) else "S006"
    message = str(error).removeprefix(f"[{code}] ")
    where = "".join(traceback.format_exception(error))
    return Failure(-1, {}, type(error).__name__, code, message, where)


def _solved(key: str, task: FitTask, settings: Settings, keep: Keep) -> Answer:
    began = time.perf_counter()
    prepared = prepare(task.model, task.panel, settings)
    if prepared.stopped:
        raise KeyboardInterrupt
    done = settle(lambda chosen: _attempt(prepared, task, chosen), settings, Settings.stricter)
    row = _row(done.best) | {"attempts": len(done.tried), "seconds": time.perf_counter() - began}
    return Answer(key, np.array([row[name] for name in columns()]), _kept(prepared, done, keep))


def _kept(prepared: Prepared, done: Settled[_Draft], keep: Keep) -> xr.DataTree | None:
    """Return the draws to keep: none, those of the counterfactual, or every group of a fit."""
    best, sampled = done.best, done.best.value.refit.sampled
    if keep == "summary":
        return None
    if keep == "draws":
        return tree(
            {name: best.value.groups[name] for name in ("predictions", "predictions_constant_data")}
        )
    # The streams of randomness start again from the seed, so these are the same draws.
    _, rng = best.settings.streams()
    whole = prepared.assemble(best.settings, sampled, rng)
    record = replace(
        recorded(best.settings, sampled),
        attempts=done.record,
        scale_choice=prepared.scale_choice,
    )
    problem = prepared.problem
    whole.attrs["bayes_synth"] = provenance(problem.model, problem.panel, record)
    return whole


def _attempt(prepared: Prepared, task: FitTask, settings: Settings) -> Judged[_Draft]:
    """Sample, forecast, calibrate and judge once."""
    problem, plan = prepared.problem, prepared.problem.model.calibration
    refit = refitted(problem, settings, prepared.alternatives)
    observed, counterfactual = refit.labelled(refit.path)
    groups = {
        "predictions": xr.Dataset({"counterfactual": counterfactual}),
        "predictions_constant_data": xr.Dataset({"outcome": observed}),
    }
    if plan and prepared.placebos is not None and prepared.placebos.enough:
        stream, posterior = settings.calibration_stream(), refit.sampled.posterior
        groups |= calibrated_groups(groups, prepared.placebos, plan, problem, posterior, stream)
    verdict = _verdict(refit, task)
    draws = refit.path.shape[0] * refit.path.shape[1]
    again = mendable(verdict, task.standard, draws, refit.sampled.sampler)
    return Judged(
        _Draft(refit, groups, verdict), settings, verdict.problems, verdict.divergences, again
    )


def _verdict(refit: Refit, task: FitTask) -> Convergence:
    """Judge as a fit does, in outcome units, by the standard of the task.

    Where draws are equally far from the median, rounding decides their ranks and so R-hat's value.
    """
    posterior, stats, problem = refit.sampled.posterior, refit.sampled.sample_stats, refit.problem
    restored = problem.inputs.scale.back(refit.path)
    average = np.nanmean(problem.observed) - np.nanmean(
        np.where(refit.seen, restored, np.nan), axis=2
    )
    noise = [
        posterior[name] * problem.parameter_unit(name) for name in problem.model.process.parameters
    ]
    if COEFFICIENTS in posterior:
        noise += list(posterior[COEFFICIENTS].transpose("covariate", "chain", "draw"))
    if OUTCOME_SDS in posterior:
        for own, draws in each_auxiliary(problem, posterior):
            noise += [draws[name] for name in own.process.parameters]
    r_hat, ess = worst(np.stack([average, *noise]))
    good = r_hat <= task.largest_r_hat and ess >= task.least_ess
    mixing, steps = [] if good else [f"R-hat {r_hat:.3f}, ESS {ess:.0f}"], sampler_problems(stats)
    return Convergence((*mixing, *steps), int(stats["diverging"].sum()), r_hat, ess, bool(steps))


def _effects(groups: dict[str, xr.Dataset], units: int) -> xr.Dataset:
    """Compute the estimands that have columns, of so many treated units."""
    observed, path = (
        groups["predictions_constant_data"]["outcome"],
        groups["predictions"]["counterfactual"],
    )
    return effect_draws(observed, path, reported(), units=units)


def _row(best: Judged[_Draft]) -> dict[str, float]:
    """Return the row of one fit, NaN where an estimand means nothing."""
    groups, verdict = best.value.groups, best.value.verdict
    units = len(best.value.refit.problem.panel.treated)
    effects = groups["effects"] if "effects" in groups else _effects(groups, units)
    draws = {name: effects[name].to_numpy().ravel() for name in reported() if name in effects}
    row = dict.fromkeys(columns(), np.nan)
    for name, values in draws.items():
        lower, upper = arviz_stats.eti(values, prob=CI_PROB)
        row |= {f"{name}_median": np.median(values), f"{name}_lower": lower, f"{name}_upper": upper}
    kappa = float(groups["calibration"]["kappa"].mean()) if "calibration" in groups else np.nan
    return row | {
        "p_below_0": float((draws["average"] < 0).mean()),
        "r_hat": verdict.r_hat,
        "ess": verdict.ess,
        "divergences": verdict.divergences,
        "ok": not verdict.problems,
        "alarms": as_number(alarms_of(_evidence(best.value))),
        "kappa": kappa,
    }


def _evidence(draft: _Draft) -> Evidence:
    """Collect what alarms are raised on, as a fit does."""
    refit, posterior = draft.refit, draft.refit.sampled.posterior
    problem, model = refit.problem, refit.problem.model
    if COEFFICIENTS in posterior:
        problem = problem.given(posterior[COEFFICIENTS].to_numpy().mean((0, 1)))
    inputs, process = problem.inputs, problem.process
    draws = {name: posterior[name].to_numpy().ravel() for name in process.parameters}
    mixing = posterior[MIXING].to_numpy().mean((0, 1)) if MIXING in posterior else None
    variance = float((refit.path.mean(2) / inputs.step).var())
    verdict = fit_verdict(inputs, process, draws, mixing, len(problem.observed), variance)
    idata, counts = tree(draft.groups), (len(problem.donors), len(problem.panel.treated))
    calibrated = read_calibration(idata.children.get("calibration"), model.calibration, counts)
    calibrated = replace(calibrated, width_ratio=width_ratio(idata))
    weights = posterior["weights"].to_numpy()[..., : len(problem.donors)].mean((0, 1))
    return Evidence.of(problem, weights, draws, mixing, (draft.verdict, verdict, calibrated))
