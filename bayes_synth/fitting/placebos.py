"""Refit every donor in turn as if it had been treated, to calibrate the intervals.

The treated unit never serves as a donor here, and nothing of it enters. Pools that are smaller by a
donor are padded to the fit's width, so that nutpie compiles once for all of them. Each donor is
refitted once per factor on the prior sd of ``q``, and the errors of all of them weigh the factors.
No choice of donors hangs on the seed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from bayes_synth.errors import DesignError, PriorError, SamplingFailed
from bayes_synth.fitting.attempts import Judged
from bayes_synth.fitting.refit import Refit, settled
from bayes_synth.model.calibration import COLUMNS, Calibration, Evidence, require_excluded
from bayes_synth.model.forecast_error import Forecast, learn_growth, summarise
from bayes_synth.model.problem import Problem
from bayes_synth.results.auxiliary import each_auxiliary, own_seed
from bayes_synth.results.calibrated import Alternative, Placebos
from bayes_synth.results.groups import predicted
from bayes_synth.results.inflating import noise_doubt
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.settings import Settings, entropy
from bayes_synth.sampling.threads import single_threaded

__all__ = [
    "Answer",
    "Groups",
    "Key",
    "Refits",
    "answer_of",
    "answer_over",
    "bind_refits",
    "is_usable",
    "log_evidence",
    "placebo_answer",
    "placebo_groups",
    "placebo_paths",
    "placebo_refits",
    "placebos",
    "run_refits",
    "weighed",
]


PATHS = 2
"""How many paths continue each draw of a placebo: a covariance needs more paths than draws."""


class Answer(NamedTuple):
    """Hold what one refit gives: its forecast, its row of the table, and its gap in every period.

    ``row`` has the columns of the table that concern the refit itself: step, divergences, ok.
    ``auxiliary`` has the answers about the auxiliary outcomes, of the same refit.
    """

    forecast: Forecast
    row: dict[str, float]
    gap: np.ndarray
    auxiliary: tuple["Answer", ...] = ()


Key = tuple[str, float]
"""A placebo's label and a factor on the prior sd of ``q``."""


class Refits[T](NamedTuple):
    """Hold the answers of refits, by placebo and factor.

    ``labels`` are the placebos with an answer under every factor; ``skipped`` names the others,
    each with its reason; ``power`` is that of the likelihood (:class:`Groups`); ``stopped`` says
    where an interrupt ended the refits.
    """

    answers: Mapping[Key, T]
    labels: tuple[str, ...]
    skipped: tuple[str, ...]
    power: float
    stopped: str = ""


def placebo_answer(problem: Problem, settings: Settings) -> Answer:
    """Refit one placebo and return its forecast, its row and its gap, on the model's scale.

    Where the treated unit's outcome is missing, the placebo's is left out too.
    """
    best, paths = placebo_paths(problem, settings)
    answer = answer_over(best, paths, len(problem.observed))
    return answer._replace(auxiliary=tuple(_auxiliary_answers(best, settings)))


def _auxiliary_answers(best: Judged[Refit], settings: Settings) -> Iterator[Answer]:
    """Yield what a refit that was sampled says about each auxiliary outcome."""
    refit = best.value
    pairs = each_auxiliary(refit.problem, refit.sampled.posterior)
    for k, (problem, posterior) in enumerate(pairs):
        own = own_seed(settings, k)
        sampled = refit.sampled._replace(posterior=posterior)
        forecast = predicted(problem, posterior, own.streams()[1])
        yield answer_of(problem, own, best._replace(value=Refit(problem, sampled, *forecast)))


def answer_of(problem: Problem, settings: Settings, best: Judged[Refit]) -> Answer:
    """Compare a refit that was sampled with what the placebo did from ``start`` on."""
    return answer_over(best, _paths(problem, settings, best), len(problem.observed))


def placebo_paths(problem: Problem, settings: Settings) -> tuple[Judged[Refit], np.ndarray]:
    """Refit one placebo and continue each of its draws by several paths.

    The paths have dims ``(path, post)``, and are on the model's scale.
    """
    best = settled(problem, settings)
    return best, _paths(problem, settings, best)


def _paths(problem: Problem, settings: Settings, best: Judged[Refit]) -> np.ndarray:
    refit, stream = best.value, settings.calibration_stream()
    more = [predicted(problem, refit.sampled.posterior, stream)[0] for _ in range(PATHS - 1)]
    paths = np.concatenate([refit.path, *more])
    return paths.reshape(-1, paths.shape[-1])


def answer_over(best: Judged[Refit], paths: np.ndarray, periods: int) -> Answer:
    """Return what a refit says about the first so many periods from ``start`` on."""
    refit, problem = best.value, best.value.problem
    seen = refit.seen[:periods]
    own = paths[:, :periods][:, seen]
    outcome = problem.inputs.scale.forward(problem.observed[:periods])[seen]
    doubt = noise_doubt(problem, refit.sampled.posterior, int(seen.sum()))
    forecast = Forecast(outcome - own.mean(0), np.atleast_2d(np.cov(own.T)), doubt)
    row = {"step": problem.inputs.step, "divergences": best.divergences, "ok": not best.problems}
    return Answer(forecast, row, refit.gap[: problem.inputs.periods + periods])


def placebos(
    problem: Problem,
    plan: Calibration,
    settings: Settings,
    refit: Callable[[Problem, Settings], Answer] = placebo_answer,
) -> Placebos:
    """Refit donors as if they had been treated, and compare each gap with its forecast.

    All of them but those of ``plan.exclude``, and no more than ``plan.most``.

    Parameters
    ----------
    problem
        What is being calibrated.
    plan
        Which donors, how many, and the size of the refits.
    settings
        Those of the fit; its seed decides the refits'.
    refit
        Makes one placebo's answer.

    Returns
    -------
    Placebos
        After an interrupt those that were complete; ``stopped`` says so.

    Raises
    ------
    PriorError
        O006 when ``plan.exclude`` names a label that is not a donor's.
    SamplingFailed
        When a refit fails; a note names its donor.
    """
    refits = placebo_refits(problem, plan, settings, refit)
    return weighed(refits, plan, problem.observed, problem.panel.times)


def placebo_refits[T](
    problem: Problem,
    plan: Calibration,
    settings: Settings,
    refit: Callable[[Problem, Settings], T],
) -> Refits[T]:
    """Refit donors as if they had been treated; arguments and errors as in :func:`placebos`."""
    require_excluded(plan.exclude, problem.donors)
    groups = placebo_groups(problem, plan)
    units, skipped = _problems_as_if_treated(problem, groups.sets)
    # PyMC's sampler compiles again for each donor, which is not safe in threads.
    threads = 1 if settings.sampler == "pymc" else settings.cores
    refits = bind_refits(units, problem.factors(plan), plan, settings, refit)
    with single_threaded():
        answers, interrupted = run_refits(refits, threads, shown=bool(settings.progressbar))
    complete = tuple(label for label in units if all((label, f) in answers for _, f in refits))
    skipped += tuple(f"{label} (interrupted)" for label in units if label not in complete)
    stopped = f"interrupted after {len(complete)} of {len(units)} refits" if interrupted else ""
    return Refits(answers, complete, skipped, groups.power, stopped)


def bind_refits[T](
    units: Mapping[str, Problem],
    factors: tuple[float, ...],
    plan: Calibration,
    settings: Settings,
    refit: Callable[[Problem, Settings], T],
) -> dict[Key, Callable[[], T]]:
    """Bind each refit of each unit to its problem, its size and its own seed."""
    seeds = iter(np.random.SeedSequence([settings.random_seed, 1]).spawn(len(units) * len(factors)))
    refits: dict[Key, Callable[[], T]] = {}
    for label, unit in units.items():
        size = plan.size
        if unit.regression is not None:
            # Slices start close to the posterior: half of the tuning that NUTS needs is enough.
            draws, tune = -(-size.draws // len(factors)), -(-size.tune // (2 * len(factors)))
            size = replace(size, draws=draws, tune=tune)
        small = replace(settings, size=size, cores=1, progressbar=False)
        for factor in factors:
            narrowed = unit.narrowed(factor)
            assert narrowed is not None
            seeded = replace(small, random_seed=entropy(next(seeds)))
            refits[label, factor] = partial(refit, narrowed, seeded)
    return refits


def weighed(
    refits: Refits[Answer], plan: Calibration, observed: np.ndarray, times: pd.Index
) -> Placebos:
    """Tabulate the answers that are usable, and weigh the factors by the errors.

    Parameters
    ----------
    refits, plan
        What the refits have given, and how to calibrate on it.
    observed
        The treated outcome from ``start`` on, dims ``(post,)``, NaN where it is missing.
    times
        All times, of which the placebos have gaps.
    """
    answers, labels, skipped, power, stopped = refits
    factors = tuple(dict.fromkeys(factor for _, factor in answers)) or (1.0,)
    usable = [
        label for label in labels if all(is_usable(answers[label, f].forecast) for f in factors)
    ]
    lost = tuple(f"{label} (no finite forecast)" for label in labels if label not in usable)
    ahead = 1.0 + np.flatnonzero(np.isfinite(observed))
    evidence = [
        _evidence([answers[label, f] for label in usable], usable, plan, ahead, power)
        for f in factors
    ]
    prior = plan.q_probabilities if len(factors) > 1 else (1.0,)
    shares = special.softmax(
        [np.log(p) + log_evidence(each, power) for p, each in zip(prior, evidence, strict=True)]
    )
    alternatives = tuple(
        Alternative(factor, float(share), each.placebos, each.growth)
        for factor, share, each in zip(factors, shares, evidence, strict=True)
    )
    best = int(np.argmax(shares))
    gaps = pd.DataFrame(
        [answers[label, factors[best]].gap for label in usable],
        index=alternatives[best].table.index,
        columns=times,
    )
    table = alternatives[best].table
    return Placebos(
        table,
        (*lost, *skipped),
        gaps,
        stopped,
        alternatives,
        power,
        auxiliary=_weighed_auxiliary(refits, factors[best], plan, observed, times),
    )


def _weighed_auxiliary(
    refits: Refits[Answer],
    factor: float,
    plan: Calibration,
    observed: np.ndarray,
    times: pd.Index,
) -> tuple[Placebos, ...]:
    """Tabulate the answers about each auxiliary outcome, under the most probable factor.

    The factors are on the prior of the main outcome's ``q``; about an auxiliary outcome, whose own
    prior stays as stated, there is nothing to weigh.
    """
    chosen = {label: each for (label, f), each in refits.answers.items() if f == factor}
    count = min((len(each.auxiliary) for each in chosen.values()), default=0)
    parts = [
        {(label, 1.0): each.auxiliary[k] for label, each in chosen.items()} for k in range(count)
    ]
    return tuple(weighed(refits._replace(answers=own), plan, observed, times) for own in parts)


def is_usable(forecast: Forecast) -> bool:
    """Tell whether a forecast is finite and has a predictive variance."""
    variances = np.diag(forecast.covariance)
    return bool(np.isfinite(forecast.error).all() and (variances > 0).all())


def _evidence(
    answers: Sequence[Answer],
    labels: Sequence[str],
    plan: Calibration,
    ahead: np.ndarray,
    power: float,
) -> Evidence:
    """Learn the growth and both inflations from refits with one prior on ``q``."""
    growth = learn_growth([each.forecast for each in answers], ahead, plan.growth_sd)
    rows = [
        summarise(each.forecast, ahead, growth) | {"doubt": each.forecast.doubt} | each.row
        for each in answers
    ]
    index = pd.Index(list(labels), name="donor").astype(object)
    raw = pd.DataFrame(rows, index=index, columns=[name for name in COLUMNS if name != "z"])
    return plan.learn(plan.scored(raw)[list(COLUMNS)], growth, power)


def log_evidence(evidence: Evidence, power: float) -> float:
    """Return the log marginal likelihood of the placebos' average errors, kappa integrated out.

    The density is one of errors, not of z-scores, so that it can be compared between priors.
    """
    table = evidence.placebos
    widths = (table["error"] / table["z"]).to_numpy(float)
    return evidence.average.evidence - power * float(np.log(np.abs(widths)).sum())


def run_refits[T](
    refits: Mapping[Key, Callable[[], T]],
    threads: int,
    *,
    shown: bool,
    panel_of: Callable[[str], str] = lambda label: f"panel.as_if_treated({label.split(' + ')})",
) -> tuple[dict[Key, T], bool]:
    """Run the refits in threads and return their answers in the refits' order.

    The second value tells whether an interrupt let only those end that were running. ``panel_of``
    writes how a placebo's panel is made, for the note of a refit that failed.
    """
    interrupted = False
    with (
        bar("Calibrating on the donors", len(refits), shown=shown) as counted,
        ThreadPoolExecutor(threads) as pool,
    ):
        futures = {
            key: pool.submit(_name_failure, key[0], refit, panel_of)
            for key, refit in refits.items()
        }
        try:
            for future in as_completed(futures.values()):
                future.result()
                counted.tick()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            pool.shutdown(cancel_futures=True)
    return {
        key: future.result() for key, future in futures.items() if not future.cancelled()
    }, interrupted


def _name_failure[T](label: str, refit: Callable[[], T], panel_of: Callable[[str], str]) -> T:
    """Add to a failure the donor in whose refit it happened: its panel is the one to try again."""
    try:
        return refit()
    except SamplingFailed as error:
        error.add_note(f"In the refit of {label} as if treated: its panel is {panel_of(label)}.")
        raise


def _problems_as_if_treated(
    problem: Problem, groups: list[tuple[str, ...]]
) -> tuple[dict[str, Problem], tuple[str, ...]]:
    """Make a problem per group of donors, by label.

    The second value names the groups that cannot be treated, with the error's code.
    """
    units: dict[str, Problem] = {}
    skipped = []
    for donors in groups:
        try:
            units[" + ".join(donors)] = problem.as_if_treated(donors)
        except (DesignError, PriorError) as error:
            if isinstance(error, PriorError) and error.code != "O081":
                raise
            skipped.append(f"{' + '.join(donors)} ({error.code})")
    return units, tuple(skipped)


class Groups(NamedTuple):
    """Hold the groups of donors to refit, and the power of their likelihood.

    ``sets`` are tuples of labels; groups that share donors say less than as many that do not, so
    their likelihood is raised to ``power``, the number of disjoint groups over their own.
    """

    sets: list[tuple[str, ...]]
    power: float


def placebo_groups(problem: Problem, plan: Calibration) -> Groups:
    """Form groups of as many donors as units are treated, by the donors' own past.

    Single donors: all, or every k-th of them. Several: donors in the order of their mean before
    ``start`` are combined at equal strides, one stride after the other, until ``plan.most`` groups
    are formed. Every stride takes each donor equally often.
    """
    count = len(problem.panel.treated)
    pre = problem.donor_outcomes[: problem.inputs.periods].mean(0)
    usable = [
        label
        for _, label in sorted(zip(pre, problem.donors, strict=True))
        if label not in plan.exclude
    ]
    if len(problem.donors) <= count or len(usable) < count:
        return Groups([], 1.0)
    if count == 1:
        step = max(1.0, len(usable) / plan.most)
        return Groups(sorted((usable[int(k * step)],) for k in range(_most(usable, plan))), 1.0)
    sets = list(islice(_strided(usable, count), plan.most))
    return Groups(sorted(sets), min(1.0, len(usable) / count / len(sets)))


def _most(usable: Sequence[str], plan: Calibration) -> int:
    return min(len(usable), plan.most)


def _strided(usable: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
    """Yield distinct groups of donors, at strides from the widest that spreads them evenly."""
    number, formed = len(usable), set()
    strides = sorted(range(1, number), key=lambda stride: abs(stride - number / count))
    for stride in strides:
        for first in range(number):
            group = {usable[(first + k * stride) % number] for k in range(count)}
            key = tuple(sorted(group))
            if len(group) == count and key not in formed:
                formed.add(key)
                yield key
