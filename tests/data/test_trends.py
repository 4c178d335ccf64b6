"""The treated unit's movement before treatment against its donors'."""

import numpy as np
import pandas as pd
import pytest

from bayes_synth.data.panel import Panel
from bayes_synth.data.trends import outside
from bayes_synth.errors import DesignWarning

TIME = np.arange(40)


def growing(rates: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.cumsum(np.random.default_rng(seed).normal(0, 0.2, (40, len(rates))), axis=0)
    return 100 + np.outer(TIME, rates) + noise


@pytest.mark.parametrize("rate", [3.0, -1.5])
def test_the_fastest_and_the_slowest_grower_are_outside(rate):
    donors = growing(np.linspace(0.5, 1.5, 16))
    found = outside(growing(np.array([rate]), 1)[:, 0], donors)
    assert [trend.measure for trend in found] == ["slope", "change"]
    assert all(np.sign(trend.z) == np.sign(rate) for trend in found)


def test_a_unit_among_its_donors_is_not():
    donors = growing(np.linspace(0.5, 1.5, 16))
    assert outside(growing(np.array([1.45]), 1)[:, 0], donors) == []


def test_a_random_unit_of_alike_ones_is_outside_rarely():
    rng = np.random.default_rng(3)
    hits = [bool(outside(x[:, 0], x[:, 1:])) for x in rng.normal(size=(300, 30, 17))]
    assert np.mean(hits) < 0.06


@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e300])
def test_measures_of_any_size_give_the_same_answer(factor):
    donors, own = growing(np.linspace(0.5, 1.5, 16)), growing(np.array([3.0]), 1)[:, 0]
    assert [t.z for t in outside(factor * own, factor * donors)] == pytest.approx(
        [t.z for t in outside(own, donors)]
    )


@pytest.mark.parametrize("shape", [(3, 16), (40, 3)])
def test_too_little_to_compare_with_says_nothing(shape):
    periods, count = shape
    donors = growing(np.linspace(0.5, 1.5, 16))[:periods, :count]
    assert outside(50.0 * TIME[:periods], donors) == []


@pytest.mark.filterwarnings(r"ignore:\[V008\]")
def test_the_panel_remarks_on_it():
    frame = pd.DataFrame(growing(np.linspace(0.5, 1.5, 16))).add_prefix("d")
    frame["own"] = growing(np.array([3.0]), 1)[:, 0]
    with pytest.warns(DesignWarning, match=r"\[D040\] before treatment the treated unit's slope"):
        Panel.from_wide(frame, treated="own", start=30)
