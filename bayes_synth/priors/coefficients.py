"""The prior on the coefficients of covariates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.registry import saved
from bayes_synth.words import suggestion

__all__ = ["Coefficients"]


@saved(data=["sd"])
@final
@dataclass(frozen=True)
class Coefficients:
    """Put independent normal priors with mean zero on the coefficients of covariates.

    Parameters
    ----------
    sd
        Prior standard deviation: by how many typical steps the outcome moves when the covariate
        moves by one typical step of its own. One number, or one per covariate by name. The typical
        step of a covariate is the root mean square of its changes from one time to the next before
        ``start``, over the units in which it changes.

    Raises
    ------
    PriorError
        O110 unless every number is positive and finite.

    Notes
    -----
    With ``sd=1`` a covariate may explain about all of the outcome's usual change.

    Examples
    --------
    >>> believed = bs.priors.Coefficients(sd={"price": 2.0, "heat": 0.5})
    >>> bs.SyntheticControl(covariates=believed).covariates
    Coefficients(sd={'price': 2.0, 'heat': 0.5})
    """

    sd: float | Mapping[str, float] = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.sd, Mapping):
            object.__setattr__(self, "sd", {str(name): sd for name, sd in self.sd.items()})
        for value in self.sd.values() if isinstance(self.sd, Mapping) else [self.sd]:
            _require_positive(value)

    def sds(self, names: Sequence[str]) -> np.ndarray:
        """Return the standard deviation of each covariate, shape ``(covariate,)``.

        Raises
        ------
        PriorError
            O111 for a covariate without one.
        """
        if not isinstance(self.sd, Mapping):
            return np.full(len(names), float(self.sd))
        if lost := [name for name in names if name not in self.sd]:
            hint = suggestion(lost[0], tuple(self.sd))
            raise PriorError(
                "O111", f"sd must name every covariate, got none for {lost[0]!r}. {hint}"
            )
        return np.array([float(self.sd[name]) for name in names])

    def __str__(self) -> str:
        if isinstance(self.sd, Mapping):
            return f"Normal with an sd of {', '.join(f'{sd:g} ({n})' for n, sd in self.sd.items())}"
        return f"Normal(0, {self.sd:g})"


def _require_positive(value: Any) -> None:
    """Refuse what is not a positive, finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and 0 < value < np.inf):
        raise PriorError("O110", f"sd of coefficients must be a positive number, got {value!r}.")
