"""Write a fit of today's schema into ``tests/files``, for later versions to read.

``python tests/tools/make_files.py`` refuses to replace a file: a released one is never written
again.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

import bayes_synth as bs
from bayes_synth.data.predictors import PredictorTable
from bayes_synth.storage.provenance import SCHEMA
from bayes_synth.testing import fake_panel

DATA = Path(__file__).parents[1] / "files"


def kept_fit():
    """Fit a panel of days with predictors, calibrated, with few draws."""
    panel = fake_panel(donors=4, pre=12, post=4, dates=True, effect=3.0)
    numbers = np.random.default_rng(1).standard_normal((2, 3, 5))
    units = panel.outcomes["unit"].to_numpy()
    coords = {"predictor": ["income", "age"], "time": panel.times[:3], "unit": units}
    known = PredictorTable(xr.DataArray(numbers, dims=tuple(coords), coords=coords))
    panel, rule = replace(panel, predictors=known), bs.predictors.Matched()
    return bs.SyntheticControl(predictors=rule).fit(
        panel, draws=12, tune=200, chains=2, random_seed=1, strict=False, progressbar=False
    )


if __name__ == "__main__":
    fit = kept_fit()
    DATA.mkdir(exist_ok=True)
    for suffix in (".nc", ".zarr.zip"):
        fit.save(DATA / f"schema_{SCHEMA}{suffix}")
    print(fit.summary().to_string(), fit.weights().to_string(), fit, sep="\n")
