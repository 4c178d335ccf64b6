"""Errors and warnings that the library raises on purpose, one type per kind of trouble.

Each message starts with a stable code in brackets, says what must hold, what came instead (labels
and counts) and what to do about it. Imports :mod:`bayes_synth.words` only.
"""

import warnings

from bayes_synth.words import HERE

__all__ = [
    "BayesSynthError",
    "ConvergenceWarning",
    "DesignError",
    "DesignWarning",
    "LoadError",
    "LoadWarning",
    "OptionError",
    "PanelError",
    "PanelWarning",
    "PlanError",
    "PlanWarning",
    "PriorError",
    "ResultError",
    "SamplingFailed",
    "deprecated",
    "warn",
]


class BayesSynthError(Exception):
    """Carry a stable code and a message; every error of this library inherits from this one.

    Parameters
    ----------
    code
        Stable code, for example ``"P025"``.
    message
        What must hold, what came instead, what to do.

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
        """Pickle code and message, so that errors travel between processes; notes do not."""
        return type(self), (self.code, self._message)


class PanelError(BayesSynthError, ValueError):
    """The data do not form a complete panel of numbers."""


class DesignError(BayesSynthError, ValueError):
    """Treated units, donors or the start do not form a design that can be estimated."""


class PlanError(BayesSynthError, ValueError):
    """A test cannot be planned so: history, units, length, effect, rule or cost forbid it."""


class PriorError(BayesSynthError, ValueError):
    """A prior or a noise process has a value that it cannot have."""


class OptionError(BayesSynthError, ValueError):
    """An option must have another value: a name that exists, a probability, a count, a seed."""


class SamplingFailed(BayesSynthError, RuntimeError):
    """The sampler gave no usable draws."""


class ResultError(BayesSynthError, ValueError):
    """A question has no answer in this fit, such as one about a window before the start."""


class LoadError(BayesSynthError, ValueError):
    """A file could not be written, or read back as a fit."""


class PanelWarning(UserWarning):
    """The data are usable, but something about them deserves a look."""


class DesignWarning(UserWarning):
    """The design is usable, but its meaning is not quite what was typed."""


class PlanWarning(UserWarning):
    """A test was planned, but something about its plan deserves a look."""


class ConvergenceWarning(UserWarning):
    """The sampler's draws should not be trusted yet."""


class LoadWarning(UserWarning):
    """A file could be read, but another program has written it again."""


def deprecated(old: str, new: str) -> None:
    """Warn that a public name has changed; the old one keeps working for one version."""
    text = f"{old} is called {new} now; the old name goes with version 0.3."
    warnings.warn(text, DeprecationWarning, stacklevel=2, skip_file_prefixes=HERE)


def warn(category: type[Warning], code: str, text: str) -> str:
    """Warn at the first line outside of this package, and return the message."""
    message = f"[{code}] {text}"
    warnings.warn(message, category, stacklevel=2, skip_file_prefixes=HERE)
    return message


def __dir__() -> list[str]:
    return sorted(__all__)
