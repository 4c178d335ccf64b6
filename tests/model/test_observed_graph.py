"""The PyMC model that users get, against the one that samplers compile."""

import numpy as np
import pymc as pm
import pytest
from dense import NOISES

import bayes_synth as bs
from bayes_synth.errors import OptionError, PanelWarning, ResultError
from bayes_synth.model.problem import Problem


@pytest.fixture(scope="module")
def panel():
    return bs.simulate(donors=5, pre=14, post=4, random_seed=3).panel


MODELS = {
    **{
        name: bs.SyntheticControl(noise=noise)
        for name, noise in NOISES.items()
        if np.isfinite(noise.level_sd)
    },
    "log": bs.SyntheticControl(scale="log"),
    "sqrt": bs.SyntheticControl(scale="sqrt"),
    "Student-t": bs.SyntheticControl(noise=bs.noise.LocalLevel(degrees_of_freedom=4)),
}
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")


@pytest.mark.long
@EVERY
@pytest.mark.usefixtures("interpreted")
def test_differences_of_its_density_are_those_of_the_compiled_graph(model, panel):
    problem = Problem.of(model, panel)
    ours, theirs = model.build(panel), problem.build()
    rng, gaps = np.random.default_rng(1), []
    for _ in range(3):
        values = {"gamma": rng.gamma(2.0, size=8), "exponential": rng.exponential(size=8)}
        sds = {name: float(rng.uniform(0.4, 1.5)) for name in problem.process.parameters}
        gaps.append(_gap(ours, theirs, problem, values, sds, rng))
    assert np.ptp(gaps) < 1e-7


def _gap(ours, theirs, problem, values, sds, rng):
    """The observed log density of one graph less the potential of the other, at one point."""
    count, heavy = len(problem.donors), problem.process.heavy
    mixing = {"mixing": rng.gamma(2.0, size=problem.inputs.periods)} if heavy else {}
    user = {name: value[:count] for name, value in values.items()} | mixing
    compiled = dict(values) | mixing
    for name, value in sds.items():
        bounded = name in problem.model.process.unitless
        user["rho_unit" if bounded else name] = (
            value / 2 if bounded else value * problem.inputs.step
        )
        prior = problem.process.priors()[name]
        compiled["rho_unit" if bounded else f"{name}_unit"] = (
            value / 2 if bounded else value / prior.sigma
        )
    observed = ours.logp(vars=[ours["outcome"]], jacobian=False)
    first = _evaluated(ours, observed, user)
    second = _evaluated(theirs, theirs["log_likelihood"], compiled)
    return first - second


def _evaluated(graph, term, point):
    value_of = {rv.name: graph.rvs_to_values[rv] for rv in graph.free_RVs}
    term = graph.replace_rvs_by_values([term])[0]
    given = {}
    for name, value in point.items():
        variable = value_of[name]
        transform = graph.rvs_to_transforms[graph[name]]
        raw = (
            value
            if transform is None
            else transform.forward(np.asarray(value), *graph[name].owner.inputs).eval()
        )
        given[variable] = np.asarray(raw, dtype=variable.dtype)
    return float(term.eval(given, on_unused_input="ignore"))


@pytest.mark.usefixtures("interpreted")
def test_it_has_the_panels_labels_and_outcome_units(panel):
    graph = bs.SyntheticControl().build(panel)
    assert list(graph.coords["donor"]) == list(panel.donors)
    assert len(graph.coords["time"]) == len(panel.pre)
    assert [rv.name for rv in graph.observed_RVs] == ["outcome"]
    np.testing.assert_allclose(
        graph.rvs_to_values[graph["outcome"]].eval(), panel.treated_outcome[: len(panel.pre)]
    )


@pytest.mark.long
@EVERY
@pytest.mark.usefixtures("interpreted")
def test_the_prior_predictive_is_that_of_the_library(model, panel):
    with model.build(panel):
        prior = pm.sample_prior_predictive(400, random_seed=1)
    theirs = model.prior_predictive(panel, draws=400, random_seed=2)
    ours = np.log(prior["prior_predictive"]["outcome"].std("time")).to_numpy().ravel()
    expected = np.log(theirs["prior_predictive"]["outcome"].std("time")).to_numpy().ravel()
    error = np.sqrt(ours.var() / len(ours) + expected.var() / len(expected))
    assert abs(ours.mean() - expected.mean()) < 4 * error


@pytest.mark.usefixtures("interpreted")
def test_missing_outcomes_leave_the_observed_variable():
    frame = bs.simulate(donors=5, pre=14, post=4, random_seed=3).panel
    wide = frame.outcomes.to_pandas().rename_axis(None)
    wide.iloc[3, wide.columns.get_loc(frame.treated[0])] = np.nan
    with pytest.warns(PanelWarning, match="no outcome"):
        panel = bs.Panel.from_wide(wide, treated=frame.treated, start=frame.start, missing="model")
    graph = bs.SyntheticControl().build(panel)
    assert len(graph.coords["time"]) == 13
    with graph:
        assert (
            pm.sample_prior_predictive(3, random_seed=1)["prior_predictive"]["outcome"].sizes[
                "time"
            ]
            == 13
        )


def given(panel, model, seed=1, draws=1000, chains=2):
    """Draws of the library's own sampler, as a PyMC user would have them."""
    fit = model.fit(
        panel, draws=draws, tune=200, chains=chains, random_seed=seed, progressbar=False
    )
    return fit, fit.idata


def test_a_fit_of_given_draws_has_their_posterior(panel, tmp_path):
    model = bs.SyntheticControl(calibrate=False)
    fit, idata = given(panel, model)
    again = bs.Fit.from_idata(panel, model, idata, random_seed=5, progressbar=False)
    for name in ("weights", "s", "q"):
        np.testing.assert_allclose(again.idata["posterior"][name], fit.idata["posterior"][name])
    sd = fit.effect("average").draws.std()
    assert float(again.effect("average").median()) == pytest.approx(
        float(fit.effect("average").median()), abs=0.3 * float(sd)
    )
    again.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").record.sampled_by


def test_it_is_calibrated_as_a_fit_is(panel):
    model = bs.SyntheticControl()
    _, idata = given(panel, bs.SyntheticControl(calibrate=False))
    fit = bs.Fit.from_idata(panel, model, idata, random_seed=5, progressbar=False)
    assert "calibration" in fit.idata.children
    assert fit.model.calibration.q_factors == (1.0,)


def test_draws_of_another_model_are_refused(panel):
    model = bs.SyntheticControl(calibrate=False)
    _, idata = given(panel, model)
    other = bs.simulate(donors=6, pre=14, post=4, random_seed=3).panel
    with pytest.raises(ResultError, match="dim donor") as caught:
        bs.Fit.from_idata(other, model, idata)
    assert caught.value.code == "R046"
    ar1 = bs.SyntheticControl(noise=bs.noise.AR1(), calibrate=False)
    with pytest.raises(ResultError, match="rho"):
        bs.Fit.from_idata(panel, ar1, idata)
    with pytest.raises(OptionError, match="posterior"):
        bs.Fit.from_idata(panel, model, {"weights": 1})
    with pytest.raises(OptionError, match="O095"):
        bs.Fit.from_idata(panel, bs.SyntheticControl(noise="auto"), idata)
    broken = idata.copy(deep=True)
    broken["posterior"]["s"][0, 3] = np.nan
    with pytest.raises(ResultError, match="finite"):
        bs.Fit.from_idata(panel, model, broken)


@pytest.mark.long
def test_pymc_draws_from_it_what_the_library_draws(panel):
    """Sampling the user's graph equals ``model.fit`` within Monte Carlo error."""
    model = bs.SyntheticControl(calibrate=False)
    with model.build(panel):
        idata = pm.sample(
            1200, tune=600, chains=2, cores=1, target_accept=0.95, random_seed=1, progressbar=False
        )
        pm.sample_posterior_predictive(idata, extend_inferencedata=True, progressbar=False)
        pm.compute_log_likelihood(idata, progressbar=False)
    assert np.isfinite(idata["log_likelihood"]["outcome"]).all()
    fit = model.fit(panel, random_seed=2, progressbar=False)
    other = bs.Fit.from_idata(panel, model, idata, random_seed=3, progressbar=False)
    for name in ("s", "q"):
        ours, theirs = (np.log(f.idata["posterior"][name]) for f in (fit, other))
        mcse = np.hypot(*(float(x.std()) / np.sqrt(150) for x in (ours, theirs)))
        assert abs(float(ours.mean() - theirs.mean())) < 4 * mcse
