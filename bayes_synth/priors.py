"""Priors as frozen specifications: what the user says, how it enters the PyMC graph, what it implies.

PyMC is imported inside the methods that build a graph, so that a saved fit can be read without it.
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
"""Donors are padded to a multiple of this, so that panels of similar size share one compiled model."""

NO_WEIGHT = -1e9
"""Log weight of a padding donor: its weight underflows to exactly zero."""


@runtime_checkable
class VariableFactory(Protocol):
    """Anything that makes a PyMC variable by name, such as a ``Prior`` of pymc-extras."""

    def create_variable(self, name: str) -> Any:
        """Create the variable in the current model context."""


@runtime_checkable
class KnownPrior(Protocol):
    """A prior on a number that numpy knows too."""

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws, shape ``(draws,)``."""

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Log density at ``value``."""


@saved(data=["sigma"])
@final
@dataclass(frozen=True)
class HalfNormal:
    """Half-normal prior on a standard deviation, in units of the panel's scale.

    Parameters
    ----------
    sigma
        Scale of the half-normal. The panel's scale is a robust standard deviation of the first
        differences of the treated unit's pre-period, so 1 means as large as its usual step.

    Raises
    ------
    PriorError
        O007 unless ``sigma`` is positive and finite.
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise PriorError("O007", f"sigma={self.sigma!r} must be a positive number.")

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws from the prior, shape ``(draws,)``, in units of the panel's scale."""
        return np.abs(rng.standard_normal(draws)) * self.sigma

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Log density at ``value``, given in units of the panel's scale."""
        return np.asarray(
            np.log(2 / (self.sigma * np.sqrt(2 * np.pi))) - 0.5 * (value / self.sigma) ** 2
        )

    def __str__(self) -> str:
        return f"HalfNormal({self.sigma:g})"


class AbstractWeightsPrior(ABC):
    """A prior on the donor weights: non-negative, summing to one.

    A new prior is one subclass: what enters the graph (:meth:`inputs`), the graph (:meth:`build`),
    and the same prior in numpy (:meth:`sample`, :meth:`log_density`).
    """

    def __init_subclass__(cls, *, data: Iterable[str] = (), **options: Any) -> None:
        """Register the prior, so that fits that use it can be saved and loaded.

        Parameters
        ----------
        data
            Fields whose numbers enter the graph through :meth:`inputs` only. Every other field is taken to change the
            compiled code.
        """
        super().__init_subclass__(**options)
        saved(data=data)(cls)

    def width(self, donors: Sequence[str], like: Sequence[str] = ()) -> int:
        """Length of the graph's ``donor`` dim: the donors, padded as those of ``like`` if the prior can be."""
        return len(donors)

    def restricted(self, donors: Sequence[str], kept: Sequence[str]) -> "AbstractWeightsPrior":
        """The prior on ``donors``, for a pool that lost some of them; the same object unless it names donors."""
        return self

    @abstractmethod
    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Arrays that enter the graph as data; equal shapes share one compiled model."""

    @abstractmethod
    def build(self, inputs: Mapping[str, np.ndarray], width: int) -> Any:
        """Create ``weights`` with dim ``donor`` in the current PyMC model and return it."""

    @abstractmethod
    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Prior draws, shape ``(draws, donors)``."""

    @abstractmethod
    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Log density over the simplex, for weights of shape ``(..., donors)``."""

    @abstractmethod
    def describe(self, donors: Sequence[str]) -> str:
        """The prior in one line, with the numbers that hold for these donors."""


@final
@dataclass(frozen=True)
class Dirichlet(AbstractWeightsPrior, data=["effective_donors", "concentration"]):
    """Symmetric or per-donor Dirichlet prior on the weights.

    Parameters
    ----------
    effective_donors
        Expected number of effective donors, N in ``1 / E[sum w^2] = N``; sets the concentration to
        ``(N - 1) / (J - N)`` for J donors. Must be above 1 and below J. Default: 4, but at most
        ``(J + 1) / 2``.
    concentration
        The Dirichlet's concentration instead: one number for all donors, or one per donor by label.
        1 is uniform over the simplex, which is not sparse: it expects ``(J + 1) / 2`` effective donors.

    Raises
    ------
    PriorError
        O014 when both are given, O002 for a value that is not positive and finite or a label that is
        missing, O015 for effective donors outside (1, J).

    Notes
    -----
    Sampled as ``softmax(log G - E / a)`` with ``G ~ Gamma(a + 1, 1)`` and ``E ~ Exponential(1)``: the
    same prior in unit-scale coordinates, because ``G * exp(-E / a) ~ Gamma(a, 1)`` (Marsaglia and Tsang
    2000, section 6). Weights far below double precision never underflow on the way.
    """

    DEFAULT_EFFECTIVE: ClassVar[float] = 4.0

    effective_donors: float | None = None
    concentration: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.effective_donors is not None and self.concentration is not None:
            raise PriorError(
                "O014",
                "give effective_donors or concentration, not both: one determines the other.",
            )
        if self.effective_donors is not None and not (
            np.isfinite(self.effective_donors) and self.effective_donors > 1
        ):
            raise PriorError("O015", f"effective_donors={self.effective_donors!r} must be above 1.")
        values = (
            self.concentration.values()
            if isinstance(self.concentration, Mapping)
            else [self.concentration]
        )
        wrong = [
            value
            for value in values
            if value is not None and not (np.isfinite(value) and value > 0)
        ]
        if wrong:
            raise PriorError("O002", f"concentration must be positive, got {listed(wrong)}.")

    def alpha(self, donors: Sequence[str]) -> float | np.ndarray:
        """The concentration for these donors: one number, or one per donor."""
        if isinstance(self.concentration, Mapping):
            return self._by_label(self.concentration, donors)
        if self.concentration is not None:
            return float(self.concentration)
        return concentration_for(self._effective(len(donors)), len(donors))

    def _effective(self, donors: int) -> float:
        if self.effective_donors is None:
            return min(self.DEFAULT_EFFECTIVE, (donors + 1) / 2)
        if self.effective_donors >= donors and donors > 1:
            raise PriorError(
                "O015",
                f"effective_donors={self.effective_donors:g} must be below the number of donors, {donors}; "
                f"up to {(donors + 1) / 2:g} is sparse.",
            )
        return self.effective_donors

    @staticmethod
    def _by_label(concentration: Mapping[str, float], donors: Sequence[str]) -> np.ndarray:
        absent = [donor for donor in donors if donor not in concentration]
        unknown = [label for label in concentration if label not in donors]
        if absent:
            raise PriorError(
                "O002", f"concentration names no value for {len(absent)} donors: {listed(absent)}."
            )
        if unknown:
            raise PriorError(
                "O002", f"concentration names {unknown[0]!r}. {suggestion(unknown[0], donors)}"
            )
        return np.array([float(concentration[donor]) for donor in donors])

    def width(self, donors: Sequence[str], like: Sequence[str] = ()) -> int:
        """The next multiple of eight, so that panels of similar size share one compiled model."""
        return -(-max(len(donors), len(like)) // PADDING) * PADDING

    def restricted(self, donors: Sequence[str], kept: Sequence[str]) -> "Dirichlet":
        """The same concentration for the donors kept."""
        alpha = self.alpha(donors)
        if np.isscalar(alpha):
            return Dirichlet(concentration=float(alpha))
        return Dirichlet(
            concentration={d: float(a) for d, a in zip(donors, alpha, strict=True) if d in kept}
        )

    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Concentration and the padding mask, as arrays."""
        alpha = self.alpha(donors)
        padded = alpha if np.isscalar(alpha) else np.append(alpha, np.ones(width - len(donors)))
        mask = np.where(np.arange(width) < len(donors), 0.0, NO_WEIGHT)
        return {"concentration": np.asarray(padded), "padding": mask}

    def build(self, inputs: Mapping[str, np.ndarray], width: int) -> Any:
        """Non-centred log-gamma variables and their softmax."""
        import pymc as pm

        concentration = pm.Data("concentration", inputs["concentration"])
        padding = pm.Data("padding", inputs["padding"], dims="donor")
        # A fixed start: the compiled model keeps it when later panels bring another concentration.
        start = np.ones(width)
        gamma = pm.Gamma("gamma", alpha=concentration + 1, beta=1, dims="donor", initval=start)
        exponential = pm.Exponential("exponential", 1, dims="donor", initval=start)
        log_weights = pm.math.log(gamma) - exponential / concentration + padding
        return pm.Deterministic("weights", pm.math.softmax(log_weights), dims="donor")

    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Prior draws, shape ``(draws, donors)``."""
        alpha = np.broadcast_to(self.alpha(donors), len(donors))
        shape = (draws, len(donors))
        logs = np.log(rng.gamma(alpha + 1, size=shape)) - rng.exponential(size=shape) / alpha
        return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))

    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Log density over the simplex; weights below the smallest double count as that."""
        alpha = np.broadcast_to(self.alpha(donors), len(donors))
        logs = np.log(np.maximum(weights, np.finfo(float).tiny))
        return np.asarray(logs @ (alpha - 1) + gammaln(alpha.sum()) - gammaln(alpha).sum())

    def describe(self, donors: Sequence[str]) -> str:
        """The prior with its concentration and the effective donors it expects."""
        alpha = self.alpha(donors)
        if not np.isscalar(alpha):
            return f"Dirichlet(one concentration per donor, {np.min(alpha):.3g} to {np.max(alpha):.3g})"
        effective = (len(donors) * float(alpha) + 1) / (float(alpha) + 1)
        return f"Dirichlet({float(alpha):.3g}), expects {effective:.3g} effective donors of {len(donors)}"


@final
@dataclass(frozen=True)
class CustomWeights(AbstractWeightsPrior):
    """A user's own variable for the weights, by pymc-extras' ``create_variable``.

    The variable must be a simplex over the panel's donors in sorted order, with the one dim ``donor``.
    Such a model is compiled for its own number of donors, and draws from its prior come from PyMC.
    """

    factory: VariableFactory

    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Nothing: the user's variable brings its own numbers."""
        return {}

    def build(self, inputs: Mapping[str, np.ndarray], width: int) -> Any:
        """The user's variable, checked for its length."""
        weights = self.factory.create_variable("weights")
        expected = (width,)
        if tuple(weights.type.shape) not in {expected, (None,)}:
            raise PriorError(
                "O006",
                f"the weights prior has shape {weights.type.shape}, expected {expected}: one per donor.\n"
                "  Calibration refits pools with a donor fewer: give it dims='donor', or use calibrate=False.",
            )
        return weights

    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Prior draws through PyMC, shape ``(draws, donors)``."""
        import pymc as pm

        with pm.Model(coords={"donor": list(donors)}):
            weights = self.build({}, len(donors))
            return np.asarray(pm.draw(weights, draws=draws, random_seed=rng))

    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Unknown: reported as missing, never as zero."""
        return np.full(weights.shape[:-1], np.nan)

    def describe(self, donors: Sequence[str]) -> str:
        """What the user's object says of itself."""
        return f"{self.factory}"


def as_weights_prior(prior: AbstractWeightsPrior | VariableFactory) -> AbstractWeightsPrior:
    """One of our priors as it is, a foreign variable factory wrapped.

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
        f"weights={prior!r} is no weights prior; write bs.priors.Dirichlet(effective_donors=4).",
    )


def concentration_for(effective_donors: float, donors: int) -> float:
    """The symmetric concentration at which ``1 / E[sum w^2]`` equals ``effective_donors``."""
    return 1.0 if donors == 1 else (effective_donors - 1) / (donors - effective_donors)
