"""Every aggregate is the linear map of cells that it says, and known numbers come out."""

import numpy as np
import pytest
from small_studies import fake_joint, gaps, wide

import bayes_synth as bs
from bayes_synth.errors import DesignError, OptionError, ResultError
from bayes_synth.study.aggregates import aggregate, contrast, until

STARTS = {"u00": 2010, "u01": 2012, "u02": 2012}


@pytest.fixture(scope="module")
def joint():
    return fake_joint(STARTS)


def unit_averages(joint) -> np.ndarray:
    return np.stack([fit.effect("average").draws for fit in joint.fits.values()], axis=-1)


def test_the_three_averages_differ_as_they_say(joint):
    each, counts = unit_averages(joint), np.array([10, 8, 8])
    population = {"u00": 5.0, "u01": 1.0, "u02": 2.0}
    for weights, share in (
        ("unit", np.ones(3) / 3),
        ("cell", counts / 26),
        (population, np.array([5, 1, 2]) / 8),
    ):
        found = joint.effect("average", weights=weights)
        np.testing.assert_allclose(found.draws, each @ share, rtol=1e-12)
    assert "each once" in joint.effect("average").measure
    assert "treated cells" in joint.effect("average", weights="cell").measure
    assert "given weights" in joint.effect("average", weights=population).measure


def test_by_unit_and_by_start(joint):
    each = unit_averages(joint)
    by_unit = joint.effect("average", by="treated").draws
    np.testing.assert_allclose(by_unit, each, rtol=1e-12)
    assert list(by_unit["treated"].to_numpy()) == list(STARTS)
    by_start = joint.effect("average", by="start").draws
    np.testing.assert_allclose(by_start.sel(start=2012), each[..., 1:].mean(-1), rtol=1e-12)
    assert by_start["units"].to_numpy().tolist() == [1, 2]
    assert by_start["cells"].to_numpy().tolist() == [10, 16]


def test_event_time_counts_from_each_units_own_start(joint):
    draws = joint.effect("average", by="event").draws
    assert draws["units"].to_numpy().tolist() == [3] * 8 + [1] * 2
    third = [fit.effect("pointwise").draws.isel(time=3) for fit in joint.fits.values()]
    np.testing.assert_allclose(draws.sel(event=3), sum(np.asarray(t) for t in third) / 3)
    balanced = joint.effect("average", by="event", balanced=7).draws
    assert balanced["units"].to_numpy().tolist() == [3] * 8
    longer = joint.effect("average", by="event", balanced=9).draws
    assert longer["units"].to_numpy().tolist() == [1] * 10


def test_calendar_time(joint):
    draws = joint.effect("average", by="time").draws
    assert draws["time"].to_numpy().tolist() == list(range(2010, 2020))
    assert draws["units"].to_numpy().tolist() == [1, 1] + [3] * 8
    first = joint.fits["u00"].effect("pointwise").draws.sel(time=2011)
    np.testing.assert_allclose(draws.sel(time=2011), first, rtol=1e-12)


def test_sums_add_up(joint):
    total = joint.effect("total").draws
    each = [fit.effect("total").draws for fit in joint.fits.values()]
    np.testing.assert_allclose(total, sum(np.asarray(t) for t in each), rtol=1e-10)
    running = joint.effect("cumulative").draws
    np.testing.assert_allclose(running.isel(event=-1), total, rtol=1e-10)
    dated = joint.effect("cumulative", by="time").draws
    np.testing.assert_allclose(dated.isel(time=-1), total, rtol=1e-10)
    np.testing.assert_allclose(joint.effect("total", by="event").draws.sum("event"), total)
    counterfactual = sum(
        np.asarray(fit.idata["predictions"]["counterfactual"].sum("time"))
        for fit in joint.fits.values()
    )
    relative = joint.effect("relative").draws
    np.testing.assert_allclose(relative, total / np.abs(counterfactual), rtol=1e-10)
    doubled = joint.effect("total", weights=dict.fromkeys(STARTS, 2.0)).draws
    np.testing.assert_allclose(doubled, 2 * total, rtol=1e-10)


def test_missing_outcomes_leave_their_cells_out():
    data = wide()
    data.loc[2013, "u01"] = np.nan
    with pytest.warns(bs.errors.PanelWarning, match="u01"):
        study = bs.Study.from_wide(data, starts=STARTS, missing="model")
    fits = {unit: bs.testing.fake_fit(panel=panel) for unit, panel in study.panels.items()}
    joint = bs.JointFit(study, fits)
    draws = joint.effect("average", by="event").draws
    assert draws["units"].to_numpy().tolist() == [3, 2] + [3] * 6 + [1] * 2
    assert joint.effect("average", by="event", balanced=1).draws["units"].to_numpy().tolist() == [
        2,
        2,
    ]
    assert joint.effect("average", by="treated").draws["cells"].to_numpy().tolist() == [10, 7, 8]


def test_a_contrast_is_the_difference_of_two_averages(joint):
    each = unit_averages(joint)
    effect = joint.contrast("u00", ["u01", "u02"])
    np.testing.assert_allclose(effect.draws, each[..., 0] - each[..., 1:].mean(-1), rtol=1e-10)
    assert effect.name == "average of u00 minus u01, u02"
    opposite = joint.contrast(["u01", "u02"], "u00")
    assert effect.probability(above=0) == opposite.probability(below=0)


def test_bands_and_tables_of_effects_by_another_dim(joint):
    effect = joint.effect("average", by="event")
    band = effect.band(0.9)
    assert band.dims == ("event", "ci_bound")
    inside = ((effect.draws >= band[:, 0]) & (effect.draws <= band[:, 1])).all("event").mean()
    assert float(inside) >= band.attrs["held"] >= 0.9
    table = effect.to_frame(band="simultaneous")
    assert table.index.name == "event"
    assert (table["band_lower"] <= table["lower"]).all()
    assert "0 to 9" in repr(effect)
    assert "u00, u01, u02" in repr(joint.effect("average", by="treated"))


def test_the_summary_says_what_stands_behind_each_row(joint):
    table = joint.summary()
    assert list(table.index) == ["average", "total", "relative"]
    assert table.loc["average", "units"] == 3
    assert table.loc["average", "cells"] == 26
    by_start = joint.summary(by="start")
    assert list(by_start.index) == [2010, 2012]
    assert by_start["units"].tolist() == [1, 2]
    median = float(joint.effect("average", by="start").draws.sel(start=2012).median())
    assert by_start.loc[2012, "median"] == pytest.approx(median)
    with pytest.raises(OptionError, match="O004"):
        joint.summary(ci_prob=95)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("R050", {"estimand": "log_ratio"}),
        ("R050", {"by": "unit"}),
        ("R050", {"estimand": "cumulative", "by": "treated"}),
        ("R051", {"weights": "population"}),
        ("R051", {"weights": {"u00": 1.0}}),
        ("R051", {"weights": {"u00": 1.0, "u01": -1.0, "u02": 1.0}}),
        ("R051", {"weights": dict.fromkeys(STARTS, 0.0)}),
        ("R052", {"balanced": 10}),
        ("R052", {"balanced": -1}),
        ("R052", {"balanced": 2.5}),
    ],
)
def test_what_cannot_be_answered_is_refused(joint, code, options):
    with pytest.raises(ResultError) as caught:
        joint.effect(**options)
    assert caught.value.code == code


@pytest.mark.parametrize("groups", [("u00", "u00"), ([], "u01"), (["u00", "u01"], ["u01"])])
def test_groups_that_cannot_be_compared(joint, groups):
    with pytest.raises(ResultError, match="R053"):
        joint.contrast(*groups)
    with pytest.raises(DesignError, match="D070"):
        joint.contrast("u00", "u09")


def test_a_ratio_to_a_total_of_both_signs_is_refused():
    joint = fake_joint(STARTS)
    centred = {
        unit: bs.testing.fake_fit(panel=bs.Panel.from_wide(wide() - 100, treated=unit, start=start))
        for unit, start in STARTS.items()
    }
    mixed = bs.JointFit(joint.study, centred)
    with pytest.raises(ResultError, match="R004"):
        mixed.effect("relative", by="time")


def test_a_unit_of_weight_zero_stands_behind_nothing(joint):
    weights = {"u00": 0.0, "u01": 1.0, "u02": 3.0}
    draws = joint.effect("average", by="time", weights={"u00": 1, "u01": 0, "u02": 3}).draws
    assert draws["units"].to_numpy().tolist() == [1, 1] + [2] * 8
    # u00 alone has the last event times and the first start.
    for by, level in (("event", 8), ("start", 2010), ("treated", "u00"), ("time", 2010)):
        with pytest.raises(ResultError, match=rf"R051.*{by}.*zero for all at {level} \(u00\)"):
            joint.effect("average", by=by, weights=weights)
    whole = joint.effect("average", weights=weights).draws
    np.testing.assert_allclose(whole, unit_averages(joint) @ [0, 0.25, 0.75], rtol=1e-12)


def test_a_running_total_says_what_stands_behind_it_so_far(joint):
    draws = joint.effect("cumulative").draws
    assert draws["cells"].to_numpy().tolist() == [*range(3, 25, 3), 25, 26]
    assert draws["units"].to_numpy().tolist() == [3] * 10
    by_time = joint.effect("cumulative", by="time").draws
    assert by_time["units"].to_numpy().tolist() == [1, 1] + [3] * 8
    assert by_time["cells"].to_numpy().tolist()[-1] == 26


def test_keeping_units_keeps_their_draws(joint):
    part = joint.keep(["u01", "u02"])
    np.testing.assert_allclose(part.effect().draws, unit_averages(joint)[..., 1:].mean(-1))
    assert part.study.treated == ("u01", "u02")


def test_the_repr_says_which_average_and_what_stands_behind_it(joint):
    text = repr(joint)
    assert "mean of 3 units, each once" in text
    assert "3 units at 0 to 7, 1 unit at 8 to 9" in text
    assert "[A004]" in text
    assert "independent apart from shared donors" in text
    assert not set(dir(joint)) & {"_cells", "_rows"}


def test_alarms_name_the_units(joint):
    codes = dict(joint.alarms)
    assert "NOT CALIBRATED" in codes["A004"]
    assert joint.converged == all(fit.converged for fit in joint.fits.values())


def test_germany_and_italy_in_the_limit_of_no_noise(public):
    frame = public("staggered_germany")
    study = bs.Study.from_long(
        frame,
        unit="country",
        time="year",
        outcome="gdp",
        starts={"West Germany": 1991, "Italy": 1992},
    )
    cells = gaps(study)

    def value(by=None, weights="unit", cells=cells) -> np.ndarray:
        return aggregate(cells, "average", by, weights, "gdp").draws.to_numpy().ravel()

    np.testing.assert_allclose(value("treated"), [-1.1211, -1.8476], atol=5e-5)
    np.testing.assert_allclose(value(weights="cell"), -1.4989, atol=5e-5)
    np.testing.assert_allclose(value(), -1.4844, atol=1e-4)  # a mean of rounded numbers
    # scpi's event-time values, Cattaneo, Feng, Palomba and Titiunik (2025).
    published = [0.131, 0.0316, -0.4255, -0.67, -0.9013, -1.2304]
    published += [-1.2529, -1.6015, -2.2758, -2.6734, -2.8457, -3.0832]
    np.testing.assert_allclose(value("event", cells=until(cells, 11)), published, atol=5e-3)
    difference = contrast(cells, (["Italy"], ["West Germany"]), "unit", "gdp")
    np.testing.assert_allclose(difference.draws, 1.8476 - 1.1211, atol=2e-4)


def test_the_report_has_the_headline_the_tables_and_the_assumptions(joint):
    text = joint.report()
    assert repr(joint) in text
    assert "Average effect by event" in text
    assert "no donor can show one" in text
    assert "u02" in text
    with pytest.raises(ResultError, match="R050"):
        joint.report(by="unit")
