"""Every donor in turn as if treated: the refits that calibrate the intervals.

The treated unit never serves as a donor here, and nothing of it enters. All refits share the compiled model of
the fit itself: their smaller pools are padded to its width.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.progress import track

from bayes_synth.calibration import COLUMNS, Calibration, Placebos, check_excluded
from bayes_synth.errors import DesignError, SamplingFailed
from bayes_synth.model import SyntheticControl
from bayes_synth.panel import Panel
from bayes_synth.refitting import refitted
from bayes_synth.sampling import Settings, entropy
from bayes_synth.threads import single_threaded

__all__ = ["placebos"]

RAW = tuple(name for name in COLUMNS if name != "z")
"""What one refit says by itself; a z-score needs them all."""


class Answer(NamedTuple):
    """What one refit says: its row of the table, and its gap in every period."""

    row: dict[str, float]
    gap: np.ndarray


def placebos(model: SyntheticControl, panel: Panel, plan: Calibration, settings: Settings) -> Placebos:
    """Refit every donor as if treated and compare its average gap with what was predicted.

    Parameters
    ----------
    model, panel
        What is being calibrated.
    plan
        Which donors, how many, and the size of the refits.
    settings
        Those of the fit; its seed decides the refits'.

    Returns
    -------
    Placebos
        After an interrupt of the refits that were whole; ``stopped`` says so.
    """
    check_excluded(plan.exclude, panel.donors)
    choice, *seeds = np.random.SeedSequence([settings.random_seed, 1]).spawn(1 + len(panel.donors))
    groups = _groups(panel, plan, np.random.default_rng(choice))
    units, skipped = _as_if_treated(panel, groups)
    # PyMC's sampler compiles anew for each donor, which is not safe in threads.
    threads = 1 if settings.sampler == "pymc" else settings.cores
    refits = {
        label: partial(_settled, model, panel, unit, plan, replace(settings, random_seed=entropy(seed)))
        for (label, unit), seed in zip(units.items(), seeds, strict=False)
    }
    with single_threaded():
        answers, interrupted = _answers(refits, threads, settings.progressbar)
    table = pd.DataFrame.from_dict({unit: row for unit, (row, _) in answers.items()}, orient="index", columns=RAW)
    usable = np.isfinite(table["error"].astype(float)) & (table["sd"].astype(float) > 0)
    skipped += tuple(f"{label} (no finite forecast)" for label in table.index[~usable])
    skipped += tuple(f"{label} (interrupted)" for label in refits if label not in answers)
    stopped = f"interrupted after {len(answers)} of {len(refits)} refits" if interrupted else ""
    table = plan.scored(table[usable])[list(COLUMNS)].rename_axis("donor")
    gaps = pd.DataFrame([answers[unit].gap for unit in table.index], index=table.index, columns=panel.times)
    return Placebos(table, skipped, gaps, stopped)


def _answers(
    refits: Mapping[str, Callable[[], Answer]], threads: int, progressbar: bool | str
) -> tuple[dict[str, Answer], bool]:
    """The refits' answers in the refits' order, and whether an interrupt let only those end that were running."""
    interrupted = False
    with ThreadPoolExecutor(threads) as pool:
        futures = {label: pool.submit(_named, label, refit) for label, refit in refits.items()}
        done = as_completed(futures.values())
        bar = track(
            done,
            description="Calibrating on the donors",
            total=len(futures),
            transient=True,
            disable=not progressbar,
        )
        try:
            for future in bar:
                future.result()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            pool.shutdown(cancel_futures=True)
    return {label: future.result() for label, future in futures.items() if not future.cancelled()}, interrupted


def _named(label: str, refit: Callable[[], Answer]) -> Answer:
    """A failure with the donor in whose refit it happened: its panel is the one to try again."""
    try:
        return refit()
    except SamplingFailed as error:
        error.add_note(
            f"In the refit of {label} as if treated: there panel is panel.as_if_treated({label.split(' + ')})."
        )
        raise


def _as_if_treated(panel: Panel, groups: list[tuple[str, ...]]) -> tuple[dict[str, Panel], tuple[str, ...]]:
    """A panel per group of donors by label, and the groups that cannot be treated, with the error's code."""
    units: dict[str, Panel] = {}
    skipped = []
    for donors in groups:
        try:
            units[" + ".join(donors)] = panel.as_if_treated(donors)
        except DesignError as error:
            skipped.append(f"{' + '.join(donors)} ({error.code})")
    return units, tuple(skipped)


def _groups(panel: Panel, plan: Calibration, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Disjoint sets of as many donors as units are treated, in donor order, at most ``plan.most``."""
    size = len(panel.treated)
    usable = [donor for donor in panel.donors if donor not in plan.exclude]
    if len(panel.donors) <= size:
        return []
    if size > 1 or len(usable) > plan.most:
        usable = list(rng.permutation(np.array(usable, dtype=object)))[: plan.most * size]
    sets: Iterator[tuple[str, ...]] = (tuple(sorted(usable[i : i + size])) for i in range(0, len(usable), size))
    return sorted(group for group in sets if len(group) == size)


def _settled(model: SyntheticControl, panel: Panel, placebo: Panel, plan: Calibration, settings: Settings) -> Answer:
    """One placebo's row; a refit that has not settled is run once more, three times as long."""
    found = _row(model, panel, placebo, plan, settings, times=1)
    return found if found.row["ok"] else _row(model, panel, placebo, plan, settings, times=3)


def _row(
    model: SyntheticControl, panel: Panel, placebo: Panel, plan: Calibration, settings: Settings, *, times: int
) -> Answer:
    smaller = replace(
        settings,
        draws=times * plan.draws,
        tune=times * plan.tune,
        chains=plan.chains,
        target_accept=plan.target_accept,
        cores=1,
        progressbar=False,
    )
    found = refitted(model, placebo, smaller, like=panel)
    outcome = found.inputs.measure.forward(found.observed)
    # Where the treated unit has no outcome, a placebo has none either.
    average, realised = found.average(), outcome.mean()
    error, sd = float(realised - average.mean()), float(average.std(ddof=1))
    divergences = int(found.sampled.sample_stats["diverging"].sum())
    row = {"error": error, "sd": sd, "scale": found.inputs.scale, "divergences": divergences}
    return Answer(row | {"ok": found.settled(average)}, found.gap.to_numpy())
