"""The square-root scale: counts with zeros, and a remark where a counterfactual is impossible."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.errors import DesignWarning, PanelError
from bayes_synth.model.outcome_scale import SCALES
from bayes_synth.model.problem import Problem
from bayes_synth.results.below_zero import below_zero
from bayes_synth.testing import fake_panel

SQRT = bs.SyntheticControl(scale="sqrt")
OPTIONS = {"draws": 100, "tune": 100, "chains": 2, "progressbar": False, "random_seed": 1}
PLAN = bs.Calibration(draws=60, tune=100)


def counts(mean=1.5, periods=24, donors=9, seed=1):
    """Poisson counts around one wandering mean, with many zeros."""
    rng = np.random.default_rng(seed)
    path = mean * np.exp(0.1 * rng.standard_normal(periods).cumsum())
    drawn = rng.poisson(path[:, None], (periods, donors + 1)).astype(float)
    names = ["treated", *(f"donor_{j}" for j in range(donors))]
    frame = pd.DataFrame(drawn, index=pd.Index(range(periods), name="week"), columns=names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bs.Panel.from_wide(frame, treated="treated", start=18, outcome="cases")


@pytest.fixture(scope="module")
def fit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return replace(SQRT, calibrate=PLAN).fit(counts(), **OPTIONS)


def test_a_square_root_and_back_is_the_outcome():
    values = np.array([0.0, 1, 2.5, 1e6])
    scale = SCALES["sqrt"]
    np.testing.assert_allclose(scale.back(scale.forward(values)), values, atol=1e-9)


def test_what_comes_back_is_never_below_zero():
    back = SCALES["sqrt"].back(np.array([-3.0, -0.1, 0.0, 0.5, np.nan]))
    assert np.array_equal(back[:4], np.zeros(4))
    assert np.isnan(back[4])


def test_arrays_with_labels_come_back_with_labels():
    values = xr.DataArray([0.0, 4.0], dims="time")
    assert SCALES["sqrt"].back(SCALES["sqrt"].forward(values)).dims == ("time",)


def test_the_slope_is_the_derivative():
    at, step, scale = np.array([0.0, 1.0, 30.0]), 1e-6, SCALES["sqrt"]
    slope = (scale.forward(at + step) - scale.forward(at)) / step
    np.testing.assert_allclose(np.exp(scale.log_slope(at)), slope, rtol=1e-4)


def test_roots_of_counts_have_one_variance():
    rng = np.random.default_rng(1)
    sds = [SCALES["sqrt"].forward(rng.poisson(mean, 20_000)).std() for mean in (3, 10, 100)]
    np.testing.assert_allclose(sds, 0.5, rtol=0.03)


def test_no_counterfactual_is_below_zero(fit):
    for group, name in [("predictions", "counterfactual"), ("posterior_predictive", "outcome")]:
        assert float(fit.idata[group][name].min()) >= 0


def test_the_square_root_scale_is_the_model_of_the_roots(fit):
    roots = np.sqrt(fit.panel.outcomes.to_pandas() + 0.375)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = bs.Panel.from_wide(roots, treated="treated", start=18)
        theirs = bs.SyntheticControl(calibrate=PLAN).fit(other, **OPTIONS)
    for group, name in [("posterior", "weights"), ("calibration", "kappa")]:
        np.testing.assert_array_equal(fit.idata[group][name], theirs.idata[group][name])


def test_headline_report_and_tables_name_the_scale(fit):
    assert "square roots of outcomes" in repr(fit)
    assert "square roots of outcomes" in fit.report("markdown")
    assert "average of the square roots" in " ".join(fit.methods_text().split())
    assert fit.model.priors(fit.panel)["s"].endswith(" sqrt cases")


def test_the_checks_take_it(fit):
    assert checks.hidden_bias(fit).verdict in ("pass", "caution", "fail", "not applicable")
    assert checks.fit_quality(fit).verdict in ("pass", "caution", "fail")


@pytest.mark.long
def test_a_fit_is_saved_and_loaded(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert loaded.model == fit.model
    xr.testing.assert_identical(loaded.synthetic, fit.synthetic)


@pytest.mark.filterwarnings("ignore:.V04", "ignore:.D040")
@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([(2, "donor_01")], r"1 donors have outcomes below zero \(.*\), .*: donor_01 \(1\)"),
        (
            [(2, "donor_01"), (3, "donor_03"), (15, "donor_03")],
            r"2 donors have outcomes below zero .*: donor_01 \(1\), donor_03 \(2\)",
        ),
        (
            [(4, "treated")],
            r"the treated unit has outcomes below zero in 1 pre-periods, which have",
        ),
    ],
)
def test_negative_outcomes_have_no_root(cells, text):
    table = fake_panel().outcomes.to_pandas()
    for row, name in cells:
        table.loc[table.index[row], name] = -1.0
    panel = bs.Panel.from_wide(table, treated="treated", start=2020)
    with pytest.raises(PanelError, match=rf"\[V050\] {text}"):
        SQRT.build(panel)


def test_a_counterfactual_below_zero_of_counts_is_remarked_on_in_fit_and_report():
    panel = counts(mean=0.7)
    with pytest.warns() as caught:
        fit = bs.SyntheticControl(calibrate=False).fit(panel, **OPTIONS)
    found = [str(w.message) for w in caught if w.category is DesignWarning]
    assert any(
        text.startswith("[V051] the counterfactual is below zero in up to") for text in found
    )
    assert any(text.startswith("[V051]") for text in fit.record.warnings)
    assert 'scale="sqrt"' in fit.report("text")


def predicted(panel, value):
    """Draws of a counterfactual, a tenth of which are ``value``."""
    draws = np.full((2, 50, len(panel.post)), 5.0)
    draws[:, :5] = value
    counterfactual = xr.DataArray(draws, dims=("chain", "draw", "time"))
    return xr.DataTree.from_dict(
        {"predictions": xr.Dataset({"counterfactual": counterfactual})}
    ), Problem.of(bs.SyntheticControl(), panel)


def test_where_the_counterfactual_is_below_zero_is_said_with_the_share():
    assert below_zero(*predicted(fake_panel(), -1.0)).startswith("up to 10% of the draws (in 2020")


def test_nothing_is_said_when_few_draws_or_some_outcomes_are_below_zero():
    assert below_zero(*predicted(fake_panel(), 0.0)) == ""
    table = fake_panel().outcomes.to_pandas() - 1e4
    lower = bs.Panel.from_wide(table, treated="treated", start=2020)
    assert below_zero(*predicted(lower, -1.0)) == ""
