"""An extended fit is the fresh fit of the longer panel, bit for bit, or is refused in words."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, OptionError, ResultError
from bayes_synth.fitting.extend import KNOWN, Posteriors, same_mixture
from bayes_synth.noise import AR1, IID, LocalLevel, LocalLinearTrend
from bayes_synth.results.convergence import uncalibrated
from bayes_synth.testing import fake_fit, fake_panel

pytestmark = pytest.mark.filterwarnings("ignore:.D0:bayes_synth.errors.DesignWarning")
SIZES = {"draws": 800, "tune": 300, "chains": 4, "random_seed": 1, "progressbar": False}
PLAN = bs.Calibration(draws=60, tune=60, most=3)
PLAIN = bs.SyntheticControl(calibrate=False)


def table(**options):
    return fake_panel(donors=5, effect=2.0, **options).outcomes.to_pandas()


def panel(frame, rows, *, treated="treated", start=2020):
    return bs.Panel.from_wide(
        frame.iloc[:rows], treated=treated, start=start, outcome="sales", missing="model"
    )


def both(frame=None, **options):
    """A panel that ends after three post-periods, and the one with all eight."""
    frame = table() if frame is None else frame
    return panel(frame, 23, **options), panel(frame, 28, **options)


def groups(fit):
    return {path: node.to_dataset(inherit=False) for path, node in fit.idata.subtree_with_keys}


def assert_same(one, two):
    ours, theirs = groups(one), groups(two)
    assert list(ours) == list(theirs)
    for path, dataset in ours.items():
        assert dataset.equals(theirs[path]), path
        # A sampler's own statistics carry the time of day.
        assert path == "sample_stats" or dataset.attrs == theirs[path].attrs, path
    pd.testing.assert_frame_equal(one.summary(), two.summary())
    times = {"seconds": 0.0, "compile_seconds": 0.0}
    assert replace(one.record, **times) == replace(two.record, **times)
    assert (one.panel, one.model) == (two.panel, two.model)


def past(fit, periods=3):
    return uncalibrated(fit.idata).isel(time=slice(periods)).to_numpy()


# --- equal to a fresh fit ------------------------------------------------------------------------


CASES = {
    "local level": (PLAIN, {}),
    "calibrated": (bs.SyntheticControl(calibrate=PLAN), {}),
    "trend, log scale": (
        bs.SyntheticControl(noise=LocalLinearTrend(), scale="log", calibrate=PLAN),
        {},
    ),
    "iid, two treated": (
        bs.SyntheticControl(noise=IID(), calibrate=PLAN),
        {"treated": ["treated", "donor_03"]},
    ),
}


@pytest.mark.parametrize(("model", "options"), CASES.values(), ids=CASES.keys())
def test_an_extended_fit_is_the_fresh_one(model, options):
    short, long = both(**options)
    fit = model.fit(short, **SIZES)
    more = fit.extend(long)
    assert_same(more, model.fit(long, **SIZES))
    # Donors' errors over another window may weigh the priors on q otherwise.
    if same_mixture(more.idata, fit.idata):
        weights = [each.idata["posterior"]["weights"] for each in (more, fit)]
        assert np.array_equal(past(more), past(fit))
        assert np.array_equal(*weights)
    assert model.calibration or same_mixture(more.idata, fit.idata)


def with_holes():
    """A treated unit without outcome in two pre-periods, an old and a new post-period."""
    frame = table()
    frame.loc[[2004, 2011, 2021, 2025], "treated"] = np.nan
    return frame


SLOW = {
    "AR(1)": (bs.SyntheticControl(noise=AR1(), calibrate=False), table),
    "Student-t": (
        bs.SyntheticControl(noise=LocalLevel(degrees_of_freedom=4), calibrate=False),
        table,
    ),
    "missing outcomes": (PLAIN, with_holes),
}


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")
@pytest.mark.parametrize(("model", "make"), SLOW.values(), ids=SLOW.keys())
def test_an_extended_fit_by_nuts_is_the_fresh_one(model, make):
    short, long = both(make())
    sizes = SIZES | {"draws": 1000, "tune": 1000, "chains": 2, "target_accept": 0.99}
    fit = model.fit(short, **sizes)
    more = fit.extend(long)
    assert_same(more, model.fit(long, **sizes))
    assert np.array_equal(past(more), past(fit), equal_nan=True)


@pytest.mark.long
def test_the_noise_is_not_chosen_again_and_would_be_chosen_alike():
    short, long = both()
    model = bs.SyntheticControl(noise="auto", calibrate=PLAN)
    more = model.fit(short, **SIZES).extend(long)
    assert "noise_scores" in more.idata.children
    assert_same(more, model.fit(long, **SIZES))


@pytest.fixture(scope="module")
def fit():
    return PLAIN.fit(both()[0], **SIZES)


def test_rows_may_arrive_one_after_the_other(fit):
    frame, more = table(), fit
    for rows in (24, 25, 28):
        more = more.extend(panel(frame, rows))
    assert_same(more, fit.extend(both()[1]))


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".nc", ".zarr.zip"])
def test_a_fit_from_a_file_is_extended_alike(fit, tmp_path, suffix):
    fit.save(tmp_path / f"fit{suffix}")
    loaded = bs.load(tmp_path / f"fit{suffix}")
    assert loaded not in KNOWN
    assert_same(loaded.extend(both()[1]), fit.extend(both()[1]))


def test_dates_are_extended_too():
    frame = fake_panel(donors=5, dates=True).outcomes.to_pandas()
    short, long = both(frame, start="2024-01-21")
    assert_same(PLAIN.fit(short, **SIZES).extend(long), PLAIN.fit(long, **SIZES))


@pytest.mark.long
def test_a_fit_of_a_batch_is_extended_alike():
    short, long = both()
    task = bs.FitTask(short, PLAIN, draws=800, tune=300, chains=4)
    fit = bs.fit_many([task], keep="full", random_seed=1, progressbar=False).fits[0]
    seed = fit.record.settings.random_seed
    fresh = PLAIN.fit(long, **SIZES | {"random_seed": seed, "cores": 1})
    assert_same(fit.extend(long), fresh)


def test_nothing_is_sampled_twice(fit, monkeypatch):
    monkeypatch.setattr("bayes_synth.fitting.extend.sample", None)
    assert len(fit.extend(both()[1]).panel.post) == 8


def test_what_was_sampled_is_given_back_for_the_same_model_data_and_settings_only(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "bayes_synth.fitting.extend.sample",
        lambda *given, partial: asked.append(given) or SimpleNamespace(partial=False),
    )
    posteriors, fit = Posteriors(), fake_fit(panel=both()[0], model=PLAIN)
    settings = fit.record.settings
    for _ in range(2):
        posteriors.sample(fit.problem, settings, 1)
    posteriors.sample(fit.problem, replace(settings, cores=2), 1)
    assert len(asked) == 1
    noise = bs.SyntheticControl(noise=IID(), calibrate=False)
    other = fake_fit(panel=panel(table(pre=21), 24, start=2021), model=PLAIN).problem
    others = [
        (fake_fit(panel=both()[0], model=noise).problem, settings, 1),
        (other, settings, 1),
        (fit.problem, settings.stricter(), 1),
        (fit.problem, settings, 2),
    ]
    for given in others:
        posteriors.sample(*given)
    assert asked[1:] == others


def test_a_panel_without_new_rows_gives_the_fit_itself(fit):
    assert fit.extend(both()[0]) is fit


# --- refused -------------------------------------------------------------------------------------


def changed(cells):
    frame = table()
    for time, unit in cells:
        frame.loc[time, unit] += 1.0
    return panel(frame, 28)


def without(times):
    return panel(table().drop(index=times), 28)


def test_changed_rows_are_refused_with_their_cells(fit):
    was = table()
    for time, unit in [(2003, "donor_02"), (2021, "treated"), (2022, "donor_00")]:
        text = rf"\[R040\].*in 1 cells: {unit} at {time} \({was.loc[time, unit] + 1}, was"
        with pytest.raises(ResultError, match=text):
            fit.extend(changed([(time, unit)]))
    with pytest.raises(ResultError, match=r"\[R040\].*in 6 cells: .* and 1 more"):
        fit.extend(changed([(2000 + t, "donor_01") for t in range(6)]))


@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")
def test_an_outcome_that_is_missing_now_has_changed(fit):
    frame = table()
    frame.loc[2021, "treated"] = np.nan
    with pytest.raises(ResultError, match=r"\[R040\].*treated at 2021 \(nan, was"):
        fit.extend(panel(frame, 28))


def test_another_design_is_refused(fit):
    frame = table()
    cases = {
        "treated=donor_01 instead of treated": panel(frame, 28, treated="donor_01"),
        "start=2019 instead of 2020": panel(frame, 28, start=2019),
        "got no donor donor_00, donor_04": panel(frame, 28).drop(["donor_00", "donor_04"]),
        "got also new": panel(frame.assign(new=frame["donor_01"] + 1.0), 28),
    }
    for text, other in cases.items():
        with pytest.raises(ResultError, match=rf"(?s)\[R041\].*{text}"):
            fit.extend(other)


@pytest.mark.filterwarnings("ignore:.P029:bayes_synth.errors.PanelWarning")
def test_lost_and_early_times_are_refused(fit):
    early = pd.concat([table(), table().loc[[2005]].set_axis([1999])]).sort_index()
    cases = {
        "got it without 2022": panel(table(), 22),
        r"got it without 2007, 2021": without([2007, 2021]),
        "got new ones before its last, 1999": panel(early, 29),
    }
    for text, other in cases.items():
        with pytest.raises(ResultError, match=rf"\[R042\].*{text}"):
            fit.extend(other)


def test_something_else_than_a_panel_is_refused(fit):
    with pytest.raises(OptionError, match=r"\[O001\] panel must be a bs.Panel, got DataFrame"):
        fit.extend(table())


@pytest.mark.parametrize(
    "flaw", [{"divergences": 500}, {"partial": ("interrupted, 100 of 250 draws",)}], ids=str
)
def test_a_fit_that_is_not_in_order_is_refused(flaw):
    partial = flaw.pop("partial", ())
    bad = fake_fit(panel=both()[0], model=PLAIN, **flaw)
    bad = replace(bad, record=replace(bad.record, partial=partial))
    with pytest.raises(ResultError, match=r"\[R043\].*must be complete and converged"):
        bad.extend(both()[1])


def test_draws_that_its_seed_does_not_give_are_refused(fit, tmp_path):
    """As if another machine had made them: the last bit of one weight, of one forecast."""
    for group, name in (("posterior", "weights"), ("predictions", "counterfactual")):
        other = replace(fit, idata=fit.idata.copy(deep=True))
        values = other.idata[group][name].to_numpy()
        values[0, 0, 0] = np.nextafter(values[0, 0, 0], np.inf)
        with pytest.raises(ResultError, match=r"(?s)\[R044\].*got others.*numpy"):
            other.extend(both()[1])


@pytest.mark.long
def test_another_attempt_is_said(fit):
    """As a batch would leave it, whose rule of second attempts is another one."""
    settings = fit.record.settings.stricter()
    attempts = (fit.record.attempts[0]._replace(kept=False), fit.record.attempts[0])
    other = replace(fit, record=replace(fit.record, settings=settings, attempts=attempts))
    with pytest.warns(ConvergenceWarning, match=r"\[R045\].*one attempt where .* a second"):
        more = other.extend(both()[1])
    assert_same(more, fit.extend(both()[1]))
