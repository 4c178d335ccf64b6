"""How a fit was made: settings, seed, versions, attempts, interrupts and warnings, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import NamedTuple, final

from bayes_synth.sampling.settings import Settings, Size

__all__ = ["PACKAGES", "Attempt", "RunRecord", "versions"]

PACKAGES = ("bayes_synth", "pymc", "nutpie", "numba", "arviz", "numpy", "xarray")


class Attempt(NamedTuple):
    """One attempt at sampling: its settings, what was wrong with it, and whether it was kept."""

    target_accept: float
    tune: int
    problems: tuple[str, ...]
    divergences: int
    kept: bool


@final
@dataclass(frozen=True)
class RunRecord:
    """How a fit was made.

    Parameters
    ----------
    settings
        How the attempt that was kept was sampled, with its seed.
    sampled_by
        The sampler's name.
    chains, draws
        What is there of what the settings asked for.
    compile_seconds, seconds
        How long compiling and sampling took.
    attempts
        Every attempt at sampling, the first first.
    partial
        What an interrupt left undone, one sentence each.
    calibration_stopped
        Where an interrupt ended the donors' refits, and which intervals it leaves; empty when it did not.
    warnings
        Warnings given when the panel was read and while fitting, with their codes.
    versions
        Of the packages that the draws depend on.
    """

    settings: Settings = Settings(Size(), "auto", 1, 0)
    sampled_by: str = ""
    chains: int = 0
    draws: int = 0
    compile_seconds: float = 0.0
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    partial: tuple[str, ...] = ()
    calibration_stopped: str = ""
    warnings: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """The installed versions of the packages that draws depend on."""
    return {name: version(name) for name in PACKAGES}
