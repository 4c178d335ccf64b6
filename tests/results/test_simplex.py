"""Simplex least squares against published and independent answers; the core and the projection."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayes_synth.data.panel import Panel
from bayes_synth.results.simplex import core_donors, project, simplex_least_squares

NAMES = {
    "prop99": ({"unit": "state", "time": "year", "outcome": "cigsale"}, "California", 1989),
    "germany": ({"unit": "country", "time": "year", "outcome": "gdp"}, "West Germany", 1990),
    "basque": (
        {"unit": "regionname", "time": "year", "outcome": "gdpcap"},
        "Basque Country (Pais Vasco)",
        1975,
    ),
    "geolift_test": (
        {"unit": "location", "time": "date", "outcome": "Y"},
        ["chicago", "portland"],
        "2021-04-01",
    ),
}
WEIGHTS = {
    ("prop99", False): {
        "Utah": 0.3939, "Montana": 0.2318, "Nevada": 0.2049, "Connecticut": 0.1091,
        "New Hampshire": 0.0454, "Colorado": 0.0148,
    },
    ("germany", False): {
        "USA": 0.3426, "Austria": 0.3232, "Switzerland": 0.1079, "Greece": 0.0988,
        "Italy": 0.0612, "France": 0.0385, "Norway": 0.0277,
    },
    ("basque", False): {
        "Cataluna": 0.8264, "Madrid (Comunidad De)": 0.1683, "Principado De Asturias": 0.0052,
    },
    ("basque", True): {
        "Cataluna": 0.5605, "Rioja (La)": 0.2792, "Principado De Asturias": 0.1064,
        "Madrid (Comunidad De)": 0.0539,
    },
}  # fmt: skip
EFFECTS = [
    ("prop99", False, -19.5136, 1e-4), ("germany", False, -1297.5, 0.05),
    ("basque", False, -0.6915, 1e-4), ("prop99", True, -11.109, 1e-3),
    ("germany", True, -1474.5, 0.05), ("basque", True, -0.797, 1e-3),
    ("geolift_test", True, 155.556, 1e-3),
]  # fmt: skip
RNG = np.random.default_rng(8)


@pytest.fixture
def known(public):
    def panel(name: str) -> Panel:
        roles, treated, start = NAMES[name]
        table = public(name)
        return Panel.from_long(
            table[table[roles["unit"]] != "Spain (Espana)"], **roles, treated=treated, start=start
        )

    return panel


def split(panel: Panel):
    past = len(panel.pre)
    treated, donors = panel.treated_outcome.to_numpy(), panel.donor_outcomes.to_numpy()
    return treated[:past], donors[:past], treated[past:], donors[past:]


def average_effect(panel: Panel, level: bool) -> float:
    treated, donors, treated_after, donors_after = split(panel)
    weights = simplex_least_squares(donors, treated, level=level)
    gap = (treated - donors @ weights).mean() if level else 0.0
    return float((treated_after - donors_after @ weights).mean() - gap)


@pytest.mark.parametrize(("name", "level"), WEIGHTS)
def test_weights_of_public_panels_are_the_known_ones(known, name, level):
    panel = known(name)
    treated, donors, _, _ = split(panel)
    weights = dict(
        zip(panel.donors, simplex_least_squares(donors, treated, level=level), strict=True)
    )
    rounded = {label: round(weight, 4) for label, weight in weights.items() if weight > 5e-5}
    assert rounded == pytest.approx(WEIGHTS[name, level], abs=1.01e-4)


@pytest.mark.parametrize(("name", "level", "expected", "tolerance"), EFFECTS)
def test_effects_of_public_panels_are_the_known_ones(known, name, level, expected, tolerance):
    assert average_effect(known(name), level) == pytest.approx(expected, abs=tolerance)


def test_the_lift_of_the_geo_test_is_the_known_one(known):
    panel = known("geolift_test")
    effect = average_effect(panel, level=True)
    assert effect / (split(panel)[2].mean() - effect) == pytest.approx(0.054, abs=5e-4)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    periods, donors = draw(st.integers(2, 12)), draw(st.integers(1, 15))
    series = draw(st.sampled_from([0.0, 100.0])) + rng.standard_normal((periods, donors))
    return (
        series * draw(st.sampled_from([1e-4, 1.0, 1e6])),
        rng.standard_normal(periods),
        draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(problems())
def test_weights_lie_on_the_simplex(problem):
    donors, target, level = problem
    weights = simplex_least_squares(donors, target, level=level)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(problems())
def test_no_donor_could_lower_the_misfit(problem):
    """Optimality on the simplex: the misfit falls along no edge (Karush-Kuhn-Tucker)."""
    donors, target, level = problem
    weights = simplex_least_squares(donors, target, level=level)
    gaps = donors - target[:, None]
    gaps = gaps - gaps.mean(0) * level
    slope = gaps.T @ (gaps @ weights)
    assert (slope - weights @ slope).min() >= -1e-7 * np.abs(gaps).max() ** 2


def test_an_exact_combination_is_found():
    donors = RNG.standard_normal((20, 6))
    truth = np.array([0.5, 0, 0.3, 0, 0.2, 0])
    np.testing.assert_allclose(simplex_least_squares(donors, donors @ truth), truth, atol=1e-8)


def test_a_level_is_fitted_only_when_asked_for():
    donors = RNG.standard_normal((20, 4))
    truth = np.array([0.7, 0.3, 0, 0])
    shifted = donors @ truth + 5
    np.testing.assert_allclose(simplex_least_squares(donors, shifted, level=True), truth, atol=1e-8)
    assert np.abs(simplex_least_squares(donors, shifted) - truth).max() > 0.1


def test_core_donors_are_the_fewest_that_hold_the_mass_on_average():
    weights = np.array([[0.1, 0.5, 0.4, 0.0], [0.1, 0.3, 0.4, 0.2]])
    chosen, _ = core_donors(weights)
    assert chosen.tolist() == [1, 2]


def test_the_core_has_the_share_of_draws_in_which_it_holds_the_mass():
    weights = np.array(
        [[0.1, 0.5, 0.4, 0.0], [0.1, 0.3, 0.4, 0.2], [0.0, 0.5, 0.5, 0.0], [0.0, 0.6, 0.3, 0.1]]
    )
    assert core_donors(weights)[1] == pytest.approx(3 / 4)


def test_a_single_donor_is_the_core():
    chosen, probability = core_donors(np.ones((3, 1)))
    assert (chosen.tolist(), probability) == ([0], 1.0)


def test_a_mass_held_exactly_needs_no_further_donor():
    assert len(core_donors(np.tile([0.5, 0.3, 0.2], (4, 1)), mass=0.8)[0]) == 2


def test_a_projection_has_at_most_so_many_donors():
    donors = RNG.standard_normal((30, 9))
    assert len(project(donors, donors.mean(1), most=3).weights) <= 3


def test_a_projection_stops_when_it_is_close():
    donors = RNG.standard_normal((30, 9))
    assert set(project(donors, donors @ np.eye(9)[[2, 7]].T @ [0.6, 0.4], most=5).weights) == {2, 7}


def test_projected_weights_sum_to_one():
    donors = RNG.standard_normal((30, 9))
    assert sum(project(donors, donors.mean(1)).weights.values()) == pytest.approx(1)


def test_the_loss_of_a_projection_is_its_root_mean_square_distance():
    donors = RNG.standard_normal((30, 9))
    target = donors.mean(1)
    projection = project(donors, target, most=3)
    near = sum(weight * donors[:, j] for j, weight in projection.weights.items())
    assert projection.loss == pytest.approx(np.sqrt(np.mean((target - near) ** 2)))


def test_with_a_level_the_loss_leaves_the_mean_out():
    donors = RNG.standard_normal((30, 9))
    target = donors[:, 0] + 4
    assert project(donors, target, level=True).loss == pytest.approx(0, abs=1e-9)


def test_more_donors_never_come_less_close():
    donors = RNG.standard_normal((30, 9))
    losses = [project(donors, donors.mean(1), most=most).loss for most in range(1, 10)]
    assert (np.diff(losses) <= 1e-12).all()
