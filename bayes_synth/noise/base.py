"""What every noise process shares: its priors and its likelihood in the graph.

The treated unit's pre-period residual ``r = y - donors @ weights`` is ``level + noise``, with a
noise covariance ``K`` and one constant level, which is always integrated out exactly: with ``1``
the vector of ones and ``p`` the level's prior precision (0 when it is free), and whitened by
``K^(-1/2)``, it is a regression on one column. All numbers are in typical steps. PyMC is imported
inside the methods that build a graph.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np

from bayes_synth.noise.integrated_level import Continuation, Draws, IntegratedLevel, Shocks
from bayes_synth.noise.sd_priors import log_density, prior_draws
from bayes_synth.priors import HalfNormal
from bayes_synth.registry import saved

__all__ = [
    "FLOOR",
    "MIXING",
    "NOISE",
    "STEP",
    "TAILS",
    "AbstractNoise",
    "Continuation",
    "DiagonalNoise",
    "Draws",
    "Shocks",
    "estimator",
    "floored",
    "initial",
    "variance",
]

FLOOR = 1e-3
"""Smallest sd of the observation noise, in typical steps (for J > T, and for twin donors)."""

MIXING = "mixing"
"""Precisions of Student-t noise relative to normal noise, one per pre-period."""

NOISE, STEP, TAILS = "noise", "step", "tails"
"""Kinds of shocks: of the noise that is independent by period, of a level that wanders, and the
divisors that make the first Student-t."""


class DiagonalNoise(NamedTuple):
    """Noise that is uncorrelated in rotated coordinates, plus columns with normal coefficients.

    The variance of coordinate k is ``s^2 + FLOOR^2 + q^2 walk_k``, with ``walk`` of shape
    ``(pre,)``. ``columns``, ``(column, pre)``, are the rotated loadings of what is integrated out:
    of the level, of a slope, of a calendar; all zero where there is none, so that there are at
    least two. ``precisions``, ``(column,)``, are the precisions of their normal priors.
    """

    walk: np.ndarray
    columns: np.ndarray
    precisions: np.ndarray


class AbstractNoise(IntegratedLevel):
    """A noise process around ``donors @ weights``.

    A new process is one frozen dataclass in one file that inherits from this class. It needs:

    - the class keywords ``data=`` and ``any_length=``, see :meth:`__init_subclass__`: they decide
      which processes share compiled code, so a field must not be listed in ``data=`` unless its
      number reaches the graph through :meth:`inputs` alone;
    - :meth:`priors`, with a parameter called ``s`` among them, the sd of the noise that is
      independent from period to period: the floor, Student-t noise and the number of draws are read
      off it;
    - :meth:`level_sd` and ``degrees_of_freedom`` (``np.inf`` where there is no Student-t noise);
    - the likelihood in the graph: :meth:`whiten`, which returns a map *and* half a log determinant;
    - the same process in numpy: :meth:`precision`, :meth:`precision_diagonal`,
      :meth:`from_shocks`, :meth:`paths` (three arrays) and :meth:`average_variance`;
    - :meth:`describe`, one line for people.

    **Where the shocks come from.** A process draws no shock of a period to come: it is given them,
    so that one more period leaves the draws of the others as they are, and so that several treated
    units can share those of their donors. :attr:`shocks` names the kinds that it needs, such as
    ``("noise", "step")``; :meth:`from_shocks` and :meth:`paths` get ``shocks[kind]``, standard
    normal, shape ``(draws, periods)``, and must use column ``t`` for period ``t`` and later ones
    only. :meth:`independent` turns the kind ``"noise"`` into noise with the sd ``s``, normal or
    Student-t. Their last argument, ``rng``, is for what belongs to no period to come: a slope, the
    amplitude of a wave, what the past leaves unknown of a level, and the replicate of the past.

    :meth:`rotation`, :meth:`spectrum` and :meth:`diagonal` are for processes that are uncorrelated
    in another basis; those that have a :meth:`diagonal` are sampled by slices, the others by NUTS.
    A process in ``NOISES`` of ``tests/tools/dense.py`` is compared with dense linear algebra.

    Examples
    --------
    >>> issubclass(bs.noise.LocalLevel, bs.noise.AbstractNoise)
    True
    """

    def __init_subclass__(
        cls, *, data: Iterable[str] = (), any_length: bool = False, **options: Any
    ) -> None:
        """Register the process, so that fits that use it can be saved and loaded.

        Parameters
        ----------
        data
            Fields whose numbers enter the graph through :meth:`inputs` only, such as those of prior
            sds: they may change without compiling again. Every other field, such as a number of
            harmonics, is taken to change the compiled code.
        any_length
            Whether one compiled graph serves any number of pre-periods: True unless the code that
            :meth:`whiten` writes depends on the shapes of its arrays.
        """
        super().__init_subclass__(**options)
        saved(data=data, any_length=any_length)(cls)

    unitless: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are not standard deviations, so they are never converted to outcome units."""

    shocks: ClassVar[tuple[str, ...]] = (NOISE,)
    """Kinds of standard normal shocks that a period to come needs, one of each."""

    degrees_of_freedom: float
    """Tails of the noise that is independent by period: above 2, infinite for normal noise."""

    @abstractmethod
    def priors(self) -> dict[str, Any]:
        """Return each parameter's prior by name; one of them must be called ``s``."""

    @abstractmethod
    def describe(self) -> str:
        """Say in one line which estimator this noise makes of synthetic control."""

    @abstractmethod
    def whiten(
        self, parameters: Mapping[str, Any], spectrum: Any
    ) -> tuple[Callable[[Any], Any], Any]:
        """Return the symbolic map ``x -> K^(-1/2) x`` and half the log determinant of ``K``.

        Both enter the log likelihood ``-|K^(-1/2) r|^2 / 2 - log det(K) / 2``. ``x`` is a vector of
        rotated coordinates; the map is applied to the residual and to the level's loading.

        Parameters
        ----------
        parameters
            The symbolic parameters by name, with :data:`MIXING` for Student-t noise.
        spectrum
            What :meth:`spectrum` returns, as symbolic data.
        """

    @abstractmethod
    def from_shocks(self, draws: Draws, shocks: Shocks, rng: np.random.Generator) -> np.ndarray:
        """Make unconditional paths of the noise from these shocks, shape ``(draws, periods)``."""

    @abstractmethod
    def average_variance(self, draws: Draws, periods: int) -> dict[str, np.ndarray]:
        """Return each parameter's part in the variance of the noise's mean over a future."""

    def rotation(self, periods: int) -> np.ndarray | None:
        """Return the orthonormal matrix in whose coordinates ``K`` is diagonal; None: as it is."""
        return None

    def spectrum(self, periods: int) -> np.ndarray:
        """Return the constants that :meth:`whiten` needs, zeros by default.

        The last axis runs over the coordinates, such as one eigenvalue each. Rows before it are the
        process's own: with shape ``(3, periods)`` :meth:`whiten` gets three numbers per coordinate.
        """
        return np.zeros(periods)

    def diagonal(self, periods: int) -> DiagonalNoise | None:
        """Return the process as the slice sampler takes it; None when it has no such form."""
        return None

    def _diagonal(self, walk: np.ndarray, slope: np.ndarray | None = None) -> DiagonalNoise | None:
        """Build the diagonal form; None unless noise is normal and sds have half-normal priors."""
        if self.heavy or not all(isinstance(prior, HalfNormal) for prior in self.priors().values()):
            return None
        columns = np.stack(
            [self._level_loading(len(walk)), np.zeros(len(walk)) if slope is None else slope]
        )
        return DiagonalNoise(np.array(walk), columns, np.array([self.level_precision, 1.0]))

    def integrated(self, step: str) -> dict[str, str]:
        """Return the priors of what is integrated out, in words; ``step`` names a typical step."""
        sd = self.level_sd
        return {
            "level": "none" if sd == 0 else "free" if np.isinf(sd) else f"Normal(0, {sd:g}) {step}"
        }

    def narrowed(self, factor: float) -> Self | None:
        """Multiply the prior sd of ``q`` by a factor; None without such a field or such a prior."""
        q, own = self.priors().get("q"), cast("Any", self)
        if not isinstance(q, HalfNormal) or "q" not in {field.name for field in fields(own)}:
            return None
        return cast("Self", replace(own, q=HalfNormal(factor * q.sigma)))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self.priors())

    @property
    def heavy(self) -> bool:
        """Whether the noise is Student-t: normal with a precision of its own in every period."""
        return bool(np.isfinite(self.degrees_of_freedom))

    @property
    def sampled(self) -> tuple[str, ...]:
        """Names of everything that is sampled."""
        return (*self.parameters, MIXING) if self.heavy else self.parameters

    def inputs(self, periods: int) -> dict[str, np.ndarray]:
        """Return the arrays that enter the graph as data, by name."""
        # A free level leaves the density of the data's contrasts: one dimension fewer.
        free = self.level_precision == 0
        constant = -0.5 * (periods - free) * np.log(2 * np.pi) + (
            0 if free else 0.5 * np.log(self.level_precision)
        )
        prior_sds = {
            f"prior_{n}": np.asarray(p.sigma)
            for n, p in self.priors().items()
            if isinstance(p, HalfNormal)
        }
        heavy = {"degrees_of_freedom": np.asarray(float(self.degrees_of_freedom))}
        return {
            "level_loading": self._level_loading(periods),
            "level_precision": np.asarray(self.level_precision),
            "spectrum": self.spectrum(periods),
            "log_constant": np.asarray(constant),
            **prior_sds,
            **(heavy if self.heavy else {}),
        }

    def rotate(self, series: np.ndarray) -> np.ndarray:
        """Rotate ``series``, time first, into the coordinates of :meth:`rotation`."""
        matrix = self.rotation(len(series))
        return series if matrix is None else matrix @ series

    def build(self, residual: Any, inputs: Mapping[str, np.ndarray]) -> None:
        """Add priors and the exact log likelihood of the rotated residual to the PyMC model."""
        import pymc as pm

        data = {name: pm.Data(name, value) for name, value in inputs.items()}
        parameters = {
            name: self._variable(name, prior, data) for name, prior in self.priors().items()
        }
        if self.heavy:
            half = data["degrees_of_freedom"] / 2
            parameters[MIXING] = pm.Gamma(MIXING, half, half, shape=len(inputs["level_loading"]))
        pm.Potential("log_likelihood", self.log_likelihood(residual, parameters, data))

    def log_likelihood(
        self, residual: Any, parameters: Mapping[str, Any], data: Mapping[str, Any]
    ) -> Any:
        """Return the symbolic log likelihood of the rotated residual, the level integrated out.

        ``data`` are the arrays of :meth:`inputs`, as symbolic data.
        """
        import pymc as pm

        whitened, half_log_determinant = self.whiten(parameters, data["spectrum"])
        white, loading = whitened(residual), whitened(data["level_loading"])
        information = data["level_precision"] + (loading**2).sum()
        level = (loading * white).sum() / information
        squares = ((white - loading * level) ** 2).sum() + data["level_precision"] * level**2
        return (
            data["log_constant"] - 0.5 * (squares + pm.math.log(information)) - half_log_determinant
        )

    def _variable(self, name: str, prior: Any, data: Mapping[str, Any]) -> Any:
        """Create a parameter; it is sampled relative to its prior's sd, so its start is fixed."""
        import pymc as pm

        if not isinstance(prior, HalfNormal):
            return prior.create_variable(name)
        return pm.Deterministic(name, data[f"prior_{name}"] * pm.HalfNormal(f"{name}_unit", 1.0))

    def sample(self, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw the parameters from their priors, each of shape ``(draws,)``."""
        return {name: prior_draws(prior, name, draws, rng) for name, prior in self.priors().items()}

    def log_prior(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return the log prior density of every parameter at its draws; NaN for foreign priors."""
        return {name: log_density(prior, draws[name]) for name, prior in self.priors().items()}

    def draw_shocks(self, draws: int, periods: int, rng: np.random.Generator) -> Shocks:
        """Draw the shocks of so many periods to come, by kind, each ``(draws, periods)``.

        Every kind has a stream of its own, which is read period after period: more periods read on
        from where fewer stop. ``rng`` only spawns the streams, so that what it gives later does not
        depend on the number of periods.
        """
        kinds, shape = (*self.shocks, TAILS) if self.heavy else self.shocks, (periods, draws)
        drawn = {
            kind: self.tails(shape, stream) if kind == TAILS else stream.standard_normal(shape)
            for kind, stream in zip(kinds, rng.spawn(len(kinds)), strict=True)
        }
        return {kind: np.ascontiguousarray(np.transpose(rows)) for kind, rows in drawn.items()}

    def simulate(self, draws: Draws, periods: int, rng: np.random.Generator) -> np.ndarray:
        """Draw unconditional paths of the noise, shape ``(draws, periods)``."""
        shocks = self.draw_shocks(len(draws["s"]), periods, rng)
        return self.from_shocks(draws, shocks, rng)

    def independent(self, draws: Draws, shocks: Shocks) -> np.ndarray:
        """Return the noise that is independent by period, with its floor and its tails."""
        return np.asarray(floored(draws["s"]) * shocks[NOISE] / shocks.get(TAILS, 1.0))

    def deviation(self, draws: Draws) -> np.ndarray:
        """Return the independent noise's sd with its floor, ``(draws, 1)`` or ``(draws, pre)``."""
        return (
            floored(draws["s"]) / np.sqrt(draws[MIXING]) if MIXING in draws else floored(draws["s"])
        )

    def tails(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray | float:
        """Draw the numbers that turn normal shocks into Student-t ones when they divide them."""
        nu = self.degrees_of_freedom
        return np.sqrt(rng.chisquare(nu, shape) / nu) if self.heavy else 1.0

    def tail_variance(self) -> float:
        """Return the variance of a shock of unit scale parameter."""
        return self.degrees_of_freedom / (self.degrees_of_freedom - 2) if self.heavy else 1.0

    @property
    def tails_in_words(self) -> str:
        """The degrees of freedom for :meth:`describe`; empty for normal noise."""
        return (
            f", Student-t with {self.degrees_of_freedom:g} degrees of freedom" if self.heavy else ""
        )

    def _level_loading(self, periods: int) -> np.ndarray:
        """Return the rotated vector of ones; zeros without a level."""
        return self.rotate(np.full(periods, self._has_level))


def estimator(intercept: bool) -> str:
    """Name the estimator with or without a free level."""
    return (
        "demeaned (free intercept)"
        if intercept
        else "levels matched (no intercept, the classical estimator)"
    )


def initial(level_sd: float) -> str:
    """Say in words where the level starts."""
    start = f"~ Normal(0, {level_sd:g} x typical step)"
    return f"its start {'free' if np.isinf(level_sd) else start}"


def variance(parameters: Mapping[str, Any]) -> Any:
    """Return the independent noise's symbolic variance with its floor, one or one per period."""
    whole = parameters["s"] ** 2 + FLOOR**2
    return whole / parameters[MIXING] if MIXING in parameters else whole


def floored(s: np.ndarray) -> np.ndarray:
    """Return the sd of the observation noise with its floor, as a column."""
    return np.sqrt(s**2 + FLOOR**2)[:, None]
