"""Two models side by side."""

import numpy as np
import pandas as pd
import pytest
from small_studies import fake_joint

import bayes_synth as bs
from bayes_synth.errors import ResultError
from bayes_synth.results.calibrated import Placebos
from bayes_synth.study.compare import _scores
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


@pytest.fixture(scope="module")
def fits():
    panel = fake_panel(effect=3.0)
    sharp, wide = fake_placebos(panel), fake_placebos(panel, kappa=5.0, random_seed=0)
    return {
        "level": fake_fit(panel=panel, placebos=sharp),
        "iid": fake_fit(
            panel=panel, model=bs.SyntheticControl(noise=bs.noise.IID()), placebos=wide
        ),
        "plain": fake_fit(panel=panel, model=bs.SyntheticControl(calibrate=False)),
    }


def test_models_stand_side_by_side(fits):
    table = bs.compare(fits)
    assert list(table.index) == ["level", "iid", "plain"]
    for name, fit in fits.items():
        effect = fit.effect("average")
        assert table.loc[name, "median"] == pytest.approx(float(effect.draws.median()))
        assert table.loc[name, "converged"] == fit.converged
    assert table.loc["level", "shift"] == 0
    assert table.loc["iid", "covered"] < table.loc["level", "covered"]
    assert "A004" in table.loc["plain", "alarms"]


def test_the_model_that_forecasts_donors_better_has_the_higher_score(fits):
    table = bs.compare(fits)
    assert table.loc["iid", "difference"] < 0
    assert table.loc["level", "difference"] == 0
    assert table.loc["iid", "difference_se"] > 0
    assert np.isnan(table.loc["plain", "log_score"])


def test_no_set_of_a_donor_teaches_the_kappa_that_scores_it():
    panel = fake_panel(effect=3.0)
    placebos = fake_placebos(panel)
    twice = pd.concat([placebos.table] * 2)
    twice.index = [f"{d} (set {k})" for k in (1, 2) for d in panel.donors]
    gaps = pd.concat([placebos.gaps] * 2).set_axis(twice.index, axis=0)
    sets = fake_fit(panel=panel, placebos=Placebos(twice, (), gaps, sets=2))
    known = sets.calibration
    donor = panel.donors[0]
    rest = known.table[~known.table.index.str.startswith(f"{donor} (")]
    row = known.table.iloc[0]
    density = sets.model.calibration.learn(rest).average.log_density(row["z"])
    assert _scores(sets).iloc[0] == pytest.approx(
        density - np.log(abs(row["error"] / row["z"])), rel=1e-9
    )


def test_joint_fits_are_compared(fits):
    joint = fake_joint({"u00": 2010, "u01": 2012})
    table = bs.compare({"a": joint, "b": joint})
    assert (table["shift"] == 0).all()


def test_what_cannot_be_compared(fits):
    joint = fake_joint({"u00": 2010, "u01": 2012})
    other = fake_fit(panel=fake_panel(effect=4.0))
    for wrong in (
        {"a": fits["level"]},
        [fits["level"], fits["iid"]],
        {"a": fits["level"], "b": other},
        {"a": fits["level"], "b": joint},
        {"a": joint, "b": joint.keep("u00")},
    ):
        with pytest.raises(ResultError, match="R056"):
            bs.compare(wrong)
