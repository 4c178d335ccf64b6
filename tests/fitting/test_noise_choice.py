"""noise="auto": scored by what was held out before treatment, and said."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

import bayes_synth as bs
from bayes_synth.errors import DesignError, PriorError
from bayes_synth.fitting.noise_choice import choose_noise, earlier_panels, log_densities
from bayes_synth.model.calibration import Calibration
from bayes_synth.noise import AR1, IID, LocalLevel
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.testing import fake_panel

TABLE = pd.DataFrame(
    {
        "error": [1.0, -2.0, 3.0],
        "sd": [1.0, 2.0, 8.0],
        "step": [1.0, 1.0, 2.0],
        "doubt": 0.4,
        "deviation": 1.0,
        "deviation_sd": 1.0,
        "periods": 3.0,
    },
    index=["a", "b", "c"],
)
AUTO = bs.SyntheticControl(noise="auto", calibrate=Calibration(draws=60, tune=100))


SETTINGS = Settings.checked(Size(100, 100, 2, 0.9), sampler="nutpie", cores=2, random_seed=1)


def test_without_calibration_the_score_is_the_normal_density():
    scores = log_densities(TABLE, Calibration(), calibrated=False)
    np.testing.assert_allclose(scores, stats.norm.logpdf([1, -2, 1.5], scale=[1, 2, 4]))


@pytest.mark.parametrize("nu", [5.0, np.inf])
def test_with_calibration_kappa_is_integrated_out_under_the_other_placebos(nu):
    plan = Calibration(degrees_of_freedom=nu)
    others = plan.scored(TABLE.drop(index="c"))
    law = stats.norm if np.isinf(nu) else stats.t(nu)

    def posterior(x):
        return np.prod(law.pdf(others["z"] / np.exp(x)) / np.exp(x)) * stats.norm.pdf(x)

    def density(x):
        width = np.exp(x) * plan.pooled(TABLE.loc["c"], "sd", others) / 2
        return law.pdf(1.5 / width) / width * posterior(x)

    expected = np.log(
        integrate.quad(density, -8, 8, limit=300)[0]
        / integrate.quad(posterior, -8, 8, limit=300)[0]
    )
    scores = log_densities(TABLE, plan, calibrated=True)
    assert scores["c"] == pytest.approx(expected, rel=1e-6)


def test_only_the_pre_period_is_looked_at():
    panel = fake_panel()
    earlier = earlier_panels(panel)
    assert [one.start for one in earlier] == [2012, 2016]
    assert all(one.times[-1] < panel.start for one in earlier)


def test_too_short_a_past_cannot_choose():
    with pytest.raises(
        DesignError, match=r"\[D004\] 3 pre-periods are too few .*; name a process, such as noise="
    ):
        earlier_panels(fake_panel(pre=3))


@pytest.fixture
def candidates(monkeypatch):
    """Replace the processes to choose from."""
    return lambda *noises: monkeypatch.setattr(
        "bayes_synth.fitting.noise_choice.CANDIDATES", noises
    )


def refits_with(errors):
    """Make placebos whose errors, in their own sds, depend on the noise only."""

    def refit(problem, plan, settings):
        assert plan.most == 12
        return Placebos(TABLE.assign(error=errors[type(problem.model.noise)] * TABLE["sd"]), ())

    return refit


def test_the_process_with_the_best_score_is_chosen(candidates):
    candidates(LocalLevel(), AR1(), IID())
    refit = refits_with({LocalLevel: 5.0, AR1: 1.0, IID: 9.0})
    model, table = choose_noise(AUTO, fake_panel(), SETTINGS, refit)
    assert isinstance(model.noise, AR1)
    assert [name.split(":")[0] for name in table.index] == [
        "local level",
        "AR(1) noise",
        "iid noise",
    ]
    assert list(table["chosen"]) == [0, 1, 0]
    assert list(np.sign(table["difference"])) == [0, 1, -1]


def test_the_default_stays_unless_another_is_clearly_better(candidates, monkeypatch):
    """Better for one donor and worse for two is within a standard error; better for all is not."""
    candidates(LocalLevel(), AR1())
    scores, current = {LocalLevel: [0.0, 0.0, 0.0], AR1: [1.0, -0.4, -0.2]}, []

    def refit(problem, *_):
        current[:] = [type(problem.model.noise)]
        return Placebos(TABLE, ())

    def known_scores(table, *_, calibrated):
        return pd.Series(scores[current[0]], index=table.index)

    monkeypatch.setattr("bayes_synth.fitting.noise_choice.log_densities", known_scores)
    assert isinstance(choose_noise(AUTO, fake_panel(), SETTINGS, refit)[0].noise, LocalLevel)
    scores[AR1] = [1.0, 0.9, 1.1]
    assert isinstance(choose_noise(AUTO, fake_panel(), SETTINGS, refit)[0].noise, AR1)


def test_one_donor_alone_chooses_nothing():
    with pytest.raises(PriorError, match=r"O006\] noise=\"auto\" needs at least two donors"):
        choose_noise(AUTO, fake_panel(), SETTINGS, lambda *_: Placebos(TABLE.iloc[:1], ()))


def test_a_named_process_is_left_alone():
    model = bs.SyntheticControl()
    assert choose_noise(model, fake_panel(), SETTINGS) == (model, None)


@pytest.mark.long
def test_a_fit_says_what_was_chosen_and_keeps_it(candidates, tmp_path):
    candidates(LocalLevel(), IID())
    with pytest.warns(bs.errors.ConvergenceWarning):
        fit = AUTO.fit(
            fake_panel(), draws=100, tune=100, chains=2, random_seed=1, progressbar=False
        )
    assert isinstance(fit.model.noise, (LocalLevel, IID))
    assert "(chosen by held-out log score: " in repr(fit)
    scores = fit.idata["noise_scores"].to_dataset()
    assert float(scores["chosen"].sum()) == 1
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert repr(loaded) == repr(fit)
    xr.testing.assert_allclose(loaded.idata["noise_scores"].to_dataset(), scores)


@pytest.mark.parametrize("ask", ["build", "prior_predictive", "priors"])
def test_before_it_is_chosen_there_is_no_model(ask):
    with pytest.raises(PriorError, match=r"\[O006\] noise=\"auto\" is chosen by fit"):
        getattr(AUTO, ask)(fake_panel())
