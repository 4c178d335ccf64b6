"""Pictures of the checks that refit: what is drawn is what the table says."""

import numpy as np
import pytest
from planted import least_squares

from bayes_synth import checks
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

NAMES = ("leave_one_out", "backdating", "anticipation", "spillover", "prior_sensitivity")


@pytest.fixture(scope="module", params=[False, True], ids=["years", "dates"])
def answers(request):
    panel = fake_panel(pre=30, dates=request.param)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    options = {"spillover": {"neighbours": ["donor_01"]}}
    refitted = {
        name: getattr(checks, name)(fit, refit=least_squares, **options.get(name, {}))
        for name in NAMES
    }
    return refitted | {"placebo_in_space": checks.placebo_in_space(fit)}


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
    ("name", "lines"), [("leave_one_out", 3), ("backdating", 5), ("anticipation", 1)]
)
def test_every_refit_has_a_line(answers, name, lines):
    viz = answers[name].plot(backend="none").viz
    drawn = [viz[part]["paths"].item() for part in viz.children if part.startswith("line")]
    ends = [np.isnan(line["y"].astype(float)).sum() for line in drawn if line is not None]
    assert sum(ends) == lines


def test_every_placebo_has_a_line_and_the_treated_unit_is_on_top(answers):
    viz = answers["placebo_in_space"].plot(backend="none").viz
    assert np.isnan(viz["lines"]["gaps"].item()["y"].astype(float)).sum() == 6
    assert np.isnan(viz["top"]["gaps"].item()["y"].astype(float)).sum() == 1


def test_the_interval_from_the_earlier_start_on_is_a_band(answers):
    band = answers["anticipation"].plot(backend="none").viz["band"]["paths"].item()
    assert (np.asarray(band["y_bottom"]) <= np.asarray(band["y_top"])).all()
