"""Ctrl-C keeps what is complete and says so; a second one is the caller's."""

import os
import signal
import time
from functools import partial
from itertools import count

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, SamplingFailed
from bayes_synth.fitting.fit_panel import Prepared, recorded
from bayes_synth.fitting.noise_choice import choose_noise
from bayes_synth.fitting.placebos import Answer, placebos
from bayes_synth.model.calibration import COLUMNS
from bayes_synth.model.forecast_error import Forecast
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.slice import STRIDE
from bayes_synth.sampling.slice_kernel import advance
from bayes_synth.sampling.task import Sampled
from bayes_synth.testing import fake_fit, fake_panel

MODEL = bs.SyntheticControl(calibrate=False)
QUIET = {"random_seed": 1, "progressbar": False}


@pytest.fixture(autouse=True)
def _listening():
    """Restore Python's own answer to an interrupt, which a shell in the background turns off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


ANSWER = Answer(
    Forecast(np.full(8, 0.1), 0.04 * np.eye(8), 0.3),
    {"step": 1.0, "divergences": 0, "ok": True},
    np.zeros(28),
)


def interrupted_now() -> None:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def sampler(monkeypatch):
    """Make the n-th run do what the n-th of ``acts`` says.

    It is a number of divergences, the words of an interrupt, or an error.
    """
    asked, acts = [], []

    def sample(task, settings, seed, *, partial=False):
        act = acts[len(asked)]
        asked.append((settings, partial))
        if isinstance(act, type):
            raise act
        words = act if isinstance(act, str) else ""
        fit = fake_fit(model=MODEL, draws=settings.size.draws, divergences=0 if words else act)
        posterior = fit.idata["posterior"].to_dataset().drop_vars("level")
        return Sampled(posterior, fit.idata["sample_stats"].to_dataset(), 0.0, 0.0, words)

    monkeypatch.setattr("bayes_synth.fitting.extend.sample", sample)
    return asked, acts


def test_a_partial_fit_is_marked_wherever_one_looks(sampler, tmp_path):
    sampler[1].append("interrupted, 250 of 1000 draws in 4 of 4 chains")
    with pytest.warns(
        ConvergenceWarning, match=r"\[S004\] PARTIAL: interrupted, 250 of 1000 draws"
    ) as caught:
        fit = MODEL.fit(fake_panel(), draws=250, **QUIET)
    assert caught[0].filename == __file__
    assert not fit.ok
    assert repr(fit).startswith(
        "PARTIAL: interrupted, so not the fit that was asked for. interrupted, 250 of 1000 draws"
    )
    assert "; converged (R-hat" in fit.diagnostics().attrs["convergence"]
    assert fit.diagnostics().attrs["partial"] == ["interrupted, 250 of 1000 draws in 4 of 4 chains"]
    assert fit.diagnostics().attrs["warnings"] == [str(caught[0].message)]
    fit.save(tmp_path / "fit.nc")
    assert repr(bs.load(tmp_path / "fit.nc")) == repr(fit)


def test_strict_takes_no_partial_fit(sampler):
    sampler[1].append("interrupted, 250 of 1000 draws in 4 of 4 chains")
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] interrupted, 250 of 1000 draws.* Pass strict=False"
    ):
        MODEL.fit(fake_panel(), draws=250, strict=True, **QUIET)


def test_an_interrupted_second_attempt_leaves_the_first(sampler):
    asked, acts = sampler
    acts += [50, KeyboardInterrupt]
    with pytest.warns(ConvergenceWarning) as caught:
        fit = MODEL.fit(fake_panel(), draws=250, **QUIET)
    assert [str(warning.message)[:6] for warning in caught] == ["[S003]", "[S004]"]
    assert fit.convergence.partial == ("second attempt interrupted, the first is kept",)
    assert [partial for _, partial in asked] == [True, False]


FACTORS = len(bs.Calibration().q_factors)
"""Refits of each donor, all of which it takes."""


def stopping_after(monkeypatch, count: int) -> list[tuple[str, ...]]:
    """Refit in no time, interrupted while the refit of that number runs."""
    done = []

    def refit(problem, settings):
        done.append(problem.panel.treated)
        if len(done) == count:
            interrupted_now()
            time.sleep(0.5)
        return ANSWER

    monkeypatch.setattr("bayes_synth.fitting.fit_panel.placebos", partial(placebos, refit=refit))
    return done


@pytest.mark.long
@pytest.mark.parametrize(("count", "calibrated"), [(8, True), (7, False)])
def test_interrupted_refits_calibrate_if_they_are_eight(sampler, monkeypatch, count, calibrated):
    asked, acts = sampler
    acts.append(0)
    done = stopping_after(monkeypatch, FACTORS * count)
    panel = fake_panel(donors=12)
    monkeypatch.setattr("bayes_synth.fitting.extend.sample", fake_sampling(panel, asked))
    with pytest.warns(
        ConvergenceWarning,
        match=rf"\[S004\] PARTIAL: calibration interrupted after {count} of 12 refits",
    ):
        fit = bs.SyntheticControl().fit(panel, draws=250, cores=1, **QUIET)
    assert (len(done), fit.ok) == (FACTORS * count, False)
    assert (fit.calibration.kappa is not None) == calibrated
    word = (
        "calibrated on 8 donors"
        if calibrated
        else "not calibrated (interrupted after 7 of 12 refits, too few"
    )
    assert str(fit.calibration).startswith(word)
    assert set(asked) == {False}, "after one interrupt the next is the caller's"


def fake_sampling(panel, asked):
    def sample(task, settings, seed, *, partial=False):
        asked.append(partial)
        fit = fake_fit(panel=panel, model=MODEL, draws=settings.size.draws)
        return Sampled(
            fit.idata["posterior"].to_dataset().drop_vars("level"),
            fit.idata["sample_stats"].to_dataset(),
            0,
            0,
        )

    return sample


def test_strict_takes_no_partial_calibration(sampler, monkeypatch):
    stopping_after(monkeypatch, FACTORS * 9 + 1)
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] calibration interrupted after 9 of 12 refits"
    ):
        bs.SyntheticControl().fit(fake_panel(donors=12), cores=1, strict=True, **QUIET)
    assert sampler[0] == []


def test_no_noise_is_chosen_after_an_interrupt(monkeypatch):
    empty = Placebos(pd.DataFrame(columns=COLUMNS), (), stopped="interrupted after 0 of 6 refits")
    interrupted = partial(choose_noise, refit=lambda *_: empty)
    monkeypatch.setattr("bayes_synth.fitting.fit_panel.choose_noise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bs.SyntheticControl(noise="auto").fit(fake_panel(), **QUIET)


def test_a_complete_fit_is_not_partial():
    fit = fake_fit()
    assert fit.convergence.partial == ()
    assert "PARTIAL" not in repr(fit)


def test_partial_draws_are_assembled_as_they_are():
    """The draws that were asked for, and those that are there, may differ."""
    fit = fake_fit(model=MODEL, draws=100, chains=2)
    settings = Settings.checked(Size(1000, 1, 4, 0.9), sampler="nutpie", cores=1, **QUIET)
    posterior, stats = (
        fit.idata["posterior"].to_dataset().drop_vars("level"),
        fit.idata["sample_stats"].to_dataset(),
    )
    sampled = Sampled(posterior, stats, 0.0, 0.0, "interrupted")
    prepared = Prepared(Problem.of(MODEL, fake_panel()))
    idata = prepared.assemble(settings, sampled, np.random.default_rng(0))
    record = recorded(settings, sampled)
    assert (record.chains, record.draws, record.partial) == (2, 100, ("interrupted",))
    assert record.settings.size.draws == 1000
    built = bs.Fit(fake_panel(), MODEL, idata, record)
    assert built.effect().draws.sizes == {"chain": 2, "draw": 100}
    assert not built.ok


def interrupt_once(chains: int, after: int):
    """Make a callback that interrupts when so many chains have passed so many iterations."""
    sent = []

    def callback(progress):
        if not sent and sum(chain.finished_draws > after for chain in progress) >= chains:
            sent.append(True)
            interrupted_now()

    return callback


def interrupting(monkeypatch, sampler: str, *, chains: int, after: int) -> dict[str, str]:
    """Interrupt the sampler when so many chains are past so many draws, warm-up included.

    For slices their mean counts.
    """
    blocks, last = count(1), after * 4 // STRIDE

    def advance_or_interrupt(*args):
        if next(blocks) == last:
            interrupted_now()
        return advance(*args)

    callback = interrupt_once(chains, after)
    monkeypatch.setattr("bayes_synth.sampling.nuts.counting", lambda counted: callback)
    monkeypatch.setattr("bayes_synth.sampling.slice.advance", advance_or_interrupt)
    return {"sampler": sampler}


@pytest.mark.filterwarnings("ignore:.S003")
@pytest.mark.parametrize("sampler", ["slice", pytest.param("nutpie", marks=pytest.mark.long)])
@pytest.mark.parametrize("strict", [False, True])
def test_an_interrupt_of_a_running_sampler_keeps_its_complete_draws(monkeypatch, strict, sampler):
    options = {
        "draws": 20_000,
        "tune": 200,
        "cores": 4,
        "target_accept": 0.9,
        "strict": strict,
        **QUIET,
    }
    options |= interrupting(monkeypatch, sampler, chains=3, after=700)
    if strict:
        with pytest.raises(SamplingFailed, match=r"\[S004\] interrupted, \d+ of 20000 draws"):
            MODEL.fit(fake_panel(), **options)
        return
    with pytest.warns(
        ConvergenceWarning,
        match=r"\[S004\] PARTIAL: interrupted, \d+ of 20000 draws in [2-4] of 4 chains",
    ):
        fit = MODEL.fit(fake_panel(), **options)
    assert 100 <= fit.record.draws < 20_000
    groups = fit.idata["posterior"], fit.idata["sample_stats"]
    assert [group.sizes["draw"] for group in groups] == [fit.record.draws] * 2
    assert np.isfinite(fit.effect().draws).all()
    assert not fit.ok


@pytest.mark.parametrize("sampler", ["slice", pytest.param("nutpie", marks=pytest.mark.long)])
def test_an_interrupt_before_the_first_draw_leaves_nothing(monkeypatch, sampler):
    options = interrupting(monkeypatch, sampler, chains=1, after=STRIDE)
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] interrupted when the 4 chains held \[0, 0, 0, 0\] draws"
    ):
        MODEL.fit(fake_panel(), draws=1000, tune=200_000, target_accept=0.9, **options, **QUIET)
