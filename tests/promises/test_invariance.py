"""What must not change a result, bit for bit or within Monte Carlo error."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats import mcse

import bayes_synth as bs
from bayes_synth.api import Fit
from bayes_synth.data.panel import Panel
from bayes_synth.priors import Dirichlet
from bayes_synth.testing import fake_panel

# Short fits compared bit for bit need not have converged.
pytestmark = pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")

SHORT = {"draws": 200, "tune": 300, "chains": 2, "progressbar": False, "random_seed": 1}
LONG = {"draws": 1000, "tune": 700, "chains": 4, "progressbar": False, "random_seed": 1}
GROUPS = (
    "posterior",
    "posterior_predictive",
    "predictions",
    "log_likelihood",
    "log_prior",
    "prior",
)
MODEL = bs.SyntheticControl(weights=Dirichlet(concentration=0.7))


def short(panel: Panel, model: bs.SyntheticControl = MODEL, **changes) -> Fit:
    return model.fit(panel, **(SHORT | changes))


def table(panel: Panel) -> pd.DataFrame:
    return panel.outcomes.to_pandas()


def remade(frame: pd.DataFrame) -> Panel:
    return Panel.from_wide(frame, treated="treated", start=2020, outcome="sales")


def changed(panel: Panel, rows: slice, columns, value: float) -> Panel:
    frame = table(panel)
    frame.loc[rows, columns] += value
    return remade(frame)


def weights(fit: Fit) -> np.ndarray:
    return fit.idata["posterior"]["weights"].to_numpy()


def effects(fit: Fit) -> np.ndarray:
    return fit.effect("pointwise").draws.to_numpy()


def identical(one: Fit, other: Fit) -> bool:
    """Equal bits in every draw, labels included."""
    return all(
        one.idata[group].to_dataset().identical(other.idata[group].to_dataset()) for group in GROUPS
    )


def digest(fit: Fit) -> str:
    return hashlib.sha256(weights(fit).tobytes() + effects(fit).tobytes()).hexdigest()


def error(draws: xr.DataArray) -> float:
    return float(mcse(draws.rename("x").to_dataset(), method="mean")["x"])


def agree(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Equal means within four Monte Carlo standard errors."""
    return abs(float(one.mean() - other.mean())) < 4 * np.hypot(error(one), error(other))


def donor(fit: Fit, label: str) -> xr.DataArray:
    return fit.idata["posterior"]["weights"].sel(donor=label, drop=True)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return fake_panel()


FRESH = f"""
import hashlib, warnings
warnings.simplefilter("ignore")
import bayes_synth as bs
from bayes_synth.testing import fake_panel
model = bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration=0.7))
fit = model.fit(fake_panel(), **{SHORT!r})
arrays = fit.idata["posterior"]["weights"].to_numpy(), fit.effect("pointwise").draws.to_numpy()
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


@pytest.fixture(scope="module")
def fresh_process():
    """Fit the same in a process of its own, beside the tests.

    There the panel itself compiles the structure.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", FRESH], **pipes) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def other(fresh_process) -> Fit:
    """Fit another number of periods and donors with another prior.

    It compiles the structure when nothing has before.
    """
    return short(
        fake_panel(donors=3, pre=31, random_seed=9),
        bs.SyntheticControl(Dirichlet(concentration=3.0), calibrate=False),
    )


@pytest.fixture(scope="module")
def base(panel, other) -> Fit:
    return short(panel)


@pytest.fixture(scope="module")
def long_fit(panel) -> Fit:
    return MODEL.fit(panel, **LONG)


def test_the_order_of_rows_does_not_matter(base):
    assert identical(short(remade(table(base.panel).iloc[::-1])), base)


def test_the_order_of_columns_does_not_matter(base):
    assert identical(short(remade(table(base.panel).iloc[:, [3, 6, 1, 0, 5, 2, 4]])), base)


def test_the_order_of_long_rows_does_not_matter(base):
    frame = (
        table(base.panel)
        .rename_axis("time")
        .reset_index()
        .melt("time", var_name="unit", value_name="sales")
    )
    roles = {
        "unit": "unit",
        "time": "time",
        "outcome": "sales",
        "treated": "treated",
        "start": 2020,
    }
    assert identical(short(Panel.from_long(frame.sample(frac=1, random_state=2), **roles)), base)


def test_names_of_donors_matter_only_within_monte_carlo_error(long_fit):
    names = {f"donor_{j:02d}": f"renamed_{9 - j}" for j in range(6)}
    again = MODEL.fit(remade(table(long_fit.panel).rename(columns=names)), **LONG)
    assert all(agree(donor(again, names[label]), donor(long_fit, label)) for label in names)


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**7])
def test_a_power_of_two_leaves_the_weights_bit_for_bit(base, factor):
    assert np.array_equal(weights(short(remade(table(base.panel) * factor))), weights(base))


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**7])
def test_a_power_of_two_rescales_the_effect_exactly(base, factor):
    assert np.array_equal(
        effects(short(remade(table(base.panel) * factor))), factor * effects(base)
    )


@pytest.fixture(scope="module")
def rescaled(panel) -> Fit:
    return MODEL.fit(remade(table(panel) * 3.7), **LONG)


def test_another_measure_leaves_the_weights(long_fit, rescaled):
    assert all(
        agree(donor(rescaled, label), donor(long_fit, label)) for label in long_fit.panel.donors
    )


def test_another_measure_rescales_the_effect(long_fit, rescaled):
    assert agree(rescaled.effect().draws / 3.7, long_fit.effect().draws)


@pytest.mark.parametrize("name", ["s", "q"])
def test_another_measure_rescales_the_noise(long_fit, rescaled, name):
    assert agree(rescaled.idata["posterior"][name] / 3.7, long_fit.idata["posterior"][name])


def test_another_zero_point_leaves_the_effect(long_fit):
    again = MODEL.fit(remade(table(long_fit.panel) - 1234.5), **LONG)
    assert agree(again.effect().draws, long_fit.effect().draws)


def test_one_core_gives_what_two_give(base):
    assert identical(short(base.panel, cores=1), short(base.panel, cores=2))


def test_the_same_seed_gives_the_same_draws(base):
    assert identical(short(base.panel), base)


def test_another_seed_gives_other_draws(base):
    assert not np.array_equal(weights(short(base.panel, random_seed=2)), weights(base))


def test_chains_of_one_fit_differ(base):
    assert not np.array_equal(*weights(base))


@pytest.mark.parametrize("concentration", [0.05, 40.0])
def test_a_fit_with_another_prior_in_between_does_not_matter(base, concentration):
    short(
        base.panel,
        bs.SyntheticControl(weights=Dirichlet(concentration=concentration), calibrate=False),
    )
    assert identical(short(base.panel), base)


def test_a_fit_of_another_panel_in_between_does_not_matter(base):
    short(
        fake_panel(donors=8, pre=50, random_seed=4),
        bs.SyntheticControl(Dirichlet(effective_donors=2), calibrate=False),
    )
    assert identical(short(base.panel), base)


def test_other_sd_priors_in_between_do_not_matter(base):
    noise = bs.noise.LocalLevel(
        s=bs.priors.HalfNormal(5.0), q=bs.priors.HalfNormal(0.01), initial_level=2.0
    )
    short(base.panel, bs.SyntheticControl(noise=noise, calibrate=False))
    assert identical(short(base.panel), base)


def test_the_recorded_seed_reproduces_an_unseeded_fit(base):
    unseeded = short(base.panel, random_seed=None)
    seed = unseeded.record.settings.random_seed
    assert identical(short(base.panel, random_seed=seed), unseeded)


def test_two_unseeded_fits_differ(base):
    fits = [short(base.panel, random_seed=None) for _ in range(2)]
    assert not np.array_equal(*map(weights, fits))


@pytest.mark.parametrize(
    "seed", [np.random.SeedSequence(5), np.random.default_rng(5)], ids=["sequence", "generator"]
)
def test_the_recorded_number_reproduces_a_fit_with_another_kind_of_seed(base, seed):
    fit = short(base.panel, random_seed=seed)
    recorded = fit.record.settings.random_seed
    assert identical(short(base.panel, random_seed=recorded), fit)


@pytest.mark.parametrize(
    "columns", [["treated"], ["donor_00", "donor_05"]], ids=["treated", "donors"]
)
def test_outcomes_after_start_never_reach_the_weights(base, columns):
    frame = table(base.panel)
    frame.loc[2020:, columns] = 1000 * np.random.default_rng(3).standard_normal((8, len(columns)))
    assert np.array_equal(weights(short(remade(frame))), weights(base))


def test_outcomes_before_start_do_reach_the_weights(base):
    assert not np.array_equal(
        weights(short(changed(base.panel, slice(2005, 2010), "treated", 17.3))), weights(base)
    )


def test_a_constant_on_the_treated_after_start_shifts_every_effect_by_it(base):
    again = short(changed(base.panel, slice(2020, None), "treated", 17.3))
    np.testing.assert_allclose(effects(again) - effects(base), 17.3, rtol=0, atol=1e-9)


PLAIN = replace(MODEL, calibrate=False)
"""Of one posterior: calibrated effects hang on the refits of every donor, too."""


@pytest.fixture(scope="module")
def by_slices(panel) -> Fit:
    return PLAIN.fit(panel, **LONG)


@pytest.fixture(scope="module")
def by_pymc(panel) -> Fit:
    return PLAIN.fit(
        panel, **(LONG | {"sampler": "pymc", "cores": 1, "chains": 2, "draws": 400, "tune": 400})
    )


@pytest.mark.long
@pytest.mark.parametrize("name", ["s", "q"])
def test_pymcs_sampler_agrees_on_the_noise(by_slices, by_pymc, name):
    assert agree(by_pymc.idata["posterior"][name], by_slices.idata["posterior"][name])


@pytest.mark.long
def test_pymcs_sampler_agrees_on_the_weights(by_slices, by_pymc):
    assert all(
        agree(donor(by_pymc, label), donor(by_slices, label)) for label in by_slices.panel.donors
    )


@pytest.mark.long
def test_pymcs_sampler_agrees_on_the_effect(by_slices, by_pymc):
    assert agree(by_pymc.effect().draws, by_slices.effect().draws)


def test_a_fresh_process_gives_the_same_draws(base, fresh_process):
    """Last, so that it has had the time."""
    printed, problems = fresh_process.communicate()
    assert printed.strip() == digest(base), problems
