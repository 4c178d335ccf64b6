"""Options of the command line that say how a text file is written, and the table they lead to.

What takes time to import is imported when a file is read, so that ``--help`` answers at once.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Read", "add_layout_options", "read_as_asked"]


class Read(NamedTuple):
    """Hold the table that was read, its columns by role, and the start as its dates are written."""

    table: "pd.DataFrame"
    columns: dict[str, Any]
    start: Any


def add_layout_options(command: argparse.ArgumentParser) -> None:
    """Add what says how the file is written; what is not given is found out."""
    group = command.add_argument_group("how the file is written (found out and said, unless given)")
    group.add_argument("--sep", help="character between fields, or: tab")
    group.add_argument("--decimal", help="decimal sign: . or ,")
    group.add_argument("--encoding", help="such as utf-8 or cp1252")
    group.add_argument("--date-format", help="such as %%d.%%m.%%Y, the times and --start")


def read_as_asked(
    options: argparse.Namespace,
    start: str,
    say: Callable[[str], None],
    *,
    more: Sequence[str] = (),
) -> Read:
    """Read ``options.data``, and say how it is written unless it is plain or was given.

    ``more`` names further columns of numbers.

    Raises
    ------
    PanelError, OptionError
        As in :func:`bayes_synth.data.text_file.read_text`.
    """
    from bayes_synth.data.text_file import TextFormat, read_text

    layout = TextFormat(options.sep, options.decimal, options.encoding, options.date_format)
    columns = {name: getattr(options, name) for name in ("unit", "time", "outcome")}
    table, first, found = read_text(options.data, **columns, start=start, layout=layout, more=more)
    if found:
        say(f"Read {options.data}: {', '.join(found)}.")
    return Read(table, columns, first)
