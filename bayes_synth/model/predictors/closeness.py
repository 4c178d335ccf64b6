"""Prefer donors that resemble the treated unit in the predictors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.model.predictors.base import AbstractPredictorRule, Apart, require_positive
from bayes_synth.priors import AbstractWeightsPrior, Dirichlet

__all__ = ["Closeness"]

LEAST = 0.01
"""No concentration falls below this share of their mean."""


@final
@dataclass(frozen=True)
class Closeness(AbstractPredictorRule):
    """Give donors that resemble the treated unit more weight in the prior.

    Parameters
    ----------
    strength
        How fast a donor's concentration falls with its distance: by ``exp(-strength)`` at the mean
        distance of all donors.

    Raises
    ------
    OptionError
        O086 unless ``strength`` is positive.
    PriorError
        O085 for a prior on the weights that is no Dirichlet.

    Notes
    -----
    The distance is the root mean square of the differences in the predictors, each over its
    standard deviation over units; the sum of the concentrations stays as it is. It is the penalty
    of Abadie and L'Hour (2021), JASA 116(536), as a prior.

    Examples
    --------
    >>> bs.SyntheticControl(predictors=bs.predictors.Closeness(strength=1.0)).predictors
    Closeness(strength=1.0)
    """

    strength: float = 2.0

    def __post_init__(self) -> None:
        require_positive("strength", self.strength)

    def prior(
        self, prior: AbstractWeightsPrior, donors: Sequence[str], apart: Apart
    ) -> AbstractWeightsPrior:
        """Return the Dirichlet with concentrations that fall with distance."""
        if not isinstance(prior, Dirichlet):
            raise PriorError(
                "O085",
                "bs.predictors.Closeness needs a Dirichlet prior on the weights, got "
                f"{type(prior).__name__}; use bs.predictors.Matched() instead.",
            )
        distances = np.sqrt(np.square(apart.differences).mean(0)) if apart.names else np.zeros(0)
        if not distances.any():
            return prior
        alpha = np.broadcast_to(np.asarray(prior.alpha(donors), dtype=float), len(donors))
        closer = alpha * np.exp(-self.strength * distances / distances.mean())
        closer = np.maximum(closer * alpha.sum() / closer.sum(), LEAST * alpha.mean())
        closer *= alpha.sum() / closer.sum()
        by_label = dict(zip(donors, closer.tolist(), strict=True))
        return replace(prior, effective_donors=None, concentration=by_label)

    def describe(self) -> str:
        """Name the strength."""
        return f"donors close in them preferred, strength {self.strength:g}"
