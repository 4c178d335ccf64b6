"""A sampler that cannot start, that crashes, or that loses draws says so in words."""

import numpy as np
import pymc as pm
import pytest
from pymc.exceptions import SamplingError
from pymc.sampling.parallel import ParallelSamplingError

import bayes_synth as bs
from bayes_synth.errors import SamplingFailed
from bayes_synth.sampling.nuts import CompiledModels
from bayes_synth.sampling.sample import RUNS, sample
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.task import AbstractTask, Sampled
from bayes_synth.testing import fake_fit

MODEL = bs.SyntheticControl(calibrate=False)
CALL = (
    "model.fit(panel, draws=50, tune=50, chains=2, target_accept=0.9, "
    "sampler='nutpie', cores=1, random_seed=7)"
)


class FakeTask(AbstractTask):
    """A graph and its data, with no form for the slice sampler."""

    arrays, names, structure, regression = {}, ("weights",), "never compiled", None

    def __init__(self, graph=None, arrays=(), names=("weights",), structure="never compiled"):
        self.graph, self.arrays = graph, dict(arrays)
        self.names, self.structure = names, structure

    def build(self):
        return self.graph()


def settings(*, draws: int = 50, chains: int = 2, sampler: str = "nutpie") -> Settings:
    return Settings.checked(Size(draws, 50, chains, 0.9), sampler=sampler, cores=1, random_seed=7)


def graph() -> pm.Model:
    with pm.Model() as model:
        shift = pm.Data("shift", np.zeros(3))
        weights = pm.Normal("weights", shape=2)
        pm.Deterministic("path", shift + weights[0])
    return model


@pytest.mark.long
def test_a_panic_in_rust_is_named_with_its_seed_and_a_line_to_repeat_it(capfd):
    task = FakeTask(
        graph, {"shift": np.zeros(5)}, ("weights", "path"), "panics on data of another length"
    )
    with pytest.raises(
        SamplingFailed, match=r"\[S002\] the sampler crashed \(PanicException: called "
    ) as caught:
        sample(task, settings(), seed=1)
    assert CALL in str(caught.value)
    assert type(caught.value.__cause__).__name__ == "PanicException"


def raising(monkeypatch, error: BaseException) -> FakeTask:
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(pm, "sample", broken)
    return FakeTask(graph)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ParallelSamplingError("Chain 1 failed with: boom", 1),
            r"S002\] the sampler crashed \(ParallelSamplingError: Chain 1",
        ),
        (EOFError(), r"S002\] the sampler crashed \(EOFError: EOFError"),
        (ConnectionResetError("peer"), r"S002\] the sampler crashed \(ConnectionResetError: peer"),
        (
            RuntimeError("Chain 0 failed."),
            r"S002\] the sampler crashed \(RuntimeError: Chain 0 failed",
        ),
        (
            SamplingError("Initial evaluation of model at starting point failed!"),
            r"S001\] the sampler could not start: Init",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_dead_worker_is_named_too(monkeypatch, error, words):
    with pytest.raises(SamplingFailed, match=words):
        sample(raising(monkeypatch, error), settings(sampler="pymc"), seed=1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), TypeError("ours")], ids=repr)
def test_what_is_no_crash_stays_what_it_is(monkeypatch, error):
    with pytest.raises(type(error)):
        sample(raising(monkeypatch, error), settings(sampler="pymc"), seed=1, partial=True)


def test_an_interrupt_that_pymc_turns_into_too_few_draws_is_one(monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        sample(
            raising(monkeypatch, ValueError("Not enough samples to build a trace.")),
            settings(sampler="pymc"),
            1,
        )


def short_run(monkeypatch) -> FakeTask:
    """PyMC returns its longest chains after an interrupt, and says nothing."""
    idata = fake_fit(model=MODEL, draws=20, chains=2).idata
    monkeypatch.setattr(pm, "sample", lambda **_: idata)
    return FakeTask(graph)


def test_pymcs_interrupted_draws_are_partial(monkeypatch):
    sampled = sample(
        short_run(monkeypatch), settings(sampler="pymc", chains=3), seed=1, partial=True
    )
    assert sampled.partial == "interrupted, 20 of 50 draws in 2 of 3 chains"


def test_pymcs_interrupted_draws_are_an_interrupt_where_none_may_be_missing(monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        sample(short_run(monkeypatch), settings(sampler="pymc", chains=3), seed=1)


@pytest.mark.long
def test_a_start_of_no_density_says_so():
    # In the refits a donor would be named too; here the data of the graph itself are bad.
    task = FakeTask(graph_of_log, {"shift": np.full(3, -1.0)}, structure="no density")
    with pytest.raises(SamplingFailed, match=r"\[S001\] the sampler could not start"):
        sample(task, settings(), seed=1)


def graph_of_log() -> pm.Model:
    with pm.Model() as model:
        shift = pm.Data("shift", np.ones(3))
        weights = pm.Normal("weights", shape=2)
        pm.Potential("log", pm.math.sum(pm.math.log(shift)) + 0 * weights[0])
    return model


def test_a_sampler_that_cannot_start_is_said_in_words(monkeypatch):
    class Compiled:
        def with_data(self):
            return self

    def failing(*_, **__):
        raise RuntimeError("all initialization points failed")

    monkeypatch.setattr("bayes_synth.sampling.nuts.compile_model", lambda *_: Compiled())
    monkeypatch.setattr("bayes_synth.sampling.nuts.COMPILED", CompiledModels(1))
    monkeypatch.setattr("nutpie.sample", failing)
    with pytest.raises(
        SamplingFailed, match=r"(?s)\[S001\].*could not start: all init.*Are the outcomes extreme"
    ):
        sample(FakeTask(), settings(), seed=1)


def test_draws_that_a_broken_chain_left_out_are_refused(monkeypatch):
    posterior = fake_fit(model=MODEL, draws=10, chains=2).idata["posterior"].to_dataset()
    posterior["weights"] = posterior["weights"].where(
        (posterior["chain"] == 0) | (posterior["draw"] < 4)
    )
    monkeypatch.setitem(RUNS, "nutpie", lambda *_: (Sampled(posterior, posterior, 0.0, 0.0), False))
    with pytest.raises(SamplingFailed, match=r"\[S004\] .*10 finite draws, got \[10, 4\]"):
        sample(FakeTask(), settings(draws=10), seed=1)
