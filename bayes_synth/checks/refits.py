"""Refit other panels and models for the checks, on the compiled model of the fit.

A refit has no calibration of its own: kappa is a fact about this panel's donors, so each refit is
inflated with the kappa of the fit.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sized
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import joblib
import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.result import Verdict
from bayes_synth.data.panel import Panel
from bayes_synth.errors import ConvergenceWarning, PriorError, warn
from bayes_synth.fitting.refit import settled
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.calibrated import Alternative
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import effect_draws
from bayes_synth.results.inflating import inflate
from bayes_synth.results.monte_carlo import median_error
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.sampling.settings import Settings, entropy
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.storage.digests import fingerprint
from bayes_synth.words import short

__all__ = [
    "Case",
    "RefitEffect",
    "Refitter",
    "as_calibration",
    "as_row",
    "case_key",
    "concluded",
    "inflated_as",
    "made_before",
    "posterior_sd",
    "refits",
    "shifted",
]

KNOWN: "WeakKeyDictionary[AbstractFit, dict[Hashable, RefitEffect]]" = WeakKeyDictionary()
"""Refits that were made for each fit that is still in use."""


class Case(NamedTuple):
    """Name what to refit; ``without`` lists placebos whose z-scores must not enter kappa."""

    model: AbstractSyntheticControl
    panel: Panel
    without: tuple[str, ...] = ()


class RefitEffect(NamedTuple):
    """Hold the answer of one refit.

    ``effects`` are those of a fit's group of that name, ``weights`` the posterior means by donor,
    ``ok`` says whether the refit has settled.
    """

    effects: xr.Dataset
    weights: pd.Series
    ok: bool


Refitter = Callable[..., dict[str, RefitEffect]]
"""How a check refits: :func:`refits`, or a function with its signature."""


def refits(
    fit: AbstractFit,
    cases: Mapping[str, Case],
    *,
    random_seed: int = 0,
    progressbar: bool = True,
    what: str = "Refitting",
) -> dict[str, RefitEffect]:
    """Refit every case, several at a time; order and number of cores do not change the answers.

    A case that was refitted before, for this fit and seed, is not refitted again: checks share
    refits, and a check that was interrupted goes on where it stopped.

    Parameters
    ----------
    fit
        The fit whose compiled model, kappa and size of calibration refits are used.
    cases
        What to refit, by label; the seed of a case comes from its panel.
    random_seed, progressbar
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    what
        Words beside the progress bar.

    Returns
    -------
    dict
        The answers by label, in the order of ``cases``, without those whose donors are too few for
        the limits of the prior on the weights.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt: only the refits that were complete are returned.
    """
    settings, kept = as_calibration(fit, random_seed), made_before(fit)
    keys = {label: case_key(case, random_seed) for label, case in cases.items()}
    todo = {
        keys[label]: case
        for label, case in cases.items()
        if keys[label] not in kept and _possible(fit, case)
    }
    pool = joblib.Parallel(n_jobs=joblib.cpu_count(), backend="threading", return_as="generator")
    with shared_bar("Checking", shown=progressbar and bool(todo)) as bar:
        try:
            with single_threaded():
                answers = pool(
                    joblib.delayed(_refit_case)(fit, case, _seeded_by_panel(settings, key))
                    for key, case in todo.items()
                )
                for key, answer in zip(todo, bar.track(answers, what, len(todo)), strict=True):
                    kept[key] = answer
        except KeyboardInterrupt:
            bar.stopped = True
    if bar.stopped:
        done = sum(key in kept for key in keys.values())
        text = f"interrupted: {done} of {len(keys)} refits are done"
        warn(ConvergenceWarning, "S004", f"{text}; ask again to go on with the others.")
    return {label: kept[key] for label, key in keys.items() if key in kept}


def as_calibration(fit: AbstractFit, random_seed: int, progressbar: bool = False) -> Settings:
    """Return settings for refits that are as large as those of the calibration."""
    plan = fit.model.calibration or Calibration()
    return Settings.checked(plan.size, random_seed=random_seed, progressbar=progressbar)


def made_before(fit: AbstractFit) -> "dict[Hashable, RefitEffect]":
    """Return the refits that were made of this fit, by :func:`case_key`."""
    return KNOWN.setdefault(fit, {})


def case_key(case: Case, random_seed: int) -> tuple[Any, ...]:
    """Collect what decides a refit: panel, start, model, placebos that are left out, and seed."""
    panel = f"{fingerprint(case.panel)} {short(case.panel.start)}"
    return hashlib.sha256(panel.encode()).hexdigest(), repr(case.model), case.without, random_seed


def _possible(fit: AbstractFit, case: Case) -> bool:
    """Tell whether the case has enough donors for the limits of its prior on the weights."""
    try:
        case.model.prior.restricted(fit.panel.donors, case.panel.donors)
    except PriorError as error:
        if error.code != "O081":
            raise
        return False
    return True


def _seeded_by_panel(settings: Settings, key: tuple[Any, ...]) -> Settings:
    """Give each panel its own stream, whatever else is refitted and in whatever order."""
    seed = np.random.SeedSequence([settings.random_seed, int(key[0], 16)])
    return replace(settings, cores=1, random_seed=entropy(seed))


def as_row(refit: RefitEffect, ci_prob: float = 0.95) -> dict[str, float]:
    """Return the median and interval of the average effect of a refit, in outcome units.

    ``mcse`` is the Monte Carlo error of the median.
    """
    effect = Effect(refit.effects["average"], "average")
    lower, upper = effect.interval(ci_prob).to_numpy()
    return {
        "median": float(effect.draws.median()),
        "lower": float(lower),
        "upper": float(upper),
        "mcse": median_error(effect.draws),
        "ok": refit.ok,
    }


def posterior_sd(fit: AbstractFit) -> float:
    """Return half the width of the central 68.3 % of the average effect, in outcome units.

    On the log scale the effect has no moments, so that no standard deviation exists.
    """
    central = fit.effect("average").draws.quantile([0.15865, 0.84135])
    return float(central.diff("quantile").item() / 2)


def shifted(fit: AbstractFit, rows: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Tabulate refits with ``shift``: how far the median moved, in posterior sds of the fit.

    ``shift_mcse`` is its Monte Carlo error, by the draws of the refit and of the fit.
    """
    table = pd.DataFrame.from_dict(dict(rows), orient="index").rename_axis("refit")
    own, sd = fit.effect("average").draws, posterior_sd(fit)
    return table.assign(
        shift=(table["median"] - float(own.median())) / sd,
        shift_mcse=np.hypot(table["mcse"].astype(float), median_error(own)) / sd,
    )


def concluded(
    verdict: Verdict, cases: Sized, answers: Mapping[str, RefitEffect]
) -> tuple[Verdict, str]:
    """Return the verdict, no pass if refits are undone, and remarks on undone or unsettled ones."""
    undone, unsettled = len(answers) < len(cases), sum(not each.ok for each in answers.values())
    remarks = [f"only {len(answers)} of {len(cases)} refits were done"] if undone else []
    remarks += [f"{unsettled} of {len(answers)} refits have not settled"] if unsettled else []
    incomplete = undone and verdict == "pass"
    return "caution" if incomplete else verdict, "".join(f"; {text}" for text in remarks)


def _refit_case(fit: AbstractFit, case: Case, settings: Settings) -> RefitEffect:
    """Refit one case and inflate its forecast as the fit's own was."""
    problem = Problem.of(case.model, case.panel, pool=fit.panel.donors)
    best = settled(problem, settings, _alternatives(fit, problem))
    refit, rng = best.value, settings.calibration_stream()
    path = inflated_as(fit, refit.path, problem, refit.sampled.posterior, case.without, rng)
    padded = refit.sampled.posterior["weights"].mean(("chain", "draw")).to_numpy()
    donors = pd.Index(problem.donors, dtype=object)
    weights = pd.Series(padded[: len(donors)], index=donors)
    effects = effect_draws(*refit.labelled(path), units=len(problem.panel.treated))
    return RefitEffect(effects, weights, not best.problems)


def _alternatives(fit: AbstractFit, problem: Problem) -> tuple[Alternative, ...]:
    """Return the priors on ``q`` that the fit averaged over; none for a noise without such one."""
    found = fit.calibration.alternatives
    return found if all(problem.narrowed(each.factor) for each in found) else ()


def inflated_as(
    fit: AbstractFit,
    path: np.ndarray,
    problem: Problem,
    posterior: xr.Dataset,
    without: tuple[str, ...],
    rng: np.random.Generator,
) -> np.ndarray:
    """Inflate a predictive path as the fit's own was, without the evidence of some placebos.

    Parameters
    ----------
    fit
        The fit whose calibration is used; an uncalibrated one leaves the path as it is.
    path
        Counterfactual on the model's scale, dims ``(chain, draw, post)``.
    problem, posterior
        What was refitted, and the sampler's draws in typical steps.
    without
        Placebos whose z-scores must not enter kappa.
    rng
        The stream from which kappa is drawn.
    """
    plan, calibrated = fit.model.calibration, fit.calibration
    if plan is None or calibrated.kappa is None:
        return path
    others = calibrated.placebos.without(without, plan)
    # Placebos forecast the whole post-period; about another horizon they say nothing.
    same = path.shape[2] == len(fit.panel.post) and len(others.table) > 0
    pooling = None if same else (calibrated.pooling, calibrated.pooling_deviations)
    return inflate(path, problem, posterior, others, plan, rng, pooling=pooling).path
