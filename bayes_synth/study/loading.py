"""Read a file of either kind: of one fit, or of a study."""

from os import PathLike

from bayes_synth.api import Fit
from bayes_synth.storage.save import STUDY_FACTS, parts_of, read_sealed
from bayes_synth.study.files import read_study
from bayes_synth.study.joint_fit import JointFit
from bayes_synth.study.study import Study

__all__ = ["load"]


def load(path: str | PathLike[str]) -> Fit | JointFit:
    """Read a fit, or the joint fit of a study, that ``save`` wrote; this needs no PyMC.

    Parameters
    ----------
    path
        A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``. A file whose model uses a class of
        your own needs that class to be defined or imported first.

    Returns
    -------
    Fit or JointFit
        Equal to what was saved: its draws, data, model and record.

    Raises
    ------
    LoadError
        L001 when the file does not exist, is not a file of this library, is damaged, or was changed
        since it was written; L002 when a newer version wrote it; L003 when its model cannot be
        rebuilt, or it is older than the first release; L005 for another suffix; L025 when parts of
        a study are lacking.
    """
    tree, source = read_sealed(path)
    if STUDY_FACTS not in tree.attrs:
        return Fit(*parts_of(tree, source))
    fields, fits, sets = read_study(tree, source)
    return JointFit(Study(**fields), fits, sets)
