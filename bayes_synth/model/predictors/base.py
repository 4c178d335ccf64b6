"""What every rule for predictors shares: how far each donor lies from the treated unit."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayes_synth.errors import OptionError
from bayes_synth.priors import AbstractWeightsPrior
from bayes_synth.registry import saved
from bayes_synth.sampling.regression import Rows

__all__ = ["AbstractPredictorRule", "Apart", "Traits", "require_positive"]


class Apart(NamedTuple):
    """Hold by how much donors differ from the treated unit in each predictor.

    ``differences``, ``(predictor, donor)``, are donor minus treated unit over the standard
    deviation of all units; predictors that no unit differs in are left out. ``effective`` is to how
    many unrelated predictors they amount, ``P^2 / sum(eigenvalue^2)`` of their correlations.
    """

    names: tuple[str, ...]
    differences: np.ndarray
    effective: float

    @classmethod
    def of(cls, names: Sequence[str], treated: np.ndarray, donors: np.ndarray) -> "Apart":
        """Compare a treated unit, ``(predictor,)``, with donors, ``(predictor, donor)``."""
        units = np.column_stack([treated, donors])
        sds = units.std(1, ddof=1) if units.shape[1] > 1 else np.zeros(len(units))
        used = sds > 1e-9 * np.abs(units).max(1, initial=0)
        differences = (donors[used] - treated[used, None]) / sds[used, None]
        correlations = np.atleast_2d(np.corrcoef(units[used])) if used.any() else np.zeros((0, 0))
        squares = float(np.square(correlations).sum())
        effective = used.sum() ** 2 / squares if squares else 0.0
        kept = tuple(name for name, yes in zip(names, used, strict=True) if yes)
        return cls(kept, differences, float(effective))


class Traits(NamedTuple):
    """Hold predictors as they are.

    ``treated`` has shape ``(predictor,)``, ``donors`` ``(predictor, donor)``.
    """

    names: tuple[str, ...]
    treated: np.ndarray
    donors: np.ndarray

    @property
    def apart(self) -> Apart:
        """Compare the donors with the treated unit."""
        return Apart.of(self.names, self.treated, self.donors)

    def as_if_treated(self, at: Sequence[int], keep: Sequence[int]) -> "Traits":
        """Return those of the donors at some positions as if treated, with others as donors."""
        donors = self.donors
        return Traits(self.names, donors[:, list(at)].mean(1), donors[:, list(keep)])


class AbstractPredictorRule(ABC):
    """Say what the predictors that a panel carries do to the weights.

    A subclass is one frozen dataclass in one file. It overrides :meth:`rows`, to match predictors
    beside the outcomes, or :meth:`prior`, to change the prior on the weights. Defining it registers
    it, so that models that use it can be saved.

    Examples
    --------
    >>> issubclass(bs.predictors.Matched, bs.predictors.AbstractPredictorRule)
    True
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Register the rule for files."""
        super().__init_subclass__(**options)
        saved()(cls)

    def rows(self, apart: Apart) -> Rows | None:
        """Return rows to match beside the outcomes, in units of their noise's sd; None for none."""
        return None

    def prior(
        self, prior: AbstractWeightsPrior, donors: Sequence[str], apart: Apart
    ) -> AbstractWeightsPrior:
        """Return the prior on the weights that these distances make of another one."""
        return prior

    @abstractmethod
    def describe(self) -> str:
        """Say in a few words what the rule does."""


def require_positive(name: str, value: Any) -> None:
    """Refuse what is not a positive, finite number.

    Raises
    ------
    OptionError
        O086.
    """
    if not (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < np.inf):
        raise OptionError("O086", f"{name} must be a positive number, got {value!r}.")
