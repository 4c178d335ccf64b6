"""Several treated units, each with a start of its own: what a user types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from bayes_synth.data.abstract_study import NOTHING_ASKED
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.fitting import fit_jointly
from bayes_synth.study.joint_fit import JointFit
from bayes_synth.study.workers import workers_for

__all__ = ["Study"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Study(AbstractStudyData[JointFit]):
    """Hold the outcomes of several treated units, each with its own start, and of their donors.

    Build one with :meth:`from_long`, :meth:`from_wide` or :meth:`from_xarray`; every method returns
    a new study. ``bs.SyntheticControl().fit(study)`` fits all units jointly.

    Parameters
    ----------
    outcomes
        Dims ``(time, unit)``, finite numbers, sorted along both. Outcomes of treated units may be
        missing (NaN).
    starts
        First treated period by unit. Units without a start are donors: they are never treated.
    pools
        Donors by treated unit, where these are not all donors.
    ends
        First period that is left out, by unit; :meth:`backdate` sets it to the real start.
    unit, time, outcome
        Names that the user gave them; used as axis labels.
    remarks
        Notes and warnings from when the data were read; see :attr:`report`.
    zone
        Time zone of the data, as in :class:`bayes_synth.Panel`.

    Raises
    ------
    PanelError, DesignError
        As in :meth:`from_long`.

    References
    ----------
    Abadie and L'Hour (2021), JASA 116(536), for several treated units; Ben-Michael, Feller and
    Rothstein (2022), JRSS B 84(2), for staggered starts.

    Examples
    --------
    >>> study = bs.Study.from_wide(wide, starts={"treated": 2030, "donor_00": 2032})
    >>> study.treated
    ('donor_00', 'treated')
    >>> study.panels["donor_00"].start
    2032
    """

    def fitted_by(
        self,
        model: Any,
        settings: Any,
        *,
        strict: bool,
        asked: Mapping[str, Any] = NOTHING_ASKED,
    ) -> JointFit:
        """Fit every unit with this model, and join the fits; ``model.fit(study)`` calls it.

        Parameters
        ----------
        model, settings, strict
            What :meth:`bayes_synth.SyntheticControl.fit` was given.
        asked
            ``backend``, ``n_jobs`` and ``store`` likewise, ``random_seed`` as it was given, and
            ``known``, the draws that :meth:`bayes_synth.JointFit.extend` need not sample.
        """
        workers, settings = workers_for(self, model, settings, asked)
        return fit_jointly(self, model, settings, strict=strict, workers=workers)
