"""Fits on disk."""

import json

import numpy as np
import pytest
import xarray as xr

import bayes_synth as bs
from bayes_synth.errors import LoadError
from bayes_synth.testing import fake_fit, fake_panel

MODELS = [
    bs.SyntheticControl(),
    bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration=1.0), noise=bs.noise.IID(intercept=False)),
    bs.SyntheticControl(noise=bs.noise.AR1(s=bs.priors.HalfNormal(2.0))),
    bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration={f"donor_0{j}": j + 0.5 for j in range(6)})),
    bs.SyntheticControl(noise=bs.noise.LocalLevel(initial_level=5.0)),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_fit_comes_back_as_it_was(model, tmp_path):
    fit = fake_fit(model=model)
    fit.save(tmp_path / "fit.nc")
    back = bs.load(tmp_path / "fit.nc")
    assert back.model == fit.model
    assert back.panel == fit.panel
    assert repr(back) == repr(fit)
    assert np.array_equal(back.effect("pointwise").draws, fit.effect("pointwise").draws)


@pytest.mark.parametrize("fraction", [False, True])
def test_dates_and_fractional_times_come_back(fraction, tmp_path):
    panel = fake_panel(dates=not fraction)
    if fraction:
        table = panel.outcomes.to_pandas().set_axis(np.arange(28) / 4 + 2000, axis=0)
        panel = bs.Panel.from_wide(table, treated="treated", start=2005.0)
    fake_fit(panel=panel).save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").panel == panel


def test_several_treated_units_come_back(tmp_path):
    panel = fake_panel()
    both = bs.Panel.from_wide(panel.outcomes.to_pandas(), treated=["treated", "donor_05"], start=panel.start)
    fake_fit(panel=both).save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").panel == both


def test_an_existing_file_is_not_replaced_unless_asked(fake, tmp_path):
    fake.save(tmp_path / "fit.nc")
    with pytest.raises(LoadError, match="L004"):
        fake.save(tmp_path / "fit.nc")
    fake.save(tmp_path / "fit.nc", overwrite=True)


def test_a_failed_save_leaves_nothing_behind(fake, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", broken)
    with pytest.raises(OSError, match="disk full"):
        fake.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


def test_other_suffixes_and_absent_files_are_refused(fake, tmp_path):
    with pytest.raises(LoadError, match=r"L005.*must end in .nc"):
        fake.save(tmp_path / "fit.pkl")
    with pytest.raises(LoadError, match=r"L001.*does not exist"):
        bs.load(tmp_path / "absent.nc")


def test_a_truncated_file_is_refused(fake, tmp_path):
    fake.save(tmp_path / "fit.nc")
    whole = (tmp_path / "fit.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LoadError, match="L001"):
        bs.load(tmp_path / "cut.nc")


def test_a_foreign_file_is_refused(tmp_path):
    xr.DataTree(xr.Dataset({"x": 1.0})).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(LoadError, match=r"L001.*no fit of this library"):
        bs.load(tmp_path / "other.nc")


def changed(fit, path, **changes):
    """The fit on disk with its record changed."""
    tree = fit.idata.copy(deep=True)
    tree.attrs["bayes_synth"] = json.dumps(json.loads(tree.attrs["bayes_synth"]) | changes)
    tree.to_netcdf(path, engine="h5netcdf")
    return path


def test_a_newer_schema_asks_for_an_update(fake, tmp_path):
    with pytest.raises(LoadError, match=r"L002.*update bayes_synth"):
        bs.load(changed(fake, tmp_path / "new.nc", schema=99))


def test_a_model_that_a_file_only_names_is_never_imported(fake, tmp_path):
    with pytest.raises(LoadError, match=r"L003.*os.system"):
        bs.load(changed(fake, tmp_path / "evil.nc", model={"type": "os.system", "command": "true"}))


def test_changed_data_are_noticed(fake, tmp_path):
    tree = fake.idata.copy(deep=True)
    tree["constant_data"]["donor_outcomes"][0, 0] += 1
    tree.to_netcdf(tmp_path / "tampered.nc", engine="h5netcdf")
    with pytest.raises(LoadError, match=r"L001.*the file was changed"):
        bs.load(tmp_path / "tampered.nc")


def test_a_file_from_before_the_first_release_is_refused(fake, tmp_path):
    path = tmp_path / "fit.nc"
    facts = json.loads(fake.idata.attrs["bayes_synth"]) | {"schema": 1}
    tree = fake.idata.copy()
    tree.attrs = {"bayes_synth": json.dumps(facts)}
    tree.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(LoadError, match=r"\[L003\] .* follows schema 1, from before the first release"):
        bs.load(path)
