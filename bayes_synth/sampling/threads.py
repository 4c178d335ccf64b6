"""BLAS in one thread while anything is fitted: answers must not depend on how many it has."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

__all__ = ["single_threaded"]


class _SingleThread:
    """Counts who needs it: the first sets the limit, the last lifts it.

    Each limit of threadpoolctl restores what it found, so of two that overlap in threads the first to end would lift the
    other's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
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


single_threaded = _SingleThread()
"""``with single_threaded():``, in as many threads and as deep as one likes."""
