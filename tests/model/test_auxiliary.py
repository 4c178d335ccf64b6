"""Auxiliary outcomes in a model: exact draws, effects, placebos, files, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dense import covariance, dense_log_density
from scipy import special, stats

import bayes_synth as bs
from bayes_synth.errors import DesignError, LoadError, PanelError, ResultError
from bayes_synth.fitting.placebos import placebo_answer
from bayes_synth.model.auxiliary import about
from bayes_synth.model.problem import Problem
from bayes_synth.noise import AR1, IID, LocalLevel
from bayes_synth.report.facts import facts
from bayes_synth.results.auxiliary import each_auxiliary
from bayes_synth.sampling.regression import OUTCOME_SDS
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.testing import fake_fit

PLAIN = bs.SyntheticControl(calibrate=False)
CALIBRATED = bs.SyntheticControl(calibrate=bs.Calibration(draws=60, tune=60))


def frame(periods=26, donors=5, noise=0.3, effects=(2.0, -30.0), seed=3):
    """Sales follow two donors; so do visits, which are measured in tens. Treated from 20 on."""
    rng = np.random.default_rng(seed)
    size, truth = (periods, donors), np.array([0.6, 0.4] + [0.0] * (donors - 2))
    columns = {}
    for name, sd, unit, effect in zip(
        ("sales", "visits"), (0.5, noise), (1.0, 10.0), effects, strict=True
    ):
        series = rng.standard_normal(size).cumsum(0)
        own = series @ truth + sd * rng.standard_normal(periods)
        both = 50 + unit * np.column_stack([series, own])
        both[20:, -1] += effect
        columns[name] = both.ravel()
    units = [f"donor {j}" for j in range(donors)] + ["treated"]
    index = pd.MultiIndex.from_product([range(periods), units], names=["time", "unit"])
    return pd.DataFrame(columns, index=index).reset_index()


def panel_of(rows=None, auxiliary="visits", outcome="sales", **options):
    rows = frame() if rows is None else rows
    names = {"unit": "unit", "time": "time", "outcome": outcome, "treated": "treated", "start": 20}
    return bs.Panel.from_long(rows, **names, auxiliary=auxiliary, **options)


def drawn(model, panel, draws=1500, seed=1):
    settings = Settings.checked(Size(draws, 300, 4, 0.9), cores=1, random_seed=seed)
    return sample(Problem.of(model, panel), settings, seed).posterior


@pytest.fixture(scope="module")
def panel():
    return panel_of()


@pytest.fixture(scope="module")
def fit(panel):
    return CALIBRATED.fit(panel, draws=500, tune=200, random_seed=1, progressbar=False)


def log_density_of_weights(problem, shares, nodes):
    """Log density of the outcome given the first donor's weight: sds integrated out, dense."""
    process, series = problem.process, problem.inputs.donor_outcomes[: problem.inputs.periods]
    u = (np.arange(nodes) + 0.5) / nodes
    axes = [stats.halfnorm.ppf(u, scale=p.sigma) for p in process.priors().values()]
    points = [dict(zip(process.priors(), values, strict=True)) for values in _product(axes)]
    residuals = problem.inputs.outcome - np.column_stack([shares, 1 - shares]) @ series.T
    values = [_log_densities(process, {"q": 0.0, **point}, residuals) for point in points]
    return special.logsumexp(values, axis=0) - np.log(len(points))


def _log_densities(process, point, residuals):
    """Return the dense log density of every residual, with the level integrated out."""
    dense = covariance(process, point, residuals.shape[1])
    if np.isfinite(process.level_sd):
        return stats.multivariate_normal.logpdf(residuals, cov=dense + process.level_sd**2)
    steps = np.diff(np.eye(len(dense)), axis=0)
    return stats.multivariate_normal.logpdf(residuals @ steps.T, cov=steps @ dense @ steps.T)


def _product(axes):
    return np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)


@pytest.mark.parametrize(
    ("noise", "nodes"),
    [(IID(), 200), (LocalLevel(), 24)],
    ids=["iid", "local level"],
)
def test_the_posterior_of_the_weights_is_that_of_quadrature(noise, nodes):
    """Given the weights the outcomes are independent, so their densities multiply."""
    panel = panel_of(frame(periods=24, donors=2, noise=0.8))
    model = bs.SyntheticControl(
        weights=bs.priors.Dirichlet(concentration=1.0), noise=noise, calibrate=False
    )
    problem, shares = Problem.of(model, panel), (np.arange(60) + 0.5) / 60
    each = [log_density_of_weights(own, shares, nodes) for own in (problem, *problem.auxiliary)]
    draws = drawn(model, panel, draws=3000)["weights"].isel(donor=0).to_numpy()
    for logs, exact in ((sum(each), True), (each[0], False)):
        mass = np.exp(logs - logs.max())
        mean = (mass * shares).sum() / mass.sum()
        sd = np.sqrt((mass * (shares - mean) ** 2).sum() / mass.sum())
        assert (abs(draws.mean() - mean) < 0.1 * sd) == exact
        assert (draws.std() == pytest.approx(sd, rel=0.06)) == exact


def test_shared_weights_are_known_better(panel):
    alone, shared = (drawn(PLAIN, each)["weights"] for each in (panel_of(auxiliary=None), panel))
    over = ("chain", "draw")
    assert float(shared.std(over).mean()) < 0.6 * float(alone.std(over).mean())


def test_an_outcome_of_no_information_changes_nothing():
    """Donors that hardly move under large noise say nothing about the weights."""
    rng, rows = np.random.default_rng(4), frame()
    treated = rows["unit"] == "treated"
    quiet = pd.Series(1e-4 * rng.standard_normal(len(rows)) + 7, index=rows.index)
    rows = rows.assign(visits=quiet.where(~treated, 7 + rng.standard_normal(len(rows))))
    alone, shared = (drawn(PLAIN, panel_of(rows, each), draws=2500) for each in (None, "visits"))
    over = ("chain", "draw")
    for name in ("weights", "s"):
        sd = alone[name].std(over)
        assert (abs(shared[name].mean(over) - alone[name].mean(over)) < 0.12 * sd).all()
        np.testing.assert_allclose(shared[name].std(over), sd, rtol=0.12)


def test_which_outcome_is_the_main_one_does_not_matter(panel):
    one, other = drawn(PLAIN, panel), drawn(PLAIN, about(panel, "visits"), seed=2)
    over = ("chain", "draw")
    sd = one["weights"].std(over)
    assert (abs(one["weights"].mean(over) - other["weights"].mean(over)) < 0.12 * sd).all()
    s = one["s"].mean(), other[OUTCOME_SDS].isel(auxiliary=0, sd=0).mean()
    assert float(s[0]) == pytest.approx(float(s[1]), rel=0.05)


def test_no_measure_of_an_outcome_matters():
    rows = frame()
    other = rows.assign(visits=1000 - 64 * rows["visits"])
    for name in ("weights", OUTCOME_SDS):
        one, two = (drawn(PLAIN, panel_of(each), draws=50)[name] for each in (rows, other))
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)


def test_the_log_density_is_the_sum_over_outcomes(panel):
    """Compared between draws, because constants are left out."""
    problem = Problem.of(PLAIN, panel)
    settings = Settings.checked(Size(20, 50, 1, 0.9), cores=1, random_seed=1)
    sampled = sample(problem, settings, 1)
    posterior, given = sampled.posterior, sampled.sample_stats["lp"].to_numpy()[0]
    each = [(problem, posterior), *each_auxiliary(problem, posterior)]
    alpha, expected = problem.prior.alpha(problem.donors), np.zeros(20)
    for t in range(20):
        weights = posterior["weights"].to_numpy()[0, t]
        expected[t] += ((alpha - 1) * np.log(weights)).sum()
        for own, draws in each:
            point = {name: float(draws[name][0, t]) for name in ("s", "q")}
            inputs = own.inputs
            residual = inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ weights
            expected[t] += dense_log_density(own.process, point, residual)
            for name, prior in own.process.priors().items():
                expected[t] += stats.halfnorm.logpdf(point[name], scale=prior.sigma)
                expected[t] += np.log(point[name])
    np.testing.assert_allclose(np.diff(given), np.diff(expected), rtol=1e-7, atol=1e-7)


def test_rows_to_match_enter_once(panel):
    rows = frame().assign(size=lambda x: x["unit"].str[-1].map(ord) % 7 + 0.1 * x["visits"])
    known = panel_of(rows, predictors=bs.Predictors(["size"]))
    matched = replace(PLAIN, predictors=bs.predictors.Matched(sd=0.01))
    over = ("chain", "draw")
    apart = [
        float(abs(fit["treated"] - fit["synthetic"]).iloc[0])
        for fit in (
            model.fit(known, draws=300, tune=200, random_seed=1, progressbar=False).balance()
            for model in (PLAIN, matched)
        )
    ]
    assert apart[1] < 0.2 * apart[0]
    assert drawn(matched, known, draws=50)["weights"].std(over).max() > 0


def test_every_outcome_has_an_effect_in_its_own_measure(fit):
    own = fit.auxiliary["visits"]
    assert list(fit.auxiliary) == ["visits"]
    assert 0 < fit.effect("average").median() < 4
    assert -45 < own.effect("average").median() < -15
    assert own.effect("average").measure == "visits per period"
    assert own.panel.outcome == "visits"
    np.testing.assert_array_equal(
        own.idata["posterior"]["weights"], fit.idata["posterior"]["weights"]
    )
    assert own.synthetic.sizes["time"] == 26
    assert own.auxiliary == {}
    assert own.converged
    assert "s of visits" in fit.diagnostics().index


def test_shocks_to_come_are_independent_between_outcomes(fit):
    paths = [
        each.idata["predictions_uncalibrated"]["counterfactual"].isel(time=-1).to_numpy().ravel()
        for each in (fit, fit.auxiliary["visits"])
    ]
    assert abs(np.corrcoef(*paths)[0, 1]) < 0.2


def test_every_outcome_is_calibrated_by_its_own_errors(fit, panel):
    own = fit.auxiliary["visits"]
    assert len(own.calibration.table) == len(fit.calibration.table) == 5
    assert not np.allclose(own.calibration.table["z"], fit.calibration.table["z"])
    assert own.calibration.kappa is not None
    assert not np.array_equal(own.calibration.kappa, fit.calibration.kappa)
    placebo = Problem.of(PLAIN, panel).as_if_treated(["donor 1"])
    answer = placebo_answer(placebo, Settings.checked(Size(50, 50, 2, 0.9), cores=1, random_seed=1))
    expected = Problem.of(PLAIN, panel.as_if_treated("donor 1"))
    (theirs,) = expected.auxiliary
    assert answer.auxiliary[0].row["step"] == pytest.approx(theirs.inputs.step)
    assert answer.auxiliary[0].forecast.error.shape == (6,)
    np.testing.assert_array_equal(placebo.regression.outcomes[0], expected.regression.outcomes[0])


def test_plain_fits_do_not_know_of_it(panel):
    plain = panel_of(auxiliary=None)
    fit = fake_fit(panel=plain, model=PLAIN)
    assert fit.auxiliary == {}
    assert "auxiliary" not in fit.idata.children
    assert Problem.of(PLAIN, plain).regression.outcomes is None


@pytest.mark.parametrize("suffix", [".zarr.zip", pytest.param(".nc", marks=pytest.mark.long)])
def test_files_hold_every_outcome(fit, tmp_path, suffix):
    path = tmp_path / f"fit{suffix}"
    fit.save(path)
    back = bs.load(path)
    assert back.panel == fit.panel
    mine, theirs = (each.auxiliary["visits"] for each in (fit, back))
    assert theirs.panel == mine.panel
    np.testing.assert_array_equal(theirs.effect("total").draws, mine.effect("total").draws)
    assert str(theirs.calibration) == str(mine.calibration)
    with pytest.raises(LoadError, match=r"D079.*'sales'"):
        theirs.save(tmp_path / "visits.nc")


def test_words_name_them(fit):
    assert "auxiliary  -" in repr(fit)
    assert "visits per period" in repr(fit)
    assert "weights shared with sales" in repr(fit.auxiliary["visits"])
    assert "s of visits" in fit.problem.priors
    assert "q of visits" in fit.problem.priors
    text = fit.report("text")
    assert "Effect on visits" in text
    assert "the same weights had to explain visits" in fit.methods_text()
    told = facts(fit)["auxiliary"]["visits"]
    assert told["effects"]["average"]["measure"] == "visits per period"
    assert "kappa" in told["calibration"]


def test_alarms_of_an_auxiliary_outcome_are_named_in_the_headline(panel):
    fake = fake_fit(panel=panel)
    assert "A004" in dict(fake.auxiliary["visits"].alarms)
    assert "(alarms A004" in repr(fake)


def test_checks_refit_with_them(fit):
    check = bs.checks.leave_one_out(fit, progressbar=False)
    assert len(check.table) > 1
    own = bs.checks.leave_one_out(fit.auxiliary["visits"], progressbar=False)
    assert own.table["median"].max() < 0


def test_batches_fit_them(panel):
    tasks = [
        bs.FitTask(each, PLAIN, draws=400, tune=200) for each in (panel, panel_of(auxiliary=None))
    ]
    table = bs.fit_many(tasks, random_seed=1, progressbar=False).table
    widths = table["average_upper"] - table["average_lower"]
    assert widths.iloc[0] < 0.9 * widths.iloc[1]


def test_several_treated_units_have_a_mean_of_each_outcome():
    rows = frame()
    names = {"unit": "unit", "time": "time", "outcome": "sales", "start": 20}
    panel = bs.Panel.from_long(rows, **names, treated=["treated", "donor 0"], auxiliary=["visits"])
    (own,) = Problem.of(PLAIN, panel).auxiliary
    both = rows[rows["unit"].isin(["treated", "donor 0"])].groupby("time")["visits"].mean()
    np.testing.assert_allclose(own.treated, both)


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        (replace(PLAIN, noise="auto"), "D074", 'noise="auto"'),
        (bs.SyntheticControl(scale="auto"), "D074", 'scale="auto"'),
        (replace(PLAIN, calendar="auto"), "D074", 'calendar="auto"'),
        (replace(PLAIN, noise=AR1()), "D075", "AR1"),
        (replace(PLAIN, noise=LocalLevel(degrees_of_freedom=4)), "D075", "degrees_of_freedom=4"),
    ],
)
def test_models_that_cannot_share_weights_are_refused(panel, model, code, words):
    with pytest.raises(DesignError, match=words) as caught:
        model.fit(panel, draws=10, tune=10, progressbar=False)
    assert caught.value.code == code


def test_other_things_that_are_refused(panel, fit):
    with pytest.raises(DesignError, match="D077"):
        PLAIN.fit(panel, sampler="nutpie", draws=10, tune=10, progressbar=False)
    rng = np.random.default_rng(1)
    rows = frame().assign(price=rng.standard_normal(26 * 6))
    both = panel_of(rows, covariates=["price"])
    with pytest.raises(DesignError, match=r"D076.*price"):
        PLAIN.build(both)
    assert Problem.of(replace(PLAIN, covariates=None), both).auxiliary
    with pytest.raises(ResultError, match="D078"):
        fit.extend(panel)
    with pytest.raises(ResultError, match="D078"):
        fit.auxiliary["visits"].extend(panel)
    with pytest.raises(PanelError, match="P096"):
        bs.Fit.from_idata(panel, PLAIN, fit.idata)


@pytest.mark.usefixtures("interpreted")
def test_the_graph_has_one_observed_variable_per_outcome(panel):
    import pymc as pm

    graph, own = PLAIN.build(panel), about(panel, "visits")
    assert [rv.name for rv in graph.observed_RVs] == ["outcome", "outcome (visits)"]
    observed = graph.rvs_to_values[graph["outcome (visits)"]].eval()
    np.testing.assert_allclose(observed, own.treated_outcome[: len(own.pre)])
    with graph:
        prior = pm.sample_prior_predictive(5, random_seed=1)["prior_predictive"]
    assert prior["outcome (visits)"].sizes["time"] == 20


@pytest.mark.long
def test_nuts_draws_from_the_same_posterior(panel):
    import pymc as pm

    with PLAIN.build(panel):
        tree = pm.sample(
            600, tune=500, chains=2, cores=1, random_seed=1, progressbar=False,
            target_accept=0.9, nuts_sampler="pymc",
        )  # fmt: skip
    fit = PLAIN.fit(panel, draws=2000, random_seed=2, progressbar=False)
    own, over = fit.auxiliary["visits"], ("chain", "draw")
    pairs = [
        (tree["posterior"]["weights"], fit.idata["posterior"]["weights"]),
        *((tree["posterior"][n], fit.idata["posterior"][n]) for n in ("s", "q")),
        *((tree["posterior"][f"{n} (visits)"], own.idata["posterior"][n]) for n in ("s", "q")),
    ]
    for theirs, mine in pairs:
        assert (abs(theirs.mean(over) - mine.mean(over)) < 0.25 * mine.std(over)).all(), theirs
        np.testing.assert_allclose(theirs.std(over), mine.std(over), rtol=0.25)
