"""Weight priors against their definition."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import bayes_synth as bs
from bayes_synth.errors import PriorError
from bayes_synth.priors import Dirichlet, HalfNormal, concentration_for

DONORS = tuple(f"donor_{j:02d}" for j in range(10))


def test_the_concentration_gives_the_effective_donors_asked_for():
    weights = Dirichlet(effective_donors=3).sample(DONORS, 100_000, np.random.default_rng(1))
    squares = (weights**2).sum(1)
    assert squares.mean() == pytest.approx(1 / 3, abs=4 * squares.std() / np.sqrt(len(squares)))


def test_the_default_is_sparse_and_capped_for_few_donors():
    assert Dirichlet().alpha([str(j) for j in range(38)]) == pytest.approx(concentration_for(4, 38))
    assert Dirichlet().alpha(["a", "b", "c"]) == pytest.approx(1.0)
    assert Dirichlet().alpha(["a"]) == 1.0


def test_the_graph_has_the_law_of_the_dirichlet():
    prior = Dirichlet(concentration=0.3)
    with pm.Model(coords={"donor": range(16)}):
        weights = prior.build(prior.inputs(DONORS), 16)
        draws = pm.draw(weights, draws=4000, random_seed=1)
    assert not draws[:, 10:].any()
    assert stats.kstest(draws[:, 0], stats.beta(0.3, 0.3 * 9).cdf).pvalue > 1e-3


def test_the_graph_has_the_law_of_unequal_concentrations():
    prior = Dirichlet(concentration=dict.fromkeys(DONORS, 0.5) | {"donor_03": 4.0})
    with pm.Model(coords={"donor": range(16)}):
        draws = pm.draw(prior.build(prior.inputs(DONORS), 16), draws=4000, random_seed=1)
    assert stats.kstest(draws[:, 3], stats.beta(4.0, 4.5).cdf).pvalue > 1e-3


def test_log_densities_are_scipys():
    weights = np.random.default_rng(1).dirichlet(np.full(10, 2.0), size=5)
    expected = [stats.dirichlet(np.full(10, 0.7)).logpdf(row) for row in weights]
    np.testing.assert_allclose(Dirichlet(concentration=0.7).log_density(weights, DONORS), expected, rtol=1e-12)
    np.testing.assert_allclose(HalfNormal(0.5).log_density(np.array([0.2])), stats.halfnorm(scale=0.5).logpdf(0.2))


@pytest.mark.parametrize(
    ("attempt", "text"),
    [
        (lambda: Dirichlet(concentration=0), r"O002\] concentration must be positive, got 0"),
        (lambda: Dirichlet(concentration={"a": np.nan}), "O002"),
        (lambda: Dirichlet(effective_donors=1), r"O015\] effective_donors=1 must be above 1"),
        (lambda: Dirichlet(effective_donors=10).alpha(DONORS), r"O015.*below the number of donors, 10"),
        (lambda: Dirichlet(effective_donors=2, concentration=1), r"O014.*not both"),
        (lambda: Dirichlet(concentration={"donor_00": 1}).alpha(DONORS), r"O002.*no value for 9 donors: donor_01"),
        (lambda: Dirichlet(concentration=dict.fromkeys([*DONORS, "x"], 1)).alpha(DONORS), r"O002.*names 'x'"),
        (lambda: HalfNormal(0), "O007"),
        (lambda: HalfNormal(np.inf), "O007.*inf"),
    ],
)
def test_priors_that_make_no_sense_are_refused(attempt, text):
    with pytest.raises(PriorError, match=text):
        attempt()


class Foreign:
    """What pymc-extras' Prior looks like from outside."""

    def __init__(self, length):
        self.length = length

    def create_variable(self, name):
        return pm.Dirichlet(name, a=np.ones(self.length), dims="donor")


@pytest.mark.filterwarnings("ignore:.S003")
def test_a_foreign_variable_serves_as_prior(panel):
    options = {"draws": 50, "tune": 200, "chains": 2, "random_seed": 1, "progressbar": False}
    fit = bs.SyntheticControl(weights=Foreign(6)).fit(panel, **options)
    np.testing.assert_allclose(fit.idata["posterior"]["weights"].sum("donor"), 1)


def test_a_foreign_variable_of_the_wrong_length_is_refused(panel):
    with pytest.raises((PriorError, ValueError), match=r"O006|shape|dim"):
        bs.SyntheticControl(weights=Foreign(5)).build(panel)
