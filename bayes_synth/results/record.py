"""Record how a fit was made, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import NamedTuple, final

from bayes_synth.sampling.settings import Settings, Size

__all__ = ["PACKAGES", "Attempt", "RunRecord", "versions"]

PACKAGES = ("bayes_synth", "pymc", "nutpie", "numba", "arviz", "numpy", "xarray")


class Attempt(NamedTuple):
    """Record one attempt at sampling.

    ``target_accept`` and ``tune`` are its settings; ``problems`` says what was wrong, one sentence
    each; ``kept`` tells whether the fit has its draws.
    """

    target_accept: float
    tune: int
    problems: tuple[str, ...]
    divergences: int
    kept: bool


@final
@dataclass(frozen=True)
class RunRecord:
    """Record how a fit was made: settings, seed, versions, attempts, interrupts and warnings.

    Parameters
    ----------
    settings
        How the attempt that was kept was sampled, with its seed.
    sampled_by
        The sampler's name.
    chains, draws
        How many there are; after an interrupt fewer than the settings asked for.
    compile_seconds, seconds
        How long compiling and sampling took.
    attempts
        Every attempt at sampling, in order.
    partial
        What an interrupt left undone, one sentence each.
    calibration_stopped
        Where an interrupt ended the donors' refits, and which intervals it leaves; empty when it
        did not.
    warnings
        Warnings given when the panel was read and while fitting, with their codes.
    scale_choice
        How ``scale="auto"`` was decided; empty where the model named its scale.
    versions
        Versions of the packages that the draws depend on, by name.
    """

    settings: Settings = field(default_factory=lambda: Settings(Size(), "auto", 1, 0))
    sampled_by: str = ""
    chains: int = 0
    draws: int = 0
    compile_seconds: float = 0.0
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    partial: tuple[str, ...] = ()
    calibration_stopped: str = ""
    warnings: tuple[str, ...] = ()
    scale_choice: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@cache
def versions() -> dict[str, str]:
    """Return the installed versions of the packages that draws depend on, by name."""
    return {name: version(name) for name in PACKAGES}
