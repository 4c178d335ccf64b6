"""Refit every donor in turn as if it had been treated, to calibrate the intervals.

The treated unit never serves as a donor here, and nothing of it enters. Pools that are smaller by a
donor are padded to the fit's width, so that nutpie compiles once for all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, SamplingFailed
from bayes_synth.fitting.refit import settled
from bayes_synth.model.calibration import COLUMNS, Calibration, require_excluded
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.settings import Settings, entropy
from bayes_synth.sampling.threads import single_threaded

__all__ = ["Answer", "placebo_answer", "placebos"]

RAW = tuple(name for name in COLUMNS if name != "z")
"""Columns that one refit gives by itself; a z-score needs all refits."""


class Answer(NamedTuple):
    """Hold what one refit gives: its row of the table, and its gap in every period."""

    row: dict[str, float]
    gap: np.ndarray


Refit = Callable[[Problem, Settings], Answer]


def placebo_answer(problem: Problem, settings: Settings) -> Answer:
    """Refit one placebo and return its row of the table and its gap, on the model's scale.

    Where the treated unit's outcome is missing, the placebo's is left out too.
    """
    best = settled(problem, settings)
    average, outcome = best.value.average, problem.inputs.scale.forward(problem.observed)
    row = {
        "error": float(np.nanmean(outcome) - np.nanmean(average)),
        "sd": float(np.nanstd(average, ddof=1)),
        "step": problem.inputs.step,
        "divergences": best.divergences,
        "ok": not best.problems,
    }
    return Answer(row, best.value.gap)


def placebos(
    problem: Problem, plan: Calibration, settings: Settings, refit: Refit = placebo_answer
) -> Placebos:
    """Refit donors as if they had been treated, and compare each average gap with its forecast.

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
    require_excluded(plan.exclude, problem.donors)
    choice, *seeds = np.random.SeedSequence([settings.random_seed, 1]).spawn(
        1 + len(problem.donors)
    )
    units, skipped = _problems_as_if_treated(
        problem, _donor_sets(problem.panel, plan, np.random.default_rng(choice))
    )
    # PyMC's sampler compiles again for each donor, which is not safe in threads.
    threads = 1 if settings.sampler == "pymc" else settings.cores
    small = replace(settings, size=plan.size, cores=1, progressbar=False)
    refits = {
        label: partial(refit, unit, replace(small, random_seed=entropy(seed)))
        for (label, unit), seed in zip(units.items(), seeds, strict=False)
    }
    with single_threaded():
        answers, interrupted = _run_refits(refits, threads, shown=bool(settings.progressbar))
    skipped += tuple(f"{label} (interrupted)" for label in refits if label not in answers)
    stopped = f"interrupted after {len(answers)} of {len(refits)} refits" if interrupted else ""
    return _tabulate(answers, skipped, plan, problem.panel.times)._replace(stopped=stopped)


def _tabulate(
    answers: Mapping[str, Answer], skipped: tuple[str, ...], plan: Calibration, times: pd.Index
) -> Placebos:
    """Tabulate the answers that are usable, with their z-scores."""
    table = pd.DataFrame.from_dict(
        {unit: row for unit, (row, _) in answers.items()}, orient="index", columns=RAW
    )
    usable = np.isfinite(table["error"].astype(float)) & (table["sd"].astype(float) > 0)
    skipped = tuple(f"{label} (no finite forecast)" for label in table.index[~usable]) + skipped
    table = plan.scored(table[usable])[list(COLUMNS)].rename_axis("donor")
    gaps = pd.DataFrame(
        [answers[unit].gap for unit in table.index], index=table.index, columns=times
    )
    return Placebos(table, skipped, gaps)


def _run_refits(
    refits: Mapping[str, Callable[[], Answer]], threads: int, *, shown: bool
) -> tuple[dict[str, Answer], bool]:
    """Run the refits in threads and return their answers in the refits' order.

    The second value tells whether an interrupt let only those end that were running.
    """
    interrupted = False
    with (
        bar("Calibrating on the donors", len(refits), shown=shown) as counted,
        ThreadPoolExecutor(threads) as pool,
    ):
        futures = {
            label: pool.submit(_name_failure, label, refit) for label, refit in refits.items()
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
        label: future.result() for label, future in futures.items() if not future.cancelled()
    }, interrupted


def _name_failure(label: str, refit: Callable[[], Answer]) -> Answer:
    """Add to a failure the donor in whose refit it happened: its panel is the one to try again."""
    try:
        return refit()
    except SamplingFailed as error:
        panel = f"panel.as_if_treated({label.split(' + ')})"
        error.add_note(f"In the refit of {label} as if treated: its panel is {panel}.")
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
        except DesignError as error:
            skipped.append(f"{' + '.join(donors)} ({error.code})")
    return units, tuple(skipped)


def _donor_sets(panel: Panel, plan: Calibration, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Form disjoint sets of as many donors as units are treated, at most ``plan.most``, sorted."""
    count = len(panel.treated)
    usable = [donor for donor in panel.donors if donor not in plan.exclude]
    if len(panel.donors) <= count:
        return []
    if count > 1 or len(usable) > plan.most:
        usable = list(rng.permutation(np.array(usable, dtype=object)))[: plan.most * count]
    sets: Iterator[tuple[str, ...]] = (
        tuple(sorted(usable[i : i + count])) for i in range(0, len(usable), count)
    )
    return sorted(group for group in sets if len(group) == count)
