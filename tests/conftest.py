"""Shared fixtures: fake fits in milliseconds, one real fit of Proposition 99, the public panels."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.api import Fit
from bayes_synth.data.panel import Panel
from bayes_synth.testing import fake_fit, fake_panel

SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_terminal_summary(terminalreporter) -> None:
    """What tests counted, from whichever process they ran in."""
    for report in terminalreporter.getreports("passed"):
        for name, tally in report.user_properties:
            terminalreporter.write_line(f"{name}: {tally}")


@pytest.fixture(autouse=True)
def closed_figures():
    """Close what a test has drawn: matplotlib keeps every figure, and warns of many."""
    yield
    plt.close("all")


@pytest.fixture
def interpreted():
    """Evaluate graphs by Python: to compile one takes seconds, for a handful of values."""
    import pytensor

    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


@pytest.fixture
def panel() -> Panel:
    return fake_panel()


@pytest.fixture(scope="session")
def fake() -> Fit:
    return fake_fit(panel=fake_panel(effect=3.0))


@pytest.fixture(scope="session")
def dated() -> Fit:
    return fake_fit(panel=fake_panel(effect=3.0, dates=True))


@pytest.fixture(scope="session")
def prop99() -> Panel:
    return bs.load_dataset("prop99")


@pytest.fixture(scope="session")
def real(prop99: Panel) -> Fit:
    return bs.SyntheticControl().fit(prop99, random_seed=1, progressbar=False)


@pytest.fixture(scope="session")
def public():
    """The public panels beside the project, by file name."""
    if not SHARED.is_dir():
        pytest.skip("the public panels are not beside this checkout")
    return lambda name: pd.read_csv(SHARED / f"{name}.csv")
