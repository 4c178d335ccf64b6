"""Hold BLAS to one thread while anything is fitted: answers must not depend on its threads."""

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
"""Use it as ``with single_threaded():``, nested and in any number of threads."""
