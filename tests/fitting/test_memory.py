"""Draws that would not fit into memory are refused before any is taken."""

import pytest

import bayes_synth as bs
from bayes_synth.errors import SamplingFailed
from bayes_synth.fitting import memory
from bayes_synth.sampling.settings import Size
from bayes_synth.testing import fake_fit, fake_panel

MODEL = bs.SyntheticControl(calibrate=False)
AVAILABLE = "bayes_synth.fitting.memory.available"


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("sizes", [(6, 20, 8), (40, 120, 60)])
def test_the_estimate_of_memory_is_that_of_a_fit(sizes, calibrate, monkeypatch):
    panel = fake_panel(donors=sizes[0], pre=sizes[1], post=sizes[2])
    model = bs.SyntheticControl(calibrate=calibrate)
    fake = fake_fit(panel=panel, model=MODEL, draws=300)
    extra = fake.idata["predictions"].to_dataset().nbytes if calibrate else 0
    held = sum(group.to_dataset().nbytes for group in fake.idata.children.values()) + extra
    estimate = memory.draw_bytes(model, panel, 4) * 4 * 300
    assert estimate == pytest.approx(held, rel=0.3)


def test_the_estimate_of_memory_is_that_of_a_real_fit(real):
    held = sum(group.to_dataset().nbytes for group in real.idata.children.values())
    assert memory.draw_bytes(real.model, real.panel, 4) * 4 * 1000 == pytest.approx(held, rel=0.1)


def test_draws_that_do_not_fit_are_refused_with_the_number_that_would(monkeypatch):
    monkeypatch.setattr(AVAILABLE, lambda: 4e8)
    monkeypatch.setattr("bayes_synth.fitting.extend.sample", None)
    panel = fake_panel()
    each = memory.draw_bytes(MODEL, panel, 4)
    fitting_draws = int(1e8 / each / 4)
    with pytest.raises(
        SamplingFailed,
        match=rf"\[S005\] 4 chains of 1000000 draws.*\n  Up to {fitting_draws} draws",
    ) as caught:
        MODEL.fit(panel, draws=1_000_000, random_seed=7, progressbar=False)
    assert f"would take {each * 4e6 / 1e9:.2g} GB; the limit is 0.1 GB, 25% of" in str(caught.value)
    memory.require_memory(MODEL, panel, Size(draws=fitting_draws, chains=4))
    with pytest.raises(SamplingFailed):
        memory.require_memory(MODEL, panel, Size(draws=fitting_draws + 1, chains=4))


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch):
    assert memory.available(lambda: None, lambda: None) is None
    monkeypatch.setattr(AVAILABLE, lambda: None)
    memory.require_memory(MODEL, fake_panel(), Size(draws=10**12))


def test_a_containers_limit_counts(tmp_path):
    (tmp_path / "memory.max").write_text("2000000\n")
    limit = memory.container_limit(str(tmp_path / "memory.max"))
    assert limit == 2e6
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.container_limit(str(tmp_path / "memory.max")) is None
    assert memory.container_limit(str(tmp_path / "nothing")) is None
    assert memory.available(lambda: 3e6, lambda: limit) == 2e6
    assert memory.available(lambda: 3e6, lambda: None) == 3e6


def test_this_machine_says_what_is_available():
    assert 1e6 < memory.free_memory() < 1e14
