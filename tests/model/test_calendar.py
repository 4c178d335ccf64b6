"""Calendars: their columns, what they refuse, and fits that have one."""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.errors import (
    ConvergenceWarning,
    DesignError,
    DesignWarning,
    OptionError,
    ResultError,
)
from bayes_synth.fitting.calendar_choice import likely_calendar, period_density
from bayes_synth.model.calendar import columns_of
from bayes_synth.model.calendar.base import contrasts
from bayes_synth.model.problem import Problem
from bayes_synth.results.seasons import seasonal_remark
from bayes_synth.testing import fake_fit

DAYS = pd.date_range("2024-01-01", periods=70, freq="D")
MONTHS = pd.date_range("2018-01-01", periods=72, freq="MS")
WEEKEND = np.array([0, 0, 0, 0, 2, 5, 4.0])


pytestmark = pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")


def frame(seed=1, pattern=WEEKEND, lift=3.0, donors=6):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((len(DAYS), 2)).cumsum(0)
    series = 50 + common @ rng.uniform(0.5, 1.5, (2, donors))
    series += 0.4 * rng.standard_normal(series.shape)
    wide = pd.DataFrame(series, DAYS, [f"d{j}" for j in range(donors)])
    wide["test"] = wide.iloc[:, :3].mean(axis=1) + 0.3 * rng.standard_normal(len(DAYS))
    wide["test"] += pattern[DAYS.day_of_week]
    wide.loc["2024-03-01":, "test"] += lift
    return wide


@pytest.fixture(scope="module")
def panel():
    return bs.Panel.from_wide(frame(), treated="test", start="2024-03-01")


@pytest.fixture(scope="module")
def fit(panel):
    model = bs.SyntheticControl(calendar=bs.calendar.DayOfWeek(), calibrate=False)
    return model.fit(panel, draws=700, tune=300, chains=2, random_seed=1, progressbar=False)


@pytest.mark.parametrize("count", [2, 7, 12])
def test_contrasts_sum_to_zero_and_treat_all_names_alike(count):
    covariance = contrasts(count) @ contrasts(count).T
    np.testing.assert_allclose(contrasts(count).sum(0), 0, atol=1e-12)
    np.testing.assert_allclose(np.diag(covariance), 1)
    np.testing.assert_allclose(covariance[~np.eye(count, dtype=bool)], -1 / (count - 1))


@pytest.mark.parametrize(
    ("calendar", "times", "names"),
    [
        (bs.calendar.DayOfWeek(), DAYS, 7),
        (bs.calendar.MonthOfYear(), MONTHS, 12),
        (bs.calendar.Fourier("365.25D", harmonics=3), MONTHS, 6),
        (bs.calendar.Fourier(7, harmonics=1), pd.RangeIndex(70), 2),
        (bs.calendar.Events({"fair": ["2024-01-05", "2024-01-06"], "strike": "2024-02"}), DAYS, 2),
    ],
    ids=["days", "months", "year", "numbers", "events"],
)
def test_a_longer_axis_begins_with_the_rows_of_a_shorter_one(calendar, times, names):
    short, long = (columns_of([calendar], times[:size]) for size in (len(times) - 7, len(times)))
    assert len(long.labels) == names
    np.testing.assert_array_equal(short.loadings, long.loadings[: len(times) - 7])


def test_events_take_dates_months_frames_and_numbers():
    frame = pd.DataFrame(
        {
            "event": ["a", "a", "b"],
            "time": pd.to_datetime(["2024-01-02", "2024-01-09", "2024-01-03"]),
        }
    )
    from_frame = bs.calendar.Events(frame)
    from_mapping = bs.calendar.Events({"a": ["2024-01-02", "2024-01-09"], "b": ["2024-01-03"]})
    np.testing.assert_array_equal(from_frame.loadings(DAYS), from_mapping.loadings(DAYS))
    assert bs.calendar.Events({"may": "2024-02"}).loadings(DAYS).to_numpy().sum() == 29
    assert bs.calendar.Events({"x": [3, 5]}).loadings(pd.RangeIndex(9)).to_numpy().sum() == 2


REFUSED = [
    (lambda: bs.calendar.DayOfWeek(sd=0), "O090"),
    (lambda: bs.calendar.MonthOfYear(sd=np.inf), "O090"),
    (lambda: bs.calendar.Fourier("-3D"), "O090"),
    (lambda: bs.calendar.Fourier("a year"), "O090"),
    (lambda: bs.calendar.Fourier(12, harmonics=0), "O010"),
    (lambda: bs.calendar.DayOfWeek().loadings(MONTHS), "O091"),
    (lambda: bs.calendar.DayOfWeek().loadings(pd.RangeIndex(9)), "O091"),
    (lambda: bs.calendar.MonthOfYear().loadings(DAYS[:20]), "O091"),
    (lambda: bs.calendar.Fourier(7).loadings(DAYS), "O091"),
    (lambda: bs.calendar.Fourier("7D").loadings(pd.RangeIndex(9)), "O091"),
    (lambda: bs.calendar.Events({"fair": ["2030-01-01"]}).loadings(DAYS), "O091"),
    (lambda: columns_of([bs.calendar.DayOfWeek(), bs.calendar.DayOfWeek()], DAYS), "O092"),
    (lambda: bs.calendar.Events({}), "O093"),
    (lambda: bs.calendar.Events({"fair": []}), "O093"),
    (lambda: bs.calendar.Events(pd.DataFrame({"day": []})), "O093"),
    (lambda: bs.SyntheticControl(calendar="weekly"), "O001"),
    (lambda: bs.SyntheticControl(calendar=[7]), "O001"),
]


@pytest.mark.parametrize(("make", "code"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_calendars_that_make_no_sense_are_refused(make, code):
    with pytest.raises(OptionError) as caught:
        make()
    assert caught.value.code == code


def test_an_event_on_a_date_that_is_none_is_refused():
    with pytest.raises(DesignError, match="calendar event 'fair'"):
        bs.calendar.Events({"fair": ["Easter"]}).loadings(DAYS)


def test_the_pattern_and_the_effect_are_found(fit):
    found = fit.idata["posterior"]["seasonal"].mean(("chain", "draw")).to_pandas()
    expected = WEEKEND - WEEKEND.mean()
    assert next(iter(found.index)) == "Monday"
    np.testing.assert_allclose(found, expected, atol=0.6)
    lower, upper = fit.effect("average").interval(0.95).to_numpy()
    assert lower < 3 < upper
    assert upper - lower < 2


def test_deviations_of_a_week_sum_to_zero_in_every_draw(fit):
    np.testing.assert_allclose(fit.idata["posterior"]["seasonal"].sum("calendar"), 0, atol=1e-9)


def test_headline_priors_and_methods_name_the_calendar(fit):
    assert "deviations by day of week" in repr(fit)
    assert "day of week" in fit.model.priors(fit.panel)
    assert "day of week" in fit.methods_text()


@pytest.mark.long
def test_a_fit_with_a_calendar_can_be_saved_and_loaded(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert loaded.model == fit.model
    assert loaded.effect("average").interval().equals(fit.effect("average").interval())
    assert loaded.fit_verdict == fit.fit_verdict


def test_donors_are_refitted_with_the_same_columns(panel):
    problem = Problem.of(bs.SyntheticControl(calendar=[bs.calendar.DayOfWeek()]), panel)
    assert problem.as_if_treated(["d0"]).calendar is problem.calendar


def test_the_order_of_donors_does_not_matter(panel):
    model = bs.SyntheticControl(calendar=bs.calendar.DayOfWeek(), calibrate=False)
    options = {"draws": 50, "tune": 50, "chains": 2, "random_seed": 1, "progressbar": False}
    shuffled = bs.Panel.from_wide(frame().iloc[:, ::-1], treated="test", start="2024-03-01")
    with pytest.warns(ConvergenceWarning, match="S003"):
        one, other = (model.fit(which, **options) for which in (panel, shuffled))
    assert one.idata["effects"].equals(other.idata["effects"])


def test_without_a_calendar_the_fit_warns_of_the_pattern(panel):
    with pytest.warns(DesignWarning, match=r"V056.*day of the week"):
        bs.SyntheticControl(calibrate=False).fit(
            panel, draws=700, tune=300, chains=2, random_seed=1, progressbar=False
        )


def test_an_event_after_start_only_keeps_its_prior(panel):
    events = bs.calendar.Events({"fair": ["2024-03-05"]}, sd=0.7)
    model = bs.SyntheticControl(calendar=[bs.calendar.DayOfWeek(), events], calibrate=False)
    with pytest.warns(DesignWarning, match=r"V057.*fair"):
        fit = model.fit(panel, draws=500, tune=200, chains=2, random_seed=1, progressbar=False)
    drawn = fit.idata["posterior"]["seasonal"].sel(calendar="fair") / fit.problem.inputs.step
    assert float(drawn.std()) == pytest.approx(0.7, rel=0.1)


NOISE = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("times", "season", "found"),
    [
        (DAYS, 3.0 * (DAYS.day_of_week == 6), True),
        (DAYS, np.zeros(len(DAYS)), False),
        (MONTHS, 3.0 * (MONTHS.month == 12), True),
        (pd.date_range("2010-01-01", periods=40, freq="QS"), np.tile([0, 0, 0, 3.0], 10), True),
        (pd.RangeIndex(70), np.tile([0, 0, 0, 0, 0, 3, 3.0], 10), False),
        (DAYS[:10], np.arange(10.0), False),
    ],
    ids=["days", "none", "months", "quarters", "numbers", "short"],
)
def test_a_remark_is_made_where_the_gap_follows_the_calendar(times, season, found):
    gap = (
        season
        + 0.5 * NOISE.standard_normal(len(times))
        + 0.1 * NOISE.standard_normal(len(times)).cumsum()
    )
    assert bool(seasonal_remark(gap, times, "sales")) == found


def test_walks_without_a_season_are_hardly_ever_remarked_on():
    rng = np.random.default_rng(11)
    made = [
        bool(
            seasonal_remark(
                rng.standard_normal(91).cumsum(), pd.date_range("2024-01-01", periods=91), "x"
            )
        )
        for _ in range(400)
    ]
    assert np.mean(made) < 0.02


def test_the_likely_calendar_follows_from_the_times():
    assert likely_calendar(DAYS) == bs.calendar.DayOfWeek()
    assert likely_calendar(MONTHS) == bs.calendar.MonthOfYear()
    assert likely_calendar(pd.date_range("2000", periods=9, freq="YS")) is None
    assert likely_calendar(pd.date_range("2000", periods=9, freq="W")) is None
    assert likely_calendar(pd.RangeIndex(9)) is None


def test_the_period_density_is_the_normal_one():
    table = pd.DataFrame(
        {"error": [1.0], "deviation": [2.0], "sd": [1.5], "deviation_sd": [2.5], "step": [2.0]}
    )
    variance = (1.5**2 + 2.5**2) / 4
    expected = -0.5 * (np.log(2 * np.pi * variance) + (5 / 4) / variance)
    assert float(period_density(table).iloc[0]) == pytest.approx(expected)


@pytest.mark.long
def test_auto_keeps_the_calendar_that_donors_have_too():
    """Every unit has a pattern of its own, so the donors' forecasts want it."""
    rng, wide = np.random.default_rng(3), frame(pattern=np.zeros(7), lift=0.0, donors=8)
    for name in wide:
        wide[name] += rng.normal(0, 3, 7)[DAYS.day_of_week]
    panel = bs.Panel.from_wide(wide, treated="test", start="2024-03-01")
    fit = bs.SyntheticControl(calendar="auto").fit(panel, random_seed=1, progressbar=False)
    assert fit.model.calendars == (bs.calendar.DayOfWeek(),)
    assert "chosen" in repr(fit)
    assert fit.idata["calendar_scores"]["chosen"].to_numpy().tolist() == [0, 1]


def test_the_deviations_can_be_plotted(fit):
    canvas = bs.plots.plot_calendar(fit, backend="none", labels={"effect": "own word"})
    assert canvas is not None
    with pytest.raises(ResultError, match=r"R047.*must have a calendar"):
        bs.plots.plot_calendar(fake_fit(), backend="none")
