"""The fit verdict: donors against forecasts that could win, out of sample."""

import numpy as np
import pytest

from bayes_synth.model.inputs import Inputs
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.noise import AR1, IID, LocalLevel
from bayes_synth.results.fit_verdict import FitVerdict, fit_verdict

PARAMETERS = {"s": 0.3, "q": 0.2, "rho": 0.5}
NOISES = {
    "local level": LocalLevel(),
    "iid": IID(),
    "iid, no intercept": IID(intercept=False),
    "AR(1)": AR1(),
}
PRE = 40
ORIGINS = (20, 23, 27, 31, 35, 39)
"""From where 40 periods are forecast."""


def walks(count: int, seed: int, periods: int = PRE) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((periods, count)), axis=0)


def verdict(noise, outcome, donors, *, step=1.0, post=5, variance=1.0) -> FitVerdict:
    draws = {name: np.array([0.5, 1.5]) * PARAMETERS[name] for name in noise.parameters}
    inputs = Inputs(outcome_scale("linear"), 0.0, step, outcome, donors)
    return fit_verdict(inputs, noise, draws, None, post, variance)


def followed(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A treated unit that its donors follow."""
    donors = walks(5, seed)
    return donors[:, :2].mean(1) + 0.1 * np.random.default_rng(seed + 100).standard_normal(
        PRE
    ), donors


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
@pytest.mark.parametrize("seed", range(3))
def test_donors_that_follow_the_treated_unit_are_good(noise, seed):
    assert verdict(noise, *followed(seed)).word == "good"


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
@pytest.mark.parametrize("seed", range(3))
def test_donors_that_wander_on_their_own_are_poor(noise, seed):
    unrelated = np.random.default_rng(seed).standard_normal(PRE)
    assert verdict(noise, unrelated, walks(5, seed + 50)).word == "poor"


@pytest.mark.parametrize(
    ("error", "word"),
    [(0.0, "good"), (0.5, "good"), (0.51, "fair"), (0.999, "fair"), (1.0, "poor"), (9.0, "poor")],
)
def test_words_follow_the_ratio_of_errors(error, word):
    assert FitVerdict(2 * error, 2.0, 6, {}).word == word


def test_the_sentence_names_every_forecast_that_competed():
    text = str(FitVerdict(1.234, 4.0, 6, {}, error_drift=5.0, error_mean=2.5))
    assert text == (
        "good (held-out error 1.23 with these donors, 2.5 with their plain mean, "
        "4 with its own level, 6 rolling origins)"
    )


def test_the_better_of_the_units_own_forecasts_is_the_one_that_is_named():
    text = str(FitVerdict(1.0, 4.0, 6, {}, error_drift=1.5, error_mean=2.5))
    assert "1.5 with its own drift" in text


LOST_FROM_FIVE = ": the donors add nothing to its own past, which comes closer from 5 of 6 origins"


@pytest.mark.parametrize(
    ("errors", "word", "why"),
    [
        ((1.0, 9.0, 2.0, 2.0), "good", ")"),
        ((1.0, 9.0, 2.0, 0.8), "good", ")"),
        ((1.0, 9.0, 1.2, 2.0), "fair", ": the donors do not halve the error of its own past"),
        ((1.0, 9.0, 2.0, 0.5), "fair", ": the weights do worse than the plain mean"),
        ((1.0, 9.0, 0.9, 0.5), "poor", LOST_FROM_FIVE),
        ((1.0, 0.9, 9.0, 2.0), "poor", LOST_FROM_FIVE),
        ((1.0, 9.0, 2.0, np.nan), "good", ")"),
    ],
)
def test_a_fit_that_is_not_good_says_what_it_lost_to(errors, word, why):
    ours, without, drift, mean = errors
    verdict = FitVerdict(ours, without, 6, {}, error_drift=drift, error_mean=mean, lost=5)
    assert verdict.word == word
    assert str(verdict).startswith(word)
    assert str(verdict).endswith(why)


@pytest.mark.parametrize(
    ("ours", "lost", "clear"),
    [(1.0, 6, True), (1.0, 4, True), (1.0, 3, False), (0.9, 6, False), (9.0, 0, False)],
)
def test_a_loss_that_rests_on_few_origins_is_no_alarm(ours, lost, clear):
    found = FitVerdict(ours, 1.0, 6, {}, error_drift=2.0, lost=lost)
    assert found.clearly_poor == clear


def test_origins_are_lost_one_by_one():
    """From none where the donors know the unit, from most where they do not."""
    outcome, donors = followed()
    assert verdict(LocalLevel(), outcome, donors).lost == 0
    unrelated = np.random.default_rng(3).standard_normal(PRE)
    found = verdict(IID(), unrelated, walks(5, 53))
    assert found.lost >= 4
    assert found.clearly_poor


def test_the_ratio_is_against_the_best_of_the_others():
    found = FitVerdict(1.0, 9.0, 6, {}, error_drift=2.0, error_mean=0.5)
    assert (found.ratio, found.ratio_own, found.ratio_mean) == (2.0, 0.5, 2.0)


def test_the_plain_mean_is_that_of_the_donors_moved_to_the_units_own_level():
    outcome, donors = followed()
    gap = outcome - donors.mean(1)
    ahead = [gap[origin : origin + 5] - gap[:origin].mean() for origin in ORIGINS]
    expected = np.sqrt(np.mean(np.concatenate(ahead) ** 2))
    found = verdict(LocalLevel(), outcome + 30, donors).error_mean
    assert found == pytest.approx(expected, rel=1e-12)


def test_one_donor_is_its_own_plain_mean_and_does_not_compete_with_itself():
    outcome, donors = followed()
    found = verdict(IID(), outcome, donors[:, :1])
    assert np.isnan(found.error_mean)
    assert "plain mean" not in str(found)


@pytest.mark.parametrize("slope", [0.0, 0.3, -20.0])
def test_a_straight_line_is_forecast_by_its_own_drift(slope):
    outcome = slope * np.arange(PRE) + 0.01 * np.random.default_rng(3).standard_normal(PRE)
    assert verdict(IID(), outcome, walks(2, 5)).error_drift < 0.03


def test_a_drift_counts_the_periods_that_have_no_outcome():
    outcome = 2.0 * np.arange(PRE)
    outcome[[4, 5, 6, 7, 8, 24]] = np.nan
    assert verdict(IID(), outcome, walks(2, 5)).error_drift == 0.0


def test_where_others_miss_nothing_there_is_nothing_to_compare_with():
    found = verdict(IID(), 2.0 * np.arange(PRE), walks(2, 5))
    assert (found.word, found.error_drift) == ("unknown", 0.0)


def test_donors_that_know_nothing_but_a_common_drift_are_hardly_ever_good():
    """Each goes its own way; against a local level without drift every one of them was good."""
    found = []
    for seed in range(20):
        series = walks(9, seed + 20, 80) + 2.0 * np.arange(80)[:, None]
        found.append(verdict(LocalLevel(), series[:, 0], series[:, 1:], post=20))
    assert all(each.error < 0.75 * each.error_without for each in found)
    assert sum(each.word == "good" for each in found) <= 2


def test_the_rival_with_a_drift_is_statsmodels_deterministic_trend():
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    rng = np.random.default_rng(12)
    outcome = np.cumsum(0.7 + 0.5 * rng.standard_normal(PRE)) + rng.standard_normal(PRE)
    errors = []
    for origin in ORIGINS:
        rival = UnobservedComponents(outcome[:origin], "lldtrend")
        rival.ssm.initialize_diffuse()
        rival.loglikelihood_burn = 0
        ahead = outcome[origin : origin + 5]
        errors.append(ahead - rival.fit(disp=False).forecast(len(ahead)))
    expected = np.sqrt(np.mean(np.concatenate(errors) ** 2))
    assert verdict(IID(), outcome, walks(2, 5)).error_drift == pytest.approx(expected, rel=0.02)


def test_a_pre_period_too_short_to_hold_out_is_unknown():
    outcome, donors = followed()
    assert str(verdict(LocalLevel(), outcome[:5], donors[:5])) == (
        "unknown (the pre-period is too short to hold periods out)"
    )


def test_one_period_beyond_five_allows_one_origin():
    outcome, donors = followed()
    assert verdict(LocalLevel(), outcome[:6], donors[:6]).origins == 1


def test_a_long_pre_period_has_six_origins():
    assert verdict(LocalLevel(), *followed()).origins == 6


def test_errors_are_in_outcome_units():
    plain, larger = (verdict(LocalLevel(), *followed(), step=step) for step in (1.0, 7.0))
    assert (larger.error, larger.error_without) == pytest.approx(
        (7 * plain.error, 7 * plain.error_without)
    )


def test_the_first_origin_has_half_of_the_periods():
    """With one donor, no level and no weights to learn, the errors are the gaps themselves."""
    outcome, donors = followed()
    gap = outcome - donors[:, 0]
    ahead = [gap[origin : origin + 5] for origin in ORIGINS]
    expected = np.sqrt(np.mean(np.concatenate(ahead) ** 2))
    assert verdict(IID(intercept=False), outcome, donors[:, :1]).error == pytest.approx(
        expected, rel=1e-12
    )


def test_a_free_level_is_learned_before_the_origin():
    outcome, donors = followed()
    gap = outcome - donors[:, 0] + 30
    ahead = [gap[origin : origin + 5] - gap[:origin].mean() for origin in ORIGINS]
    expected = np.sqrt(np.mean(np.concatenate(ahead) ** 2))
    assert verdict(IID(), outcome + 30, donors[:, :1]).error == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "noise", [LocalLevel(initial_level=np.inf), IID(), AR1()], ids=["local level", "iid", "AR(1)"]
)
def test_a_shift_of_the_treated_unit_changes_nothing_when_the_level_is_free(noise):
    outcome, donors = followed()
    assert verdict(noise, outcome + 30, donors).error == pytest.approx(
        verdict(noise, outcome, donors).error, rel=1e-6
    )


@pytest.mark.parametrize("side", ["error", "error_without", "error_drift", "error_mean"])
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_the_last_period_is_only_ever_forecast(noise, side):
    """It lies beyond every origin, so each window's squared error is a plain parabola in it."""
    outcome, donors = followed()
    last = np.eye(PRE)[-1]
    squares = [
        getattr(verdict(noise, outcome + move * last, donors), side) ** 2
        for move in (-100.0, 0.0, 100.0)
    ]
    windows, periods = (
        2,
        5 * 5 + 1,
    )  # from the origins 35 and 39; the last one has a single period left
    assert squares[0] + squares[2] - 2 * squares[1] == pytest.approx(
        2 * 100.0**2 * windows / periods, rel=1e-9
    )


def test_without_donors_a_climbing_series_is_forecast_by_its_last_value():
    outcome, donors = 10.0 * np.arange(PRE), walks(2, 5)
    ahead = [outcome[origin : origin + 5] - outcome[origin - 1] for origin in ORIGINS]
    expected = np.sqrt(np.mean(np.concatenate(ahead) ** 2))
    assert verdict(IID(), outcome, donors).error_without == pytest.approx(expected, rel=1e-3)


def test_without_donors_white_noise_is_forecast_by_its_mean():
    outcome, donors = np.random.default_rng(6).standard_normal(PRE), walks(2, 5)
    ahead = [outcome[origin : origin + 5] - outcome[:origin].mean() for origin in ORIGINS]
    expected = np.sqrt(np.mean(np.concatenate(ahead) ** 2))
    assert verdict(IID(), outcome, donors).error_without == pytest.approx(expected, rel=0.05)


def test_the_rival_without_donors_is_statsmodels_local_level():
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    rng = np.random.default_rng(12)
    outcome = np.cumsum(0.5 * rng.standard_normal(PRE)) + rng.standard_normal(PRE)
    errors = []
    for origin in ORIGINS:
        rival = UnobservedComponents(outcome[:origin], "llevel")
        rival.ssm.initialize_diffuse()
        rival.loglikelihood_burn = 0
        errors.append(outcome[origin : origin + 5] - rival.fit(disp=False).forecast(1)[0])
    expected = np.sqrt(np.mean(np.concatenate(errors) ** 2))
    assert verdict(IID(), outcome, walks(2, 5)).error_without == pytest.approx(expected, rel=0.02)


def test_noise_shares_are_parts_of_the_predictive_variance():
    shares = verdict(LocalLevel(), *followed(), post=5, variance=2.0).noise_share
    squares = np.mean([0.5**2, 1.5**2])
    growth = 6 * 11 / 30
    expected = {"s": squares * 0.3**2 / 5 / 2.0, "q": squares * 0.2**2 * growth / 2.0}
    assert shares == pytest.approx(expected, rel=1e-12)


def test_relabelled_donors_have_the_same_verdict():
    outcome, donors = followed()
    one, other = (
        verdict(LocalLevel(), outcome, donors),
        verdict(LocalLevel(), outcome, donors[:, ::-1]),
    )
    assert one.error == pytest.approx(other.error, rel=1e-6)
