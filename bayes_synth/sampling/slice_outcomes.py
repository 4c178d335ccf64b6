"""Draw weights that several outcomes share: noise of its own for each, one set of weights for all.

Given the sds of every outcome's noise the whitened series of all outcomes, one after the other, are
one regression on the weights; given the weights every outcome's sds are those of a regression of
its own. ``docs/derivations.md``, section 8.
"""

import numpy as np

from bayes_synth.sampling.regression import Regression
from bayes_synth.sampling.slice_kernel import (
    State,
    Sweep,
    block_sums,
    log_posterior,
    move_weights,
    normalise,
    write_residual,
)
from bayes_synth.sampling.slice_products import compiled
from bayes_synth.sampling.slice_sds import log_density, move_sds, products_at, ratio_of
from bayes_synth.sampling.slice_whitening import whiten

__all__ = ["advance_with_outcomes"]


@compiled()
def advance_with_outcomes(  # type: ignore[no-untyped-def]
    regression, outcomes, state, log_sds, sweeps, rng, draws
):
    """Make as many draws as ``draws`` has rows, as ``advance`` does for one outcome.

    Parameters
    ----------
    regression, outcomes
        The model of the main outcome, and the auxiliary ones.
    state, log_sds
        Where the chain is, the second with shape ``(outcome, 2)`` for the auxiliary outcomes; both
        are changed.
    sweeps, rng
        As for :func:`bayes_synth.sampling.slice_kernel.advance`.
    draws
        Filled: ``weights``, ``sds`` and ``densities`` as there, and ``outcome_sds``, shape
        ``(draws, outcome, 2)``.
    """
    count, (donors, periods) = log_sds.shape[0], regression.donors.shape
    each = periods + regression.noise.precisions.size
    known = (count + 1) * each
    whitened = np.empty((donors, known + regression.known.size))
    whitened[:, known:] = regression.known_donors
    residual, block = np.empty((1, periods)), np.empty((donors, each))
    white, sums = np.empty(whitened.shape[1]), block_sums(donors)
    sweep = Sweep(whitened, white, sums)
    for draw in range(draws.weights.shape[0]):
        for _ in range(sweeps):
            normalise(state)
            for k in range(count + 1):
                own, its_state = _of_outcome(regression, outcomes, state, log_sds, k)
                write_residual(own.outcome, own.donors, state, residual[0])
                move_sds(own, its_state, residual[0], rng)
                whiten(own.donors, own.noise, its_state.log_sds, block)
                whitened[:, k * each : (k + 1) * each] = block
                whiten(residual, own.noise, its_state.log_sds, block[:1])
                white[k * each : (k + 1) * each] = block[0]
            write_residual(regression.known, regression.known_donors, state, white[known:])
            move_weights(regression, state, sweep, rng)
        draws.weights[draw] = state.weights
        draws.sds[draw] = np.exp(state.log_sds)
        draws.outcome_sds[draw] = np.exp(log_sds)
        write_residual(regression.known, regression.known_donors, state, white[known:])
        density = log_posterior(regression, state, residual[0], white[known:])
        for k in range(1, count + 1):
            own, its_state = _of_outcome(regression, outcomes, state, log_sds, k)
            write_residual(own.outcome, own.donors, state, residual[0])
            products = products_at(own.noise, residual[0], ratio_of(its_state.log_sds))
            density += log_density(own, products, its_state.log_sds)
        draws.densities[draw] = density


@compiled()
def _of_outcome(regression, outcomes, state, log_sds, k):  # type: ignore[no-untyped-def]
    """Return the regression and the state of outcome ``k``; the main one is 0."""
    if k == 0:
        return regression, state
    own = Regression(
        outcomes.treated[k - 1],
        outcomes.donors[k - 1],
        regression.concentration,
        regression.noise,
        outcomes.prior_sds[k - 1],
        regression.known,
        regression.known_donors,
        regression.limits,
        None,
        None,
    )
    return own, State(state.log_weights, state.weights, log_sds[k - 1])
