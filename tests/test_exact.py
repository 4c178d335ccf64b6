"""Posteriors against quadrature, and identities that hold bit for bit."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.convergence import diagnose
from bayes_synth.model import scaled
from bayes_synth.noise import IID, LocalLevel
from bayes_synth.testing import fake_panel

QUICK = {"draws": 200, "tune": 300, "chains": 2, "progressbar": False, "random_seed": 1}


def quick(panel, **options):
    """A fit too short to be called converged: enough where bits are compared."""
    with pytest.warns(UserWarning, match="S003"):
        return bs.SyntheticControl().fit(panel, **(QUICK | options))


def weights(fit) -> np.ndarray:
    return fit.idata["posterior"]["weights"].to_numpy()


def wide(panel) -> pd.DataFrame:
    return panel.outcomes.to_pandas()


def remade(panel, table) -> bs.Panel:
    return bs.Panel.from_wide(table, treated=list(panel.treated), start=panel.start, outcome=panel.outcome)


@pytest.fixture(scope="module")
def quick_fit():
    return quick(fake_panel())


def test_order_of_donors_and_rows_changes_nothing(quick_fit):
    table = wide(quick_fit.panel)
    again = quick(
        remade(quick_fit.panel, table.sample(frac=1, axis=0, random_state=1).sample(frac=1, axis=1, random_state=1))
    )
    assert np.array_equal(weights(again), weights(quick_fit))
    assert again.summary().equals(quick_fit.summary())


def test_a_power_of_two_rescales_the_effect_and_leaves_the_weights(quick_fit):
    again = quick(remade(quick_fit.panel, wide(quick_fit.panel) * 2.0**7))
    assert np.array_equal(weights(again), weights(quick_fit))
    assert np.array_equal(again.effect("average").draws, 2.0**7 * quick_fit.effect("average").draws)


def test_another_factor_does_so_within_monte_carlo_error():
    panel = fake_panel()
    plain = bs.SyntheticControl().fit(panel, random_seed=1, progressbar=False)
    scaled_up = bs.SyntheticControl().fit(remade(panel, wide(panel) * 3.7), random_seed=2, progressbar=False)
    for ours, theirs, factor in [
        (plain.effect().draws, scaled_up.effect().draws, 3.7),
        (plain.idata["posterior"]["weights"][..., 0], scaled_up.idata["posterior"]["weights"][..., 0], 1.0),
    ]:
        gap = float(theirs.mean()) / factor - float(ours.mean())
        assert abs(gap) < 4 * np.hypot(error(ours), error(theirs) / factor)


def error(draws) -> float:
    """Monte Carlo standard error of the mean."""
    return float(diagnose(draws.drop_vars("donor", errors="ignore").to_dataset(name="x"))["mcse"].iloc[0])


def test_cores_and_earlier_fits_do_not_matter(quick_fit):
    panel = quick_fit.panel
    other = bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration=2.0))
    with pytest.warns(UserWarning, match="S003"):
        other.fit(panel.drop("donor_05"), **QUICK)
    assert np.array_equal(weights(quick(panel, cores=1)), weights(quick_fit))


def test_the_recorded_seed_repeats_an_unseeded_fit(quick_fit):
    first = quick(quick_fit.panel, random_seed=None)
    seed = json.loads(first.idata.attrs["bayes_synth"])["sampling"]["random_seed"]
    assert quick(quick_fit.panel, random_seed=seed).summary().equals(first.summary())


def test_what_happens_after_start_never_reaches_the_weights(quick_fit):
    table = wide(quick_fit.panel)
    table.loc[quick_fit.panel.post, "treated"] += 50.0
    again = quick(remade(quick_fit.panel, table))
    assert np.array_equal(weights(again), weights(quick_fit))
    shift = again.effect("pointwise").draws - quick_fit.effect("pointwise").draws
    np.testing.assert_allclose(shift, 50.0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.S003")
def test_pymcs_own_sampler_agrees(quick_fit):
    longer = QUICK | {"draws": 500, "tune": 500}
    theirs = bs.SyntheticControl().fit(quick_fit.panel, sampler="pymc", cores=1, **longer)
    ours = bs.SyntheticControl().fit(quick_fit.panel, **longer)
    gap = float(theirs.effect().draws.mean() - ours.effect().draws.mean())
    assert abs(gap) < 4 * np.hypot(error(theirs.effect().draws), error(ours.effect().draws))


def test_the_built_model_is_plain_pymc(prop99):
    model = bs.SyntheticControl().build(prop99)
    assert {v.name for v in model.free_RVs} == {"gamma", "exponential", "s_unit", "q_unit"}
    assert np.isfinite(sum(model.point_logps().values()))


def few_donors(noise, donors):
    """A panel noisy enough for a grid, and its fit."""
    panel = bs.simulate(donors=donors, pre=12, post=4, active=2, spread=2.0, noise=1.0, random_seed=5).panel
    model = bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration=1.0), noise=noise)
    return panel, model.fit(panel, random_seed=1, progressbar=False)


def simplex(donors: int, steps: int) -> np.ndarray:
    """Points that are even on the simplex: midpoints of a grid on the unit cube, by stick breaking."""
    grid = (np.arange(steps) + 0.5) / steps
    if donors == 2:
        return np.column_stack([grid, 1 - grid])
    first, second = (side.ravel() for side in np.meshgrid(1 - np.sqrt(grid), grid))
    return np.column_stack([first, (1 - first) * second, (1 - first) * (1 - second)])


def cells(top: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and widths of cells that are finer near zero."""
    edges = top * np.linspace(0, 1, count + 1) ** 2
    return (edges[1:] + edges[:-1]) / 2, np.array([b - a for a, b in pairwise(edges)])


@pytest.mark.parametrize(("donors", "steps"), [(2, 150), (3, 60)])
@pytest.mark.parametrize("noise", [LocalLevel(), IID()], ids=["local level", "iid"])
def test_the_posterior_is_that_of_quadrature(noise, donors, steps):
    panel, fit = few_donors(noise, donors)
    inputs, points = scaled(panel), simplex(donors, steps)
    residual = inputs.outcome - points @ inputs.donor_outcomes[: inputs.periods].T
    grids = {name: cells(5.0 * prior.sigma, 50) for name, prior in noise.priors().items()}
    axes = np.meshgrid(*(middle for middle, _ in grids.values()), indexing="ij")
    widths = np.meshgrid(*(width for _, width in grids.values()), indexing="ij")
    mass = {"weights": np.zeros(len(points))} | {name: [] for name in grids}
    logs = []
    for index in np.ndindex(axes[0].shape):
        draws = {name: np.array([axis[index]]) for name, axis in zip(grids, axes, strict=True)}
        logs.append(log_posterior(noise, draws, residual) + sum(np.log(width[index]) for width in widths))
    density = np.exp(np.array(logs) - np.max(logs))
    density /= density.sum()
    mass = {name: (density.sum(1) * axis.ravel()).sum() * inputs.scale for name, axis in zip(grids, axes, strict=True)}
    posterior = fit.idata["posterior"].to_dataset()
    for name, expected in mass.items():
        assert abs(float(posterior[name].mean()) - expected) < 4 * error(posterior[name]) + 2e-3 * expected
    for j in range(donors):
        draws = posterior["weights"][..., j]
        assert abs(float(draws.mean()) - density.sum(0) @ points[:, j]) < 4 * error(draws) + 1e-3
    gaps = forecast_gap(noise, panel, inputs, points, residual)
    expected = sum(
        (row * gaps({name: np.array([axis[i]]) for name, axis in zip(grids, axes, strict=True)})).sum()
        for row, i in zip(density, np.ndindex(axes[0].shape), strict=True)
        if row.sum() > 1e-9
    )
    effect = fit.effect("average").draws
    assert abs(float(effect.mean()) - expected) < 4 * error(effect) + 1e-3


def log_posterior(noise, draws, residual) -> np.ndarray:
    """Log density over the grid of weights at one value of the noise's parameters, up to a constant."""
    weighted = noise.contrast_precision(draws, residual)
    periods = residual.shape[1]
    _, _, information = noise._level_terms(draws, np.zeros((1, periods)))
    steps = noise.precision(draws, np.eye(periods))
    log_determinant = -np.linalg.slogdet(steps)[1]
    squares = (residual * weighted).sum(1)
    prior = sum(density[0] for density in noise.log_prior(draws).values())
    return prior - 0.5 * (squares + log_determinant + np.log(information[0, 0]))


def forecast_gap(noise, panel, inputs, points, residual):
    """Expected average effect over the grid of weights, in outcome units."""
    observed = panel.treated_outcome[-len(panel.post) :].mean().item()
    ahead = (inputs.location + inputs.scale * (points @ inputs.donor_outcomes[inputs.periods :].T)).mean(1)

    def gap(draws):
        many = {name: np.repeat(value, len(residual)) for name, value in draws.items()}
        return observed - ahead - inputs.scale * noise.expected_path(many, residual, len(panel.post)).mean(1)

    return gap


def test_a_long_pre_period_recovers_the_weights():
    made = bs.simulate(donors=8, pre=400, post=5, active=3, noise=0.5, random_seed=3)
    model = bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration=1.0), noise=IID())
    fit = model.fit(made.panel, random_seed=1, progressbar=False)
    np.testing.assert_allclose(fit.weights()["mean"].sort_index(), made.weights, atol=0.02)
