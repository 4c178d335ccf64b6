"""Bands hold a whole path with the probability that they state, and say when they cannot."""

import numpy as np
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, OptionError, PanelWarning, ResultError
from bayes_synth.results.bands import band, band_promise
from bayes_synth.testing import fake_fit, fake_panel


def path(values, chains=4):
    """Label draws of shape (draws, times) as a path."""
    values = np.asarray(values, dtype=float).reshape(chains, -1, np.shape(values)[1])
    return xr.DataArray(
        values, dims=("chain", "draw", "time"), coords={"time": range(len(values[0, 0]))}
    )


def walks(draws, times, seed=0, fresh=1.0):
    """Random walks plus independent noise of sd ``fresh``."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.standard_normal((draws, times)), 1) + fresh * rng.standard_normal(
        (draws, times)
    )


def inside(found, values):
    """Share of new paths that lie within the band at all times."""
    low, high = (found.sel(ci_bound=end).to_numpy() for end in ("lower", "upper"))
    return float(((values >= low) & (values <= high)).all(1).mean())


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.95])
@pytest.mark.parametrize(("times", "fresh"), [(1, 1.0), (12, 1.0), (60, 0.2), (60, 5.0)])
def test_a_band_holds_new_paths_with_its_probability(prob, times, fresh):
    found = band(path(walks(4000, times, 1, fresh)), prob)
    held = inside(found, walks(20_000, times, 2, fresh))
    assert held == pytest.approx(prob, abs=4 * found.attrs["mcse"] + 0.003)
    assert found.attrs["held"] == pytest.approx(prob, abs=0.02)


def test_intervals_of_single_periods_do_not_hold_the_path():
    draws = walks(4000, 12, 1)
    ends = np.quantile(draws, [0.025, 0.975], axis=0)
    new = walks(20_000, 12, 2)
    assert ((new >= ends[0]) & (new <= ends[1])).all(1).mean() < 0.85


def test_a_band_is_made_of_order_statistics_of_one_depth():
    draws = walks(1000, 7)
    found = band(path(draws), 0.9)
    below = (draws < found.sel(ci_bound="lower").to_numpy()).sum(0)
    above = (draws > found.sel(ci_bound="upper").to_numpy()).sum(0)
    assert len({*below, *above}) == 1
    level = found.attrs["interval_prob"]
    assert level == pytest.approx(1 - 2 * (below[0] + 0.5) / 1000)


def test_a_band_of_one_period_is_its_interval():
    effect = fake_fit(draws=1000).effect("pointwise", window=slice(2021, 2021))
    np.testing.assert_allclose(
        effect.band(0.9), effect.interval(0.9).to_numpy().reshape(1, 2), rtol=0.02
    )


def test_a_band_turns_with_the_path():
    draws = path(walks(1000, 9))
    turned = band(-draws, 0.9)
    np.testing.assert_array_equal(
        turned.sel(ci_bound="upper"), -band(draws, 0.9).sel(ci_bound="lower")
    )


def test_the_order_of_the_draws_does_not_matter_to_the_band():
    draws = walks(1000, 9)
    shuffled = np.random.default_rng(3).permutation(draws)
    np.testing.assert_array_equal(band(path(draws), 0.9), band(path(shuffled), 0.9))


@pytest.mark.parametrize("estimand", ["pointwise", "cumulative"])
def test_a_band_carries_what_it_is(fake, estimand):
    found = fake.effect(estimand).band(0.9)
    assert found.dims == ("time", "ci_bound")
    assert found.sizes["time"] == len(fake.panel.post)
    assert (found.attrs["ci_prob"], found.attrs["ci_kind"]) == (0.9, "simultaneous")
    assert 0 < found.attrs["mcse"] < 0.03
    assert found.attrs["ess"] >= 400
    assert 0.9 < found.attrs["interval_prob"] < 1
    assert "probability 90% (share of draws 0.9" in band_promise(found)


def test_missing_outcomes_are_left_out_of_a_band():
    table = fake_panel(effect=3.0).outcomes.to_pandas()
    table.iloc[[20, 23], table.columns.get_loc("treated")] = np.nan
    with pytest.warns(PanelWarning, match="P028"):
        panel = bs.Panel.from_wide(table, treated="treated", start=2020, missing="model")
    fit = fake_fit(panel=panel)
    point, running = fit.effect("pointwise").band(), fit.effect("cumulative").band()
    assert point["time"][point.isnull().all("ci_bound")].to_numpy().tolist() == [2020, 2023]
    assert running["time"][running.isnull().any("ci_bound")].to_numpy().tolist() == [2020]
    whole = fit.effect("pointwise", window=[slice(2021, 2022), slice(2024, None)]).band()
    np.testing.assert_array_equal(point.dropna("time"), whole)


def test_a_constant_period_neither_widens_nor_breaks_a_band():
    draws = walks(1000, 5)
    constant = np.column_stack([draws, np.full(1000, 2.0)])
    found = band(path(constant), 0.9)
    np.testing.assert_array_equal(found[:-1], band(path(draws), 0.9))
    assert found[-1].to_numpy().tolist() == [2.0, 2.0]


def test_too_few_draws_for_so_many_periods_are_said():
    with pytest.warns(
        ConvergenceWarning, match=r"R032\].*hold only 0\.\d+ of new paths, not 0\.95"
    ):
        bs.Effect(path(np.random.default_rng(0).standard_normal((400, 60))), "pointwise").band()


def test_draws_that_depend_on_each_other_are_said():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.standard_normal((200, 3)), 20, axis=0)
    slow = slow + 1e-6 * rng.standard_normal(slow.shape)
    with pytest.warns(ConvergenceWarning, match=r"R032\].*most extreme ranks is \d+, below 400"):
        bs.Effect(path(slow), "pointwise").band()


@pytest.mark.parametrize("estimand", ["average", "total", "relative"])
def test_one_number_has_an_interval_and_no_band(fake, estimand):
    with pytest.raises(ResultError, match=r"R030\] a band needs a path.*interval\(\)"):
        fake.effect(estimand).band()


@pytest.mark.parametrize("bad", [95, 0, 1.0])
def test_a_band_refuses_what_is_no_probability(fake, bad):
    with pytest.raises(OptionError, match="O004"):
        fake.effect("pointwise").band(bad)


def test_the_table_of_a_fit_has_bands_when_asked(fake):
    plain, table = fake.to_frame(), fake.to_frame(band="simultaneous")
    assert not [name for name in plain if "band" in name]
    post = list(fake.panel.post)
    for name, estimand in (("effect", "pointwise"), ("cumulative", "cumulative")):
        ends = table.loc[post, [f"{name}_band_lower", f"{name}_band_upper"]]
        np.testing.assert_array_equal(ends, fake.effect(estimand).band(0.95))
        assert (ends.iloc[:, 0] <= table.loc[post, f"{name}_lower"]).all()
        assert "probability 95%" in table.attrs["bands"][name]
    assert table.loc[list(fake.panel.pre)].filter(like="_band_").isna().all(axis=None)


@pytest.mark.parametrize("bad", ["simultanous", "true", True])
def test_an_unknown_band_is_refused(fake, bad):
    with pytest.raises(OptionError, match=r'O001\] band must be "none" or "simultaneous"'):
        fake.to_frame(band=bad)


def test_the_report_says_where_the_bands_exclude_zero(fake):
    text = " ".join(fake.report("text").split())
    assert "The band that holds the effects of all periods at once with probability 95%" in text
    assert "The band that holds the whole running total at once with probability 95%" in text
    assert "excludes zero in 2020 to 2027." in text
    assert "includes zero throughout." in " ".join(fake_fit().report("text").split())
