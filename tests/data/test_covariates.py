"""Covariates of a panel: known for every unit at every time, carried along, refused in words."""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.data.covariates import CovariateTable
from bayes_synth.errors import PanelError
from bayes_synth.storage.digests import fingerprint

UNITS = ["a", "b", "c", "d", "e", "treated"]


def frame(**columns):
    """Six units over 2000 to 2011, with a price and a temperature."""
    rng = np.random.default_rng(1)
    times = range(2000, 2012)
    rows = pd.DataFrame([(u, t) for u in UNITS for t in times], columns=["unit", "year"])
    rows["sales"] = 50 + rng.standard_normal(len(rows)).cumsum()
    rows["price"], rows["heat"] = rng.random(len(rows)), rng.standard_normal(len(rows))
    for name, values in columns.items():
        rows[name] = values
    return rows


def read(covariates, data=None, **options):
    options = {"treated": "treated", "start": 2008} | options
    data = frame() if data is None else data
    return bs.Panel.from_long(
        data, unit="unit", time="year", outcome="sales", covariates=covariates, **options
    )


def without(rows, **where):
    """Prices that are missing in some rows."""
    hit = np.logical_and.reduce([rows[name].isin(values) for name, values in where.items()])
    return rows.assign(price=rows["price"].where(~hit))


def still(rows):
    """Prices that change from 2006 on only."""
    return rows.assign(price=np.where(rows["year"] < 2006, 1.0, rows["price"]))


@pytest.fixture
def panel():
    return read(["price", "heat"])


def test_covariates_are_carried_as_they_are(panel):
    series = panel.covariates.series
    assert panel.covariates.names == ("price", "heat")
    assert series.dims == ("covariate", "time", "unit")
    wide = frame().pivot(index="year", columns="unit", values="heat")
    np.testing.assert_array_equal(series.sel(covariate="heat"), wide.to_numpy())
    assert "covariates 2: price, heat" in repr(panel)
    assert read("price").covariates.names == ("price",)


def test_the_order_of_the_rows_does_not_matter(panel):
    assert read(["price", "heat"], frame().sample(frac=1, random_state=2)) == panel


def test_covariates_are_part_of_what_a_panel_is(panel):
    other = read(["price", "heat"], frame(heat=frame()["heat"] * 2))
    assert panel not in (other, read(None))
    assert len({fingerprint(each) for each in (panel, other, read(None))}) == 3


def test_placebos_and_fewer_donors_keep_their_own(panel):
    for derived in (panel.as_if_treated("b"), panel.drop("c"), panel.keep(["a", "d"])):
        units = derived.outcomes["unit"].values.tolist()
        assert derived.covariates.of(units).equals(panel.covariates.of(units))


def test_an_earlier_start_leaves_out_what_did_not_change_before_it():
    back = read(["price", "heat"], still(frame())).backdate(2004)
    assert back.covariates.names == ("heat",)
    assert back.report["code"].tolist()[-1] == "P066"
    assert len(back.covariates.series["time"]) == 8
    assert "P066" not in read(["price", "heat"]).backdate(2004).report["code"].tolist()


def test_no_array_of_a_panel_can_be_changed(panel):
    with pytest.raises(ValueError, match="read-only"):
        panel.covariates.series.to_numpy()[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("build", "code", "message"),
    [
        (lambda: read([]), "P060", "got none"),
        (lambda: read(3), "P060", "must be names of columns, got 3"),
        (lambda: read(["price", 3]), "P060", "must be names of columns"),
        (lambda: read(["price", "price"]), "P060", "got 'price' twice"),
        (lambda: read(["sales"]), "P060", "other columns than units, times and outcome"),
        (lambda: read("year"), "P060", "got 'year'"),
        (lambda: read("prise"), "P003", "Did you mean"),
        (lambda: read("unit2", frame(unit2="x")), "P009", "must hold numbers"),
        (lambda: read("heat", frame(heat=3 - 2 * frame()["sales"])), "P061", "repeat the outcome"),
        (lambda: read("price", frame(price=frame()["sales"])), "P061", "explain the effect away"),
        (lambda: read("price", frame(price=1.0)), "P062", "must change before start=2008"),
        (
            lambda: read("price", frame(price=frame()["unit"].map(UNITS.index) * 1.5)), "P062",
            "is a predictor",
        ),
        (lambda: read("price", still(frame()), start=2005), "P062", "start=2005"),
        (lambda: read("price", frame(price=np.sin(frame()["year"]))), "P064", "cancels out"),
        (
            lambda: read("price", without(frame(), unit=["b"], year=[2003])), "P063",
            "got 1 missing: b at 2003.\n  Leave",
        ),
        (
            lambda: read("price", without(frame(), unit=["b", "treated"], year=[2009])), "P063",
            "b at 2009, treated at 2009.\n  The counterfactual from start=2008 on needs",
        ),
        (lambda: read("price", frame(price=np.inf)), "V001", "infinite"),
        (
            lambda: read("price", without(frame(), unit=UNITS[:-1])), "P065",
            "got none for 5 of 6 units: a, b",
        ),
        (lambda: read("price", without(frame(), unit=["treated"])), "P065", "units: treated"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(build, code, message):
    with pytest.raises(PanelError, match=code) as caught:
        build()
    assert message in str(caught.value)


def test_a_table_with_a_missing_number_cannot_be_made(panel):
    series = panel.covariates.series
    with pytest.raises(PanelError, match="P063"):
        CovariateTable(series.where(series["time"] != 2009))
