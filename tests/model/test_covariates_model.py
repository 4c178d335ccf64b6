"""Covariates in the model: exact draws by both samplers, forecasts, placebos, files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import ConvergenceWarning, OptionError, PriorError, ResultError
from bayes_synth.model.problem import Problem
from bayes_synth.noise import IID, LocalLevel
from bayes_synth.priors import Coefficients
from bayes_synth.results.groups import posterior_groups, prior_groups
from bayes_synth.results.weighted import adjusted
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.testing import fake_fit

TRUTH = {"price": -8.0, "heat": 0.5}
PLAIN = bs.SyntheticControl(calibrate=False)


def frame(periods=30, donors=5, effect=2.0, seed=3):
    """A panel whose outcomes follow a price and a temperature; treated from period 24 on."""
    rng = np.random.default_rng(seed)
    size = periods, donors + 1
    price, heat = 1 + 0.1 * rng.standard_normal(size), rng.standard_normal(size)
    outcome = 20 + rng.standard_normal((periods, 1)).cumsum(0) + 0.3 * rng.standard_normal(size)
    outcome[:, -1] = outcome[:, :2].mean(1) + 0.2 * rng.standard_normal(periods)
    outcome += TRUTH["price"] * price + TRUTH["heat"] * heat
    outcome[24:, -1] += effect
    units = [f"donor {j}" for j in range(donors)] + ["treated"]
    columns = {"sales": outcome, "price": price, "heat": heat}
    index = pd.MultiIndex.from_product([range(periods), units], names=["time", "unit"])
    return pd.DataFrame({n: x.ravel() for n, x in columns.items()}, index=index).reset_index()


def panel_of(rows=None, covariates=("price", "heat"), **options):
    rows = frame() if rows is None else rows
    options = {"treated": "treated", "start": 24} | options
    names = {"unit": "unit", "time": "time", "outcome": "sales"}
    return bs.Panel.from_long(rows, **names, covariates=list(covariates) or None, **options)


@pytest.fixture(scope="module")
def panel():
    return panel_of()


@pytest.fixture(scope="module")
def fit(panel):
    return PLAIN.fit(panel, draws=700, tune=200, chains=4, random_seed=1, progressbar=False)


def drawn(problem, seed=1, draws=500, sampler="auto"):
    size = Size(draws, tune=300, chains=2, target_accept=0.97)
    settings = Settings.checked(size, sampler=sampler, cores=1, random_seed=seed)
    return sample(problem, settings, seed).posterior


def exact_coefficients(problem, weights, s, q):
    """The coefficients' mean and covariance given all else, by dense linear algebra."""
    inputs, scaled = problem.inputs, problem.covariates.before
    times = np.arange(1, inputs.periods + 1)
    noise = s**2 * np.eye(len(times)) + q**2 * np.minimum.outer(times, times)
    covariance = noise + problem.process.level_sd**2
    apart = scaled.treated - np.einsum("kjt,j->kt", scaled.donors, weights)
    residual = inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ weights
    solved = np.linalg.solve(covariance, apart.T)
    precision = np.eye(len(apart)) + apart @ solved
    return np.linalg.solve(precision, residual @ solved), np.linalg.inv(precision)


def test_coefficients_follow_their_law_given_weights_and_sds(panel):
    """Standardised by it they are independent standard normals, whatever the other draws."""
    problem = Problem.of(PLAIN, panel.keep(["donor 0"]))
    posterior = drawn(problem, draws=1000)
    z = []
    for chain in range(2):
        for draw in range(0, 1000, 5):
            each = posterior.isel(chain=chain, draw=draw)
            mean, covariance = exact_coefficients(
                problem, each["weights"].to_numpy()[:1], float(each["s"]), float(each["q"])
            )
            whiten = np.linalg.inv(np.linalg.cholesky(covariance))
            z.append(whiten @ (each["coefficients"].to_numpy() - mean))
    z = np.array(z)
    assert np.abs(z.mean(0)).max() < 4 / np.sqrt(len(z))
    assert np.abs(z.std(0) - 1).max() < 4 / np.sqrt(2 * len(z))


def test_known_coefficients_are_found_and_the_effect_with_them(fit):
    draws = fit.idata["posterior"].to_dataset()["coefficients"]
    assert draws.dims == ("chain", "draw", "covariate")
    mean, sd = draws.mean(("chain", "draw")), draws.std(("chain", "draw"))
    for name, value in TRUTH.items():
        assert abs(float(mean.sel(covariate=name)) - value) < 4 * float(sd.sel(covariate=name))
    low, high = fit.effect("average").interval(0.99).to_numpy()
    assert low < 2 < high
    without = replace(PLAIN, covariates=None)
    plain = without.fit(fit.panel, draws=700, tune=200, chains=4, random_seed=1, progressbar=False)
    assert "coefficients" not in plain.idata["posterior"]
    assert np.diff(plain.effect("average").interval(0.9))[0] > 1.5 * (high - low)


def test_a_model_without_them_equals_a_panel_without_them(panel):
    bare = panel_of(covariates=())
    options = {"draws": 30, "tune": 20, "chains": 1, "random_seed": 1, "progressbar": False}
    with pytest.warns(ConvergenceWarning, match="S003"):
        one = replace(PLAIN, covariates=None).fit(panel, **options)
    with pytest.warns(ConvergenceWarning, match="S003"):
        two = PLAIN.fit(bare, **options)
    assert one.idata["predictions"].to_dataset().equals(two.idata["predictions"].to_dataset())


@pytest.mark.parametrize("noise", [LocalLevel(initial_level=np.inf), IID()])
def test_where_a_covariate_is_counted_from_does_not_matter(panel, noise):
    rows = frame()
    rows["price"] += 1000
    model = replace(PLAIN, noise=noise)
    one, two = (drawn(Problem.of(model, p), draws=50) for p in (panel, panel_of(rows)))
    xr.testing.assert_allclose(one, two, rtol=1e-4)


def test_another_measure_of_a_covariate_rescales_its_coefficient(panel):
    cents = frame()
    cents["price"] *= 100
    problems = [Problem.of(PLAIN, each) for each in (panel, panel_of(cents))]
    one, two = (drawn(each, draws=50) for each in problems)
    xr.testing.assert_allclose(one, two, rtol=1e-6)
    ratio = problems[1].covariates.per_step / problems[0].covariates.per_step
    np.testing.assert_allclose(ratio, [100, 1])


def test_placebos_carry_their_own_covariates(panel):
    problem = Problem.of(PLAIN, panel)
    one = problem.as_if_treated(["donor 2"])
    two = Problem.of(PLAIN, panel.as_if_treated("donor 2"), pool=panel.donors)
    for name in ("treated", "donors"):
        np.testing.assert_array_equal(getattr(one.covariates, name), getattr(two.covariates, name))
    assert drawn(one, draws=10).equals(drawn(two, draws=10))


def test_the_problem_given_coefficients_is_the_regression_on_what_they_leave(panel):
    problem, chosen = Problem.of(PLAIN, panel), np.array([0.7, -0.2])
    given, scaled = problem.given(chosen), problem.covariates.scaled
    weights = np.full(5, 0.2)
    residual = given.inputs.outcome - given.inputs.donor_outcomes[:24] @ weights
    apart = scaled.treated - np.einsum("kjt,j->kt", scaled.donors, weights)
    expected = problem.inputs.outcome - problem.inputs.donor_outcomes[:24] @ weights
    np.testing.assert_allclose(residual, expected - chosen @ apart[:, :24], atol=1e-12)
    assert given.covariates is None
    assert given.given(chosen) is given


def test_the_synthetic_unit_and_the_counterfactual_have_what_covariates_explain(fit):
    apart = (fit.counterfactual - fit.synthetic).mean(("chain", "draw"))
    assert float(np.abs(apart).max()) < 0.4
    panel = fit.panel
    weights, b, level = (
        fit.idata["posterior"].to_dataset()[name].isel(chain=0, draw=0).to_numpy()
        for name in ("weights", "coefficients", "level")
    )
    x = panel.covariates.of([*panel.donors, "treated"]).to_numpy()
    by_hand = panel.donor_outcomes.to_numpy() @ weights + level
    by_hand += b @ (x[..., -1] - x[..., :-1] @ weights)
    np.testing.assert_allclose(fit.synthetic.isel(chain=0, draw=0), by_hand, rtol=1e-10)


def test_verdicts_judge_what_covariates_leave(fit):
    assert adjusted(fit.problem, fit.idata).inputs.outcome is not fit.problem.inputs.outcome
    plain = replace(fit.model, covariates=None)
    other = plain.fit(fit.panel, draws=400, tune=100, chains=4, random_seed=1, progressbar=False)
    assert fit.fit_verdict.error < 0.7 * other.fit_verdict.error
    assert any(name.startswith("coefficients[") for name in fit.diagnostics().index)


def test_the_last_period_does_not_change_when_more_follow(panel):
    problem = Problem.of(PLAIN, panel)
    shorter = Problem.of(PLAIN, panel_of(frame().query("time < 27")))
    posterior = drawn(problem, draws=20)
    long, short = (
        posterior_groups(each, posterior, np.random.default_rng(1))["predictions"]["counterfactual"]
        for each in (problem, shorter)
    )
    assert long.isel(time=slice(3)).equals(short)


def test_prior_draws_have_coefficients_in_outcome_units(panel):
    problem = Problem.of(replace(PLAIN, covariates=Coefficients(sd={"price": 2, "heat": 1})), panel)
    prior = prior_groups(problem, 2000, np.random.default_rng(1))["prior"]["coefficients"]
    rows = frame().query("time < 24").sort_values(["unit", "time"])
    changes = rows.groupby("unit")[["price", "heat"]].diff().dropna()
    steps = np.sqrt((changes**2).mean()).to_numpy()
    expected = problem.inputs.step / steps * [2, 1]
    np.testing.assert_allclose(prior.std(("chain", "draw")), expected, rtol=0.08)


@pytest.mark.long
def test_a_fit_with_covariates_is_saved_and_extended(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    back = bs.load(tmp_path / "fit.nc")
    assert (back.panel, back.model) == (fit.panel, fit.model)
    assert back.synthetic.equals(fit.synthetic)
    rows = frame(periods=30)
    later = rows.query("time == 29").assign(time=30)
    longer = fit.extend(panel_of(pd.concat([rows, later])))
    assert longer.idata["posterior"].to_dataset().equals(fit.idata["posterior"].to_dataset())
    assert len(longer.panel.post) == 7
    with pytest.raises(ResultError, match=r"O113.*have the covariates of the fit, price, heat"):
        fit.extend(panel_of(pd.concat([rows, later]), covariates=["price"]))
    changed = rows.assign(heat=rows["heat"].where(rows.index != 7, 3.0))
    with pytest.raises(ResultError, match=r"O113.*in 1 cells: heat of donor 1 at 1"):
        fit.extend(panel_of(changed))


def test_what_is_no_prior_is_refused(panel):
    for sd in (0, -1, np.inf, True, "1", {"price": 0}):
        with pytest.raises(PriorError, match="O110"):
            Coefficients(sd=sd)
    with pytest.raises(PriorError, match=r"O111.*got none for 'heat'.*Did you mean 'hat'"):
        Problem.of(replace(PLAIN, covariates=Coefficients(sd={"price": 1, "hat": 1})), panel)
    for given in (["price"], 1.0, True):
        with pytest.raises(OptionError, match="O112"):
            bs.SyntheticControl(covariates=given)


def test_covariates_are_named_among_the_priors_and_in_reports(panel):
    fit = fake_fit(panel=panel, model=PLAIN)
    words = "Normal(0, 1) typical steps per typical step of price, heat"
    assert fit.problem.priors["coefficients"] == words
    assert "price, heat" in fit.report("text")


def test_draws_of_another_sampler_need_their_coefficients(fit):
    tree = xr.DataTree.from_dict({"/posterior": fit.idata["posterior"].to_dataset()})
    again = bs.Fit.from_idata(fit.panel, fit.model, tree, random_seed=1)
    mine, theirs = (each.idata["posterior"]["coefficients"] for each in (again, fit))
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    tree["posterior"] = tree["posterior"].to_dataset().assign_coords(covariate=["price", "rain"])
    with pytest.raises(ResultError, match=r"R046.*price, heat; got price, rain"):
        bs.Fit.from_idata(fit.panel, fit.model, tree, random_seed=1)


@pytest.mark.long
@pytest.mark.filterwarnings(r"ignore:\[P027\]")
@pytest.mark.parametrize("hidden", [False, True])
def test_nuts_draws_from_the_same_posterior(panel, hidden):
    """Slices need every outcome of the treated unit, so with a missing one NUTS runs alone."""
    if hidden:
        rows = frame()
        gone = (rows["unit"] == "treated") & (rows["time"] == 5)
        panel = panel_of(rows.assign(sales=rows["sales"].where(~gone)), missing="model")
    problem = Problem.of(PLAIN, panel)
    other = Problem.of(PLAIN, panel_of()) if hidden else problem
    slices, nuts = drawn(other, draws=2000), drawn(problem, draws=2000, sampler="nutpie")
    for name in ("coefficients", "s"):
        # A hidden outcome changes the typical step, so both are compared in outcome units.
        units = [
            each.inputs.step / (each.covariates.per_step if name == "coefficients" else 1)
            for each in (other, problem)
        ]
        one, two = (
            each[name].mean(("chain", "draw")).to_numpy() * unit
            for each, unit in zip((slices, nuts), units, strict=True)
        )
        sd = slices[name].std(("chain", "draw")).to_numpy() * units[0]
        assert (np.abs(one - two) < (0.5 if hidden else 0.12) * sd).all(), name


@pytest.mark.long
def test_the_graph_that_users_get_has_the_same_posterior(panel, fit):
    import pymc as pm

    with PLAIN.build(panel) as graph:
        assert graph.named_vars_to_dims["coefficients"] == ("covariate",)
        tree = pm.sample(
            500, tune=700, chains=2, cores=1, random_seed=1, progressbar=False,
            target_accept=0.95, nuts_sampler="pymc",
        )  # fmt: skip
    draws = tree["posterior"]["coefficients"]
    over, mine = ("chain", "draw"), fit.idata["posterior"]["coefficients"]
    assert (np.abs(draws.mean(over) - mine.mean(over)) < 0.25 * mine.std(over)).all()
    assert bs.Fit.from_idata(panel, PLAIN, tree, random_seed=1).converged
