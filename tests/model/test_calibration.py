"""What the donors say of the forecast error: kappa, inflation, and what it must not depend on."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

import bayes_synth as bs
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PriorError
from bayes_synth.fitting.placebos import RAW, Answer, placebo_answer, placebos
from bayes_synth.fitting.refit import Refit
from bayes_synth.model.calibration import COLUMNS, Calibration, inflated
from bayes_synth.model.inputs import typical_step
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Calibrated, Placebos
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.task import Sampled
from bayes_synth.testing import fake_panel

pytestmark = pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")

Z = np.array([0.2, -1.5, 0.7, 3.0, -0.4])
SHORT = {"draws": 100, "tune": 100, "chains": 2, "progressbar": False, "random_seed": 1}
PLAN = Calibration(draws=60, tune=100)
MODEL = bs.SyntheticControl(calibrate=PLAN)


@pytest.fixture(scope="module")
def base() -> bs.Fit:
    return MODEL.fit(fake_panel(), **SHORT)


def with_post(panel: Panel, added: float) -> Panel:
    table = panel.outcomes.to_pandas()
    table.loc[panel.start :, "treated"] += added
    return Panel.from_wide(table, treated="treated", start=panel.start, outcome="sales")


@pytest.mark.parametrize("nu", [4.0, np.inf])
@pytest.mark.parametrize("sd", [0.5, 1.0])
def test_kappas_posterior_is_that_of_adaptive_quadrature(nu, sd):
    law = stats.norm if np.isinf(nu) else stats.t(nu)

    def density(log_kappa):
        likelihood = np.prod(law.pdf(Z / np.exp(log_kappa)) / np.exp(log_kappa))
        return likelihood * stats.norm.pdf(log_kappa, scale=sd)

    total, mean = (
        integrate.quad(lambda x, p=p: np.exp(p * x) * density(x), -8, 8, limit=300, epsabs=1e-14)[0]
        for p in (0, 1)
    )
    values, mass = Calibration(kappa_sd=sd, degrees_of_freedom=nu).posterior(Z)
    assert values @ mass == pytest.approx(mean / total, rel=1e-6)


def test_draws_of_kappa_follow_its_posterior():
    plan = Calibration()
    kappa, lam = plan.draw(Z, (4, 5000), np.random.default_rng(1))
    values, mass = plan.posterior(Z)
    assert (
        stats.kstest(kappa.ravel(), lambda x: np.interp(x, values, np.cumsum(mass))).pvalue > 1e-3
    )
    assert stats.kstest(lam.ravel(), stats.gamma(2.5, scale=0.4).cdf).pvalue > 1e-3


def test_without_donors_kappas_posterior_is_its_prior():
    values, mass = Calibration(kappa_sd=0.7).posterior(np.array([]))
    logs = np.log(values)
    assert mass @ logs == pytest.approx(0, abs=1e-9)
    assert mass @ logs**2 == pytest.approx(0.49, rel=1e-6)


def test_larger_misses_mean_a_larger_kappa():
    kappas = [
        values @ mass for values, mass in (Calibration().posterior(f * Z) for f in (0.5, 1, 2))
    ]
    assert kappas == sorted(kappas)


def test_one_contaminated_donor_moves_the_robust_kappa_less():
    clean = np.tile(Z, 4)
    spoiled = np.append(clean, 40.0)

    def growth(nu):
        plan = Calibration(degrees_of_freedom=nu)
        before, after = (
            values @ mass for values, mass in (plan.posterior(clean), plan.posterior(spoiled))
        )
        return after / before

    assert growth(4.0) - 1 < 0.1 * (growth(np.inf) - 1)


def path(seed: int = 0) -> np.ndarray:
    return 10 + np.random.default_rng(seed).standard_normal((4, 500, 3)).cumsum(-1)


def constant(value: float) -> np.ndarray:
    return np.full((4, 500), value)


def test_kappa_and_lambda_of_one_change_nothing():
    np.testing.assert_allclose(inflated(path(), constant(1), constant(1)), path(), rtol=1e-14)


def test_the_inflation_grows_with_kappa_and_keeps_the_mean():
    wide = inflated(path(), constant(3), constant(4))
    np.testing.assert_allclose(wide.mean((0, 1)), path().mean((0, 1)))
    np.testing.assert_allclose(wide.std((0, 1)), 1.5 * path().std((0, 1)))


def test_a_calibrated_fit_is_the_uncalibrated_one_inflated(base):
    dims = ("chain", "draw", "time")
    raw, calibrated = (
        base.idata[group]["counterfactual"].transpose(*dims).to_numpy()
        for group in ("predictions_uncalibrated", "predictions")
    )
    group = base.idata["calibration"]
    kappa, lam = (group[name].transpose(*dims[:2]).to_numpy() for name in ("kappa", "lambda"))
    expected = inflated(raw, group.attrs["pooling"] * kappa, lam)
    np.testing.assert_allclose(calibrated, expected)


def test_without_calibration_the_draws_are_the_uncalibrated_ones_bitwise(base):
    plain = bs.SyntheticControl(calibrate=False).fit(fake_panel(), **SHORT)
    assert np.array_equal(
        plain.idata["predictions"]["counterfactual"],
        base.idata["predictions_uncalibrated"]["counterfactual"],
    )
    assert "predictions_uncalibrated" not in plain.idata.children
    assert str(plain.calibration) == "not calibrated (calibrate=False)"


def test_estimands_come_from_the_same_calibrated_draws(base):
    pointwise = base.effect("pointwise").draws
    xr.testing.assert_allclose(
        base.effect("average").draws, pointwise.mean("time").rename("average")
    )


def test_a_constant_effect_leaves_kappa_alone_and_shifts_every_effect(base):
    shifted = MODEL.fit(with_post(fake_panel(), 8.0), **SHORT)
    assert np.array_equal(base.calibration.kappa, shifted.calibration.kappa)
    xr.testing.assert_allclose(
        shifted.effect("pointwise").draws, base.effect("pointwise").draws + 8.0, rtol=0, atol=1e-9
    )


def test_the_treated_units_past_leaves_kappa_alone(base):
    table = fake_panel().outcomes.to_pandas()
    table.loc[:2005, "treated"] += 3.0
    other = MODEL.fit(
        Panel.from_wide(table, treated="treated", start=2020, outcome="sales"), **SHORT
    )
    assert np.array_equal(base.calibration.kappa, other.calibration.kappa)


def test_a_donors_miss_is_its_realised_gap_minus_its_prediction(base):
    """The z-score of a donor, from a fit of that donor through the public API."""
    donor = "donor_03"
    fit = bs.SyntheticControl(calibrate=False).fit(
        fake_panel().as_if_treated(donor), draws=500, tune=500, random_seed=3, progressbar=False
    )
    effect = fit.effect("average").draws
    row = base.calibration.table.loc[donor]
    assert row["error"] == pytest.approx(float(effect.mean()), abs=0.5 * float(effect.std()))
    assert row["sd"] == pytest.approx(float(effect.std()), rel=0.5)
    pre = fit.panel.treated_outcome.sel(time=fit.panel.pre.to_numpy()).to_numpy()
    assert row["step"] == typical_step(pre)


TABLE = pd.DataFrame({"error": [1.0, -2.0, 3.0], "sd": [1.0, 2.0, 8.0], "step": [1.0, 1.0, 2.0]})
"""Predictive sd over typical step: 1, 2, 4; the typical ratio is 2."""


def test_pooling_is_a_geometric_mean_of_the_own_and_the_typical_sd():
    assert Calibration(pooling=0).pooled(3.0, 5.0, TABLE) == 3.0
    assert Calibration(pooling=1).pooled(3.0, 5.0, TABLE) == pytest.approx(10.0)
    assert Calibration(pooling=0.5).pooled(3.0, 5.0, TABLE) == pytest.approx(np.sqrt(30.0))


def test_a_z_score_is_the_error_over_the_pooled_sd():
    np.testing.assert_allclose(Calibration(pooling=0).scored(TABLE)["z"], [1, -1, 3 / 8])
    np.testing.assert_allclose(
        Calibration(pooling=0.5).scored(TABLE)["z"], [1 / np.sqrt(2), -1, 3 / np.sqrt(32)]
    )


def test_the_treated_units_inflation_is_pooled_as_the_donors_are(base):
    """Its pooled over its own sd, from the public table alone."""
    table, raw = base.calibration.table, base.idata["predictions_uncalibrated"]["counterfactual"]
    own = float(raw.mean("time").std(ddof=1))
    step = typical_step(base.panel.treated_outcome.sel(time=base.panel.pre.to_numpy()).to_numpy())
    expected = np.sqrt(own * step * np.exp(np.log(table["sd"] / table["step"]).median())) / own
    assert base.calibration.pooling == pytest.approx(expected)


def test_cores_change_nothing(base):
    again = MODEL.fit(fake_panel(), **SHORT, cores=1)
    assert np.array_equal(
        base.idata["predictions"]["counterfactual"], again.idata["predictions"]["counterfactual"]
    )
    pd.testing.assert_frame_equal(base.calibration.table, again.calibration.table)


def test_a_saved_fit_keeps_its_calibration(base, tmp_path):
    base.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert repr(loaded) == repr(base)
    pd.testing.assert_frame_equal(
        loaded.calibration.table, base.calibration.table, check_dtype=False
    )


def test_the_headline_says_how_many_donors_and_kappa(base):
    assert "calibrated on 6 donors (kappa " in repr(base)
    assert "few donors: the prior keeps " in repr(base)


def answered(*numbers) -> Answer:
    """What a refit of a fake panel would say, with these numbers in its row."""
    return Answer(dict(zip(RAW, numbers, strict=True)), np.zeros(28))


def rows(panel: Panel, plan: Calibration, refit=None) -> Placebos:
    """Placebos without sampling."""
    settled = answered(1.0, 1.0, 1.0, 0, True)
    settings = Settings.checked(Size(10, 1, 1, 0.9), sampler="nutpie", cores=1, random_seed=1)
    return placebos(Problem.of(MODEL, panel), plan, settings, refit or (lambda *_: settled))


def test_excluded_donors_are_not_refitted():
    answers = rows(fake_panel(), Calibration(exclude="donor_02"))
    assert "donor_02" not in answers.table.index
    assert len(answers.table) == 5


def test_an_unknown_donor_cannot_be_excluded():
    words = r"\[O006\] exclude must name donors of this panel \(.*\), got nowhere"
    with pytest.raises(PriorError, match=words):
        rows(fake_panel(), Calibration(exclude=("nowhere",)))


def test_at_most_so_many_donors_chosen_by_the_seed():
    first, second = (rows(fake_panel(donors=30), Calibration(most=10)).table for _ in range(2))
    assert len(first) == 10
    assert list(first.index) == list(second.index) == sorted(first.index)


def test_means_of_treated_units_are_compared_with_means_of_donors():
    table = fake_panel(donors=9).outcomes.to_pandas()
    panel = Panel.from_wide(table, treated=["treated", "donor_00"], start=2020)
    names = list(rows(panel, PLAN).table.index)
    assert len(names) == 4
    assert all(len(name.split(" + ")) == 2 for name in names)
    assert len(set(" + ".join(names).split(" + "))) == 8


def test_a_donor_that_cannot_be_treated_is_named():
    table = fake_panel().outcomes.to_pandas().assign(flat=7.0)
    answers = rows(Panel.from_wide(table, treated="treated", start=2020), PLAN)
    assert answers.skipped == ("flat (V004)",)
    assert len(answers.table) == 6


def test_an_unsettled_refit_is_run_again_three_times_as_long(monkeypatch):
    sizes = []

    def refitted(problem, settings):
        """Chains that drift unless they are long."""
        sizes.append((settings.size.draws, settings.size.tune))
        shape = settings.size.chains, settings.size.draws
        path = np.random.default_rng(1).standard_normal((*shape, 8))
        path += (shape[1] == PLAN.draws) * np.linspace(0, 50, shape[1])[:, None]
        stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros(shape, dtype=bool))})
        sampled = Sampled(xr.Dataset(), stats, 0.0, 0.0)
        return Refit(problem, sampled, path, np.zeros(len(problem.treated)))

    monkeypatch.setattr("bayes_synth.fitting.refit.refitted", refitted)
    assert rows(fake_panel(donors=2), PLAN, placebo_answer).table["ok"].all()
    assert sizes == 2 * [(60, 100), (180, 300)]


def test_one_donor_cannot_calibrate():
    table = fake_panel(donors=2).outcomes.to_pandas().drop(columns="donor_01")
    fit = MODEL.fit(Panel.from_wide(table, treated="treated", start=2020), **SHORT)
    assert "not calibrated (no placebo could be made of 1 donors" in repr(fit)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kappa_sd": 0.0}, PriorError, r"\[O007\] kappa_sd must be positive and finite, got 0.0"),
        ({"pooling": 1.5}, PriorError, r"\[O007\] pooling must lie between 0 and 1, got 1.5"),
        (
            {"target_accept": 1.0},
            OptionError,
            r"\[O010\] target_accept must lie between 0 and 1, got 1.0",
        ),
        (
            {"degrees_of_freedom": -1},
            PriorError,
            r"\[O007\] degrees_of_freedom must be positive, got -1",
        ),
        (
            {"draws": 10},
            OptionError,
            r"\[O010\] draws must be a whole number of at least 50, got 10",
        ),
        (
            {"most": True},
            OptionError,
            r"\[O010\] most must be a whole number of at least 1, got True",
        ),
    ],
)
def test_plans_that_make_no_sense_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        Calibration(**options)


def test_calibrate_takes_a_plan_or_a_boolean():
    with pytest.raises(
        OptionError, match=r"\[O001\] calibrate must be True, False or .*, got 'yes'"
    ):
        bs.SyntheticControl(calibrate="yes")


def test_notes_of_a_calibration():
    table = pd.DataFrame([[1.0, 1.0, 1.0, 1.0, 0, False]] * 9, columns=COLUMNS)
    kappa = xr.DataArray(np.full((1, 10), 1.4), dims=("chain", "draw"))
    answers = Calibrated(
        table, kappa, 0.8, excluded=("a",), skipped=("b (V004)",), prior_sd=1.0, width_ratio=1.63
    )
    assert str(answers) == (
        "calibrated on 9 donors (kappa 1.4 [1.4, 1.4]; 95% interval x 1.6 of the model's own); "
        "set aside: a; unusable: b (V004); 9 refits not settled"
    )


def test_a_concentration_per_donor_is_calibrated_too():
    panel = fake_panel(donors=3)
    prior = bs.priors.Dirichlet(concentration={"donor_00": 1.0, "donor_01": 2.0, "donor_02": 3.0})
    assert prior.restricted(panel.donors, ("donor_00", "donor_02")).concentration == {
        "donor_00": 1.0,
        "donor_02": 3.0,
    }
    fit = bs.SyntheticControl(weights=prior, calibrate=PLAN).fit(panel, **SHORT)
    assert len(fit.calibration.table) == 3


@pytest.mark.parametrize("bad", [(np.nan, 1.0), (np.inf, 1.0), (1.0, 0.0)], ids=str)
def test_a_refit_without_a_finite_forecast_is_named_and_left_out(bad):
    values = iter([bad, *[(1.0, 1.0)] * 5])

    def row(*_, **__):
        return answered(*next(values), 1.0, 0, True)

    answers = rows(fake_panel(), PLAN, row)
    assert answers.skipped == ("donor_00 (no finite forecast)",)
    assert len(answers.table) == 5
    assert np.isfinite(answers.table["z"]).all()


def test_the_summary_says_what_the_intervals_rest_on(base):
    assert base.summary().attrs["calibration"] == str(base.calibration)


def test_averages_of_donors_are_called_so():
    table = pd.DataFrame([[1.0, 1.0, 1.0, 1.0, 0, True]] * 9, columns=COLUMNS, index=["a + b"] * 9)
    answers = Calibrated(
        table, xr.DataArray(np.full((1, 10), 1.5), dims=("chain", "draw")), 0.8, prior_sd=1.0
    )
    assert answers.short == (
        "calibrated on 9 averages of 2 donors (kappa 1.5; no uncalibrated draws to compare with)"
    )


def test_whole_number_labels_may_be_excluded():
    assert Calibration(exclude=(5, "a")).exclude == ("5", "a")
