"""What users of other libraries ran into, as tests of this one; one function per recorded bug.

Covered elsewhere: results that depend on the order of donors or rows (mlsynth 573, augsynth 55),
another unit of measurement (CausalPy 887, 976), seeds (tfcausalimpact 90) and the caller's frame in
``test_invariance.py`` and ``test_panel.py``; misspelled donors, a treated unit among the donors and
a copy of it, repeated rows and missing outcomes (CausalPy 1.7 of the survey; synth_runner 9 and
15) in ``test_panel.py``, ``test_remarks.py`` and by the fuzzer; intervals that leave the noise out
(CausalPy 294) in ``test_exact_posterior.py``; the treated unit outside its donors' range (CausalPy
255, 598) in ``test_remarks.py``; saving (CausalPy 405) in ``test_save.py``; polars (CausalPy 1089)
in ``test_panel.py``.
"""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.api import Fit
from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, PanelError
from bayes_synth.testing import fake_fit, fake_panel


def table(panel: Panel) -> pd.DataFrame:
    return panel.outcomes.to_pandas()


def read(frame: pd.DataFrame, start=2020, **options) -> Panel:
    return Panel.from_wide(
        frame, **({"treated": "treated", "start": start, "outcome": "sales"} | options)
    )


def test_rows_in_the_order_of_the_file_give_the_same_cumulative_effect(fake: Fit):
    """CausalPy 1018 and 1019: an unsorted index was cumulated in the order of the file."""
    again = fake_fit(panel=read(table(fake.panel).iloc[::-1]))
    np.testing.assert_array_equal(again.effect("total").draws, fake.effect("total").draws)


def test_a_start_beyond_the_data_is_no_silent_fit_without_post_period(panel):
    """CausalPy: a treatment time beyond the index was accepted silently."""
    with pytest.raises(
        DesignError, match=r"\[D002\] start=2100 lies outside the times, 2000 to 2027"
    ):
        read(table(panel), start=2100)


def test_a_panel_without_pre_periods_is_refused_in_words(panel):
    """CausalPy: no pre-period ended in 'cannot reshape array of size 0'."""
    with pytest.raises(DesignError, match=r"\[D004\] 0 periods before start=2000; at least 3"):
        read(table(panel), start=2000)


@pytest.mark.parametrize(
    "place", [("donor_03", 2005), ("donor_03", 2025), ("treated", 2005), ("treated", 2025)]
)
def test_a_gap_anywhere_is_named_with_its_unit(panel, place):
    """CausalPy, bsts-causalimpact 13, SyntheticControlMethods 7: NaN was masked, counted as zero,
    or an internal error.
    """
    frame = table(panel)
    frame.loc[place[1], place[0]] = np.nan
    with pytest.raises(
        PanelError,
        match=rf"\[P025\] 1 of 7 units have missing outcomes: {place[0]} \(1 of 28 times\)",
    ):
        read(frame)


def test_one_treated_unit_may_be_given_as_text(panel):
    """CausalPy: treated_units="actual" ended in 'different number of dimensions'."""
    assert read(table(panel), treated="treated") == read(table(panel), treated=["treated"])


def test_a_model_can_be_used_twice(panel):
    """CausalPy: the same model twice ended in 'Duplicate and incompatible coordinate: obs_ind'."""
    model = bs.SyntheticControl(calibrate=False)
    first, second = (model.build(which) for which in (panel, fake_panel(pre=12, donors=4)))
    assert first is not second


def test_a_number_as_start_of_dates_says_how_to_write_one():
    """CausalPy: the message for a mismatch of index and treatment time was the wrong way round."""
    with pytest.raises(
        DesignError,
        match=r"\[D001\] start=2024 does not fit the time axis; write it like '2024-01-01'",
    ):
        read(table(fake_panel(dates=True)), start=2024)
    with pytest.raises(
        DesignError, match=r"\[D001\].*does not fit the time axis; write it like 2000"
    ):
        read(table(fake_panel()), start=pd.Timestamp("2020-01-01"))


def test_the_frames_index_keeps_its_name(panel):
    """CausalPy: the user's index was renamed to obs_ind."""
    frame = table(panel).rename_axis(index="week", columns="market")
    read(frame)
    assert (frame.index.name, frame.columns.name) == ("week", "market")


def test_cumulative_is_the_mean_times_the_number_of_periods(fake: Fit):
    """Survey 18.6: mean and cumulative effects that do not fit each other."""
    total = fake.effect("average").draws * len(fake.panel.post)
    np.testing.assert_allclose(fake.effect("total").draws, total, rtol=1e-12)


def test_the_relative_effect_is_a_ratio_of_sums(fake: Fit):
    """Survey 18.6: percentages of single periods were added up."""
    total = fake.idata["predictions"]["counterfactual"].sum("time")
    np.testing.assert_allclose(
        fake.effect("relative").draws, fake.effect("total").draws / total, rtol=1e-12
    )


def test_the_summarys_interval_is_that_of_the_effect(fake: Fit):
    """CausalPy 532: a column named after one probability held the bound of another."""
    row, bounds = fake.summary(ci_prob=0.8).loc["average"], fake.effect().interval(0.8)
    assert (row["lower"], row["upper"]) == tuple(bounds.to_numpy())
    assert row["ci_prob"] == 0.8


def test_the_start_counts_as_treated_once(panel):
    """Survey 18.6: the treatment period stood in both windows."""
    assert list(panel.pre.append(panel.post)) == list(panel.times)
    assert panel.post[0] == panel.start


@pytest.mark.parametrize("sign", [-1, 1])
def test_interval_and_probability_cannot_contradict_each_other(sign):
    """GeoLift 122 and 123: a positive lift with a negative interval, a p-value that denied it."""
    effect = fake_fit(panel=fake_panel(effect=3.0 * sign)).effect()
    lower, upper = effect.interval(0.9).to_numpy()
    assert lower < float(effect.draws.median()) < upper
    assert (lower > 0) == (effect.probability(below=0) < 0.05)
    assert (upper < 0) == (effect.probability(above=0) < 0.05)


def test_no_effect_is_not_found_with_certainty():
    """Jamalsenouci's causalimpact 49: p = 0 although there was no effect."""
    assert 0.02 < fake_fit(panel=fake_panel()).effect().probability(above=0) < 0.98


def test_the_treated_unit_leaves_the_pools_of_placebos(panel):
    """SyntheticControlMethods 5: the treated unit served as donor of the placebos."""
    assert "treated" not in panel.as_if_treated("donor_02").outcomes["unit"].values


def test_a_placebo_in_time_with_too_short_a_past_is_refused(panel):
    """CausalPy 875: folds with too few pre-periods gave spurious verdicts."""
    with pytest.raises(DesignError, match=r"\[D004\] 2 periods before start=2002"):
        panel.backdate(2002)


def test_an_unfinished_week_is_noticed(panel):
    """CausalImpact (R) 32: irregular times crashed far from their cause."""
    with pytest.warns(UserWarning, match=r"\[P029\].*after 2004 comes 2006"):
        read(table(panel).drop(index=2005))


def test_a_single_donor_is_a_design():
    """Survey 18.6: one donor ended in errors of shape."""
    assert read(table(fake_panel())[["donor_00", "treated"]]).donors == ("donor_00",)


def test_a_single_post_period_is_a_design():
    """Survey 18.6: one post-period lost a dimension on the way."""
    fit = fake_fit(panel=fake_panel(post=1, effect=3.0))
    np.testing.assert_allclose(
        fit.effect("pointwise").draws.isel(time=0), fit.effect("average").draws
    )
