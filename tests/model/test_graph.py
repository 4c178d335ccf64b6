"""The key under which compiled graphs are shared: it differs whenever the graphs do."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytest

import bayes_synth as bs
from bayes_synth.model.problem import Problem
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.priors import AbstractWeightsPrior, Dirichlet, HalfNormal
from bayes_synth.testing import fake_panel


def structure(weights=None, noise=None, **sizes):
    model = bs.SyntheticControl(
        weights or Dirichlet(), noise=noise or LocalLevel(), calibrate=False
    )
    return Problem.of(model, fake_panel(**sizes)).structure


OTHER_NUMBERS = {
    "prior of s": (LocalLevel(), LocalLevel(s=HalfNormal(3.0))),
    "level": (LocalLevel(), LocalLevel(initial_level=np.inf)),
    "drift": (LocalLinearTrend(), LocalLinearTrend(drift=1.5)),
    "intercept": (IID(), IID(intercept=False)),
    "degrees of freedom": (AR1(degrees_of_freedom=4), AR1(degrees_of_freedom=9)),
}


@pytest.mark.parametrize(("one", "other"), OTHER_NUMBERS.values(), ids=OTHER_NUMBERS)
def test_other_numbers_of_the_noise_share_a_graph(one, other):
    assert structure(noise=one) == structure(noise=other)


def test_other_data_and_another_concentration_share_a_graph():
    assert structure() == structure(random_seed=1, effect=3.0)
    assert structure() == structure(Dirichlet(concentration=0.2))


@pytest.mark.parametrize("noise", [LocalLevel(), LocalLinearTrend(), IID(), AR1()], ids=str)
def test_other_lengths_share_a_graph(noise):
    assert structure(noise=noise) == structure(noise=noise, pre=31, post=3)


def test_student_t_noise_has_a_variable_per_period_and_a_graph_per_length():
    heavy = IID(degrees_of_freedom=4)
    assert structure(noise=heavy) != structure(noise=heavy, pre=31)
    assert structure(noise=heavy) != structure(noise=IID())


def test_other_processes_have_graphs_of_their_own():
    processes = LocalLevel(), LocalLinearTrend(), IID(), AR1()
    assert len({structure(noise=noise) for noise in processes}) == 4


@pytest.mark.parametrize("pre", [8, 16, 20])
@pytest.mark.parametrize("noise", [LocalLevel(), LocalLinearTrend()], ids=["level", "trend"])
def test_widths_differ_also_when_one_equals_the_number_of_periods(noise, pre):
    """Six donors are padded to 8, twelve to 16: the size of an axis does not tell what it is."""
    narrow, wide = (structure(noise=noise, donors=donors, pre=pre) for donors in (6, 12))
    assert narrow != wide
    assert narrow == structure(noise=noise, donors=6, pre=11)
    assert wide == structure(noise=noise, donors=12, pre=11)


class Own:
    """A prior on an sd that the library does not know."""

    def __init__(self, sd):
        self.sd = sd

    def create_variable(self, name):
        import pymc as pm

        return pm.HalfNormal(name, self.sd)


def test_two_foreign_priors_never_share_a_graph():
    one, other = Own(1.0), Own(1.0)
    assert structure(noise=IID(s=one)) == structure(noise=IID(s=one))
    assert structure(noise=IID(s=one)) != structure(noise=IID(s=other))
    assert structure(noise=IID(s=one)) != structure(noise=IID())
    assert structure(noise=IID(s=one)) != structure(noise=LocalLevel(s=one))


@final
@dataclass(frozen=True)
class Powered(AbstractWeightsPrior, data=["shift"]):
    """Weights in proportion to powers of half-normals; ``power`` is part of the graph."""

    power: int = 1
    shift: float = 0.0

    def inputs(self, donors, width) -> dict[str, np.ndarray]:
        return {"shift": np.asarray(self.shift)}

    def build(self, inputs, width) -> Any:
        import pymc as pm

        raw = pm.HalfNormal("raw", 1.0, shape=width) ** self.power + pm.Data("shift", self.shift)
        return pm.Deterministic("weights", raw / raw.sum(), dims="donor")

    def sample(self, donors, draws, rng) -> np.ndarray:
        raw = np.abs(rng.standard_normal((draws, len(donors)))) ** self.power + self.shift
        return raw / raw.sum(1, keepdims=True)

    def log_density(self, weights, donors) -> np.ndarray:
        return np.full(weights.shape[:-1], np.nan)

    def describe(self, donors) -> str:
        return f"half-normals to the power {self.power}"


def test_a_structural_field_of_ones_own_class_tells_graphs_apart():
    assert structure(Powered(1)) != structure(Powered(2))
    assert structure(Powered(1)) != structure()
    assert structure(Powered(1)) == structure(Powered(1, shift=0.5))


@pytest.mark.parametrize("where", [[3], [3, 4], [0]], ids=str)
def test_the_number_of_missing_outcomes_is_part_of_the_graph(where):
    panel = fake_panel()
    table = panel.outcomes.to_pandas()
    table.iloc[where, table.columns.get_loc("treated")] = np.nan
    with pytest.warns(bs.errors.PanelWarning):
        missing = bs.Panel.from_wide(table, treated="treated", start=2020, missing="model")
    model = bs.SyntheticControl(calibrate=False)
    keys = {Problem.of(model, each).structure for each in (panel, missing)}
    assert len(keys) == 2
