"""Compile by numba, and multiply rows by columns fast: what all of the slice sampler rests on.

Arrays are indexed from the start of their rows: a view per row would cost more than its numbers.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["compiled", "inner", "multiply", "subtract"]


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile by numba; without a folder to cache the code in, each process compiles for itself."""

    def decorated(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, error_model="numpy", **options)(function)
        except RuntimeError:
            return njit(nogil=True, error_model="numpy", **options)(function)

    return decorated


@compiled(fastmath={"reassoc", "contract"})
def inner(x, y):  # type: ignore[no-untyped-def]
    """Return the inner product of two rows."""
    total = 0.0
    for k in range(x.size):
        total += x[k] * y[k]
    return total


@compiled()
def multiply(rows, columns, products, symmetric):  # type: ignore[no-untyped-def]
    """Fill ``products`` with ``rows @ columns.T``, as far as the columns are long.

    Two rows meet four columns at a time, so that each number is read less often. Of a symmetric
    product the upper triangle is filled, and at most one number beside it.
    """
    count, size = rows.shape[0], columns.shape[0]
    for j in range(0, count - 1, 2):
        c = j if symmetric else 0
        while c + 4 <= size:
            _two_by_four(rows, columns, products, j, c)
            c += 4
        for d in range(c, size):
            _two_by_one(rows, columns, products, j, d)
    if count % 2:
        c = count - 1 if symmetric else 0
        while c + 4 <= size:
            _one_by_four(rows, columns, products, count - 1, c)
            c += 4
        for d in range(c, size):
            _one_by_one(rows, columns, products, count - 1, d)


@compiled(fastmath={"reassoc", "contract"})
def _two_by_four(rows, columns, products, j, c):  # type: ignore[no-untyped-def]
    """Multiply rows ``j`` and ``j + 1`` by four columns from ``c`` on."""
    a, b, d, e, f, g, h, i = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(columns.shape[1]):
        x, y = rows[j, k], rows[j + 1, k]
        a += columns[c, k] * x
        b += columns[c + 1, k] * x
        d += columns[c + 2, k] * x
        e += columns[c + 3, k] * x
        f += columns[c, k] * y
        g += columns[c + 1, k] * y
        h += columns[c + 2, k] * y
        i += columns[c + 3, k] * y
    products[j, c], products[j, c + 1], products[j, c + 2], products[j, c + 3] = a, b, d, e
    j += 1
    products[j, c], products[j, c + 1], products[j, c + 2], products[j, c + 3] = f, g, h, i


@compiled(fastmath={"reassoc", "contract"})
def _two_by_one(rows, columns, products, j, c):  # type: ignore[no-untyped-def]
    """Multiply rows ``j`` and ``j + 1`` by column ``c``."""
    a, b = 0.0, 0.0
    for k in range(columns.shape[1]):
        a += columns[c, k] * rows[j, k]
        b += columns[c, k] * rows[j + 1, k]
    products[j, c], products[j + 1, c] = a, b


@compiled(fastmath={"reassoc", "contract"})
def _one_by_four(rows, columns, products, j, c):  # type: ignore[no-untyped-def]
    """Multiply row ``j`` by four columns from ``c`` on."""
    a, b, d, e = 0.0, 0.0, 0.0, 0.0
    for k in range(columns.shape[1]):
        x = rows[j, k]
        a += columns[c, k] * x
        b += columns[c + 1, k] * x
        d += columns[c + 2, k] * x
        e += columns[c + 3, k] * x
    products[j, c], products[j, c + 1], products[j, c + 2], products[j, c + 3] = a, b, d, e


@compiled(fastmath={"reassoc", "contract"})
def _one_by_one(rows, columns, products, j, c):  # type: ignore[no-untyped-def]
    """Multiply row ``j`` by column ``c``."""
    total = 0.0
    for k in range(columns.shape[1]):
        total += columns[c, k] * rows[j, k]
    products[j, c] = total


@compiled(fastmath={"contract"})
def subtract(rows, j, factors, columns, count):  # type: ignore[no-untyped-def]
    """Subtract ``factors[j] @ columns`` from row ``j``, for the first ``count`` of the columns.

    The columns are read four at a time.
    """
    c = 0
    while c + 4 <= count:
        one, two, three, four = (
            factors[j, c],
            factors[j, c + 1],
            factors[j, c + 2],
            factors[j, c + 3],
        )
        for k in range(columns.shape[1]):
            rows[j, k] -= (
                one * columns[c, k]
                + two * columns[c + 1, k]
                + three * columns[c + 2, k]
                + four * columns[c + 3, k]
            )
        c += 4
    for d in range(c, count):
        one = factors[j, d]
        for k in range(columns.shape[1]):
            rows[j, k] -= one * columns[d, k]
