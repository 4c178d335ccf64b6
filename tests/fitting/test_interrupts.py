"""Ctrl-C keeps what is whole and says so; a second one is the caller's."""

import os
import signal
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, SamplingFailed
from bayes_synth.fitting import fit_panel as fitting
from bayes_synth.fitting import noise_choice
from bayes_synth.fitting import placebos as refits
from bayes_synth.fitting.fit_panel import assemble
from bayes_synth.model.calibration import COLUMNS
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling import sample as sampling
from bayes_synth.sampling import slice as running
from bayes_synth.sampling import slice_kernel as slices
from bayes_synth.sampling.partial import cut, leading
from bayes_synth.sampling.slice import BLOCK
from bayes_synth.sampling.task import Sampled
from bayes_synth.testing import fake_fit, fake_panel

MODEL = bs.SyntheticControl(calibrate=False)
QUIET = {"random_seed": 1, "progressbar": False}


@pytest.fixture(autouse=True)
def _listening():
    """Python's own answer to an interrupt, also where the shell started the tests in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


ROW = refits.Answer(
    {"error": 0.1, "sd": 0.2, "scale": 1.0, "divergences": 0, "ok": True}, np.zeros(28)
)


def padded(*lengths: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Draws that break off after so many, chain by chain, as nutpie returns them."""
    draw = np.broadcast_to(np.arange(max(lengths)), (len(lengths), max(lengths)))
    finite = draw < np.array(lengths)[:, None]
    weights = np.where(finite, draw + 1000.0 * np.arange(len(lengths))[:, None], np.nan)
    dims = ("chain", "draw")
    return xr.Dataset({"weights": ((*dims, "donor"), weights[..., None])}), xr.Dataset(
        {"diverging": (dims, ~finite)}
    )


def interrupted_now() -> None:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


def test_chains_are_cut_to_the_common_length_that_holds_the_most_draws():
    posterior, stats = cut(*padded(50, 40, 7, 0), chains=4)
    assert posterior["weights"].to_numpy()[:, -1, 0].tolist() == [39, 1039]
    assert (posterior.sizes["chain"], posterior.sizes["draw"]) == (2, 40)
    assert not stats["diverging"].any()


def test_chains_keep_their_order_and_are_numbered_again():
    posterior, stats = cut(*padded(0, 30, 40), chains=3)
    assert posterior["weights"].to_numpy()[:, 0, 0].tolist() == [1000, 2000]
    assert stats["chain"].to_numpy().tolist() == [0, 1]


def test_of_equal_totals_more_chains_are_kept():
    assert cut(*padded(30, 30, 20), chains=3)[0].sizes == {"chain": 3, "draw": 20, "donor": 1}


@pytest.mark.parametrize("lengths", [(500, 0, 0), (500, 3, 3), (3, 3, 3)])
def test_less_than_two_chains_of_four_draws_are_no_posterior(lengths):
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] interrupted when the 3 chains held \[\d+, \d, \d\] draws"
    ):
        cut(*padded(*lengths), chains=3)


def test_who_asked_for_one_chain_keeps_one():
    assert cut(*padded(9), chains=1)[0].sizes["draw"] == 9


def test_what_follows_a_gap_does_not_count():
    posterior, _ = padded(10)
    posterior["weights"][0, 4] = np.nan
    assert leading(posterior).tolist() == [4]


@pytest.fixture
def sampler(monkeypatch):
    """The n-th run does what the n-th of ``acts`` says: a number of divergences, words of an interrupt, or an error."""
    asked, acts = [], []

    def sample(task, settings, seed, *, partial=False):
        act = acts[len(asked)]
        asked.append((settings, partial))
        if isinstance(act, type):
            raise act
        words = act if isinstance(act, str) else ""
        fit = fake_fit(model=MODEL, draws=settings.draws, divergences=0 if words else act)
        posterior = fit.idata["posterior"].to_dataset().drop_vars("level")
        return Sampled(posterior, fit.idata["sample_stats"].to_dataset(), 0.0, 0.0, words)

    monkeypatch.setattr(fitting, "sample", sample)
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
        SamplingFailed, match=r"\[S004\] interrupted, 250 of 1000 draws.* With strict=False"
    ):
        MODEL.fit(fake_panel(), draws=250, strict=True, **QUIET)


def test_an_interrupted_second_attempt_leaves_the_first(sampler):
    asked, acts = sampler
    acts += [50, KeyboardInterrupt]
    with pytest.warns(ConvergenceWarning) as caught:
        fit = MODEL.fit(fake_panel(), draws=250, **QUIET)
    assert [str(warning.message)[:6] for warning in caught] == ["[S003]", "[S004]"]
    assert fit._convergence.partial == ("second attempt interrupted, the first is kept",)
    assert [partial for _, partial in asked] == [True, False]


def stopping_after(monkeypatch, count: int) -> list[str]:
    """Refits in no time, interrupted while the one of that number runs."""
    done = []

    def row(model, panel, placebo, *_, **__):
        done.append(placebo.treated)
        if len(done) == count:
            interrupted_now()
            time.sleep(0.5)
        return ROW

    monkeypatch.setattr(refits, "_row", row)
    return done


@pytest.mark.parametrize(("count", "calibrated"), [(8, True), (7, False)])
def test_interrupted_refits_calibrate_if_they_are_eight(sampler, monkeypatch, count, calibrated):
    asked, acts = sampler
    acts.append(0)
    done = stopping_after(monkeypatch, count)
    panel = fake_panel(donors=12)
    monkeypatch.setattr(fitting, "sample", fake_sampling(panel, asked))
    with pytest.warns(
        ConvergenceWarning,
        match=rf"\[S004\] PARTIAL: calibration interrupted after {count} of 12 refits",
    ):
        fit = bs.SyntheticControl().fit(panel, draws=250, cores=1, **QUIET)
    assert (len(done), fit.ok) == (count, False)
    assert (fit.calibration.kappa is not None) == calibrated
    word = (
        "calibrated on 8 donors"
        if calibrated
        else "not calibrated (interrupted after 7 of 12 refits, too few"
    )
    assert str(fit.calibration).startswith(word)
    assert asked == [False], "after one interrupt the next is the caller's"


def fake_sampling(panel, asked):
    def sample(task, settings, seed, *, partial=False):
        asked.append(partial)
        fit = fake_fit(panel=panel, model=MODEL, draws=settings.draws)
        return Sampled(
            fit.idata["posterior"].to_dataset().drop_vars("level"),
            fit.idata["sample_stats"].to_dataset(),
            0,
            0,
        )

    return sample


def test_strict_takes_no_partial_calibration(sampler, monkeypatch):
    stopping_after(monkeypatch, 9)
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] calibration interrupted after 9 of 12 refits"
    ):
        bs.SyntheticControl().fit(fake_panel(donors=12), cores=1, strict=True, **QUIET)
    assert sampler[0] == []


def test_no_noise_is_chosen_after_an_interrupt(monkeypatch):
    empty = Placebos(
        noise_choice.pd.DataFrame(columns=COLUMNS), (), stopped="interrupted after 0 of 6 refits"
    )
    monkeypatch.setattr(noise_choice, "placebos", lambda *_: empty)
    with pytest.raises(KeyboardInterrupt):
        bs.SyntheticControl(noise="auto").fit(fake_panel(), **QUIET)


def test_a_whole_fit_is_not_partial():
    fit = fake_fit()
    assert fit._convergence.partial == ()
    assert "PARTIAL" not in repr(fit)


def test_partial_draws_are_assembled_as_they_are():
    """The draws that were asked for, and those that are there, may differ."""
    fit = fake_fit(model=MODEL, draws=100, chains=2)
    settings = sampling.Settings.checked(
        draws=1000, tune=1, chains=4, target_accept=0.9, sampler="nutpie", cores=1, **QUIET
    )
    posterior, stats = (
        fit.idata["posterior"].to_dataset().drop_vars("level"),
        fit.idata["sample_stats"].to_dataset(),
    )
    sampled = Sampled(posterior, stats, 0.0, 0.0, "interrupted")
    built = assemble(MODEL, fake_panel(), settings, sampled, np.random.default_rng(0))
    assert built._sampling["kept"] == {"chains": 2, "draws": 100}
    assert built._sampling["draws"] == 1000
    assert replace(built).effect().draws.sizes == {"chain": 2, "draw": 100}


def interrupt_once(chains: int, after: int):
    """A progress callback that interrupts when each of so many chains has passed so many iterations."""
    sent = []

    def callback(progress):
        if not sent and sum(chain.finished_draws > after for chain in progress) >= chains:
            sent.append(True)
            interrupted_now()

    return nullcontext(), callback


def interrupting(monkeypatch, sampler: str, *, chains: int, after: int) -> dict[str, str]:
    """The sampler, interrupted when so many chains (slices: their mean) are past so many draws, warm-up included."""
    blocks, whole = count(1), after * 4 // BLOCK

    def advance(*args):
        if next(blocks) == whole:
            interrupted_now()
        return slices.advance(*args)

    monkeypatch.setattr(sampling, "_progress", lambda settings: interrupt_once(chains, after))
    monkeypatch.setattr(running, "advance", advance)
    return {"sampler": sampler}


@pytest.mark.filterwarnings("ignore:.S003")
@pytest.mark.parametrize("sampler", ["slice", "nutpie"])
@pytest.mark.parametrize("strict", [False, True])
def test_an_interrupt_of_a_running_sampler_keeps_its_whole_draws(monkeypatch, strict, sampler):
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
    kept = fit._sampling["kept"]
    assert 100 <= kept["draws"] < 20_000
    assert (
        fit.idata["posterior"].sizes["draw"]
        == fit.idata["sample_stats"].sizes["draw"]
        == kept["draws"]
    )
    assert np.isfinite(fit.effect().draws).all()
    assert not fit.ok


@pytest.mark.parametrize("sampler", ["slice", "nutpie"])
def test_an_interrupt_before_the_first_draw_leaves_nothing(monkeypatch, sampler):
    options = interrupting(monkeypatch, sampler, chains=1, after=BLOCK)
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] interrupted when the 4 chains held \[0, 0, 0, 0\] draws"
    ):
        MODEL.fit(fake_panel(), draws=1000, tune=200_000, target_accept=0.9, **options, **QUIET)
