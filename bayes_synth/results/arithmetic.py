"""Arithmetic of an effect with numbers: a total over what was spent, with its interval."""

from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Real
from typing import Any, Self

import numpy as np
import xarray as xr

from bayes_synth.errors import OptionError, ResultError
from bayes_synth.results.estimands import SIGN_CHANGES
from bayes_synth.words import SAMPLE_DIMS

__all__ = ["AbstractArithmetic"]


class AbstractArithmetic(ABC):
    """Give draws with a measure the signs ``+ - * /`` with a number on either side.

    The result is of the same type, a frozen dataclass: its ``label`` says how it was computed, and
    its ``measure`` follows, in words.
    """

    draws: xr.DataArray
    measure: str

    __array_ufunc__ = None
    """Numpy's numbers leave arithmetic with an effect to the effect."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return what the draws are called."""

    def __add__(self, number: float) -> Self:
        number = _finite(number, "+")
        return self._derived(self.draws + number, f"{_term(self.name)} + {_written(number)}")

    def __sub__(self, number: float) -> Self:
        number = _finite(number, "-")
        return self._derived(self.draws - number, f"{_term(self.name)} - {_written(number)}")

    def __rsub__(self, number: float) -> Self:
        number = _finite(number, "-")
        return self._derived(number - self.draws, f"{_written(number)} - {_term(self.name)}")

    def __mul__(self, number: float) -> Self:
        number = _finite(number, "*")
        text = f" * {_written(number)}"
        return self._derived(self.draws * number, _term(self.name) + text, self.measure + text)

    def __truediv__(self, number: float) -> Self:
        number = _finite(number, "/")
        if number == 0:
            raise OptionError("O030", "an effect must be divided by another number than zero.")
        text = f" / {_written(number)}"
        return self._derived(self.draws / number, _term(self.name) + text, self.measure + text)

    def __rtruediv__(self, number: float) -> Self:
        number = _finite(number, "/")
        _require_one_sign(self.draws, self.name)
        text = f"{_written(number)} / "
        return self._derived(
            number / self.draws, text + _term(self.name), f"{text}({self.measure})"
        )

    def __neg__(self) -> Self:
        return self._derived(-self.draws, f"-{_term(self.name)}")

    __radd__ = __add__
    __rmul__ = __mul__

    def _derived(self, draws: xr.DataArray, label: str, measure: str | None = None) -> Self:
        """Return the same with other draws; a pure number stays one, whatever it is multiplied by.

        ``measure`` None means that it stays.
        """
        changed: dict[str, Any] = {"draws": draws, "label": label}
        if measure is not None and self.measure:
            changed["measure"] = measure
        return replace(self, **changed)  # type: ignore[type-var]


def _finite(number: object, sign: str) -> float:
    """Return a finite number as a float.

    Raises
    ------
    OptionError
        O030 for anything else, another effect included.
    """
    if isinstance(number, Real) and not isinstance(number, bool) and np.isfinite(float(number)):
        return float(number)
    raise OptionError(
        "O030",
        f"{sign!r} with an effect must have a finite number on its other side, "
        f"got {number!r}.\n  Of two effects of one fit subtract the draws: a.draws - b.draws.",
    )


def _require_one_sign(draws: xr.DataArray, name: str) -> None:
    """Refuse to divide by draws of which more than one in a thousand has the rarer sign.

    Raises
    ------
    ResultError
        R031 for such draws.
    """
    rarer = np.minimum((draws <= 0).mean(SAMPLE_DIMS), (draws >= 0).mean(SAMPLE_DIMS))
    if (share := float(rarer.max())) > SIGN_CHANGES:
        raise ResultError(
            "R031",
            f"the {name} effect must have one sign to divide a number by it, but {share:.1%} of "
            "its draws have the other, so the ratio means nothing; divide the effect by the "
            "number instead.",
        )


def _term(text: str) -> str:
    """Put parentheses around what is not one word, so that arithmetic on it reads right."""
    return text if text.replace("_", "").isalnum() else f"({text})"


def _written(number: float) -> str:
    """Write a number so that a reader sees all of it, with its thousands: 250,000."""
    text = f"{number:,.12g}"
    return f"({text})" if number < 0 else text
