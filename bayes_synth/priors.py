"""Specify priors as frozen values that know their PyMC graph, their draws and their density.

Two kinds of prior can be added, each in a file of its own:

- A prior on the weights is a frozen dataclass that inherits from :class:`AbstractWeightsPrior` and
  implements its abstract methods. Defining it registers it; the class keyword ``data`` names the
  fields that enter the graph as data, so that another value needs no new compilation:
  ``class Sparse(AbstractWeightsPrior, data=["strength"])``.
- A prior on a number, such as the standard deviation of a noise process, is a frozen dataclass with
  ``create_variable(name)``, ``sample(draws, rng)`` and ``log_density(value)`` under the decorator
  :func:`saved`; see :class:`VariableFactory` and :class:`KnownPrior`.

Fits that use a registered prior can be saved and loaded. PyMC is imported inside the methods that
build a graph, so that a saved fit can be read without it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, final, runtime_checkable

import numpy as np
from scipy.special import gammaln, logsumexp

from bayes_synth.errors import PriorError
from bayes_synth.registry import saved
from bayes_synth.words import listed, suggestion

__all__ = ["AbstractWeightsPrior", "Dirichlet", "HalfNormal", "VariableFactory", "saved"]

PADDING = 8
"""Donors are padded to a multiple of this, so that similar panels share one compiled model."""

NO_WEIGHT = -1e9
"""Log weight of a padding donor: its weight underflows to exactly zero."""


@runtime_checkable
class VariableFactory(Protocol):
    """Make a PyMC variable by name, as a ``Prior`` of pymc-extras does."""

    def create_variable(self, name: str) -> Any:
        """Create the variable in the current model context and return it."""


@runtime_checkable
class KnownPrior(Protocol):
    """Draw from a prior on a number, and evaluate its density, in numpy."""

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw from the prior, shape ``(draws,)``."""

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Return the log density at ``value``."""


@saved(data=["sigma"])
@final
@dataclass(frozen=True)
class HalfNormal:
    """Put a half-normal prior on a standard deviation, in typical steps.

    Parameters
    ----------
    sigma
        Parameter of the half-normal, in typical steps. The typical step is a robust standard
        deviation of the first differences of the treated unit's pre-period.

    Raises
    ------
    PriorError
        O007 unless ``sigma`` is positive and finite.
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise PriorError("O007", f"sigma must be a positive number, got {self.sigma!r}.")

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw from the prior, shape ``(draws,)``, in typical steps."""
        return np.abs(rng.standard_normal(draws)) * self.sigma

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Return the log density at ``value``, which is in typical steps."""
        return np.asarray(
            np.log(2 / (self.sigma * np.sqrt(2 * np.pi))) - 0.5 * (value / self.sigma) ** 2
        )

    def __str__(self) -> str:
        return f"HalfNormal({self.sigma:g})"


class AbstractWeightsPrior(ABC):
    """Put a prior on the donors' weights, which are non-negative and sum to one.

    A subclass says which arrays enter the graph (:meth:`inputs`), builds the graph (:meth:`build`),
    and knows the same prior in numpy (:meth:`sample`, :meth:`log_density`).
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
class Dirichlet(AbstractWeightsPrior, data=["effective_donors", "concentration"]):
    """Put a Dirichlet prior on the weights, symmetric or with a concentration per donor.

    Parameters
    ----------
    effective_donors
        Expected number of effective donors, N in ``1 / E[sum w^2] = N``; sets the concentration to
        ``(N - 1) / (J - N)`` for J donors. Must be above 1 and below J. Default: 4, but at most
        ``(J + 1) / 2``.
    concentration
        The Dirichlet's concentration instead: one number for all donors, or one per donor by label.
        1 is uniform over the simplex, which is not sparse: it expects ``(J + 1) / 2`` effective
        donors.

    Raises
    ------
    PriorError
        O014 when both are given, O002 for a value that is not positive and finite or a label that
        is missing or unknown, O015 for effective donors outside (1, J).

    Notes
    -----
    Weights are drawn as ``softmax(log G - E / a)`` with ``G ~ Gamma(a + 1, 1)`` and
    ``E ~ Exponential(1)``: the same prior in coordinates of size one, because
    ``G * exp(-E / a) ~ Gamma(a, 1)`` (Marsaglia and Tsang 2000, section 6). Weights far below
    double precision never underflow on the way.
    """

    DEFAULT_EFFECTIVE: ClassVar[float] = 4.0

    effective_donors: float | None = None
    concentration: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.effective_donors is not None and self.concentration is not None:
            text = "give effective_donors or concentration, not both: one determines the other."
            raise PriorError("O014", text)
        effective, given = self.effective_donors, self.concentration
        if effective is not None and not (np.isfinite(effective) and effective > 1):
            raise PriorError("O015", f"effective_donors must be above 1, got {effective!r}.")
        values = given.values() if isinstance(given, Mapping) else [] if given is None else [given]
        wrong = [value for value in values if not (np.isfinite(value) and value > 0)]
        if wrong:
            raise PriorError("O002", f"concentration must be positive, got {listed(wrong)}.")

    def alpha(self, donors: Sequence[str]) -> float | np.ndarray:
        """Return the concentration for these donors: one number, or one per donor."""
        if isinstance(self.concentration, Mapping):
            return self._by_label(self.concentration, donors)
        if self.concentration is not None:
            return float(self.concentration)
        return concentration_for(self._effective(len(donors)), len(donors))

    def _effective(self, donors: int) -> float:
        """Return the expected number of effective donors, by default at most that of a uniform."""
        if self.effective_donors is None:
            return min(self.DEFAULT_EFFECTIVE, (donors + 1) / 2)
        if self.effective_donors >= donors and donors > 1:
            raise PriorError(
                "O015",
                f"effective_donors must be below the number of donors, {donors}, "
                f"got {self.effective_donors:g}; up to {(donors + 1) / 2:g} is sparse.",
            )
        return self.effective_donors

    @staticmethod
    def _by_label(concentration: Mapping[str, float], donors: Sequence[str]) -> np.ndarray:
        """Order the concentrations as the donors; each donor needs exactly one."""
        absent = [donor for donor in donors if donor not in concentration]
        unknown = [label for label in concentration if label not in donors]
        if absent:
            text = f"concentration has no value for {len(absent)} donors: {listed(absent)}."
            raise PriorError("O002", text)
        if unknown:
            text = f"concentration must name donors only, got {unknown[0]!r}."
            raise PriorError("O002", f"{text} {suggestion(unknown[0], donors)}")
        return np.array([float(concentration[donor]) for donor in donors])

    def width(self, donors: Sequence[str], pool: Sequence[str] = ()) -> int:
        """Round up to a multiple of eight, so that similar panels share one compiled model."""
        return -(-max(len(donors), len(pool)) // PADDING) * PADDING

    def restricted(self, donors: Sequence[str], kept: Sequence[str]) -> "Dirichlet":
        """Return a prior with the same concentration for the donors kept."""
        alpha = self.alpha(donors)
        if np.isscalar(alpha):
            return Dirichlet(concentration=float(alpha))
        by_label = zip(donors, alpha, strict=True)
        return Dirichlet(concentration={d: float(a) for d, a in by_label if d in kept})

    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Return the concentration and the padding mask as arrays."""
        alpha = self.alpha(donors)
        padded = alpha if np.isscalar(alpha) else np.append(alpha, np.ones(width - len(donors)))
        mask = np.where(np.arange(width) < len(donors), 0.0, NO_WEIGHT)
        return {"concentration": np.asarray(padded), "padding": mask}

    def build(self, inputs: Mapping[str, np.ndarray], width: int) -> Any:
        """Create non-centred log-gamma variables and their softmax."""
        import pymc as pm

        concentration = pm.Data("concentration", inputs["concentration"])
        padding = pm.Data("padding", inputs["padding"], dims="donor")
        # The start is fixed because a compiled model keeps it when later panels bring another
        # concentration.
        start = np.ones(width)
        gamma = pm.Gamma("gamma", alpha=concentration + 1, beta=1, dims="donor", initval=start)
        exponential = pm.Exponential("exponential", 1, dims="donor", initval=start)
        log_weights = pm.math.log(gamma) - exponential / concentration + padding
        return pm.Deterministic("weights", pm.math.softmax(log_weights), dims="donor")

    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw weights from the prior, shape ``(draws, donors)``."""
        alpha = np.broadcast_to(self.alpha(donors), len(donors))
        shape = (draws, len(donors))
        logs = np.log(rng.gamma(alpha + 1, size=shape)) - rng.exponential(size=shape) / alpha
        return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))

    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Return the log density; weights below the smallest double count as that."""
        alpha = np.broadcast_to(self.alpha(donors), len(donors))
        logs = np.log(np.maximum(weights, np.finfo(float).tiny))
        return np.asarray(logs @ (alpha - 1) + gammaln(alpha.sum()) - gammaln(alpha).sum())

    def describe(self, donors: Sequence[str]) -> str:
        """Name the concentration and the effective donors that it expects."""
        alpha = self.alpha(donors)
        if not np.isscalar(alpha):
            extent = f"{np.min(alpha):.3g} to {np.max(alpha):.3g}"
            return f"Dirichlet(one concentration per donor, {extent})"
        count, one = len(donors), float(alpha)
        effective = (count * one + 1) / (one + 1)
        return f"Dirichlet({one:.3g}), expects {effective:.3g} effective donors of {count}"


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


def concentration_for(effective_donors: float, donors: int) -> float:
    """Return the symmetric concentration at which ``1 / E[sum w^2]`` is ``effective_donors``."""
    return 1.0 if donors == 1 else (effective_donors - 1) / (donors - effective_donors)


def __dir__() -> list[str]:
    return sorted(__all__)
