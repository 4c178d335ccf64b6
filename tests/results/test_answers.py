"""Questions asked of a fit: effects, weights, verdicts, tables, sentences."""

import json
import warnings

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import (
    ConvergenceWarning,
    OptionError,
    PanelError,
    PriorError,
    ResultError,
)
from bayes_synth.model.problem import Problem
from bayes_synth.noise import IID
from bayes_synth.results.groups import posterior_groups
from bayes_synth.storage.provenance import provenance
from bayes_synth.testing import fake_fit, fake_panel

GROUPS = {
    "posterior", "sample_stats", "posterior_predictive", "predictions", "effects",
    "log_likelihood", "log_prior", "prior", "prior_predictive", "observed_data", "constant_data",
    "predictions_constant_data",
}  # fmt: skip
SUMMARY = [
    "mean", "median", "sd", "lower", "upper", "ci_prob", "ci_kind", "p_below_0", "p_above_0",
    "p_two_sided", "ess_bulk", "ess_tail", "r_hat", "mcse", "mcse_lower", "mcse_upper", "measure",
]  # fmt: skip


def test_the_tree_has_the_groups_of_the_schema(fake):
    assert set(fake.idata.children) == GROUPS


def test_the_average_effect_is_near_the_planted_one(fake):
    effect = fake.effect("average")
    assert effect.draws.dims == ("chain", "draw")
    assert abs(float(effect.draws.mean()) - 3.0) < 2 * float(effect.draws.std())


def test_the_effects_group_holds_the_same_draws(fake):
    assert all(
        np.array_equal(fake.effect(name).draws, draws)
        for name, draws in fake.idata["effects"].items()
    )


def test_a_window_takes_its_periods_only(fake, dated):
    first = fake.effect("average", window=slice(2020, 2021)).draws
    np.testing.assert_allclose(
        first, fake.effect("pointwise").draws.sel(time=[2020, 2021]).mean("time")
    )
    assert dated.effect("pointwise", window=slice("2024-01-22", None)).draws.sizes["time"] == 7


@pytest.mark.parametrize(
    "window",
    [slice(1990, 1995), slice(2019, 2021), slice(2026, 2030), (2020, 2021), slice(0, 1, 2)],
)
def test_a_window_outside_the_post_period_is_refused(fake, window):
    with pytest.raises(ResultError, match="R002"):
        fake.effect("average", window=window)


def test_an_unknown_estimand_suggests_one(fake):
    with pytest.raises(ResultError, match=r"R005.*Did you mean 'average'"):
        fake.effect("averag")


def test_per_cent_are_recognised(fake):
    with pytest.raises(OptionError, match=r"O004.*Did you mean 0\.95"):
        fake.summary(ci_prob=95)


def test_summary_is_numeric_with_the_promised_columns(fake):
    table = fake.summary()
    assert table.columns.tolist() == SUMMARY
    assert table.index.tolist() == ["average", "total", "cumulative", "relative", "log_ratio"]
    assert all(
        pd.api.types.is_numeric_dtype(table[c]) for c in SUMMARY if c not in ("ci_kind", "measure")
    )


def test_weights_are_sorted_and_name_core_and_projection(fake):
    table = fake.weights()
    assert table["mean"].is_monotonic_decreasing
    assert table.index[table["core"]].tolist() == ["donor_00", "donor_01"]
    assert table["projected"].sum() == pytest.approx(1)
    assert table.attrs["projection_loss"] < 0.1
    assert 0 <= table.attrs["core_probability"] <= 1


def test_frames_have_one_row_per_time_and_split_at_start(dated):
    table = dated.to_frame()
    assert table.index.equals(dated.panel.times)
    assert table["cumulative_median"].isna().sum() == len(dated.panel.pre)
    np.testing.assert_allclose(
        table["effect_median"], table["observed"] - table["counterfactual_median"]
    )


def test_synthetic_has_no_noise_and_counterfactual_has(fake):
    spread = fake.counterfactual.std(("chain", "draw")), fake.synthetic.std(("chain", "draw"))
    assert (spread[0] > spread[1]).all()
    donors = fake.panel.donor_outcomes.to_numpy()
    weights, level = (
        fake.idata["posterior"]["weights"].to_numpy(),
        fake.idata["posterior"]["level"].to_numpy(),
    )
    np.testing.assert_allclose(fake.synthetic, weights @ donors.T + level[..., None])


def test_diagnostics_cover_effect_noise_and_every_weight(fake):
    table = fake.diagnostics()
    assert table.index[:3].tolist() == ["average effect", "s", "q"]
    assert len(table) == 3 + len(fake.panel.donors)
    assert table.attrs["divergences"] == 0


def test_what_diagnostics_add_in_words_is_plain(real):
    attrs = real.diagnostics().attrs
    assert list(attrs) == [
        "convergence", "fit", "alarms", "divergences", "attempts", "partial", "warnings",
    ]  # fmt: skip
    assert json.loads(json.dumps(attrs)) == attrs
    assert attrs["attempts"] == [
        {
            "target_accept": real.record.settings.size.target_accept,
            "tune": 1000,
            "problems": [],
            "divergences": 0,
            "kept": True,
        }
    ]


def test_a_fit_that_has_not_converged_says_so_in_its_first_line():
    fit = fake_fit(divergences=50)
    assert (fit.converged, fit.ok) == (False, False)
    assert (
        repr(fit)
        .splitlines()[0]
        .startswith("NOT CONVERGED: do not use this fit. 5.0% of transitions diverged")
    )
    assert "NOT CONVERGED" in fit.diagnostics().attrs["convergence"]


def test_a_short_run_warns_and_is_not_ok(prop99):
    with pytest.warns(ConvergenceWarning, match="S003"):
        fit = bs.SyntheticControl(calibrate=False).fit(
            prop99, draws=50, tune=100, chains=2, random_seed=1, progressbar=False
        )
    assert not fit.ok


def test_the_repr_says_what_was_found_and_whether_to_trust_it(fake):
    text = repr(fake)
    for part in (
        "sales per period",
        "95% ETI",
        "P(effect > 0)",
        "two-sided p",
        "the worst of uncalibrated average effect and noise",
        "with their plain mean",
        "converged",
        "rolling origins",
        "not calibrated",
        "drifts",
    ):
        assert part in text


def test_html_escapes_labels():
    panel = fake_panel()
    table = panel.outcomes.to_pandas().rename(columns={"donor_00": "<script>"})
    fit = fake_fit(panel=bs.Panel.from_wide(table, treated="treated", start=panel.start))
    assert "<script>" not in fit._repr_html_()


def test_arviz_takes_the_draws_as_they_are(fake):
    assert az.loo(fake.idata).n_data_points == len(fake.panel.pre)
    assert "weights[donor_00]" in az.summary(fake.idata, round_to="none").index
    for plot in (az.plot_forest, az.plot_trace_dist):
        plot(fake.idata, var_names=["weights", "s", "q"], backend="none")
    az.plot_ppc_dist(fake.idata, backend="none")


def test_the_record_has_everything_to_repeat_the_fit(fake):
    facts = json.loads(provenance(fake.model, fake.panel, fake.record))
    assert set(facts) == {"schema", "versions", "model", "panel", "sampling"}
    assert facts["sampling"]["random_seed"] == fake.record.settings.random_seed == 0


def test_prior_predictive_is_centred_on_the_observed_mean_when_the_level_is_free(panel):
    model = bs.SyntheticControl(noise=bs.noise.LocalLevel(initial_level=np.inf))
    prior = model.prior_predictive(panel, draws=200, random_seed=1)
    assert set(prior.children) == {"prior", "prior_predictive", "observed_data"}
    means = prior["prior_predictive"]["outcome"].mean("time")
    np.testing.assert_allclose(means, float(prior["observed_data"]["outcome"].mean()))


def test_effective_priors_are_told_in_outcome_units(panel):
    priors = bs.SyntheticControl(weights=bs.priors.Dirichlet(effective_donors=2)).priors(panel)
    assert priors["weights"] == "Dirichlet(0.25), expects 2 effective donors of 6"
    assert priors["q"].startswith("HalfNormal(0.5) x ")
    assert priors["level"].startswith("Normal(0, 4) x ")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"draws": 0}, "O010"), ({"chains": 1.5}, "O010"), ({"cores": 0}, "O010"),
        ({"target_accept": 1.0}, "O010"), ({"sampler": "gibbs"}, "O001"),
        ({"random_seed": -1}, "O009"), ({"random_seed": 1.0}, "O009"),
        ({"random_seed": True}, "O009"), ({"random_seed": np.random.RandomState(1)}, "O009"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused_before_anything_is_compiled(panel, options, code):
    with pytest.raises(OptionError, match=code):
        bs.SyntheticControl().fit(panel, **options)


def test_a_frame_instead_of_a_panel_is_explained():
    with pytest.raises(OptionError, match=r"\[O001\] panel must be a bs.Panel, got DataFrame"):
        bs.SyntheticControl().fit(pd.DataFrame())


def test_objects_that_are_no_specification_are_refused():
    with pytest.raises(PriorError, match="O006"):
        bs.SyntheticControl(weights=1.0)
    with pytest.raises(PriorError, match="O006"):
        bs.SyntheticControl(noise="local level")


def test_the_default_model_on_proposition_99(real):
    assert real.converged
    assert real.ok
    assert -27 < float(real.effect("average").draws.mean()) < -11
    assert isinstance(real.effect("average").draws, xr.DataArray)


def test_the_built_model_is_plain_pymc(prop99):
    model = bs.SyntheticControl().build(prop99)
    assert {v.name for v in model.free_RVs} == {"gamma", "exponential", "s", "q"}
    assert np.isfinite(sum(model.point_logps().values()))


def test_text_on_a_calendar_means_all_of_it(dated):
    assert dated.effect("pointwise", window=slice("2024-01-21", "2024-01")).draws.sizes["time"] == 8


def test_a_series_that_rises_by_equal_steps_has_a_typical_step():
    panel = fake_panel()
    table = panel.outcomes.to_pandas().assign(treated=0.1 * np.arange(28))
    even = bs.Panel.from_wide(table, treated="treated", start=panel.start)
    step = Problem.of(bs.SyntheticControl(), even).inputs.step
    assert step == pytest.approx(float((0.1 * np.arange(20)).std()))


def test_weights_off_the_simplex_are_refused(panel):
    draws = {"weights": np.full((2, 5, 6), 0.2), "s": np.ones((2, 5)), "q": np.ones((2, 5))}
    dims = {"weights": ("chain", "draw", "donor")}
    posterior = xr.Dataset(
        {name: (dims.get(name, ("chain", "draw")), value) for name, value in draws.items()}
    )
    problem = Problem.of(bs.SyntheticControl(), panel)
    with pytest.raises(PriorError, match=r"O006.*must be one on the simplex, got draws"):
        posterior_groups(problem, posterior, np.random.default_rng(1))


def test_priors_of_ones_own_never_share_a_compiled_model(panel):
    def structures(prior):
        models = [bs.SyntheticControl(noise=IID(s=prior(sd)), calibrate=False) for sd in (1, 0.01)]
        return [Problem.of(model, panel).structure for model in models]

    foreign, ours = structures(Own), structures(bs.priors.HalfNormal)
    assert foreign[0] != foreign[1]
    assert ours[0] == ours[1]


class Own:
    """A prior that numpy knows and that is not ours."""

    def __init__(self, sd):
        self.sd = sd

    def create_variable(self, name):
        return pm.HalfNormal(name, self.sd)

    def sample(self, draws, rng):
        return np.abs(rng.standard_normal(draws)) * self.sd

    def log_density(self, value):
        return np.zeros_like(value)


def test_a_poor_fit_says_so_in_its_first_line():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(100 + 50 * rng.standard_normal((28, 5)), columns=list("abcde"))
    table["treated"] = 100 + 0.01 * np.cumsum(rng.standard_normal(28))
    fit = fake_fit(panel=bs.Panel.from_wide(table, treated="treated", start=20))
    assert repr(fit).startswith("POOR FIT: before treatment")


@pytest.mark.slow
def test_proposition_99_converges_for_ten_seeds(prop99):
    fits = [
        bs.SyntheticControl().fit(prop99, random_seed=seed, progressbar=False)
        for seed in range(1, 11)
    ]
    tables = [fit.diagnostics() for fit in fits]
    watched = [table.loc[["average effect", "s", "q"]] for table in tables]
    assert all(table["r_hat"].max() < 1.01 for table in watched)
    assert all(table[["ess_bulk", "ess_tail"]].min().min() > 400 for table in watched)
    divergences = [table.attrs["divergences"] for table in tables]
    assert max(divergences) <= 1
    assert divergences.count(0) >= 8
    assert all(-27 < float(fit.effect("average").draws.mean()) < -11 for fit in fits)


@pytest.fixture(scope="module")
def logged() -> tuple[bs.Fit, bs.Fit]:
    """A fit on the log scale, and one of the logarithms."""
    panel, plan = fake_panel(), bs.Calibration(draws=60, tune=100)
    logs = np.log(panel.outcomes.to_pandas())
    other = bs.Panel.from_wide(logs, treated="treated", start=panel.start, outcome="log sales")
    options = {"draws": 100, "tune": 100, "chains": 2, "progressbar": False, "random_seed": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return (
            bs.SyntheticControl(scale="log", calibrate=plan).fit(panel, **options),
            bs.SyntheticControl(calibrate=plan).fit(other, **options),
        )


def test_the_log_scale_is_the_model_of_the_logarithms(logged):
    ours, theirs = logged
    for group, name in [("posterior", "weights"), ("posterior", "q"), ("calibration", "kappa")]:
        np.testing.assert_array_equal(ours.idata[group][name], theirs.idata[group][name])
    pd.testing.assert_frame_equal(ours.calibration.table, theirs.calibration.table)
    for group, name in [
        ("posterior_predictive", "outcome"), ("predictions", "counterfactual"),
        ("predictions_uncalibrated", "counterfactual"), ("prior_predictive", "outcome"),
    ]:  # fmt: skip
        np.testing.assert_allclose(
            ours.idata[group][name], np.exp(theirs.idata[group][name]), rtol=1e-12
        )
    np.testing.assert_allclose(ours.synthetic, np.exp(theirs.synthetic), rtol=1e-12)
    observed = ours.idata["observed_data"]["outcome"]
    np.testing.assert_allclose(
        ours.idata["log_likelihood"]["outcome"],
        theirs.idata["log_likelihood"]["outcome"] - np.log(observed),
    )
    assert ours.fit_verdict == theirs.fit_verdict


def test_effects_on_the_log_scale_are_in_outcome_units(logged):
    fit, panel = logged[0], fake_panel()
    observed = panel.treated_outcome.sel(time=panel.post.to_numpy())
    expected = (observed - fit.idata["predictions"]["counterfactual"]).mean("time")
    xr.testing.assert_allclose(fit.effect("average").draws, expected.rename("average"))
    assert "logarithms of outcomes" in repr(fit)
    assert fit.model.priors(panel)["s"].endswith(" log sales")


@pytest.mark.filterwarnings("ignore:.V04")
def test_outcomes_without_a_logarithm_are_refused_by_name():
    table = fake_panel().outcomes.to_pandas()
    table.iloc[2, 1], table.iloc[3:5, 3] = 0.0, -1.0
    panel = bs.Panel.from_wide(table, treated="treated", start=2020)
    with pytest.raises(PanelError, match=r"\[V013\] 2 donors .*: donor_01 \(1\), donor_03 \(2\)"):
        bs.SyntheticControl(scale="log").build(panel)


def test_an_unknown_scale_is_refused():
    with pytest.raises(OptionError, match=r"\[O001\] .*'logs'.* Did you mean 'log'"):
        bs.SyntheticControl(scale="logs")


def test_the_drifts_prior_is_told_too(panel):
    priors = bs.SyntheticControl(noise=bs.noise.LocalLinearTrend(drift=0.1)).priors(panel)
    assert priors["drift"].startswith("Normal(0, 0.1) x ")
    assert priors["drift"].endswith(" per period")


def test_on_the_log_scale_no_mean_is_given(logged):
    table = logged[0].summary()
    assert table.loc[["average", "total", "relative"], ["mean", "sd", "mcse"]].isna().all(axis=None)
    assert table[["median", "lower", "upper"]].notna().all(axis=None)
    assert table.loc["log_ratio"].notna().all()


@pytest.mark.filterwarnings("ignore:.V04", "ignore:.D040")
def test_what_the_treated_unit_did_after_the_start_may_have_no_logarithm():
    table = fake_panel().outcomes.to_pandas()
    table.loc[2022:, "treated"] = 0.0
    panel = bs.Panel.from_wide(table, treated="treated", start=2020)
    assert bs.SyntheticControl(scale="log").build(panel)["weights"] is not None
    table.loc[2003, "treated"] = 0.0
    with pytest.raises(
        PanelError, match=r"\[V013\] the treated unit has outcomes of zero or less in 1 pre-periods"
    ):
        bs.SyntheticControl(scale="log").build(
            bs.Panel.from_wide(table, treated="treated", start=2020)
        )
