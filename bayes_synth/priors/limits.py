"""Limits on weights: what a Dirichlet is when no weight may exceed, or fall below, a share."""

from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from bayes_synth.errors import PriorError

__all__ = ["ROOM", "Limits", "log_mass_below", "moved_below", "require_limits"]

ROUNDS = 100
"""Rounds of moves between pairs of donors that draw shares below their caps from the prior."""

ROOM = 1e-6
"""Limits must leave at least this much to estimate."""

CELLS = 2**12
"""Grid points per unit of the sum of shares, in whose density the mass below the caps is read."""


class Limits(NamedTuple):
    """Limits on weights: they are ``floor + free * shares``, of shares that stay below ``caps``.

    The shares sum to one, as the weights do. ``floor`` and ``caps`` have shape ``(donor,)``;
    without limits they are zero and infinite, and ``free`` is one.
    """

    floor: np.ndarray
    free: float
    caps: np.ndarray

    @classmethod
    def none(cls, donors: int) -> Self:
        """Limit no weight."""
        return cls(np.zeros(donors), 1.0, np.full(donors, np.inf))

    @property
    def raised(self) -> bool:
        """Whether a weight has a lower limit above zero."""
        return bool((self.floor > 0).any())

    @property
    def capped(self) -> bool:
        """Whether a share has an upper limit below one."""
        return bool((self.caps < 1).any())

    def weights(self, shares: np.ndarray) -> np.ndarray:
        """Turn shares, donors last, into weights that keep the limits to the last digit."""
        if not (self.raised or self.capped):
            return shares
        ends = self.floor, self.floor + self.free * np.minimum(self.caps, 1)
        return np.asarray(np.clip(self.floor + self.free * shares, *ends))

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Turn weights, donors last, into shares."""
        return np.asarray((weights - self.floor) / self.free) if self.raised else weights

    def below(self, shares: np.ndarray) -> np.ndarray:
        """Move what exceeds the caps to where there is room, for shares with the donors last."""
        kept = np.minimum(shares, self.caps)
        room = np.minimum(self.caps, 1) - kept
        excess = (1 - kept.sum(-1, keepdims=True)) / room.sum(-1, keepdims=True)
        return np.asarray(kept + excess * room)


def require_limits(largest: Any, at_least: Any) -> None:
    """Refuse limits that no weights can keep, whichever the donors are."""
    if at_least is not None and not isinstance(at_least, Mapping):
        raise PriorError(
            "O080",
            f"at_least must give shares by donor, such as {{'Nevada': 0.1}}, got {at_least!r}.",
        )
    least = dict(at_least or {})
    if largest is not None and not (_is_share(largest) and largest > 0):
        raise PriorError("O080", f"largest must be a share above 0 and up to 1, got {largest!r}.")
    for label, share in least.items():
        if not (_is_share(share) and share < 1):
            one = f"at_least must be a share from 0 to below 1, got {share!r} for {label}."
            raise PriorError("O080", one)
        if largest is not None and share > largest:
            above = f"at_least must not exceed largest = {largest:g}, got {share:g} for {label}."
            raise PriorError("O081", above)
    if (total := sum(least.values())) > 1 - ROOM:
        terms = " + ".join(f"{share:g}" for share in least.values())
        much = f"the shares of at_least must sum to less than 1, got {terms} = {total:.4g}."
        raise PriorError("O081", much)


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1


def moved_below(
    caps: np.ndarray, alpha: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw from the Dirichlet below its caps: move shares between all pairs of random matchings.

    Each share of a pair is proposed from its beta law, then uniformly where the caps allow it;
    both leave the law as it is. ``shares``, ``(draw, donor)``, keep the caps.
    """
    shares, half = shares.copy(), shares.shape[1] // 2
    for round_ in range(2 * ROUNDS):
        i, j = rng.permutation(shares.shape[1])[: 2 * half].reshape(2, half)
        mass, here = shares[:, i] + shares[:, j], shares[:, i]
        if round_ % 2:
            low, high = np.maximum(mass - caps[j], 0), np.minimum(mass, caps[i])
            there = low + (high - low) * rng.random(mass.shape)
            with np.errstate(all="ignore"):
                ratio = (there / here) ** (alpha[i] - 1)
                ratio *= ((mass - there) / (mass - here)) ** (alpha[j] - 1)
            good = rng.random(mass.shape) < ratio
        else:
            there = mass * rng.beta(alpha[i], alpha[j], mass.shape)
            good = (there <= caps[i]) & (mass - there <= caps[j])
        shares[:, i] = np.where(good, there, here)
        shares[:, j] = np.where(good, mass - there, shares[:, j])
    return shares


def log_mass_below(caps: np.ndarray, alpha: np.ndarray) -> float:
    """Return the log of the probability that a Dirichlet's shares are all below their caps.

    The shares are independent gamma variables given that they sum to one. So it is read off the
    density at one of the sum of cut-off gamma variables, which is a product of Fourier transforms;
    a tilt by ``exp(-t x)`` makes one their mean. Accurate to about 1e-4.
    """
    kinds, counts = np.unique(
        np.column_stack([alpha, np.minimum(caps, 1)]), axis=0, return_counts=True
    )
    mass, middle, point = _cells(kinds)

    def tilted(tilt: float) -> np.ndarray:
        logs = np.log(np.maximum(mass, 1e-300)) - tilt * (middle - 0.5)
        return np.asarray(np.where(mass > 0, np.exp(logs - logs.max(1, keepdims=True)), 0))

    def mean(tilt: float) -> float:
        law = tilted(tilt)
        return float(counts @ ((law * middle).sum(1) / law.sum(1))) - 1

    tilt = brentq(mean, -1e5, 1e5, xtol=1e-3) if len(alpha) > 1 else 0.0
    law = mass * np.exp(-tilt * middle)
    logs = np.log(law.sum(1))
    law /= law.sum(1, keepdims=True)
    nodes = np.zeros((len(kinds), 8 * CELLS))
    cells = np.arange(CELLS)
    nodes[:, :CELLS] += law * (1 - point)
    nodes[:, cells + 1] += law * point
    product = np.prod(np.fft.rfft(nodes) ** counts[:, None], axis=0)
    density = float(np.fft.irfft(product)[CELLS]) * CELLS
    return float(
        np.log(density) + tilt + counts @ logs + gammaln(alpha.sum()) - gammaln(alpha).sum()
    )


def _cells(kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integrate ``x^(a-1)`` up to the cap over the cells of a grid, for rows of ``a`` and cap.

    Returns the masses, their means, and where in its cell each mean lies, from 0 to 1.
    """
    alpha, caps = kinds[:, :1], kinds[:, 1:]
    edges = np.minimum(np.arange(CELLS + 1) / CELLS, caps)
    mass = np.diff(edges**alpha) / alpha
    first = np.diff(edges ** (alpha + 1)) / (alpha + 1)
    middle = np.divide(first, mass, out=np.zeros_like(mass), where=mass > 0)
    return mass, middle, np.clip(middle * CELLS - np.arange(CELLS), 0, 1) * (mass > 0)
