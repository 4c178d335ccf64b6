"""One bar for all fits: how many, how fast, how many failed, and how long it will take."""

import time
from types import TracebackType
from typing import Self, final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Bar"]


@final
class Bar:
    """The bar; nothing at all unless ``shown``."""

    def __init__(self, total: int | None, *, shown: bool) -> None:
        words = TextColumn("{task.fields[rate]:.2f} fits/s, {task.fields[failed]} failed")
        columns = TextColumn("Fitting"), BarColumn(), MofNCompleteColumn(), words, TimeRemainingColumn()
        self._bar = Progress(*columns, transient=True, disable=not shown)
        self._task = self._bar.add_task("", total=total, rate=0.0, failed=0)
        self._began = time.monotonic()

    def update(self, *, done: int, fitted: int, failed: int) -> None:
        """``fitted`` are those of ``done`` that were fitted now; of them some ``failed``."""
        rate = fitted / max(time.monotonic() - self._began, 1e-3)
        self._bar.update(self._task, completed=done, rate=rate, failed=failed)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
