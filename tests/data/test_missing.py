"""Missing outcomes of the treated unit leave likelihood and effect, and nothing is filled."""

import numpy as np
import pymc as pm
import pytest
from arviz_stats import mcse
from dense import NOISES, POINTS, covariance, parameters
from scipy.stats import multivariate_normal

import bayes_synth as bs
from bayes_synth.errors import DesignError, DesignWarning, PanelError, PanelWarning, ResultError
from bayes_synth.model.graph import MISSING_RESIDUAL
from bayes_synth.model.problem import Problem
from bayes_synth.noise import LocalLevel
from bayes_synth.testing import fake_fit, fake_panel

PERIODS, MISSING = 14, np.array([0, 5, 6, 13])
SEEN = np.setdiff1d(np.arange(PERIODS), MISSING)
EVERY = pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())


def table(**missing):
    """A fake panel's table with outcomes missing at these years of these units."""
    frame = fake_panel(effect=3.0).outcomes.to_pandas()
    for unit, years in missing.items():
        frame.loc[years, unit] = np.nan
    return frame


def read(frame, **options):
    return bs.Panel.from_wide(frame, treated="treated", start=2020, **options)


@pytest.fixture(scope="module")
def with_missing():
    with pytest.warns(PanelWarning):
        return read(table(treated=[2003, 2004, 2022]), missing="model")


def dense(noise, point):
    """Covariance of the observed periods with a wide, proper level standing in for a free one."""
    level = 1e4 if np.isinf(noise.level_sd) else noise.level_sd
    return (covariance(noise, point, PERIODS) + level**2)[np.ix_(SEEN, SEEN)]


def test_donors_with_missing_outcomes_are_dropped_and_the_treated_units_are_reported():
    frame = table(treated=[2003, 2022], donor_05=[2001, 2002])
    with pytest.warns(PanelWarning) as caught:
        panel = read(frame, missing="model")
    messages = [str(warning.message) for warning in caught]
    assert any(
        text.startswith("[P026] 1 donors with missing outcomes dropped: donor_05 (2 of 28 times)")
        for text in messages
    )
    assert (
        "[P027] the treated unit has no outcome at 2003: the weights are learnt without them."
        in messages
    )
    assert any(
        text.startswith("[P028] the treated unit has no outcome at 2022: no effect there")
        for text in messages
    )
    assert list(panel.missing_times) == [2003, 2022]
    assert "donor_05" not in panel.donors
    assert "no treated outcome at 2003, 2022" in repr(panel)
    assert panel.report["code"].tolist()[:3] == ["P026", "P027", "P028"]
    assert frame.isna().sum().sum() == 4


def test_without_the_option_missing_outcomes_are_refused():
    with pytest.raises(PanelError, match=r"(?s)P025.*missing='model'"):
        read(table(treated=[2003]))
    with pytest.raises(PanelError, match=r"P027.*missing='model'"):
        read(table(treated=[2003]), missing="drop_donors")


def test_enough_outcomes_must_be_left():
    with pytest.raises(DesignError, match=r"D004\] 2 periods"):
        read(table(treated=range(2000, 2018)), missing="model")
    with pytest.raises(DesignError, match="D006"):
        read(table(treated=range(2020, 2028)), missing="model")


def test_only_treated_units_may_have_missing_outcomes_in_a_panel(with_missing):
    broken = with_missing.outcomes.copy()
    broken[0, 0] = np.nan
    with pytest.raises(PanelError, match="P025"):
        bs.Panel(broken, ("treated",), 2020)


def test_a_mean_of_several_is_missing_where_any_is():
    frame = table(treated=[2003], donor_05=[2004])
    with pytest.warns(PanelWarning):
        panel = bs.Panel.from_wide(
            frame, treated=["treated", "donor_05"], start=2020, missing="model"
        )
    assert list(panel.missing_times) == [2003, 2004]


def test_a_placebo_knows_no_more_than_the_treated_unit(with_missing):
    placebo = with_missing.as_if_treated("donor_02")
    assert list(placebo.missing_times) == [2003, 2004, 2022]
    assert np.array_equal(
        placebo.donor_outcomes.sel(donor="donor_01"),
        with_missing.donor_outcomes.sel(donor="donor_01"),
    )
    assert list(with_missing.backdate(2015).missing_times) == [2003, 2004]


@EVERY
@pytest.mark.usefixtures("interpreted")
def test_the_graph_integrates_to_the_density_of_what_was_observed(noise):
    """The log density is quadratic in the missing residuals, so its integral is exact."""
    residual = 2 + np.cumsum(np.random.default_rng(3).standard_normal(PERIODS))
    free = np.isinf(noise.level_sd)
    for point in POINTS[:1]:
        with pm.Model() as model:
            missing = pm.Flat(MISSING_RESIDUAL, shape=len(MISSING))
            known = residual.copy()
            known[MISSING] = 0
            whole = noise.rotate(known) + noise.rotate(np.eye(PERIODS)[:, MISSING]) @ missing
            noise.build(whole, noise.inputs(PERIODS))
        wanted = [model[MISSING_RESIDUAL], *(model[name] for name in noise.parameters)]
        density = model.compile_fn(
            model["log_likelihood"], inputs=wanted, point_fn=False, on_unused_input="ignore"
        )
        steps = [np.zeros(len(MISSING)), *np.eye(len(MISSING))]

        def at(x, density=density, point=point):
            return float(density(x, *(point[name] for name in noise.parameters)))

        start, single = at(steps[0]), np.array([at(e) for e in steps[1:]])
        double = np.array([[at(a + b) for a in steps[1:]] for b in steps[1:]])
        hessian = -(double - single[:, None] - single + start)
        slope = single - start + np.diag(hessian) / 2
        integral = start + 0.5 * slope @ np.linalg.solve(hessian, slope)
        integral += 0.5 * len(MISSING) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(hessian)[1]
        contrasts = np.diff(np.eye(len(SEEN)), axis=0) if free else np.eye(len(SEEN))
        within = covariance(noise, point, PERIODS)[np.ix_(SEEN, SEEN)] + (
            0 if free else noise.level_sd**2
        )
        expected = multivariate_normal.logpdf(
            contrasts @ residual[SEEN], cov=contrasts @ within @ contrasts.T
        )
        assert integral == pytest.approx(expected, abs=1e-6)


@EVERY
def test_what_stands_at_a_missing_outcome_does_not_matter(noise):
    residual = 2 + np.cumsum(np.random.default_rng(4).standard_normal(PERIODS))
    other = residual.copy()
    other[MISSING] = [50.0, -3.0, 0.0, 7.0]
    draws = parameters(noise, POINTS[0])
    for method in (noise.log_predictive, noise.contrast_precision, noise.completed):
        one, two = method(draws, residual[None], MISSING), method(draws, other[None], MISSING)
        assert np.allclose(one, two, equal_nan=True, atol=1e-7)


@EVERY
def test_densities_and_expectations_are_those_of_the_observed_periods(noise):
    point, residual = POINTS[0], 2 + np.cumsum(np.random.default_rng(5).standard_normal(PERIODS))
    draws, precision = parameters(noise, point), np.linalg.inv(dense(noise, point))
    scaled_residual = precision @ residual[SEEN]
    expected = 0.5 * np.log(np.diag(precision) / (2 * np.pi)) - 0.5 * scaled_residual**2 / np.diag(
        precision
    )
    density = noise.log_predictive(draws, residual[None], MISSING)[0]
    assert np.allclose(density[SEEN], expected, rtol=1e-4)
    assert np.isnan(density[MISSING]).all()
    assert np.allclose(
        noise.contrast_precision(draws, residual[None], MISSING)[0, SEEN],
        scaled_residual,
        rtol=1e-3,
        atol=1e-5,
    )
    level = 1e4 if np.isinf(noise.level_sd) else noise.level_sd
    across = (covariance(noise, point, PERIODS) + level**2)[np.ix_(MISSING, SEEN)]
    assert np.allclose(
        noise.completed(draws, residual[None], MISSING)[0, MISSING],
        across @ scaled_residual,
        rtol=1e-3,
        atol=1e-3,
    )


def test_a_complete_series_is_left_as_it_is():
    noise, residual = LocalLevel(), np.arange(5.0)[None]
    none = np.zeros(0, dtype=int)
    assert np.array_equal(noise.completed(parameters(noise, POINTS[0]), residual, none), residual)


@pytest.fixture(scope="module")
def fit_with_missing(with_missing):
    return fake_fit(panel=with_missing)


def test_effects_leave_missing_outcomes_out(fit_with_missing, with_missing):
    path = fit_with_missing.effect("pointwise").draws
    assert path.isnull().any(("chain", "draw")).to_series()[lambda x: x].index.tolist() == [2022]
    seen = [2020, 2021, *range(2023, 2028)]
    whole = fit_with_missing.effect("average").draws
    assert np.allclose(whole, path.sel(time=seen).mean("time"))
    assert np.allclose(fit_with_missing.effect("total").draws, 7 * whole)
    counterfactual = (
        fit_with_missing.idata["predictions"]["counterfactual"].sel(time=seen).sum("time")
    )
    assert np.allclose(fit_with_missing.effect("relative").draws, 7 * whole / counterfactual)
    part = fit_with_missing.effect("total", window=slice(2021, 2023)).draws
    assert np.allclose(part, path.sel(time=[2021, 2023]).sum("time"))
    assert np.isnan(fit_with_missing.effect("pointwise").probability(below=0).sel(time=2022))
    assert np.isfinite(
        fit_with_missing.summary().drop(columns=["ci_kind", "measure"]).to_numpy(dtype=float)
    ).all()
    assert "no treated outcome at 2003, 2004, 2022" in repr(fit_with_missing)


def test_a_window_without_outcomes_is_refused(fit_with_missing):
    with pytest.raises(ResultError, match=r"R002\] 'treated' has no outcome in the window"):
        fit_with_missing.effect("total", window=slice(2022, 2022))


@pytest.mark.long
def test_the_file_keeps_missing_outcomes(fit_with_missing, with_missing, tmp_path):
    fit_with_missing.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").panel == with_missing


def test_the_plot_breaks_the_line_and_keeps_its_limits(fit_with_missing):
    lines = fit_with_missing.plot(backend="matplotlib").viz["observed"]["path"].item()
    assert np.isnan(lines.get_ydata()).sum() == 3
    assert np.isfinite(lines.axes.get_ylim()).all()


def test_pointwise_densities_are_those_of_observed_periods(fit_with_missing):
    assert fit_with_missing.idata["log_likelihood"].sizes["time"] == 18
    assert np.isfinite(fit_with_missing.idata["log_likelihood"]["outcome"]).all()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
def test_leading_missing_outcomes_are_a_later_beginning():
    """With a free level, periods without outcome at the very beginning say nothing at all."""
    frame = table(treated=[2000, 2001, 2002])
    model = bs.SyntheticControl(noise=LocalLevel(initial_level=np.inf), calibrate=False)
    with pytest.warns(PanelWarning, match="P027"):
        early = read(frame, missing="model")
    late = read(frame.loc[2003:])
    assert Problem.of(model, early).inputs.step == Problem.of(model, late).inputs.step
    sizes = {"draws": 500, "tune": 500, "chains": 2, "random_seed": 1, "progressbar": False}
    fits = [model.fit(panel, **sizes) for panel in (early, late)]
    draws = [
        fit.idata["posterior"].to_dataset().assign(effect=fit.effect("average").draws)
        for fit in fits
    ]
    for name in ("effect", "weights", "s", "q"):
        means = [one[name].mean(("chain", "draw")) for one in draws]
        errors = [mcse(one[[name]])[name] for one in draws]
        assert (
            abs(means[0] - means[1]) < 4.5 * np.sqrt(errors[0] ** 2 + errors[1] ** 2) + 1e-12
        ).all()


def test_short_panels_still_say_how_few_outcomes_they_have():
    with pytest.warns((PanelWarning, DesignWarning)):
        panel = read(table(treated=range(2000, 2015)), missing="model")
    assert len(panel.pre) == 20
    assert len(panel.missing_times) == 15


def test_the_noise_shares_of_a_with_missing_future_are_those_of_the_whole_future(with_missing):
    frame = table(treated=range(2022, 2028))
    with pytest.warns((PanelWarning, DesignWarning)):
        panel = read(frame, missing="model")
    shares = fake_fit(panel=panel).fit_verdict.noise_share
    whole = fake_fit(panel=read(table())).fit_verdict.noise_share
    assert shares["q"] == pytest.approx(whole["q"], rel=0.2)


def test_lengths_are_counted_in_outcomes():
    with pytest.warns((PanelWarning, DesignWarning)):
        panel = read(table(treated=range(2000, 2015)), missing="model")
    assert "only 5 pre-periods" in " ".join(panel.report["remark"])


def test_backdating_leaves_out_starts_without_outcomes():
    from bayes_synth.checks.earlier_starts import earlier_panels

    with pytest.warns((PanelWarning, DesignWarning)):
        panel = read(table(treated=range(2012, 2020)), missing="model")
    assert all(len(early.post) for early in earlier_panels(panel, 5, 5).values())
