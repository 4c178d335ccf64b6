"""Make a plan: refit the donors at past starts, fit the planned units, and audit the rule."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.history import AbstractHistory, PlanOptions
from bayes_synth.data.panel import Panel
from bayes_synth.errors import PlanError, PlanWarning, warn
from bayes_synth.fitting.noise_choice import choose_noise
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.bank import Bank, bank_of
from bayes_synth.planning.before import fit_before
from bayes_synth.planning.notes import notes_on
from bayes_synth.planning.operating import Window, thresholds
from bayes_synth.planning.plan import Plan
from bayes_synth.planning.pretend import PretendTest, placebo_tests, pretend_test
from bayes_synth.planning.request import Request, require_history
from bayes_synth.planning.rules import Interval, probability_of
from bayes_synth.planning.told import refits_ahead
from bayes_synth.sampling.progress import bar, shared_bar
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.threads import single_threaded
from bayes_synth.words import SAMPLE_DIMS

__all__ = [
    "Judged",
    "audit_table",
    "judge",
    "make_plan",
    "noise_chosen",
    "planned_set",
    "require_satisfiable",
]


def make_plan(
    model: AbstractSyntheticControl,
    history: AbstractHistory,
    treated: Any,
    *,
    periods: Any,
    effect: Any = None,
    rule: Any = None,
    random_seed: Any = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Plan a test; see :meth:`bayes_synth.SyntheticControl.plan`."""
    require_history(history)
    request = Request.checked(history, treated, periods, effect, rule, random_seed, options)
    longest = max(request.periods)
    panels = {
        start: history.panel(request.treated, start, longest, request.never)
        for start in request.starts
    }
    settings = request.settings
    model = noise_chosen(model, panels[max(panels)], settings)
    shown = bool(settings.progressbar)
    ahead = refits_ahead(model, panels)
    with shared_bar("Planning", shown=shown, expected=ahead + len(panels) * len(request.periods)):
        bank = bank_of(model, panels, request.periods, settings, history.times, request.workers)
        plan = planned_set(history, request, bank, audit_table(bank, request))
    require_satisfiable(plan)
    for code, kind, text in plan.notes:
        if kind == "warned":
            warn(PlanWarning, code, text)
    return plan


def require_satisfiable(plan: Plan) -> None:
    """Refuse a rule that no observed mean of any past window would satisfy.

    Raises
    ------
    PlanError
        H033.
    """
    regions = [region for length in plan.periods for region in plan.law(length).regions]
    if all(np.isnan([region.low, region.high]).any() for region in regions):
        raise PlanError(
            "H033",
            f"the rule must be one that some outcome satisfies, got {plan.rule}: in none of "
            f"{len(regions)} past windows is the posterior narrow enough. Widen it, ask for less "
            "probability, or plan a longer test.",
        )


def noise_chosen(
    model: AbstractSyntheticControl, panel: Panel, settings: Settings
) -> AbstractSyntheticControl:
    """Choose the noise on the panel of the latest start, where it is ``"auto"``."""
    return choose_noise(model, panel, settings)[0]


def planned_set(
    history: AbstractHistory, request: Request, bank: Bank, audit: pd.DataFrame
) -> Plan:
    """Judge one set of units on a bank, and put its plan together.

    Parameters
    ----------
    history, request
        What is planned.
    bank
        The donors' refits. Those of the request's own units are left out.
    audit
        The table of :func:`audit_table`.
    """
    judged = judge(history, request, bank)
    latest = bank.placebos(max(request.starts), max(request.periods), request.treated)
    before = fit_before(
        bank.model,
        history,
        request.treated,
        request.never,
        max(request.periods),
        latest,
        request.settings,
    )
    plan = Plan(
        history,
        bank.model,
        request.treated,
        request.rule,
        judged.table,
        judged.draws,
        audit,
        before,
        effects=request.effects,
        prior=request.prior,
        additive=request.additive,
        never_donors=request.never,
        record=record_of(request),
    )
    return replace(plan, notes=tuple(notes_on(plan)))


class Judged(NamedTuple):
    """Hold the pretend tests of one set: a row each, and the draws.

    ``draws`` has dims ``(periods, start, chain, draw)``, in outcome units per period and unit.
    """

    table: pd.DataFrame
    draws: xr.DataArray


def judge(history: AbstractHistory, request: Request, bank: Bank) -> Judged:
    """Fit every past window of a set of units."""
    shown, quiet = (
        bool(request.settings.progressbar),
        replace(request.settings, progressbar=False, cores=1),
    )
    rows, draws = [], []
    pairs = [(length, start) for length in request.periods for start in request.starts]

    def tested(pair: tuple[int, int]) -> PretendTest:
        length, start = pair
        panel = history.panel(request.treated, start, length, request.never)
        placebos = bank.placebos(start, length, request.treated)
        return pretend_test(Problem.of(bank.model, panel), placebos, quiet)

    # PyMC's sampler compiles for each window, which is not safe in threads.
    threads = 1 if quiet.sampler == "pymc" else request.settings.cores
    with (
        bar("Pretend tests", len(pairs), shown=shown) as counted,
        single_threaded(),
        ThreadPoolExecutor(threads) as pool,
    ):
        for (length, start), test in zip(pairs, pool.map(tested, pairs), strict=True):
            _require_positive(test, request)
            rows.append(_row(history, request, start, length, test))
            draws.append(test.draws)
            counted.tick()
    shape = (len(request.periods), len(request.starts), *draws[0].shape)
    coords = {
        "periods": list(request.periods),
        "start": history.times[list(request.starts)].to_numpy(),
    }
    array = xr.DataArray(
        np.reshape(draws, shape), dims=("periods", "start", *SAMPLE_DIMS), coords=coords
    )
    return Judged(pd.DataFrame(rows), array)


def _require_positive(test: PretendTest, request: Request) -> None:
    """Refuse shares of a counterfactual that may be zero."""
    if not request.additive and test.draws.min() <= 0:
        raise PlanError(
            "H010",
            "the counterfactual may be zero or less, so that a share of it means nothing: pass "
            "additive=True and effects in outcome units.",
        )


def _row(
    history: AbstractHistory, request: Request, start: int, length: int, test: PretendTest
) -> dict[str, Any]:
    """Describe one pretend test."""
    flat = test.draws.ravel()
    region = request.rule.region(flat, additive=request.additive)
    below, above = thresholds(region, test.observed, additive=request.additive)
    return {
        "start": history.times[start],
        "periods": length,
        "pre": start,
        "observed": test.observed,
        "median": float(np.median(flat)),
        "lower": region.low,
        "upper": region.high,
        "from_below": below,
        "from_above": above,
        "pit": float((flat < test.observed).mean()),
        "found": bool(region.found(test.observed)),
        "kappa": test.kappa,
        "prior_influence": test.influence,
        "placebos": test.placebos,
        "ok": test.ok,
    }


def audit_table(bank: Bank, request: Request) -> pd.DataFrame:
    """Judge every placebo's windows by the rule: one row per unit or group, start and length.

    Columns unit, start, periods, observed, median, spread, pit, found, and held: whether the
    equal-tailed interval of the rule's probability (0.95 where it has none) holds the observed
    mean.
    """
    pairs = [(start, length) for start in request.starts for length in request.periods]
    with ThreadPoolExecutor(request.settings.cores) as pool:
        rows = [row for part in pool.map(partial(_window, bank, request), pairs) for row in part]
    names = ["unit", "start", "periods", "observed", "median", "spread", "pit", "found", "held"]
    return pd.DataFrame(rows, columns=names)


def _window(bank: Bank, request: Request, pair: tuple[int, int]) -> list[list[Any]]:
    """Judge one past window of every placebo."""
    (start, length), scale = pair, outcome_scale(bank.model.scale)
    tests = placebo_tests(bank, start, length, scale, request.settings.random_seed)
    return [_audited(t.label, bank.times[start], length, t.window, request) for t in tests]


def _audited(label: str, start: Any, length: int, window: Window, request: Request) -> list[Any]:
    region = request.rule.region(window.draws, additive=request.additive)
    pit = float((window.draws < window.observed).mean())
    found, interval = bool(region.found(window.observed)), Interval(probability_of(request.rule))
    held = not bool(interval.region(window.draws).found(window.observed))
    middle, spread = window.median, window.spread
    return [label, start, length, window.observed, middle, spread, pit, found, held]


def record_of(request: Request) -> dict[str, Any]:
    """Say how a plan was made, in plain values."""
    size = request.settings.size
    return {
        "random_seed": request.settings.random_seed,
        "draws": size.draws,
        "tune": size.tune,
        "chains": size.chains,
        "sampler": request.settings.sampler,
        "starts": [int(start) for start in request.starts],
    }
