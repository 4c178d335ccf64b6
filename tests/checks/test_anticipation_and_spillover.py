"""Anticipation and spillover: what happens before the start, and without donors that may have been reached."""

import sys

import numpy as np
import pytest
from planted import changed, hidden, least_squares

from bayes_synth.checks import anticipation, spillover
from bayes_synth.checks._anticipation import _by_tail
from bayes_synth.errors import DesignError, PriorError
from bayes_synth.testing import fake_fit, fake_panel


@pytest.fixture(autouse=True)
def _without_sampling(monkeypatch):
    for name in ("anticipation", "spillover"):
        monkeypatch.setattr(sys.modules[f"bayes_synth.checks.{name}"], "refits", least_squares)


def anticipated(size, periods=4):
    panel = fake_panel(pre=40)
    return changed(panel, "treated", size * (np.arange(48) >= 40 - periods))


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_design_passes(seed):
    assert anticipation(fake_fit(panel=fake_panel(pre=40, random_seed=seed))).verdict == "pass"


def test_a_reaction_before_the_start_is_caught():
    check = anticipation(fake_fit(panel=anticipated(3.0)))
    assert (check.verdict, round(check.table["median"]["before"])) == ("fail", 3)


def test_a_late_reaction_is_seen_best_when_as_many_periods_are_asked_about():
    fit = fake_fit(panel=anticipated(0.3, periods=1))
    p = [anticipation(fit, periods=k).table["p"]["before"] for k in (1, 10)]
    assert p[0] < 0.2 < p[1]


def test_the_verdict_follows_the_tail_probability():
    assert [_by_tail(p, 0.05, 0.01) for p in (0.051, 0.05, 0.011, 0.01, 0.0)] == [
        "pass",
        "caution",
        "caution",
        "fail",
        "fail",
    ]


def test_the_effect_from_the_start_on_leaves_the_periods_before_it_out():
    table = anticipation(fake_fit(panel=fake_panel(pre=40, effect=20.0))).table
    np.testing.assert_allclose(table["median"], [0, 20], atol=0.5)


def test_too_few_periods_are_not_asked():
    assert anticipation(fake_fit(panel=fake_panel(pre=5))).verdict == "not applicable"


def test_periods_that_have_no_outcome_cannot_show_a_reaction():
    assert (
        anticipation(fake_fit(panel=hidden(fake_panel(pre=20), 18, 19))).verdict == "not applicable"
    )


@pytest.mark.parametrize("periods", [0, -1, 1.5, True])
def test_a_number_of_periods_that_makes_no_sense_is_refused(periods):
    with pytest.raises(PriorError, match="O010"):
        anticipation(fake_fit(), periods=periods)


# --- spillover -------------------------------------------------------------------------------------------------------


def reached(size):
    """The first donor, with weight 0.6, has a twin without, and is reached by the treatment of the unit."""
    panel = fake_panel(pre=40, effect=10.0)
    gap = (
        panel.outcomes.sel(unit="donor_00").to_numpy()
        - panel.outcomes.sel(unit="donor_02").to_numpy()
    )
    panel = changed(panel, "donor_02", gap + 0.05 * np.random.default_rng(0).standard_normal(48))
    return changed(panel, "donor_00", size * (panel.times >= panel.start))


def test_without_names_nothing_can_be_asked():
    check = spillover(fake_fit())
    assert (check.verdict, "neighbours=[...]" in check.reason) == ("not applicable", True)


def test_an_untouched_neighbour_passes():
    assert spillover(fake_fit(panel=reached(0.0)), ["donor_00"]).verdict == "pass"


@pytest.mark.parametrize(("size", "towards"), [(8.0, "larger"), (-8.0, "smaller")])
def test_an_affected_neighbour_is_caught_with_the_sign_of_its_bias(size, towards):
    check = spillover(fake_fit(panel=reached(size)), "donor_00")
    assert (check.verdict, f"The effect without them is {towards}" in check.reason) == (
        "fail",
        True,
    )


def test_the_shift_is_the_weight_times_the_spillover():
    check = spillover(fake_fit(panel=reached(8.0)), ["donor_00"])
    assert check.table["median"].iloc[0] - 10 == pytest.approx(0, abs=0.5)
    assert check.table["weight"].iloc[0] == pytest.approx(0.6, abs=0.02)


def test_an_unknown_neighbour_is_refused():
    with pytest.raises(DesignError, match="D009"):
        spillover(fake_fit(), ["donor_99"])


def test_neighbours_do_not_contribute_to_kappa(monkeypatch):
    seen = {}

    def spy(fit, cases, **options):
        seen.update(cases)
        return least_squares(fit, cases)

    monkeypatch.setattr(sys.modules["bayes_synth.checks.spillover"], "refits", spy)
    spillover(fake_fit(), ["donor_03", "donor_01"])
    case = seen["without neighbours"]
    assert (case.without, set(case.panel.donors) & set(case.without)) == (
        ("donor_03", "donor_01"),
        set(),
    )
