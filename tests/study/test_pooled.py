"""Pooled effects: shrunk where units are alike, kept apart where they differ."""

import numpy as np
import pytest
import xarray as xr
from small_studies import fake_joint

from bayes_synth.errors import ResultError
from bayes_synth.study.pooled import pool


def pooled(truth: np.ndarray, rng: np.random.Generator, draws: int = 200):
    """Independent estimates with sd 1, their draws about them, and what pooling makes of them."""
    count = len(truth)
    covariance = np.eye(count)
    estimate = truth + rng.multivariate_normal(np.zeros(count), covariance)
    errors = rng.multivariate_normal(np.zeros(count), covariance, size=(2, draws))
    average = xr.DataArray(
        estimate - errors,
        dims=("chain", "draw", "treated"),
        coords={"treated": [f"u{k}" for k in range(count)]},
    )
    return estimate, pool(average, np.ones((2, draws)), "sales", rng)


@pytest.mark.parametrize("omega", [0.0, 0.5, 1.0])
def test_pooled_effects_are_closer_to_the_truth_and_their_intervals_hold(omega):
    rng = np.random.default_rng(3)
    own, shrunk, held = [], [], []
    for _ in range(30):
        truth = 2 + omega * rng.standard_normal(10)
        estimate, found = pooled(truth, rng)
        draws = found.units.draws
        own.append((estimate - truth) ** 2)
        shrunk.append((draws.mean(("chain", "draw")).to_numpy() - truth) ** 2)
        low, high = found.units.interval(0.95).transpose("ci_bound", ...).to_numpy()
        held.append((low <= truth) & (truth <= high))
    ratio = np.sqrt(np.mean(shrunk) / np.mean(own))
    assert ratio < {0.0: 0.5, 0.5: 0.8, 1.0: 0.97}[omega]
    assert np.mean(held) > 0.91


def test_far_apart_units_are_hardly_pooled():
    estimate, found = pooled(np.array([-30.0, -10.0, 0.0, 10.0, 30.0]), np.random.default_rng(1))
    middle = found.units.draws.median(("chain", "draw"))
    # The prior's scale is one standard error, so a tenth of the distance remains a lot.
    assert np.abs(middle - estimate).max() < 3


def test_what_pooling_says_and_refuses():
    joint = fake_joint({"u00": 2010, "u01": 2012, "u02": 2012})
    found = joint.pooled()
    assert "the prior decides" in repr(found)
    assert 0 < found.prior_influence < 1.5
    assert list(found.to_frame().index) == ["u00", "u01", "u02"]
    again = joint.pooled()
    np.testing.assert_array_equal(found.mean.draws, again.mean.draws)
    for options in ({"prior_sd": 0.0}, {"prior_sd": -1.0}, {"prior_sd": np.inf}):
        with pytest.raises(ResultError, match="R054"):
            joint.pooled(**options)
    with pytest.raises(ResultError, match="R054"):
        joint.keep("u00").pooled()
