"""A sampler that cannot start, that crashes, or whose draws would not fit into memory."""

import re

import numpy as np
import pymc as pm
import pytest
from pymc.exceptions import SamplingError
from pymc.sampling.parallel import ParallelSamplingError

import bayes_synth as bs
from bayes_synth.errors import SamplingFailed
from bayes_synth.fitting import fit_panel as fitting
from bayes_synth.fitting import memory
from bayes_synth.fitting import placebos as refits
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Task
from bayes_synth.testing import fake_fit, fake_panel

MODEL = bs.SyntheticControl(calibrate=False)
QUIET = {"random_seed": 7, "progressbar": False}
CALL = (
    "model.fit(panel, draws=50, tune=50, chains=2, target_accept=0.9, sampler='nutpie', cores=1, random_seed=7)"
)  # fmt: skip


def settings(**options) -> Settings:
    usual = {
        "draws": 50,
        "tune": 50,
        "chains": 2,
        "target_accept": 0.9,
        "sampler": "nutpie",
        "cores": 1,
    }
    return Settings.checked(**usual | QUIET | options)


def graph() -> pm.Model:
    with pm.Model() as model:
        shift = pm.Data("shift", np.zeros(3))
        weights = pm.Normal("weights", shape=2)
        pm.Deterministic("path", shift + weights[0])
    return model


def test_a_panic_in_rust_is_named_with_its_seed_and_a_line_to_repeat_it(capfd):
    task = Task(
        graph, {"shift": np.zeros(5)}, ("weights", "path"), "panics on data of another length"
    )
    with pytest.raises(
        SamplingFailed, match=r"\[S002\] the sampler crashed \(PanicException: called "
    ) as caught:
        sample(task, settings(), seed=1)
    assert CALL in str(caught.value)
    assert type(caught.value.__cause__).__name__ == "PanicException"


def raising(monkeypatch, error: BaseException) -> Task:
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(pm, "sample", broken)
    return Task(graph, {}, ("weights",), "never compiled")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ParallelSamplingError("Chain 1 failed with: boom", 1), r"S002\] the sampler crashed \(ParallelSamplingError: Chain 1"),
        (EOFError(), r"S002\] the sampler crashed \(EOFError: EOFError"),
        (ConnectionResetError("peer"), r"S002\] the sampler crashed \(ConnectionResetError: peer"),
        (RuntimeError("Chain 0 failed."), r"S002\] the sampler crashed \(RuntimeError: Chain 0 failed"),
        (SamplingError("Initial evaluation of model at starting point failed!"), r"S001\] the sampler could not start: Init"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
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


def short_run(monkeypatch) -> Task:
    """PyMC returns its longest chains after an interrupt, and says nothing."""
    idata = fake_fit(model=MODEL, draws=20, chains=2).idata
    monkeypatch.setattr(pm, "sample", lambda **_: idata)
    return Task(graph, {}, ("weights",), "never compiled")


def test_pymcs_interrupted_draws_are_partial(monkeypatch):
    sampled = sample(
        short_run(monkeypatch), settings(sampler="pymc", chains=3), seed=1, partial=True
    )
    assert sampled.partial == "interrupted, 20 of 50 draws in 2 of 3 chains"


def test_pymcs_interrupted_draws_are_an_interrupt_where_none_may_be_missing(monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        sample(short_run(monkeypatch), settings(sampler="pymc", chains=3), seed=1)


def test_a_start_of_no_density_says_so():
    # In the refits a donor would be named too; here the data of the graph itself are bad.
    task = Task(graph_of_log, {"shift": np.full(3, -1.0)}, ("weights",), "no density")
    with pytest.raises(SamplingFailed, match=r"\[S001\] the sampler could not start"):
        sample(task, settings(), seed=1)


def graph_of_log() -> pm.Model:
    with pm.Model() as model:
        shift = pm.Data("shift", np.ones(3))
        weights = pm.Normal("weights", shape=2)
        pm.Potential("log", pm.math.sum(pm.math.log(shift)) + 0 * weights[0])
    return model


def test_a_failed_refit_names_its_donor(monkeypatch):
    def row(*_, **__):
        raise SamplingFailed("S002", "the sampler crashed.")

    monkeypatch.setattr(refits, "_row", row)
    with pytest.raises(SamplingFailed, match="S002") as caught:
        bs.SyntheticControl().fit(fake_panel(), cores=1, **QUIET)
    assert re.match(
        r"In the refit of (donor_0\d) as if treated: .*\['\1'\]", caught.value.__notes__[0]
    )


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("sizes", [(6, 20, 8), (40, 120, 60)])
def test_the_estimate_of_memory_is_that_of_a_fit(sizes, calibrate, monkeypatch):
    panel = fake_panel(donors=sizes[0], pre=sizes[1], post=sizes[2])
    model = bs.SyntheticControl(calibrate=calibrate)
    fake = fake_fit(panel=panel, model=MODEL, draws=300)
    extra = fake.idata["predictions"].to_dataset().nbytes if calibrate else 0
    held = sum(group.to_dataset().nbytes for group in fake.idata.children.values()) + extra
    estimate = memory.draw_bytes(model, panel, 4) * 4 * 300
    assert estimate == pytest.approx(held, rel=0.3)


def test_the_estimate_of_memory_is_that_of_a_real_fit(real):
    held = sum(group.to_dataset().nbytes for group in real.idata.children.values())
    assert memory.draw_bytes(real.model, real.panel, 4) * 4 * 1000 == pytest.approx(held, rel=0.1)


def test_draws_that_do_not_fit_are_refused_with_the_number_that_would(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 4e8)
    monkeypatch.setattr(fitting, "sample", None)
    panel = fake_panel()
    each = memory.draw_bytes(MODEL, panel, 4)
    fitting_draws = int(1e8 / each / 4)
    with pytest.raises(
        SamplingFailed,
        match=rf"\[S005\] 4 chains of 1000000 draws.*\n  Up to {fitting_draws} draws",
    ) as caught:
        MODEL.fit(panel, draws=1_000_000, **QUIET)
    assert f"would take {each * 4e6 / 1e9:.2g} GB; the limit is 0.1 GB, 25% of" in str(caught.value)
    memory.require_memory(MODEL, panel, settings(draws=fitting_draws, chains=4))
    with pytest.raises(SamplingFailed):
        memory.require_memory(MODEL, panel, settings(draws=fitting_draws + 1, chains=4))


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "_free", lambda: None)
    monkeypatch.setattr(memory, "_control_group", lambda: None)
    memory.require_memory(MODEL, fake_panel(), settings(draws=10**12))


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("2000000\n")
    limit = memory._control_group(str(tmp_path / "memory.max"))
    assert limit == 2e6
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._control_group(str(tmp_path / "memory.max")) is None
    monkeypatch.setattr(memory, "_control_group", lambda: limit)
    assert memory.available() == 2e6


def test_this_machine_says_what_is_available():
    assert 1e6 < memory._free() < 1e14
