"""Auxiliary outcomes of a panel: how they are read, carried and refused."""

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.errors import PanelError
from bayes_synth.model.auxiliary import about
from bayes_synth.storage.digests import fingerprint

UNITS = ["a", "b", "c", "treated"]


def frame(**columns):
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([range(2000, 2012), UNITS], names=["year", "unit"])
    names = ("sales", "visits", "orders")
    walks = {n: 10 + rng.standard_normal((12, 4)).cumsum(0).ravel() for n in names}
    return pd.DataFrame(walks, index=index).reset_index().assign(**columns)


def read(auxiliary=("visits", "orders"), rows=None, start=2008, **options):
    names = {"unit": "unit", "time": "year", "outcome": "sales", "treated": "treated"}
    auxiliary = list(auxiliary) if isinstance(auxiliary, tuple) else auxiliary
    rows = frame() if rows is None else rows
    return bs.Panel.from_long(rows, **names, start=start, auxiliary=auxiliary, **options)


def without(rows, column="visits", **cells):
    gone = np.logical_and.reduce([rows[name].isin(values) for name, values in cells.items()])
    return rows.assign(**{column: rows[column].where(~gone)})


def still():
    rows = frame()
    rows.loc[(rows["unit"] == "treated") & (rows["year"] < 2008), "visits"] = 3.0
    return rows


def test_the_panel_carries_them():
    panel = read()
    assert panel.auxiliary.names == ("visits", "orders")
    assert panel.facts["auxiliary outcomes"] == "2: visits, orders"
    table = frame().pivot(index="year", columns="unit", values="visits")
    got = panel.auxiliary.of(["b", "treated"]).sel(auxiliary="visits")
    np.testing.assert_array_equal(got, table[["b", "treated"]])
    assert read("visits").auxiliary.names == ("visits",)
    assert read(None).auxiliary is None


def test_a_table_is_locked_and_the_frame_stays_as_it_was():
    rows = frame()
    panel = read(rows=rows)
    pd.testing.assert_frame_equal(rows, frame())
    with pytest.raises(ValueError, match="read-only"):
        panel.auxiliary.series[0, 0, 0] = 1.0


def test_equality_and_digest_see_them():
    panel = read()
    assert panel == read()
    assert fingerprint(panel) == fingerprint(read())
    changed = frame()
    changed.loc[0, "orders"] += 1
    for other in (read(rows=changed), read("visits"), read(None), read(("orders", "visits"))):
        assert panel != other
        assert fingerprint(panel) != fingerprint(other)


def test_panels_made_of_it_carry_them_too():
    panel = read()
    assert panel.drop(["a"]).auxiliary.names == panel.auxiliary.names
    assert panel.drop(["a"]) == panel.keep(["b", "c"])
    assert panel.as_if_treated("b").auxiliary is not None
    back = panel.backdate(2005)
    assert back.auxiliary.series.indexes["time"].tolist() == list(range(2000, 2008))


def test_an_earlier_start_leaves_out_what_is_constant_before_it():
    rows = frame()
    rows.loc[(rows["unit"] == "treated") & (rows["year"] < 2005), "visits"] = 3.0
    back = read(rows=rows).backdate(2005)
    assert back.auxiliary.names == ("orders",)
    assert back.report["code"].tolist()[-1] == "P095"
    assert read("visits", rows).backdate(2005).auxiliary is None


def test_each_outcome_can_be_the_main_one():
    panel = read()
    turned = about(panel, "orders")
    assert turned.outcome == "orders"
    assert turned.auxiliary.names == ("sales", "visits")
    names = {"unit": "unit", "time": "year", "treated": "treated", "start": 2008}
    direct = bs.Panel.from_long(frame(), **names, outcome="orders", auxiliary=["sales", "visits"])
    assert turned == direct
    assert about(about(panel, "visits"), "sales").outcomes.equals(panel.outcomes)
    small = about(panel.drop(["a"]), "visits")
    assert small.donors == ("b", "c")


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda: read([]), "P090", "got none"),
        (lambda: read(3), "P090", "must be names of columns, got 3"),
        (lambda: read(["visits", 3]), "P090", "must be names of columns"),
        (lambda: read(["visits", "visits"]), "P090", "got 'visits' twice"),
        (lambda: read(["sales"]), "P090", "other columns than units, times and outcome"),
        (lambda: read("year"), "P090", "got 'year'"),
        (
            lambda: read("visits", without(frame(), unit=["b"], year=[2003])),
            "P091",
            "got 1 missing: b at 2003",
        ),
        (
            lambda: read("visits", without(frame(), unit=["treated"], year=[2009, 2010])),
            "P091",
            "2 missing: treated at 2009, treated at 2010",
        ),
        (
            lambda: read("visits", without(frame(), unit=["b", "c"])),
            "P091",
            "known before start only is a predictor",
        ),
        (
            lambda: read("visits", frame(visits=3 - 2 * frame()["sales"])),
            "P092",
            "must not repeat 'sales'",
        ),
        (
            lambda: read(rows=frame(orders=frame()["visits"] / 7)),
            "P092",
            "'orders' must not repeat 'visits'",
        ),
        (lambda: read("visits", still()), "P093", "must change before start=2008"),
        (lambda: read("visits", frame(visits=1.0 * (frame()["year"] > 2009))), "P093", "treated"),
    ],
)  # fmt: skip
def test_refused(make, code, words):
    with pytest.raises(PanelError, match=words) as caught:
        make()
    assert caught.value.code == code


@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")
@pytest.mark.parametrize("year", [2003, 2010])
def test_missing_outcomes_of_treated_units_are_refused_with_them(year):
    rows = without(frame(), "sales", unit=["treated"], year=[year])
    with pytest.raises(PanelError, match=rf"P094.*{year}"):
        read("visits", rows, missing="model")
    assert year not in read("visits", rows, missing="drop_times").auxiliary.series["time"]
