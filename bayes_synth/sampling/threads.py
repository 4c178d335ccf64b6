"""Prepare for threads: one thread for BLAS, so that no answer depends on it, and no lazy module."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

__all__ = ["single_threaded"]


class _SingleThread:
    """A counter of those who need the limit: the first sets it, the last lifts it.

    Each limit of threadpoolctl restores the number that it found, so of two that overlap in threads
    the first to end would lift the other's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside, self._ready = 0, False
        self._limits = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._ready:
                _touch_lazy_modules()
                self._ready = True
            if not self._inside:
                self._limits.enter_context(threadpool_limits(1, user_api="blas"))
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._limits.close()


def _touch_lazy_modules() -> None:
    """Let scipy look for array libraries once, before there are threads.

    With numpyro installed arviz-base puts a lazy ``jax`` into ``sys.modules``. The first density
    that scipy computes then imports it, and where several threads do so at once, Python 3.12's
    loader shows a half-made module to all but one: "module 'jax' has no attribute 'Array'".
    """
    from scipy import stats

    stats.t.logpdf(0.0, 5)


single_threaded = _SingleThread()
"""Use it as ``with single_threaded():``, nested and in any number of threads."""
