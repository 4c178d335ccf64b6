"""Rules for predictors: rows and concentrations, exact, carried to placebos, saved and shown."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import optimize

import bayes_synth as bs
from bayes_synth import checks
from bayes_synth.data.predictors import PredictorTable
from bayes_synth.errors import OptionError, PriorError
from bayes_synth.model.predictors import AbstractPredictorRule, Apart, Closeness, Matched
from bayes_synth.model.problem import Problem
from bayes_synth.noise import IID
from bayes_synth.priors import Dirichlet, HalfNormal
from bayes_synth.registry import SAVED
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.slice import sample_chains
from bayes_synth.testing import fake_fit, fake_panel

NAMES = ("income", "age", "price")


def with_predictors(donors=5, seed=1):
    panel = fake_panel(donors=donors)
    rng, units = np.random.default_rng(seed), panel.outcomes["unit"].to_numpy()
    numbers = rng.standard_normal((3, 2, len(units))) * [[[1.0]], [[10.0]], [[0.1]]]
    coords = {"predictor": list(NAMES), "time": panel.times[:2], "unit": units}
    return replace(
        panel, predictors=PredictorTable(xr.DataArray(numbers, dims=tuple(coords), coords=coords))
    )


@pytest.fixture(scope="module")
def panel():
    return with_predictors()


def problem(panel, rule, **options):
    return Problem.of(bs.SyntheticControl(predictors=rule, **options), panel)


def test_rows_are_differences_in_standard_deviations_over_units(panel):
    rows = problem(panel, Matched(sd=0.5)).rows
    values = panel.predictors.of([*panel.treated, *panel.donors]).to_numpy()
    apart = (values[:, 1:] - values[:, :1]) / values.std(1, ddof=1)[:, None]
    factor = np.sqrt(3 / problem(panel, Matched()).traits.apart.effective)
    np.testing.assert_allclose(rows.donors, apart / (0.5 * factor))
    assert np.array_equal(rows.treated, np.zeros(3))


def test_predictors_that_say_the_same_count_once():
    rng = np.random.default_rng(1)
    one = rng.standard_normal(30)
    alike = np.stack([one, 2 * one + 5, -one])
    assert Apart.of("abc", alike[:, 0], alike[:, 1:]).effective == pytest.approx(1)
    other = np.linalg.qr(np.column_stack([np.ones(30), rng.standard_normal((30, 3))]))[0][:, 1:].T
    assert Apart.of("abc", other[:, 0], other[:, 1:]).effective == pytest.approx(3)


def test_a_predictor_in_which_no_unit_differs_is_no_row():
    treated, donors = np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 4.0]])
    assert Apart.of(("flat", "used"), treated, donors).names == ("used",)


@pytest.mark.parametrize("least", [None, {"donor_01": 0.3}])
def test_without_noise_matched_weights_are_least_squares_with_rows(panel, least):
    rule = Matched(sd=0.003)
    prior = Dirichlet(concentration=1.0, at_least=least)
    noise = IID(s=HalfNormal(1e-4), intercept=False)
    one = Problem.of(bs.SyntheticControl(prior, noise=noise, predictors=rule), panel)
    settings = Settings(Size(1000, 500, chains=2), "slice", 1, 1)
    posterior, _, _ = sample_chains(one.regression, settings, 1)
    s = np.hypot(float(posterior["s"].mean()), 1e-3)
    outcome, donors = one.inputs.outcome, one.inputs.donor_outcomes[: one.inputs.periods]

    def loss(w):
        apart = one.rows.donors @ w
        return np.square(outcome - donors @ w).sum() + np.square(s * apart).sum()

    low = np.array([(least or {}).get(label, 0.0) for label in one.donors])
    best = optimize.minimize(
        loss,
        low + (1 - low.sum()) / 5,
        bounds=[(each, 1) for each in low],
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"maxiter": 500, "ftol": 1e-12},
    ).x
    np.testing.assert_allclose(posterior["weights"].mean(("chain", "draw")), best, atol=0.03)


def test_concentrations_fall_with_distance_and_keep_their_sum(panel):
    one = problem(panel, Closeness(2.0))
    distances = np.sqrt(np.square(one.traits.apart.differences).mean(0))
    alpha = one.prior.alpha(one.donors)
    assert alpha.sum() == pytest.approx(5 * Dirichlet().alpha(one.donors))
    assert np.array_equal(np.argsort(-alpha), np.argsort(distances))
    near, far = np.argmin(distances), np.argmax(distances)
    expected = np.exp(2 * (distances[far] - distances[near]) / distances.mean())
    assert alpha[near] / alpha[far] == pytest.approx(expected)


@pytest.mark.parametrize("rule", [Matched(), Closeness()], ids=["matched", "closeness"])
def test_placebos_carry_their_own_predictors(panel, rule):
    ours = problem(panel, rule).as_if_treated(["donor_02"])
    other = Problem.of(bs.SyntheticControl(predictors=rule), panel.as_if_treated("donor_02"))
    for name in ("known", "known_donors", "concentration"):
        expected = getattr(other.regression, name)
        np.testing.assert_allclose(getattr(ours.regression, name), expected, rtol=1e-12)


def test_a_rule_changes_weights_and_none_changes_no_bit(panel):
    plain = replace(panel, predictors=None)
    same, other = (problem(each, None).regression for each in (panel, plain))
    assert all(np.array_equal(a, b) for a, b in zip(same[:3], other[:3], strict=True))
    assert same.known.size == 0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
@pytest.mark.parametrize("rule", [Matched(sd=0.3), Closeness()], ids=["matched", "closeness"])
def test_slices_and_nuts_draw_from_one_posterior(panel, rule):
    model = bs.SyntheticControl(predictors=rule, calibrate=False)
    options = {"draws": 500, "tune": 500, "chains": 2, "random_seed": 1, "progressbar": False}
    fits = [model.fit(panel, sampler=name, **options) for name in ("slice", "nutpie")]
    ours, theirs = (fit.idata["posterior"]["weights"] for fit in fits)
    error = np.hypot(ours.std(("chain", "draw")), theirs.std(("chain", "draw"))) / np.sqrt(150)
    assert (np.abs(ours.mean(("chain", "draw")) - theirs.mean(("chain", "draw"))) < 4 * error).all()


@pytest.mark.usefixtures("interpreted")
def test_the_models_own_graph_has_the_rows(panel):
    density = {}
    for rule in (None, Matched(sd=0.3)):
        model = bs.SyntheticControl(predictors=rule).build(panel)
        density[rule] = model.compile_logp()(model.initial_point())
    assert density[None] != density[Matched(sd=0.3)]


@pytest.mark.long
@pytest.mark.parametrize("rule", [Matched(sd={"income": 1, "age": 0.5, "price": 2}), Closeness(1)])
def test_a_fit_with_predictors_is_saved_and_loaded(panel, rule, tmp_path):
    fit = fake_fit(panel=panel, model=bs.SyntheticControl(predictors=rule))
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load(tmp_path / "fit.nc")
    assert (loaded.panel, loaded.model) == (panel, fit.model)
    assert loaded.balance().equals(fit.balance())


def test_the_balance_is_that_of_the_draws(panel):
    fit = fake_fit(panel=panel)
    table = fit.balance(ci_prob=0.8)
    weights = fit.idata["posterior"]["weights"].to_numpy().reshape(-1, 5)
    draws = weights @ panel.predictors.of(panel.donors).to_numpy().T
    np.testing.assert_allclose(table["synthetic"], draws.mean(0))
    np.testing.assert_allclose(table["lower"], np.quantile(draws, 0.1, axis=0))
    np.testing.assert_allclose(table["donors"], panel.predictors.of(panel.donors).mean("unit"))
    assert table.index.tolist() == list(NAMES)
    assert table.attrs["times"]["age"] == f"{panel.times[0]} to {panel.times[1]}"


def test_report_and_priors_name_the_rule(panel):
    model = bs.SyntheticControl(predictors=Matched())
    assert model.priors(panel)["predictors"] == "matched with an sd of 0.5 over units"
    page = fake_fit(panel=panel, model=model).report("markdown")
    assert "## Balance" in page
    assert "is farthest from the treated one in" in page
    assert "Balance" not in fake_fit().report("markdown")


def test_likeness_takes_the_panels_predictors(panel):
    found = checks.likeness(fake_fit(panel=panel)).table
    assert found.loc["covariate"].index.tolist() == list(NAMES)


def test_every_rule_is_registered_for_files():
    rules = [each.cls for each in SAVED.values() if issubclass(each.cls, AbstractPredictorRule)]
    assert {Matched, Closeness} <= set(rules)


@pytest.mark.parametrize(
    ("attempt", "kind", "code", "text"),
    [
        (lambda _: Matched(sd=0), OptionError, "O086", "sd must be a positive number, got 0"),
        (lambda _: Matched(sd={"a": -1}), OptionError, "O086", "sd of 'a' must be .* got -1"),
        (lambda _: Matched(sd=np.nan), OptionError, "O086", "got nan"),
        (lambda _: Closeness("2"), OptionError, "O086", "strength must be .* got '2'"),
        (
            lambda panel: problem(panel, Matched(sd={"income": 1.0})).rows, OptionError, "O087",
            "sd must name every predictor, got none for 'age'",
        ),
        (
            lambda _: problem(fake_panel(), Matched()), OptionError, "O084",
            "the panel carries none",
        ),
        (
            lambda panel: problem(panel, Closeness(), weights=Foreign()).prior, PriorError, "O085",
            "needs a Dirichlet prior",
        ),
        (
            lambda _: bs.SyntheticControl(predictors="matched"), OptionError, "O088",
            "must be a rule such as .* got 'matched'",
        ),
    ],
)  # fmt: skip
def test_unusable_rules_are_refused_in_a_sentence(panel, attempt, kind, code, text):
    with pytest.raises(kind, match=rf"^\[{code}\] .*{text}"):
        attempt(panel)


class Foreign:
    """Look from outside as a Prior of pymc-extras does."""

    def create_variable(self, name: str):
        raise NotImplementedError
