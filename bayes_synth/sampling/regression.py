"""A model in the form that the slice sampler takes: a normal regression on the simplex."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bayes_synth.noise.base import AbstractNoise, DiagonalNoise
from bayes_synth.priors import Limits

__all__ = [
    "COEFFICIENTS",
    "OUTCOME_SDS",
    "Covariates",
    "Outcomes",
    "Regression",
    "Rows",
    "regression",
    "with_outcomes",
]

COEFFICIENTS = "coefficients"
"""The variable of the covariates' coefficients, in prior sds where a sampler returns it."""


OUTCOME_SDS = "outcome_sds"
"""The variable of the sds of the auxiliary outcomes' noise, in each one's own typical steps."""


class Covariates(NamedTuple):
    """Series that move the outcome by a common coefficient each, whose prior sd is 1.

    ``treated`` has shape ``(covariate, time)`` and ``donors`` ``(covariate, donor, time)``.
    """

    treated: np.ndarray
    donors: np.ndarray


class Outcomes(NamedTuple):
    """Auxiliary outcomes, rotated, each in its own typical steps.

    ``treated`` has shape ``(outcome, pre)``, ``donors`` ``(outcome, donor, pre)``, and
    ``prior_sds`` ``(outcome, 2)``, as :class:`Regression` has for the main outcome.
    """

    treated: np.ndarray
    donors: np.ndarray
    prior_sds: np.ndarray


class Regression(NamedTuple):
    """The regression of rotated ``outcome``, ``(pre,)``, on rotated ``donors``, ``(donor, pre)``.

    ``concentration``, ``(donor,)``, is the Dirichlet's. ``prior_sd``, ``(2,)``, are the scale
    parameters of the half-normal priors of ``s`` and ``q``; the second is 0 where the noise has no
    ``q``. Series and sds are in typical steps. ``known``, ``(row,)``, and ``known_donors``,
    ``(donor, row)``, are further rows whose noise has a known sd, by which they are divided.

    With limits on the weights it is the regression on the shares of :class:`Limits`: what the
    least weights explain is subtracted from the outcome, and the donors are multiplied by what is
    left to share.

    With ``covariates``, rotated like the outcome, it is the regression given that all coefficients
    are zero: given others, each series loses what they explain.

    With ``outcomes`` it is the regression of the main outcome; the others share its weights, and
    have noise of the same form with sds of their own.
    """

    outcome: np.ndarray
    donors: np.ndarray
    concentration: np.ndarray
    noise: DiagonalNoise
    prior_sd: np.ndarray
    known: np.ndarray
    known_donors: np.ndarray
    limits: Limits
    covariates: Covariates | None = None
    outcomes: Outcomes | None = None


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
    covariates: Covariates | None = None,
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
    covariates
        Before ``start``, not rotated; None for none.
    """
    limits = limits or Limits.none(donors.shape[1])
    rows = known or Rows(np.zeros(0), np.zeros((0, donors.shape[1])))
    if limits.raised:
        rows = Rows(rows.treated - rows.donors @ limits.floor, limits.free * rows.donors)
    priors = process.priors()
    return Regression(
        *_rotated(process, limits, outcome, donors),
        np.full(donors.shape[1], concentration, dtype=float),
        noise,
        np.array([float(priors[name].sigma) if name in priors else 0.0 for name in ("s", "q")]),
        np.array(rows.treated, dtype=float),
        np.ascontiguousarray(rows.donors.T, dtype=float),
        limits,
        covariates and _rotated_covariates(process, limits, covariates),
    )


def with_outcomes(main: Regression, others: Sequence[Regression]) -> Regression:
    """Add auxiliary outcomes, whose regressions have the donors and the noise of the main one."""
    if not others:
        return main
    parts = [(each.outcome, each.donors, each.prior_sd) for each in others]
    return main._replace(outcomes=Outcomes(*map(np.stack, zip(*parts, strict=True))))


def _rotated(
    process: AbstractNoise, limits: Limits, treated: np.ndarray, donors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotate series over time, ``(pre,)`` and ``(pre, donor)``, with limits taken into account."""
    if limits.raised:
        treated, donors = treated - donors @ limits.floor, limits.free * donors
    if process.level_precision == 0:
        # A free level absorbs the means of the series; left in, they would cost digits.
        treated, donors = treated - treated.mean(), donors - donors.mean(0)
    return np.array(process.rotate(treated)), np.ascontiguousarray(process.rotate(donors).T)


def _rotated_covariates(
    process: AbstractNoise, limits: Limits, covariates: Covariates
) -> Covariates:
    """Rotate every covariate as outcomes are."""
    pairs = [
        _rotated(process, limits, treated, donors.T)
        for treated, donors in zip(covariates.treated, covariates.donors, strict=True)
    ]
    return Covariates(*(np.stack(series) for series in zip(*pairs, strict=True)))
