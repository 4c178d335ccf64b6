"""Promises for whole families of panels: hypothesis draws them, reproducibly."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayes_synth as bs
from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import ESTIMANDS, effect_draws
from bayes_synth.testing import fake_fit, fake_panel

# Small random panels are odd in every way that test_remarks.py knows.
pytestmark = pytest.mark.filterwarnings(
    "ignore::bayes_synth.errors.PanelWarning", "ignore::bayes_synth.errors.DesignWarning"
)
some = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
ROLES = {"unit": "state", "time": "year", "outcome": "sales"}
AWKWARD = [
    "<script>alert(1)</script>",
    "\"A\" & 'B'",
    "up\ndown",
    "\N{TROPICAL DRINK}",
    "\u05e9\u05dc\u05d5\u05dd",
    "x" * 500,
]


@st.composite
def tables(draw) -> pd.DataFrame:
    """Quarters of whole numbers, exact in 32 bits: units ``a``, ``b``, ... over 5 to 12 years."""
    units, years = draw(st.integers(2, 6)), draw(st.integers(5, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.integers(-4000, 4000, (years, units)) / 4
    return pd.DataFrame(
        values, index=pd.RangeIndex(2000, 2000 + years), columns=list("abcdef"[:units])
    )


def wide(table: pd.DataFrame, **options) -> Panel:
    return Panel.from_wide(table, **({"treated": "a", "start": 2003, "outcome": "sales"} | options))


def long(table: pd.DataFrame) -> pd.DataFrame:
    return (
        table.rename_axis("year").reset_index().melt("year", var_name="state", value_name="sales")
    )


def read(frame, **options) -> Panel:
    return Panel.from_long(frame, **(ROLES | {"treated": "a", "start": 2003} | options))


def bits(panel: Panel) -> tuple:
    """Everything but the names of the axes."""
    outcomes = panel.outcomes
    labels = outcomes["unit"].values.tolist(), panel.times.tolist()
    return outcomes.to_numpy().tobytes(), *labels, panel.treated, panel.start


@some
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_never_matters(table, random):
    rows, columns = list(table.index), list(table.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    assert bits(wide(table.loc[rows, columns])) == bits(wide(table))
    assert bits(read(long(table).sample(frac=1, random_state=random.randrange(2**32)))) == bits(
        wide(table)
    )


@pytest.mark.long
@some
@given(tables())
def test_every_container_holds_the_same_panel(table):
    frame, column = long(table), table.rename_axis("year").reset_index()
    array = xr.DataArray(table, dims=("time", "unit"))
    panels = [
        *(read(data) for data in (frame, pl.from_pandas(frame), pl.from_pandas(frame).to_arrow())),
        *(
            wide(data, time="year")
            for data in (column, pl.from_pandas(column), pl.from_pandas(column).to_arrow())
        ),
        *(
            Panel.from_xarray(data, treated="a", start=2003)
            for data in (array, array.T, array.to_dataset(name="sales"))
        ),
        read(frame.set_index(["state", "year"])),
    ]
    assert all(bits(panel) == bits(wide(table)) for panel in panels)


DTYPES = {
    "float32": lambda s: s.astype("float32"),
    "Float64": lambda s: s.astype("Float64"),
    "Arrow": lambda s: s.astype("double[pyarrow]"),
    "objects": lambda s: s.astype(object),
    "Decimal": lambda s: s.map(lambda v: Decimal(repr(v))).astype(object),
    "categories": lambda s: s.astype("category"),
}


@pytest.mark.long
@pytest.mark.parametrize("convert", DTYPES.values(), ids=DTYPES)
@some
@given(table=tables())
def test_another_type_of_the_same_numbers_is_the_same_panel(convert, table):
    frame = long(table)
    assert bits(read(frame.assign(sales=convert(frame["sales"])))) == bits(wide(table))
    assert bits(wide(table.apply(convert))) == bits(wide(table))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["int64", "int32", "Int16", "int64[pyarrow]", "uint16"])
@some
@given(table=tables())
def test_another_type_of_whole_numbers_and_years_is_the_same_panel(kind, table):
    table = (table + 2000).round()
    frame = long(table).astype({"sales": kind, "year": kind, "state": "category"})
    assert bits(read(frame)) == bits(wide(table))


@some
@given(tables())
def test_what_is_handed_over_stays_as_it_is(table):
    values = table.to_numpy().copy()
    values.flags.writeable = False
    locked = pd.DataFrame(values, index=table.index, columns=table.columns, copy=False)
    array, frame = xr.DataArray(locked, dims=("time", "unit")), long(table)
    before = array.copy(deep=True), frame.copy(deep=True)
    assert (
        bits(wide(locked))
        == bits(Panel.from_xarray(array, treated="a", start=2003))
        == bits(read(frame))
    )
    assert array.identical(before[0])
    pd.testing.assert_frame_equal(frame, before[1])
    pd.testing.assert_frame_equal(locked, table)


@pytest.mark.long
@some
@given(tables(), st.data())
def test_donors_are_dropped_and_kept_like_sets(table, data):
    panel = wide(table)
    some_donors = data.draw(st.lists(st.sampled_from(panel.donors), unique=True))
    rest = [label for label in panel.donors if label not in some_donors]
    assert panel.keep(panel.donors) == panel == panel.drop([])
    if rest:
        assert panel.drop(some_donors) == panel.keep(rest)
        assert panel.drop(some_donors).donors == tuple(rest)
        one_by_one = panel
        for label in some_donors:
            one_by_one = one_by_one.drop(label)
        assert one_by_one == panel.drop(some_donors)
    else:
        with pytest.raises(DesignError, match=r"\[D014\] no donors are left"):
            panel.drop(some_donors)


@some
@given(tables(), st.data())
def test_placebos_hold_no_treated_unit_and_no_treated_period(table, data):
    panel = wide(table, start=2004)
    early = panel.backdate(2003)
    assert set(early.times) == set(panel.pre)
    assert set(early.post) <= set(panel.pre)
    if len(panel.donors) > 1:
        donor = data.draw(st.sampled_from(panel.donors))
        placebo = panel.as_if_treated(donor)
        assert placebo.treated == (donor,)
        assert "a" not in placebo.outcomes["unit"].values
        assert placebo.backdate(2003) == early.as_if_treated(donor)


def observed(fit: bs.Fit) -> xr.DataArray:
    return fit.idata["predictions_constant_data"]["outcome"]


def counterfactual(fit: bs.Fit) -> xr.DataArray:
    return fit.idata["predictions"]["counterfactual"]


def test_an_outcome_equal_to_its_counterfactual_has_no_effect(fake):
    draw = counterfactual(fake).isel(chain=[0], draw=[0])
    effects = effect_draws(draw.isel(chain=0, draw=0, drop=True), draw)
    assert set(effects) == set(ESTIMANDS)
    assert all((effects[name] == 0).all() for name in effects)


@some
@given(path=st.lists(st.floats(-50, 50), min_size=8, max_size=8))
def test_a_path_added_after_start_shifts_every_draw_of_the_effect_by_it(fake, path):
    shift = xr.DataArray(path, dims="time", coords={"time": observed(fake)["time"]})
    before, after = (
        effect_draws(observed(fake) + more, counterfactual(fake)) for more in (0.0, shift)
    )
    for name, expected in {
        "pointwise": shift,
        "average": shift.mean(),
        "total": shift.sum(),
        "cumulative": shift.cumsum(),
    }.items():
        np.testing.assert_allclose(
            *xr.broadcast(after[name] - before[name], expected), rtol=0, atol=1e-9
        )


@some
@given(seed=st.integers(0, 2**32), prob=st.floats(0.5, 0.99), centre=st.floats(-3, 3))
def test_interval_probability_and_rope_are_read_off_the_same_draws(seed, prob, centre):
    draws = centre + np.random.default_rng(seed).standard_normal((4, 250))
    effect = Effect(xr.DataArray(draws, dims=("chain", "draw")), "average")
    lower, upper = effect.interval(prob).to_numpy()
    assert effect.probability(below=lower) == pytest.approx((1 - prob) / 2, abs=2e-3)
    assert effect.probability(above=upper) == pytest.approx((1 - prob) / 2, abs=2e-3)
    assert effect.rope(lower, upper) == pytest.approx(prob, abs=4e-3)
    assert effect.probability(below=0) + effect.probability(above=0) == pytest.approx(1)
    assert effect.rope(-1, 1) == pytest.approx(
        effect.probability(below=1) - effect.probability(below=-1)
    )


@some
@given(seed=st.integers(0, 2**32), effect=st.floats(-20, 20))
def test_a_simulated_effect_is_what_was_asked_for(seed, effect):
    sizes = {"donors": 5, "pre": 6, "post": 3, "random_seed": seed}
    plain, treated = bs.simulate(**sizes), bs.simulate(effect=effect, **sizes)
    found = treated.panel.treated_outcome - treated.untreated
    assert np.array_equal(treated.effect, np.full(3, effect))
    np.testing.assert_allclose(found[6:], effect, atol=1e-10)
    assert np.array_equal(found[:6], np.zeros(6))
    assert plain.untreated.equals(treated.untreated)


@pytest.mark.long
@pytest.mark.parametrize(
    "label", AWKWARD, ids=["markup", "quotes", "line break", "emoji", "right to left", "long"]
)
def test_awkward_labels_are_kept_and_escaped(label):
    frame = fake_panel().outcomes.to_pandas().rename(columns={"donor_00": label})
    panel = Panel.from_wide(frame, treated="treated", start=2020, outcome=label)
    fit = fake_fit(panel=panel)
    assert label in panel.donors
    assert label in fit.weights().index
    for shown in (panel, panel.as_if_treated(label), fit):
        assert repr(shown)
        assert not any(mark in shown._repr_html_() for mark in ("<script>", '"A"', "& '"))
