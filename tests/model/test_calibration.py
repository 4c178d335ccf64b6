"""What the donors say of the forecast error: kappa, inflation, and what it must not depend on."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PriorError
from bayes_synth.fitting.placebos import Answer, placebo_answer, placebo_groups, placebos
from bayes_synth.fitting.refit import Refit
from bayes_synth.model.calibration import COLUMNS, Calibration
from bayes_synth.model.forecast_error import Forecast, split_path
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


def test_a_calibrated_fit_is_the_uncalibrated_one_inflated_in_two_parts(base):
    dims = ("chain", "draw", "time")
    raw, calibrated = (
        base.idata[group]["counterfactual"].transpose(*dims).to_numpy()
        for group in ("predictions_uncalibrated", "predictions")
    )
    group = base.idata["calibration"].to_dataset()
    factors = np.unique(base.idata["posterior"]["q_factor"])
    assert len(factors) == 1, "so few draws are all under one factor"
    growth = float(group["growth"].sel(alternative=factors[0]))
    parts = split_path(raw, np.ones(raw.shape[-1], dtype=bool), growth)

    def factor(suffix):
        kappa, lam = (
            group[name + suffix].transpose(*dims[:2]).to_numpy() for name in ("kappa", "lambda")
        )
        return (group.attrs["pooling" + suffix] * kappa / np.sqrt(lam))[..., None]

    expected = raw.mean((0, 1)) + factor("") * parts.average
    expected = expected + factor("_deviations") * parts.deviations
    np.testing.assert_allclose(calibrated, expected)


def test_without_calibration_the_draws_are_the_uncalibrated_ones_bitwise():
    plan = Calibration(draws=60, tune=100, q_factors=(1.0,))
    calibrated = bs.SyntheticControl(calibrate=plan).fit(fake_panel(), **SHORT)
    plain = bs.SyntheticControl(calibrate=False).fit(fake_panel(), **SHORT)
    assert np.array_equal(
        plain.idata["predictions"]["counterfactual"],
        calibrated.idata["predictions_uncalibrated"]["counterfactual"],
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
    q = bs.priors.HalfNormal(0.5 * base.calibration.alternatives[-1].factor)
    model = bs.SyntheticControl(noise=bs.noise.LocalLevel(q=q), calibrate=False)
    fit = model.fit(
        fake_panel().as_if_treated(donor), draws=500, tune=500, random_seed=3, progressbar=False
    )
    effect = fit.effect("average").draws
    row = base.calibration.alternatives[-1].table.loc[donor]
    assert row["error"] == pytest.approx(float(effect.mean()), abs=0.5 * float(effect.std()))
    assert row["sd"] == pytest.approx(float(effect.std()), rel=0.5)
    pre = fit.panel.treated_outcome.sel(time=fit.panel.pre.to_numpy()).to_numpy()
    assert row["step"] == typical_step(pre)


TABLE = pd.DataFrame(
    {"error": [1.0, -2.0, 3.0], "sd": [1.0, 2.0, 8.0], "step": [1.0, 1.0, 2.0], "doubt": 0.5}
)
"""Predictive sd over typical step: 1, 2, 4; the typical ratio is 2."""


def test_pooling_is_a_geometric_mean_of_the_own_and_the_typical_sd():
    own = {"sd": 3.0, "step": 5.0, "doubt": 0.5}
    assert Calibration(pooling=0).pooled(own, "sd", TABLE) == 3.0
    assert Calibration(pooling=1).pooled(own, "sd", TABLE) == pytest.approx(10.0)
    assert Calibration(pooling=0.5).pooled(own, "sd", TABLE) == pytest.approx(np.sqrt(30.0))


def test_a_unit_is_pooled_as_far_as_its_own_past_leaves_its_sd_in_doubt():
    def pooled(doubt):
        return Calibration().pooled({"sd": 3.0, "step": 5.0, "doubt": doubt}, "sd", TABLE)

    assert pooled(0.0) == 3.0
    assert pooled(0.5) == pytest.approx(np.sqrt(30.0))
    assert 3.0 < pooled(0.1) < pooled(0.3) < pooled(2.0) < 10.0


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
    typical = step * np.exp(np.log(table["sd"] / table["step"]).median())
    assert min(own, typical) < base.calibration.pooling * own < max(own, typical)


def test_cores_change_nothing(base):
    again = MODEL.fit(fake_panel(), **SHORT, cores=1)
    assert np.array_equal(
        base.idata["predictions"]["counterfactual"], again.idata["predictions"]["counterfactual"]
    )
    pd.testing.assert_frame_equal(base.calibration.table, again.calibration.table)


@pytest.mark.long
def test_a_saved_fit_keeps_its_calibration(base, tmp_path):
    base.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert repr(loaded) == repr(base)
    pd.testing.assert_frame_equal(
        loaded.calibration.table,
        base.calibration.table,
        check_dtype=False,
        check_index_type=False,
    )


def test_the_headline_says_how_many_donors_and_kappa(base):
    assert "calibrated on 6 donors (kappa " in repr(base)
    assert "few donors: the prior keeps " in repr(base)


def answered(error=1.0, variance=1.0) -> Answer:
    """What a refit of a fake panel would say, with this error and this predictive variance."""
    periods = 8
    covariance = variance * (np.eye(periods) + 0.5)
    forecast = Forecast(error + 0.1 * np.arange(periods), covariance, 0.3)
    return Answer(forecast, {"step": 1.0, "divergences": 0, "ok": True}, np.zeros(28))


def rows(panel: Panel, plan: Calibration, refit=None) -> Placebos:
    """Placebos without sampling."""
    settings = Settings.checked(Size(10, 1, 1, 0.9), sampler="nutpie", cores=1, random_seed=1)
    return placebos(Problem.of(MODEL, panel), plan, settings, refit or (lambda *_: answered()))


def test_excluded_donors_are_not_refitted():
    answers = rows(fake_panel(), Calibration(exclude="donor_02"))
    assert "donor_02" not in answers.table.index
    assert len(answers.table) == 5


def test_an_unknown_donor_cannot_be_excluded():
    words = r"\[O006\] exclude must name donors of this panel \(.*\), got nowhere"
    with pytest.raises(PriorError, match=words):
        rows(fake_panel(), Calibration(exclude=("nowhere",)))


def test_at_most_so_many_donors_evenly_by_their_past():
    panel = fake_panel(donors=30)
    table = rows(panel, Calibration(most=10)).table
    assert len(table) == 10
    pre = panel.donor_outcomes.sel(time=panel.pre.to_numpy()).mean("time").to_series().rank()
    assert sorted(pre[list(table.index)]) == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28]


def several(donors: int, treated: int) -> Problem:
    table = fake_panel(donors=donors + treated - 1).outcomes.to_pandas()
    names = ["treated", *(f"donor_{k:02d}" for k in range(treated - 1))]
    return Problem.of(MODEL, Panel.from_wide(table, treated=names, start=2020))


@pytest.mark.parametrize(("donors", "treated"), [(8, 2), (20, 5), (9, 4), (5, 4), (40, 3)])
def test_means_of_treated_units_are_compared_with_means_of_donors(donors, treated):
    problem = several(donors, treated)
    groups = placebo_groups(problem, Calibration())
    assert len(set(groups.sets)) == len(groups.sets) <= 40
    assert all(len(set(group)) == treated for group in groups.sets)
    counts = pd.Series([label for group in groups.sets for label in group]).value_counts()
    assert len(counts) == donors
    assert counts.max() - counts.min() <= treated
    assert groups.power == pytest.approx(min(1, donors / treated / len(groups.sets)))


def test_groups_are_formed_by_the_donors_past_whatever_their_order_and_names():
    problem = several(12, 3)
    table = problem.panel.outcomes.to_pandas()
    renamed = {label: f"z{k}" for k, label in enumerate(reversed(problem.donors))}
    shuffled = table[table.columns[::-1]].rename(columns=renamed)
    panel = Panel.from_wide(shuffled, treated=list(problem.panel.treated), start=2020)
    ours = placebo_groups(problem, PLAN).sets
    theirs = placebo_groups(Problem.of(MODEL, panel), PLAN).sets
    assert {frozenset(renamed[label] for label in group) for group in ours} == {
        frozenset(group) for group in theirs
    }


def test_as_many_donors_as_treated_units_cannot_calibrate():
    assert placebo_groups(several(3, 3), PLAN).sets == []


def test_a_donor_that_cannot_be_treated_is_named():
    table = fake_panel().outcomes.to_pandas().assign(flat=7.0)
    answers = rows(Panel.from_wide(table, treated="treated", start=2020), PLAN)
    assert answers.skipped == ("flat (V004)",)
    assert len(answers.table) == 6


def test_an_unsettled_refit_is_run_again_three_times_as_long(monkeypatch):
    sizes = []

    def refitted(problem, settings, alternatives):
        """Chains that drift unless they are long."""
        sizes.append((settings.size.draws, settings.size.tune))
        shape = settings.size.chains, settings.size.draws
        path = np.random.default_rng(1).standard_normal((*shape, 8))
        path += (shape[1] < 100) * np.linspace(0, 50, shape[1])[:, None]
        stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros(shape, dtype=bool))})
        noise = {name: (("chain", "draw"), np.ones(shape)) for name in "sq"}
        weights = np.full((*shape, len(problem.donors)), 1 / len(problem.donors))
        noise["weights"] = (("chain", "draw", "donor"), weights)
        sampled = Sampled(xr.Dataset(noise), stats, 0.0, 0.0)
        return Refit(problem, sampled, path, np.zeros(len(problem.treated)))

    monkeypatch.setattr("bayes_synth.fitting.refit.refitted", refitted)
    plan = Calibration(draws=60, tune=100, q_factors=(1.0,))
    assert rows(fake_panel(donors=2), plan, placebo_answer).table["ok"].all()
    assert sizes == 2 * [(60, 50), (180, 150)]


def test_slices_share_their_draws_among_the_factors_of_q():
    sizes = []

    def refit(problem, settings):
        sizes.append((problem.model.process.q.sigma, settings.size.draws, settings.size.tune))
        return answered()

    rows(fake_panel(donors=2), PLAN, refit)
    assert sizes == 2 * [(0.02, 20, 17), (0.1, 20, 17), (0.5, 20, 17)]
    sizes.clear()
    heavy = bs.SyntheticControl(noise=bs.noise.LocalLevel(degrees_of_freedom=4))
    settings = Settings.checked(Size(10, 1, 1, 0.9), cores=1, random_seed=1)
    placebos(Problem.of(heavy, fake_panel(donors=2)), PLAN, settings, refit)
    assert {size[1:] for size in sizes} == {(60, 100)}


def test_factors_under_which_the_donors_are_missed_by_less_weigh_more():
    def refit(problem, settings):
        close = problem.model.process.q.sigma == 0.02
        return answered(0.1 if close else 3.0, 0.1 if close else 1.0)

    answers = rows(fake_panel(donors=12), PLAN, refit)
    shares = {each.factor: each.share for each in answers.alternatives}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[0.04] > 0.99
    pd.testing.assert_frame_equal(answers.table, answers.alternatives[0].table)


def test_equal_errors_leave_the_factors_their_prior_probabilities():
    shares = [each.share for each in rows(fake_panel(), PLAN).alternatives]
    assert shares == pytest.approx(PLAN.q_probabilities)


def test_a_noise_without_q_has_one_factor():
    settings = Settings.checked(Size(10, 1, 1, 0.9), cores=1, random_seed=1)
    problem = Problem.of(bs.SyntheticControl(noise=bs.noise.IID()), fake_panel())
    answers = placebos(problem, PLAN, settings, lambda *_: answered())
    assert [(each.factor, each.share) for each in answers.alternatives] == [(1.0, 1.0)]


def test_one_donor_cannot_calibrate():
    table = fake_panel(donors=2).outcomes.to_pandas().drop(columns="donor_01")
    fit = MODEL.fit(Panel.from_wide(table, treated="treated", start=2020), **SHORT)
    assert "not calibrated (no placebo could be made of 1 donors" in repr(fit)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kappa_sd": 0.0}, PriorError, r"\[O007\] kappa_sd must be positive and finite, got 0.0"),
        (
            {"pooling": 1.5},
            PriorError,
            r"\[O007\] pooling must lie between 0 and 1 or be None, got 1.5",
        ),
        (
            {"target_accept": 1.0},
            OptionError,
            r"\[O010\] target_accept must lie between 0 and 1, got 1.0",
        ),
        (
            {"degrees_of_freedom": -1},
            PriorError,
            r"\[O007\] degrees_of_freedom must be positive or None, got -1",
        ),
        ({"growth_sd": -0.1}, PriorError, r"\[O007\] growth_sd must be at least 0 and finite"),
        ({"q_factors": (0.1,)}, PriorError, r"\[O007\] q_factors must be positive and end with 1"),
        ({"q_factors": ()}, PriorError, r"\[O007\] q_factors must be positive and end with 1"),
        ({"q_factors": (-1, 1)}, PriorError, r"\[O007\] q_factors must be positive"),
        (
            {"q_factors": (0.1, 1), "q_probabilities": (0.2, 0.2)},
            PriorError,
            r"\[O007\] q_probabilities must be positive, sum to one and be as many as q_factors",
        ),
        ({"q_factors": (0.1, 1)}, PriorError, r"\[O007\] q_probabilities must be .* as many"),
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
    table = pd.DataFrame([[1.0] * 8 + [0, False]] * 9, columns=COLUMNS)
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
    values = iter([bad, *[(1.0, 1.0)] * 20])
    answers = rows(fake_panel(), PLAN, lambda *_: answered(*next(values)))
    assert answers.skipped == ("donor_00 (no finite forecast)",)
    assert len(answers.table) == 5
    assert np.isfinite(answers.table["z"]).all()


def test_the_summary_says_what_the_intervals_rest_on(base):
    assert base.summary().attrs["calibration"] == str(base.calibration)


def test_averages_of_donors_are_called_so():
    table = pd.DataFrame([[1.0] * 8 + [0, True]] * 9, columns=COLUMNS, index=["a + b"] * 9)
    answers = Calibrated(
        table, xr.DataArray(np.full((1, 10), 1.5), dims=("chain", "draw")), 0.8, prior_sd=1.0
    )
    assert answers.short == (
        "calibrated on 9 averages of 2 donors (kappa 1.5; no uncalibrated draws to compare with)"
    )


def test_whole_number_labels_may_be_excluded():
    assert Calibration(exclude=(5, "a")).exclude == ("5", "a")
