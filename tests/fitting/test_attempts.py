"""A second, stricter attempt where the sampler's steps were in trouble, and what is said when it fails too."""

from dataclasses import replace

import numpy as np
import pytest

import bayes_synth as bs
from bayes_synth.data.remarks import Remark
from bayes_synth.errors import ConvergenceWarning, SamplingFailed
from bayes_synth.fitting import fit_panel as fitting
from bayes_synth.sampling import sample as sampling
from bayes_synth.sampling.settings import Settings
from bayes_synth.sampling.task import Sampled, Task
from bayes_synth.testing import fake_fit, fake_panel

MODEL = bs.SyntheticControl(calibrate=False)
FIVE = "5.0% of transitions diverged; raise target_accept"
OPTIONS = {
    "draws": 250,
    "chains": 4,
    "tune": 30,
    "target_accept": 0.96,
    "random_seed": 1,
    "progressbar": False,
}


@pytest.fixture
def sampler(monkeypatch):
    """Settings asked for; the n-th run has as many divergences as the n-th of ``divergences``."""
    asked, divergences = [], []

    def sample(task, settings, seed, *, partial=False):
        fit = fake_fit(model=MODEL, draws=settings.draws, divergences=divergences[len(asked)])
        asked.append(settings)
        posterior = fit.idata["posterior"].to_dataset().drop_vars("level")
        scale = float(task.arrays["prior_s"]) if "prior_s" in task.arrays else 1.0
        return Sampled(
            posterior.assign(s=posterior["s"] * scale),
            fit.idata["sample_stats"].to_dataset(),
            0.0,
            0.0,
        )

    monkeypatch.setattr(fitting, "sample", sample)
    return asked, divergences


def test_steps_without_trouble_are_taken_once(sampler):
    asked, divergences = sampler
    divergences += [0]
    fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert len(asked) == 1
    assert "second attempt" not in repr(fit)


def test_trouble_is_met_with_smaller_steps_and_recorded(sampler):
    asked, divergences = sampler
    divergences += [50, 0]
    fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert [run.target_accept for run in asked] == [0.96, pytest.approx(0.99)]
    assert [run.tune for run in asked] == [30, 60]
    assert fit.ok
    assert (
        "; second attempt, with smaller steps (the first: 5.0% of transitions diverged; raise target_accept)"
        in repr(fit)
    )
    assert fit.diagnostics().attrs["attempts"] == [
        {"target_accept": 0.96, "tune": 30, "problems": [FIVE], "divergences": 50, "kept": False},
        {
            "target_accept": pytest.approx(0.99),
            "tune": 60,
            "problems": [],
            "divergences": 0,
            "kept": True,
        },
    ]


def test_a_second_attempt_that_is_worse_is_not_kept(sampler):
    sampler[1].extend([50, 90])
    with pytest.warns(ConvergenceWarning, match=r"NOT CONVERGED: 5.0% of transitions"):
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert fit.diagnostics().attrs["divergences"] == 50
    assert [attempt["kept"] for attempt in fit.diagnostics().attrs["attempts"]] == [True, False]
    assert (
        "; first attempt, a second with smaller steps was worse (9.0% of transitions diverged"
        in repr(fit)
    )


def test_of_equal_attempts_the_one_with_smaller_steps_is_kept(sampler):
    sampler[1].extend([50, 50])
    with pytest.warns(ConvergenceWarning):
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert fit._sampling["attempt"] == 2


def test_what_was_warned_about_stays_with_the_fit(sampler):
    sampler[1].extend([50, 50])
    odd = replace(
        fake_panel(),
        remarks=(Remark("V008", "warned", "outside."), Remark("P006", "noted", "index.")),
    )
    with pytest.warns(ConvergenceWarning) as caught:
        fit = MODEL.fit(odd, **OPTIONS)
    assert fit.diagnostics().attrs["warnings"] == ["[V008] outside.", str(caught[0].message)]
    assert caught[0].filename == __file__
    assert "warned     V008, S003; in words" in repr(fit)


def test_two_failures_are_a_warning_or_with_strict_an_error(sampler):
    asked, divergences = sampler
    divergences += [50, 50, 50, 50]
    with pytest.warns(
        ConvergenceWarning, match=r"\[S003\] NOT CONVERGED: 5.0% of transitions diverged"
    ):
        fit = MODEL.fit(fake_panel(), **OPTIONS)
    assert not fit.ok
    with pytest.raises(SamplingFailed, match=r"\[S003\] NOT CONVERGED: 5.0%"):
        MODEL.fit(fake_panel(), **OPTIONS, strict=True)
    assert len(asked) == 4


def test_few_draws_alone_are_no_reason_for_another_attempt(sampler):
    asked, divergences = sampler
    divergences += [0]
    with pytest.warns(ConvergenceWarning, match="ESS below 400"):
        MODEL.fit(fake_panel(), **OPTIONS | {"draws": 50})
    assert len(asked) == 1
    assert np.isclose(asked[0].target_accept, 0.96)


@pytest.fixture
def task() -> tuple[Task, Settings]:
    """A task that is never built, and settings for it."""
    chosen = {"target_accept": 0.9, "sampler": "nutpie", "progressbar": False}
    return Task(dict, {}, [], "none"), Settings.checked(
        draws=10, tune=1, chains=2, cores=1, random_seed=1, **chosen
    )


def test_a_sampler_that_cannot_start_is_said_in_words(monkeypatch, task):
    class Compiled:
        def with_data(self):
            return self

    def failing(*_, **__):
        raise RuntimeError("all initialization points failed")

    monkeypatch.setattr(sampling, "_compile", lambda *_: Compiled())
    monkeypatch.setattr(sampling, "COMPILED", sampling.CompiledModels(1))
    monkeypatch.setattr("nutpie.sample", failing)
    with pytest.raises(
        SamplingFailed, match=r"(?s)\[S001\].*could not start: all init.*Are the outcomes extreme"
    ):
        sampling.sample(*task, seed=1)


def test_draws_that_a_broken_chain_left_out_are_refused(monkeypatch, task):
    posterior = fake_fit(model=MODEL, draws=10, chains=2).idata["posterior"].to_dataset()
    posterior["weights"] = posterior["weights"].where(
        (posterior["chain"] == 0) | (posterior["draw"] < 4)
    )
    monkeypatch.setitem(
        sampling.RUNS, "nutpie", lambda *_: (Sampled(posterior, posterior, 0.0, 0.0), False)
    )
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] the chains hold \[10, 4\] finite draws instead of 10 each"
    ):
        sampling.sample(*task, seed=1)
