"""Posterior draws without gradients: weight is moved between pairs of donors, exactly, by slice sampling.

For models that are a normal regression on the simplex in coordinates where the noise is uncorrelated. Given the noise's
scales the weights of two donors, with all others fixed, have a density on a line: a beta prior times a normal
likelihood. It is sampled in the prior's own quantiles, where a sparse prior is nearly flat, so that any donor can take
over from any other in one step, and nothing is to be tuned.

Compiled by numba, once per machine; everything is in units of the panel's scale.

References
----------
Neal (2003), Annals of Statistics 31(3), section 4, for slices: stepping out, and shrinkage to the current point.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from bayes_synth.noise.base import FLOOR
from bayes_synth.sampling.regression import Regression

__all__ = ["State", "advance", "start", "sweeps_per_draw"]

HALF = np.log(0.5)
BLOCK = 32
"""Weights are summed in blocks of so many, to draw a donor by its weight without reading them all."""
NEGLIGIBLE = 1e-15
"""Weight that no likelihood can see in double precision."""
MOST = 200
"""Shrinkings of a slice, each by half on average, before rounding is to blame and the point stays."""
TINY = 1e-300
"""Instead of a quantile of exactly zero; weights below it are known by their logarithms only."""
WIDTHS = np.array([1.0, 1.5])
"""First widths of the slices of log s and log q; wrong ones cost time only."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Numba's compiler; where no folder can be written to keep the code, each process compiles for itself."""

    def decorated(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:
            return njit(nogil=True, **options)(function)

    return decorated


class State(NamedTuple):
    """Where a chain is: logs of the weights, which may underflow, the weights, and logs of ``s`` and ``q``."""

    log_weights: np.ndarray
    weights: np.ndarray
    log_scales: np.ndarray


def sweeps_per_draw(donors: int) -> int:
    """Sweeps between two stored draws: more donors mix more slowly."""
    return min(8, 1 + donors // 40)


def start(regression: Regression, rng: np.random.Generator) -> State:
    """A point drawn from the prior."""
    concentration = regression.concentration
    logs = (
        np.log(rng.gamma(concentration + 1))
        - rng.exponential(size=len(concentration)) / concentration
    )
    logs -= np.logaddexp.reduce(logs)
    scales = regression.prior_sd * np.abs(rng.standard_normal(2))
    return State(logs, np.exp(logs), np.log(np.maximum(scales, FLOOR)))


@compiled()
def advance(regression, state, sweeps, rng, weights, scales, densities):  # type: ignore[no-untyped-def]
    """As many draws as ``weights`` has rows, each after some sweeps; the state ends at the last.

    Parameters
    ----------
    regression, state
        The model, and where the chain is; the state is changed.
    sweeps
        Sweeps per draw: the scales given the weights, then moves of weight given the scales. With none the state stays.
    rng
        A :class:`numpy.random.Generator`.
    weights, scales, densities
        Filled with the draws, shapes ``(draws, donor)``, ``(draws, 2)`` and ``(draws,)``.
    """
    donors, periods = regression.donors.shape
    whitened, residual = np.empty((donors, periods + 2)), np.empty((1, periods))
    white, sums = np.empty((1, periods + 2)), np.empty((donors + BLOCK - 1) // BLOCK)
    for draw in range(weights.shape[0]):
        for _ in range(sweeps):
            _normalise(state)
            _residual(regression, state, residual[0])
            for _ in range(2):
                for which in range(2):
                    if regression.prior_sd[which] > 0:
                        _move_scale(which, regression, state, residual[0], rng)
            _whiten(regression.donors, regression.noise, state.log_scales, whitened)
            _whiten(residual, regression.noise, state.log_scales, white)
            _move_weights(regression, state, whitened, white[0], sums, rng)
        for j in range(donors):
            weights[draw, j] = state.weights[j]
        for which in range(2):
            scales[draw, which] = np.exp(state.log_scales[which])
        densities[draw] = _log_posterior(regression, state, residual[0])


@compiled()
def _log_posterior(regression, state, residual):  # type: ignore[no-untyped-def]
    """Log density of weights, ``log s`` and ``log q``, up to a constant."""
    _residual(regression, state, residual)
    prior = 0.0
    for j in range(state.weights.size):
        prior += (regression.concentration[j] - 1) * state.log_weights[j]
    return prior + _log_density(regression, state.log_scales, residual)


@compiled()
def _normalise(state):  # type: ignore[no-untyped-def]
    """Moves keep the sum of the weights up to rounding; start every sweep at exactly one."""
    total = np.log(_total(state.weights, 0, state.weights.size))
    for j in range(state.weights.size):
        state.log_weights[j] -= total
        state.weights[j] = np.exp(state.log_weights[j])


@compiled()
def _residual(regression, state, residual):  # type: ignore[no-untyped-def]
    for k in range(residual.size):
        residual[k] = regression.outcome[k]
    for j in range(state.weights.size):
        if state.weights[j] > NEGLIGIBLE:
            for k in range(residual.size):
                residual[k] -= state.weights[j] * regression.donors[j, k]


@compiled()
def _log_density(regression, log_scales, residual):  # type: ignore[no-untyped-def]
    """Log likelihood with level and slope integrated out, plus the log prior of the scales' logs."""
    noise, s, q = regression.noise, np.exp(log_scales[0]), np.exp(log_scales[1])
    aa, ab, bb = noise.precisions[0], 0.0, noise.precisions[1]
    squares, a, b, logs, product = 0.0, 0.0, 0.0, 0.0, 1.0
    for k in range(residual.size):
        variance = s * s + FLOOR * FLOOR + q * q * noise.walk[k]
        scaled, first, second = residual[k] / variance, noise.columns[k, 0], noise.columns[k, 1]
        squares += residual[k] * scaled
        a += first * scaled
        b += second * scaled
        aa += first * first / variance
        ab += first * second / variance
        bb += second * second / variance
        product *= variance
        if not 1e-100 < product < 1e100:
            logs += np.log(product)
            product = 1.0
    information = aa * bb - ab * ab
    squares -= (bb * a * a - 2 * ab * a * b + aa * b * b) / information
    value = -0.5 * (squares + logs + np.log(product) + np.log(information))
    for which in range(2):
        if regression.prior_sd[which] > 0:
            value += (
                log_scales[which]
                - 0.5 * (np.exp(log_scales[which]) / regression.prior_sd[which]) ** 2
            )
    return value


@compiled()
def _move_scale(which, regression, state, residual, rng):  # type: ignore[no-untyped-def]
    """A slice of ``log s`` or ``log q``."""
    logs, width = state.log_scales, WIDTHS[which]
    here = logs[which]
    height = _log_density(regression, logs, residual) - rng.standard_exponential()
    left = here - width * rng.random()
    right = left + width
    logs[which] = left
    while _log_density(regression, logs, residual) > height:
        left -= width
        logs[which] = left
    logs[which] = right
    while _log_density(regression, logs, residual) > height:
        right += width
        logs[which] = right
    for _ in range(MOST):
        logs[which] = left + (right - left) * rng.random()
        if _log_density(regression, logs, residual) >= height:
            return
        if logs[which] < here:
            left = logs[which]
        else:
            right = logs[which]
    logs[which] = here


@compiled()
def _whiten(rows, noise, log_scales, out):  # type: ignore[no-untyped-def]
    """Rows of length ``periods + 2`` whose inner products are those of ``rows`` under the noise's precision.

    What level and slope explain is taken out; their own prior's share stands in the last two places.
    """
    periods, s, q = rows.shape[1], np.exp(log_scales[0]), np.exp(log_scales[1])
    root, first, second = np.empty(periods), np.empty(periods), np.empty(periods)
    for k in range(periods):
        root[k] = 1 / np.sqrt(s * s + FLOOR * FLOOR + q * q * noise.walk[k])
        first[k], second[k] = noise.columns[k, 0] * root[k], noise.columns[k, 1] * root[k]
    aa, bb = (
        noise.precisions[0] + _inner(first, first),
        noise.precisions[1] + _inner(second, second),
    )
    ab = _inner(first, second)
    information = aa * bb - ab * ab
    for j in range(rows.shape[0]):
        white = out[j, :periods]
        for k in range(periods):
            white[k] = rows[j, k] * root[k]
        a, b = _inner(white, first), _inner(white, second)
        level, slope = (bb * a - ab * b) / information, (aa * b - ab * a) / information
        for k in range(periods):
            white[k] -= level * first[k] + slope * second[k]
        out[j, periods] = np.sqrt(noise.precisions[0]) * level
        out[j, periods + 1] = np.sqrt(noise.precisions[1]) * slope


@compiled()
def _total(values, first, end):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(first, end):
        total += values[k]
    return total


@compiled(fastmath={"reassoc", "contract"})
def _inner(x, y):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(x.size):
        total += x[k] * y[k]
    return total


@compiled(fastmath={"reassoc", "contract"})
def _along(x, y, residual):  # type: ignore[no-untyped-def]
    """Curvature and slope of the log likelihood when weight moves from ``y`` to ``x``."""
    curvature, slope = 0.0, 0.0
    for k in range(residual.size):
        apart = x[k] - y[k]
        curvature += apart * apart
        slope += apart * residual[k]
    return curvature, slope


@compiled()
def _move_weights(regression, state, whitened, residual, sums, rng):  # type: ignore[no-untyped-def]
    """A sweep: pairs of donors in use, pairs with one in use, and pairs of any two.

    When one donor is drawn by its weight and the other blindly, a pair's probability depends on its whole weight, which
    a move leaves as it is. With two drawn by weight it is the product, which does change: hence the correction.
    """
    donors = state.weights.size
    if donors == 1:
        return
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
        _move_pair(i, j, n < both, regression.concentration, state, whitened, residual, sums, rng)


@compiled()
def _by_weight(weights, sums, rng):  # type: ignore[no-untyped-def]
    """A donor with probability equal to its weight."""
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
def _move_pair(i, j, by_weight, concentration, state, whitened, residual, sums, rng):  # type: ignore[no-untyped-def]
    """Two donors share their weight anew."""
    logs, weights, mass = state.log_weights, state.weights, state.weights[i] + state.weights[j]
    log_mass = np.log(mass) if mass > TINY else np.logaddexp(logs[i], logs[j])
    curvature, slope = 0.0, 0.0
    if mass > NEGLIGIBLE:
        curvature, slope = _along(whitened[i], whitened[j], residual)
    old = logs[i] - log_mass, logs[j] - log_mass
    new = _share(
        old, concentration[i], concentration[j], mass * mass * curvature, mass * slope, rng
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
def _share(old, a, b, curvature, slope, rng):  # type: ignore[no-untyped-def]
    """A slice of the share ``u`` of the first of two donors; logs of ``u`` and of ``1 - u``, from ``old``.

    The coordinate is ``(2u)^p / 2`` below one half and ``1 - (2(1-u))^q / 2`` above, with ``p`` and ``q`` the concentrations
    ``a`` and ``b``, but at most 1: in it a sparse prior is nearly flat, its density staying within a factor of two to the
    power ``1 - a``.
    """
    (log_u, log_rest), p, q = old, min(a, 1.0), min(b, 1.0)
    below, above, before, left, right = _constant(p), _constant(q), np.exp(log_u), 0.0, 1.0
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
def _constant(power):  # type: ignore[no-untyped-def]
    """Log of ``u^(p-1)`` over the slope of the coordinate of power ``p`` there, ``2^(1-p) / p``."""
    return -(1 - power) * HALF - np.log(power)
