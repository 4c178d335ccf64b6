"""What must be read first about a study."""

import numpy as np
import pandas as pd
import pytest
from small_studies import fake_joint

import bayes_synth as bs
from bayes_synth.study.alarms import miss_together

STARTS = {"u00": 2010, "u01": 2012}


def sets_of(shared: float, donors: int = 12, seed: int = 0) -> pd.DataFrame:
    """Sets of two donors whose errors have this much in common."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(60):
        common = rng.standard_normal()
        z = np.sqrt(1 - shared) * rng.standard_normal(2) + np.sqrt(shared) * common
        score = z.sum() / np.sqrt(2)
        rows += [
            {"set": number, "donor": f"d{(2 * number + k) % donors}", "z": z[k], "score": score}
            for k in range(2)
        ]
    return pd.DataFrame(rows)


def codes(sets: pd.DataFrame) -> list[str]:
    plain = fake_joint(STARTS)
    return [code for code, _ in bs.JointFit(plain.study, plain.fits, sets).alarms]


@pytest.mark.parametrize("shared", [0.0, 0.2, 0.3])
def test_sets_that_miss_apart_raise_nothing(shared):
    assert "R057" not in codes(sets_of(shared))


@pytest.mark.parametrize("shared", [0.8, 0.9, 1.0])
def test_sets_that_miss_together_do(shared):
    sets = sets_of(shared)
    assert miss_together(sets) == pytest.approx(1 + shared, abs=0.15)
    assert codes(sets)[0] == "R057"


@pytest.mark.parametrize("donors", [2, 4])
def test_too_few_donors_are_said(donors):
    assert "A005" in codes(sets_of(0.0, donors))
    assert "A005" not in codes(sets_of(0.0, 12))
