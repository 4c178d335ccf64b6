"""Refit one member of a placebo set, and keep what calibration needs of its posterior."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bayes_synth.fitting.placebos import answer_of
from bayes_synth.fitting.refit import settled
from bayes_synth.model.forecast_error import Forecast
from bayes_synth.model.problem import Problem
from bayes_synth.noise.base import AbstractNoise, Draws
from bayes_synth.sampling.settings import Settings
from bayes_synth.study.overlap import Response, response_of

__all__ = ["MemberTask", "Refitted", "Spread", "noise_spread"]

PATHS = 4000
"""So many paths give the sd of an average by its horizon."""

Spread = Mapping[int, tuple[float, float]]
"""Noise's sd of the average, and of the deviations from it, by the number of periods."""


class Refitted(NamedTuple):
    """Hold what one refit gives.

    ``forecast``, ``row`` and ``gap`` are those of a placebo; ``ahead`` are its periods since the
    start, the first is 1; ``response`` and ``spread`` are of its noise.
    """

    forecast: Forecast
    row: dict[str, float]
    gap: np.ndarray
    ahead: np.ndarray
    response: Response
    spread: Spread


class MemberTask(NamedTuple):
    """Hold what is refitted of one member of a set, wherever that is done.

    Parameters
    ----------
    problems
        Problem and settings, its own seed included, by factor on the prior sd of ``q``.
    periods
        Positions of the periods to come among the times of the study.
    horizons
        Numbers of periods of which the noise's spread is wanted.
    """

    problems: Mapping[float, tuple[Problem, Settings]]
    periods: tuple[int, ...]
    horizons: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Return a digest of everything that decides the answers; the number of cores does not."""
        content = hashlib.sha256(repr((self.periods, self.horizons)).encode())
        for factor, (problem, settings) in self.problems.items():
            how = settings.size, settings.sampler, settings.random_seed
            content.update(
                repr((factor, problem.model, problem.donors, problem.pool, how)).encode()
            )
            content.update(np.ascontiguousarray(problem.treated).tobytes())
            content.update(np.ascontiguousarray(problem.donor_outcomes).tobytes())
        return content.hexdigest()[:32]

    def answers(self) -> dict[float, Refitted]:
        """Refit under every factor."""
        return {factor: self.answer(factor) for factor in self.problems}

    def answer(self, factor: float) -> Refitted:
        """Refit under one factor."""
        problem, settings = self.problems[factor]
        best = settled(problem, settings)
        answer = answer_of(problem, settings, best)
        posterior, process = best.value.sampled.posterior, problem.model.process
        count = len(problem.donors)
        weights = posterior["weights"].to_numpy()[..., :count].reshape(-1, count)
        noise = {name: posterior[name].to_numpy().ravel() for name in process.parameters}
        means = {name: float(values.mean()) for name, values in noise.items()}
        response = response_of(
            problem.panel.treated[0],
            problem.donors,
            weights,
            means,
            process,
            problem.inputs.step,
            self.periods,
        )
        ahead = 1.0 + np.flatnonzero(np.isfinite(problem.observed))
        wanted = sorted({*self.horizons, len(ahead)})
        shown = answer.forecast, answer.row, answer.gap
        return Refitted(*shown, ahead, response, noise_spread(process, noise, wanted))


def noise_spread(process: AbstractNoise, noise: Draws, horizons: Sequence[int]) -> Spread:
    """Return the noise's sd of the average and of the deviations over each number of periods."""
    times = -(-PATHS // len(noise["s"]))
    tiled = {name: np.tile(values, times) for name, values in noise.items()}
    paths = process.simulate(tiled, max(horizons), np.random.default_rng(0))
    spread = {}
    for count in horizons:
        part = paths[:, :count]
        average = part.mean(1)
        deviations = part - average[:, None]
        spread[count] = (
            float(np.sqrt(np.mean(average**2))),
            float(np.sqrt(np.mean(deviations**2))),
        )
    return spread
