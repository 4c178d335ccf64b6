"""The report of simulation-based calibration: what it says of ranks, and how its store grows."""

import numpy as np
import pytest
import sbc_report
from sbc import Simulation
from sbc_report import extend, level, reach, read, row, run


@pytest.fixture
def fake(monkeypatch):
    """Simulations in no time, and the numbers that were asked for."""
    asked = []

    def simulation(_model, number, _seed):
        asked.append(number)
        return Simulation({"s": (number + 0.5) / 40, "q": 0.2 * (number + 0.5) / 40}, number == 3)

    monkeypatch.setattr(sbc_report, "simulation", simulation)
    monkeypatch.setattr(sbc_report, "code", lambda _name: "this")
    monkeypatch.setattr(sbc_report, "TRIALS", 2000)
    return asked


def test_a_run_goes_on_where_it_stopped(fake, tmp_path):
    extend(tmp_path, "iid", [0, 1, 3])
    run(tmp_path, ["iid"], 30, minutes=1)
    assert fake == [0, 1, 3, 2, *range(4, 30)]
    assert [line["number"] for line in read(tmp_path, "iid")] == list(range(30))


def test_lines_of_other_code_are_left_aside(fake, tmp_path, monkeypatch):
    extend(tmp_path, "iid", [0, 1])
    monkeypatch.setattr(sbc_report, "code", lambda _name: "other")
    extend(tmp_path, "iid", [5])
    assert [line["number"] for line in read(tmp_path, "iid")] == [5]


def test_a_run_whose_time_is_over_stops(fake, tmp_path):
    run(tmp_path, ["iid"], 30, minutes=-1)
    assert fake == []


def test_a_row_names_the_worst_quantity_and_counts_those_outside(fake, tmp_path):
    extend(tmp_path, "iid", range(40))
    found = row("iid", read(tmp_path, "iid"))
    assert (found["worst quantity"], found["outside"], found["with divergences"]) == (
        "q",
        1,
        "2.5%",
    )
    assert float(found["its reach"]) > 1


def test_uniform_ranks_leave_their_band_as_often_as_said():
    rng = np.random.default_rng(1)
    share = np.mean([reach(rng.random(60), 0.9) > 1 for _ in range(1000)])
    assert share == pytest.approx(0.1, abs=0.03)


def test_bands_of_a_model_share_its_probability_out():
    assert level(10) == pytest.approx(0.999)


def test_code_is_known_by_what_it_finds(monkeypatch):
    digests = set()
    for value in (0.1, 0.1, 0.2):
        monkeypatch.setattr(
            sbc_report, "simulation", lambda *_, value=value: Simulation({"s": value}, False)
        )
        digests.add(sbc_report.code.__wrapped__("iid"))
    assert len(digests) == 2
