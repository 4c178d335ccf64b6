"""Fit the planned units before the test has begun: weights, balance and fit verdict."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.history import AbstractHistory
from bayes_synth.fitting.refit import settled
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise.base import MIXING
from bayes_synth.results.calibrated import Placebos
from bayes_synth.results.fit_verdict import FitVerdict, fit_verdict
from bayes_synth.results.weight_table import weight_table
from bayes_synth.sampling.settings import Settings
from bayes_synth.words import SAMPLE_DIMS

__all__ = ["Before", "fit_before"]


class Before(NamedTuple):
    """Hold the fit to the history without its last period, for a panel needs a post-period.

    ``weights`` is the table of :meth:`bayes_synth.Fit.weights`; ``verdict`` says how well the
    donors forecast the planned units in their past, over windows of the longest test; ``path`` has
    columns ``observed`` and ``synthetic``, one row per time.
    """

    weights: pd.DataFrame
    verdict: FitVerdict
    path: pd.DataFrame

    @property
    def balance(self) -> dict[str, float]:
        """Compare observed and synthetic: means, and the root mean square of their difference.

        Periods without an outcome are in none of the three.
        """
        seen = self.path.iloc[:-1].dropna()
        gap, means = seen["observed"] - seen["synthetic"], seen.mean()
        return {
            "observed": float(means["observed"]),
            "synthetic": float(means["synthetic"]),
            "rmse": float(np.sqrt((gap**2).mean())),
        }


def fit_before(
    model: AbstractSyntheticControl,
    history: AbstractHistory,
    treated: Sequence[str],
    never: Sequence[str],
    periods: int,
    placebos: Placebos,
    settings: Settings,
) -> Before:
    """Fit the history up to its last period.

    Parameters
    ----------
    model, history, treated, never
        What is planned.
    periods
        Length of the longest test, over which the forecast is judged.
    placebos
        What the latest pretend test was calibrated on: its weights of the priors on ``q`` are used.
    settings
        Those of the plan.
    """
    panel = history.panel(treated, len(history.times) - 1, 1, never)
    problem = Problem.of(model, panel)
    known = placebos.alternatives if model.calibration else ()
    refit = settled(problem, replace(settings, progressbar=False), known).value
    posterior, inputs = refit.sampled.posterior, problem.inputs
    draws = {name: posterior[name].to_numpy().ravel() for name in model.process.parameters}
    mixing = posterior[MIXING].to_numpy().mean((0, 1)) if MIXING in posterior else None
    # One period is forecast here, so nothing says what the noise brings to a longer test.
    verdict = fit_verdict(inputs, model.process, draws, mixing, periods, np.nan)
    verdict = replace(verdict, noise_share={})
    count = len(problem.donors)
    weights = xr.DataArray(
        posterior["weights"].to_numpy()[..., :count], dims=(*SAMPLE_DIMS, "donor")
    )
    table = weight_table(
        weights,
        problem.donors,
        inputs.scale.forward(problem.donor_outcomes),
        level=model.process.level_sd > 0,
        ci_prob=0.95,
        ci_kind="eti",
    )
    synthetic = inputs.scale.back(refit.synthetic)
    path = pd.DataFrame(
        {"observed": problem.treated, "synthetic": synthetic}, index=panel.times.rename("time")
    )
    return Before(table, verdict, path)
