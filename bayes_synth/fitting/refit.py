"""Refit without a report: draws, forecast and whether they have settled.

All in arrays, because refits are many.
"""

from collections.abc import Sequence
from typing import NamedTuple

import arviz_stats
import numpy as np
import xarray as xr

from bayes_synth.fitting.attempts import Judged, settle
from bayes_synth.fitting.mixture import sample_alternatives
from bayes_synth.model.calibration import average_of
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Alternative
from bayes_synth.results.convergence import REFIT
from bayes_synth.results.groups import observed_post, predicted
from bayes_synth.results.inflating import noise_doubt
from bayes_synth.results.layout import labelled_path
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled

__all__ = ["Refit", "refitted", "settled"]

TIMES = 3
"""A refit that has not settled is sampled once more, so many times as long."""
DIVERGENT = 0.01
"""At most this share of a settled refit's transitions may diverge."""


class Refit(NamedTuple):
    """Hold one refit, not calibrated.

    ``path`` is the counterfactual on the model's scale, dims ``(chain, draw, post)``; ``synthetic``
    is the synthetic unit's mean on that scale, dims ``(time,)`` over all times.
    """

    problem: Problem
    sampled: Sampled
    path: np.ndarray
    synthetic: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """Tell which post-periods have an outcome, dims ``(post,)``."""
        return np.isfinite(self.problem.observed)

    @property
    def average(self) -> np.ndarray:
        """Average the path over the times that have an outcome, dims ``(chain, draw)``."""
        return average_of(self.path, self.seen)

    @property
    def doubt(self) -> float:
        """Return the posterior sd of the log of the average's predictive sd, by the noise alone."""
        return noise_doubt(self.problem, self.sampled.posterior)

    @property
    def gap(self) -> np.ndarray:
        """Subtract synthetic from observed on the model's scale, dims ``(time,)``."""
        forward = self.problem.inputs.scale.forward
        return np.asarray(forward(self.problem.treated) - self.synthetic)

    def labelled(self, path: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
        """Label the observed outcome and a path that is on the model's scale.

        Both come back in outcome units, dims ``(time,)`` and ``(chain, draw, time)``.
        """
        restored, post = self.problem.inputs.scale.back(path), self.problem.panel.post.to_numpy()
        return observed_post(self.problem), labelled_path(restored, post)


def refitted(
    problem: Problem, settings: Settings, alternatives: Sequence[Alternative] = ()
) -> Refit:
    """Sample and forecast once, with the streams of randomness of a fit.

    ``alternatives`` are the priors on ``q`` to average over; none: as the model states it.
    """
    seed, rng = settings.streams()
    sampled = sample_alternatives(problem, alternatives, settings, seed)
    return Refit(problem, sampled, *predicted(problem, sampled.posterior, rng))


def settled(
    problem: Problem, settings: Settings, alternatives: Sequence[Alternative] = ()
) -> Judged[Refit]:
    """Sample and forecast, again and longer unless the first attempt has settled."""
    return settle(
        lambda chosen: _judged(refitted(problem, chosen, alternatives), chosen),
        settings,
        lambda first: first.longer(TIMES),
        # Three times the draws say more about a mean and an sd, whether they have settled or not.
    ).tried[-1]


def _judged(refit: Refit, settings: Settings) -> Judged[Refit]:
    """Judge whether the average is good enough for a mean and a standard deviation."""
    average, divergences = refit.average, int(refit.sampled.sample_stats["diverging"].sum())
    r_hat = float(arviz_stats.rhat(average, chain_axis=0, draw_axis=1))
    good = r_hat <= REFIT.r_hat and divergences <= DIVERGENT * average.size
    problems = () if good else ("not settled",)
    return Judged(refit, settings, problems, divergences, again=not good)
