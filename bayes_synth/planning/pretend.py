"""Make pretend tests: past windows treated as if they were the test, judged as the test will be."""

from typing import NamedTuple

import numpy as np

from bayes_synth.fitting.mixture import LEAST_SHARE
from bayes_synth.fitting.placebos import Refits
from bayes_synth.fitting.refit import settled
from bayes_synth.model.calibration import Calibration, Evidence, average_of
from bayes_synth.model.inflation import learn_inflation
from bayes_synth.model.outcome_scale import OutcomeScale
from bayes_synth.model.problem import Problem
from bayes_synth.planning.bank import Bank
from bayes_synth.planning.operating import Window
from bayes_synth.planning.told import Told
from bayes_synth.results.calibrated import Alternative, Placebos
from bayes_synth.results.inflating import inflate
from bayes_synth.sampling.settings import Settings

__all__ = ["PlaceboTest", "PretendTest", "placebo_tests", "pretend_test"]

SAMPLES = 1000
"""Draws with which a placebo's window is judged."""
NODES = 251
"""Points of the grid of log kappa in the audit: an eighth of a posterior sd apart, or less."""


class PretendTest(NamedTuple):
    """Hold one window of the planned units.

    ``draws`` has dims ``(chain, draw)``; ``kappa`` is its posterior mean, NaN without calibration;
    ``influence`` is the prior's share of the variance of log kappa; ``placebos`` counts the donors
    that it rests on, or the groups of them that share none; ``ok`` says whether the refit has
    settled.
    """

    draws: np.ndarray
    observed: float
    kappa: float
    influence: float
    placebos: int
    ok: bool


class PlaceboTest(NamedTuple):
    """Hold one window of a unit, or group of units, that is not planned: an audit of the method."""

    label: str
    window: Window


def pretend_test(problem: Problem, placebos: Placebos, settings: Settings) -> PretendTest:
    """Fit one past window and calibrate it as :meth:`bayes_synth.SyntheticControl.fit` does.

    With the same settings and seed it has the draws of that fit, bit for bit, if that fit keeps its
    first attempt.

    Parameters
    ----------
    problem
        The window's panel, with the planned units treated.
    placebos
        What the donors' refits have shown.
    settings
        Those of the fit.
    """
    plan, scale = problem.model.calibration, problem.inputs.scale
    known = placebos.alternatives if plan and len(placebos.table) else ()
    best = settled(problem, settings, known)
    refit, path, kappa, influence = best.value, best.value.path, np.nan, np.nan
    if plan and len(placebos.table):
        posterior, stream = refit.sampled.posterior, settings.calibration_stream()
        inflated = inflate(
            scale.forward(scale.back(path)), problem, posterior, placebos, plan, stream
        )
        path, kappa = inflated.path, float(inflated.kappa.mean())
        influence = float(np.log(inflated.kappa).var() / plan.kappa_sd**2)
    draws, observed = average_of(scale.back(path), refit.seen), float(np.nanmean(problem.observed))
    count = round(len(placebos.table) * placebos.power)
    return PretendTest(draws, observed, kappa, influence, count, not best.problems)


def placebo_tests(
    bank: Bank, start: int, periods: int, scale: OutcomeScale, seed: int
) -> list[PlaceboTest]:
    """Judge the window of every placebo of a bank, each calibrated on the others.

    Nobody was treated, so each effect that is found here is a false positive.

    Parameters
    ----------
    bank, start, periods
        The refits, and the window.
    scale
        On which outcomes are modelled.
    seed
        Of the draws of kappa.
    """
    told, known = bank.refits[start], bank.placebos(start, periods)
    rng = np.random.default_rng(np.random.SeedSequence([seed, start, periods]))
    tests = []
    for label in known.table.index:
        others = known.without(label.split(" + "), bank.plan)
        draws = _draws(told, label, periods, others, bank, scale, rng)
        seen = next(each for key, each in told.answers.items() if key[0] == label).observed
        if len(draws):
            tests.append(PlaceboTest(label, Window(draws, float(np.nanmean(seen[:periods])))))
    return tests


def _draws(
    told: Refits[Told],
    label: str,
    periods: int,
    others: Placebos,
    bank: Bank,
    scale: OutcomeScale,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the average counterfactual of a placebo, calibrated on the others."""
    parts = []
    for each in (a for a in others.each if a.share >= LEAST_SHARE):
        answer = told.answers[label, each.factor]
        count, path = round(SAMPLES * each.share), answer.path[:, :periods]
        path = path[rng.permutation(np.arange(count) % len(path))]
        seen = np.isfinite(answer.observed[:periods])
        if bank.model.calibration is not None and len(each.table):
            row = answer.answers[periods]
            own = {"step": row.row["step"], "doubt": row.forecast.doubt}
            evidence = _evidence(bank.plan, each, others.power, linear=scale.least == -np.inf)
            path = evidence.inflate(path[None], seen, own, rng).path[0]
        parts.append(average_of(scale.back(path), seen))
    return np.concatenate(parts) if parts else np.zeros(0)


def _evidence(plan: Calibration, each: Alternative, power: float, *, linear: bool) -> Evidence:
    """Learn the inflation; of the deviations only where they move the average.

    On the linear scale they average to zero.
    """
    if not linear:
        return plan.learn(each.table, each.growth, power)
    z = each.table["z"].to_numpy(float)
    options = plan.kappa_sd, plan.degrees_of_freedom, power
    average = learn_inflation(z**2, np.ones(len(z)), *options, nodes=NODES)
    return Evidence(plan, each.table, each.growth, average, average)
