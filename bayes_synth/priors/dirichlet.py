"""The Dirichlet prior on the donors' weights: its concentration, its limits, its graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
from scipy.special import gammaln, logsumexp

from bayes_synth.errors import PriorError
from bayes_synth.priors.limits import ROOM, Limits, log_mass_below, moved_below, require_limits
from bayes_synth.priors.weights import AbstractWeightsPrior
from bayes_synth.words import listed, suggestion

__all__ = ["PADDING", "Dirichlet", "concentration_for"]

PADDING = 8
"""Donors are padded to a multiple of this, so that similar panels share one compiled model."""

NO_WEIGHT = -1e9
"""Log weight of a padding donor: its weight underflows to exactly zero."""


@final
@dataclass(frozen=True)
class Dirichlet(AbstractWeightsPrior, data=["effective_donors", "concentration", "at_least"]):
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
    largest
        No weight exceeds this share of one. The prior is cut off there. It is sampled by slices
        only.
    at_least
        The least weight of some donors, by label. What they leave of one is shared between all
        donors by the Dirichlet.

    Raises
    ------
    PriorError
        O014 when both ``effective_donors`` and ``concentration`` are given, O002 for a value that
        is not positive and finite or a label that is missing or unknown, O015 for effective donors
        outside (1, J), O080 for a limit that is not a share, O081 for limits that leave no weights
        to choose from, O082 for a limit on an unknown label, O083 for ``largest`` where slices
        cannot sample the model.

    Notes
    -----
    Weights are drawn as ``softmax(log G - E / a)`` with ``G ~ Gamma(a + 1, 1)`` and
    ``E ~ Exponential(1)``: the same prior in coordinates of size one, because
    ``G * exp(-E / a) ~ Gamma(a, 1)`` (Marsaglia and Tsang 2000, section 6). Weights far below
    double precision never underflow on the way.

    Refits of other pools of donors keep the limits: a donor that is not in the pool, such as one
    that is refitted as if treated, loses its ``at_least``, and a pool that ``largest`` makes too
    small is left out of the calibration, with the code O081.

    Examples
    --------
    >>> prior = bs.priors.Dirichlet(effective_donors=3, largest=0.6)
    >>> prior.describe(panel.donors)
    'Dirichlet(0.667), expects 3 effective donors of 6; no weight above 0.6'
    """

    DEFAULT_EFFECTIVE: ClassVar[float] = 4.0

    effective_donors: float | None = None
    concentration: float | Mapping[str, float] | None = None
    largest: float | None = None
    at_least: Mapping[str, float] | None = None

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
        require_limits(self.largest, self.at_least)

    @property
    def slices_only(self) -> bool:
        """Whether there is a largest weight, which the graph cannot state."""
        return self.largest is not None

    def limits(self, donors: Sequence[str]) -> Limits:
        """Return the limits for these donors, as arrays in their order.

        Raises
        ------
        PriorError
            O081 when so few donors cannot share a whole under ``largest``, O082 for a limit on a
            label that is not a donor's.
        """
        least, count = self.at_least or {}, len(donors)
        if unknown := [label for label in least if label not in donors]:
            hint = suggestion(str(unknown[0]), donors)
            raise PriorError("O082", f"at_least must name donors only, got {unknown[0]!r}. {hint}")
        none = Limits.none(count)
        if self.largest is not None and count * self.largest < 1 + ROOM:
            raise PriorError(
                "O081",
                f"largest must exceed 1 / {count} = {1 / count:.4g} for {count} donors, got "
                f"{self.largest:g}: {count} x {self.largest:g} = {count * self.largest:.4g}, and "
                "the weights sum to 1.\n  Raise largest, or use more donors.",
            )
        floor = np.array([float(least.get(donor, 0.0)) for donor in donors])
        free = 1 - float(floor.sum())
        if self.largest is None:
            return none._replace(floor=floor, free=free)
        caps = np.maximum((self.largest - floor) / free, np.finfo(float).tiny)
        return Limits(floor, free, np.where(caps < 1, caps, np.inf))

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
        """Return a prior with the same concentration and limits for the donors kept.

        Raises
        ------
        PriorError
            O081 when ``largest`` leaves the donors kept too little, O082 for a limit on a label
            that is not among ``donors``.
        """
        alpha, _ = self.alpha(donors), self.limits(donors)
        least = {d: least for d, least in (self.at_least or {}).items() if d in kept}
        by_label = {} if np.isscalar(alpha) else dict(zip(donors, alpha, strict=True))
        concentration = {d: float(a) for d, a in by_label.items() if d in kept} or float(alpha)
        same = replace(
            self, effective_donors=None, concentration=concentration, at_least=least or None
        )
        same.limits(kept)
        return same

    def inputs(self, donors: Sequence[str], width: int) -> dict[str, np.ndarray]:
        """Return the concentration, the padding mask and the least weights as arrays.

        Raises
        ------
        PriorError
            O083 with ``largest``, which is no part of the graph.
        """
        if self.largest is not None:
            raise PriorError(
                "O083",
                "largest must be sampled by slices, which take normal noise that is a local level, "
                "a trend or iid and a treated unit without missing outcomes; this is another model "
                "or sampler.\n  Use such a model with sampler='auto', or leave largest out: "
                "at_least and effective_donors suit every sampler.",
            )
        alpha, limits = self.alpha(donors), self.limits(donors)
        padded = alpha if np.isscalar(alpha) else np.append(alpha, np.ones(width - len(donors)))
        mask = np.where(np.arange(width) < len(donors), 0.0, NO_WEIGHT)
        least = np.append(limits.floor, np.zeros(width - len(donors)))
        return {
            "concentration": np.asarray(padded),
            "padding": mask,
            **({"at_least": least} if limits.raised else {}),
        }

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
        weights = pm.math.softmax(log_weights)
        if "at_least" in inputs:
            least = pm.Data("at_least", inputs["at_least"], dims="donor")
            weights = least + (1 - least.sum()) * weights
        return pm.Deterministic("weights", weights, dims="donor")

    def sample(self, donors: Sequence[str], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw weights from the prior, shape ``(draws, donors)``."""
        alpha = np.broadcast_to(self.alpha(donors), len(donors))
        shape = (draws, len(donors))
        logs = np.log(rng.gamma(alpha + 1, size=shape)) - rng.exponential(size=shape) / alpha
        shares = np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))
        limits = self.limits(donors)
        if limits.capped:
            shares = moved_below(limits.caps, alpha, limits.below(shares), rng)
        return limits.weights(shares)

    def log_density(self, weights: np.ndarray, donors: Sequence[str]) -> np.ndarray:
        """Return the log density; weights below the smallest double count as that."""
        alpha, limits = np.broadcast_to(self.alpha(donors), len(donors)), self.limits(donors)
        logs = np.log(np.maximum(limits.shares(weights), np.finfo(float).tiny))
        density = logs @ (alpha - 1) + gammaln(alpha.sum()) - gammaln(alpha).sum()
        if limits.capped:
            density = density - log_mass_below(limits.caps, alpha)
        return np.asarray(density - (len(donors) - 1) * np.log(limits.free))

    def describe(self, donors: Sequence[str]) -> str:
        """Name the concentration, the effective donors that it expects, and the limits."""
        alpha, limits = self.alpha(donors), self._limits_in_words()
        if not np.isscalar(alpha):
            extent = f"{np.min(alpha):.3g} to {np.max(alpha):.3g}"
            return f"Dirichlet(one concentration per donor, {extent}){limits}"
        count, one = len(donors), float(alpha)
        effective = (count * one + 1) / (one + 1)
        return f"Dirichlet({one:.3g}), expects {effective:.3g} effective donors of {count}{limits}"

    def _limits_in_words(self) -> str:
        parts = [] if self.largest is None else [f"no weight above {self.largest:g}"]
        if self.at_least:
            least = [f"{label} {share:g}" for label, share in self.at_least.items()]
            parts.append(f"at least {listed(least, 3)}")
        return f"; {'; '.join(parts)}" if parts else ""


def concentration_for(effective_donors: float, donors: int) -> float:
    """Return the symmetric concentration at which ``1 / E[sum w^2]`` is ``effective_donors``."""
    return 1.0 if donors == 1 else (effective_donors - 1) / (donors - effective_donors)
