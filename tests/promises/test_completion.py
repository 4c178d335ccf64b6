"""Tab completion offers what a user may type, and nothing else."""

import pytest

import bayes_synth as bs
from bayes_synth.batch import BatchResult
from bayes_synth.testing import fake_fit

MODULES = [bs, bs.batch, bs.checks, bs.errors, bs.estimands, bs.noise, bs.plots, bs.priors]


@pytest.mark.parametrize("module", [*MODULES, bs.testing], ids=lambda module: module.__name__)
def test_a_module_shows_its_public_names(module):
    shown = set(dir(module)) - {"__version__"}
    assert shown == set(module.__all__)


def test_values_show_public_names_only():
    fit = fake_fit()
    checks = bs.checks.run(fit, only=["concentration"], progressbar=False)
    batch = BatchResult(fit.summary(), (), ())
    for value in (fit, fit.panel, fit.effect(), checks, checks["concentration"], batch):
        assert [name for name in dir(value) if name.startswith("_")] == []
        assert dir(value) == sorted(dir(value))
        assert vars(value).keys() >= {name for name in dir(value) if name in vars(value)}
    assert {"effect", "summary", "plot", "panel", "ok"} <= set(dir(fit))
