"""The only place that compiles and samples.

PyMC, nutpie and numba are imported inside the functions that need them.
"""

import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

import joblib
import numpy as np
import xarray as xr
from rich.console import Console

from bayes_synth.errors import BayesSynthError, PriorError, SamplingFailed
from bayes_synth.interrupts import cut, leading
from bayes_synth.threads import single_threaded

if TYPE_CHECKING:
    from bayes_synth.pairs import Regression

__all__ = ["Sampled", "Settings", "Task", "sample"]

SAMPLERS = ("auto", "slice", "nutpie", "pymc")

STATS = {
    "maxdepth_reached": "reached_max_treedepth",
    "depth": "tree_depth",
    "logp": "lp",
    "mean_tree_accept": "acceptance_rate",
}
"""nutpie's names of sampler statistics, and ArviZ's."""


CRASHES = (RuntimeError, EOFError, ConnectionError)
"""What a failing sampler or its worker process raises, besides PyMC's own type and a panic in nutpie's Rust, whose type
is a BaseException that cannot be imported."""


class Task(NamedTuple):
    """A model to sample: how to build it, its data by name, and the variables worth storing.

    ``structure`` is all that decides the compiled code; equal structures differ in ``arrays`` only. ``regression`` makes
    the same model in the form that the slice sampler takes, if it has one.
    """

    build: Callable[[], Any]
    arrays: Mapping[str, np.ndarray]
    names: Sequence[str]
    structure: Hashable
    regression: "Callable[[], Regression] | None" = None


class Sampled(NamedTuple):
    """Draws as the sampler left them, how long it took, what is left of an interrupted run, in words, and the sampler."""

    posterior: xr.Dataset
    sample_stats: xr.Dataset
    compile_seconds: float
    sample_seconds: float
    partial: str = ""
    sampler: str = "nutpie"


@final
@dataclass(frozen=True)
class Settings:
    """How to sample; see :meth:`bayes_synth.SyntheticControl.fit`."""

    draws: int
    tune: int
    chains: int
    target_accept: float
    sampler: Literal["auto", "slice", "nutpie", "pymc"]
    cores: int
    random_seed: int
    progressbar: bool | str
    attempt: int = 1

    @classmethod
    def checked(cls, *, random_seed: Any, cores: int | None, **options: Any) -> "Settings":
        """Settings with their defaults filled in, or a :class:`PriorError` that says what is wrong."""
        for name, least in {"draws": 4, "tune": 1, "chains": 1}.items():
            check_count(name, options[name], least)
        if cores is not None:
            check_count("cores", cores, 1)
        if options["sampler"] not in SAMPLERS:
            raise PriorError("O001", f"sampler={options['sampler']!r} is unknown; choose one of {SAMPLERS}.")
        check_acceptance(options["target_accept"])
        available = joblib.cpu_count()
        return cls(random_seed=entropy(random_seed), cores=min(cores or available, options["chains"]), **options)

    @property
    def call(self) -> str:
        """The call that samples these draws again, on one line."""
        names = ("draws", "tune", "chains", "target_accept", "sampler", "cores", "random_seed")
        return f"model.fit(panel, {', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def streams(self) -> tuple[int, np.random.Generator]:
        """Independent randomness for the sampler and for the predictive draws."""
        sampler, predictive = np.random.SeedSequence(self.random_seed).spawn(2)
        return int(sampler.generate_state(1)[0]), np.random.default_rng(predictive)

    def calibration_stream(self) -> np.random.Generator:
        """Randomness of kappa, independent of both: it depends on nothing that was drawn for the treated unit."""
        return np.random.default_rng(np.random.SeedSequence(self.random_seed).spawn(3)[2])


def check_count(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number, or too small a one."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise PriorError("O010", f"{name}={value!r} must be a whole number of at least {least}.")


def check_acceptance(target_accept: float) -> None:
    """Refuse what is no acceptance rate."""
    if not 0 < target_accept < 1:
        raise PriorError("O010", f"target_accept={target_accept!r} must lie between 0 and 1.")


def entropy(seed: Any) -> int:
    """A whole number that reproduces ``seed``; a fresh one for None."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(2, dtype=np.uint64)[0] >> 1)
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(2, dtype=np.uint64)[0] >> 1)
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    raise PriorError(
        "O009", f"random_seed={seed!r} must be a whole number from 0 on, a Generator, a SeedSequence or None."
    )


def sample(task: Task, settings: Settings, seed: int, *, partial: bool = False) -> Sampled:
    """Draws from the task's model.

    Parameters
    ----------
    task
        The model and its data.
    settings, seed
        How to sample, and the sampler's own seed.
    partial
        Whether an interrupt leaves the draws that are whole; otherwise it stays a KeyboardInterrupt.

    Returns
    -------
    Sampled
        ``posterior`` and ``sample_stats`` with dims ``(chain, draw)`` and ArviZ's names.

    Raises
    ------
    SamplingFailed
        S001 when no starting point has a finite density, S002 when the sampler crashed, S004 when draws are missing.
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
        return _what_is_whole(sampled, settings)
    _refuse_gaps(sampled.posterior, settings)
    return sampled


def _chosen(task: Task, settings: Settings) -> str:
    """The sampler's name, the same for every task of one form."""
    if settings.sampler == "slice" and task.regression is None:
        raise PriorError(
            "O001",
            'sampler="slice" is for a Dirichlet prior, normal noise that is a local level, a trend or iid with half-normal '
            'scales, and outcomes without gaps; for this model: sampler="auto".',
        )
    return settings.sampler if settings.sampler != "auto" else "nutpie" if task.regression is None else "slice"


def _what_is_whole(sampled: Sampled, settings: Settings) -> Sampled:
    posterior, stats = cut(sampled.posterior, sampled.sample_stats, chains=settings.chains)
    words = (
        f"interrupted, {posterior.sizes['draw']} of {settings.draws} draws in "
        f"{posterior.sizes['chain']} of {settings.chains} chains"
    )
    return sampled._replace(posterior=posterior, sample_stats=stats, partial=words)


@contextmanager
def _crashes_named(settings: Settings) -> Iterator[None]:
    """A crash of the sampler as S002; a refused start as S001; an interrupt stays one."""
    try:
        yield
    except BayesSynthError:
        raise
    except BaseException as error:
        if not isinstance(error, CRASHES) and type(error).__name__ not in ("PanicException", "ParallelSamplingError"):
            raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "initialization points failed" in first or "Initial evaluation" in first:
            raise SamplingFailed(
                "S001",
                f"the sampler could not start: {error}\n  Are the outcomes extreme? See them with panel.outcomes.",
            ) from error
        raise SamplingFailed(
            "S002",
            f"the sampler crashed ({type(error).__name__}: {first}). To see it again, with the model and the panel of "
            f"this fit:\n  {settings.call}\n  If it does, report that line; another random_seed or sampler may get by.",
        ) from error


def _sample_slice(task: Task, settings: Settings, seed: int) -> tuple[Sampled, bool]:
    from bayes_synth.chains import sample_chains

    assert task.regression is not None
    began = time.perf_counter()
    posterior, stats, interrupted = sample_chains(
        task.regression(),
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=settings.cores,
        effort=4 ** (settings.attempt - 1),
        seed=seed,
        progressbar=settings.progressbar,
    )
    return Sampled(posterior, stats, 0.0, time.perf_counter() - began), interrupted


def _sample_nutpie(task: Task, settings: Settings, seed: int) -> tuple[Sampled, bool]:
    import nutpie

    began = time.perf_counter()
    compiled = COMPILED.get(task.structure, task.build, task.names, settings.progressbar).with_data(**task.arrays)
    ready = time.perf_counter()
    bars, callback = _progress(settings)
    with bars, _crashes_named(settings):
        running = nutpie.sample(
            compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            seed=seed,
            target_accept=settings.target_accept,
            save_warmup=False,
            progress_bar=False,
            progress_callback=callback,
            blocking=False,
        )
        tree, interrupted = _waited(running)
    posterior, stats = tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()
    stats = stats.rename({old: new for old, new in STATS.items() if old in stats})
    stats = stats.drop_vars([name for name, var in stats.items() if var.dtype == object])
    return Sampled(posterior, stats, ready - began, time.perf_counter() - ready), interrupted


def _waited(running: Any) -> tuple[xr.DataTree, bool]:
    """The trace of a background sampler, and whether it is one cut short by an interrupt."""
    try:
        return running.wait(), False
    except KeyboardInterrupt:
        with warnings.catch_warnings():
            # Fewer draws than chains, so far: ArviZ wonders whether its dimensions are the right way round.
            warnings.filterwarnings("ignore", message="Found chain dimension to be longer")
            return running.abort(), True


def _sample_pymc(task: Task, settings: Settings, seed: int) -> tuple[Sampled, bool]:
    import pymc as pm

    began = time.perf_counter()
    with task.build(), _crashes_named(settings):
        try:
            tree = pm.sample(
                draws=settings.draws,
                tune=settings.tune,
                chains=settings.chains,
                cores=settings.cores,
                random_seed=seed,
                nuts={"target_accept": settings.target_accept},
                nuts_sampler="pymc",
                progressbar=settings.progressbar,
                quiet=not settings.progressbar,
                compute_convergence_checks=False,
            )
        except ValueError as error:
            # What PyMC makes of an interrupt before the first draw after tuning.
            if "Not enough samples" in str(error):
                raise KeyboardInterrupt from error
            raise
    posterior = tree["posterior"].to_dataset()[list(task.names)]
    # PyMC swallows an interrupt and returns its longest chains.
    interrupted = posterior.sizes["draw"] < settings.draws or posterior.sizes["chain"] < settings.chains
    sampled = Sampled(posterior, tree["sample_stats"].to_dataset(), 0.0, time.perf_counter() - began)
    return sampled, interrupted


RUNS = {"slice": _sample_slice, "nutpie": _sample_nutpie, "pymc": _sample_pymc}


def _progress(settings: Settings) -> tuple[AbstractContextManager[Any], Callable[[Any], None] | None]:
    """PyMC's progress bars for nutpie, or none."""
    if not settings.progressbar:
        return nullcontext(), None
    from pymc.progress_bar import NutpieProgressBarManager

    bars = NutpieProgressBarManager(settings.chains, settings.draws, progressbar=settings.progressbar)
    return bars, bars.update


def _refuse_gaps(posterior: xr.Dataset, settings: Settings) -> None:
    """A chain that broke off comes back padded with NaN, which no later comparison would notice."""
    whole = leading(posterior)
    if (whole < settings.draws).any() or len(whole) < settings.chains:
        raise SamplingFailed(
            "S004",
            f"the chains hold {whole.tolist()} finite draws instead of {settings.draws} each: run the fit again.",
        )


class CompiledModels:
    """Compiled models by structure, the least recently used leaving first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._models: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, structure: Hashable, build: Callable[[], Any], names: Sequence[str], progressbar: bool | str) -> Any:
        """The compiled model of this structure, compiled now if it is new."""
        with self._lock:
            if structure not in self._models:
                # The builder is kept too: a structure may name a foreign prior by its identity.
                self._models[structure] = _compile(build, names, progressbar), build
                self._models = OrderedDict(list(self._models.items())[-self._most :])
            self._models.move_to_end(structure)
            return self._models[structure][0]


COMPILED = CompiledModels(most=8)


def _compile(build: Callable[[], Any], names: Sequence[str], progressbar: bool | str) -> Any:
    import nutpie
    import pytensor

    if progressbar:
        Console().print("Compiling the model: once per structure and process, about 10 seconds.")
    # With fast maths, code from a cold and from a warm compiler cache rounds differently, and so do the draws.
    with pytensor.config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(build(), var_names=list(names))
