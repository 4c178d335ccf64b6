"""Studies of random walks, and joint fits of them in milliseconds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

import bayes_synth as bs
from bayes_synth.study.cells import Cells
from bayes_synth.testing import fake_fit


def wide(units: int = 14, periods: int = 20) -> pd.DataFrame:
    """Random walks of units u00, u01, ... from 2000 on."""
    rng = np.random.default_rng(0)
    walks = 100 + np.cumsum(rng.standard_normal((periods, units)), axis=0)
    years = pd.RangeIndex(2000, 2000 + periods, name="year")
    return pd.DataFrame(walks, index=years, columns=[f"u{j:02d}" for j in range(units)])


def long(table: pd.DataFrame, **columns) -> pd.DataFrame:
    """The same with one row per unit and time."""
    rows = table.rename_axis(columns="unit").stack().rename("y").reset_index()
    return rows.assign(**columns)


def fake_joint(starts: Mapping[str, int], draws: int = 100, **options) -> bs.JointFit:
    """A joint fit whose units are fake fits."""
    study = bs.Study.from_wide(wide(), starts=starts, outcome="sales", **options)
    fits = {
        unit: fake_fit(panel=panel, draws=draws, random_seed=k)
        for k, (unit, panel) in enumerate(study.panels.items())
    }
    return bs.JointFit(study, fits)


def gaps(study: bs.Study) -> dict[str, Cells]:
    """The treated cells in the limit of a flat prior and no noise: one draw, least squares."""
    from bayes_synth.results.simplex import simplex_least_squares

    cells = {}
    for unit, panel in study.panels.items():
        donors, outcome = panel.donor_outcomes, panel.treated_outcome
        past = {"time": panel.pre.to_numpy()}
        weights = simplex_least_squares(donors.sel(past).to_numpy(), outcome.sel(past).to_numpy())
        synthetic = (donors.to_numpy() @ weights)[len(panel.pre) :]
        effect = outcome.to_numpy()[len(panel.pre) :] - synthetic
        event = np.arange(len(effect))
        cells[unit] = Cells(
            unit, panel.start, effect[None, None], synthetic[None, None], event, panel.post
        )
    return cells


def groups(joint):
    """The draws of a joint fit by unit and group."""
    return {
        (unit, path): node.to_dataset(inherit=False)
        for unit, fit in joint.fits.items()
        for path, node in fit.idata.subtree_with_keys
    }
