"""Tabulate how well the weighted donors match the treated unit's predictors."""

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.errors import ResultError
from bayes_synth.results.effects import IntervalKind, interval

__all__ = ["balance_table"]


def balance_table(
    weights: xr.DataArray, panel: Panel, ci_prob: float, ci_kind: IntervalKind
) -> pd.DataFrame:
    """Compare treated unit, synthetic unit and donors; see :meth:`bayes_synth.Fit.balance`.

    ``weights`` has dims ``(chain, draw, donor)``.
    """
    if panel.predictors is None:
        raise ResultError(
            "P057",
            "the panel carries no predictors to balance; name them when it is read: "
            "bs.Panel.from_long(..., predictors=bs.Predictors([...])).",
        )
    donors = panel.predictors.of(panel.donors).rename(unit="donor")
    treated = panel.predictors.of(panel.treated).mean("unit")
    synthetic = xr.dot(donors, weights, dim="donor").transpose("chain", "draw", "predictor")
    bounds = interval(synthetic, ci_prob, ci_kind)
    units = np.column_stack([treated, donors.transpose("predictor", "donor")])
    table = pd.DataFrame(
        {
            "treated": treated.to_numpy(),
            "synthetic": synthetic.mean(("chain", "draw")).to_numpy(),
            "lower": bounds.sel(ci_bound="lower").to_numpy(),
            "upper": bounds.sel(ci_bound="upper").to_numpy(),
            "donors": donors.mean("donor").to_numpy(),
            "sd": units.std(1, ddof=1),
        },
        index=pd.Index(list(panel.predictors.names), name="predictor", dtype=object),
    )
    table.attrs = {"ci_prob": ci_prob, "ci_kind": ci_kind, "times": panel.predictors.windows}
    return table
