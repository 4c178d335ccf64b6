"""Backdating: windows of the right length, enough to learn from, and a drift before the start is caught."""

import sys

import numpy as np
import pandas as pd
import pytest
from planted import changed, hidden, least_squares

from bayes_synth.checks import backdating
from bayes_synth.checks._backdating import _matching, _verdict, earlier
from bayes_synth.testing import fake_fit, fake_panel


@pytest.fixture(autouse=True)
def _without_sampling(monkeypatch):
    monkeypatch.setattr(sys.modules["bayes_synth.checks.backdating"], "refits", least_squares)


def drifting(pre=40, post=8, size=0.5):
    """The treated unit leaves its donors over the post-period's length before the start, by so many pre-period sds."""
    panel = fake_panel(pre=pre, post=post)
    size *= float(panel.treated_outcome[:pre].std())
    return changed(
        panel, "treated", size * np.clip((np.arange(pre + post) - (pre - post) + 1) / post, 0, 1)
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_design_passes(seed):
    assert backdating(fake_fit(panel=fake_panel(pre=40, random_seed=seed))).verdict == "pass"


def test_a_drift_before_the_start_is_caught():
    assert backdating(fake_fit(panel=drifting())).verdict in ("caution", "fail")


def test_an_effect_after_the_start_is_no_effect_before_it():
    assert backdating(fake_fit(panel=fake_panel(pre=40, effect=50.0))).verdict == "pass"


@pytest.mark.parametrize(("pre", "post"), [(40, 8), (19, 12), (10, 1), (12, 30), (90, 15)])
def test_no_window_is_longer_than_the_post_period_or_reaches_the_start(pre, post):
    panel = fake_panel(pre=pre, post=post)
    for placebo in earlier(panel, 5, 5).values():
        assert 1 <= len(placebo.post) <= post
        assert placebo.post[-1] < panel.start
        assert len(placebo.pre) >= max(5, pre // 2)


def test_one_window_has_the_length_of_the_post_period_and_ends_with_the_pre_period():
    panel = fake_panel(pre=41, post=8)
    assert any(
        len(p.post) == 8 and p.post[-1] == panel.pre[-1] for p in earlier(panel, 5, 5).values()
    )


def test_starts_are_distinct_and_as_many_as_asked_for():
    assert len(earlier(fake_panel(pre=40), 7, 5)) == 7


def test_a_short_pre_period_is_not_asked():
    check = backdating(fake_fit(panel=fake_panel(pre=5)))
    assert (check.verdict, "5 pre-periods" in check.reason) == ("not applicable", True)


def test_periods_without_an_outcome_count_neither_before_nor_after():
    panel = hidden(fake_panel(pre=20, post=4), 3, 17)
    table = backdating(fake_fit(panel=panel)).table
    row = table.loc[str(panel.pre[16])]
    assert (row["pre"], row["post"]) == (15, 3)


def _of(*p, late=(), matching=""):
    table = pd.DataFrame(
        {"p": p, "p_late": [*late, *[1.0] * (len(p) - len(late))]}, index=[*"abcde"[: len(p)]]
    )
    return _verdict(table, matching, 0.95)


def test_the_smallest_tail_decides_for_their_number():
    found = [
        _of(0.02, 1, 1, 1, 1),
        _of(0.009, 1, 1, 1, 1),
        _of(0.02, 0.02, 1),
        _of(0.04, 1),
        _of(0.02, 1),
    ]
    assert found == ["pass", "caution", "fail", "pass", "caution"]


def test_the_end_counts_for_the_start_as_far_back_as_the_post_period_is_long():
    assert [_of(1, 1, 1, late=(1, 0.03), matching=each) for each in "abz"] == [
        "pass",
        "caution",
        "pass",
    ]


def test_what_is_asked_of_one_start_is_taken_from_the_others():
    assert [_of(0.03, late=(1,), matching=each) for each in "az"] == ["pass", "caution"]


def test_the_end_shows_a_drift_more_than_the_average_does():
    panel = drifting(size=0.03)
    row = backdating(fake_fit(panel=panel)).table.loc[_matching(panel)]
    assert 0 < row["p_late"] < row["p"]


@pytest.mark.parametrize(("pre", "post", "position"), [(40, 8, 32), (10, 10, 0)])
def test_the_start_that_matches_the_post_period(pre, post, position):
    panel = fake_panel(pre=pre, post=post)
    assert _matching(panel) == str(panel.pre[position])


def test_a_post_period_longer_than_the_past_matches_no_start():
    assert _matching(fake_panel(pre=10, post=11)) == ""
