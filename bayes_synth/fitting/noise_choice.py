"""noise="auto": which noise process forecast the donors best in the pre-period, calibrated as the fit will be.

Every candidate is held to the same placebos: donors as if treated, on panels that end where the real treatment
begins and start earlier. Nothing from ``start`` on is looked at, and the treated unit is not forecast.
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

__all__ = ["CANDIDATES", "choose_noise"]

CANDIDATES: tuple[AbstractNoise, ...] = (LocalLevel(), LocalLinearTrend(), AR1(), IID())
Refits = Callable[[Problem, Calibration, Settings], Placebos]
ORIGINS = (0.6, 0.8)
"""Where the held-out periods begin, as shares of the pre-period."""
MOST = 12
"""Donors held out per origin."""


def choose_noise(
    model: AbstractSyntheticControl, panel: Panel, settings: Settings, refit: Refits = placebos
) -> tuple[AbstractSyntheticControl, pd.DataFrame | None]:
    """The model with the noise that forecast best, and the candidates' scores; as it is unless it says ``"auto"``.

    Returns
    -------
    tuple of SyntheticControl and pandas.DataFrame or None
        One row per candidate: ``log_score`` (mean log predictive density of a held-out average gap, per unit of the
        donor's scale), ``difference`` to the first, which is the default process, its standard error
        ``difference_se`` over donors, and ``chosen`` (1 or 0). The default is left only for a process that is better by
        more than one standard error; the best of those is taken.

    Raises
    ------
    DesignError
        D004 when the pre-period is too short to hold periods out.

    References
    ----------
    Geisser and Eddy (1979), JASA 74(365), for choosing by the predictive density of what was held out.
    """
    if isinstance(model.noise, AbstractNoise):
        return model, None
    panels = _earlier(panel)
    scores = {
        noise: _log_scores(replace(model, noise=noise), panels, settings, refit)
        for noise in CANDIDATES
    }
    rows = {noise: _row(scores[noise], scores[CANDIDATES[0]]) for noise in CANDIDATES}
    clear = [noise for noise, row in rows.items() if row["difference"] > row["difference_se"]]
    chosen = max(clear, key=lambda noise: rows[noise]["log_score"], default=CANDIDATES[0])
    table = pd.DataFrame({noise.describe(): row for noise, row in rows.items()}).T.rename_axis(
        "noise"
    )
    table["chosen"] = [float(noise == chosen) for noise in rows]
    return replace(model, noise=chosen), table


def _earlier(panel: Panel) -> list[Panel]:
    """The panel as if treated earlier, once per origin that leaves enough periods."""
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
            f"{len(panel.pre)} pre-periods are too few to choose the noise by held-out periods: name one.",
        )
    return panels


def _log_scores(
    model: AbstractSyntheticControl, panels: list[Panel], settings: Settings, refit: Refits
) -> pd.Series:
    """Log predictive density of every held-out average gap, in units of the donor's scale, by donor."""
    plan = model.calibration or Calibration()
    plan = replace(plan, most=min(plan.most, MOST))
    seeds = [replace(settings, random_seed=settings.random_seed + k) for k in range(len(panels))]
    problems = [Problem.of(model, panel) for panel in panels]
    tables = [
        _complete(refit(problem, plan, seed)) for problem, seed in zip(problems, seeds, strict=True)
    ]
    if not all(len(table) > 1 for table in tables):
        raise PriorError(
            "O006", 'noise="auto" needs at least two donors that can stand in for the treated unit.'
        )
    scores: pd.Series = pd.concat(
        [log_densities(table, plan, calibrated=model.calibration is not None) for table in tables]
    )
    return scores


def _complete(found: Placebos) -> pd.DataFrame:
    """Every placebo: after an interrupt the candidates would be held to different ones, and nothing is chosen."""
    if found.stopped:
        raise KeyboardInterrupt
    return found.table


def log_densities(table: pd.DataFrame, plan: Calibration, *, calibrated: bool) -> pd.Series:
    """Each placebo's log density of its error over its scale; calibrated: with kappa as the other placebos say."""
    error, step = table["error"].to_numpy(), table["step"].to_numpy()
    if not calibrated:
        return pd.Series(
            stats.norm.logpdf(error / step, scale=table["sd"] / step), index=table.index
        )
    scores = []
    for j in range(len(table)):
        others = plan.scored(table.drop(index=table.index[j]))
        kappa, mass = plan.posterior(others["z"].to_numpy())
        width = kappa * plan.pooled(table["sd"].iloc[j], step[j], others) / step[j]
        scores.append(np.log(mass @ (plan.law.pdf(error[j] / step[j] / width) / width)))
    return pd.Series(scores, index=table.index)


def _row(scores: pd.Series, default: pd.Series) -> dict[str, float]:
    """A donor held out twice counts once in the standard error."""
    gaps = (scores - default).groupby(level=0).mean()
    return {
        "log_score": float(scores.mean()),
        "difference": float((scores - default).mean()),
        "difference_se": float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
    }
