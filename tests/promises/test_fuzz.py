"""Two thousand corrupted panels at the front door are each refused in words, or right."""

import numpy as np
import pytest
from fuzz import fitted, run

import bayes_synth as bs

CASES, SEED, FITS = 2000, 1, 50


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def tally():
    return run(CASES, SEED)


def test_no_corruption_ends_in_a_wrong_panel_or_a_strange_exception(tally, record_property):
    assert tally.wrong == []
    record_property("fuzzer", str(tally))


def test_the_corruptions_are_many_and_of_every_outcome(tally):
    assert tally.tried == CASES
    assert len(tally.used) > 200
    assert min(tally.refused.total(), tally.equal, tally.remarked) > 300


def test_panels_that_came_through_can_be_fitted_or_are_refused_in_words(tally):
    fits = [fit for _, fit in fitted(tally.panels, FITS) if isinstance(fit, bs.Fit)]
    assert len(fits) > FITS / 2
    assert all(np.isfinite(fit.effect("pointwise").draws).all() for fit in fits)
