"""A model in the form that the slice sampler takes: a normal regression on the simplex."""

from typing import NamedTuple

import numpy as np

from bayes_synth.noise.base import AbstractNoise, DiagonalNoise
from bayes_synth.priors import Limits

__all__ = ["Regression", "Rows", "regression"]


class Regression(NamedTuple):
    """The regression of rotated ``outcome``, ``(pre,)``, on rotated ``donors``, ``(donor, pre)``.

    ``concentration``, ``(donor,)``, is the Dirichlet's. ``prior_sd``, ``(2,)``, are the scale
    parameters of the half-normal priors of ``s`` and ``q``; the second is 0 where the noise has no
    ``q``. Series and sds are in typical steps. ``known``, ``(row,)``, and ``known_donors``,
    ``(donor, row)``, are further rows whose noise has a known sd, by which they are divided.

    With limits on the weights it is the regression on the shares of :class:`Limits`: what the
    least weights explain is subtracted from the outcome, and the donors are multiplied by what is
    left to share.
    """

    outcome: np.ndarray
    donors: np.ndarray
    concentration: np.ndarray
    noise: DiagonalNoise
    prior_sd: np.ndarray
    known: np.ndarray
    known_donors: np.ndarray
    limits: Limits


class Rows(NamedTuple):
    """Rows to match beside the outcomes, divided by the known sd of their noise.

    ``treated`` has shape ``(row,)`` and ``donors`` ``(row, donor)``.
    """

    treated: np.ndarray
    donors: np.ndarray


def regression(
    process: AbstractNoise,
    noise: DiagonalNoise,
    concentration: float | np.ndarray,
    outcome: np.ndarray,
    donors: np.ndarray,
    known: Rows | None = None,
    limits: Limits | None = None,
) -> Regression:
    """Write a model as a regression.

    Parameters
    ----------
    process, noise
        The noise, and its diagonal form.
    concentration
        Of the Dirichlet prior: one number, or one per donor.
    outcome, donors
        Series over time, not rotated, shapes ``(pre,)`` and ``(pre, donor)``.
    known
        Rows whose noise has a known sd.
    limits
        Limits on the weights; None for none.
    """
    limits = limits or Limits.none(donors.shape[1])
    rows = known or Rows(np.zeros(0), np.zeros((0, donors.shape[1])))
    if limits.raised:
        outcome, donors = outcome - donors @ limits.floor, limits.free * donors
        rows = Rows(rows.treated - rows.donors @ limits.floor, limits.free * rows.donors)
    priors = process.priors()
    if process.level_precision == 0:
        # A free level absorbs the means of the series; left in, they would cost digits.
        outcome, donors = outcome - outcome.mean(), donors - donors.mean(0)
    return Regression(
        np.array(process.rotate(outcome)),
        np.ascontiguousarray(process.rotate(donors).T),
        np.full(donors.shape[1], concentration, dtype=float),
        noise,
        np.array([float(priors[name].sigma) if name in priors else 0.0 for name in ("s", "q")]),
        np.array(rows.treated, dtype=float),
        np.ascontiguousarray(rows.donors.T, dtype=float),
        limits,
    )
