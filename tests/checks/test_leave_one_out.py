"""Leave one out: catches a donor that alone makes the effect, and lets a clean design pass."""

import numpy as np
from planted import changed, least_squares

from bayes_synth.checks import leave_one_out
from bayes_synth.checks.refits import posterior_sd
from bayes_synth.testing import TRUTH, fake_fit, fake_panel


def left_out(fit, **options):
    return leave_one_out(fit, refit=least_squares, **options)


def redundant(broken=0.0):
    """A panel whose first two donors have twins; the largest one breaks at the start."""
    panel = fake_panel(donors=4, pre=40)
    rng = np.random.default_rng(1)
    for twin, donor in (("donor_02", "donor_00"), ("donor_03", "donor_01")):
        gap = panel.outcomes.sel(unit=donor).to_numpy() - panel.outcomes.sel(unit=twin).to_numpy()
        panel = changed(panel, twin, gap + 0.05 * rng.standard_normal(len(gap)))
    return changed(panel, "donor_00", broken * (panel.times >= panel.start))


def test_a_clean_design_passes():
    assert left_out(fake_fit(panel=redundant())).verdict == "pass"


def test_a_break_in_the_largest_donor_is_caught_and_named():
    check = left_out(fake_fit(panel=redundant(broken=8.0)))
    assert (check.verdict, "donor_00 moves" in check.reason) == ("fail", True)


def test_the_shift_is_in_posterior_sd_of_the_fit():
    fit = fake_fit(panel=redundant(broken=8.0))
    table = left_out(fit).table
    own = float(fit.effect("average").draws.median())
    np.testing.assert_allclose(table["shift"] * posterior_sd(fit), table["median"] - own)


def test_every_donor_with_weight_is_left_out_and_then_the_largest_together():
    table = left_out(fake_fit(panel=redundant())).table
    assert list(table.index) == ["without donor_00", "without donor_01", "without the 2 largest"]
    np.testing.assert_allclose(table["weight"], [*TRUTH, 1.0], atol=0.02)


def test_somebody_always_stays():
    assert list(left_out(fake_fit(panel=fake_panel(donors=2))).table.index) == [
        "without donor_00",
        "without donor_01",
    ]


def test_an_only_donor_cannot_be_left_out():
    fit = fake_fit(panel=fake_panel().keep("donor_00"))
    assert left_out(fit).verdict == "not applicable"


def test_without_donors_of_weight_there_is_nothing_to_hang_on():
    assert left_out(fake_fit(), least=0.99).verdict == "pass"


def test_an_unfinished_round_is_no_pass():
    def interrupted(fit, cases, **_):
        return dict(list(least_squares(fit, cases).items())[:1])

    check = leave_one_out(fake_fit(panel=redundant()), refit=interrupted)
    assert (check.verdict, "only 1 of 3 refits were done" in check.reason) == ("caution", True)


def test_nothing_done_is_said():
    assert leave_one_out(fake_fit(), refit=lambda *_, **__: {}).verdict == "not applicable"


def test_the_sentence_says_how_many_were_left_out_together():
    reason = left_out(fake_fit(panel=redundant())).reason
    assert "without the 2 largest together by" in reason
