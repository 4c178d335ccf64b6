"""Verdicts on fake draws of known quality."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from bayes_synth.results.convergence import convergence_of, diagnose, diagnose_weights

DIMS = ("chain", "draw")


def draws(chains: int = 4, size: int = 1000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((chains, size))


def dataset(**values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({name: (DIMS, value) for name, value in values.items()})


def flags(count: int, size: tuple[int, int] = (4, 1000)) -> np.ndarray:
    return (np.arange(np.prod(size)) < count).reshape(size)


def stats(diverging: int = 0, **others: np.ndarray) -> xr.Dataset:
    return dataset(
        diverging=flags(diverging), energy=draws(seed=9), reached_max_treedepth=flags(0)
    ).assign({name: (DIMS, value) for name, value in others.items()})


def walk(seed: int) -> np.ndarray:
    """A chain that creeps: high autocorrelation around one mean."""
    path = draws(seed=seed)
    for t in range(1, path.shape[1]):
        path[:, t] = 0.99 * path[:, t - 1] + np.sqrt(1 - 0.99**2) * path[:, t]
    return path


def stuck(seed: int = 1) -> np.ndarray:
    """One chain sits elsewhere."""
    return draws(seed=seed) + np.array([[0], [0], [0], [3]])


def test_independent_draws_have_converged():
    assert convergence_of(dataset(x=draws()), stats()).ok


def test_a_converged_verdict_gives_its_numbers():
    verdict = convergence_of(dataset(x=draws()), stats())
    assert str(verdict) == (
        f"converged (R-hat {verdict.r_hat:.3f}, ESS {verdict.ess:.0f}: the worst of uncalibrated "
        "average effect and noise; 0 divergences)"
    )


def test_a_stuck_chain_has_not_converged():
    verdict = convergence_of(dataset(x=stuck()), stats())
    assert verdict.problems == ("x: R-hat above 1.01 or ESS below 400",)


def test_the_sentence_begins_with_not_converged():
    verdict = convergence_of(dataset(x=stuck()), stats())
    assert str(verdict).startswith("NOT CONVERGED: x: R-hat above 1.01 or ESS below 400 (R-hat 1.")


def test_only_what_is_wrong_is_named():
    verdict = convergence_of(dataset(good=draws(), bad=stuck(), worse=stuck(2)), stats())
    assert verdict.problems == ("bad, worse: R-hat above 1.01 or ESS below 400",)


def test_the_worst_quantity_gives_the_numbers():
    good, bad = draws(), stuck()
    verdict = convergence_of(dataset(good=good, bad=bad), stats())
    alone = convergence_of(dataset(bad=bad), stats())
    assert (verdict.r_hat, verdict.ess) == (alone.r_hat, alone.ess)


def test_a_creeping_chain_has_too_small_a_sample():
    verdict = convergence_of(dataset(x=walk(3)), stats())
    assert (verdict.ok, verdict.ess < 400) == (False, True)


def test_a_large_r_hat_alone_is_enough():
    """Forty chains that disagree a little still hold a large sample together."""
    row = diagnose(
        dataset(x=draws(chains=40, size=500) + 0.2 * draws(chains=40, size=1, seed=2))
    ).loc["x"]
    assert (row["r_hat"] > 1.01, row["ess_bulk"] > 400, row["ess_tail"] > 400, row["ok"]) == (
        True,
        True,
        True,
        False,
    )


def test_a_small_sample_in_the_tails_alone_is_enough():
    """Bursts of spread leave centre and halves alike but visit the tails rarely."""
    burst = np.where(np.arange(1000) % 500 < 60, 30.0, 1.0)
    row = diagnose(dataset(x=draws() * burst)).loc["x"]
    assert (row["r_hat"] <= 1.01, row["ess_bulk"] > 400, row["ess_tail"] < 400, row["ok"]) == (
        True,
        True,
        True,
        False,
    )


def test_too_few_draws_have_not_converged():
    few = dataset(x=draws(size=90))
    assert not convergence_of(few, stats().isel(draw=slice(90))).ok


def test_a_chain_that_never_moves_has_not_converged():
    still = draws()
    still[2] = still[2, 0]
    assert not convergence_of(dataset(x=still), stats()).ok


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_draws_that_are_all_equal_have_not_converged():
    assert not convergence_of(dataset(x=np.ones((4, 1000))), stats()).ok


def test_missing_draws_have_not_converged():
    padded = draws()
    padded[3, 500:] = np.nan
    assert not convergence_of(dataset(x=padded), stats()).ok


def test_a_rare_divergence_is_counted_and_forgiven():
    verdict = convergence_of(dataset(x=draws()), stats(diverging=4))
    assert (verdict.ok, verdict.divergences) == (True, 4)


def test_more_than_rare_divergences_are_a_problem():
    verdict = convergence_of(dataset(x=draws()), stats(diverging=40))
    assert verdict.problems == ("1.0% of transitions diverged; raise target_accept",)


def test_a_low_energy_fraction_is_a_problem():
    (problem,) = convergence_of(dataset(x=draws()), stats(energy=walk(5))).problems
    assert problem.startswith("E-BFMI 0.0")
    assert problem.endswith("is below 0.3")


def test_one_chain_of_low_energy_fraction_is_enough():
    energy = draws(seed=9)
    energy[1] = walk(5)[1]
    assert not convergence_of(dataset(x=draws()), stats(energy=energy)).ok


def test_a_saturated_tree_depth_is_a_problem():
    verdict = convergence_of(dataset(x=draws()), stats(reached_max_treedepth=flags(80)))
    assert verdict.problems == ("2.0% of transitions reached the largest tree depth",)


def test_a_rarely_saturated_tree_depth_is_forgiven():
    assert convergence_of(dataset(x=draws()), stats(reached_max_treedepth=flags(4))).ok


def test_statistics_that_a_sampler_does_not_give_are_not_asked_for():
    assert convergence_of(dataset(x=draws()), stats()[["diverging"]]).ok


def test_every_problem_is_told():
    everything = stats(diverging=40, energy=walk(5), reached_max_treedepth=flags(80))
    assert len(convergence_of(dataset(x=stuck()), everything).problems) == 4


def test_diagnostics_are_those_of_arviz():
    data = dataset(x=walk(3))
    expected = {
        "r_hat": arviz_stats.rhat(data),
        "ess_bulk": arviz_stats.ess(data, method="bulk"),
        "ess_tail": arviz_stats.ess(data, method="tail"),
        "mcse": arviz_stats.mcse(data, method="mean"),
    }
    row = diagnose(data).loc["x"].drop("ok")
    assert row.to_dict() == pytest.approx(
        {name: float(value["x"]) for name, value in expected.items()}, rel=1e-12
    )


def test_weights_have_one_row_per_donor():
    weights = xr.DataArray(
        np.stack([draws(), stuck()], axis=-1), dims=(*DIMS, "donor"), coords={"donor": ["a", "b"]}
    )
    assert diagnose_weights(weights)["ok"].to_dict() == {"weights[a]": True, "weights[b]": False}


def test_one_chain_is_judged_by_its_halves():
    verdict = convergence_of(dataset(x=draws(chains=1)), stats().isel(chain=[0]))
    assert verdict.ok
    assert verdict.r_hat < 1.01
    assert verdict.reservations == (
        "one chain: R-hat compares halves of one chain and cannot see a second mode",
    )


def test_one_chain_that_drifts_has_not_converged():
    drifting = draws(chains=1) + np.linspace(0, 3, 1000)
    assert convergence_of(dataset(x=drifting), stats().isel(chain=[0])).r_hat > 1.01


def test_few_chains_and_draws_are_said_without_a_verdict_of_their_own():
    verdict = convergence_of(
        dataset(x=draws(chains=2, size=480)), stats().isel(chain=[0, 1], draw=slice(480))
    )
    assert verdict.ok
    few = "2 chains: R-hat is surer with 4; 960 draws in all: tails are rough below 1000"
    assert str(verdict).endswith(f"0 divergences); {few}")


def test_what_an_interrupt_left_undone_is_not_ok_but_may_have_converged():
    verdict = convergence_of(dataset(x=draws()), stats(), ["interrupted"])
    assert not verdict.ok
    assert str(verdict).startswith("PARTIAL: interrupted; converged (R-hat")
    assert verdict.alarms == ("PARTIAL: interrupted, so not the fit that was asked for",)
