"""What can go wrong, as types: every error and warning the library raises on purpose.

Each message starts with a stable code in brackets, says what was expected, what was found (labels
and counts) and what to do about it. Imports nothing from the package.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = [
    "BayesSynthError",
    "ConvergenceWarning",
    "DesignError",
    "DesignWarning",
    "LoadError",
    "PanelError",
    "PanelWarning",
    "PriorError",
    "ResultError",
    "SamplingFailed",
]


class BayesSynthError(Exception):
    """Base of every error of this library.

    Parameters
    ----------
    code
        Stable code, for example ``"P025"``.
    message
        What was expected, what was found, what to do.

    Attributes
    ----------
    code : str
        The code, for programs; the message is for people.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self._message = message
        super().__init__(f"[{code}] {message}")

    def __reduce__(self) -> tuple[type["BayesSynthError"], tuple[str, str]]:
        """Errors travel between processes; notes do not."""
        return type(self), (self.code, self._message)


class PanelError(BayesSynthError, ValueError):
    """The data do not form a complete panel of numbers."""


class DesignError(BayesSynthError, ValueError):
    """Treated units, donors or the start do not form a design that can be estimated."""


class PriorError(BayesSynthError, ValueError):
    """A prior or an option has a value that makes no sense."""


class SamplingFailed(BayesSynthError, RuntimeError):
    """The sampler gave no usable draws."""


class ResultError(BayesSynthError, ValueError):
    """A question that this fit cannot answer, such as a window outside the post-period."""


class LoadError(BayesSynthError, ValueError):
    """A file could not be written, or read back as a fit."""


class PanelWarning(UserWarning):
    """The data are usable, but something about them deserves a look."""


class DesignWarning(UserWarning):
    """The design is usable, but its meaning is not quite what was typed."""


class ConvergenceWarning(UserWarning):
    """The sampler's draws should not be trusted yet."""


def listed(labels: Iterable[object], most: int = 5) -> str:
    """Labels for a message: the first few, then how many more."""
    names = [str(label) for label in labels]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggestion(name: object, known: Sequence[str]) -> str:
    """``Did you mean ...?`` when one of the known names is close, else which names exist."""
    close = get_close_matches(str(name), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {listed(known, 8)}."
