"""A model in the form that the slice sampler takes: a normal regression on the simplex."""

from typing import NamedTuple

import numpy as np

from bayes_synth.noise.base import AbstractNoise, DiagonalNoise

__all__ = ["Regression", "regression"]


class Regression(NamedTuple):
    """A model as a regression: rotated ``outcome``, ``(pre,)``, on rotated ``donors``, ``(donor, pre)``.

    ``concentration``, ``(donor,)``, is the Dirichlet's; ``prior_sd``, ``(2,)``, are the half-normals' of ``s`` and ``q``,
    the second 0 where the noise has no ``q``.
    """

    outcome: np.ndarray
    donors: np.ndarray
    concentration: np.ndarray
    noise: DiagonalNoise
    prior_sd: np.ndarray


def regression(
    process: AbstractNoise,
    noise: DiagonalNoise,
    concentration: float | np.ndarray,
    outcome: np.ndarray,
    donors: np.ndarray,
) -> Regression:
    """Series in time, shapes ``(pre,)`` and ``(pre, donor)``, with their noise and the concentration of their weights."""
    scales = process.priors()
    if process.level_precision == 0:
        # A free level takes up the series' own, which would cancel in the sampler, with a loss of digits.
        outcome, donors = outcome - outcome.mean(), donors - donors.mean(0)
    return Regression(
        np.array(process.rotate(outcome)),
        np.ascontiguousarray(process.rotate(donors).T),
        np.full(donors.shape[1], concentration, dtype=float),
        noise,
        np.array([float(scales[name].sigma) if name in scales else 0.0 for name in ("s", "q")]),
    )
