"""Choose the noise for ``noise="auto"``: what forecast the donors best before treatment.

Forecasts are calibrated as the fit will be. Every candidate is held to the same placebos: donors as
if treated, on panels that end where the real treatment begins and start earlier. Nothing from
``start`` on is used, and the treated unit is not forecast.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, PriorError
from bayes_synth.fitting.placebos import placebos
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise import AR1, IID, AbstractNoise, LocalLevel, LocalLinearTrend
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.settings import Settings

__all__ = [
    "CANDIDATES",
    "Refits",
    "choose_noise",
    "earlier_panels",
    "held_out",
    "log_densities",
    "score_row",
]

CANDIDATES: tuple[AbstractNoise, ...] = (LocalLevel(), LocalLinearTrend(), AR1(), IID())
"""Processes to choose from; the first is the default."""
Refits = Callable[[Problem, Calibration, Settings], Placebos]
ORIGINS = (0.6, 0.8)
"""The held-out periods begin after these shares of the pre-period."""
MOST = 12
"""At most so many donors are held out per origin."""


def choose_noise(
    model: AbstractSyntheticControl, panel: Panel, settings: Settings, refit: Refits = placebos
) -> tuple[AbstractSyntheticControl, pd.DataFrame | None]:
    """Give the model the noise that forecast best, unless it names its noise already.

    Parameters
    ----------
    model, panel, settings
        As for the fit.
    refit
        Makes the placebos of one candidate on one panel.

    Returns
    -------
    tuple of SyntheticControl and pandas.DataFrame or None
        The table has one row per candidate: ``log_score`` (mean log predictive density of a
        held-out average gap, in the donor's typical steps), ``difference`` to the first, which is
        the default process, its standard error ``difference_se`` over donors, and ``chosen`` (1 or
        0). The default is left only for a process that is better by more than one standard error;
        the best of those is taken. None when the model names its noise.

    Raises
    ------
    DesignError
        D004 when the pre-period is too short to hold periods out.
    PriorError
        O006 when fewer than two donors can stand in for the treated unit.
    KeyboardInterrupt
        When the refits are interrupted: the candidates would be held to different placebos.

    References
    ----------
    Geisser and Eddy (1979), JASA 74(365), for choosing by the predictive density of what was held
    out.
    """
    if isinstance(model.noise, AbstractNoise):
        return model, None
    panels = earlier_panels(panel)
    scores = {
        noise: _log_scores(replace(model, noise=noise), panels, settings, refit)
        for noise in CANDIDATES
        if model.suits(noise)
    }
    rows = {noise: score_row(each, scores[CANDIDATES[0]]) for noise, each in scores.items()}
    clear = [noise for noise, row in rows.items() if row["difference"] > row["difference_se"]]
    chosen = max(clear, key=lambda noise: rows[noise]["log_score"], default=CANDIDATES[0])
    table = pd.DataFrame({noise.describe(): row for noise, row in rows.items()}).T.rename_axis(
        "noise"
    )
    table["chosen"] = [float(noise == chosen) for noise in rows]
    return replace(model, noise=chosen), table


def earlier_panels(panel: Panel) -> list[Panel]:
    """Backdate the panel, once per origin that leaves enough periods.

    Raises
    ------
    DesignError
        D004 when none does.
    """
    starts = [panel.pre[min(int(share * len(panel.pre)), len(panel.pre) - 1)] for share in ORIGINS]
    panels = []
    for start in dict.fromkeys(starts):
        try:
            panels.append(panel.backdate(start))
        except DesignError as error:
            if error.code not in ("D004", "D006", "V004"):
                raise
    if not panels:
        raise DesignError(
            "D004",
            f"{len(panel.pre)} pre-periods are too few to choose the noise by held-out periods; "
            "name a process, such as noise=bs.noise.LocalLevel().",
        )
    return panels


def _log_scores(
    model: AbstractSyntheticControl, panels: list[Panel], settings: Settings, refit: Refits
) -> pd.Series:
    """Score every held-out average gap by its log predictive density in typical steps, by donor."""
    plan, tables = held_out(model, panels, settings, refit, option="noise")
    scores: pd.Series = pd.concat(
        [log_densities(table, plan, calibrated=model.calibration is not None) for table in tables]
    )
    return scores


def held_out(
    model: AbstractSyntheticControl,
    panels: list[Panel],
    settings: Settings,
    refit: Refits,
    *,
    option: str,
) -> tuple[Calibration, list[pd.DataFrame]]:
    """Refit the donors of every panel as if treated; ``option`` is the one that is chosen.

    Returns
    -------
    tuple of Calibration and list of pandas.DataFrame
        How they were refitted, and one table per panel with one row per placebo.

    Raises
    ------
    PriorError
        O006 when a panel has fewer than two donors that can stand in for the treated unit.
    KeyboardInterrupt
        When the refits are interrupted.
    """
    plan = model.calibration or Calibration()
    plan = replace(plan, most=min(plan.most, MOST), q_factors=(1.0,), q_probabilities=(1.0,))
    seeds = [replace(settings, random_seed=settings.random_seed + k) for k in range(len(panels))]
    problems = [Problem.of(model, panel) for panel in panels]
    tables = [
        _complete_table(refit(problem, plan, seed))
        for problem, seed in zip(problems, seeds, strict=True)
    ]
    if not all(len(table) > 1 for table in tables):
        raise PriorError(
            "O006",
            f'{option}="auto" needs at least two donors that can stand in for the treated unit.',
        )
    return plan, tables


def _complete_table(refits: Placebos) -> pd.DataFrame:
    """Return every placebo, or pass an interrupt on: candidates must be held to the same ones."""
    if refits.stopped:
        raise KeyboardInterrupt
    return refits.table


def log_densities(table: pd.DataFrame, plan: Calibration, *, calibrated: bool) -> pd.Series:
    """Score each placebo by the log density of its error in typical steps.

    Parameters
    ----------
    table
        One row per placebo with ``error``, ``sd`` and ``step``.
    plan
        How the intervals are calibrated.
    calibrated
        Whether the density is inflated by kappa as the other placebos say.
    """
    error, step = table["error"].to_numpy(float), table["step"].to_numpy(float)
    if not calibrated:
        return pd.Series(
            stats.norm.logpdf(error / step, scale=table["sd"] / step), index=table.index
        )
    scores = []
    for j in range(len(table)):
        others = plan.scored(table.drop(index=table.index[j]))
        width = plan.pooled(table.iloc[j], "sd", others)
        learnt = plan.learn(others).average
        scores.append(learnt.log_density(error[j] / width) - np.log(width / step[j]))
    return pd.Series(scores, index=table.index)


def score_row(scores: pd.Series, default: pd.Series) -> dict[str, float]:
    """Compare a candidate with the default; a donor held out twice counts once in the error."""
    by_donor = (scores - default).groupby(level=0).mean()
    return {
        "log_score": float(scores.mean()),
        "difference": float((scores - default).mean()),
        "difference_se": float(by_donor.std(ddof=1) / np.sqrt(len(by_donor))),
    }
