"""One bar for all that checks refit, however many are asked, and whether the user has stopped it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Bar", "shared_bar"]


@final
class Bar:
    """Refits done of those that are known so far; nothing to see unless ``shown``."""

    def __init__(self, *, shown: bool) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self.progress = Progress(*columns, transient=True, disable=not shown)
        self._task = self.progress.add_task("Checking", total=0)
        self.shown, self.stopped = shown, False

    def track[T](self, answers: Iterable[T], what: str, total: int) -> Iterator[T]:
        """The answers, each counted as it comes."""
        known = self.progress.tasks[0].total or 0
        self.progress.update(self._task, description=what, total=known + total)
        for answer in answers:
            self.progress.advance(self._task)
            yield answer


_CURRENT: ContextVar[Bar | None] = ContextVar("_CURRENT", default=None)


@contextmanager
def shared_bar(*, shown: bool) -> Iterator[Bar]:
    """The bar of the run that this is part of; a new one outside of any."""
    known = _CURRENT.get()
    if known is not None:
        yield known
        return
    made = Bar(shown=shown)
    token = _CURRENT.set(made)
    try:
        with made.progress:
            yield made
    finally:
        _CURRENT.reset(token)
