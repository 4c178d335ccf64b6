"""One task, wherever it runs: its row of the table, and what shall be kept of its draws."""

import threading
import time
import traceback
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.batch.task import FitTask
from bayes_synth.calibration import Placebos
from bayes_synth.convergence import sampler_problems, worst
from bayes_synth.draws import calibrated_groups, tree, unit
from bayes_synth.effects import Effect, Estimand, effect_draws
from bayes_synth.errors import BayesSynthError, SamplingFailed
from bayes_synth.fit import Fit
from bayes_synth.fitting import account, assemble, recorded, stricter
from bayes_synth.memory import check_memory
from bayes_synth.model import SyntheticControl
from bayes_synth.noise_choice import choose_noise
from bayes_synth.panel import Panel
from bayes_synth.placebos import placebos
from bayes_synth.refitting import Refitted, refitted
from bayes_synth.sampling import Settings
from bayes_synth.threads import single_threaded

__all__ = ["COLUMNS", "EffectDraws", "Failure", "Keep", "Outcome", "failed", "run"]

Keep = Literal["summary", "draws", "full"]

EFFECTS = ("average", "cumulative", "relative")
COLUMNS = (
    *(f"{name}_{part}" for name in EFFECTS for part in ("median", "lower", "upper")),
    "p_below_0", "r_hat", "ess", "divergences", "ok", "attempts", "seconds", "kappa",
)  # fmt: skip
CI_PROB = 0.95

_pymc_alone = threading.Lock()
"""PyMC's own sampler compiles anew for each fit, which is not safe in threads."""


class Failure(NamedTuple):
    """A task without an answer.

    ``task`` is its position, ``labels`` are its own; ``error`` names the type of what was raised, ``code`` is the library's
    (S006 when it came from elsewhere, as when a worker process died), ``traceback`` says where.
    """

    task: int
    labels: dict[str, Any]
    error: str
    code: str
    message: str
    traceback: str = ""


class Outcome(NamedTuple):
    """What comes back of a task: its row, and the draws kept; or a failure. ``key`` is the task's."""

    key: str
    row: np.ndarray | None = None
    kept: xr.DataTree | None = None
    failure: Failure | None = None


@final
@dataclass(frozen=True, eq=False)
class EffectDraws:
    """The draws of one task that were kept with ``keep="draws"``: the counterfactual's, so every effect's.

    Parameters
    ----------
    panel, model
        What was fitted.
    idata
        Groups ``predictions``, ``predictions_constant_data`` and ``effects``, as in :class:`bayes_synth.Fit`.
    """

    panel: Panel
    model: SyntheticControl
    idata: xr.DataTree

    def effect(self, estimand: Estimand = "average", *, window: slice | None = None) -> Effect:
        """Posterior of the effect; see :func:`bayes_synth.Fit.effect`."""
        return Fit(self.panel, self.model, self.idata).effect(estimand, window=window)


class _Attempt(NamedTuple):
    """A sampled posterior with the groups that its effects are read off, and the verdict on it."""

    settings: Settings
    found: Refitted
    groups: dict[str, xr.Dataset]
    r_hat: float
    ess: float
    divergences: int
    problems: tuple[str, ...]


def run(key: str, task: FitTask, random_seed: int, keep: Keep) -> Outcome:
    """The task's answer, or its failure: nothing but an interrupt is raised, so that no other task is lost."""
    try:
        with single_threaded(), _pymc_alone if task.sampler == "pymc" else nullcontext():
            return _solved(key, task, task.settings(task.seed(random_seed)), keep)
    # A worker must not die of one task, whatever its data, or a prior of the user's own, made happen.
    except Exception as error:
        return Outcome(key, failure=failed(error))


def failed(error: BaseException) -> Failure:
    """A failure in plain text: exceptions hold on to the frames that they came through, and not all can be sent."""
    code = error.code if isinstance(error, BayesSynthError) else "S006"
    message = str(error).removeprefix(f"[{code}] ")
    where = "".join(traceback.format_exception(error))
    return Failure(-1, {}, type(error).__name__, code, message, where)


def _solved(key: str, task: FitTask, settings: Settings, keep: Keep) -> Outcome:
    began = time.perf_counter()
    check_memory(task.model, task.panel, settings)
    model, scores = choose_noise(task.model, task.panel, settings)
    donors = placebos(model, task.panel, model.calibration, settings) if model.calibration else None
    if donors and donors.stopped:
        raise KeyboardInterrupt
    attempts = [_attempt(model, task, settings, donors)]
    if attempts[0].problems:
        # One that fails leaves the first, as in a fit.
        with suppress(SamplingFailed):
            attempts.append(_attempt(model, task, stricter(settings), donors))
    # Of equals the stricter.
    best = min(reversed(attempts), key=lambda attempt: (len(attempt.problems), attempt.divergences))
    kept = None
    if keep == "draws":
        kept = tree({name: best.groups[name] for name in ("predictions", "predictions_constant_data")})
    elif keep == "full":
        kept = _whole(model, task, attempts, best, donors, scores)
    row = _row(best) | {"attempts": len(attempts), "seconds": time.perf_counter() - began}
    return Outcome(key, np.array([row[name] for name in COLUMNS]), kept)


def _attempt(model: SyntheticControl, task: FitTask, settings: Settings, donors: Placebos | None) -> _Attempt:
    found = refitted(model, task.panel, settings, like=task.panel)
    counterfactual = found.inputs.measure.back(found.path)
    groups = {
        "predictions": xr.Dataset({"counterfactual": counterfactual}),
        "predictions_constant_data": xr.Dataset({"outcome": found.observed}),
    }
    if model.calibration and donors and donors.enough:
        stream = settings.calibration_stream()
        groups |= calibrated_groups(groups, donors, model.calibration, found.inputs, stream)
    else:
        groups["effects"] = effect_draws(found.observed, counterfactual)
    posterior, stats = found.sampled.posterior, found.sampled.sample_stats
    # As a fit judges them, in its units: R-hat's ranks are decided by rounding where draws are as far from the median.
    average = found.observed.mean("time") - counterfactual.where(found.observed.notnull()).mean("time")
    noise = [posterior[name] * unit(model, name, found.inputs) for name in model.process.parameters]
    r_hat, ess = worst(np.stack([average, *noise]))
    mixing = [] if r_hat <= task.largest_r_hat and ess >= task.least_ess else [f"R-hat {r_hat:.3f}, ESS {ess:.0f}"]
    problems = (*mixing, *sampler_problems(stats))
    return _Attempt(settings, found, groups, r_hat, ess, int(stats["diverging"].sum()), problems)


def _row(best: _Attempt) -> dict[str, float]:
    draws = {
        name: best.groups["effects"][name].to_numpy().ravel() for name in EFFECTS if name in best.groups["effects"]
    }
    row = dict.fromkeys(COLUMNS, np.nan)
    for name, values in draws.items():
        lower, upper = arviz_stats.eti(values, prob=CI_PROB)
        row |= {f"{name}_median": np.median(values), f"{name}_lower": lower, f"{name}_upper": upper}
    kappa = float(best.groups["calibration"]["kappa"].mean()) if "calibration" in best.groups else np.nan
    return row | {
        "p_below_0": float((draws["average"] < 0).mean()),
        "r_hat": best.r_hat,
        "ess": best.ess,
        "divergences": best.divergences,
        "ok": not best.problems,
        "kappa": kappa,
    }


def _whole(
    model: SyntheticControl,
    task: FitTask,
    attempts: list[_Attempt],
    best: _Attempt,
    donors: Placebos | None,
    scores: pd.DataFrame | None,
) -> xr.DataTree:
    """All groups of a fit: the same draws, as the same streams of randomness are used again."""
    _, rng = best.settings.streams()
    fit = assemble(model, task.panel, best.settings, best.found.sampled, rng, donors, scores)
    said = [account(vars(each.settings), each.problems, each.divergences, kept=each is best) for each in attempts]
    return recorded(fit, attempts=said).idata
