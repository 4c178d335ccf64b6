"""How much wider than the model's own the calibrated interval is."""

import numpy as np
import pytest

from bayes_synth.results.width_ratio import width_ratio
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


def calibrated(kappa: float = 1.0):
    panel = fake_panel(donors=8)
    return fake_fit(panel=panel, placebos=fake_placebos(panel, kappa=kappa))


def width(fit, group: str) -> float:
    average = fit.idata[group]["counterfactual"].mean("time")
    return float(np.ptp(np.quantile(average, [0.025, 0.975])))


@pytest.mark.parametrize("kappa", [0.2, 1.0, 4.0])
def test_it_is_the_ratio_of_the_two_widths_that_a_user_would_measure(kappa):
    fit = calibrated(kappa)
    expected = width(fit, "predictions") / width(fit, "predictions_uncalibrated")
    assert width_ratio(fit.idata) == pytest.approx(expected, rel=1e-9)
    assert fit.calibration.width_ratio == width_ratio(fit.idata)


def test_it_is_said_in_the_headline_in_titles_and_in_the_report():
    fit = calibrated(2.0)
    words = f"95% interval x {fit.calibration.width_ratio:.2g} of the model's own"
    report = " ".join(fit.report().split())
    assert all(words in text for text in (repr(fit), fit.calibration.short, report))


def test_it_counts_the_tails_that_kappa_does_not():
    """Student-t tails widen the 95 % interval more than kappa times pooling says."""
    fit = calibrated()
    plain = float(fit.calibration.kappa.mean()) * fit.calibration.pooling
    assert fit.calibration.width_ratio > 1.1 * plain


def test_missing_periods_are_left_out():
    fit = calibrated()
    fit.idata["predictions_constant_data"]["outcome"][3:] = np.nan
    first = [fit.idata[name]["counterfactual"][..., :3].mean("time") for name in GROUPS]
    widths = [np.ptp(np.quantile(each, [0.025, 0.975])) for each in first]
    assert width_ratio(fit.idata) == pytest.approx(widths[0] / widths[1], rel=1e-9)


def test_without_calibration_there_is_nothing_to_compare():
    assert np.isnan(width_ratio(fake_fit().idata))


def test_a_file_without_uncalibrated_draws_says_so():
    fit = calibrated()
    del fit.idata["predictions_uncalibrated"]
    assert np.isnan(fit.calibration.width_ratio)
    assert "no uncalibrated draws to compare with" in repr(fit)


GROUPS = ("predictions", "predictions_uncalibrated")
