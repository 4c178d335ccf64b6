"""Fits on disk."""

import json
import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from file_tools import in_file, light_fit, read_plainly, seal, short_fit, write_whole

import bayes_synth as bs
from bayes_synth.errors import LoadError, LoadWarning
from bayes_synth.results.record import Attempt, RunRecord
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.storage.digests import digest
from bayes_synth.storage.provenance import SCHEMA
from bayes_synth.storage.save import FACTS, SEAL
from bayes_synth.storage.trees import SUFFIXES
from bayes_synth.testing import fake_panel, fake_placebos

ODD = ['a "quoted" donor', "north/south", "two\nlines", "émoji 🚀", " leading space", "treated"]
MODELS = [
    bs.SyntheticControl(),
    bs.SyntheticControl(
        weights=bs.priors.Dirichlet(concentration=1.0), noise=bs.noise.IID(intercept=False)
    ),
    bs.SyntheticControl(noise=bs.noise.AR1(s=bs.priors.HalfNormal(2.0))),
    bs.SyntheticControl(
        weights=bs.priors.Dirichlet(concentration={f"donor_0{j}": j + 0.5 for j in range(6)})
    ),
    bs.SyntheticControl(noise=bs.noise.LocalLevel(initial_level=5.0)),
]
DATA = Path(__file__).parents[1] / "files"
each_format = pytest.mark.parametrize("suffix", SUFFIXES)


def sealed(fit, path, **changes):
    """A fit on disk with some of its facts changed and a digest that fits."""
    tree = in_file(fit)
    tree.attrs[FACTS] = json.dumps(json.loads(tree.attrs[FACTS]) | changes)
    return write_whole(seal(tree), path)


def relabelled(panel):
    table = panel.outcomes.to_pandas()
    table = table.set_axis([*ODD[:-1], "donor", "treated"], axis=1)
    return bs.Panel.from_wide(
        table, treated="treated", start=panel.start, outcome='sales of "tea"\n☕'
    )


def fractional(panel):
    table = panel.outcomes.to_pandas().set_axis(np.arange(28) / 4 + 2000, axis=0)
    return bs.Panel.from_wide(table, treated="treated", start=2005.0)


def hours(panel):
    times = pd.date_range("2024-03-31 23:30", periods=28, freq="h")
    return bs.Panel.from_wide(
        panel.outcomes.to_pandas().set_axis(times, axis=0), treated="treated", start=times[20]
    )


def both_treated(panel):
    return bs.Panel.from_wide(
        panel.outcomes.to_pandas(), treated=["treated", "donor_05"], start=panel.start
    )


PANELS = {
    "years": fake_panel(),
    "dates": fake_panel(dates=True),
    "hours": hours(fake_panel()),
    "fractions of years": fractional(fake_panel()),
    "two treated units": both_treated(fake_panel()),
    "odd labels": relabelled(fake_panel()),
}


@pytest.mark.long
@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
@each_format
def test_every_format_gives_back_the_same_fit(panel, suffix, tmp_path):
    fit = short_fit(panel)
    fit.save(tmp_path / f"fit{suffix}")
    back = bs.load(tmp_path / f"fit{suffix}")
    assert (back.panel, back.model, repr(back)) == (panel, fit.model, repr(fit))
    assert back.record == fit.record
    assert back.idata.identical(fit.idata)
    for estimand in ("pointwise", "average", "total", "cumulative"):
        assert (
            back.effect(estimand).draws.to_numpy().tobytes()
            == fit.effect(estimand).draws.to_numpy().tobytes()
        )


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_model_comes_back_as_it_was(model, tmp_path):
    fit = light_fit(model=model)
    fit.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").model == model


@pytest.mark.long
def test_a_loaded_fit_is_saved_in_another_format_and_another_and_stays_the_same(tmp_path):
    first = fit = light_fit(fake_panel(dates=True))
    for i, suffix in enumerate([*SUFFIXES, *SUFFIXES]):
        fit.save(tmp_path / f"{i}{suffix}")
        fit = bs.load(tmp_path / f"{i}{suffix}")
    assert fit.idata.identical(first.idata)
    seals = {read_plainly(path).attrs[SEAL] for path in tmp_path.iterdir()}
    assert seals == {in_file(first).attrs[SEAL]}


@pytest.mark.long
@each_format
def test_xarray_alone_reads_the_file(suffix, tmp_path):
    fit = short_fit()
    fit.save(tmp_path / f"fit{suffix}")
    tree = read_plainly(tmp_path / f"fit{suffix}")
    assert set(tree.children) == set(fit.idata.children)
    assert tree["posterior"].to_dataset().identical(fit.idata["posterior"].to_dataset())
    assert json.loads(tree.attrs[FACTS])["schema"] == SCHEMA


def test_zarr_holds_each_part_once_with_plain_codecs_and_no_objects(tmp_path):
    light_fit().save(tmp_path / "fit.zarr.zip")
    with zipfile.ZipFile(tmp_path / "fit.zarr.zip") as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        found = [json.loads(archive.read(name)) for name in names if name.endswith("zarr.json")]
    arrays = [entry for entry in found if entry["node_type"] == "array"]
    assert {codec["name"] for array in arrays for codec in array["codecs"]} == {
        "bytes",
        "vlen-utf8",
        "zstd",
    }
    assert {array["data_type"] for array in arrays} == {"bool", "float64", "int64", "string"}


def test_the_digest_does_not_depend_on_chunks_or_compression(tmp_path):
    fit = light_fit()
    packing = {"/posterior": {"weights": {"zlib": True, "chunksizes": (1, 3, 2), "dtype": ">f8"}}}
    fit.idata.to_netcdf(tmp_path / "packed.nc", engine="h5netcdf", encoding=packing)
    packing = {"/posterior": {"weights": {"chunks": (1, 3, 2), "compressors": None}}}
    fit.idata.to_zarr(tmp_path / "packed.zarr", consolidated=False, encoding=packing)
    assert {digest(read_plainly(tmp_path / name)) for name in ("packed.nc", "packed.zarr")} == {
        digest(fit.idata)
    }


@pytest.mark.parametrize(
    "times", [pd.date_range("1500-01-01", periods=28, unit="s"), pd.date_range("2024", periods=28)]
)
def test_a_digest_does_not_depend_on_the_resolution_of_dates_or_the_sign_of_a_nan(times):
    def tree(values, labels):
        return xr.DataTree.from_dict({"a": xr.Dataset({"x": ("time", values)}, {"time": labels})})

    values = np.array([np.nan, -0.0, *range(26)])
    first = digest(tree(values, times))
    assert first == digest(tree(np.where(np.isnan(values), -values, values), times.as_unit("us")))
    assert first != digest(tree(np.abs(values), times))
    assert first != digest(tree(values, times.as_unit("us") + pd.Timedelta("1us")))


@pytest.mark.long
@each_format
def test_an_existing_file_is_not_replaced_unless_asked(suffix, tmp_path):
    path = tmp_path / f"fit{suffix}"
    light_fit().save(path)
    with pytest.raises(
        LoadError, match=r"\[L004\] .*fit\..* exists; pass overwrite=True to replace it\."
    ):
        light_fit(random_seed=1).save(path)
    assert bs.load(path).idata.identical(light_fit().idata)
    light_fit(random_seed=1).save(path, overwrite=True)
    assert bs.load(path).idata.identical(light_fit(random_seed=1).idata)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_folder_that_is_no_store_is_never_replaced(suffix, tmp_path):
    kept = tmp_path / f"results{suffix}" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    with pytest.raises(
        LoadError,
        match=r"\[L004\] .* is a folder that holds no zarr store, so it is not replaced: move it",
    ):
        light_fit().save(kept.parent, overwrite=True)
    assert kept.read_text() == "years of work"


@each_format
def test_a_failed_save_leaves_nothing_behind(suffix, tmp_path, monkeypatch):
    def broken(self, store, **_):
        if isinstance(store, Path) and store.suffix == ".zarr":
            store.mkdir()
            (store / "zarr.json").write_text("{")
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", broken)
    monkeypatch.setattr(xr.DataTree, "to_zarr", broken)
    with pytest.raises(OSError, match="disk full"):
        light_fit().save(tmp_path / f"fit{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@each_format
def test_a_failed_replacement_leaves_the_old_fit(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"fit{suffix}"
    light_fit().save(path)
    move = Path.rename

    def broken(self, target):
        if target == path and self.name != "old":
            raise OSError("no more room")
        return move(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="no more room"):
        light_fit(random_seed=1).save(path, overwrite=True)
    assert bs.load(path).idata.identical(light_fit().idata)
    assert list(tmp_path.iterdir()) == [path]


def test_other_suffixes_are_refused_by_name(fake, tmp_path):
    for name in ("fit.pkl", "fit.zip", "fit"):
        for act in (fake.save, bs.load):
            with pytest.raises(
                LoadError,
                match=rf"\[L005\] '{name}' must end in \.nc, \.zarr \(a folder\) "
                r"or \.zarr\.zip \(one file\)",
            ):
                act(tmp_path / name)


@each_format
def test_absent_files_and_folders_are_refused(suffix, fake, tmp_path):
    with pytest.raises(LoadError, match=r"\[L001\] .*absent.* does not exist"):
        bs.load(tmp_path / f"absent{suffix}")
    with pytest.raises(LoadError, match=r"\[L001\] the folder .*nowhere does not exist"):
        fake.save(tmp_path / "nowhere" / f"fit{suffix}")


@pytest.mark.parametrize("suffix", [".nc", ".zarr.zip"])
def test_a_truncated_file_is_refused(suffix, tmp_path):
    light_fit().save(tmp_path / f"fit{suffix}")
    whole = (tmp_path / f"fit{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        LoadError, match=rf"\[L001\] .*cut.* is not a {suffix} file that can be read: \w+: "
    ):
        bs.load(tmp_path / f"cut{suffix}")


@each_format
def test_a_foreign_file_is_refused(suffix, tmp_path):
    write_whole(xr.DataTree(xr.Dataset({"x": 1.0})), tmp_path / f"other{suffix}")
    with pytest.raises(LoadError, match=r"\[L001\] .*holds no fit of this library"):
        bs.load(tmp_path / f"other{suffix}")


def test_a_store_that_would_unpickle_is_refused_unread(tmp_path):
    ran, store = tmp_path / "ran", tmp_path / "evil.zarr"
    (store / "x").mkdir(parents=True)
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    array = {
        "zarr_format": 2,
        "shape": [1],
        "chunks": [1],
        "dtype": "|O",
        "fill_value": None,
        "order": "C",
    }
    (store / "x" / ".zarray").write_text(
        json.dumps(array | {"filters": [{"id": "pickle"}], "compressor": None})
    )
    (store / "x" / "0").write_bytes(f"cpathlib\nPath\n(S'{ran}'\ntR.".encode())
    with pytest.raises(
        LoadError, match=r"\[L001\] .*evil\.zarr is not a \.zarr file that can be read"
    ):
        bs.load(store)
    assert not ran.exists()


def written_anew(path, suffix, change=lambda tree: tree):
    """A file opened with xarray and saved by it again, as any notebook may do."""
    again = path.with_name(f"again{suffix}")
    tree = change(read_plainly(path))
    if suffix == ".nc":
        tree.to_netcdf(again)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr says that others may not read consolidated data
            tree.to_zarr(again)
    return again


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_file_that_xarray_wrote_anew_loads_with_a_remark(suffix, tmp_path):
    path = tmp_path / f"fit{suffix}"
    fit = light_fit()
    fit.save(path)
    with pytest.warns(LoadWarning, match=r"\[L013\].*written again by another program"):
        back = bs.load(written_anew(path, suffix))
    xr.testing.assert_identical(back.idata, fit.idata)


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree * 1.0,
        lambda tree: tree.map_over_datasets(
            lambda data: data.astype("float32", copy=False) if "s" in data else data
        ),
    ],
    ids=["no attributes", "other types"],
)
def test_a_file_written_anew_with_other_content_is_refused(change, tmp_path):
    path = tmp_path / "fit.nc"
    light_fit().save(path)
    with pytest.raises(LoadError, match=r"\[L001\]"):
        bs.load(written_anew(path, ".nc", change))


@each_format
def test_bytes_other_than_those_written_are_refused_before_they_are_decoded(
    suffix, tmp_path, monkeypatch
):
    path = tmp_path / f"fit{suffix}"
    light_fit().save(path)
    if suffix == ".nc":
        path.write_bytes(path.read_bytes().replace(b"posterior", b"posteriof", 1))
    elif suffix == ".zarr":
        (path / "posterior" / "s" / "c" / "0" / "0").write_bytes(b"")
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("more", b"")
    monkeypatch.setattr(xr, "open_datatree", None)
    with pytest.raises(LoadError, match=r"\[L001\] .*its bytes are not those that were written"):
        bs.load(path)


@pytest.mark.filterwarnings("ignore:Object at .DS_Store is not recognized")
def test_a_hidden_file_that_a_desktop_leaves_in_a_store_does_no_harm(tmp_path):
    light_fit().save(tmp_path / "fit.zarr")
    (tmp_path / "fit.zarr" / ".DS_Store").write_bytes(b"icons")
    assert bs.load(tmp_path / "fit.zarr").idata.identical(light_fit().idata)


KNOWN = {
    3: {
        "average": 3.1665291178697466,
        "relative": 0.03192594116139779,
        "kappa": 1.1450435378543127,
        "donor_00": 0.5968890110141291,
    },
    4: {
        "average": 3.125219684266913,
        "relative": 0.031496438131898244,
        "kappa": 1.1069837068573651,
        "donor_00": 0.5922546351646746,
    },
    5: {
        "average": 3.15184829008229,
        "relative": 0.031773251269822944,
        "kappa": 0.910518659949218,
        "donor_00": 0.597135617521157,
    },
}
"""Medians of two effects and of kappa, and the heaviest mean weight, in the file of each schema."""


@pytest.mark.parametrize("schema", KNOWN)
@each_format
def test_the_kept_file_of_every_schema_is_read(schema, suffix, tmp_path):
    path = DATA / f"schema_{schema}{suffix}"
    if suffix == ".zarr":
        path = tmp_path / "unzipped.zarr"
        zipfile.ZipFile(DATA / f"schema_{schema}.zarr.zip").extractall(path)
    fit = bs.load(path)
    found = {name: float(fit.effect(name).draws.median()) for name in ("average", "relative")}
    found |= {
        "kappa": float(fit.idata["calibration"]["kappa"].median()),
        "donor_00": fit.weights()["mean"].iloc[0],
    }
    assert found == pytest.approx(KNOWN[schema], rel=1e-12)
    expected = fake_panel(donors=4, pre=12, post=4, dates=True, effect=3.0)
    assert replace(fit.panel, predictors=None) == expected
    names = None if fit.panel.predictors is None else fit.panel.predictors.names
    assert names == {3: None, 4: None, 5: ("income", "age")}[schema]
    assert fit.weights().index[0] == "donor_00"
    record = fit.record
    sampler = {3: "nutpie"}.get(schema, "slice")
    assert (record.chains, record.draws, record.sampled_by) == (2, 12, sampler)
    assert (record.settings.random_seed, record.settings.size.tune) == (1, 200)
    assert record.partial == ()
    # The first files of schema 3 do not say what was tried and warned about.
    said = len(record.attempts), [text[:6] for text in record.warnings]
    assert said == {3: (0, [])}.get(schema, (1, ["[S003]"]))
    assert FACTS not in fit.idata.attrs


@pytest.mark.long
def test_a_calibration_table_of_version_01_gets_the_name_of_today(tmp_path):
    fit = short_fit(placebos=fake_placebos(fake_panel()))
    old = fit.idata["calibration"].to_dataset().rename(step="scale")
    groups = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    replace(fit, idata=xr.DataTree.from_dict(groups | {"calibration": old})).save(
        tmp_path / "old.nc"
    )
    back = bs.load(tmp_path / "old.nc")
    assert "scale" in back.idata["calibration"]
    pd.testing.assert_frame_equal(
        back.calibration.table, fit.calibration.table, check_index_type=False
    )
    assert repr(back) == repr(fit)


RECORD = RunRecord(
    Settings(Size(6, 10, 2, 0.97), "slice", 2, 7, progressbar=False, attempt=2),
    sampled_by="slice",
    chains=2,
    draws=5,
    compile_seconds=0.5,
    seconds=1.5,
    attempts=(
        Attempt(0.97, 10, ("R-hat 1.2",), 3, kept=False),
        Attempt(0.9925, 20, (), 0, kept=True),
    ),
    partial=("5 of 6 draws",),
    calibration_stopped="stopped after 9 of 12 donors",
    warnings=("[D022] More donors than pre-periods.",),
    versions={"numpy": "2.5.5"},
)


@each_format
def test_every_part_of_the_record_survives_every_format(suffix, tmp_path):
    fit = replace(light_fit(), record=RECORD)
    fit.save(tmp_path / f"fit{suffix}")
    back = bs.load(tmp_path / f"fit{suffix}")
    assert back.record == RECORD
    assert not back.idata.attrs
    assert not fit.idata.attrs


def test_a_file_of_every_schema_is_kept_and_small():
    assert max(KNOWN) == SCHEMA
    assert all(path.stat().st_size < 100_000 for path in DATA.iterdir())


def test_a_newer_schema_asks_for_an_update(tmp_path):
    with pytest.raises(
        LoadError, match=rf"\[L002\] .*follows schema 99, newer than {SCHEMA}: update bayes_synth"
    ):
        bs.load(sealed(light_fit(), tmp_path / "new.nc", schema=99))


@pytest.mark.parametrize("schema", [1, 2])
def test_a_file_from_before_the_first_release_is_refused(schema, tmp_path):
    with pytest.raises(
        LoadError,
        match=rf"\[L003\] .* follows schema {schema}, from before the first release: fit again",
    ):
        bs.load(sealed(light_fit(), tmp_path / "old.nc", schema=schema))


def test_a_model_that_a_file_only_names_is_never_imported(tmp_path):
    with pytest.raises(
        LoadError, match=r"\[L003\] the file's model uses 'os.system', which cannot be rebuilt"
    ):
        bs.load(
            sealed(
                light_fit(),
                tmp_path / "evil.nc",
                model={"type": "os.system", "command": "true"},
            )
        )


class OwnPrior:
    """A prior that only its author can rebuild."""

    def create_variable(self, name):
        return pm.HalfNormal(name)

    def __repr__(self):
        return "OwnPrior()"


def test_a_fit_with_a_prior_of_ones_own_is_refused_when_saved(tmp_path):
    fit = light_fit(model=bs.SyntheticControl(noise=bs.noise.LocalLevel(s=OwnPrior())))
    with pytest.raises(
        LoadError,
        match=r"(?s)\[L003\] the model must be one that can be rebuilt from a file, but it uses "
        r"OwnPrior\(\).*fit\.idata\.to_netcdf\(path\)",
    ):
        fit.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


BROKEN = {
    "no model": {"model": None},
    "no panel": {"panel": None},
    "a panel of text": {"panel": "panel"},
    "half a panel": {"panel": {"treated": ["treated"], "start": "2020"}},
    "a mapping without items": {"model": {"type": "mapping"}},
    "items that are no mapping": {"model": {"type": "mapping", "items": [1]}},
    "a number that is none": {"model": {"type": "number", "value": "much"}},
    "an unknown parameter": {"model": {"type": "SyntheticControl", "colour": "red"}},
    "a prior that makes no sense": {"model": {"type": "HalfNormal", "sigma": -1.0}},
    "a type that is a list": {"model": {"type": ["SyntheticControl"]}},
}


@pytest.mark.long
@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_composed_file_that_lacks_parts_is_refused(changes, tmp_path):
    with pytest.raises(LoadError, match=r"\[L00[13]\]"):
        bs.load(sealed(light_fit(), tmp_path / "composed.nc", **changes))


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"schema": "3"}', "[" * 100_000, '{"schema": ' + "9" * 5000 + "}"]
)
def test_a_description_that_is_damaged_is_refused(text, tmp_path):
    tree = in_file(light_fit())
    tree.attrs[FACTS] = text
    write_whole(seal(tree), tmp_path / "damaged.zarr")
    with pytest.raises(LoadError, match=r"\[L001\] .*(is damaged|does not say which schema)"):
        bs.load(tmp_path / "damaged.zarr")


def test_data_other_than_those_that_were_fitted_are_noticed(tmp_path):
    fit = light_fit()
    fit.idata["constant_data"]["donor_outcomes"][0, 0] += 1
    with pytest.raises(
        LoadError,
        match=r"\[L001\] the data in .* are not those that were fitted: the file was changed",
    ):
        bs.load(sealed(fit, tmp_path / "composed.nc"))


def one_draw(tree):
    tree["posterior"]["weights"][1, 2, 3] = np.nextafter(
        float(tree["posterior"]["weights"][1, 2, 3]), 1
    )


def one_label(tree):
    tree["posterior"].dataset = (
        tree["posterior"].to_dataset().assign_coords(draw=[0, 1, 2, 3, 4, 6])
    )


def another_type(tree):
    tree["posterior"].dataset = tree["posterior"].to_dataset().astype("float32")


def two_dims_swapped(tree):
    tree["posterior"]["s"] = tree["posterior"]["s"].transpose("draw", "chain")


def an_attribute(tree):
    tree["posterior"]["weights"].attrs["unit"] = "percent"


def the_record(tree):
    tree.attrs[FACTS] = tree.attrs[FACTS].replace('"random_seed": 0', '"random_seed": 7')


def a_group_less(tree):
    del tree["sample_stats"]


def no_digest(tree):
    del tree.attrs[SEAL]


@each_format
def test_a_file_in_which_nothing_is_changed_is_read(suffix, tmp_path):
    bs.load(write_whole(in_file(light_fit()), tmp_path / f"fit{suffix}"))


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        one_draw,
        one_label,
        another_type,
        two_dims_swapped,
        an_attribute,
        the_record,
        a_group_less,
        no_digest,
    ],
    ids=lambda change: change.__name__,
)
@each_format
def test_whatever_is_changed_in_a_file_is_noticed(change, suffix, tmp_path):
    tree = in_file(light_fit())
    change(tree)
    changed = tmp_path / f"changed{suffix}"
    write_whole(tree, changed)
    with pytest.raises(
        LoadError, match=r"\[L001\] .* does not hold what was saved: the file was changed"
    ):
        bs.load(changed)


def with_added(fit, name, values, **attrs):
    fit.idata["posterior"][name] = xr.DataArray(values, dims="extra", attrs=attrs)
    return fit


REFUSED_ARRAYS = {
    "objects": (np.array([{"a": 1}, None], dtype=object), "object"),
    "dates with a time zone": (
        pd.date_range("2024-01-01", periods=2, tz="UTC"),
        r"(object|datetime64\[.*UTC\])",
    ),
    "categories": (pd.Categorical(["low", "high"]), "category"),
    "complex numbers": (np.array([1j, 2j]), "complex128"),
    "spans of time": (pd.to_timedelta([1, 2], unit="D"), "timedelta64"),
}


@pytest.mark.parametrize(("values", "dtype"), REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS)
@each_format
def test_variables_that_only_pickle_could_write_are_refused_by_name(
    values, dtype, suffix, tmp_path, monkeypatch
):
    monkeypatch.setattr("bayes_synth.storage.save.write", None)
    with pytest.raises(
        LoadError,
        match=rf"(?s)\[L006\] /?posterior/mine must hold .*, got dtype {dtype}.*"
        r"Convert or remove fit\.idata",
    ):
        with_added(light_fit(), "mine", values).save(tmp_path / f"fit{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1},
        None,
        pd.Timestamp("2024", tz="UTC"),
        pd.Categorical(["x"]),
        object(),
        b"bytes",
        [[1], [2]],
    ],
    ids=lambda value: type(value).__name__,
)
@each_format
def test_attributes_that_only_pickle_could_write_are_refused_by_name(
    value, suffix, tmp_path, monkeypatch
):
    monkeypatch.setattr("bayes_synth.storage.save.write", None)
    with pytest.raises(
        LoadError,
        match=rf"(?s)\[L006\] the attribute 'note' of .*mine must be .*"
        rf"got type {type(value).__name__}\.",
    ):
        with_added(light_fit(), "mine", [1.0], note=value).save(tmp_path / f"fit{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value"), [("_FillValue", 1.0), ("units", "days since 2000-01-01")]
)
@each_format
def test_attributes_with_a_meaning_for_the_format_are_refused(name, value, suffix, tmp_path):
    fit = with_added(light_fit(), "mine", [1.0], **{name: value})
    with pytest.raises(
        LoadError,
        match=rf"\[L006\] (fit\.idata holds something that a {suffix} file cannot: \S|"
        rf"a {suffix} file gives back)",
    ):
        fit.save(tmp_path / f"fit{suffix}")
    assert not list(tmp_path.iterdir())


def test_text_that_a_format_cuts_is_refused_rather_than_cut(tmp_path):
    fit = with_added(light_fit(), "mine", ["a\0b", "c"])
    with pytest.raises(
        LoadError,
        match=r"\[L006\] (fit\.idata holds something that a \.nc file cannot|"
        r"a \.nc file gives back other)",
    ):
        fit.save(tmp_path / "fit.nc")
    fit.save(tmp_path / "fit.zarr")
    assert bs.load(tmp_path / "fit.zarr").idata["posterior"]["mine"].to_numpy().tolist() == [
        "a\0b",
        "c",
    ]


@pytest.mark.long
@each_format
def test_plain_additions_and_attributes_are_kept(suffix, tmp_path):
    fit = with_added(
        light_fit(),
        "mine",
        np.array([1, 2], "int16"),
        note="tea ☕",
        numbers=[1, 2],
        one=[3],
        x=np.float32(0.1),
    )
    fit = with_added(
        fit,
        "words",
        np.array(["é", ""], dtype=object),
        pair=(1.5, 2.5),
        names=["a", "b"],
        n=np.int8(3),
    )
    fit = with_added(fit, "days", pd.date_range("2024-01-01", periods=2))
    fit.save(tmp_path / f"fit{suffix}")
    back = bs.load(tmp_path / f"fit{suffix}").idata["posterior"]
    assert back["mine"].dtype == np.int16
    assert back["mine"].attrs["note"] == "tea ☕"
    assert back["words"].to_numpy().tolist() == ["é", ""]
    assert back["days"].equals(fit.idata["posterior"]["days"])


BARE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pymc", "nutpie", "pytensor"):
            raise ModuleNotFoundError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
"""
TELL = """
import json, sys, bayes_synth as bs
fit = bs.load(sys.argv[1])
names = ("pointwise", "average", "total", "cumulative", "relative")
told = [fit.effect(name).draws.values.tobytes().hex() for name in names]
tables = (fit.summary(), fit.weights())
told += [table.to_json(double_precision=15) for table in tables]
print(json.dumps([*told, repr(fit), fit._repr_html_()]))
"""


def told_by(code, path):
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.long
def test_a_fit_of_one_process_is_the_same_in_another_that_has_no_pymc(tmp_path):
    code = (
        "from bayes_synth.testing import fake_fit; import sys; "
        "[fake_fit().save(path) for path in sys.argv[1:]]"
    )
    paths = [tmp_path / f"fit{suffix}" for suffix in SUFFIXES]
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True)
    expected = told_by(TELL.replace("bs.load(sys.argv[1])", "bs.testing.fake_fit()"), "")
    for path in paths:
        assert told_by(BARE + TELL, path) == expected
    blocked = subprocess.run(
        [sys.executable, "-c", BARE + "import pymc"], check=False, capture_output=True, text=True
    )
    assert "pymc is blocked" in blocked.stderr
