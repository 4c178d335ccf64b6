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

    Examples
    --------
    >>> try:
    ...     bs.load("nothing.nc")
    ... except bs.errors.BayesSynthError as error:
    ...     print(error.code)
    L001
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self._message = message
        super().__init__(f"[{code}] {message}")

    def __reduce__(self) -> tuple[type["BayesSynthError"], tuple[str, str]]:
        """Pickle code and message, so that errors travel between processes; notes do not."""
        return type(self), (self.code, self._message)


class PanelError(BayesSynthError, ValueError):
    """The data do not form a complete panel of numbers.

    Examples
    --------
    >>> try:
    ...     bs.Predictors([])
    ... except bs.errors.PanelError as error:
    ...     print(error)
    [P050] bs.Predictors must name at least one column, got none.
    """


class DesignError(BayesSynthError, ValueError):
    """Treated units, donors or the start do not form a design that can be estimated.

    Examples
    --------
    >>> try:
    ...     panel.backdate(1900)
    ... except bs.errors.DesignError as error:
    ...     print(error.code)
    D002
    """


class PlanError(BayesSynthError, ValueError):
    """A test cannot be planned so: history, units, length, effect, rule or cost forbid it.

    Examples
    --------
    >>> try:
    ...     plan.power(0.05, periods=11)
    ... except bs.errors.PlanError as error:
    ...     print(error.code)
    H014
    """


class PriorError(BayesSynthError, ValueError):
    """A prior or a noise process has a value that it cannot have.

    Examples
    --------
    >>> try:
    ...     bs.priors.HalfNormal(-1.0)
    ... except bs.errors.PriorError as error:
    ...     print(error.code)
    O007
    """


class OptionError(BayesSynthError, ValueError):
    """An option must have another value: a name that exists, a probability, a count, a seed.

    Examples
    --------
    >>> try:
    ...     fit.effect("average").interval(1.5)
    ... except bs.errors.OptionError as error:
    ...     print(error.code)
    O004
    """


class SamplingFailed(BayesSynthError, RuntimeError):
    """The sampler gave no usable draws.

    Examples
    --------
    >>> issubclass(bs.errors.SamplingFailed, RuntimeError)
    True
    """


class ResultError(BayesSynthError, ValueError):
    """A question has no answer in this fit, such as one about a window before the start.

    Examples
    --------
    >>> try:
    ...     fit.effect("everything")
    ... except bs.errors.ResultError as error:
    ...     print(error.code)
    R005
    """


class LoadError(BayesSynthError, ValueError):
    """A file could not be written, or read back as a fit.

    Examples
    --------
    >>> try:
    ...     bs.load("nothing.nc")
    ... except bs.errors.LoadError as error:
    ...     print(error.code)
    L001
    """


class PanelWarning(UserWarning):
    """The data are usable, but something about them deserves a look.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bs.errors.PanelWarning)
    ...     quiet = True  # what warns goes here
    """


class DesignWarning(UserWarning):
    """The design is usable, but its meaning is not quite what was typed.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bs.errors.DesignWarning)
    ...     quiet = True  # what warns goes here
    """


class PlanWarning(UserWarning):
    """A test was planned, but something about its plan deserves a look.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bs.errors.PlanWarning)
    ...     quiet = True  # what warns goes here
    """


class ConvergenceWarning(UserWarning):
    """The sampler's draws should not be trusted yet.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bs.errors.ConvergenceWarning)
    ...     quiet = True  # what warns goes here
    """


class LoadWarning(UserWarning):
    """A file could be read, but another program has written it again.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bs.errors.LoadWarning)
    ...     quiet = True  # what warns goes here
    """


def deprecated(old: str, new: str) -> None:
    """Warn that a public name has changed; the old one keeps working for one version.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     bs.errors.deprecated("Effect.unit", "Effect.measure")
    """
    text = f"{old} is called {new} now; the old name goes with version 0.3."
    warnings.warn(text, DeprecationWarning, stacklevel=2, skip_file_prefixes=HERE)


def warn(category: type[Warning], code: str, text: str) -> str:
    """Warn at the first line outside of this package, and return the message.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     said = bs.errors.warn(
    ...         bs.errors.PanelWarning, "V001", "something deserves a look."
    ...     )
    >>> said
    '[V001] something deserves a look.'
    """
    message = f"[{code}] {text}"
    warnings.warn(message, category, stacklevel=2, skip_file_prefixes=HERE)
    return message


def __dir__() -> list[str]:
    return sorted(__all__)
