"""Write a fit of today's schema into ``tests/files``, for later versions to read.

``python tests/tools/make_files.py`` refuses to replace a file: a released one is never written
again.
"""

from pathlib import Path

import bayes_synth as bs
from bayes_synth.storage.provenance import SCHEMA
from bayes_synth.testing import fake_panel

DATA = Path(__file__).parents[1] / "files"


def kept_fit():
    """Fit a panel of days, calibrated, with few draws."""
    panel = fake_panel(donors=4, pre=12, post=4, dates=True, effect=3.0)
    return bs.SyntheticControl().fit(
        panel, draws=12, tune=200, chains=2, random_seed=1, strict=False, progressbar=False
    )


if __name__ == "__main__":
    fit = kept_fit()
    DATA.mkdir(exist_ok=True)
    for suffix in (".nc", ".zarr.zip"):
        fit.save(DATA / f"schema_{SCHEMA}{suffix}")
    print(fit.summary().to_string(), fit.weights().to_string(), fit, sep="\n")
