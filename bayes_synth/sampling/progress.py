"""The one progress bar: fits, refits, checks and batches count on it.

Where there is no terminal, :func:`as_lines` turns bars into lines of a log.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, final

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "announce", "as_lines", "bar", "shared_bar"]

EVERY = 10.0
"""A log has a line at least so many seconds after the last."""


@final
class Bar:
    """A count of the steps done, out of those that are known or expected so far.

    Attributes
    ----------
    done, total : int
        Steps done, and all steps; ``total`` is None while it is unknown.
    expected : int
        Steps that were foreseen before the work began.
    stopped : bool
        Whether the user has interrupted the work that is counted.
    """

    def __init__(self, words: str, total: int | None, *, shown: bool, expected: int = 0) -> None:
        self.words, self.note, self.done, self.stopped = words, "", 0, False
        self.expected, self._known = expected, total or 0
        self.total = None if total is None else max(total, expected)
        self.progress = _progress() if shown else None
        self._task: Any = (
            self.progress.add_task(words, total=self.total, note="") if self.progress else None
        )

    def tick(self, steps: int = 1) -> None:
        """Count steps as done."""
        if self.progress is not None and self._task is not None:
            self.progress.advance(self._task, steps)
        self.done += steps

    def show(self, done: int, note: str = "") -> None:
        """Set the number of steps done, and show a note beside it."""
        self.done, self.note = done, note
        self._refresh()

    def add(self, words: str, steps: int) -> None:
        """Begin a part of the work, of so many steps."""
        self.words, self._known = words, self._known + steps
        self.total = max(self._known, self.expected)
        self._refresh()

    def track[T](self, answers: Iterable[T], words: str, total: int) -> Iterator[T]:
        """Yield the answers and count each as it comes; ``total`` is added to the known steps."""
        self.add(words, total)
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


@final
class _Lines:
    """Write a line when work begins, after every :data:`EVERY` seconds, and when it ends.

    It has the methods of rich's ``Progress`` that a bar calls.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._state, self._lock = write, dict[str, Any](), threading.Lock()
        self._began = self._written = time.monotonic()

    def __enter__(self) -> Self:
        self._write(f"{self._state['description']} ...")
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._line(f"done after {time.monotonic() - self._began:.0f} s")

    def add_task(self, description: str, **state: Any) -> Any:
        self._state |= {"description": description, "completed": 0} | state
        return 0

    def advance(self, task: Any, steps: int) -> None:
        # Chains count from threads of their own.
        with self._lock:
            self._state["completed"] += steps
            self._when_due()

    def update(self, task: Any, **state: Any) -> None:
        with self._lock:
            self._state |= state
            self._when_due()

    def _when_due(self) -> None:
        if time.monotonic() - self._written >= EVERY:
            self._line(str(self._state["note"]))

    def _line(self, note: str) -> None:
        self._written, total = time.monotonic(), self._state["total"]
        count = f"{self._state['completed']}" + (f" of {total}" if total is not None else "")
        self._write(", ".join(filter(None, [f"{self._state['description']}: {count}", note])))


_WRITE: ContextVar[Callable[[str], None] | None] = ContextVar("_WRITE", default=None)


@contextmanager
def as_lines(write: Callable[[str], None]) -> Iterator[None]:
    """Write bars that begin in this context as lines, by ``write``, instead of drawing them."""
    token = _WRITE.set(write)
    try:
        yield
    finally:
        _WRITE.reset(token)


def announce(text: str) -> None:
    """Say something before a bar: as a line of the log, or in the terminal."""
    from rich.console import Console

    write = _WRITE.get()
    if write is not None:
        write(text)
    else:
        Console().print(text, soft_wrap=True, markup=False, highlight=False)


def _progress() -> "Progress | _Lines":
    if (write := _WRITE.get()) is not None:
        return _Lines(write)
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
    """Show a bar for as long as the context lasts; nothing is shown unless ``shown``.

    Within a run that has a shared bar, the steps are counted on that one.
    """
    current = _CURRENT.get()
    if shown and current is not None:
        current.add(words, total or 0)
        yield current
        return
    counted = Bar(words, total, shown=shown)
    with counted.progress or nullcontext():
        yield counted


_CURRENT: ContextVar[Bar | None] = ContextVar("_CURRENT", default=None)


@contextmanager
def shared_bar(words: str, *, shown: bool, expected: int = 0) -> Iterator[Bar]:
    """Use the bar of the run that this work is part of, or show a new one outside of any run.

    ``expected`` steps are shown as the total from the start, until more are known.
    """
    current = _CURRENT.get()
    if current is not None:
        yield current
        return
    counted = Bar(words, 0, shown=shown, expected=expected)
    with counted.progress or nullcontext():
        token = _CURRENT.set(counted)
        try:
            yield counted
        finally:
            _CURRENT.reset(token)
