"""What a sampler is given and returns, and the errors that its crashes become."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from bayes_synth.errors import BayesSynthError, SamplingFailed
from bayes_synth.sampling.regression import Regression
from bayes_synth.sampling.settings import Settings

__all__ = ["AbstractTask", "Sampled", "crashes_named"]

CRASHES = (RuntimeError, EOFError, ConnectionError)
"""Exceptions of a failing sampler or of its worker process.

Two more are known by name: PyMC's own, and a panic in nutpie's Rust, whose type is a BaseException
that cannot be imported.
"""


class AbstractTask(ABC):
    """A model to sample, in the form that each sampler takes."""

    @abstractmethod
    def build(self) -> Any:
        """Build the PyMC model."""

    @property
    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The model's data by name."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The variables to store."""

    @property
    @abstractmethod
    def structure(self) -> Hashable:
        """What decides the compiled code; tasks of one structure differ in :attr:`arrays` only."""

    @property
    @abstractmethod
    def regression(self) -> Regression | None:
        """The model in the form that the slice sampler takes; None when it has no such form."""


class Sampled(NamedTuple):
    """The draws of a sampler and its statistics, both with dims ``(chain, draw)``, and its cost.

    ``partial`` says in words how much an interrupted run has left, and is empty otherwise;
    ``sampler`` names the sampler.
    """

    posterior: xr.Dataset
    sample_stats: xr.Dataset
    compile_seconds: float
    sample_seconds: float
    partial: str = ""
    sampler: str = "nutpie"


@contextmanager
def crashes_named(settings: Settings) -> Iterator[None]:
    """Raise a crash of the sampler as S002 and a refused start as S001; an interrupt stays one."""
    try:
        yield
    except BayesSynthError:
        raise
    except BaseException as error:
        if not isinstance(error, CRASHES) and type(error).__name__ not in (
            "PanicException",
            "ParallelSamplingError",
        ):
            raise
        raise _as_sampling_failed(error, settings) from error


def _as_sampling_failed(error: BaseException, settings: Settings) -> SamplingFailed:
    """Turn a crash into an error with a code: S001 for a refused start, S002 for the rest."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "initialization points failed" in first or "Initial evaluation" in first:
        return SamplingFailed(
            "S001",
            f"the sampler could not start: {error}\n"
            "  Are the outcomes extreme? See them with panel.outcomes.",
        )
    return SamplingFailed(
        "S002",
        f"the sampler crashed ({type(error).__name__}: {first}). To see it again, with the model "
        f"and the panel of this fit:\n  {settings.call}\n"
        "  If it crashes again, please report this line. A different random_seed or sampler may "
        "avoid it.",
    )
