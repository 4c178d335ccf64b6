"""How to sample: sizes, sampler and seed, all validated."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, final, get_args

import numpy as np

from bayes_synth.errors import OptionError

__all__ = ["Sampler", "Settings", "Size", "entropy", "require_count", "require_probability"]

Sampler = Literal["auto", "slice", "nutpie", "pymc"]
SAMPLERS: tuple[str, ...] = get_args(Sampler)
LEAST = {"draws": 4, "tune": 1, "chains": 1}


@final
@dataclass(frozen=True)
class Size:
    """How much to sample; see :meth:`bayes_synth.SyntheticControl.fit`.

    Parameters
    ----------
    draws, tune, chains
        Stored draws per chain, tuning draws discarded before them, and number of chains.
    target_accept
        Acceptance rate that the step size of NUTS aims at; slices do not use it.

    Raises
    ------
    OptionError
        O010 for a count that is too small or a rate outside (0, 1).
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.99

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            require_count(name, getattr(self, name), least)
        require_probability("target_accept", self.target_accept)

    @property
    def total(self) -> int:
        """Draws of all chains together."""
        return self.draws * self.chains

    def longer(self, times: int) -> "Size":
        """Return this size with ``times`` times the draws and the tuning."""
        return replace(self, draws=times * self.draws, tune=times * self.tune)

    def stricter(self) -> "Size":
        """Return this size with twice the tuning and ``target_accept`` 3/4 of the way to 1."""
        return replace(self, target_accept=1 - (1 - self.target_accept) / 4, tune=2 * self.tune)


@final
@dataclass(frozen=True)
class Settings:
    """How to sample, with every default filled in.

    Parameters
    ----------
    size
        How much to sample.
    sampler, cores, random_seed, progressbar
        As in :meth:`bayes_synth.SyntheticControl.fit`; the seed is a whole number here.
    attempt
        1 for the first attempt at a fit. In each further one the slice sampler sweeps four times as
        often.
    """

    size: Size
    sampler: Sampler
    cores: int
    random_seed: int
    progressbar: bool | str = False
    attempt: int = 1

    @classmethod
    def checked(
        cls,
        size: Size,
        *,
        sampler: Any = "auto",
        cores: int | None = None,
        random_seed: Any = None,
        progressbar: bool | str = False,
    ) -> Self:
        """Make settings with their defaults filled in.

        Raises
        ------
        OptionError
            O001 for an unknown sampler, O009 for a seed of another type, O010 for ``cores`` below
            one.
        """
        if cores is not None:
            require_count("cores", cores, 1)
        if sampler not in SAMPLERS:
            raise OptionError("O001", f"sampler must be one of {SAMPLERS}, got {sampler!r}.")
        cores = min(cores or available_cores(), size.chains)
        return cls(size, sampler, cores, entropy(random_seed), progressbar)

    def stricter(self) -> Self:
        """Return the next attempt's settings: smaller steps for NUTS, more sweeps for slices."""
        return replace(self, size=self.size.stricter(), attempt=self.attempt + 1)

    def longer(self, times: int) -> Self:
        """Return these settings with ``times`` times the draws and the tuning."""
        return replace(self, size=self.size.longer(times))

    @property
    def call(self) -> str:
        """The call that samples these draws again, on one line."""
        options = asdict(self.size) | {
            name: getattr(self, name) for name in ("sampler", "cores", "random_seed")
        }
        return (
            f"model.fit(panel, {', '.join(f'{name}={value!r}' for name, value in options.items())})"
        )

    def streams(self) -> tuple[int, np.random.Generator]:
        """Return the sampler's seed and the independent generator of the predictive draws."""
        sampler, predictive = np.random.SeedSequence(self.random_seed).spawn(2)
        return int(sampler.generate_state(1)[0]), np.random.default_rng(predictive)

    def calibration_stream(self) -> np.random.Generator:
        """Return the generator of kappa, independent of :meth:`streams`."""
        return np.random.default_rng(np.random.SeedSequence(self.random_seed).spawn(3)[2])


def require_count(name: str, value: Any, least: int) -> None:
    """Refuse anything but a whole number of at least ``least``.

    Raises
    ------
    OptionError
        O010.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise OptionError(
            "O010", f"{name} must be a whole number of at least {least}, got {value!r}."
        )


def require_probability(name: str, value: Any, code: str = "O010") -> None:
    """Refuse anything but a number between 0 and 1.

    Raises
    ------
    OptionError
        O010, or the given ``code``.
    """
    if not 0 < value < 1:
        hint = f" Did you mean {value / 100:g}?" if 1 < value < 100 else ""
        raise OptionError(code, f"{name} must lie between 0 and 1, got {value!r}.{hint}")


def available_cores() -> int:
    """Count the cores that this process may use, as joblib does for limits of any kind."""
    import joblib

    return int(joblib.cpu_count())


def entropy(seed: Any) -> int:
    """Return a whole number that reproduces ``seed``; a fresh one for None.

    Raises
    ------
    OptionError
        O009 for a seed of another type.
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(2, dtype=np.uint64)[0] >> 1)
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(2, dtype=np.uint64)[0] >> 1)
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    words = "a whole number from 0 on, a numpy Generator or SeedSequence, or None"
    raise OptionError("O009", f"random_seed must be {words}, got {seed!r}.")
