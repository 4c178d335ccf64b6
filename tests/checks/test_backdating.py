"""Backdating: windows of the right length, enough to learn from, and a drift is caught."""

import numpy as np
import pytest
from planted import changed, hidden, least_squares, with_tails

from bayes_synth.checks import backdating
from bayes_synth.checks.earlier_starts import earlier_panels, matching_start
from bayes_synth.testing import fake_fit, fake_panel


def earlier(fit):
    return backdating(fit, refit=least_squares)


def drifting(pre=40, post=8, size=0.5):
    """The treated unit leaves its donors by so many sds over the last periods before the start."""
    panel = fake_panel(pre=pre, post=post)
    size *= float(panel.treated_outcome[:pre].std())
    return changed(
        panel, "treated", size * np.clip((np.arange(pre + post) - (pre - post) + 1) / post, 0, 1)
    )


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_a_clean_design_passes(seed):
    assert earlier(fake_fit(panel=fake_panel(pre=40, random_seed=seed))).verdict == "pass"


def test_a_drift_before_the_start_is_caught():
    assert earlier(fake_fit(panel=drifting())).verdict in ("caution", "fail")


def test_an_effect_after_the_start_is_no_effect_before_it():
    assert earlier(fake_fit(panel=fake_panel(pre=40, effect=50.0))).verdict == "pass"


@pytest.mark.parametrize(("pre", "post"), [(40, 8), (19, 12), (10, 1), (12, 30), (90, 15)])
def test_no_window_is_longer_than_the_post_period_or_reaches_the_start(pre, post):
    panel = fake_panel(pre=pre, post=post)
    for placebo in earlier_panels(panel, 5, 5).values():
        assert 1 <= len(placebo.post) <= post
        assert placebo.post[-1] < panel.start
        assert len(placebo.pre) >= max(5, pre // 2)


def test_one_window_has_the_length_of_the_post_period_and_ends_with_the_pre_period():
    panel = fake_panel(pre=41, post=8)
    assert any(
        len(p.post) == 8 and p.post[-1] == panel.pre[-1]
        for p in earlier_panels(panel, 5, 5).values()
    )


def test_starts_are_distinct_and_as_many_as_asked_for():
    assert len(earlier_panels(fake_panel(pre=40), 7, 5)) == 7


def test_a_short_pre_period_is_not_asked():
    check = earlier(fake_fit(panel=fake_panel(pre=5)))
    assert (check.verdict, "5 pre-periods" in check.reason) == ("not applicable", True)


def test_periods_without_an_outcome_count_neither_before_nor_after():
    panel = hidden(fake_panel(pre=20, post=4), 3, 17)
    table = earlier(fake_fit(panel=panel)).table
    row = table.loc[str(panel.pre[16])]
    assert (row["pre"], row["post"]) == (15, 3)


def verdict(*p, late=(), matching=None):
    """The verdict on starts with these tail probabilities; ``matching`` is a start's place."""
    fit = fake_fit(panel=fake_panel(pre=20, post=21 if matching is None else 3))
    rows = list(zip(p, [*late, *[1.0] * (len(p) - len(late))], strict=True))

    def answered(_, cases, **__):
        labels = list(cases)
        assert len(labels) == len(p)
        order = (
            labels if matching is None else arranged(labels, matching_start(fit.panel), matching)
        )
        answers = {label: with_tails(*row) for label, row in zip(order, rows, strict=True)}
        return {label: answers[label] for label in labels}

    return backdating(fit, starts=len(p), ci_prob=0.95, refit=answered).verdict


def arranged(labels, label, place):
    others = [each for each in labels if each != label]
    return [*others[:place], label, *others[place:]]


def test_the_smallest_tail_decides_for_their_number():
    verdicts = [
        verdict(0.02, 1, 1, 1, 1),
        verdict(0.009, 1, 1, 1, 1),
        verdict(0.02, 0.02, 1),
        verdict(0.04, 1),
        verdict(0.02, 1),
    ]
    assert verdicts == ["pass", "caution", "fail", "pass", "caution"]


def test_the_end_counts_for_the_start_as_far_back_as_the_post_period_is_long():
    verdicts = [verdict(1, 1, 1, late=(1, 0.03), matching=place) for place in (0, 1, None)]
    assert verdicts == ["pass", "caution", "pass"]


def test_what_is_asked_of_one_start_is_taken_from_the_others():
    verdicts = [verdict(0.03, late=(1,), matching=place) for place in (0, None)]
    assert verdicts == ["pass", "caution"]


def test_the_end_shows_a_drift_more_than_the_average_does():
    panel = drifting(size=0.03)
    row = earlier(fake_fit(panel=panel)).table.loc[matching_start(panel)]
    assert 0 < row["p_late"] < row["p"]


@pytest.mark.parametrize(("pre", "post", "position"), [(40, 8, 32), (10, 10, 0)])
def test_the_start_that_matches_the_post_period(pre, post, position):
    panel = fake_panel(pre=pre, post=post)
    assert matching_start(panel) == str(panel.pre[position])


def test_a_post_period_longer_than_the_past_matches_no_start():
    assert matching_start(fake_panel(pre=10, post=11)) == ""
