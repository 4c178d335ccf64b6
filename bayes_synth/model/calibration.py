"""Learn the inflation kappa of the forecast error from the donors, and apply it to a path.

Donors are untreated, so how far each one's own synthetic control missed it after ``start``, in
predictive standard deviations, is data on this panel's forecast error. The inflation ``kappa`` of
that error has a prior and an exact posterior on a grid: one number needs no sampler. This module
does not import PyMC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from scipy import stats

from bayes_synth.errors import PriorError
from bayes_synth.registry import saved
from bayes_synth.sampling.settings import Size, require_count, require_probability
from bayes_synth.words import listed, texts

__all__ = ["COLUMNS", "Calibration", "Inflated", "average_of", "inflated", "require_excluded"]

COLUMNS = ("error", "sd", "step", "z", "divergences", "ok")
REACH, NODES = 8.0, 2001
"""The grid of log kappa: its reach in prior standard deviations, and its number of points."""


@saved()
@final
@dataclass(frozen=True)
class Calibration:
    """How to calibrate intervals on the donors; pass it as ``SyntheticControl(calibrate=...)``.

    Parameters
    ----------
    exclude
        Donors set aside because the treatment may have reached them (declared spillover, never a
        large miss). They still serve in the synthetic controls, unless they are dropped from the
        panel.
    kappa_sd
        Prior standard deviation of ``log kappa``, centred on 0: at 1, kappa lies between 0.14 and
        7.1 with probability 95 %.
    degrees_of_freedom
        Tails of the Student-t likelihood of the donors' z-scores, so that a few contaminated donors
        do not dominate. Infinite: normal.
    pooling
        How far each unit's predictive standard deviation, in its own typical steps, is drawn
        towards the donors' typical one: from 0 (its own) to 1 (the typical one). A short pre-period
        says little about how far one series will wander; the other series say more.
    most
        Largest number of donors refitted; if there are more, the fit's seed chooses among them.
    draws, tune, chains, target_accept
        Size of each refit: smaller than the fit's own, because only a mean and a standard deviation
        are needed.

    Raises
    ------
    PriorError
        O007 for numbers that are out of range.
    OptionError
        O010 for counts that are too small or a ``target_accept`` outside (0, 1).

    Notes
    -----
    With ``v`` a unit's predictive standard deviation of the average gap, ``c`` its typical step
    (robust sd of its first differences before treatment) and ``r`` the median (of logs) of
    ``v / c`` over the donors, the pooled one is ``V = v^(1-p) (r c)^p``. ``z_j ~ t_nu(0, kappa)``,
    ``log kappa ~ N(0, kappa_sd^2)``, with ``z_j`` the realised average gap of donor j minus its
    predictive mean, over ``V_j``. The treated unit's predictive path is inflated about its mean by
    ``kappa V / (v sqrt(lambda))``, ``lambda ~ Gamma(nu/2, nu/2)``, with kappa and lambda drawn once
    per draw and independently of the path. This assumes that the treated unit is exchangeable with
    the donors in forecast error and that no donor was affected. The z-scores share donors and
    shocks, so their number overstates the evidence.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.4, for placebos in space, of
    which this is the parametric relative. Lange, Little and Taylor (1989), JASA 84(408), for the
    Student-t likelihood.
    """

    exclude: tuple[str, ...] = ()
    kappa_sd: float = 1.0
    degrees_of_freedom: float = 5.0
    pooling: float = 0.5
    most: int = 40
    draws: int = 250
    tune: int = 400
    chains: int = 2
    target_accept: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(texts(self.exclude)))
        if not (np.isfinite(self.kappa_sd) and self.kappa_sd > 0):
            raise PriorError(
                "O007", f"kappa_sd must be positive and finite, got {self.kappa_sd!r}."
            )
        if not self.degrees_of_freedom > 0:
            raise PriorError(
                "O007", f"degrees_of_freedom must be positive, got {self.degrees_of_freedom!r}."
            )
        for name, least in {"most": 1, "draws": 50, "tune": 50, "chains": 2}.items():
            require_count(name, getattr(self, name), least)
        if not 0 <= self.pooling <= 1:
            raise PriorError("O007", f"pooling must lie between 0 and 1, got {self.pooling!r}.")
        require_probability("target_accept", self.target_accept)

    @property
    def size(self) -> Size:
        """How much each refit samples."""
        return Size(self.draws, self.tune, self.chains, self.target_accept)

    def pooled(self, sd: Any, step: Any, placebos: pd.DataFrame) -> Any:
        """Pull predictive standard deviations towards the placebos' typical one.

        ``sd`` and ``step`` are in one measure, which is also that of the answer.
        """
        typical = np.exp((placebos["sd"] / placebos["step"]).map(np.log).median())
        # A power of a ratio: exact whatever the units.
        return sd * (typical * step / sd) ** self.pooling

    def scored(self, placebos: pd.DataFrame) -> pd.DataFrame:
        """Add the placebos' z-scores: errors over pooled standard deviations."""
        return placebos.assign(
            z=placebos["error"] / self.pooled(placebos["sd"], placebos["step"], placebos)
        )

    @property
    def law(self) -> Any:
        """The likelihood of a z-score at kappa = 1."""
        return (
            stats.norm() if np.isinf(self.degrees_of_freedom) else stats.t(self.degrees_of_freedom)
        )

    def posterior(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return kappa's posterior given z-scores: values on a grid and their probabilities."""
        logs = np.linspace(-REACH * self.kappa_sd, REACH * self.kappa_sd, NODES)
        likelihood = self.law.logpdf(np.asarray(z)[:, None] * np.exp(-logs)) - logs
        density = likelihood.sum(0) - 0.5 * (logs / self.kappa_sd) ** 2
        mass = np.exp(density - density.max())
        return np.exp(logs), mass / mass.sum()

    def draw(
        self, z: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw kappa from its posterior, and lambda, whose mixture of normals is a Student-t."""
        values, mass = self.posterior(z)
        kappa = np.exp(np.interp(rng.random(shape), np.cumsum(mass) - mass / 2, np.log(values)))
        nu = self.degrees_of_freedom
        return kappa, np.ones(shape) if np.isinf(nu) else rng.gamma(nu / 2, 2 / nu, size=shape)

    def inflate(
        self,
        path: np.ndarray,
        seen: np.ndarray,
        step: float,
        placebos: pd.DataFrame,
        rng: np.random.Generator,
        *,
        pooling: float | None = None,
    ) -> "Inflated":
        """Inflate a predictive path as the scored placebos say.

        Parameters
        ----------
        path
            Draws on the model's scale, dims ``(chain, draw, time)``.
        seen
            Which times have an outcome and count for the average, dims ``(time,)``.
        step
            The unit's typical step, on the model's scale.
        placebos
            Scored placebos, see :meth:`scored`.
        rng
            Randomness of kappa and lambda.
        pooling
            The pooled over the unit's own predictive standard deviation; None: as the placebos
            imply.
        """
        kappa, lam = self.draw(placebos["z"].to_numpy(), path.shape[:2], rng)
        if pooling is None:
            sd = float(np.nanstd(average_of(path, seen), ddof=1))
            pooling = float(self.pooled(sd, step, placebos)) / sd
        return Inflated(inflated(path, pooling * kappa, lam), kappa, lam, pooling)

    def __str__(self) -> str:
        tails = f"Student-t with {self.degrees_of_freedom:g} degrees of freedom"
        return f"LogNormal(0, {self.kappa_sd:g}), {tails}"


class Inflated(NamedTuple):
    """An inflated path, and the numbers that inflated it.

    ``path`` has dims ``(chain, draw, time)``, ``kappa`` and ``lam`` have ``(chain, draw)``;
    ``pooling`` is the pooled over the unit's own predictive standard deviation.
    """

    path: np.ndarray
    kappa: np.ndarray
    lam: np.ndarray
    pooling: float


def inflated(path: np.ndarray, kappa: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Return ``m + kappa / sqrt(lambda) * (path - m)``, with ``m`` the mean over draws.

    ``path`` has dims ``(chain, draw, time)``; ``kappa``, already pooled, and ``lam`` have
    ``(chain, draw)``. The path keeps its mean up to Monte Carlo error, and its draws when kappa and
    lambda are 1.
    """
    mean = np.nanmean(path, axis=(0, 1))
    return np.asarray(mean + (kappa / np.sqrt(lam))[..., None] * (path - mean))


def average_of(path: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the mean over the times with an outcome; dims of ``path`` but the last."""
    return np.asarray(np.nanmean(np.where(seen, path, np.nan), axis=-1))


def require_excluded(exclude: Sequence[str], donors: Sequence[str]) -> None:
    """Refuse to set aside a label that is not a donor's.

    Raises
    ------
    PriorError
        O006.
    """
    unknown = [label for label in exclude if label not in donors]
    if unknown:
        raise PriorError(
            "O006",
            f"exclude must name donors of this panel ({listed(donors)}), got {listed(unknown)}.",
        )
