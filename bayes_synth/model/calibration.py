"""Learn from the donors how wide intervals must be, and inflate a path accordingly.

Donors are untreated, so how far each one's own synthetic control missed it after ``start``, in
predictive standard deviations, is data on this panel's forecast error. A forecast error has two
parts, its average and its deviations from it; each has an inflation ``kappa`` of its own, with a
prior and an exact posterior on a grid. This module does not import PyMC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd

from bayes_synth.errors import PriorError
from bayes_synth.model.forecast_error import split_path
from bayes_synth.model.inflation import Inflation, learn_inflation
from bayes_synth.registry import saved
from bayes_synth.sampling.settings import Size, require_count, require_probability
from bayes_synth.words import listed, texts

__all__ = ["COLUMNS", "Calibration", "Evidence", "Inflated", "average_of", "require_excluded"]

COLUMNS = (
    "error",
    "sd",
    "doubt",
    "deviation",
    "deviation_sd",
    "periods",
    "step",
    "z",
    "divergences",
    "ok",
)
SPREAD_OF_UNITS = 0.5
"""Prior sd, over units, of the log of a predictive sd in typical steps."""


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
        do not dominate. None: learnt with kappa among 2, 3, 5, 10 and 30. Infinite: normal.
    pooling
        How far each unit's predictive standard deviation, in its own typical steps, is drawn
        towards the donors' typical one: from 0 (its own) to 1 (the typical one). None: as far as
        its own past leaves it in doubt, which a short pre-period does and a long one does not.
    growth_sd
        Prior standard deviation of the power of the horizon by which errors grow beyond what the
        model says; 0 leaves the model's own growth.
    q_factors, q_probabilities
        Factors on the prior standard deviation of ``q``, the step of a drifting level, and their
        prior probabilities. The donors' errors weigh them; ``(1.0,)`` leaves the prior as it is.
        The last factor must be 1.
    most
        Largest number of donors refitted; if there are more, every k-th of them in the order of
        their mean before ``start`` is taken.
    draws, tune, chains, target_accept
        Size of each refit: smaller than the fit's own, because only a mean and a covariance are
        needed. Slices share the draws, and half of the tuning, among the factors of ``q``.

    Raises
    ------
    PriorError
        O007 for numbers that are out of range.
    OptionError
        O010 for counts that are too small or a ``target_accept`` outside (0, 1).

    Notes
    -----
    A unit's forecast error is split into its average and its deviations from it
    (:mod:`bayes_synth.model.forecast_error`). With ``v`` the predictive standard deviation of a
    part, ``c`` the unit's typical step (robust sd of its first differences before treatment) and
    ``r`` the median (of logs) of ``v / c`` over the donors, the pooled one is ``V = v^(1-p)
    (r c)^p``, ``p = d^2 / (d^2 + 0.5^2)``, with ``d`` the posterior sd of ``log v``. For the
    average ``z_j ~ kappa t(nu)``; for the deviations the mean square over its predictive variance
    is ``kappa^2 F(n, nu)``, with ``n`` independent periods. ``log kappa ~ N(0, kappa_sd^2)``, and
    each part has a kappa and a nu of its own. The treated unit's path is inflated about its mean,
    each part by ``kappa V / (v sqrt(lambda))``, ``lambda ~ Gamma(nu/2, nu/2)``, with kappa, nu and
    lambda drawn once per draw and independently of the path. This assumes that the treated unit is
    exchangeable with the donors in forecast error and that no donor was affected. The z-scores
    share donors and shocks, so their number overstates the evidence.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), section 2.4, for placebos in space, of
    which this is the parametric relative. Lange, Little and Taylor (1989), JASA 84(408), for the
    Student-t likelihood. Hoeting, Madigan, Raftery and Volinsky (1999), Statistical Science 14(4),
    for averaging over models.

    Examples
    --------
    >>> bs.SyntheticControl(
    ...     calibrate=bs.Calibration(exclude=("Nevada",))
    ... ).calibration.exclude
    ('Nevada',)
    """

    exclude: tuple[str, ...] = ()
    kappa_sd: float = 1.0
    degrees_of_freedom: float | None = None
    pooling: float | None = None
    growth_sd: float = 0.5
    q_factors: tuple[float, ...] = (0.04, 0.2, 1.0)
    q_probabilities: tuple[float, ...] = (0.1, 0.2, 0.7)
    most: int = 40
    draws: int = 250
    tune: int = 400
    chains: int = 2
    target_accept: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(texts(self.exclude)))
        if len(self.q_factors) == 1 and len(self.q_probabilities) != 1:
            object.__setattr__(self, "q_probabilities", (1.0,))
        for name, (wanted, fine) in self._rules().items():
            if not fine:
                raise PriorError("O007", f"{name} must {wanted}, got {getattr(self, name)!r}.")
        for name, least in {"most": 1, "draws": 50, "tune": 50, "chains": 2}.items():
            require_count(name, getattr(self, name), least)
        require_probability("target_accept", self.target_accept)

    def _rules(self) -> dict[str, tuple[str, bool]]:
        """Say of every number what it must be, and whether it is."""
        nu, p, shares = self.degrees_of_freedom, self.pooling, self.q_probabilities
        return {
            "kappa_sd": ("be positive and finite", bool(0 < self.kappa_sd < np.inf)),
            "degrees_of_freedom": ("be positive or None", nu is None or nu > 0),
            "pooling": ("lie between 0 and 1 or be None", p is None or 0 <= p <= 1),
            "growth_sd": ("be at least 0 and finite", bool(0 <= self.growth_sd < np.inf)),
            "q_factors": (
                "be positive and end with 1",
                bool(self.q_factors) and min(self.q_factors) > 0 and self.q_factors[-1] == 1,
            ),
            "q_probabilities": (
                "be positive, sum to one and be as many as q_factors",
                len(shares) == len(self.q_factors)
                and min(shares) > 0
                and abs(sum(shares) - 1) < 1e-9,
            ),
        }

    @property
    def size(self) -> Size:
        """How much each refit samples."""
        return Size(self.draws, self.tune, self.chains, self.target_accept)

    def pooled(self, own: pd.Series | dict[str, Any], part: str, placebos: pd.DataFrame) -> Any:
        """Pull a predictive standard deviation towards the placebos' typical one.

        Parameters
        ----------
        own
            The unit's ``step``, ``doubt`` and sd of the part, or those of many units.
        part
            Name of that sd: ``"sd"`` of the average, ``"deviation_sd"`` of the deviations.
        placebos
            A table of placebos with the same columns.
        """
        sd, doubt = own[part], own["doubt"]
        power = self.pooling
        if power is None:
            power = doubt**2 / (doubt**2 + SPREAD_OF_UNITS**2)
        typical = np.exp((placebos[part] / placebos["step"]).astype(float).map(np.log).median())
        # A power of a ratio: exact whatever the units.
        return sd * (typical * own["step"] / sd) ** power

    def scored(self, placebos: pd.DataFrame) -> pd.DataFrame:
        """Add the placebos' z-scores: errors of the average over pooled standard deviations."""
        columns = {name: placebos[name] for name in ("sd", "step", "doubt")}
        return placebos.assign(z=placebos["error"] / self.pooled(columns, "sd", placebos))

    def learn(self, placebos: pd.DataFrame, growth: float = 0.0, power: float = 1.0) -> "Evidence":
        """Learn both inflations from scored placebos; ``power`` is that of the likelihood."""
        options = self.kappa_sd, self.degrees_of_freedom, power
        z = placebos["z"].to_numpy(float)
        average = learn_inflation(z**2, np.ones(len(z)), *options)
        table = placebos[np.isfinite(placebos["deviation_sd"].astype(float))]
        columns = {name: table[name].astype(float) for name in ("deviation_sd", "step", "doubt")}
        ratio = table["deviation"] / self.pooled(columns, "deviation_sd", table)
        deviations = learn_inflation(
            ratio.to_numpy(float) ** 2, table["periods"].to_numpy(float), *options
        )
        return Evidence(self, placebos, growth, average, deviations)

    def __str__(self) -> str:
        nu = self.degrees_of_freedom
        tails = "learnt tails" if nu is None else f"{nu:g} degrees of freedom"
        return f"LogNormal(0, {self.kappa_sd:g}), Student-t with {tails}"


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """Hold what placebos have taught about the two parts of a forecast error.

    Parameters
    ----------
    plan
        How to calibrate.
    placebos
        The scored placebos.
    growth
        The power of the horizon by which errors grow beyond what the model says.
    average, deviations
        Posteriors of kappa and of the tails of each part.
    """

    plan: Calibration
    placebos: pd.DataFrame
    growth: float
    average: Inflation
    deviations: Inflation

    def inflate(
        self,
        path: np.ndarray,
        seen: np.ndarray,
        own: dict[str, float],
        rng: np.random.Generator,
        *,
        pooling: tuple[float, float] | None = None,
    ) -> "Inflated":
        """Inflate a predictive path about its mean.

        Parameters
        ----------
        path
            Draws on the model's scale, dims ``(chain, draw, time)``.
        seen
            Which times have an outcome and count for the average, dims ``(time,)``.
        own
            The unit's typical ``step`` on the model's scale, and its ``doubt``.
        rng
            Randomness of kappa, of the tails and of lambda.
        pooling
            Of both parts, the pooled over the unit's own predictive standard deviation; None: as
            the placebos imply.
        """
        shape, mean = path.shape[:2], path.mean((0, 1))
        average, deviations = split_path(path, seen, self.growth)
        kappa, lam = self.average.draw(shape, rng)
        kappa_deviations, lam_deviations = self.deviations.draw(shape, rng)
        sd = float(np.sqrt(np.mean(average_of(average, seen) ** 2)))
        deviation_sd = float(np.sqrt(np.mean(deviations[..., seen] ** 2)))
        if pooling is None:
            pooling = (
                self._pooling("sd", sd, own),
                self._pooling("deviation_sd", deviation_sd, own),
            )
        factor = pooling[0] * kappa / np.sqrt(lam)
        other = pooling[1] * kappa_deviations / np.sqrt(lam_deviations)
        inflated = mean + factor[..., None] * average + other[..., None] * deviations
        return Inflated(inflated, kappa, lam, kappa_deviations, lam_deviations, *pooling)

    def _pooling(self, part: str, sd: float, own: dict[str, float]) -> float:
        """Divide the pooled by the unit's own sd of a part; 1 where there is nothing to pool."""
        known = self.placebos[np.isfinite(self.placebos[part].astype(float))]
        if sd == 0 or not len(known):
            return 1.0
        return float(self.plan.pooled(own | {part: sd}, part, known)) / sd


class Inflated(NamedTuple):
    """An inflated path, and the numbers that inflated it.

    ``path`` has dims ``(chain, draw, time)``; kappas and lambdas, of the average and of the
    deviations, have ``(chain, draw)``; ``pooling`` is the pooled over the unit's own predictive
    standard deviation of the average, ``pooling_deviations`` of the deviations.
    """

    path: np.ndarray
    kappa: np.ndarray
    lam: np.ndarray
    kappa_deviations: np.ndarray
    lam_deviations: np.ndarray
    pooling: float
    pooling_deviations: float


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
