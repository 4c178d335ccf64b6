"""Pictures of the checks that refit: what is drawn is what the table says, on every backend."""

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from planted import least_squares

from bayes_synth import checks
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

mpl.use("agg")
NAMES = (
    "leave_one_out",
    "backdating",
    "placebo_in_space",
    "anticipation",
    "spillover",
    "prior_sensitivity",
)


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module", params=[False, True], ids=["years", "dates"])
def answers(request):
    panel = fake_panel(pre=30, dates=request.param)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    with pytest.MonkeyPatch.context() as patch:
        for name in set(NAMES) - {"placebo_in_space"}:
            patch.setattr(sys.modules[f"bayes_synth.checks.{name}"], "refits", least_squares)
        options = {"spillover": {"neighbours": ["donor_01"]}}
        return {name: getattr(checks, name)(fit, **options.get(name, {})) for name in NAMES}


@pytest.mark.parametrize("backend", ["none", "matplotlib", "plotly", "bokeh"])
@pytest.mark.parametrize("name", NAMES)
def test_every_picture_is_drawn_on_every_backend(answers, name, backend, tmp_path):
    canvas = answers[name].plot(backend=backend)
    assert canvas.backend == backend
    if backend != "none":
        file = tmp_path / f"figure.{'png' if backend == 'matplotlib' else 'html'}"
        canvas.savefig(file)
        assert file.stat().st_size > 1000


@pytest.mark.parametrize("name", ["spillover", "prior_sensitivity"])
def test_a_forest_shows_the_medians_and_intervals_of_the_table(answers, name):
    check = answers[name]
    viz = check.plot(backend="none").viz
    np.testing.assert_array_equal(viz["median"]["effect"].item()["x"], check.table["median"])
    ends = viz["interval"]["effect"].item()["x"].reshape(-1, 3)[:, :2]
    np.testing.assert_array_equal(ends, check.table[["lower", "upper"]])


def test_the_coverage_curve_is_that_of_the_table(answers):
    check = answers["placebo_in_space"]
    curve = check.plot(backend="none").viz["curve"]["coverage"].item()
    np.testing.assert_array_equal(
        curve["y"], [(check.table["p"] >= 1 - level).mean() for level in curve["x"]]
    )


@pytest.mark.parametrize(
    ("name", "lines"), [("leave_one_out", 3), ("backdating", 5), ("anticipation", 3)]
)
def test_every_refit_has_a_line(answers, name, lines):
    drawn = answers[name].plot(backend="none").viz["lines"]["paths"].item()
    assert np.isnan(drawn["y"].astype(float)).sum() == lines


def test_every_placebo_has_a_line_and_the_treated_unit_is_on_top(answers):
    viz = answers["placebo_in_space"].plot(backend="none").viz
    assert np.isnan(viz["lines"]["gaps"].item()["y"].astype(float)).sum() == 6
    assert np.isnan(viz["top"]["gaps"].item()["y"].astype(float)).sum() == 1


def test_an_unconverged_fit_says_so_above_every_picture(monkeypatch):
    for name in ("leave_one_out", "prior_sensitivity"):
        monkeypatch.setattr(sys.modules[f"bayes_synth.checks.{name}"], "refits", least_squares)
        canvas = getattr(checks, name)(fake_fit(divergences=200)).plot(backend="none")
        target = canvas.get_target(
            {"leave_one_out": "paths", "prior_sensitivity": "effect"}[name], {}
        )
        assert any("NOT CONVERGED" in item.get("string", "") for item in target)
