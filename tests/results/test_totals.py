"""Totals are over periods and treated units, wherever they are shown; windows may be several."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import ResultError
from bayes_synth.plots import plot_effect, plot_fit
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


def several(units):
    """A panel whose first donors are treated as well."""
    table = fake_panel(donors=9, effect=2.0).outcomes.to_pandas()
    treated = ["treated", *(f"donor_0{j}" for j in range(3, 2 + units))]
    return bs.Panel.from_wide(table, treated=treated, start=2020, outcome="sales")


@pytest.fixture(scope="module", params=[2, 3, 6])
def group(request):
    return fake_fit(panel=several(request.param))


@pytest.fixture(scope="module")
def two():
    return fake_fit(panel=several(2))


def test_a_total_is_over_periods_and_treated_units(group):
    units, post = len(group.panel.treated), len(group.panel.post)
    total = group.effect("total").draws
    np.testing.assert_allclose(total, units * post * group.effect("average").draws)
    for window in (slice(2020, 2023), [slice(2020, 2021), slice(2024, 2025)]):
        part = group.effect("total", window=window)
        np.testing.assert_allclose(
            part.draws, units * 4 * group.effect("average", window=window).draws
        )


def test_a_running_total_ends_with_the_total(group):
    path = group.effect("cumulative").draws
    np.testing.assert_allclose(path.isel(time=-1), group.effect("total").draws)
    units = len(group.panel.treated)
    np.testing.assert_allclose(
        path.isel(time=0), units * group.effect("pointwise").draws.isel(time=0)
    )


def test_ratios_and_averages_are_per_unit(group):
    counterfactual = group.idata["predictions"]["counterfactual"].sum("time")
    effect = group.effect("pointwise").draws
    np.testing.assert_allclose(group.effect("relative").draws, effect.sum("time") / counterfactual)
    np.testing.assert_allclose(group.effect("average").draws, effect.mean("time"))


def test_calibrated_draws_have_the_same_totals(two):
    fit = fake_fit(panel=two.panel, placebos=fake_placebos(two.panel))
    assert fit.calibration.kappa is not None
    np.testing.assert_allclose(fit.effect("total").draws, 16 * fit.effect("average").draws)
    np.testing.assert_array_equal(fit.effects["total"], fit.idata["effects"]["total"])


def test_every_measure_says_mean_or_sum(two):
    assert two.effect("average").measure == "sales per period (per unit, mean of 2)"
    assert two.effect("pointwise").measure == "sales per period (per unit, mean of 2)"
    assert two.effect("total").measure == "sales (sum of 2 units)"
    assert two.effect("cumulative").measure == "sales (sum of 2 units)"
    assert two.effect("relative").measure == ""
    assert (two.effect("total") / 10).measure == "sales (sum of 2 units) / 10"


def test_one_treated_unit_needs_no_such_words(fake):
    assert [fake.effect(name).measure for name in ("average", "total")] == [
        "sales per period",
        "sales",
    ]
    for text in (repr(fake), fake.report("text"), str(fake.summary())):
        assert "per unit" not in text
        assert "sum of" not in text


def test_headline_table_report_plots_and_files_say_mean_and_sum(two):
    assert re.search(r"effect +\S+ sales per period \(per unit, mean of 2\) \[", repr(two))
    assert re.search(r"total +\S+ sales \(sum of 2 units\) \[", repr(two))
    summary = two.summary()
    assert summary.loc["total", "measure"] == "sales (sum of 2 units)"
    text = " ".join(two.report("text").split())
    assert "Summed over 8 periods and 2 treated units, the total effect is" in text
    assert "average per period, per unit, mean of 2" in text
    assert "total, sum of 2 units" in text
    canvas = plot_fit(two, backend="none")
    titles = {
        name: next(i["string"] for i in canvas.get_target(name, {}) if i["function"] == "title")
        for name in ("effect", "cumulative")
    }
    assert "per unit, mean of 2" in titles["effect"]
    assert "sum of 2 units" in titles["cumulative"]
    drawn = plot_effect(two, "total", backend="none").get_target("total", {})
    label = next(item["string"] for item in drawn if item["function"] == "xlabel")
    assert label == "total effect (sales (sum of 2 units))"
    assert two.to_frame().attrs["measures"] == {
        "effect": "sales per period (per unit, mean of 2)", "cumulative": "sales (sum of 2 units)",
    }  # fmt: skip
    assert json.dumps(two.to_frame(band="simultaneous").attrs)


def test_the_frame_ends_with_the_interval_of_the_total(two):
    last = two.to_frame().iloc[-1][["cumulative_median", "cumulative_lower", "cumulative_upper"]]
    total = two.effect("total")
    np.testing.assert_allclose(last.astype(float), [total.median(), *total.interval()])


def test_the_summary_repeats_the_total_under_its_old_name(two):
    table = two.summary()
    assert table.index.tolist() == ["average", "total", "cumulative", "relative", "log_ratio"]
    pd.testing.assert_series_equal(table.loc["total"], table.loc["cumulative"], check_names=False)


def test_a_file_of_version_0_1_keeps_its_total(two):
    """There ``cumulative`` was one number, of the mean unit."""
    effects = two.idata["effects"].to_dataset()
    old = effects.drop_vars(["total", "cumulative"]).assign(cumulative=effects["total"] / 2)
    groups = {name: node.to_dataset() for name, node in two.idata.children.items()}
    idata = xr.DataTree.from_dict({**groups, "effects": old})
    fit = bs.Fit(two.panel, two.model, idata, two.record)
    for name in ("total", "cumulative"):
        np.testing.assert_array_equal(fit.effect(name).draws, two.effect(name).draws)
        np.testing.assert_array_equal(fit.effects[name], two.effects[name])
    pd.testing.assert_frame_equal(fit.summary(), two.summary())


def test_a_batch_has_totals_over_the_treated_units():
    model = bs.SyntheticControl(calibrate=False)
    tasks = [
        bs.FitTask(several(2), model, draws=60, tune=60, chains=2, least_ess=1, largest_r_hat=9)
    ]
    found = bs.fit_many(tasks, random_seed=1, progressbar=False, keep="draws")
    row = found.table.iloc[0]
    assert row["total_median"] == pytest.approx(16 * row["average_median"])
    assert found.fits[0].effect("total").median() == pytest.approx(row["total_median"])
    assert (
        found.fits[0].effect("total", window=slice(2020, 2020)).measure.endswith("(sum of 2 units)")
    )


# windows


def test_a_list_of_windows_takes_the_periods_of_each(fake, dated):
    found = fake.effect("average", window=[slice(2024, None), slice(2020, 2021)])
    path = fake.effect("pointwise").draws.sel(time=[2020, 2021, 2024, 2025, 2026, 2027])
    np.testing.assert_allclose(found.draws, path.mean("time"))
    bursts = (slice("2024-01-21", "2024-01-22"), slice("2024-01-25", None))
    assert dated.effect("cumulative", window=bursts).draws.sizes["time"] == 6
    one = fake.effect("total", window=[slice(2021, 2023)]).draws
    np.testing.assert_array_equal(one, fake.effect("total", window=slice(2021, 2023)).draws)


@pytest.mark.parametrize("estimand", bs.estimands.ESTIMANDS)
def test_every_estimand_takes_several_windows(fake, estimand):
    windows = [slice(2020, 2021), slice(2023, 2024)]
    draws = fake.effect(estimand, window=windows).draws
    assert draws.sizes.get("time", 4) == 4


@pytest.mark.parametrize(
    ("windows", "twice"),
    [
        ([slice(2020, 2022), slice(2022, 2024)], "2022"),
        ([slice(None, None), slice(2025, None)], "2025, 2026, 2027"),
        ((slice(2021, 2021), slice(2021, 2021)), "2021"),
    ],
)
def test_windows_that_overlap_are_refused(fake, windows, twice):
    with pytest.raises(ResultError, match=rf"R033\] windows must not overlap, got {twice} in two"):
        fake.effect("total", window=windows)


@pytest.mark.parametrize(
    "windows",
    [[], [2020, 2021], [slice(2020, 2021), 2025], "2020", [slice(2020, 2021), slice(2030, 2031)]],
)
def test_lists_of_what_are_no_windows_are_refused(fake, windows):
    with pytest.raises(ResultError, match="R002"):
        fake.effect("average", window=windows)
