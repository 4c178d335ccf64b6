"""NUTS on the PyMC model: nutpie, compiled once per structure and process, and PyMC's own sampler.

PyMC and nutpie are imported inside the functions that need them.
"""

import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, final

import xarray as xr

from bayes_synth.sampling.progress import Bar, bar
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import AbstractTask, Sampled, crashes_named

__all__ = ["COMPILED", "CompiledModels", "sample_nutpie", "sample_pymc"]

STATS = {
    "maxdepth_reached": "reached_max_treedepth",
    "depth": "tree_depth",
    "logp": "lp",
    "mean_tree_accept": "acceptance_rate",
}
"""nutpie's names of sampler statistics, and ArviZ's."""


def sample_nutpie(task: AbstractTask, settings: Settings, seed: int) -> tuple[Sampled, bool]:
    """Sample by nutpie; the second value says whether an interrupt cut the run short."""
    import nutpie

    began, size = time.perf_counter(), settings.size
    compiled = COMPILED.get(task, settings.progressbar).with_data(**task.arrays)
    ready = time.perf_counter()
    total = size.chains * (size.draws + size.tune)
    with (
        bar("Sampling", total, shown=bool(settings.progressbar)) as counted,
        crashes_named(settings),
    ):
        running = nutpie.sample(
            compiled,
            draws=size.draws,
            tune=size.tune,
            chains=size.chains,
            cores=settings.cores,
            seed=seed,
            target_accept=size.target_accept,
            save_warmup=False,
            progress_bar=False,
            progress_callback=counting(counted),
            blocking=False,
        )
        tree, interrupted = _waited(running)
    posterior, stats = tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()
    stats = stats.rename({old: new for old, new in STATS.items() if old in stats})
    stats = stats.drop_vars([name for name, var in stats.items() if var.dtype == object])
    return Sampled(posterior, stats, ready - began, time.perf_counter() - ready), interrupted


def counting(counted: Bar) -> Callable[[Any], None]:
    """Make the callback by which nutpie shows iterations and divergences of all chains."""

    def update(chains: Any) -> None:
        divergences = sum(chain.divergences for chain in chains)
        note = f"{divergences} divergences" if divergences else ""
        counted.show(sum(chain.finished_draws for chain in chains), note)

    return update


def _waited(running: Any) -> tuple[xr.DataTree, bool]:
    """Wait for a background sampler; the second value says whether an interrupt cut it short."""
    try:
        return running.wait(), False
    except KeyboardInterrupt:
        with warnings.catch_warnings():
            # With fewer draws than chains so far, ArviZ suspects that its dims are swapped.
            warnings.filterwarnings("ignore", message="Found chain dimension to be longer")
            return running.abort(), True


def sample_pymc(task: AbstractTask, settings: Settings, seed: int) -> tuple[Sampled, bool]:
    """Sample by PyMC's own NUTS; the second value says whether an interrupt cut the run short."""
    import pymc as pm

    began, size = time.perf_counter(), settings.size
    with task.build(), crashes_named(settings):
        try:
            tree = pm.sample(
                draws=size.draws,
                tune=size.tune,
                chains=size.chains,
                cores=settings.cores,
                random_seed=seed,
                nuts={"target_accept": size.target_accept},
                nuts_sampler="pymc",
                progressbar=settings.progressbar,
                quiet=not settings.progressbar,
                compute_convergence_checks=False,
            )
        except ValueError as error:
            # PyMC raises this for an interrupt before the first draw after tuning.
            if "Not enough samples" in str(error):
                raise KeyboardInterrupt from error
            raise
    posterior = tree["posterior"].to_dataset()[list(task.names)]
    # PyMC swallows an interrupt and returns its longest chains.
    interrupted = posterior.sizes["draw"] < size.draws or posterior.sizes["chain"] < size.chains
    stats = tree["sample_stats"].to_dataset()
    return Sampled(posterior, stats, 0.0, time.perf_counter() - began), interrupted


@final
class CompiledModels:
    """Compiled models by structure; the least recently used is dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._models: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, task: AbstractTask, progressbar: bool | str) -> Any:
        """Return the compiled model of the task's structure, compiled now if it is new."""
        with self._lock:
            structure = task.structure
            if structure not in self._models:
                # The task is kept too: a structure may hold the id of a foreign prior.
                self._models[structure] = compile_model(task, progressbar), task
                self._models = OrderedDict(list(self._models.items())[-self._most :])
            self._models.move_to_end(structure)
            return self._models[structure][0]


COMPILED = CompiledModels(most=8)


def compile_model(task: AbstractTask, progressbar: bool | str) -> Any:
    """Compile the task's graph for nutpie."""
    import nutpie
    import pytensor
    from rich.console import Console

    if progressbar:
        Console().print("Compiling the model: once per structure and process, about 10 seconds.")
    # With fast maths, code from a cold and a warm compiler cache rounds differently.
    with pytensor.config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(task.build(), var_names=list(task.names))
