"""The refits of the donors: what a failure says."""

import re
from functools import partial

import pytest

import bayes_synth as bs
from bayes_synth.errors import SamplingFailed
from bayes_synth.fitting.placebos import placebos
from bayes_synth.testing import fake_panel


def test_a_failed_refit_names_its_donor(monkeypatch):
    def refit(problem, settings):
        raise SamplingFailed("S002", "the sampler crashed.")

    monkeypatch.setattr("bayes_synth.fitting.fit_panel.placebos", partial(placebos, refit=refit))
    with pytest.raises(SamplingFailed, match="S002") as caught:
        bs.SyntheticControl().fit(fake_panel(), cores=1, random_seed=7, progressbar=False)
    assert re.match(
        r"In the refit of (donor_0\d) as if treated: .*\['\1'\]", caught.value.__notes__[0]
    )
