"""Make a fit, or the joint fit of a study, of what a file holds."""

from pathlib import Path

import xarray as xr

from bayes_synth.api import Fit
from bayes_synth.storage.save import STUDY_FACTS, parts_of
from bayes_synth.study.files import read_study
from bayes_synth.study.joint_fit import JointFit
from bayes_synth.study.study import Study

__all__ = ["fit_of"]


def fit_of(tree: xr.DataTree, source: Path) -> Fit | JointFit:
    """Put together the fit, or the joint fit of a study, that a file holds.

    Parameters
    ----------
    tree, source
        Content and name of the file, as :func:`bayes_synth.storage.save.read_sealed` gives them.

    Raises
    ------
    LoadError
        L001, L002, L003, L025 as in :func:`bayes_synth.load`; L026 for anything else.
    """
    if STUDY_FACTS not in tree.attrs:
        return Fit(*parts_of(tree, source))
    fields, fits, sets = read_study(tree, source)
    return JointFit(Study(**fields), fits, sets)
