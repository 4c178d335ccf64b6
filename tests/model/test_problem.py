"""Donors as if treated: the arrays alone give the problem of the panel in which they are."""

import numpy as np
import pytest
from planted import hidden

import bayes_synth as bs
from bayes_synth.errors import DesignError
from bayes_synth.model.problem import Problem
from bayes_synth.noise import IID, LocalLinearTrend
from bayes_synth.testing import fake_panel

DONORS = (0, 1, 2, 4, 5, 6, 7)
MODELS = {
    "default": bs.SyntheticControl(),
    "log trend": bs.SyntheticControl(noise=LocalLinearTrend(), scale="log"),
    "per donor": bs.SyntheticControl(
        bs.priors.Dirichlet(concentration={f"donor_{j:02d}": 0.5 + j for j in DONORS}),
        noise=IID(),
    ),
}
CHOSEN = {1: ("donor_02",), 2: ("donor_01", "donor_04")}
MISSING = {"complete": (), "missing outcomes": (0, 7, 8, 23)}


def panel_of(treated: int) -> bs.Panel:
    """One treated unit or two, with the same donors."""
    table = fake_panel(donors=8).outcomes.to_pandas()
    units = ["treated", "donor_03"]
    table = table.drop(columns=units[treated:])
    return bs.Panel.from_wide(table, treated=units[:treated], start=2020, outcome="sales")


def assert_same(one: Problem, other: Problem) -> None:
    """Every number of both, bit for bit."""
    assert one.donors == other.donors
    assert one.structure == other.structure
    assert one.names == other.names
    for mine, theirs in (
        (one.arrays, other.arrays),
        (one.inputs._asdict(), other.inputs._asdict()),
        ({"treated": one.treated}, {"treated": other.treated}),
        ({"donors": one.donor_outcomes}, {"donors": other.donor_outcomes}),
    ):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name, strict=True)
    assert (one.regression is None) == (other.regression is None)
    if one.regression is not None and other.regression is not None:
        pairs = zip(leaves(one.regression), leaves(other.regression), strict=True)
        assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def leaves(value):
    return [a for part in value for a in leaves(part)] if isinstance(value, tuple) else [value]


@pytest.mark.parametrize("treated", CHOSEN)
@pytest.mark.parametrize("positions", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_donors_as_if_treated_are_the_problem_of_their_panel(model, positions, treated):
    panel = hidden(panel_of(treated), *positions)
    placebo = Problem.of(model, panel).as_if_treated(CHOSEN[treated])
    as_panel = panel.as_if_treated(CHOSEN[treated])
    assert_same(placebo, Problem.of(model, as_panel, pool=panel.donors))
    assert placebo.panel == as_panel
    assert (placebo.regression is None) == bool(positions)


@pytest.mark.parametrize("treated", CHOSEN)
def test_all_placebos_of_a_panel_share_its_graph(treated):
    problem = Problem.of(bs.SyntheticControl(), panel_of(treated))
    assert problem.as_if_treated(CHOSEN[treated]).structure == problem.structure


def test_a_donor_that_is_constant_before_start_cannot_be_treated():
    table = fake_panel().outcomes.to_pandas().assign(flat=7.0)
    panel = bs.Panel.from_wide(table, treated="treated", start=2020)
    with pytest.raises(DesignError, match="V004"):
        Problem.of(bs.SyntheticControl(), panel).as_if_treated(("flat",))


def test_some_donor_must_be_left():
    panel = fake_panel(donors=2)
    with pytest.raises(DesignError, match="D014"):
        Problem.of(bs.SyntheticControl(), panel).as_if_treated(panel.donors)
