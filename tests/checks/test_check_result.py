"""The type of an answer: verdicts in order, words, and what is refused."""

import pandas as pd
import pytest

from bayes_synth import checks
from bayes_synth.checks.result import Check, Checks, graded
from bayes_synth.errors import OptionError, ResultError
from bayes_synth.testing import fake_fit, fake_panel


def answer(name="x", verdict="pass"):
    return Check(name, "Is it round?", verdict, "It has <4> corners.", pd.DataFrame({"a": [1.0]}))


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.5, "pass"), (0.51, "caution"), (0.9, "caution"), (0.91, "fail")]
)
def test_verdicts_follow_the_thresholds(value, verdict):
    assert graded(value, 0.5, 0.9) == verdict


def test_no_number_is_no_pass():
    assert graded(float("nan"), 0.5, 0.9) == "fail"


def test_the_worst_verdict_stands_for_all():
    assert Checks((answer(), answer(verdict="not applicable"))).verdict == "pass"
    assert Checks((answer(), answer(verdict="caution"))).verdict == "caution"
    assert Checks((answer(verdict="fail"), answer(verdict="caution"))).verdict == "fail"
    assert Checks((answer(verdict="not applicable"),)).verdict == "not applicable"


def test_the_table_has_a_row_per_check_and_the_repr_counts():
    found = Checks((answer(), answer("y", "fail")))
    assert found.table.loc["y", "verdict"] == "fail"
    assert repr(found).startswith("Checks: 1 pass, 1 fail")
    assert "&lt;4&gt;" in found["y"]._repr_html_()
    assert "&lt;4&gt;" in found._repr_html_()
    assert "<div style='text-align:left'>" in found._repr_html_()
    assert [check.name for check in found] == ["x", "y"]


def test_unknown_checks_are_refused(fake):
    with pytest.raises(ResultError, match=r"R005\] name must be that of a check.*got 'z'"):
        _ = Checks((answer(),))["z"]
    with pytest.raises(
        OptionError, match=r"O001\] only must name a check, got 'concentratio'. Did you mean 'conce"
    ):
        checks.run(fake, only=["concentratio"])


def test_a_check_without_a_picture_says_so():
    with pytest.raises(ResultError, match=r"R008\] the check 'x' has no picture \(verdict: pass\)"):
        answer().plot()


def test_two_donors_that_share_the_weight_pass_and_trade(fake):
    found = checks.concentration(fake)
    assert found.verdict == "caution"
    assert "donor_00 0.60" in found.reason
    assert found.table.loc["donor_00", "partner"] == "donor_01"
    assert found.table.loc["donor_00", "correlation"] < -0.9
    assert checks.concentration(fake, caution=0.7).verdict == "pass"
    assert checks.concentration(fake, caution=0.3, fail=0.4).verdict == "fail"
    assert checks.run(fake, only=["concentration"]).table.index.tolist() == ["concentration"]
    assert found.plot(backend="none") is not None


def test_a_single_donor_is_a_caution():
    panel = fake_panel(donors=2).drop("donor_01")
    found = checks.concentration(fake_fit(panel=panel))
    assert found.verdict == "caution"
    assert "donor_00 1.00" in found.reason
