"""Move the noise's sds given the weights: their ratio, and their common size.

``docs/derivations.md``, sections 1 and 6, derives the formulas. All numbers are in typical steps.
"""

from typing import NamedTuple

import numpy as np

from bayes_synth.noise.base import FLOOR
from bayes_synth.sampling.slice_products import compiled, multiply

__all__ = [
    "MOST",
    "TINY",
    "log_density",
    "move_sds",
    "products_at",
    "ratio_of",
]

MOST = 200
"""Most shrink steps per slice; beyond this rounding is the cause and the current point is kept."""
TINY = 1e-300
"""Stands for a quantile of exactly zero; smaller weights are kept by their logarithms only."""
WIDTH = 0.5
"""First width of the slices of log s; it changes the cost, never the draws' law."""
SPREAD = 1.5
"""Of the logistic law in whose quantiles the ratio of q to s is moved; no draw's law depends on it.
"""
STRETCH = 8
"""Variances whose product cannot overflow: one logarithm for so many."""
NEARLY_FREE = 1e-6
"""Share of the precisions of the columns in the fit that a move of the ratio keeps."""


class Products(NamedTuple):
    """Inner products that the likelihood of the noise's sds is made of, see :func:`products_at`.

    Of the residual with itself, of two columns with it, and of two columns with each other;
    ``logs`` is the sum of the variances' logs. More columns have ``matrix``,
    ``(column, column + 1)``, in place of the five numbers: the upper triangle of their products
    with each other, and in the last place those with the residual. It is empty otherwise.
    """

    squares: float
    a: float
    b: float
    aa: float
    ab: float
    bb: float
    logs: float
    matrix: np.ndarray


@compiled()
def products_at(noise, residual, ratio):  # type: ignore[no-untyped-def]
    """Return inner products of residual and columns weighted by the precisions of noise of scale 1.

    Noise of scale 1 has the variances ``1 + ratio^2 walk``. The sum of their logarithms takes one
    per :data:`STRETCH` coordinates.
    """
    if noise.precisions.size > 2:
        return _products_of_many(noise, residual, ratio)
    square = ratio * ratio
    squares, a, b, aa, ab, bb, logs = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for first in range(0, residual.size, STRETCH):
        product = 1.0
        for k in range(first, min(first + STRETCH, residual.size)):
            variance = 1 + square * noise.walk[k]
            product *= variance
            precision, one, two = 1 / variance, noise.columns[0, k], noise.columns[1, k]
            squares += residual[k] * residual[k] * precision
            a += one * residual[k] * precision
            b += two * residual[k] * precision
            aa += one * one * precision
            ab += one * two * precision
            bb += two * two * precision
        logs += np.log(product)
    return Products(squares, a, b, aa, ab, bb, logs, noise.columns[:0])


@compiled()
def _products_of_many(noise, residual, ratio):  # type: ignore[no-untyped-def]
    """Return the products of :func:`products_at` for more than two columns."""
    square, (count, periods) = ratio * ratio, noise.columns.shape
    precision, weighted, logs, squares = np.empty(periods), np.empty((count, periods)), 0.0, 0.0
    for first in range(0, periods, STRETCH):
        product = 1.0
        for k in range(first, min(first + STRETCH, periods)):
            variance = 1 + square * noise.walk[k]
            product *= variance
            precision[k] = 1 / variance
            squares += residual[k] * residual[k] * precision[k]
        logs += np.log(product)
    for c in range(count):
        for k in range(periods):
            weighted[c, k] = precision[k] * noise.columns[c, k]
    matrix, with_residual = np.empty((count, count + 1)), np.empty((1, count))
    multiply(weighted, noise.columns, matrix, True)
    multiply(residual.reshape(1, -1), weighted, with_residual, False)
    matrix[:, count] = with_residual[0]
    return Products(squares, 0.0, 0.0, 0.0, 0.0, 0.0, logs, matrix)


@compiled(fastmath={"contract"})
def _misfit_of_many(products, precisions, scale):  # type: ignore[no-untyped-def]
    """Return what :func:`_misfit` returns for more than two columns, by Gaussian elimination.

    Information matrix and products with the residual are eliminated ``scale`` times as large.
    """
    count, rows, inverse_scale = precisions.size, products.matrix.copy(), 1 / scale
    explained, logs, product, c = 0.0, 0.0, 1.0, 0
    while c < count:
        pivot = rows[c, c] + scale * precisions[c]
        inverse = 1 / pivot
        explained += rows[c, count] * rows[c, count] * inverse
        product *= pivot * inverse_scale
        if c + 1 < count:
            # Two columns at a time read and write the rest half as often.
            share = rows[c, c + 1] * inverse
            for e in range(c + 1, count + 1):
                rows[c + 1, e] -= share * rows[c, e]
            second = rows[c + 1, c + 1] + scale * precisions[c + 1]
            inverse_second = 1 / second
            explained += rows[c + 1, count] * rows[c + 1, count] * inverse_second
            product *= second * inverse_scale
            for d in range(c + 2, count):
                one, two = rows[c, d] * inverse, rows[c + 1, d] * inverse_second
                for e in range(d, count + 1):
                    rows[d, e] -= one * rows[c, e] + two * rows[c + 1, e]
        c += 2
        if c % STRETCH == 0:
            logs += np.log(product)
            product = 1.0
    return (products.squares - explained) * inverse_scale, logs + np.log(product)


@compiled()
def _misfit(products, precisions, scale):  # type: ignore[no-untyped-def]
    """Return the residual's weighted sum of squares and the log determinant of the information.

    The columns are integrated out; two of them by their 2x2 information matrix
    ``[[aa, ab], [ab, bb]]``. The noise's variances are ``scale`` times those of ``products``.
    ``docs/derivations.md``, section 1.
    """
    if precisions.size > 2:
        return _misfit_of_many(products, precisions, scale)
    a, b, ab = products.a / scale, products.b / scale, products.ab / scale
    aa, bb = precisions[0] + products.aa / scale, precisions[1] + products.bb / scale
    information = aa * bb - ab * ab
    explained = (bb * a * a - 2 * ab * a * b + aa * b * b) / information
    return products.squares / scale - explained, np.log(information)


@compiled()
def log_density(regression, products, log_sds):  # type: ignore[no-untyped-def]
    """Return the log likelihood plus the log prior of ``log s`` and ``log q``, up to a constant.

    ``products`` are those at the ratio of ``q`` to the floored ``s``.
    """
    scale = np.exp(2 * log_sds[0]) + FLOOR * FLOOR
    squares, information = _misfit(products, regression.noise.precisions, scale)
    logs = products.logs + regression.outcome.size * np.log(scale)
    value = -0.5 * (squares + logs + information)
    for which in range(2):
        if regression.prior_sd[which] > 0:
            relative = np.exp(log_sds[which]) / regression.prior_sd[which]
            value += log_sds[which] - 0.5 * relative**2
    return value


@compiled()
def _log_floored(log_s):  # type: ignore[no-untyped-def]
    """Return the log of the observation noise's sd with its floor."""
    return 0.5 * np.log(np.exp(2 * log_s) + FLOOR * FLOOR)


@compiled()
def ratio_of(log_sds):  # type: ignore[no-untyped-def]
    """Return the ratio of ``q`` to the floored ``s``."""
    return np.exp(log_sds[1] - _log_floored(log_sds[0]))


@compiled()
def move_sds(regression, state, residual, rng):  # type: ignore[no-untyped-def]
    """Move ``s`` and ``q``: their ratio, and their common size, twice each."""
    logs = state.log_sds
    products = products_at(regression.noise, residual, ratio_of(logs))
    density = log_density(regression, products, logs)
    if regression.prior_sd[1] == 0:
        _move_size(regression, products, density, logs, rng)
        return
    for _ in range(1 if regression.noise.precisions.size > 2 else 2):
        products, density = _move_ratio(regression, products, density, logs, residual, rng)
        density = _move_size(regression, products, density, logs, rng)


@compiled()
def _move_size(regression, products, density, logs, rng):  # type: ignore[no-untyped-def]
    """Move ``log s`` by slice sampling with stepping out, while ``q`` over the floored ``s`` stays.

    An evaluation reads ``products`` only, so it costs the same however many periods there are.
    ``density`` is the one here; returns the one at the new place.
    """
    here, apart = logs[0], logs[1] - _log_floored(logs[0])
    height = density - rng.standard_exponential()
    left = here - WIDTH * rng.random()
    right = left + WIDTH
    while _resized(regression, products, logs, left, apart) > height:
        left -= WIDTH
    while _resized(regression, products, logs, right, apart) > height:
        right += WIDTH
    for _ in range(MOST):
        point = left + (right - left) * rng.random()
        value = _resized(regression, products, logs, point, apart)
        if value >= height:
            return value
        if point < here:
            left = point
        else:
            right = point
    return _resized(regression, products, logs, here, apart)


@compiled()
def _resized(regression, products, logs, log_s, apart):  # type: ignore[no-untyped-def]
    """Set ``log s``, and ``log q`` at this distance from its floored value; return the density."""
    logs[0], logs[1] = log_s, apart + _log_floored(log_s)
    return log_density(regression, products, logs)


@compiled()
def _move_ratio(regression, products, density, logs, residual, rng):  # type: ignore[no-untyped-def]
    """Move the ratio of ``q`` to the floored ``s`` while both fit the residual equally well.

    The slice is taken over the whole line at once, so that it can leave a mode in which the noise
    is independent for one in which the level wanders. ``docs/derivations.md``, section 2.
    ``density`` is the one here; returns the products and the density at the new ratio.
    """
    log_s, log_q = logs[0], logs[1]
    size, middle = _log_floored(log_s), -0.5 * np.log(residual.size)
    fixed = size - 0.5 * np.log(_free_squares(products, regression.noise.precisions))
    here = 1 / (1 + np.exp((middle - log_q + size) / SPREAD))
    height = density + 2 * (size - log_s)
    height -= np.log(here * (1 - here)) + rng.standard_exponential()
    left, right = 0.0, 1.0
    for _ in range(MOST):
        point = left + (right - left) * rng.random()
        apart = middle + SPREAD * np.log(point / (1 - point))
        new = products_at(regression.noise, residual, np.exp(apart))
        size = fixed + 0.5 * np.log(_free_squares(new, regression.noise.precisions))
        square = np.exp(2 * size) - FLOOR * FLOOR
        if square > 0:
            logs[0], logs[1] = 0.5 * np.log(square), apart + size
            value = log_density(regression, new, logs)
            if value + 2 * (size - logs[0]) - np.log(point * (1 - point)) >= height:
                return new, value
        if point < here:
            left = point
        else:
            right = point
    logs[0], logs[1] = log_s, log_q
    return products, density


@compiled()
def _free_squares(products, precisions):  # type: ignore[no-untyped-def]
    """Return the weighted sum of squares of the residual with all columns nearly free."""
    squares, _ = _misfit(products, NEARLY_FREE * precisions, 1.0)
    return max(squares, TINY)
