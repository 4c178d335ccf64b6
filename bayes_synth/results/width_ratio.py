"""Compare the width of the calibrated interval with that of the model's own.

Kappa alone does not say it. Before it multiplies anything the treated unit's sd is pooled with the
donors', and afterwards the Student-t tails and the uncertainty about kappa widen the interval once
more, so that an interval can be wider at a kappa below one. The ratio of the two widths counts
everything.
"""

import numpy as np
import xarray as xr

from bayes_synth.results.effects import interval

__all__ = ["width_ratio"]

UNCALIBRATED = "predictions_uncalibrated"


def width_ratio(idata: xr.DataTree, ci_prob: float = 0.95) -> float:
    """Divide the width of the calibrated interval of the average effect by the model's own.

    Parameters
    ----------
    idata
        The draws of a fit: groups ``predictions``, ``predictions_uncalibrated`` and
        ``predictions_constant_data``.
    ci_prob
        Probability of both intervals, which are equal-tailed.

    Returns
    -------
    float
        Above 1 the donors have made the interval wider. NaN when there are no uncalibrated draws:
        the fit is not calibrated, or its file does not hold them.

    Raises
    ------
    OptionError
        O004 for a probability outside (0, 1).
    """
    if UNCALIBRATED not in idata.children:
        return np.nan
    calibrated, own = (_width(idata, group, ci_prob) for group in ("predictions", UNCALIBRATED))
    return calibrated / own if own > 0 else np.nan


def _width(idata: xr.DataTree, group: str, ci_prob: float) -> float:
    """Return the width of the interval of the average over the periods with an outcome."""
    seen = idata["predictions_constant_data"].to_dataset()["outcome"].notnull()
    average = idata[group].to_dataset()["counterfactual"].where(seen).mean("time")
    return float(interval(average, ci_prob, "eti").diff("ci_bound").item())
