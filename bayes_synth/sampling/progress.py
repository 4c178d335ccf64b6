"""The one progress bar: fits, refits, checks and batches count on it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "bar", "shared_bar"]


@final
class Bar:
    """A count of the steps done, out of those that are known so far.

    Attributes
    ----------
    done, total : int
        Steps done, and all steps; ``total`` is None while it is unknown.
    stopped : bool
        Whether the user has interrupted the work that is counted.
    """

    def __init__(self, words: str, total: int | None, *, shown: bool) -> None:
        self.words, self.note, self.done, self.total, self.stopped = words, "", 0, total, False
        self.progress = _progress() if shown else None
        self._task = self.progress.add_task(words, total=total, note="") if self.progress else None

    def tick(self, steps: int = 1) -> None:
        """Count steps as done."""
        if self.progress is not None and self._task is not None:
            self.progress.advance(self._task, steps)
        self.done += steps

    def show(self, done: int, note: str = "") -> None:
        """Set the number of steps done, and show a note beside it."""
        self.done, self.note = done, note
        self._refresh()

    def track[T](self, answers: Iterable[T], words: str, total: int) -> Iterator[T]:
        """Yield the answers and count each as it comes; ``total`` is added to the known steps."""
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


def _progress() -> "Progress":
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[note]}"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, transient=True)


@contextmanager
def bar(words: str, total: int | None, *, shown: bool) -> Iterator[Bar]:
    """Show a new bar for as long as the context lasts; nothing is shown unless ``shown``."""
    counted = Bar(words, total, shown=shown)
    with counted.progress or nullcontext():
        yield counted


_CURRENT: ContextVar[Bar | None] = ContextVar("_CURRENT", default=None)


@contextmanager
def shared_bar(words: str, *, shown: bool) -> Iterator[Bar]:
    """Use the bar of the run that this work is part of, or show a new one outside of any run."""
    current = _CURRENT.get()
    if current is not None:
        yield current
        return
    with bar(words, 0, shown=shown) as counted:
        token = _CURRENT.set(counted)
        try:
            yield counted
        finally:
            _CURRENT.reset(token)
