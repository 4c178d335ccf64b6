"""Hundreds of corrupted panels at the front door are each refused in words, or right."""

import numpy as np
import pytest
from fuzz import fitted, run

import bayes_synth as bs

SEED, FITS = 1, 50
CASES = [pytest.param(600, marks=pytest.mark.long), pytest.param(2000, marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=CASES)
def tally(request):
    return run(request.param, SEED)


def test_no_corruption_ends_in_a_wrong_panel_or_a_strange_exception(tally, record_property):
    assert tally.wrong == []
    record_property("fuzzer", str(tally))


def test_the_corruptions_are_many_and_of_every_outcome(tally):
    assert len(tally.used) > 180
    assert min(tally.refused.total(), tally.equal, tally.remarked) > 0.15 * tally.tried


def test_panels_that_came_through_can_be_fitted_or_are_refused_in_words(tally):
    fits = [fit for _, fit in fitted(tally.panels, FITS) if isinstance(fit, bs.Fit)]
    assert len(fits) > FITS / 2
    assert all(np.isfinite(fit.effect("pointwise").draws).all() for fit in fits)
    frames = [fit.to_frame().reset_index() for fit in fits]
    assert all(frame.columns.is_unique for frame in frames)
    assert all(fit.panel.donors[0] in fit.report() for fit in fits)
