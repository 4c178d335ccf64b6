"""Sample a task: choose the sampler, and handle interrupted and broken runs."""

import time

import xarray as xr

from bayes_synth.errors import DesignError, OptionError, SamplingFailed
from bayes_synth.sampling.nuts import sample_nutpie, sample_pymc
from bayes_synth.sampling.partial import cut, leading
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import AbstractTask, Sampled
from bayes_synth.sampling.threads import single_threaded

__all__ = ["sample"]


def sample(task: AbstractTask, settings: Settings, seed: int, *, partial: bool = False) -> Sampled:
    """Draw from the posterior of the task's model.

    Parameters
    ----------
    task
        The model and its data.
    settings, seed
        How to sample, and the sampler's own seed.
    partial
        Whether an interrupt leaves the complete draws; otherwise it stays a KeyboardInterrupt.

    Returns
    -------
    Sampled
        ``posterior`` and ``sample_stats`` with dims ``(chain, draw)`` and ArviZ's names.

    Raises
    ------
    OptionError
        O001 when the sampler that was asked for cannot sample this model.
    DesignError
        D077 for NUTS with auxiliary outcomes.
    SamplingFailed
        S001 when no starting point has a finite density, S002 when the sampler crashed, S004 when
        draws are missing.
    KeyboardInterrupt
        Unless ``partial``.
    """
    sampler = _chosen(task, settings)
    with single_threaded():
        sampled, interrupted = RUNS[sampler](task, settings, seed)
    sampled = sampled._replace(sampler=sampler)
    if interrupted and not partial:
        raise KeyboardInterrupt
    if interrupted:
        return _cut(sampled, settings)
    _require_all_draws(sampled.posterior, settings)
    return sampled


def _chosen(task: AbstractTask, settings: Settings) -> str:
    """Name the sampler; tasks of one form get the same one."""
    if settings.sampler == "slice" and task.regression is None:
        raise OptionError(
            "O001",
            'sampler="slice" needs a Dirichlet prior, normal noise that is a local level, a trend '
            "or iid with half-normal priors, and a treated unit without missing outcomes; for this "
            'model pass sampler="auto".',
        )
    if settings.sampler in ("nutpie", "pymc") and task.regression and task.regression.outcomes:
        raise DesignError(
            "D077",
            'sampler must be "slice" or "auto" with auxiliary outcomes, got '
            f"{settings.sampler!r}.\n  NUTS samples the same model by pm.sample(model=graph), with "
            "the graph of model.build(panel).",
        )
    if settings.sampler != "auto":
        return settings.sampler
    return "nutpie" if task.regression is None else "slice"


def _cut(sampled: Sampled, settings: Settings) -> Sampled:
    """Keep the complete draws of an interrupted run, and say how many they are."""
    size = settings.size
    posterior, stats = cut(sampled.posterior, sampled.sample_stats, chains=size.chains)
    words = (
        f"interrupted, {posterior.sizes['draw']} of {size.draws} draws in "
        f"{posterior.sizes['chain']} of {size.chains} chains"
    )
    return sampled._replace(posterior=posterior, sample_stats=stats, partial=words)


def _sample_slice(task: AbstractTask, settings: Settings, seed: int) -> tuple[Sampled, bool]:
    """Sample by slices; the second value says whether an interrupt cut the run short."""
    from bayes_synth.sampling.slice import sample_chains

    assert task.regression is not None
    began = time.perf_counter()
    posterior, stats, interrupted = sample_chains(task.regression, settings, seed)
    return Sampled(posterior, stats, 0.0, time.perf_counter() - began), interrupted


RUNS = {"slice": _sample_slice, "nutpie": sample_nutpie, "pymc": sample_pymc}


def _require_all_draws(posterior: xr.Dataset, settings: Settings) -> None:
    """Refuse a chain that broke off: its padding of NaN passes every later comparison."""
    complete, size = leading(posterior), settings.size
    if (complete < size.draws).any() or len(complete) < size.chains:
        raise SamplingFailed(
            "S004",
            f"every chain must hold {size.draws} finite draws, got {complete.tolist()}: run the "
            "fit again.",
        )
