"""Fit some placebos of one panel, in the environment of the checkout that is measured.

It uses only what both checkouts offer: the public names of the library.
"""

import warnings
import zlib
from typing import Any

import numpy as np
import pandas as pd
from common import answer, job

import bayes_synth as bs

LEVELS = (0.5, 0.8, 0.9, 0.95)


def fitted(panel: bs.Panel, unit: str) -> dict[str, Any]:
    """Hold interval ends and mean of the average effect, in outcome units."""
    seed = zlib.crc32(unit.encode())
    fit = bs.SyntheticControl().fit(panel, cores=1, random_seed=seed, progressbar=False)
    average = fit.effect("average").draws.to_numpy().ravel()
    bounds = {p: np.quantile(average, [(1 - p) / 2, (1 + p) / 2]).tolist() for p in LEVELS}
    spread = float(panel.treated_outcome.to_numpy()[: len(panel.pre)].std(ddof=1))
    return {"bounds": bounds, "mean": float(average.mean()), "pre_sd": spread}


def main() -> None:
    """Fit them one after the other."""
    given = job()
    frame = pd.read_csv(given["csv"], index_col=0)
    years = given["start"].isdigit()
    start: Any = int(given["start"]) if years else pd.Timestamp(given["start"])
    frame.index = frame.index if years else pd.to_datetime(frame.index)
    fits = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for unit in given["units"]:
            fits[unit] = fitted(bs.Panel.from_wide(frame, treated=unit, start=start), unit)
    answer(fits=fits)


if __name__ == "__main__":
    main()
