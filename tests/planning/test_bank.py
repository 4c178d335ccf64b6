"""Refits of past starts: in threads, by a backend of joblib, kept in a folder, within memory."""

import numpy as np
import pytest
from fake_plans import fake_history, fake_plan

import bayes_synth as bs
from bayes_synth.errors import LoadError, OptionError, PlanError
from bayes_synth.fitting.placebos import Answer, Refits
from bayes_synth.model.forecast_error import Forecast
from bayes_synth.planning import workers
from bayes_synth.planning.bank import bank_of, shared_bank_panel
from bayes_synth.planning.bank_store import BankStore
from bayes_synth.planning.make import require_satisfiable
from bayes_synth.planning.told import Told
from bayes_synth.planning.workers import Workers
from bayes_synth.sampling.settings import Settings, Size

MODEL = bs.SyntheticControl()
LENGTHS = (3, 5)


def settings(seed=1):
    return Settings.checked(Size(100, 100, 2), cores=1, random_seed=seed, progressbar=False)


def panels(count=1, **options):
    history = fake_history(units=6, times=36)
    return {s: shared_bank_panel(history, count, s, 5, **options) for s in (20, 26)}


def told(rng, pre=20):
    answers = {}
    for length in LENGTHS:
        spread = np.eye(length) * rng.random()
        forecast = Forecast(rng.standard_normal(length), spread, rng.random())
        row = {"step": rng.random(), "divergences": 1, "ok": True}
        answers[length] = Answer(forecast, row, rng.standard_normal(pre + length))
    # A refit that has not settled draws more, so sizes differ.
    return Told(answers, rng.standard_normal((int(rng.integers(4, 9)), 5)), rng.random(5))


def refits(seed=0, stopped=""):
    rng = np.random.default_rng(seed)
    keys = [(label, factor) for label in ("u01", "u02 + u03") for factor in (0.2, 1.0)]
    skipped = ("u04 (V004)",)
    return Refits({key: told(rng) for key in keys}, ("u01", "u02 + u03"), skipped, 0.5, stopped)


def same(one, two):
    assert (one.labels, one.skipped, one.power) == (two.labels, two.skipped, two.power)
    assert list(one.answers) == list(two.answers)
    for key, mine in one.answers.items():
        other = two.answers[key]
        np.testing.assert_array_equal(mine.path, other.path)
        np.testing.assert_array_equal(mine.observed, other.observed)
        for length in LENGTHS:
            a, b = mine.answers[length], other.answers[length]
            assert a.row == b.row
            assert a.forecast.doubt == b.forecast.doubt
            np.testing.assert_array_equal(a.gap, b.gap)
            np.testing.assert_array_equal(a.forecast.error, b.forecast.error)
            np.testing.assert_array_equal(a.forecast.covariance, b.forecast.covariance)


def test_refits_survive_a_folder(tmp_path):
    store = BankStore(tmp_path / "kept")
    path = store.path(MODEL, panels()[20], LENGTHS, settings())
    assert store.read(path) is None
    store.write(path, refits())
    same(store.read(path), refits())
    assert [file.name for file in store.folder.iterdir()] == [path.name]
    nobody = Refits({}, (), ("u01 (V004)",), 1.0)
    store.write(path, nobody)
    assert store.read(path) == nobody


def test_all_that_decides_refits_is_in_the_name(tmp_path):
    store, given = BankStore(tmp_path), panels()
    names = {
        store.path(MODEL, given[20], LENGTHS, settings()),
        store.path(MODEL, given[26], LENGTHS, settings()),
        store.path(MODEL, given[20], (3,), settings()),
        store.path(MODEL, given[20], LENGTHS, settings(seed=2)),
        store.path(MODEL, panels(2)[20], LENGTHS, settings()),
        store.path(bs.SyntheticControl(calibrate=bs.Calibration(most=9)), given[20], LENGTHS,
                   settings()),
    }  # fmt: skip
    assert len(names) == 6
    assert store.path(MODEL, panels()[20], LENGTHS, settings()) in names


def test_a_damaged_file_is_refused(tmp_path):
    store = BankStore(tmp_path)
    path = store.path(MODEL, panels()[20], LENGTHS, settings())
    store.write(path, refits())
    whole = path.read_bytes()
    for data in (whole[:200], b"", bytes(len(whole)), whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(LoadError, match=r"L001.*Delete it"):
            store.read(path)


def test_an_interrupted_bank_goes_on_from_its_folder(tmp_path, monkeypatch):
    made = []

    def fake(model, panel, periods, chosen):
        made.append(panel.start)
        return refits(len(made), "interrupted" if len(made) == 2 else "")

    monkeypatch.setattr(workers, "refits_at", fake)
    given = panels()
    options = (MODEL, given, LENGTHS, settings(), fake_history(units=6, times=36).times)
    kept = Workers(store=BankStore(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        bank_of(*options, kept)
    bank = bank_of(*options, kept)
    assert made == [20, 26, 26]
    same(bank.refits[20], refits(1))
    same(bank.refits[26], refits(3))
    assert bank_of(*options, kept).refits.keys() == given.keys()
    assert len(made) == 3


def test_backends_of_joblib_give_the_same_refits(monkeypatch):
    monkeypatch.setattr(workers, "refits_at", lambda model, panel, *_: refits(int(panel.start)))
    options = (MODEL, panels(), LENGTHS, settings(), fake_history(units=6, times=36).times)
    one, two = bank_of(*options), bank_of(*options, Workers("threading", 2))
    for start in (20, 26):
        same(one.refits[start], two.refits[start])
    assert list(two.refits) == [20, 26]


def test_backends_that_cannot_be_used(tmp_path):
    with pytest.raises(OptionError, match="O001"):
        Workers.checked({"backend": "threds"})
    with pytest.raises(OptionError, match=r"O001|O055"):
        Workers.checked({"backend": "dask"})
    assert Workers.checked({"store": tmp_path}).store == BankStore(tmp_path)


def test_too_little_memory_is_said_before_anything_is_sampled(monkeypatch):
    monkeypatch.setattr("bayes_synth.planning.bank.available", lambda: 1000.0)
    with pytest.raises(PlanError, match=r"H034.*36 refits at 2 past starts"):
        bank_of(MODEL, panels(), LENGTHS, settings(), fake_history(units=6, times=36).times)
    monkeypatch.setattr("bayes_synth.planning.bank.available", lambda: None)
    monkeypatch.setattr(workers, "refits_at", lambda *_: refits())
    assert bank_of(MODEL, panels(), LENGTHS, settings(), None).refits


def test_a_unit_that_is_no_donor_is_in_no_bank():
    assert "u00" not in panels(never=["u00"])[20].donors
    assert "u00" in panels(never=["u01"])[20].donors


@pytest.mark.parametrize("rule", [bs.rules.Rope(-1e-9, 1e-9), bs.rules.Rope(0.5, 0.5001)])
def test_a_rule_that_no_outcome_satisfies_is_refused(rule):
    with pytest.raises(PlanError, match=r"H033.*in none of 6 past windows"):
        require_satisfiable(fake_plan(rule=rule))


@pytest.mark.parametrize("rule", [bs.rules.Rope(-0.2, 0.2), bs.rules.Interval(0.999)])
def test_other_rules_are_not(rule):
    require_satisfiable(fake_plan(rule=rule))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PlanWarning")
def test_processes_and_threads_plan_the_same(tmp_path):
    model = bs.SyntheticControl(calibrate=bs.Calibration(draws=60, tune=60, q_factors=(1.0,)))
    options = {"periods": 3, "starts": 2, "draws": 60, "tune": 60, "random_seed": 1}
    history = fake_history(units=5, times=24)
    one = model.plan(history, "u00", progressbar=False, **options)
    two = model.plan(
        history, "u00", backend="loky", n_jobs=2, store=tmp_path, progressbar=False, **options
    )
    assert one.counterfactual.equals(two.counterfactual)
    assert one.placebo_tests.equals(two.placebo_tests)
    assert len(list(tmp_path.iterdir())) == 2
