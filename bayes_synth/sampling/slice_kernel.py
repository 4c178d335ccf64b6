"""Draw weights without gradients: move weight between pairs of donors, exactly, by slice sampling.

This serves models that are a normal regression on the simplex in coordinates where the noise is
uncorrelated. Given the noise's sds, the weights of two donors, with all others fixed, have a
density on a line: a beta prior times a normal likelihood. It is sampled in the prior's own
quantiles, where a sparse prior is nearly flat, so any donor can take over from any other in one
step, and nothing has to be tuned. ``docs/derivations.md`` derives the formulas.

Numba compiles the code, once per machine. All numbers are in typical steps.

References
----------
Neal (2003), Annals of Statistics 31(3), section 4: stepping out, and shrinkage to the current
point.
"""

from typing import NamedTuple

import numpy as np

from bayes_synth.noise.base import FLOOR
from bayes_synth.sampling.regression import Regression
from bayes_synth.sampling.slice_products import compiled, inner
from bayes_synth.sampling.slice_sds import (
    MOST,
    TINY,
    log_density,
    move_sds,
    products_at,
    ratio_of,
)
from bayes_synth.sampling.slice_whitening import whiten

__all__ = [
    "State",
    "Sweep",
    "advance",
    "block_sums",
    "log_posterior",
    "move_weights",
    "normalise",
    "start",
    "sweeps_per_draw",
    "write_residual",
]

HALF = np.log(0.5)
BLOCK = 32
"""Donors per block of summed weights: a donor is drawn by weight without reading all of them."""
NEGLIGIBLE = 1e-15
"""A weight up to this size changes no likelihood in double precision."""


class State(NamedTuple):
    """Where a chain is.

    ``log_weights`` and ``weights`` have shape ``(donor,)``; the logs stay finite where a weight
    underflows to zero. ``log_sds``, ``(2,)``, are the logs of ``s`` and ``q``.
    """

    log_weights: np.ndarray
    weights: np.ndarray
    log_sds: np.ndarray


class Sweep(NamedTuple):
    """What the moves of weight read and keep up to date while the noise's sds stay as they are.

    ``donors``, ``(donor, row)``, and ``residual``, ``(row,)``, are whitened, see :func:`whiten`:
    their rows are the pre-periods, the columns and the rows of known sd. ``sums`` are the sums of
    the weights by blocks of :data:`BLOCK` donors.
    """

    donors: np.ndarray
    residual: np.ndarray
    sums: np.ndarray


def sweeps_per_draw(donors: int) -> int:
    """Return the number of sweeps per stored draw: more donors mix more slowly."""
    return min(8, 1 + donors // 40)


def start(regression: Regression, rng: np.random.Generator) -> State:
    """Draw a starting point from the prior; what exceeds the caps moves to where there is room."""
    concentration = regression.concentration
    logs = (
        np.log(rng.gamma(concentration + 1))
        - rng.exponential(size=len(concentration)) / concentration
    )
    logs -= np.logaddexp.reduce(logs)
    if (np.exp(logs) > regression.limits.caps).any():
        logs = np.log(regression.limits.below(np.exp(logs)))
    sds = regression.prior_sd * np.abs(rng.standard_normal(2))
    return State(logs, np.exp(logs), np.log(np.maximum(sds, FLOOR)))


@compiled()
def advance(  # type: ignore[no-untyped-def]
    regression, state, sweeps, rng, weights, sds, densities
):
    """Make as many draws as ``weights`` has rows; the state ends at the last of them.

    Parameters
    ----------
    regression, state
        The model, and where the chain is; the state is changed.
    sweeps
        Sweeps per draw: first the sds given the weights, then moves of weight given the sds. With
        none the state stays where it is.
    rng
        A :class:`numpy.random.Generator`.
    weights, sds, densities
        Filled with the draws, shapes ``(draws, donor)``, ``(draws, 2)`` and ``(draws,)``.
    """
    donors, periods = regression.donors.shape
    series, rows = np.empty((donors + 1, periods)), periods + regression.noise.precisions.size
    series[:donors], residual = regression.donors, series[donors]
    whitened = np.empty((donors + 1, rows + regression.known.size))
    whitened[:donors, rows:], known = regression.known_donors, whitened[donors, rows:]
    sweep = Sweep(whitened[:donors], whitened[donors], block_sums(donors))
    for draw in range(weights.shape[0]):
        for _ in range(sweeps):
            normalise(state)
            write_residual(regression.outcome, regression.donors, state, residual)
            move_sds(regression, state, residual, rng)
            whiten(series, regression.noise, state.log_sds, whitened)
            write_residual(regression.known, regression.known_donors, state, known)
            move_weights(regression, state, sweep, rng)
        for j in range(donors):
            weights[draw, j] = state.weights[j]
        for which in range(2):
            sds[draw, which] = np.exp(state.log_sds[which])
        write_residual(regression.known, regression.known_donors, state, known)
        densities[draw] = log_posterior(regression, state, residual, known)


@compiled()
def block_sums(donors):  # type: ignore[no-untyped-def]
    """Return room for the sums of the weights by blocks of donors."""
    return np.empty((donors + BLOCK - 1) // BLOCK)


@compiled()
def log_posterior(regression, state, residual, known):  # type: ignore[no-untyped-def]
    """Return the log density of the weights, ``log s`` and ``log q``, up to a constant."""
    write_residual(regression.outcome, regression.donors, state, residual)
    prior = -0.5 * inner(known, known)
    for j in range(state.weights.size):
        prior += (regression.concentration[j] - 1) * state.log_weights[j]
    products = products_at(regression.noise, residual, ratio_of(state.log_sds))
    return prior + log_density(regression, products, state.log_sds)


@compiled()
def normalise(state):  # type: ignore[no-untyped-def]
    """Make the weights sum to one again: moves keep their sum up to rounding only."""
    total = np.log(_total(state.weights, 0, state.weights.size))
    for j in range(state.weights.size):
        state.log_weights[j] -= total
        state.weights[j] = np.exp(state.log_weights[j])


@compiled()
def write_residual(outcome, donors, state, residual):  # type: ignore[no-untyped-def]
    """Write ``outcome`` minus ``donors @ weights`` into ``residual``."""
    for k in range(residual.size):
        residual[k] = outcome[k]
    for j in range(state.weights.size):
        if state.weights[j] > NEGLIGIBLE:
            for k in range(residual.size):
                residual[k] -= state.weights[j] * donors[j, k]


@compiled()
def _total(values, first, end):  # type: ignore[no-untyped-def]
    """Return the sum of ``values[first:end]``, added from the left."""
    total = 0.0
    for k in range(first, end):
        total += values[k]
    return total


@compiled(fastmath={"reassoc", "contract"})
def _along(x, y, residual):  # type: ignore[no-untyped-def]
    """Return curvature and slope of the log likelihood when weight moves from ``y`` to ``x``."""
    curvature, slope = 0.0, 0.0
    for k in range(residual.size):
        apart = x[k] - y[k]
        curvature += apart * apart
        slope += apart * residual[k]
    return curvature, slope


@compiled()
def move_weights(regression, state, sweep, rng):  # type: ignore[no-untyped-def]
    """Move weight within pairs: of donors in use, of one in use and any other, and of any two.

    When one donor is drawn by its weight and the other blindly, the probability of a pair depends
    on its whole weight, which a move leaves as it is. With both drawn by weight it is the product
    of their weights, which a move changes: hence the correction in :func:`_move_pair`.
    ``docs/derivations.md``, section 3.
    """
    donors = state.weights.size
    if donors == 1:
        return
    sums = sweep.sums
    for b in range(sums.size):
        sums[b] = _total(state.weights, b * BLOCK, min((b + 1) * BLOCK, donors))
    both, one, any_two = max(10, donors // 4), 3 * donors, max(1, donors // 8)
    for n in range(both + one + any_two):
        i = _by_weight(state.weights, sums, rng) if n < both + one else int(rng.random() * donors)
        j = (i + 1 + int(rng.random() * (donors - 1))) % donors
        if n < both:
            j = _by_weight(state.weights, sums, rng)
            if i == j:
                continue
        _move_pair(i, j, n < both, regression, state, sweep, rng)


@compiled()
def _by_weight(weights, sums, rng):  # type: ignore[no-untyped-def]
    """Draw a donor with probability equal to its weight."""
    rest, b = rng.random() * _total(sums, 0, sums.size), 0
    while rest > sums[b] and b < sums.size - 1:
        rest -= sums[b]
        b += 1
    i, last = b * BLOCK, min((b + 1) * BLOCK, weights.size) - 1
    while rest > weights[i] and i < last:
        rest -= weights[i]
        i += 1
    return i


@compiled()
def _move_pair(i, j, by_weight, regression, state, sweep, rng):  # type: ignore[no-untyped-def]
    """Draw how two donors share their weight; ``by_weight`` says whether both were drawn by it."""
    concentration, caps = regression.concentration, regression.limits.caps
    whitened, residual, sums = sweep.donors, sweep.residual, sweep.sums
    logs, weights, mass = state.log_weights, state.weights, state.weights[i] + state.weights[j]
    log_mass = np.log(mass) if mass > TINY else np.logaddexp(logs[i], logs[j])
    curvature, slope = 0.0, 0.0
    if mass > NEGLIGIBLE:
        curvature, slope = _along(whitened[i], whitened[j], residual)
    old = logs[i] - log_mass, logs[j] - log_mass
    within = 0.0, 1.0
    if mass > min(caps[i], caps[j]):
        within = _within(caps[i] / mass, caps[j] / mass, concentration[i], concentration[j])
    new = _share(
        old, concentration[i], concentration[j], mass * mass * curvature, mass * slope, within, rng
    )
    after, rest = mass * np.exp(new[0]), mass * np.exp(new[1])
    if by_weight and rng.random() * weights[i] * weights[j] > after * rest:
        return
    moved = after - weights[i]
    sums[i // BLOCK] += moved
    sums[j // BLOCK] += rest - weights[j]
    logs[i], logs[j], weights[i], weights[j] = log_mass + new[0], log_mass + new[1], after, rest
    if mass > NEGLIGIBLE:
        for k in range(residual.size):
            residual[k] -= moved * (whitened[i, k] - whitened[j, k])


@compiled()
def _within(most, most_of_rest, a, b):  # type: ignore[no-untyped-def]
    """Return the coordinates of :func:`_share` between which neither share exceeds its cap."""
    p, q, low, high = min(a, 1.0), min(b, 1.0), 1 - most_of_rest, 1 - most
    left, right = 0.0, 1.0
    if low >= 0.5:
        left = 1 - 0.5 * np.exp(q * (np.log(most_of_rest) - HALF))
    elif low > 0:
        left = 0.5 * np.exp(p * (np.log(low) - HALF))
    if high >= 0.5:
        right = 0.5 * np.exp(p * (np.log(most) - HALF))
    elif high > 0:
        right = 1 - 0.5 * np.exp(q * (np.log(high) - HALF))
    return left, right


@compiled()
def _share(old, a, b, curvature, slope, within, rng):  # type: ignore[no-untyped-def]
    """Draw the share ``u`` of the first of two donors by a slice that starts at ``old``.

    Both ``old`` and the answer are the logs of ``u`` and of ``1 - u``; ``a`` and ``b`` are the
    concentrations, and the coordinate stays ``within`` two ends. The slice is taken in a coordinate
    close to the prior's quantile, where the density of a sparse prior stays within a factor of two
    to the power ``1 - a``.
    ``docs/derivations.md``, section 2.
    """
    (log_u, log_rest), p, q = old, min(a, 1.0), min(b, 1.0)
    below, above, before = _log_jacobian(p), _log_jacobian(q), np.exp(log_u)
    if log_u < log_rest:
        here, height = (
            0.5 * np.exp(p * (log_u - HALF)),
            below + (b - 1) * log_rest + (a - p) * log_u,
        )
    else:
        here, height = (
            1 - 0.5 * np.exp(q * (log_rest - HALF)),
            above + (a - 1) * log_u + (b - q) * log_rest,
        )
    height -= rng.standard_exponential()
    # Rounding may leave the current point a last digit outside of its ends.
    left, right = min(within[0], here), max(within[1], here)
    for _ in range(MOST):
        point = left + (right - left) * rng.random()
        if point < 0.5:
            log_u = HALF + np.log(2 * max(point, TINY)) / p
            u = np.exp(log_u)
            log_rest = np.log1p(-u)
            value = below + (b - 1) * log_rest + (a - p) * log_u
        else:
            log_rest = HALF + np.log(2 * max(1 - point, TINY)) / q
            u = 1 - np.exp(log_rest)
            log_u = np.log(u)
            value = above + (a - 1) * log_u + (b - q) * log_rest
        change = u - before
        if value + change * (slope - 0.5 * curvature * change) >= height:
            return log_u, log_rest
        if point < here:
            left = point
        else:
            right = point
    return old


@compiled()
def _log_jacobian(power):  # type: ignore[no-untyped-def]
    """Return the log of ``u^(p-1)`` over the slope of ``(2u)^p / 2``: of ``2^(1-p) / p``."""
    return -(1 - power) * HALF - np.log(power)
