"""Whiten series by the noise's precision, with its columns projected out.

``docs/derivations.md``, section 1. All numbers are in typical steps.
"""

import numpy as np

from bayes_synth.noise.base import FLOOR
from bayes_synth.sampling.slice_products import compiled, inner, multiply, subtract

__all__ = ["factorise", "whiten"]


@compiled()
def whiten(rows, noise, log_sds, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with rows whose inner products are those of ``rows`` weighted by the precision.

    The noise's columns are projected out; ``out``, ``(row, pre + column)``, ends with the terms of
    their priors. ``docs/derivations.md``, section 1.
    """
    if noise.precisions.size > 2:
        _whiten_by_many(rows, noise, log_sds, out)
        return
    periods, s, q = rows.shape[1], np.exp(log_sds[0]), np.exp(log_sds[1])
    root, first, second = np.empty(periods), np.empty(periods), np.empty(periods)
    for k in range(periods):
        root[k] = 1 / np.sqrt(s * s + FLOOR * FLOOR + q * q * noise.walk[k])
        first[k], second[k] = noise.columns[0, k] * root[k], noise.columns[1, k] * root[k]
    aa, bb = (
        noise.precisions[0] + inner(first, first),
        noise.precisions[1] + inner(second, second),
    )
    ab = inner(first, second)
    information = aa * bb - ab * ab
    for j in range(rows.shape[0]):
        white = out[j, :periods]
        for k in range(periods):
            white[k] = rows[j, k] * root[k]
        a, b = inner(white, first), inner(white, second)
        level, slope = (bb * a - ab * b) / information, (aa * b - ab * a) / information
        for k in range(periods):
            white[k] -= level * first[k] + slope * second[k]
        out[j, periods] = np.sqrt(noise.precisions[0]) * level
        out[j, periods + 1] = np.sqrt(noise.precisions[1]) * slope


@compiled()
def _whiten_by_many(rows, noise, log_sds, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` as :func:`whiten` does, for more than two columns.

    With the Cholesky factor ``L`` of the information matrix the whitened columns become
    ``L^-1 columns``, so a row loses its inner products with them.
    """
    donors, (count, periods) = rows.shape[0], noise.columns.shape
    root, ends = 1 / np.sqrt(_variances(noise, log_sds)), np.sqrt(noise.precisions)
    columns, inverse = _orthogonal(noise, root)
    for j in range(donors):
        for k in range(periods):
            out[j, k] = rows[j, k] * root[k]
    for c in range(count):
        for d in range(count):
            inverse[c, d] *= ends[c]
    share, terms = np.empty((donors, count)), np.empty((donors, count))
    multiply(out, columns, share, False)
    multiply(share, inverse, terms, False)
    for j in range(donors):
        subtract(out, j, share, columns, count)
        for c in range(count):
            out[j, periods + c] = terms[j, c]


@compiled()
def _variances(noise, log_sds):  # type: ignore[no-untyped-def]
    """Return the variances of the rotated coordinates."""
    return np.exp(2 * log_sds[0]) + FLOOR * FLOOR + np.exp(2 * log_sds[1]) * noise.walk


@compiled()
def _orthogonal(noise, root):  # type: ignore[no-untyped-def]
    """Return ``L^-1`` times the whitened columns, and ``L^-1`` transposed."""
    columns, count = noise.columns * root, noise.precisions.size
    factor = np.empty((count, count))
    multiply(columns, columns, factor, True)
    for c in range(count):
        for d in range(c):
            factor[c, d] = factor[d, c]
        factor[c, c] += noise.precisions[c]
    inverse = factorise(factor)
    for c in range(count):
        subtract(columns, c, factor, columns, c)
        columns[c] *= inverse[c, c]
    return columns, inverse


@compiled()
def factorise(matrix):  # type: ignore[no-untyped-def]
    """Replace a lower triangle by its Cholesky factor, and return the factor's inverse, transposed.

    The matrix must be positive definite.
    """
    count = matrix.shape[0]
    inverse = np.zeros((count, count))
    for c in range(count):
        for d in range(c + 1):
            value = matrix[c, d]
            for e in range(d):
                value -= matrix[c, e] * matrix[d, e]
            matrix[c, d] = np.sqrt(value) if c == d else value / matrix[d, d]
        inverse[c, c] = 1 / matrix[c, c]
        for d in range(c):
            value = 0.0
            for e in range(d, c):
                value -= matrix[c, e] * inverse[d, e]
            inverse[d, c] = value / matrix[c, c]
    return inverse
