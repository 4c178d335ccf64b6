"""Match the predictors beside the outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from bayes_synth.errors import OptionError
from bayes_synth.model.predictors.base import AbstractPredictorRule, Apart, require_positive
from bayes_synth.sampling.regression import Rows
from bayes_synth.words import suggestion

__all__ = ["Matched"]


@final
@dataclass(frozen=True)
class Matched(AbstractPredictorRule):
    """Take each predictor as one more observation that the weighted donors should match.

    Parameters
    ----------
    sd
        Standard deviation of the mismatch, in standard deviations of the predictor over units: one
        number, or one per predictor by name. Smaller matches more closely. It is fixed: an
        estimated one falls to zero as soon as the donors can match the predictors exactly.

    Raises
    ------
    OptionError
        O086 unless every number is positive, O087 for a name that is not a predictor's.

    Notes
    -----
    With P predictors the sd is multiplied by ``sqrt(P / P_effective)``, so that predictors that say
    the same count once. The inverse of its square is the V of Abadie, Diamond and Hainmueller
    (2010), JASA 105(490), section 2.3.

    Examples
    --------
    >>> bs.SyntheticControl(predictors=bs.predictors.Matched(sd=0.7)).predictors
    Matched(sd=0.7)
    """

    sd: float | Mapping[str, float] = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.sd, Mapping):
            for name, value in self.sd.items():
                require_positive(f"sd of {name!r}", value)
        else:
            require_positive("sd", self.sd)

    def rows(self, apart: Apart) -> Rows | None:
        """Return one row per predictor: of the treated unit zero, of donors their difference."""
        count = len(apart.names)
        if not count:
            return None
        sds = np.sqrt(count / apart.effective) * self._sds(apart.names)
        return Rows(np.zeros(count), apart.differences / sds[:, None])

    def _sds(self, names: tuple[str, ...]) -> np.ndarray:
        if not isinstance(self.sd, Mapping):
            return np.full(len(names), float(self.sd))
        lost = [name for name in names if name not in self.sd]
        if lost:
            hint = suggestion(lost[0], tuple(self.sd))
            raise OptionError(
                "O087", f"sd must name every predictor, got none for {lost[0]!r}. {hint}"
            )
        return np.array([float(self.sd[name]) for name in names])

    def describe(self) -> str:
        """Name the sds."""
        if isinstance(self.sd, Mapping):
            return f"matched with an sd of {min(self.sd.values()):g} to {max(self.sd.values()):g}"
        return f"matched with an sd of {self.sd:g} over units"
