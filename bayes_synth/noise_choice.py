"""noise="auto": which noise process forecast the donors best in the pre-period, calibrated as the fit will be.

Every candidate is held to the same placebos: donors as if treated, on panels that end where the real treatment
begins and start earlier. Nothing from ``start`` on, and nothing of the treated unit, is looked at.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from bayes_synth.calibration import Calibration
from bayes_synth.errors import DesignError, PriorError
from bayes_synth.model import SyntheticControl
from bayes_synth.noise import AR1, IID, AbstractNoise, LocalLevel, LocalLinearTrend
from bayes_synth.panel import Panel
from bayes_synth.placebos import placebos
from bayes_synth.sampling import Settings

__all__ = ["CANDIDATES", "choose_noise"]

CANDIDATES: tuple[AbstractNoise, ...] = (LocalLevel(), LocalLinearTrend(), AR1(), IID())
ORIGINS = (0.6, 0.8)
"""Where the held-out periods begin, as shares of the pre-period."""
MOST = 12
"""Donors held out per origin."""


def choose_noise(
    model: SyntheticControl, panel: Panel, settings: Settings
) -> tuple[SyntheticControl, pd.DataFrame | None]:
    """The model with the noise that forecast best, and the candidates' scores; as it is unless it says ``"auto"``.

    Returns
    -------
    tuple of SyntheticControl and pandas.DataFrame or None
        One row per candidate, the best first: ``log_score`` (mean log predictive density of a held-out average gap,
        per unit of the donor's scale), ``difference`` to the best and its standard error ``difference_se``.

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
    scores = {noise: _log_scores(replace(model, noise=noise), panels, settings) for noise in CANDIDATES}
    best = max(scores, key=lambda noise: float(scores[noise].mean()))
    rows = {noise.describe(): _row(scores[noise], scores[best]) for noise in CANDIDATES}
    table = pd.DataFrame(rows).T.sort_values("log_score", ascending=False).rename_axis("noise")
    return replace(model, noise=best), table


def _earlier(panel: Panel) -> list[Panel]:
    """The panel as if treated earlier, once per origin that leaves enough periods."""
    starts = [panel.pre[min(int(share * len(panel.pre)), len(panel.pre) - 1)] for share in ORIGINS]
    panels = []
    for start in dict.fromkeys(starts):
        try:
            panels.append(panel.backdate(start))
        except DesignError:
            continue
    if not panels:
        raise DesignError(
            "D004", f"{len(panel.pre)} pre-periods are too few to choose the noise by held-out periods: name one."
        )
    return panels


def _log_scores(model: SyntheticControl, panels: list[Panel], settings: Settings) -> np.ndarray:
    """Log predictive density of every held-out average gap, in units of the donor's scale."""
    plan = replace(model.calibration or Calibration(), most=MOST)
    tables = [placebos(model, panel, plan, settings).table for panel in panels]
    if not all(len(table) > 1 for table in tables):
        raise PriorError("O006", 'noise="auto" needs at least two donors that can stand in for the treated unit.')
    return np.concatenate([log_densities(table, plan, calibrated=model.calibration is not None) for table in tables])


def log_densities(table: pd.DataFrame, plan: Calibration, *, calibrated: bool) -> np.ndarray:
    """Each placebo's log density of its error over its scale; calibrated: with kappa as the other placebos say."""
    error, scale = table["error"].to_numpy(), table["scale"].to_numpy()
    if not calibrated:
        return np.asarray(stats.norm.logpdf(error / scale, scale=table["sd"] / scale))
    nu = plan.degrees_of_freedom
    law = stats.norm() if np.isinf(nu) else stats.t(nu)
    scores = []
    for j in range(len(table)):
        others = plan.scored(table.drop(index=table.index[j]))
        kappa, mass = plan.posterior(others["z"].to_numpy())
        width = kappa * plan.pooled(table["sd"].iloc[j], scale[j], others) / scale[j]
        scores.append(np.log(mass @ (law.pdf(error[j] / scale[j] / width) / width)))
    return np.array(scores)


def _row(scores: np.ndarray, best: np.ndarray) -> dict[str, float]:
    gaps = scores - best
    return {
        "log_score": float(scores.mean()),
        "difference": float(gaps.mean()),
        "difference_se": float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
    }
