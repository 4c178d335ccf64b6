"""What every prior on the donors' weights knows: its graph, its draws and its density."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.priors.numbers import VariableFactory
from bayes_synth.registry import saved

__all__ = ["AbstractWeightsPrior", "CustomWeights", "as_weights_prior"]


class AbstractWeightsPrior(ABC):
    """Put a prior on the donors' weights, which are non-negative and sum to one.

    A subclass says which arrays enter the graph (:meth:`inputs`), builds the graph (:meth:`build`),
    and knows the same prior in numpy (:meth:`sample`, :meth:`log_density`).

    Examples
    --------
    >>> issubclass(bs.priors.Dirichlet, bs.priors.AbstractWeightsPrior)
    True
    """

    def __init_subclass__(cls, *, data: Iterable[str] = (), **options: Any) -> None:
        """Register the prior, so that fits that use it can be saved and loaded.

        Parameters
        ----------
        data
            Fields whose numbers enter the graph through :meth:`inputs` only. Every other field is
            taken to change the compiled code.
        """
        super().__init_subclass__(**options)
        saved(data=data)(cls)

    def width(self, donors: Sequence[str], pool: Sequence[str] = ()) -> int:
        """Return the length of the graph's ``donor`` dim.

        Parameters
        ----------
        donors
            The donors with weight.
        pool
            Donors of a fit whose compiled model is shared; a prior that can pad its donors pads to
            their number.
        """
        return len(donors)

    def restricted(self, donors: Sequence[str], kept: Sequence[str]) -> "AbstractWeightsPrior":
        """Adapt the prior to the donors ``kept``; it stays the same unless it names donors."""
        return self

    @property
    def slices_only(self) -> bool:
        """Whether no graph states the prior, so that slices alone can sample it."""
        return False

    @abstractmethod
    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Return the arrays that enter the graph as data; equal shapes share one compiled model."""

    @abstractmethod
    def build(self, inputs: Mapping[str, np.ndarray], width: int) -> Any:
        """Create ``weights`` with dim ``donor`` in the current PyMC model and return it."""

    @abstractmethod
    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw weights from the prior, shape ``(draws, donors)``."""

    @abstractmethod
    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Return the log density over the simplex, for weights of shape ``(..., donors)``."""

    @abstractmethod
    def describe(self, donors: Sequence[str]) -> str:
        """Describe the prior in one line, with the numbers that hold for these donors."""


@final
@dataclass(frozen=True)
class CustomWeights(AbstractWeightsPrior):
    """Take a user's own variable for the weights, by pymc-extras' ``create_variable``.

    The variable must be a simplex over the panel's donors in sorted order, with ``donor`` as its
    only dim.
    Such a model is compiled for its own number of donors, and PyMC draws from its prior.
    """

    factory: VariableFactory

    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Return no arrays: the user's variable brings its own numbers."""
        return {}

    def build(self, inputs: Mapping[str, np.ndarray], width: int) -> Any:
        """Create the user's variable, which must have one element per donor.

        Raises
        ------
        PriorError
            O006 for another shape.
        """
        weights = self.factory.create_variable("weights")
        expected = (width,)
        if tuple(weights.type.shape) not in {expected, (None,)}:
            raise PriorError(
                "O006",
                f"the weights prior must have shape {expected}, one per donor, "
                f"got {weights.type.shape}.\n"
                "  Calibration refits pools with a donor fewer: give it dims='donor', "
                "or use calibrate=False.",
            )
        return weights

    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw weights through PyMC, shape ``(draws, donors)``."""
        import pymc as pm

        with pm.Model(coords={"donor": list(donors)}):
            weights = self.build({}, len(donors))
            return np.asarray(pm.draw(weights, draws=draws, random_seed=rng))

    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Return NaN, because the density is unknown: missing is not zero."""
        return np.full(weights.shape[:-1], np.nan)

    def describe(self, donors: Sequence[str]) -> str:
        """Let the user's object describe itself."""
        return f"{self.factory}"


def as_weights_prior(prior: AbstractWeightsPrior | VariableFactory) -> AbstractWeightsPrior:
    """Return a prior of this library as it is, and wrap a foreign variable factory.

    Raises
    ------
    PriorError
        O006 for anything else.
    """
    if isinstance(prior, AbstractWeightsPrior):
        return prior
    if isinstance(prior, VariableFactory):
        return CustomWeights(prior)
    raise PriorError(
        "O006",
        f"weights must be a prior on weights, got {prior!r}; "
        "write bs.priors.Dirichlet(effective_donors=4).",
    )
