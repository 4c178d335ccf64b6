"""An extended joint fit is the fresh one of the longer study, bit for bit, or is refused."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from small_studies import fake_joint, groups, wide

import bayes_synth as bs
from bayes_synth.errors import OptionError, ResultError
from bayes_synth.fitting.extend import KNOWN, same_mixture
from bayes_synth.results.convergence import uncalibrated
from bayes_synth.testing import fake_panel

PLAIN = bs.SyntheticControl(calibrate=False)
CALIBRATED = bs.SyntheticControl(calibrate=bs.Calibration(draws=50, tune=50, most=3))
SIZES = {"draws": 700, "tune": 300, "chains": 4, "random_seed": 1, "progressbar": False}
STARTS = {"u00": 2012, "u01": 2014}


def study(rows, starts=STARTS, frame=None, **options):
    frame = wide(11) if frame is None else frame
    return bs.Study.from_wide(frame.iloc[:rows], starts=starts, outcome="sales", **options)


def assert_same(one, two):
    assert one.study == two.study
    ours, theirs = groups(one), groups(two)
    assert list(ours) == list(theirs)
    for key, dataset in ours.items():
        assert dataset.equals(theirs[key]), key
        assert key[1] == "sample_stats" or dataset.attrs == theirs[key].attrs, key
    assert (one.sets is None) == (two.sets is None)
    assert one.sets is None or one.sets.equals(two.sets)
    times = {"seconds": 0.0, "compile_seconds": 0.0}
    for unit, fit in one.fits.items():
        assert replace(fit.record, **times) == replace(two.fits[unit].record, **times)


@pytest.fixture(scope="module")
def short():
    return PLAIN.fit(study(17), **SIZES)


@pytest.fixture(scope="module")
def long():
    return PLAIN.fit(study(20), **SIZES)


def test_an_extended_joint_fit_is_the_fresh_one_and_old_draws_stay(short, long):
    more = short.extend(study(20))
    assert_same(more, long)
    for unit, fit in short.fits.items():
        old, new = uncalibrated(fit.idata), uncalibrated(more.fits[unit].idata)
        np.testing.assert_array_equal(new.isel(time=slice(old.sizes["time"])), old)
        assert new.sizes["time"] == old.sizes["time"] + 3
        weights = [each.idata["posterior"]["weights"] for each in (fit, more.fits[unit])]
        np.testing.assert_array_equal(*weights)


def test_units_are_not_sampled_again(short, monkeypatch):
    def fail(*args, **options):
        raise AssertionError("sampled again")

    monkeypatch.setattr("bayes_synth.fitting.extend.sample", fail)
    more = short.extend(study(18))
    assert all(fit in KNOWN for fit in more.fits.values())
    assert_same(more.extend(study(20)), short.extend(study(20)))


def test_no_new_row_gives_the_joint_fit_itself(short):
    assert short.extend(study(17)) is short


@pytest.mark.long
def test_an_extended_calibrated_joint_fit_is_the_fresh_one():
    before = CALIBRATED.fit(study(17), **SIZES)
    more, fresh = before.extend(study(20)), CALIBRATED.fit(study(20), **SIZES)
    assert_same(more, fresh)
    members = ["set", "donor", "role"]
    assert more.sets[members].equals(before.sets[members])
    for unit, fit in before.fits.items():
        if same_mixture(fit.idata, more.fits[unit].idata):
            old, new = uncalibrated(fit.idata), uncalibrated(more.fits[unit].idata)
            np.testing.assert_array_equal(new.isel(time=slice(old.sizes["time"])), old)


def test_a_joint_fit_from_a_file_is_extended(short, long, tmp_path):
    short.save(tmp_path / "joint.nc")
    loaded = bs.load(tmp_path / "joint.nc")
    assert not any(fit in KNOWN for fit in loaded.fits.values())
    assert_same(loaded.extend(study(20)), long)


def test_one_unit_is_extended_as_its_fit_is():
    one = {"u00": 2012}
    joint = PLAIN.fit(study(17, one), **SIZES)
    more = joint.extend(study(20, one))
    alone = PLAIN.fit(study(20, one).panels["u00"], **SIZES)
    assert more.fits["u00"].idata["predictions"].equals(alone.idata["predictions"])


@pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")
def test_a_missing_outcome_of_a_new_row_stays_missing(short):
    frame = wide(11)
    frame.loc[2018, "u01"] = np.nan
    longer = study(20, frame=frame, missing="model")
    assert_same(short.extend(longer), PLAIN.fit(longer, **SIZES))


def changed(rows=20, cell=(2005, "u05")):
    frame = wide(11)
    frame.loc[cell] += 0.5
    return study(rows, frame=frame)


REFUSED = {
    "past of a donor": (changed(), "R040.*u05 at 2005"),
    "past of a treated unit": (changed(cell=(2013, "u01")), "R040.*u01 at 2013"),
    "another start": (study(20, STARTS | {"u01": 2015}), "R041.*u01: 2015 instead of"),
    "one unit more": (study(20, STARTS | {"u02": 2014}), "R041.*u02: 2014.*no donor u02"),
    "one unit less": (study(20, {"u00": 2012}), "R041.*also the donor u01"),
    "a donor less": (study(20).drop("u07"), "R041.*no donor u07"),
    "a donor more": (study(20, frame=wide(12)), "R041|R040"),
    "a pool": (study(20, donors={"u00": ["u05", "u06"]}), "R041.*pools=u00: u05, u06"),
    "backdated": (study(20).backdate(1), "R041.*ends="),
    "fewer rows": (study(16), "R042.*study must have every time.*without 2016"),
    "earlier rows": (study(20, frame=wide(11).set_axis(range(1999, 2019))), "R042"),
}


@pytest.mark.parametrize(("longer", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_study_that_does_not_extend_this_one_is_refused(short, longer, words):
    with pytest.raises(ResultError, match=words):
        short.extend(longer)


@pytest.mark.parametrize(
    "given", [None, {}, fake_panel(), wide(11)], ids=lambda g: type(g).__name__
)
def test_something_that_is_no_study_is_refused(short, given):
    with pytest.raises(OptionError, match=r"O001.*study must be a bs.Study, got"):
        short.extend(given)


def test_a_part_of_a_joint_fit_is_not_extended(short):
    with pytest.raises(ResultError, match=r"(?s)R055.*got u01 of u00, u01.*before joint.keep"):
        short.keep("u01").extend(study(20, {"u01": 2014}))


def test_fits_that_were_not_made_together_are_not_extended():
    with pytest.raises(ResultError, match="R055"):
        fake_joint(STARTS).extend(study(20))


@pytest.mark.filterwarnings("ignore::bayes_synth.errors.ConvergenceWarning")
def test_a_joint_fit_that_has_not_converged_is_not_extended():
    few = PLAIN.fit(study(17), **SIZES | {"draws": 20, "tune": 20})
    with pytest.raises(ResultError, match=r"R043.*2 of 2 units"):
        few.extend(study(20))


def test_draws_of_another_machine_are_not_continued(short):
    fit = short.fits["u00"]
    other = xr.DataTree.from_dict(
        {path: node.to_dataset(inherit=False) for path, node in fit.idata.subtree_with_keys}
    )
    other["posterior"]["weights"] = other["posterior"]["weights"] * (1 + 1e-12)
    fits = dict(short.fits) | {"u00": replace(fit, idata=other)}
    with pytest.raises(ResultError, match="R044"):
        replace(short, fits=fits).extend(study(20))
