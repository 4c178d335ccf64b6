"""A joint fit comes back from a file as it was."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_studies import fake_joint

import bayes_synth as bs
from bayes_synth.api import load as load_fit
from bayes_synth.errors import LoadError
from bayes_synth.storage.save import STUDY_FACTS, read_sealed, write_sealed

STARTS = {"u00": 2010, "u01": 2012, "u02": 2012}


@pytest.fixture(scope="module")
def joint():
    plain = fake_joint(STARTS, draws=20, donors={"u02": ["u05", "u07", "u08"]})
    sets = pd.DataFrame(
        {"set": [1, 1], "donor": ["u05", "u06"], "start": [2010, 2012], "z": [0.5, -1.0]},
        index=pd.Index(["u05 (set 1)", "u06 (set 1)"], name="member"),
    )
    return bs.JointFit(plain.study, plain.fits, sets)


@pytest.fixture(scope="module")
def saved(joint, tmp_path_factory):
    path = tmp_path_factory.mktemp("joint") / "joint.nc"
    joint.save(path)
    return path


@pytest.mark.parametrize("suffix", [".nc", ".zarr.zip"])
def test_a_joint_fit_comes_back(joint, tmp_path, suffix):
    path = tmp_path / f"joint{suffix}"
    joint.save(path)
    back = bs.load(path)
    assert isinstance(back, bs.JointFit)
    assert back.study == joint.study
    assert back.study.pools == joint.study.pools
    for unit, fit in joint.fits.items():
        assert back.fits[unit].panel == fit.panel
        assert back.fits[unit].model == fit.model
        xr_same = back.fits[unit].idata["predictions"].to_dataset()
        assert xr_same.equals(fit.idata["predictions"].to_dataset())
    np.testing.assert_array_equal(back.effect().draws, joint.effect().draws)
    assert back.sets["z"].tolist() == joint.sets["z"].tolist()
    assert repr(back) == repr(joint)


@pytest.mark.long
def test_a_backdated_study_comes_back(tmp_path):
    whole = fake_joint(STARTS, draws=20)
    study = whole.study.backdate(2)
    fits = {u: bs.testing.fake_fit(panel=p, draws=20) for u, p in study.panels.items()}
    bs.JointFit(study, fits).save(tmp_path / "joint.zarr.zip")
    back = bs.load(tmp_path / "joint.zarr.zip")
    assert back.study == study
    assert back.sets is None


def test_a_fit_is_still_loaded_as_one(tmp_path, fake):
    fake.save(tmp_path / "fit.nc")
    assert isinstance(bs.load(tmp_path / "fit.nc"), bs.Fit)


@pytest.mark.long
def test_a_file_is_not_replaced_unasked(joint, saved, tmp_path):
    shutil.copy(saved, tmp_path)
    with pytest.raises(LoadError, match="L004"):
        joint.save(tmp_path / "joint.nc")
    joint.save(tmp_path / "joint.nc", overwrite=True)
    with pytest.raises(LoadError, match="L005"):
        joint.save(tmp_path / "joint.csv")


def test_a_study_is_no_fit_where_a_fit_is_wanted(saved):
    with pytest.raises(LoadError, match="joint") as caught:
        load_fit(saved)
    assert caught.value.code == "L026"


@pytest.fixture(scope="module")
def outcomes(saved):
    """The file's tree without its fits: what is refused by its facts is refused unread."""
    tree, _ = read_sealed(saved)
    return xr.DataTree.from_dict({"study": tree["study"].to_dataset()})


@pytest.mark.long
@pytest.mark.parametrize("facts", ["{}", '{"schema": 1}', "no json"])
def test_a_file_that_lacks_parts_is_refused(outcomes, tmp_path, facts):
    write_sealed(outcomes, {STUDY_FACTS: facts}, tmp_path / "odd.nc", overwrite=False)
    with pytest.raises(LoadError) as caught:
        bs.load(tmp_path / "odd.nc")
    assert caught.value.code == "L025"


def test_a_file_of_a_newer_version_is_refused(outcomes, tmp_path):
    write_sealed(outcomes, {STUDY_FACTS: '{"schema": 99}'}, tmp_path / "new.nc", overwrite=False)
    with pytest.raises(LoadError, match="L002"):
        bs.load(tmp_path / "new.nc")


def test_a_damaged_file_is_refused(saved, tmp_path):
    path = tmp_path / "joint.nc"
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(LoadError, match="L001"):
        bs.load(path)
