"""Placebo in time: fit the study with every start earlier, when nothing had happened yet."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.result import Check, graded, known_to, not_applicable, thresholds
from bayes_synth.plots.common import shortened
from bayes_synth.plots.forest import Forest, draw_forest
from bayes_synth.plots.look import Look
from bayes_synth.results.effects import Effect
from bayes_synth.results.monte_carlo import median_error, two_sided, two_sided_error
from bayes_synth.sampling.settings import require_count
from bayes_synth.study.checks.registry import study_check
from bayes_synth.study.members import horizon

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["fit_again", "placebo_in_time"]

QUESTION = "Is there an average effect before there was a treatment?"
Fitting = Callable[..., Any]


def fit_again(joint: Any, study: Any, random_seed: int, progressbar: bool) -> Any:
    """Fit another study with the model and the size of a joint fit, its calibration included."""
    record = next(iter(joint.fits.values())).record
    size, settings = record.settings.size, record.settings
    return joint.model.fit(
        study,
        draws=size.draws,
        tune=size.tune,
        chains=size.chains,
        target_accept=size.target_accept,
        sampler=settings.sampler,
        cores=settings.cores,
        random_seed=random_seed,
        progressbar=progressbar,
    )


@study_check(QUESTION, place=4, refits=True)
def placebo_in_time(
    joint: Any,
    *,
    by: int | None = None,
    caution: float = 0.05,
    fail: float = 0.01,
    random_seed: int = 0,
    progressbar: bool = True,
    refit: Fitting = fit_again,
) -> Check:
    """Fit the study again with every start ``by`` periods earlier, up to the real ones.

    Parameters
    ----------
    joint
        The joint fit.
    by
        Number of periods; None for the units' median number of treated periods, but at most a third
        of the shortest pre-period.
    caution, fail
        Lower bounds: above ``caution`` it passes, up to ``fail`` it fails. They bound the two-sided
        tail probability beyond zero of the average effect before the starts.
    random_seed, progressbar
        Seed and progress bar of the fit; see :meth:`bayes_synth.SyntheticControl.fit`.
    refit
        Makes the joint fit; replace it to answer in another way.

    Returns
    -------
    Check
        Table: one row for the ``average`` before the starts and one per unit, with median and 95 %
        ETI in outcome units per period, ``mcse`` (of the median), two-sided ``p`` and its Monte
        Carlo error ``p_mcse``. The intervals have a calibration of their own, on placebo sets with
        the earlier starts.

    Raises
    ------
    OptionError
        O010 unless ``by`` is a whole number of at least 1.
    DesignError
        D071 when ``by`` leaves a unit with fewer than three pre-periods.

    References
    ----------
    Abadie, Diamond and Hainmueller (2015), American Journal of Political Science 59(2), section on
    placebo studies in time.
    """
    periods = _by(joint.study) if by is None else by
    require_count("by", periods, 1) if by is not None else None
    if periods < 1:
        short = "The shortest pre-period has fewer than nine periods: too few to hold some out."
        return not_applicable("placebo_in_time", QUESTION, short)
    earlier = refit(joint, joint.study.backdate(periods), random_seed, progressbar)
    each = earlier.effect("average", by="treated")
    rows = {"average": _row(earlier.effect("average"))} | {
        str(unit): _row(Effect(each.draws.sel(treated=unit, drop=True), "average"))
        for unit in earlier.fits
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("effect")
    table = thresholds(table, by=periods, caution=caution, fail=fail)
    p, error = float(table["p"].iloc[0]), float(table["p_mcse"].iloc[0])
    verdict = graded(1 - p, np.nextafter(1 - caution, 0), np.nextafter(1 - fail, 0))
    picture = partial(_draw, joint, table)
    reason = _reason(table, error, (caution, fail), earlier.converged)
    return Check("placebo_in_time", QUESTION, verdict, reason, table, picture)


def _by(study: Any) -> int:
    """Choose how many periods are held out: about as many as units are treated for."""
    typical = int(np.median([horizon(study, unit) for unit in study.treated]))
    shortest = min(int((study.times < start).sum()) for start in study.starts.values())
    return min(typical, shortest // 3) if shortest >= 9 else 0


def _row(effect: Effect) -> dict[str, float]:
    lower, upper = (float(end) for end in effect.interval(0.95))
    return {
        "median": float(effect.draws.median()),
        "lower": lower,
        "upper": upper,
        "mcse": median_error(effect.draws),
        "p": two_sided(effect.draws),
        "p_mcse": two_sided_error(effect.draws),
    }


def _reason(table: pd.DataFrame, error: float, limits: tuple[float, float], converged: bool) -> str:
    by, units = table.attrs["by"], table.iloc[1:]
    first = table.iloc[0]
    held = int(((units["lower"] <= 0) & (units["upper"] >= 0)).sum())
    periods = "period" if by == 1 else f"{by} periods"
    doubt = "" if converged else "; not all of its draws have converged"
    return (
        f"In the {periods} before the starts the average effect is {first['median']:.3g} "
        f"[{first['lower']:.3g}, {first['upper']:.3g}] (95% ETI), two-sided p = {first['p']:.2g} "
        f"{known_to(float(first['p']), error, *limits)}; the intervals of {held} of {len(units)} "
        f"units hold zero{doubt}."
    )


def _draw(joint: Any, table: pd.DataFrame, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    by = table.attrs["by"]
    shown = table.iloc[:21].rename(index={"average": f"average of {len(table) - 1} units"})
    title = f"Effect in the {by} periods before the real starts: median and 95% ETI"
    words = f"average effect ({shortened(joint.study.outcome)})"
    return draw_forest(Forest(shown, title, words), Look.of_check(options))
