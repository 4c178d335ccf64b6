"""Priors agree with their definition, in moments, laws and densities, and refuse other values."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy import stats

import bayes_synth as bs
from bayes_synth.errors import PriorError
from bayes_synth.noise import AR1, LocalLevel
from bayes_synth.priors import Dirichlet, HalfNormal, as_weights_prior, concentration_for

DONORS = tuple(f"donor_{j:02d}" for j in range(10))
UNEQUAL = dict(zip(DONORS, [0.2, 0.5, 1.0, 4.0, 0.5, 2.0, 0.3, 1.5, 0.7, 1.0], strict=True))
PRIORS = {
    "sparse": (Dirichlet(concentration=0.15), np.full(10, 0.15)),
    "uniform": (Dirichlet(concentration=1.0), np.ones(10)),
    "unequal": (Dirichlet(concentration=UNEQUAL), np.array(list(UNEQUAL.values()))),
}
BY_PRIOR = pytest.mark.parametrize(("prior", "alpha"), PRIORS.values(), ids=PRIORS.keys())
SIZE = 4000


def near(values: np.ndarray, expected: np.ndarray) -> bool:
    """Means over the rows within five standard errors: there are dozens of them."""
    return bool(
        (np.abs(values.mean(0) - expected) < 5 * values.std(0) / np.sqrt(len(values))).all()
    )


def second_moments(alpha: np.ndarray) -> np.ndarray:
    """``E[w w']`` of a Dirichlet."""
    total = alpha.sum()
    return (np.outer(alpha, alpha) + np.diag(alpha)) / (total * (total + 1))


@pytest.mark.parametrize(
    ("effective", "donors"), [(1.5, 2), (2, 10), (4, 38), (37.9, 38), (4, 1000)]
)
def test_the_concentration_inverts_the_expected_sum_of_squares(effective, donors):
    alpha = np.full(donors, concentration_for(effective, donors))
    assert 1 / np.trace(second_moments(alpha)) == pytest.approx(effective, rel=1e-12)


def test_the_default_expects_four_effective_donors():
    assert Dirichlet().alpha(range(38)) == concentration_for(4, 38)


@pytest.mark.parametrize("donors", range(1, 7))
def test_the_default_is_at_most_uniform_for_few_donors(donors):
    assert Dirichlet().alpha(range(donors)) == pytest.approx(1.0)


def test_the_default_is_sparser_than_uniform_from_eight_donors_on():
    assert Dirichlet().alpha(range(8)) == pytest.approx(3 / 4)


@pytest.fixture(scope="module", params=PRIORS)
def from_numpy(request):
    prior, alpha = PRIORS[request.param]
    return prior.sample(DONORS, 20_000, np.random.default_rng(1)), alpha


@pytest.fixture(scope="module", params=PRIORS)
def from_graph(request):
    """Draws of the non-centred form in the graph, padding included."""
    prior, alpha = PRIORS[request.param]
    with pm.Model(coords={"donor": range(16)}):
        weights = prior.build(prior.inputs(DONORS, prior.width(DONORS)), prior.width(DONORS))
        with pytensor.config.change_flags(mode="FAST_COMPILE"):
            return pm.draw(weights, draws=SIZE, random_seed=1), alpha


def test_samples_have_the_first_moments_of_the_dirichlet(from_numpy):
    draws, alpha = from_numpy
    assert near(draws, alpha / alpha.sum())


def test_samples_have_the_second_moments_of_the_dirichlet(from_numpy):
    draws, alpha = from_numpy
    assert near(draws[:, :, None] * draws[:, None], second_moments(alpha))


@pytest.mark.long
def test_the_graph_has_the_second_moments_of_the_dirichlet(from_graph):
    draws, alpha = from_graph
    assert near(draws[:, :10, None] * draws[:, None, :10], second_moments(alpha))


@pytest.mark.parametrize("donor", [0, 3, 9])
def test_a_weight_of_the_graph_has_a_beta_law(from_graph, donor):
    draws, alpha = from_graph
    assert (
        stats.kstest(
            draws[:, donor], stats.beta(alpha[donor], alpha.sum() - alpha[donor]).cdf
        ).pvalue
        > 1e-3
    )


def test_a_sum_of_weights_of_the_graph_has_a_beta_law(from_graph):
    draws, alpha = from_graph
    assert (
        stats.kstest(
            draws[:, 2:6].sum(1), stats.beta(alpha[2:6].sum(), alpha.sum() - alpha[2:6].sum()).cdf
        ).pvalue
        > 1e-3
    )


def test_padding_donors_have_exactly_no_weight(from_graph):
    draws, _ = from_graph
    assert np.array_equal(draws[:, 10:], np.zeros((SIZE, 6)))


def test_weights_of_the_graph_sum_to_one(from_graph):
    np.testing.assert_allclose(from_graph[0].sum(1), 1, rtol=1e-14)


@pytest.mark.parametrize(("donors", "width"), [(1, 8), (8, 8), (9, 16), (38, 40)])
def test_donors_are_padded_to_the_next_multiple_of_eight(donors, width):
    assert Dirichlet().width(range(donors)) == width
    assert Dirichlet().inputs(range(donors), width)["padding"].size == width


@BY_PRIOR
def test_log_density_is_scipys(prior, alpha):
    weights = np.random.default_rng(1).dirichlet(np.full(10, 2.0), size=(3, 5))
    expected = stats.dirichlet(alpha).logpdf(weights.reshape(-1, 10).T).reshape(3, 5)
    np.testing.assert_allclose(prior.log_density(weights, DONORS), expected, rtol=1e-11)


def test_log_density_of_a_vanished_weight_is_finite():
    weights = np.append(np.zeros(9), 1.0)
    assert np.isfinite(Dirichlet(concentration=0.15).log_density(weights, DONORS))


def test_concentrations_follow_labels_not_their_order():
    shuffled = dict(reversed(UNEQUAL.items()))
    assert np.array_equal(Dirichlet(concentration=shuffled).alpha(DONORS), list(UNEQUAL.values()))


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_half_normal_samples_have_its_law(scale):
    draws = HalfNormal(scale).sample(SIZE, np.random.default_rng(1))
    assert stats.kstest(draws, stats.halfnorm(scale=scale).cdf).pvalue > 1e-3


def test_half_normal_log_density_is_scipys():
    value = np.array([0.01, 0.2, 3.0])
    np.testing.assert_allclose(
        HalfNormal(0.5).log_density(value), stats.halfnorm(scale=0.5).logpdf(value), rtol=1e-12
    )


@pytest.mark.parametrize("noise", [LocalLevel(), AR1()], ids=["local level", "AR(1)"])
@pytest.mark.usefixtures("interpreted")
def test_every_noise_parameter_of_the_graph_has_the_law_it_has_in_numpy(noise):
    with pm.Model() as model:
        noise.build(pm.Data("residual", np.zeros(5)), noise.inputs(5))
    names = list(noise.parameters)
    graph = pm.draw([model[name] for name in names], draws=2000, random_seed=1)
    ours = noise.sample(20_000, np.random.default_rng(2))
    assert (
        min(
            stats.ks_2samp(draws, ours[name]).pvalue
            for name, draws in zip(names, graph, strict=True)
        )
        > 1e-3
    )


def test_the_autocorrelation_has_its_log_density():
    rho = np.array([-0.9, 0.0, 0.5, 0.99])
    expected = pm.logp(pm.Beta.dist(np.array(3.0), np.array(1.5)), (rho + 1) / 2).eval() - np.log(2)
    np.testing.assert_allclose(AR1().log_prior({"s": rho, "rho": rho})["rho"], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("attempt", "code", "text"),
    [
        (lambda: Dirichlet(concentration=0), "O002", r"concentration must be positive, got 0\."),
        (lambda: Dirichlet(concentration=np.inf), "O002", r"must be positive, got inf\."),
        (lambda: Dirichlet(concentration={"a": 1, "b": -1.0}), "O002", r"positive, got -1\.0\."),
        (lambda: Dirichlet(concentration={"a": np.nan}), "O002", r"must be positive, got nan\."),
        (
            lambda: Dirichlet(concentration={"donor_00": 1}).alpha(DONORS), "O002",
            r"no value for 9 donors: donor_01, donor_02, donor_03, donor_04, donor_05 and 4 more",
        ),
        (
            lambda: Dirichlet(concentration=UNEQUAL | {"donor_0": 1}).alpha(DONORS), "O002",
            r"must name donors only, got 'donor_0'\. Did you mean 'donor_0\d'\?",
        ),
        (
            lambda: Dirichlet(effective_donors=2, concentration=1), "O014",
            "give effective_donors or concentration, not both",
        ),
        (lambda: Dirichlet(effective_donors=1), "O015", r"_donors must be above 1, got 1\."),
        (lambda: Dirichlet(effective_donors=np.nan), "O015", r"must be above 1, got nan\."),
        (lambda: Dirichlet(effective_donors=np.inf), "O015", r"must be above 1, got inf\."),
        (
            lambda: Dirichlet(effective_donors=10).alpha(DONORS), "O015",
            r"effective_donors must be below the number of donors, 10, got 10; up to 5\.5 is",
        ),
        (lambda: HalfNormal(0), "O007", r"sigma must be a positive number, got 0\."),
        (lambda: HalfNormal(-1.0), "O007", r"sigma must be a positive number, got -1\.0\."),
        (lambda: HalfNormal(np.inf), "O007", r"sigma must be a positive number, got inf\."),
        (lambda: HalfNormal(np.nan), "O007", r"sigma must be a positive number, got nan\."),
        (
            lambda: as_weights_prior(0.5), "O006",
            r"weights must be a prior on weights, got 0\.5; write bs\.priors\.Dirichlet",
        ),
    ],
)  # fmt: skip
def test_unusable_values_are_refused_in_a_sentence(attempt, code, text):
    with pytest.raises(PriorError, match=rf"^\[{code}\] .*{text}"):
        attempt()


def test_a_prior_is_refused_for_a_panel_with_too_few_donors(panel):
    with pytest.raises(PriorError, match="O015"):
        bs.SyntheticControl(weights=Dirichlet(effective_donors=6)).build(panel)


class Foreign:
    """Look from outside as a Prior of pymc-extras does."""

    def __init__(self, length: int) -> None:
        self.length = length

    def create_variable(self, name: str):
        return pm.Dirichlet(name, a=np.full(self.length, 3.0), dims="donor")

    def __str__(self) -> str:
        return "flat, says the user"


def test_a_foreign_variable_gives_prior_draws(panel):
    draws = as_weights_prior(Foreign(6)).sample(panel.donors, 2000, np.random.default_rng(1))
    assert near(draws[:, :, None] * draws[:, None], second_moments(np.full(6, 3.0)))


def test_a_foreign_variable_describes_itself(panel):
    assert bs.SyntheticControl(weights=Foreign(6)).priors(panel)["weights"] == "flat, says the user"


def test_the_log_density_of_a_foreign_variable_is_missing_not_zero(panel):
    assert np.isnan(
        as_weights_prior(Foreign(6)).log_density(np.ones((2, 6)) / 6, panel.donors)
    ).all()


def test_a_foreign_variable_adds_no_padding(panel):
    model = bs.SyntheticControl(weights=Foreign(6)).build(panel)
    assert tuple(model["weights"].type.shape) == (6,)


def test_a_foreign_variable_of_the_wrong_length_is_refused(panel):
    with pytest.raises(
        PriorError,
        match=r"^\[O006\] the weights prior must have shape \(6,\), one per donor, got \(5,\)\.",
    ):
        bs.SyntheticControl(weights=Foreign(5)).build(panel)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
def test_a_fit_with_a_foreign_variable_agrees_with_the_same_prior_of_ours(panel):
    options = {"draws": 300, "tune": 500, "chains": 2, "random_seed": 1, "progressbar": False}
    models = [
        bs.SyntheticControl(weights=prior, calibrate=False)
        for prior in (Foreign(6), Dirichlet(concentration=3.0))
    ]
    foreign, ours = (model.fit(panel, **options).idata["posterior"]["weights"] for model in models)
    error = np.hypot(foreign.std(("chain", "draw")), ours.std(("chain", "draw"))) / np.sqrt(100)
    assert (
        np.abs(foreign.mean(("chain", "draw")) - ours.mean(("chain", "draw"))) < 4 * error
    ).all()
