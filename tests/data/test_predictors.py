"""Predictors of a panel: averaged before treatment, carried along, refused in words."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.errors import PanelError, ResultError
from bayes_synth.storage.digests import fingerprint

DATA = Path(os.environ.get("BAYES_SYNTH_DATA", "data"))
HERE = pytest.mark.skipif(not (DATA / "prop99.csv").exists(), reason="BAYES_SYNTH_DATA is not set")
UNITS = ["a", "b", "c", "d", "e", "treated"]


def frame(**columns):
    """Six units over 2000 to 2011, with income and a share that some years lack."""
    rng = np.random.default_rng(1)
    times = range(2000, 2012)
    rows = pd.DataFrame([(u, t) for u in UNITS for t in times], columns=["unit", "year"])
    rows["sales"] = 50 + rng.standard_normal(len(rows)).cumsum()
    rows["income"] = rows["unit"].map({u: 10.0 * k for k, u in enumerate(UNITS)}) + rows["year"]
    rows["share"] = np.where(rows["year"] % 2, rng.random(len(rows)), np.nan)
    for name, values in columns.items():
        rows[name] = values
    return rows


def read(predictors, data=None, **options):
    options = {"treated": "treated", "start": 2008} | options
    data = frame() if data is None else data
    return bs.Panel.from_long(
        data, unit="unit", time="year", outcome="sales", predictors=predictors, **options
    )


@pytest.fixture
def panel():
    return read(bs.Predictors(["income", "share"], window=slice(2001, 2005)))


def mean(column, years):
    rows = frame()
    return rows[rows["year"].isin(years)].groupby("unit")[column].mean()


def test_a_predictor_is_the_mean_of_what_is_there_in_its_window(panel):
    values = panel.predictors.values
    for name, years in (("income", range(2001, 2006)), ("share", (2001, 2003, 2005))):
        expected = mean(name, years).loc[values["unit"].to_numpy()]
        np.testing.assert_allclose(values.sel(predictor=name), expected)
    assert panel.predictors.windows == {"income": "2001 to 2005", "share": "2001 to 2005"}


def test_special_predictors_have_times_and_names_of_their_own():
    special = {
        "sales 2003": ("sales", 2003),
        "income ends": ("income", [2000, 2007]),
        "income early": ("income", slice(None, 2002)),
        "income late": ("income", slice(2006, None)),
    }
    panel = read(bs.Predictors(special=special))
    expected = {"sales 2003": ("sales", [2003]), "income ends": ("income", [2000, 2007])}
    expected |= {"income early": ("income", range(2000, 2003))}
    expected |= {"income late": ("income", (2006, 2007))}
    for name, (column, years) in expected.items():
        np.testing.assert_allclose(
            panel.predictors.values.sel(predictor=name, unit="b"), mean(column, years)["b"]
        )


def test_without_a_window_all_times_before_start_are_averaged():
    values = read(bs.Predictors("income")).predictors.values
    np.testing.assert_allclose(values.sel(unit="c")[0], mean("income", range(2000, 2008))["c"])


def test_windows_of_dates_may_be_text():
    data = frame()
    data["year"] = pd.to_datetime(data["year"].astype(str) + "-01-01")
    panel = read(bs.Predictors(["income"], window=slice("2001-01", "2005-01")), data, start="2008")
    assert panel.predictors.windows == {"income": "2001-01-01 to 2005-01-01"}


def test_predictors_follow_the_panel(panel):
    assert "predictors 2: income (2001 to 2005)" in repr(panel)
    for other in (panel.drop("a"), panel.keep(["a", "b"]), panel.as_if_treated("c")):
        assert other.predictors.names == panel.predictors.names
    assert panel == read(bs.Predictors(["income", "share"], window=slice(2001, 2005)))
    assert panel != read(bs.Predictors(["income"], window=slice(2001, 2005)))
    assert panel != read(None)


def test_an_earlier_start_leaves_only_what_was_known_before_it(panel):
    early = panel.backdate(2004)
    assert early.predictors.windows == {"income": "2001 to 2003", "share": "2001 to 2003"}
    late = read(bs.Predictors(["income"], special={"late": ("income", 2006)})).backdate(2004)
    assert late.predictors.names == ("income",)
    assert late.report["code"].tolist()[-1] == "P058"
    assert "left out of the predictors: late" in late.report["remark"].iloc[-1]


def test_the_fingerprint_knows_the_predictors(panel):
    assert fingerprint(panel) != fingerprint(read(None))


def test_nothing_of_the_callers_is_changed(panel):
    data = frame()
    before = data.copy()
    read(bs.Predictors(["income"]), data)
    pd.testing.assert_frame_equal(data, before)
    with pytest.raises(ValueError, match="read-only"):
        panel.predictors.series.to_numpy()[:] = 0.0


@pytest.mark.parametrize(
    ("attempt", "code", "text"),
    [
        (lambda: bs.Predictors(), "P050", "at least one column"),
        (lambda: bs.Predictors(["x", "x"]), "P050", "must differ, got 'x' twice"),
        (lambda: bs.Predictors(["x"], special={"x": ("y", 1)}), "P050", "got 'x' twice"),
        (lambda: bs.Predictors(special={"x": 1975}), "P050", "got 1975 for 'x'"),
        (lambda: read(["income"]), "P050", r"must be a bs\.Predictors\(\[\.\.\.\]\), got"),
        (
            lambda: read(bs.Predictors(["income"], window=slice(2001, 2009))), "P051",
            "before start=2008, but 'income' is averaged over 2008, 2009 too",
        ),
        (lambda: read(bs.Predictors(special={"x": ("income", 2010)})), "P051", "over 2010 too"),
        (
            lambda: read(bs.Predictors(["flat"]), frame(flat=1.0)), "P052",
            "'flat' must differ between units, got 1 for all",
        ),
        (
            lambda: read(bs.Predictors(["holes"]), holes(["b", "d"])), "P053",
            "'holes' is missing for 2 of 6 units: b, d",
        ),
        (
            lambda: read(bs.Predictors(special={"x": ("share", 2002)})), "P054",
            "'x' has no number at its times; the column has them from 2001 to 2011",
        ),
    ],
)  # fmt: skip
def test_unusable_predictors_are_refused_in_words(attempt, code, text):
    with pytest.raises(PanelError, match=rf"^\[{code}\] .*{text}"):
        attempt()


def holes(units):
    data = frame()
    return data.assign(holes=data["income"].where(~data["unit"].isin(units)))


@pytest.mark.parametrize(
    ("predictors", "data", "code", "text"),
    [
        (
            bs.Predictors([f"x{k}" for k in range(5)]),
            frame(**{f"x{k}": np.arange(72.0) ** (k + 1) for k in range(5)}),
            "P055", "5 predictors for 5 donors",
        ),
        (
            bs.Predictors(["fewer"]),
            frame(fewer=np.where(np.arange(72) == 3, np.nan, np.arange(72.0))),
            "P056", "over fewer times for 1 units: a",
        ),
    ],
)  # fmt: skip
def test_what_is_odd_about_predictors_is_noted(predictors, data, code, text):
    notes = read(predictors, data).report.set_index("code")
    assert notes.loc[code, "kind"] == "noted"
    assert text in notes.loc[code, "remark"]


def test_donors_that_were_dropped_may_lack_a_predictor():
    data = holes(["b"])
    data.loc[(data["unit"] == "b") & (data["year"] == 2003), "sales"] = np.nan
    with pytest.warns(UserWarning, match="P026"):
        panel = read(bs.Predictors(["holes"]), data, missing="drop_donors")
    assert "b" not in panel.donors


def test_a_fit_without_predictors_has_no_balance(fake):
    with pytest.raises(ResultError, match=r"^\[P057\] the panel carries no predictors"):
        fake.balance()


PUBLISHED = {
    "Utah": 0.334, "Nevada": 0.234, "Montana": 0.199, "Colorado": 0.164, "Connecticut": 0.069,
}  # fmt: skip
"""Abadie, Diamond and Hainmueller (2010), Table 2."""


@HERE
@pytest.mark.parametrize(
    ("name", "treated", "synthetic", "rounding"),
    [
        ("lnincome", 10.08, 9.86, 0.005),
        ("age15to24", 0.1740, 0.1740, 0.0005),
        ("retprice", 89.42, 89.41, 0.005),
        ("beer", 24.28, 24.20, 0.005),
        ("cigsale 1988", 90.10, 91.62, 0.05),
        ("cigsale 1980", 120.20, 120.43, 0.05),
        ("cigsale 1975", 127.10, 126.99, 0.06),
    ],
)
def test_proposition_99_is_balanced_as_published_at_the_published_weights(
    name, treated, synthetic, rounding
):
    """The rounding of outcomes is that of weights with three digits."""
    sales = {f"cigsale {year}": ("cigsale", year) for year in (1975, 1980, 1988)}
    panel = bs.Panel.from_long(
        pd.read_csv(DATA / "prop99.csv"),
        unit="state",
        time="year",
        outcome="cigsale",
        treated="California",
        start=1989,
        predictors=bs.Predictors(
            ["lnincome", "age15to24", "retprice"],
            window=slice(1980, 1988),
            special={"beer": ("beer", slice(1984, 1988)), **sales},
        ),
    )
    values = panel.predictors.values.sel(predictor=name)
    assert float(values.sel(unit="California")) == pytest.approx(treated, abs=rounding)
    mixed = sum(weight * float(values.sel(unit=state)) for state, weight in PUBLISHED.items())
    assert mixed == pytest.approx(synthetic, abs=rounding)
