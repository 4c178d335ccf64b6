"""scale="auto": chosen by the density of the donors' outcomes, in outcome units, and said."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

import bayes_synth as bs
from bayes_synth.errors import OptionError
from bayes_synth.fitting.scale_choice import choose_scale, scale_evidence
from bayes_synth.model.calibration import COLUMNS, Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.results.calibrated import Alternative, Placebos
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.testing import fake_panel

PLAN = Calibration(draws=60, tune=100)
AUTO = bs.SyntheticControl(scale="auto", calibrate=PLAN)
SIZES = {"draws": 500, "tune": 100, "chains": 4}
SMALL = SIZES | {"cores": 1, "random_seed": 1, "progressbar": False}
SETTINGS = Settings.checked(Size(150, 100, 2, 0.99), cores=1, random_seed=1)
NORMAL = Calibration(degrees_of_freedom=np.inf, pooling=0.0)


def panel_of(kind, seed=0, donors=9):
    """Make units of very unlike sizes whose common growth adds up, or multiplies."""
    rng = np.random.default_rng(seed)
    size = np.linspace(0, 3, donors + 1)[rng.permutation(donors + 1)]
    common = np.cumsum(rng.normal(0.06, 0.04, (40, 1)), axis=0)
    own = np.cumsum(0.01 * rng.standard_normal((40, donors + 1)), axis=0)
    if kind == "multiplicative":
        outcomes = 10 * np.exp(size + common + own)
    else:
        outcomes = 100 * np.exp(size) / 5 + 50 * (common + own)
    names = [f"donor_{j}" for j in range(donors)]
    frame = pd.DataFrame(outcomes, columns=[*names, "treated"])
    frame.loc[28:, "treated"] += 5.0
    return bs.Panel.from_wide(frame, treated="treated", start=28)


@pytest.fixture(scope="module")
def multiplied():
    """One real fit whose scale is chosen."""
    return AUTO.fit(panel_of("multiplicative"), **SMALL)


def test_growth_that_multiplies_is_modelled_in_logarithms(multiplied):
    assert multiplied.model.scale == "log"
    scores = multiplied.idata["scale_scores"].to_dataset().to_dataframe()
    assert scores["probability"].sum() == pytest.approx(1)
    assert scores.loc["log", "probability"] > 0.9
    assert list(scores["chosen"]) == [0, 1]


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 3])
def test_growth_that_adds_up_stays_linear(seed):
    choice = choose_scale(AUTO, panel_of("additive", seed), SETTINGS)
    assert choice.model.scale == "linear"
    assert choice.table.loc["linear", "probability"] > 0.8


def test_the_fit_is_that_of_the_chosen_scale_draw_by_draw(multiplied):
    named = replace(AUTO, scale="log").fit(multiplied.panel, **SMALL)
    for group in ("effects", "calibration"):
        xr.testing.assert_identical(
            multiplied.idata[group].to_dataset(), named.idata[group].to_dataset()
        )
    assert named.record.scale_choice == ""


@pytest.mark.long
def test_the_choice_is_said_and_kept(multiplied, tmp_path):
    said = "log scale chosen by the realised errors of 9 placebos (probability "
    assert multiplied.record.scale_choice.startswith(said)
    multiplied.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    for fit in (multiplied, loaded):
        assert said in repr(fit)
        assert said in fit.methods_text()
        assert said in fit.report()
    xr.testing.assert_identical(
        loaded.idata["scale_scores"].to_dataset(), multiplied.idata["scale_scores"].to_dataset()
    )


def with_a_zero_donor(frame):
    frame.loc[5, "donor_3"] = 0.0


def with_a_negative_treated(frame):
    frame.loc[3, "treated"] = -1.0


def with_a_zero_after_the_start(frame):
    frame.loc[35, "donor_0"] = 0.0


@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")
@pytest.mark.parametrize(
    "spoil", [with_a_zero_donor, with_a_negative_treated, with_a_zero_after_the_start]
)
def test_outcomes_without_logarithm_keep_the_scale_linear_and_it_is_said(spoil):
    frame = panel_of("multiplicative").outcomes.to_pandas()
    spoil(frame)
    panel = bs.Panel.from_wide(frame, treated="treated", start=28)
    choice = choose_scale(AUTO, panel, SETTINGS)
    assert choice.model.scale == "linear"
    assert choice.words == (
        "linear scale: some outcomes are zero or less and have no logarithm, so scales were not "
        "compared"
    )


def test_few_donors_keep_the_scale_linear_and_it_is_said():
    fit = AUTO.fit(panel_of("multiplicative", donors=4), **SMALL)
    assert fit.model.scale == "linear"
    assert "linear scale: 4 placebos are too few to choose by, so scales" in repr(fit)
    assert "scale_scores" not in fit.idata.children


@pytest.mark.long
def test_the_treated_post_period_is_never_read():
    panel = panel_of("multiplicative")
    frame = panel.outcomes.to_pandas()
    frame.loc[28:, "treated"] *= 0.01
    other = bs.Panel.from_wide(frame, treated="treated", start=28)
    first, second = (choose_scale(AUTO, each, SETTINGS).table for each in (panel, other))
    pd.testing.assert_frame_equal(first, second)


def test_without_calibration_there_is_nothing_to_choose_by():
    with pytest.raises(OptionError, match=r'\[O016\] scale="auto" needs calibrate=True'):
        bs.SyntheticControl(scale="auto", calibrate=False)


@pytest.mark.parametrize("ask", ["build", "prior_predictive", "priors"])
def test_before_it_is_chosen_there_is_no_model(ask):
    with pytest.raises(OptionError, match=r'\[O017\] scale="auto" is chosen by fit\(panel\)'):
        getattr(AUTO, ask)(fake_panel())


def test_an_unknown_scale_is_answered_with_all_that_exist():
    with pytest.raises(OptionError, match=r"O001.*auto"):
        bs.SyntheticControl(scale="atuo")


def placebos_with(errors, sds, labels):
    """Make a table whose only news are these errors and predictive sds."""
    table = pd.DataFrame(
        {"error": errors, "sd": sds, "doubt": 0.4, "deviation": 1.0, "deviation_sd": 1.0},
        index=pd.Index(labels, name="donor"),
    ).assign(periods=3.0, step=1.0, divergences=0, ok=True)
    table = NORMAL.scored(table)[list(COLUMNS)]
    return Placebos(table, (), alternatives=(Alternative(1.0, 1.0, table),))


def test_the_evidence_is_a_density_of_the_average_outcome():
    """Of exp(g + N(0, v^2 kappa^2)), kappa integrated out by quadrature, at the observed mean."""
    panel = panel_of("multiplicative")
    problem = Problem.of(bs.SyntheticControl(scale="log", calibrate=NORMAL), panel)
    labels = list(panel.donors[:2])
    errors, sds = np.array([0.1, -0.2]), np.array([0.05, 0.3])
    means = panel.donor_outcomes.to_pandas().loc[28:, labels].mean().to_numpy()

    def joint(x):
        law = stats.lognorm.pdf(means, sds * np.exp(x), scale=means * np.exp(-errors))
        return np.prod(law) * stats.norm.pdf(x)

    exact = np.log(integrate.quad(joint, -8, 8, limit=400)[0])
    evidence = scale_evidence(problem, NORMAL, placebos_with(errors, sds, labels), labels)
    # The evidence leaves out a constant of every density, sqrt(pi).
    assert evidence - np.log(np.pi) == pytest.approx(exact, abs=1e-4)


@pytest.mark.long
def test_another_unit_of_measurement_changes_nothing():
    panel = panel_of("multiplicative")
    cents = bs.Panel.from_wide(panel.outcomes.to_pandas() * 100, treated="treated", start=28)
    first, second = (choose_scale(AUTO, each, SETTINGS).table for each in (panel, cents))
    np.testing.assert_allclose(first["probability"], second["probability"], atol=0.02)


def test_an_interrupt_is_passed_on():
    stopped = Placebos(pd.DataFrame(columns=COLUMNS), (), stopped="interrupted")
    with pytest.raises(KeyboardInterrupt):
        choose_scale(AUTO, panel_of("multiplicative"), SETTINGS, lambda *_: stopped)


@pytest.mark.long
def test_a_batch_keeps_what_was_chosen(multiplied):
    task = bs.FitTask(multiplied.panel, AUTO, **SIZES)
    result = bs.fit_many([task], keep="full", random_seed=1, progressbar=False)
    for fit in (result.fits[0], result.fits[0]):  # asked for twice, it is the same
        assert fit.model.scale == "log"
        assert "log scale chosen" in fit.record.scale_choice


@pytest.mark.long
def test_an_extended_fit_keeps_the_scale_and_says_when_it_was_chosen(multiplied):
    frame = multiplied.panel.outcomes.to_pandas()
    frame.loc[40] = frame.loc[39] * 1.05
    more = multiplied.extend(bs.Panel.from_wide(frame, treated="treated", start=28))
    assert more.model.scale == "log"
    assert more.record.scale_choice == multiplied.record.scale_choice
    assert "scale_scores" in more.idata.children
