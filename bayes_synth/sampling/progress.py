"""The one progress bar: fits, refits, checks and batches count on it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import final

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Bar", "bar", "shared_bar"]


@final
class Bar:
    """Work done of the work that is known so far.

    Attributes
    ----------
    done, total : int
        Steps that were done, and those that are known; ``total`` is None while nobody knows.
    stopped : bool
        Whether the user has interrupted what is counted here.
    """

    def __init__(self, words: str, total: int | None, *, shown: bool) -> None:
        self.words, self.note, self.done, self.total, self.stopped = words, "", 0, total, False
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self.progress = Progress(*columns, *times, transient=True) if shown else None
        self._task = self.progress.add_task(words, total=total, note="") if self.progress else None

    def tick(self, steps: int = 1) -> None:
        """Count steps that were done."""
        if self.progress is not None and self._task is not None:
            self.progress.advance(self._task, steps)
        self.done += steps

    def show(self, done: int, note: str = "") -> None:
        """Set the steps that are done, and say something beside them."""
        self.done, self.note = done, note
        self._refresh()

    def track[T](self, answers: Iterable[T], words: str, total: int) -> Iterator[T]:
        """Yield the answers, each counted as it comes; ``total`` of them are added to the work that is known."""
        self.words, self.total = words, (self.total or 0) + total
        self._refresh()
        for answer in answers:
            self.tick()
            yield answer

    def _refresh(self) -> None:
        if self.progress is not None and self._task is not None:
            self.progress.update(
                self._task,
                completed=self.done,
                total=self.total,
                description=self.words,
                note=self.note,
            )


@contextmanager
def bar(words: str, total: int | None, *, shown: bool) -> Iterator[Bar]:
    """Show a new bar for as long as the context lasts; nothing is shown unless ``shown``."""
    made = Bar(words, total, shown=shown)
    with made.progress or nullcontext():
        yield made


_CURRENT: ContextVar[Bar | None] = ContextVar("_CURRENT", default=None)


@contextmanager
def shared_bar(words: str, *, shown: bool) -> Iterator[Bar]:
    """Use the bar of the run that this is part of, or show a new one outside of any."""
    known = _CURRENT.get()
    if known is not None:
        yield known
        return
    with bar(words, 0, shown=shown) as made:
        token = _CURRENT.set(made)
        try:
            yield made
        finally:
            _CURRENT.reset(token)
