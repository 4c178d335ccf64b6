"""Small fits, and files that are read and written without the library, for the tests of files."""

import zipfile

import xarray as xr
from zarr.storage import ZipStore

from bayes_synth.api import Fit
from bayes_synth.storage.digests import digest
from bayes_synth.storage.provenance import provenance
from bayes_synth.storage.save import FACTS, SEAL
from bayes_synth.storage.trees import STAMP, write
from bayes_synth.testing import fake_fit

GROUPS = ("posterior", "sample_stats", "constant_data", "predictions_constant_data")


def short_fit(panel=None, **options):
    """Make a fake fit of twelve draws, with every group."""
    return fake_fit(panel=panel, draws=6, chains=2, **options)


def light_fit(panel=None, **options):
    """Make a short fit with a few groups, which is read and written in a fraction of the time."""
    fit = short_fit(panel, **options)
    tree = xr.DataTree.from_dict({name: fit.idata[name].to_dataset() for name in GROUPS})
    return Fit(fit.panel, fit.model, tree, fit.record)


def seal(tree):
    """Give a tree, changed by the test, the digest of its content."""
    tree.attrs.pop(SEAL, None)
    tree.attrs[SEAL] = digest(tree)
    return tree


def in_file(fit):
    """Return the tree of a fit as its file has it, with its facts and its digest."""
    tree = fit.idata.copy(deep=True)
    tree.attrs[FACTS] = provenance(fit.model, fit.panel, fit.record)
    return seal(tree)


def read_plainly(path):
    """Read a file as xarray alone does."""
    if path.suffix == ".nc":
        return xr.load_datatree(path)
    if path.suffix == ".zarr":
        return xr.load_datatree(path, engine="zarr", consolidated=False)
    with ZipStore(path, mode="r") as store:
        return xr.load_datatree(store, engine="zarr", consolidated=False)


def write_whole(tree, path):
    """Write a tree with the right digest of its bytes, whatever its content."""
    suffix = path.name.removeprefix(path.name.split(".")[0])
    tree = tree.copy()
    tree.attrs.pop(STAMP, None)
    write(tree, path, suffix)
    return path


def zip_parts(parts, path):
    """Write named bytes as one zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
