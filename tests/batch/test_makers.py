"""Lists of tasks that are often wanted."""

from dataclasses import replace

import pytest
from small_batches import PLAIN

import bayes_synth as bs
from bayes_synth import batch
from bayes_synth.errors import DesignError
from bayes_synth.testing import fake_panel


def test_placebos_are_every_donor_as_if_treated(prop99):
    made = batch.placebos(prop99)
    assert [dict(task.labels)["treated"] for task in made] == list(prop99.donors)
    assert made[0].panel == prop99.as_if_treated("Alabama")
    assert made[0].model.calibration is None
    assert (made[0].draws, made[0].tune, made[0].chains) == (400, 300, 2)


def test_smaller_pools_keep_each_donors_prior(prop99):
    whole = bs.priors.Dirichlet(effective_donors=4)
    (task, *_) = batch.leave_one_out(prop99, model=replace(PLAIN, weights=whole))
    assert task.model.weights.alpha(task.panel.donors) == whole.alpha(prop99.donors)


def test_leaving_out_and_backdating(prop99):
    assert {dict(t.labels)["without"]: t.panel for t in batch.leave_one_out(prop99)}[
        "Utah"
    ] == prop99.drop("Utah")
    made = batch.backdates(prop99, periods=(1, 5))
    assert [dict(task.labels)["start"] for task in made] == ["1988", "1984"]
    assert made[1].panel == prop99.backdate(1984)
    with pytest.raises(DesignError, match=r"D002.*between 1 and 19"):
        batch.backdates(prop99, periods=(0, 20))


def test_each_unit_by_itself_on_common_donors(prop99):
    one, other = batch.each_unit(prop99, treated=["Utah", "California"])
    assert (one.panel.treated, other.panel.treated) == (("Utah",), ("California",))
    assert one.panel.donors == other.panel.donors
    assert len(one.panel.donors) == 37
    assert other.model == bs.SyntheticControl()
    with pytest.raises(DesignError, match="D007"):
        batch.each_unit(prop99, treated=["Atlantis"])


def test_placebos_of_several_treated_units_are_refused(prop99):
    pair = replace(prop99, treated=("California", "Utah"))
    with pytest.raises(DesignError, match="D024"):
        batch.placebos(pair)


def test_constant_donors_are_no_placebos():
    panel = fake_panel(donors=4)
    flat = panel.outcomes.copy()
    flat.loc[{"unit": "donor_01"}] = 3.0
    made = batch.placebos(replace(panel, outcomes=flat))
    assert [dict(task.labels)["treated"] for task in made] == ["donor_00", "donor_02", "donor_03"]
