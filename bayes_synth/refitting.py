"""One fit without its report: draws, forecast and whether they have settled. What all that refits has in common."""

from typing import NamedTuple

import arviz_stats
import xarray as xr

from bayes_synth.draws import predicted
from bayes_synth.model import Inputs, SyntheticControl, task_for
from bayes_synth.panel import Panel
from bayes_synth.sampling import Sampled, Settings, sample

__all__ = ["R_HAT", "Refitted", "refitted"]

R_HAT = 1.05
"""Looser than the fit's: a z-score needs a mean and a standard deviation to a tenth."""


class Refitted(NamedTuple):
    """One refit, not calibrated.

    ``path`` is the counterfactual on the model's scale, dims ``(chain, draw, time)``; ``gap`` the mean gap on that scale,
    over all times; ``observed`` the treated outcome from ``start`` on, in outcome units.
    """

    sampled: Sampled
    path: xr.DataArray
    inputs: Inputs
    gap: xr.DataArray
    observed: xr.DataArray

    def average(self) -> xr.DataArray:
        """Mean of the path over the times that were observed."""
        return self.path.where(self.observed.notnull()).mean("time")

    def settled(self, average: xr.DataArray) -> bool:
        """Whether the average is good enough for a mean and a standard deviation."""
        r_hat = float(arviz_stats.rhat(xr.Dataset({"average": average}))["average"])
        return bool(r_hat <= R_HAT and self.sampled.sample_stats["diverging"].sum() <= 0.01 * average.size)


def refitted(model: SyntheticControl, panel: Panel, settings: Settings, *, like: Panel) -> Refitted:
    """Sample and forecast, on the compiled model of the panel ``like``, with the fit's own streams of randomness."""
    seed, rng = settings.streams()
    sampled = sample(task_for(model, panel, like=like), settings, seed)
    path, inputs, gap = predicted(model, panel, sampled.posterior, rng)
    return Refitted(sampled, path, inputs, gap, panel.treated_outcome.sel(time=panel.post.to_numpy()))
