"""Fits whose model has a user's own class: saved and loaded if it can be rebuilt, else refused."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from file_tools import light_fit
from scipy.special import gammaln

import bayes_synth as bs
from bayes_synth.errors import LoadError
from bayes_synth.noise.base import AbstractNoise
from bayes_synth.priors import AbstractWeightsPrior, HalfNormal
from bayes_synth.storage.trees import SUFFIXES


@dataclass(frozen=True)
class White(AbstractNoise, data=("s",), any_length=True):
    """Independent normal noise around a free level, as a user would write it."""

    s: Any = HalfNormal(1.0)
    label: str = "white"
    degrees_of_freedom = np.inf

    @property
    def level_sd(self):
        return np.inf

    def priors(self):
        return {"s": self.s}

    def describe(self):
        return f"{self.label} noise"

    def whiten(self, parameters, spectrum):
        raise NotImplementedError

    def precision(self, draws, residual):
        return residual / draws["s"][:, None] ** 2

    def precision_diagonal(self, draws, periods):
        return np.repeat(1 / draws["s"][:, None] ** 2, periods, axis=1)

    def from_shocks(self, draws, shocks, rng):
        return draws["s"][:, None] * shocks["noise"]

    def paths(self, draws, past, shocks, rng):
        again = self.simulate(draws, past.shape[1], rng)
        return np.zeros_like(past), again, self.from_shocks(draws, shocks, rng)

    def average_variance(self, draws, periods):
        return {"s": draws["s"] ** 2 / periods}


@dataclass(frozen=True)
class Uniform(AbstractWeightsPrior):
    """The uniform prior over the simplex, as a user would write it."""

    note: str = ""

    def inputs(self, donors, width):
        return {}

    def build(self, inputs, width):
        raise NotImplementedError

    def sample(self, donors, draws, rng):
        return rng.dirichlet(np.ones(len(donors)), size=draws)

    def log_density(self, weights, donors):
        return np.full(weights.shape[:-1], gammaln(len(donors)))

    def describe(self, donors):
        return f"uniform {self.note}"


class OnlyCreates:
    """A prior on a number that is not registered; only its author can rebuild it."""

    def create_variable(self, name):
        return pm.HalfNormal(name)

    def __repr__(self):
        return "OnlyCreates()"


@dataclass(frozen=True)
class Doubling(White):
    """Its constructor changes what it is given, so each rebuilding is another."""

    size: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "size", 2 * self.size)


@dataclass(frozen=True)
class Hidden(White):
    """A field that the constructor does not take."""

    size: float = field(default=1.0, init=False)


@dataclass(frozen=True)
class Moody(White):
    """A constructor that refuses what it has made itself."""

    size: float = 1.0

    def __post_init__(self):
        if self.size > 1:
            raise RuntimeError("too large")
        object.__setattr__(self, "size", self.size + 1)


OWN = {
    "noise": bs.SyntheticControl(noise=White(s=HalfNormal(2.0), label="pale")),
    "weights": bs.SyntheticControl(weights=Uniform(note="over donors")),
    "both": bs.SyntheticControl(weights=Uniform(), noise=White()),
}
REFUSED = {
    "not registered": (White(s=OnlyCreates()), r"it uses OnlyCreates\(\)"),
    "a changed field": (Doubling(), "its constructors give back another specification"),
    "a field that init does not take": (Hidden(), "rebuilding it raises TypeError"),
    "a refusal": (Moody(), "rebuilding it raises RuntimeError: too large"),
}


@pytest.mark.long
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("model", OWN.values(), ids=OWN)
def test_a_fit_with_a_class_of_ones_own_is_saved_and_loaded(model, suffix, tmp_path):
    fit = light_fit(model=model)
    fit.save(tmp_path / f"fit{suffix}")
    back = bs.load(tmp_path / f"fit{suffix}")
    assert (back.model, back.panel, back.record) == (model, fit.panel, fit.record)
    assert back.idata.identical(fit.idata)


@pytest.mark.parametrize(("noise", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_class_that_could_not_be_rebuilt_is_refused_before_anything_is_written(
    noise, reason, suffix, tmp_path
):
    fit = light_fit(model=bs.SyntheticControl(noise=noise))
    with pytest.raises(LoadError, match=rf"\[L003\] the model must be .*, but {reason}"):
        fit.save(tmp_path / f"fit{suffix}")
    assert not list(tmp_path.iterdir())


def test_the_refusal_keeps_the_error_of_the_constructor(tmp_path):
    fit = light_fit(model=bs.SyntheticControl(noise=Moody()))
    with pytest.raises(LoadError) as refused:
        fit.save(tmp_path / "fit.nc")
    assert isinstance(refused.value.__cause__, RuntimeError)


def test_a_weights_prior_that_is_no_dataclass_is_refused(tmp_path):
    class Plain(AbstractWeightsPrior):
        inputs, build, sample = Uniform.inputs, Uniform.build, Uniform.sample
        log_density = Uniform.log_density

        def describe(self, donors):
            return "plain"

        def __str__(self):
            return "my plain prior"

    fit = light_fit(model=bs.SyntheticControl(weights=Plain()))
    with pytest.raises(
        LoadError, match=r"\[L003\] .* but it uses my plain prior\.\n  Make your own"
    ):
        fit.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


LOAD = "import sys, bayes_synth as bs; print(repr(bs.load(sys.argv[1]).model))"


def fresh(code, path):
    """Run code in a new process that can import this file, and return its output and errors."""
    here = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    tools = f"sys.path.insert(0, {str(Path(__file__).parents[1] / 'tools')!r}); "
    command = [sys.executable, "-c", here + tools + code, str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.long
def test_a_process_without_the_class_is_told_to_define_or_import_it(tmp_path):
    light_fit(model=OWN["noise"]).save(tmp_path / "fit.nc")
    run = fresh(LOAD, tmp_path / "fit.nc")
    assert run.returncode == 1
    assert "[L003] the file's model uses the class 'White' of the module" in run.stderr
    assert "Define or import that class first, then load the file again." in run.stderr


@pytest.mark.long
def test_a_process_that_imported_the_class_loads_the_file(tmp_path):
    light_fit(model=OWN["noise"]).save(tmp_path / "fit.nc")
    run = fresh(f"import {__name__}; {LOAD}", tmp_path / "fit.nc")
    assert run.returncode == 0, run.stderr
    assert "label='pale'" in run.stdout
