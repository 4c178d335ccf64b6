"""What every noise process shares: the level integrated out, the likelihood, the continuation.

The treated unit's pre-period residual ``r = y - donors @ weights`` is ``level + noise``, with a noise
covariance ``K`` and one constant level, which is always integrated out exactly: with ``1`` the vector of
ones and ``p`` the level's prior precision (0 when it is free), and whitened by ``K^(-1/2)``, it is a
regression on one column. Everything here is in units of the panel's scale. PyMC is imported inside the
methods that build a graph.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bayes_synth.errors import PriorError
from bayes_synth.priors import HalfNormal, KnownPrior, VariableFactory
from bayes_synth.registry import saved

__all__ = [
    "FLOOR",
    "MIXING",
    "AbstractNoise",
    "Continuation",
    "DiagonalNoise",
    "Draws",
    "SdPrior",
    "require_sd_priors",
    "estimator",
    "floored",
    "initial",
    "variance",
]

FLOOR = 1e-3
"""Smallest standard deviation of the observation noise, in units of the scale (J > T, twin donors)."""

MIXING = "mixing"
"""Precisions of Student-t noise relative to normal noise, one per pre-period."""

NOTHING_MISSING = np.zeros(0, dtype=int)

Draws = Mapping[str, np.ndarray]
"""Parameters of the noise, each of shape ``(draws,)``, in units of the scale; ``mixing`` has shape ``(draws, pre)``."""

SdPrior = HalfNormal | VariableFactory


class Continuation(NamedTuple):
    """What the residual's past says, one row per draw, in units of the scale.

    ``level``, shape ``(draws,)``, is the mean over the pre-period of everything but the noise that is
    drawn anew; ``replicate``, ``(draws, pre)``, is the pre-period seen again; ``future``,
    ``(draws, post)``, continues the path beyond its end.
    """

    level: np.ndarray
    replicate: np.ndarray
    future: np.ndarray


class DiagonalNoise(NamedTuple):
    """Noise that is uncorrelated in rotated coordinates but for a level and a slope with normal priors.

    The variance of coordinate k is ``s^2 + FLOOR^2 + q^2 walk_k``; ``columns``, shape ``(pre, 2)``, are the rotated
    loadings of level and slope (zero: there is none) and ``precisions`` their priors'.
    """

    walk: np.ndarray
    columns: np.ndarray
    precisions: np.ndarray


class _Still:
    """A source of shocks that are all zero: what a simulation then gives is its mean."""

    def standard_normal(self, size: Any) -> np.ndarray:
        return np.zeros(size)

    def chisquare(self, df: float, size: Any) -> np.ndarray:
        return np.full(size, df)


STILL: Any = _Still()


class AbstractNoise(ABC):
    """A noise process around ``donors @ weights``.

    A new process is one subclass: its parameters' priors (:meth:`priors`), its likelihood
    (:meth:`whiten`), and in numpy its precision (:meth:`precision`), its paths (:meth:`simulate`,
    :meth:`paths`) and the variance that it gives to an average (:meth:`average_variance`).
    """

    def __init_subclass__(
        cls, *, data: Iterable[str] = (), any_length: bool = False, **options: Any
    ) -> None:
        """Register the process, so that fits that use it can be saved and loaded.

        Parameters
        ----------
        data
            Fields whose numbers enter the graph through :meth:`inputs` only. Every other field is taken to change the
            compiled code.
        any_length
            Whether one compiled graph serves any number of pre-periods.
        """
        super().__init_subclass__(**options)
        saved(data=data, any_length=any_length)(cls)

    unitless: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are not standard deviations, so never rescaled."""

    degrees_of_freedom: float
    """Of the noise that is independent from period to period; infinite: normal."""

    @property
    @abstractmethod
    def level_sd(self) -> float:
        """Prior standard deviation of the level: infinite when it is free, 0 when there is none."""

    @abstractmethod
    def priors(self) -> dict[str, Any]:
        """Each parameter's prior, by name."""

    @abstractmethod
    def describe(self) -> str:
        """The estimator that this noise makes of synthetic control, in one line."""

    @abstractmethod
    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """The symbolic map ``x -> K^(-1/2) x`` and half the log determinant of ``K``."""

    @abstractmethod
    def precision(self, draws: Draws, residual: np.ndarray) -> np.ndarray:
        """``K^-1 residual``, shape ``(draws, time)``."""

    @abstractmethod
    def precision_diagonal(self, draws: Draws, periods: int) -> np.ndarray:
        """The diagonal of ``K^-1``, shape ``(draws, time)``."""

    @abstractmethod
    def simulate(self, draws: Draws, periods: int, rng: np.random.Generator) -> np.ndarray:
        """Unconditional paths of the noise, shape ``(draws, periods)``."""

    @abstractmethod
    def paths(
        self, draws: Draws, past: np.ndarray, periods: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Given the noise's past: its persistent part, the past drawn anew, and its future."""

    @abstractmethod
    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Each parameter's part in the variance of the noise's average over ``periods`` to come."""

    def rotation(self, periods: int) -> np.ndarray | None:
        """Orthonormal matrix in whose coordinates ``K`` is diagonal; None when none is needed."""
        return None

    def spectrum(self, periods: int) -> np.ndarray:
        """Numbers per coordinate that :meth:`whiten` needs; none by default."""
        return np.zeros(periods)

    def diagonal(self, periods: int) -> DiagonalNoise | None:
        """The process in a form that needs no gradients, if it has one (and its scales half-normal priors)."""
        return None

    def _diagonal(self, walk: np.ndarray, slope: np.ndarray | None = None) -> DiagonalNoise | None:
        if self.heavy or not all(isinstance(prior, HalfNormal) for prior in self.priors().values()):
            return None
        columns = np.column_stack(
            [self._level_loading(len(walk)), np.zeros(len(walk)) if slope is None else slope]
        )
        return DiagonalNoise(np.array(walk), columns, np.array([self.level_precision, 1.0]))

    def integrated(self, unit: str) -> dict[str, str]:
        """Priors of what is integrated out, in words; ``unit`` says what one unit of the scale is."""
        sd = self.level_sd
        return {
            "level": "none" if sd == 0 else "free" if np.isinf(sd) else f"Normal(0, {sd:g}) {unit}"
        }

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self.priors())

    @property
    def heavy(self) -> bool:
        """Whether the noise is Student-t, a normal with a precision of its own in every pre-period."""
        return bool(np.isfinite(self.degrees_of_freedom))

    @property
    def sampled(self) -> tuple[str, ...]:
        """Names of all that is sampled."""
        return (*self.parameters, MIXING) if self.heavy else self.parameters

    @property
    def level_precision(self) -> float:
        """Prior precision of the level; 1 without a level, whose loading is then zero."""
        return 1.0 if self.level_sd == 0 else 1 / self.level_sd**2

    def inputs(self, periods: int) -> dict[str, np.ndarray]:
        """Arrays that enter the graph as data."""
        # A free level leaves the density of the data's contrasts: one dimension fewer.
        free = self.level_precision == 0
        constant = -0.5 * (periods - free) * np.log(2 * np.pi) + (
            0 if free else 0.5 * np.log(self.level_precision)
        )
        scales = {
            f"prior_{n}": np.asarray(p.sigma)
            for n, p in self.priors().items()
            if isinstance(p, HalfNormal)
        }
        return {
            "level_loading": self._level_loading(periods),
            "level_precision": np.asarray(self.level_precision),
            "spectrum": self.spectrum(periods),
            "log_constant": np.asarray(constant),
            **scales,
            **(
                {"degrees_of_freedom": np.asarray(float(self.degrees_of_freedom))}
                if self.heavy
                else {}
            ),
        }

    def rotate(self, series: np.ndarray) -> np.ndarray:
        """``series``, time first, in the coordinates of :meth:`rotation`."""
        matrix = self.rotation(len(series))
        return series if matrix is None else matrix @ series

    def build(self, residual: Any, inputs: Mapping[str, np.ndarray]) -> None:
        """Add priors and the exact log likelihood of the rotated residual to the current PyMC model."""
        import pymc as pm

        data = {name: pm.Data(name, value) for name, value in inputs.items()}
        parameters = {
            name: self._variable(name, prior, data) for name, prior in self.priors().items()
        }
        if self.heavy:
            half = data["degrees_of_freedom"] / 2
            parameters[MIXING] = pm.Gamma(MIXING, half, half, shape=len(inputs["level_loading"]))
        whitened, half_log_determinant = self.whiten(parameters, data["spectrum"])
        white, loading = whitened(residual), whitened(data["level_loading"])
        information = data["level_precision"] + (loading**2).sum()
        level = (loading * white).sum() / information
        squares = ((white - loading * level) ** 2).sum() + data["level_precision"] * level**2
        log_likelihood = (
            data["log_constant"] - 0.5 * (squares + pm.math.log(information)) - half_log_determinant
        )
        pm.Potential("log_likelihood", log_likelihood)

    def _variable(self, name: str, prior: Any, data: Mapping[str, Any]) -> Any:
        """One parameter of the graph; sampled in units of its own prior so that its start is fixed."""
        import pymc as pm

        if not isinstance(prior, HalfNormal):
            return prior.create_variable(name)
        return pm.Deterministic(name, data[f"prior_{name}"] * pm.HalfNormal(f"{name}_unit", 1.0))

    def sample(self, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Prior draws of the parameters, each of shape ``(draws,)``."""
        return {
            name: _prior_draws(prior, name, draws, rng) for name, prior in self.priors().items()
        }

    def log_prior(self, draws: Draws) -> dict[str, np.ndarray]:
        """Log prior density of every parameter at its draws; missing for foreign priors."""
        return {name: _log_density(prior, draws[name]) for name, prior in self.priors().items()}

    def log_predictive(
        self, draws: Draws, residual: np.ndarray, missing: np.ndarray = NOTHING_MISSING
    ) -> np.ndarray:
        """Log density of each residual given all others, ``log p(r_t | r_-t)``, shape ``(draws, time)``.

        ``missing`` are positions that count neither as given nor as predicted; what stands there does not matter.

        References
        ----------
        Sundararajan and Keerthi (2001), Neural Computation 13(5), eq. 3.7, for Gaussian vectors.
        """
        terms = _, loading, information = self._level_terms(draws, residual)
        scaled = (
            self.contrast_precision(draws, residual, missing)
            if len(missing)
            else _without_level(*terms)
        )
        precision = self.precision_diagonal(draws, residual.shape[1]) - loading**2 / information
        if len(missing):
            columns = self._columns(draws, residual.shape[1], missing)
            precision = precision - np.einsum(
                "dtm,dtm->dt", columns @ np.linalg.inv(columns[:, missing]), columns
            )
            scaled[:, missing] = precision[:, missing] = np.nan
        return np.asarray(0.5 * np.log(precision / (2 * np.pi)) - 0.5 * scaled**2 / precision)

    def continue_path(
        self, draws: Draws, residual: np.ndarray, periods: int, rng: np.random.Generator
    ) -> Continuation:
        """The pre-period seen again and its continuation, jointly, given the residual."""
        weighted, _, information = self._level_terms(draws, residual)
        mean = weighted.sum(1, keepdims=True) / information
        level = self._has_level * (
            mean + rng.standard_normal((len(residual), 1)) / np.sqrt(information)
        )
        persistent, again, future = self.paths(draws, residual - level, periods, rng)
        return Continuation(
            level[:, 0] + persistent.mean(1), level + persistent + again, level + future
        )

    def expected_path(self, draws: Draws, residual: np.ndarray, periods: int) -> np.ndarray:
        """Mean of the continuation given each draw, shape ``(draws, periods)``."""
        return self.continue_path(draws, residual, periods, STILL).future

    def contrast_precision(
        self, draws: Draws, series: np.ndarray, missing: np.ndarray = NOTHING_MISSING
    ) -> np.ndarray:
        """Precision of what the level leaves, applied to rows of ``series``: ``K^-1 - K^-1 1 1' K^-1 / h``.

        With ``missing`` that of the other periods, zero at the missing, by the Schur complement of their block.
        """
        whole = _without_level(*self._level_terms(draws, series))
        if not len(missing):
            return whole
        columns = self._columns(draws, series.shape[1], missing)
        return np.asarray(
            whole
            - (columns @ np.linalg.solve(columns[:, missing], whole[:, missing, None]))[..., 0]
        )

    def completed(self, draws: Draws, residual: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """The residual with its expectation, given the other periods, in the missing."""
        filled = np.array(np.broadcast_to(residual, (len(draws["s"]), residual.shape[1])))
        if len(missing):
            filled[:, missing] = 0
            columns = self._columns(draws, residual.shape[1], missing)
            given = self.contrast_precision(draws, filled)[:, missing, None]
            filled[:, missing] = -np.linalg.solve(columns[:, missing], given)[..., 0]
        return filled

    def _columns(self, draws: Draws, periods: int, missing: np.ndarray) -> np.ndarray:
        """Columns of the contrast precision, shape ``(draws, time, gap)``."""
        return np.stack(
            [self.contrast_precision(draws, row[None]) for row in np.eye(periods)[missing]], axis=2
        )

    def deviation(self, draws: Draws) -> np.ndarray:
        """Standard deviation of the independent noise, with its floor; shape ``(draws, 1)`` or ``(draws, pre)``."""
        return (
            floored(draws["s"]) / np.sqrt(draws[MIXING]) if MIXING in draws else floored(draws["s"])
        )

    def tails(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray | float:
        """What to divide standard normal shocks by to make them Student-t."""
        nu = self.degrees_of_freedom
        return np.sqrt(rng.chisquare(nu, shape) / nu) if self.heavy else 1.0

    def tail_variance(self) -> float:
        """Variance of such a shock."""
        return self.degrees_of_freedom / (self.degrees_of_freedom - 2) if self.heavy else 1.0

    @property
    def tails_in_words(self) -> str:
        """For :meth:`describe`."""
        return (
            f", Student-t with {self.degrees_of_freedom:g} degrees of freedom" if self.heavy else ""
        )

    def _level_loading(self, periods: int) -> np.ndarray:
        return self.rotate(np.full(periods, self._has_level))

    @property
    def _has_level(self) -> float:
        return float(self.level_sd != 0)

    def _level_terms(self, draws: Draws, residual: np.ndarray) -> tuple[np.ndarray, ...]:
        """``K^-1 r``, ``K^-1 1`` (zero without a level), and the level's posterior precision."""
        loading = self._has_level * self.precision(draws, np.ones((1, residual.shape[1])))
        return (
            self.precision(draws, residual),
            loading,
            self.level_precision + loading.sum(1, keepdims=True),
        )


def _without_level(
    weighted: np.ndarray, loading: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """``K^-1 r - K^-1 1 1' K^-1 r / h`` from :meth:`AbstractNoise._level_terms`."""
    return np.asarray(weighted - loading * weighted.sum(1, keepdims=True) / information)


def _prior_draws(prior: Any, name: str, draws: int, rng: np.random.Generator) -> np.ndarray:
    if isinstance(prior, KnownPrior):
        return prior.sample(draws, rng)
    import pymc as pm

    with pm.Model():
        return np.asarray(pm.draw(prior.create_variable(name), draws=draws, random_seed=rng))


def _log_density(prior: Any, value: np.ndarray) -> np.ndarray:
    return (
        prior.log_density(value) if isinstance(prior, KnownPrior) else np.full(value.shape, np.nan)
    )


def require_sd_priors(noise: AbstractNoise) -> None:
    """Refuse a bare number where a prior is wanted."""
    for name, prior in noise.priors().items():
        if not isinstance(prior, VariableFactory | HalfNormal):
            hint = (
                f"bs.priors.HalfNormal({prior!r})"
                if isinstance(prior, (int, float))
                else "bs.priors.HalfNormal(1)"
            )
            raise PriorError("O006", f"{name}={prior!r} is no prior; write {name}={hint}.")
    if not (isinstance(noise.degrees_of_freedom, Real) and noise.degrees_of_freedom > 2):
        raise PriorError(
            "O007",
            f"degrees_of_freedom={noise.degrees_of_freedom!r} must exceed 2 (infinite: normal noise).",
        )


def estimator(intercept: bool) -> str:
    """Name of the estimator with or without a free level."""
    return (
        "demeaned (free intercept)"
        if intercept
        else "levels matched (no intercept, the classical estimator)"
    )


def initial(level_sd: float) -> str:
    """How the level starts, in words."""
    return (
        "its start free" if np.isinf(level_sd) else f"its start ~ Normal(0, {level_sd:g} x scale)"
    )


def variance(parameters: Mapping[str, Any]) -> Any:
    """Symbolic variance of the independent noise, with its floor: one, or one per period."""
    whole = parameters["s"] ** 2 + FLOOR**2
    return whole / parameters[MIXING] if MIXING in parameters else whole


def floored(s: np.ndarray) -> np.ndarray:
    """Standard deviation of the observation noise as a column, with the floor."""
    return np.sqrt(s**2 + FLOOR**2)[:, None]
