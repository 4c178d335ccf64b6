"""Refits for checks: other panels and models on the compiled model of the fit, spread by the fit's own kappa.

A refit is not calibrated anew: kappa is a fact about this panel's donors, and its draws are taken from the fit.
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
from bayes_synth.errors import ConvergenceWarning, warn
from bayes_synth.fitting.refit import settled
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import effect_draws
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.sampling.settings import Settings, entropy
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.storage.digests import fingerprint
from bayes_synth.words import short

__all__ = [
    "Case", "RefitEffect", "Refitter", "as_calibration", "as_row", "concluded", "inflated_as", "posterior_sd", "refits", "shifted", "tail",
]  # fmt: skip

KNOWN: "WeakKeyDictionary[AbstractFit, dict[Hashable, RefitEffect]]" = WeakKeyDictionary()
"""What was refitted for each fit that is still in use."""


class Case(NamedTuple):
    """What to refit; ``without`` names placebos whose z-scores must not enter kappa."""

    model: AbstractSyntheticControl
    panel: Panel
    without: tuple[str, ...] = ()


class RefitEffect(NamedTuple):
    """One refit: ``effects`` as in a fit's group of that name, mean weights by donor, and whether it has settled."""

    effects: xr.Dataset
    weights: pd.Series
    ok: bool


Refitter = Callable[..., dict[str, RefitEffect]]
"""What a check refits by: :func:`refits`, or a function with its signature."""


def refits(
    fit: AbstractFit,
    cases: Mapping[str, Case],
    *,
    random_seed: int = 0,
    progressbar: bool = True,
    what: str = "Refitting",
) -> dict[str, RefitEffect]:
    """Every case, several at a time; the same answers in any order and number of cores.

    A case that was refitted before, for this fit and seed, is not refitted again: checks share refits, and one that was
    interrupted goes on where it stopped.

    Parameters
    ----------
    fit
        Whose compiled model, size of refits (those of its calibration) and kappa are used.
    cases
        By label; a case's seed comes from its panel.
    random_seed, progressbar
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    what
        Said beside the bar.

    Warns
    -----
    ConvergenceWarning
        S004 when interrupted: the answers are those that were ready.
    """
    settings, known = as_calibration(fit, random_seed), KNOWN.setdefault(fit, {})
    names = {label: _name(case, random_seed) for label, case in cases.items()}
    todo = {names[label]: case for label, case in cases.items() if names[label] not in known}
    pool = joblib.Parallel(n_jobs=joblib.cpu_count(), backend="threading", return_as="generator")
    with shared_bar("Checking", shown=progressbar and bool(todo)) as bar:
        try:
            with single_threaded():
                answers = pool(
                    joblib.delayed(_refit)(fit, case, _seeded(settings, name))
                    for name, case in todo.items()
                )
                for name, answer in zip(todo, bar.track(answers, what, len(todo)), strict=True):
                    known[name] = answer
        except KeyboardInterrupt:
            bar.stopped = True
    if bar.stopped:
        done = sum(name in known for name in names.values())
        text = f"interrupted: {done} of {len(names)} refits are done; ask again to go on with the others."
        warn(ConvergenceWarning, "S004", text)
    return {label: known[name] for label, name in names.items() if name in known}


def as_calibration(fit: AbstractFit, random_seed: int, progressbar: bool = False) -> Settings:
    """Refits are as large as those of the calibration."""
    plan = fit.model.calibration or Calibration()
    return Settings.checked(plan.size, random_seed=random_seed, progressbar=progressbar)


def _name(case: Case, random_seed: int) -> tuple[Any, ...]:
    """What decides a refit: the numbers, the labels, the start, the model, whose evidence is left out, and the seed."""
    panel = f"{fingerprint(case.panel)} {short(case.panel.start)}"
    return hashlib.sha256(panel.encode()).hexdigest(), repr(case.model), case.without, random_seed


def _seeded(settings: Settings, name: tuple[Any, ...]) -> Settings:
    """Its own stream per panel, whatever else is refitted, and in whatever order."""
    return replace(
        settings,
        cores=1,
        random_seed=entropy(np.random.SeedSequence([settings.random_seed, int(name[0], 16)])),
    )


def as_row(refit: RefitEffect, ci_prob: float = 0.95) -> dict[str, float]:
    """Median and interval of a refit's average effect."""
    effect = Effect(refit.effects["average"], "average")
    lower, upper = effect.interval(ci_prob).to_numpy()
    return {
        "median": float(effect.draws.median()),
        "lower": float(lower),
        "upper": float(upper),
        "ok": refit.ok,
    }


def posterior_sd(fit: AbstractFit) -> float:
    """Of the average effect: half of its central 68.3 %, because on the log scale it has no moments."""
    return float(
        fit.effect("average").draws.quantile([0.15865, 0.84135]).diff("quantile").item() / 2
    )


def shifted(fit: AbstractFit, rows: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Rows of refits with ``shift``: how far the median moved from the fit's, in posterior sd of the fit's effect."""
    table = pd.DataFrame.from_dict(dict(rows), orient="index").rename_axis("refit")
    return table.assign(
        shift=(table["median"] - float(fit.effect("average").draws.median())) / posterior_sd(fit)
    )


def tail(draws: xr.DataArray) -> float:
    """Twice the posterior probability beyond zero, on the side that has less of it."""
    return min(1.0, 2 * float(min((draws > 0).mean(), (draws < 0).mean())))


def concluded(
    verdict: Verdict, cases: Sized, found: Mapping[str, RefitEffect]
) -> tuple[Verdict, str]:
    """The verdict, never a pass when refits are missing, and what to say about missing and unsettled refits."""
    unsettled = sum(not refit.ok for refit in found.values())
    words = (
        [f"only {len(found)} of {len(cases)} refits were done"] if len(found) < len(cases) else []
    )
    words += [f"{unsettled} of {len(found)} refits have not settled"] if unsettled else []
    incomplete = verdict == "pass" and len(found) < len(cases)
    return "caution" if incomplete else verdict, "".join(f"; {text}" for text in words)


def _refit(fit: AbstractFit, case: Case, settings: Settings) -> RefitEffect:
    problem = Problem.of(case.model, case.panel, pool=fit.panel.donors)
    best = settled(problem, settings)
    found, step = best.value, problem.inputs.step
    path = inflated_as(
        fit, found.path, found.seen, step, case.without, settings.calibration_stream()
    )
    weights = (
        found.sampled.posterior["weights"].mean(("chain", "draw")).to_numpy()[: len(problem.donors)]
    )
    return RefitEffect(
        effect_draws(*found.labelled(path)),
        pd.Series(weights, index=pd.Index(problem.donors, dtype=object)),
        not best.problems,
    )


def inflated_as(
    fit: AbstractFit,
    path: np.ndarray,
    seen: np.ndarray,
    step: float,
    without: tuple[str, ...],
    rng: np.random.Generator,
) -> np.ndarray:
    """A predictive path on the model's scale, inflated as the fit's own was, without these placebos' evidence."""
    plan, found = fit.model.calibration, fit.calibration
    if plan is None or found.kappa is None:
        return path
    gone = [
        label for label in found.table.index if set(without) & {label, *str(label).split(" + ")}
    ]
    others = found.table.drop(index=gone)
    others = plan.scored(others) if len(others) else others
    # Placebos forecast the whole post-period: what is typical of another horizon they do not say.
    same = path.shape[2] == len(fit.panel.post) and len(others) > 0
    return plan.inflate(path, seen, step, others, rng, pooling=None if same else found.pooling).path
