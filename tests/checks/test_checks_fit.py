"""Checks of the fit before treatment: each catches what it is meant for."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.checks.innovations import innovations, jarque_bera, whitener
from bayes_synth.data.panel import Panel
from bayes_synth.errors import DesignError, PanelError
from bayes_synth.results.simplex import simplex_least_squares
from bayes_synth.testing import fake_fit, fake_panel

NOISES = (bs.noise.LocalLevel(), bs.noise.IID(), bs.noise.AR1(), bs.noise.LocalLinearTrend())
ONES = {name: np.array([0.6]) for name in ("s", "q", "rho", "drift")}


def changed(panel: Panel, change) -> Panel:
    """The panel with another treated series."""
    wide = panel.outcomes.to_pandas()
    wide["treated"] = change(wide["treated"])
    return Panel.from_wide(wide, treated="treated", start=panel.start)


def with_missing(panel: Panel, *times: int) -> Panel:
    wide = panel.outcomes.to_pandas()
    wide.loc[list(times), "treated"] = np.nan
    with pytest.warns(bs.errors.PanelWarning):
        return Panel.from_wide(wide, treated="treated", start=panel.start, missing="model")


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: type(noise).__name__)
def test_innovations_whiten_the_noise_and_look_at_no_later_period(noise):
    draws = {name: ONES[name] for name in noise.parameters}
    matrix = whitener(noise, draws, np.zeros(0, dtype=int), 12)
    paths = noise.simulate(
        {k: np.repeat(v, 20_000) for k, v in draws.items()}, 12, np.random.default_rng(1)
    )
    z = paths @ matrix.T
    assert np.allclose(np.triu(matrix, 1), 0)
    assert np.cov(z[:, 1:], rowvar=False) == pytest.approx(np.eye(11), abs=0.06)


def test_innovations_leave_missing_periods_out():
    residual = np.random.default_rng(1).standard_normal(10)
    holed = np.where(np.arange(10) == 4, np.nan, residual)
    assert len(innovations(bs.noise.IID(), {"s": np.array([1.0])}, holed)) == 8


def test_a_clean_fit_passes():
    check = checks.fit_quality(fake_fit())
    assert check.verdict == "pass"
    judged = fake_fit().fit_verdict
    values = check.table["value"]
    assert values["held_out_error_ratio"] == pytest.approx(judged.ratio_own)
    assert values["held_out_over_plain_mean"] == pytest.approx(judged.ratio_mean)
    assert check.table["verdict"]["held_out_over_plain_mean"] == "pass"


def test_donors_that_do_not_follow_fail():
    noise = 5 * np.random.default_rng(1).standard_normal(28)
    assert (
        checks.fit_quality(fake_fit(panel=changed(fake_panel(), lambda y: 100 + noise))).verdict
        == "fail"
    )


def test_a_single_shock_is_odd_in_the_residuals():
    def shocked(y):
        return y + 8.0 * (y.index == 2012)

    table = checks.fit_quality(fake_fit(panel=changed(fake_panel(), shocked))).table
    assert table.loc[["residual_largest", "residual_jarque_bera"], "verdict"].tolist() == [
        "caution",
        "caution",
    ]


def test_alternating_residuals_are_odd_in_their_autocorrelation():
    fit = fake_fit(panel=changed(fake_panel(pre=40), lambda y: y + 2.0 * (-1) ** np.arange(len(y))))
    assert checks.fit_quality(fit).table.loc["residual_autocorrelation", "verdict"] == "caution"


def test_the_statistic_of_normality_is_scipys():
    z = np.random.default_rng(1).standard_normal((3, 50))
    expected = [stats.jarque_bera(row).statistic for row in z]
    assert jarque_bera(z) == pytest.approx(expected)


@pytest.mark.parametrize("check", [checks.fit_quality, checks.overfitting])
def test_too_few_periods_are_not_judged(check):
    answer = check(fake_fit(panel=fake_panel(pre=6)))
    assert answer.verdict == "not applicable"
    assert "6 pre-periods" in answer.reason


@pytest.mark.parametrize(
    "check", [checks.fit_quality, checks.overfitting, checks.convex_hull, checks.likeness]
)
def test_periods_without_outcome_are_left_out(check):
    whole = fake_panel(pre=30)
    holed = check(fake_fit(panel=with_missing(whole, 2004, 2005)))
    assert holed.verdict == "pass"
    assert np.isfinite(
        holed.table["value"].drop("held_out_error_ratio") if "value" in holed.table else 0
    ).all()


def test_donors_that_carry_signal_do_not_count_as_overfitting():
    check = checks.overfitting(fake_fit())
    assert check.verdict == "pass"
    assert check.table.loc["rolling origins", "explained_out_of_sample"] > 0.9


@pytest.mark.long
def test_sixty_donors_of_pure_noise_count_as_overfitting():
    caught = 0
    for seed in range(10):
        series = np.random.default_rng(seed).standard_normal((20, 61))
        frame = pd.DataFrame(series, columns=["treated", *(f"donor_{j:02d}" for j in range(60))])
        panel = Panel.from_wide(frame, treated="treated", start=15)
        caught += checks.overfitting(fake_fit(panel=panel)).verdict in ("caution", "fail")
    assert caught >= 8


@pytest.mark.filterwarnings("ignore:.D040")
def test_weights_of_a_split_do_not_know_what_comes_after():
    def spoiled(y):
        return y + 50.0 * (y.index >= 2014) * (y.index < 2020)

    tables = [
        checks.overfitting(fake_fit(panel=panel)).table
        for panel in (fake_panel(), changed(fake_panel(), spoiled))
    ]
    # The step is from the whole pre-period, so errors are compared with those without donors.
    explained = [table.loc["last third", "explained_out_of_sample"] for table in tables]
    assert explained[0] > 0.9 > 0.5 > explained[1]


def test_a_unit_among_its_donors_is_inside_their_hull():
    check = checks.convex_hull(fake_fit())
    assert check.verdict == "pass"
    panel = fake_panel()
    donors = panel.donor_outcomes.sel(time=panel.pre.to_numpy()).to_numpy()
    outcome = panel.treated_outcome.sel(time=panel.pre.to_numpy()).to_numpy()
    distance = np.sqrt(np.mean((outcome - donors @ simplex_least_squares(donors, outcome)) ** 2))
    assert check.table.loc["levels", "distance"] == pytest.approx(distance)


@pytest.mark.parametrize(
    ("noise", "verdict"),
    [(bs.noise.LocalLevel(), "caution"), (bs.noise.IID(intercept=False), "fail")],
)
def test_a_unit_above_all_donors_is_outside_their_hull(noise, verdict):
    fit = fake_fit(
        panel=changed(fake_panel(), lambda y: y + 50), model=bs.SyntheticControl(noise=noise)
    )
    check = checks.convex_hull(fit)
    assert check.verdict == verdict
    assert check.table["outside"].tolist() == [1.0, 0.0]


@pytest.mark.filterwarnings("ignore:.D040")
def test_a_unit_that_moves_more_than_its_donors_fails_even_with_a_level():
    fit = fake_fit(panel=changed(fake_panel(), lambda y: 100 + 30 * (y - 100)))
    assert checks.convex_hull(fit).verdict == "fail"


def unlike(near: float) -> Panel:
    """A treated unit that two distant donors average to, with others that lie ``near``."""
    rng = np.random.default_rng(0)
    signal, wave = np.cumsum(rng.standard_normal(28)), 20 * np.sin(np.arange(28))
    wide = pd.DataFrame(
        {"donor_00": signal + 0.4 * wave, "donor_01": signal - 0.6 * wave}, index=range(2000, 2028)
    )
    for j in range(2, 8):
        wide[f"donor_{j:02d}"] = signal + near * rng.standard_normal(28)
    return Panel.from_wide(
        wide.assign(treated=signal + 0.1 * rng.standard_normal(28)), treated="treated", start=2020
    )


def test_heavy_donors_that_are_far_are_caught():
    check = checks.likeness(fake_fit(panel=unlike(near=0.5)))
    assert check.verdict == "fail"
    assert check.table.loc[("donor", "donor_01"), "far"]


def test_heavy_donors_that_are_near_pass():
    assert checks.likeness(fake_fit(panel=unlike(near=200.0))).verdict == "pass"


def covariates() -> pd.DataFrame:
    panel = fake_panel()
    table = pd.DataFrame(
        {"income": np.arange(6.0), "age": [3.0, 1, 4, 1, 5, 9]}, index=list(panel.donors)
    )
    table.loc["treated"] = 0.6 * table.loc["donor_00"] + 0.4 * table.loc["donor_01"]
    return table


def test_balanced_covariates_pass():
    check = checks.likeness(fake_fit(), covariates=covariates())
    assert check.verdict == "pass"
    row = check.table.loc[("covariate", "income")]
    assert row["lower"] < row["treated"] < row["upper"]
    assert row["donor_mean"] == pytest.approx(2.5)


def test_an_unbalanced_covariate_fails_and_is_named():
    table = covariates()
    table.loc["treated", "age"] = 30.0
    check = checks.likeness(fake_fit(), covariates=table)
    assert check.verdict == "fail"
    assert "largest imbalance: age" in check.reason


@pytest.mark.parametrize(
    ("spoil", "error", "code"),
    [
        (lambda t: t.drop("donor_03"), DesignError, "D009"),
        (lambda t: pd.concat([t, t.loc[["donor_03"]]]), DesignError, "D050"),
        (lambda t: t.assign(age="old"), PanelError, "P010"),
        (lambda t: t.assign(age=np.nan), PanelError, "V018"),
        (lambda t: t.assign(age=1.0), PanelError, "V019"),
    ],
)
def test_covariates_that_cannot_be_used_are_refused(spoil, error, code):
    with pytest.raises(error, match=code):
        checks.likeness(fake_fit(), covariates=spoil(covariates()))


def test_a_single_donor_leaves_nothing_to_prefer():
    panel = fake_panel().keep("donor_00")
    assert checks.likeness(fake_fit(panel=panel)).verdict == "not applicable"
