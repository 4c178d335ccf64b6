"""A noise process, priors, a check, an estimand and a plot of this file work everywhere."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_synth as bs
from bayes_synth.__main__ import main
from bayes_synth.errors import ConvergenceWarning, LoadError
from bayes_synth.model.problem import Problem
from bayes_synth.noise.base import AbstractNoise, floored, variance
from bayes_synth.plots import PLOTS, plot
from bayes_synth.priors import AbstractWeightsPrior, HalfNormal, saved
from bayes_synth.results.estimands import ESTIMANDS, estimand
from bayes_synth.testing import fake_fit, fake_panel

SIZES = {"draws": 60, "tune": 60, "chains": 2, "random_seed": 1, "progressbar": False}
PLAN = bs.Calibration(draws=60, tune=60, most=2)


@dataclass(frozen=True)
class Seasonal(AbstractNoise):
    """White noise around a level and waves of one period, whose amplitudes are integrated out."""

    s: HalfNormal = HalfNormal(1.0)
    period: float = 7.0
    harmonics: int = 1
    amplitude: float = 0.5
    degrees_of_freedom: float = np.inf

    level_sd = np.inf

    def priors(self):
        return {"s": self.s}

    def describe(self):
        return f"white noise and {self.harmonics} waves of period {self.period:g}"

    def waves(self, times):
        angles = 2 * np.pi * np.arange(1, self.harmonics + 1)[:, None] * times / self.period
        return self.amplitude * np.vstack([np.sin(angles), np.cos(angles)])

    def spectrum(self, periods):
        return self.waves(np.arange(periods))

    def whiten(self, parameters, spectrum):
        import pytensor.tensor as pt

        factor = pt.linalg.cholesky(
            variance(parameters) * pt.eye(spectrum.shape[1]) + spectrum.T @ spectrum
        )
        return (lambda x: pt.linalg.solve_triangular(factor, x, lower=True)), pt.log(
            pt.diag(factor)
        ).sum()

    def covariance(self, draws, periods):
        waves = self.waves(np.arange(periods))
        return floored(draws["s"])[..., None] ** 2 * np.eye(periods) + waves.T @ waves

    def precision(self, draws, residual):
        inverse = np.linalg.inv(self.covariance(draws, residual.shape[1]))
        return (inverse @ residual[..., None])[..., 0]

    def precision_diagonal(self, draws, periods):
        return np.einsum("dii->di", np.linalg.inv(self.covariance(draws, periods)))

    def from_shocks(self, draws, shocks, rng):
        noise = self.independent(draws, shocks)
        amplitudes = rng.standard_normal((len(noise), 2 * self.harmonics))
        return amplitudes @ self.waves(np.arange(noise.shape[1])) + noise

    def paths(self, draws, past, shocks, rng):
        times = np.arange(past.shape[1] + shocks["noise"].shape[1])
        before, after = np.split(self.waves(times), [past.shape[1]], axis=1)
        sd = floored(draws["s"])
        information = np.eye(len(before)) + before @ before.T / sd[..., None] ** 2
        mean = np.linalg.solve(information, (past @ before.T / sd**2)[..., None])[..., 0]
        unknown = rng.standard_normal(mean.shape)[..., None]
        amplitudes = (
            mean + np.linalg.solve(np.linalg.cholesky(information).swapaxes(1, 2), unknown)[..., 0]
        )
        again = sd * rng.standard_normal(past.shape)
        return (
            amplitudes @ before,
            again,
            amplitudes @ after + self.independent(draws, shocks),
        )

    def average_variance(self, draws, periods):
        return {"s": draws["s"] ** 2 / periods}


@dataclass(frozen=True)
class Equal(AbstractWeightsPrior, data=["tightness"]):
    """Weights near equal shares: a Dirichlet with a large concentration."""

    tightness: float = 50.0

    def inputs(self, donors, width):
        return {"tightness": np.asarray(self.tightness)}

    def build(self, inputs, width):
        import pymc as pm

        tightness = pm.Data("tightness", inputs["tightness"])
        return pm.Dirichlet("weights", tightness * np.ones(width), dims="donor")

    def sample(self, donors, draws, rng):
        return rng.dirichlet(np.full(len(donors), self.tightness), size=draws)

    def log_density(self, weights, donors):
        law = stats.dirichlet(np.full(len(donors), self.tightness))
        return np.array([law.logpdf(row) for row in weights.reshape(-1, len(donors))]).reshape(
            weights.shape[:-1]
        )

    def describe(self, donors):
        return f"near equal weights ({self.tightness:g})"


@saved()
@dataclass(frozen=True)
class Exponential:
    """An sd prior of one's own, whose mean is a constant of the graph."""

    mean: float = 1.0

    def create_variable(self, name):
        import pymc as pm

        return pm.Exponential(name, scale=self.mean)

    def sample(self, draws, rng):
        return rng.exponential(self.mean, draws)

    def log_density(self, value):
        return -value / self.mean - np.log(self.mean)


@pytest.fixture
def largest():
    """An estimand, registered for one test."""

    @estimand("largest effect of a period", measure="{outcome} at most")
    def largest_effect(effect, counterfactual):
        return effect.max("time")

    yield
    ESTIMANDS.remove("largest_effect")


@pytest.fixture
def early():
    """A check, registered for one test."""

    @bs.checks.check("Is there an effect from the first period on?", place=3.5)
    def early_effect(fit):
        table = pd.DataFrame({"p": [fit.effect("average").probability(above=0)]})
        question = "Is there an effect from the first period on?"
        return bs.checks.Check("early_effect", question, "pass", "It was asked.", table)

    yield
    bs.checks.QUESTIONS.remove("early_effect")


@pytest.fixture
def scatter():
    """A plot, registered for one test."""

    @plot("Weights of {treated} against nothing.", section="Donors")
    def plot_scatter(fit, *, backend=None):
        return bs.plots.plot_weights(fit, backend=backend, most=2)

    yield
    PLOTS.remove("plot_scatter")


OWN = bs.SyntheticControl(
    weights=Equal(), noise=Seasonal(s=Exponential(0.7), harmonics=2), calibrate=PLAN
)


@pytest.fixture(scope="module")
def own():
    """Draws of nobody in a fit of this model: what is described and saved needs no sampler."""
    return fake_fit(panel=fake_panel(donors=3, effect=2.0), model=OWN)


# --- noise and priors ----------------------------------------------------------------------------


def dense_log_density(process, s, residual):
    """The log likelihood of the graph, computed as a normal with the level integrated out."""
    covariance = process.covariance({"s": np.array([s])}, len(residual))[0]
    inverse, ones = np.linalg.inv(covariance), np.ones(len(residual))
    information = ones @ inverse @ ones
    level = ones @ inverse @ residual / information
    squares = (residual - level) @ inverse @ (residual - level)
    constant = (len(residual) - 1) * np.log(2 * np.pi)
    return -0.5 * (squares + np.linalg.slogdet(covariance)[1] + np.log(information) + constant)


@pytest.mark.parametrize("harmonics", [1, 2, 3])
@pytest.mark.usefixtures("interpreted")
def test_the_graph_of_an_own_process_is_its_dense_normal(harmonics):
    import pymc as pm

    noise, residual = (
        Seasonal(harmonics=harmonics),
        np.cumsum(np.random.default_rng(1).normal(size=20)),
    )
    with pm.Model() as graph:
        noise.build(pm.Data("residual", noise.rotate(residual)), noise.inputs(len(residual)))
    density = graph.compile_fn(
        graph["log_likelihood"], inputs=[graph["s"]], point_fn=False, on_unused_input="ignore"
    )
    assert float(density(0.7)) == pytest.approx(dense_log_density(noise, 0.7, residual), rel=1e-9)


def test_graphs_that_differ_in_a_number_of_ones_own_never_share_compiled_code():
    panel = fake_panel(donors=3)

    def key(**options):
        return Problem.of(
            bs.SyntheticControl(noise=Seasonal(**options), calibrate=False), panel
        ).structure

    keys = [
        key(),
        key(harmonics=2),
        key(period=5.0),
        key(amplitude=0.1),
        key(s=Exponential(1.0)),
        key(s=Exponential(2.0)),
    ]
    assert len(set(keys)) == len(keys)
    assert key(s=HalfNormal(2.0)) == key()


def test_two_models_of_ones_own_give_two_answers_in_one_process():
    """As fits would: each on its own compiled graph, whichever came first."""
    panel = fake_panel(donors=3)
    weights = [
        bs.SyntheticControl(noise=Seasonal(period=4.0, harmonics=harmonics), calibrate=False)
        for harmonics in (1, 2)
    ]
    problems = [Problem.of(model, panel) for model in weights]
    assert problems[0].arrays["spectrum"].shape != problems[1].arrays["spectrum"].shape
    assert problems[0].structure != problems[1].structure


def test_an_own_model_is_described(own):
    assert "2 waves of period 7" in repr(own)
    assert own.model.priors(own.panel)["weights"] == "near equal weights (50)"
    assert own.fit_verdict.word in ("good", "fair", "poor")


@pytest.mark.long
def test_an_own_model_is_fitted_calibrated_and_saved(tmp_path):
    with pytest.warns(ConvergenceWarning):
        fit = OWN.fit(fake_panel(donors=3, effect=2.0), **SIZES)
    assert fit.calibration.kappa is not None
    assert np.isfinite(fit.idata["log_prior"].to_dataset().to_array()).all()
    assert fit.fit_verdict.word in ("good", "fair", "poor")
    fit.save(tmp_path / "own.nc")
    pd.testing.assert_frame_equal(bs.load(tmp_path / "own.nc").summary(), fit.summary())


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".nc", ".zarr.zip"])
def test_an_own_model_is_saved_and_loaded(own, tmp_path, suffix):
    own.save(tmp_path / f"own{suffix}")
    back = bs.load(tmp_path / f"own{suffix}")
    assert back.model == own.model
    assert repr(back) == repr(own)
    pd.testing.assert_frame_equal(back.summary(), own.summary())


@pytest.mark.long
def test_where_the_class_is_not_defined_a_file_says_so(own, tmp_path):
    own.save(tmp_path / "own.nc")
    code = f"import bayes_synth as bs; bs.load({str(tmp_path / 'own.nc')!r})"
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "LoadError: [L003]" in run.stderr
    assert "Equal" in run.stderr or "Seasonal" in run.stderr


def test_what_could_not_be_read_back_is_not_written(tmp_path):
    class Nameless:
        def create_variable(self, name):
            raise NotImplementedError

        def sample(self, draws, rng):
            return rng.random(draws)

        def log_density(self, value):
            return np.zeros_like(value)

    fit = fake_fit(model=bs.SyntheticControl(noise=bs.noise.IID(s=Nameless()), calibrate=False))
    with pytest.raises(LoadError, match="L003"):
        fit.save(tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_an_own_model_runs_in_a_batch(tmp_path):
    tasks = [bs.FitTask(fake_panel(donors=3), OWN, {"n": 1}, draws=60, tune=60, chains=2)]
    found = bs.fit_many(
        tasks, keep="full", random_seed=1, progressbar=False, store=tmp_path / "store"
    )
    assert found.failures == ()
    assert found.fits[0].model == OWN
    again = bs.fit_many(
        tasks, keep="full", random_seed=1, progressbar=False, store=tmp_path / "store"
    )
    pd.testing.assert_frame_equal(found.table, again.table)


# --- estimand, check, plot -----------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.usefixtures("largest")
def test_an_own_estimand_is_in_tables_reports_plots_and_files(tmp_path):
    fit = fake_fit(panel=fake_panel(effect=3.0))
    expected = fit.effect("pointwise").draws.max("time")
    np.testing.assert_array_equal(fit.effect("largest_effect").draws, expected)
    assert "largest_effect" in fit.summary().index
    assert "largest effect of a period" in fit.report("text")
    assert "sales at most" in repr(fit.effect("largest_effect", window=slice(2021, 2024)))
    fit.plot_effect("largest_effect", backend="none")
    fit.save(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(bs.load(tmp_path / "fit.nc").summary(), fit.summary())


@pytest.mark.usefixtures("largest")
def test_an_own_estimand_is_a_column_of_batches():
    tasks = [
        bs.FitTask(fake_panel(), bs.SyntheticControl(calibrate=False), draws=60, tune=60, chains=2)
    ]
    table = bs.fit_many(tasks, random_seed=1, progressbar=False).table
    assert {"largest_effect_median", "largest_effect_lower", "largest_effect_upper"} <= set(table)
    assert (table["largest_effect_median"] > table["average_median"]).all()


@pytest.mark.usefixtures("early")
def test_an_own_check_is_asked_in_its_place_and_reported():
    fit = fake_fit(panel=fake_panel(effect=3.0))
    found = bs.checks.run(fit, only=["convex_hull", "early_effect", "likeness"], progressbar=False)
    assert found["early_effect"].reason == "It was asked."
    assert "Is there an effect from the first period on?" in fit.report("markdown", checks=found)


@pytest.mark.usefixtures("scatter")
def test_an_own_plot_is_in_the_report():
    page = fake_fit().report("html")
    assert "alt='Weights of treated against nothing.'" in page


def csv(folder: Path) -> list[str]:
    """A panel as a file, and the command that fits it."""
    panel = fake_panel(donors=3, effect=3.0)
    panel.outcomes.to_pandas().stack().rename("sales").reset_index().to_csv(
        folder / "data.csv", index=False
    )
    names = [
        "--unit",
        "unit",
        "--time",
        "time",
        "--outcome",
        "sales",
        "--treated",
        "treated",
        "--start",
        "2020",
    ]
    return ["fit", str(folder / "data.csv"), *names, "--seed", "1", "--quiet", "--out", str(folder)]


@pytest.mark.long
@pytest.mark.usefixtures("largest", "early", "scatter")
def test_the_command_line_has_what_was_defined(tmp_path, capsys, monkeypatch):
    small = bs.SyntheticControl(calibrate=PLAN)
    monkeypatch.setattr("bayes_synth.SyntheticControl", lambda **_: small, raising=False)
    assert main([*csv(tmp_path), "--plot", "plot_scatter"]) in (0, 1)
    assert "largest_effect" in capsys.readouterr().out
    assert (tmp_path / "data_fit_plot_scatter.png").stat().st_size > 0
    assert main(
        ["report", str(tmp_path / "data_fit.nc"), "-o", str(tmp_path / "page.html"), "--quiet"]
    ) in (0, 1)
    page = (tmp_path / "page.html").read_text()
    assert "Is there an effect from the first period on?" in page
    assert "largest effect of a period" in page
    assert "Weights of treated against nothing." in page
