"""Extend a joint fit by new rows: its units' posteriors stay, all else is made again.

An extended joint fit is a fresh joint fit of the longer study, made with less work.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bayes_synth.errors import OptionError, ResultError
from bayes_synth.fitting.extend import (
    ANEW_STUDY,
    KNOWN,
    asked_for,
    carry_choices,
    remembered,
    require_later_rows,
    require_same_cells,
    require_same_past,
)
from bayes_synth.fitting.fit_panel import STUDY, STUDY_SEED
from bayes_synth.sampling.settings import Settings
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.words import listed, short

if TYPE_CHECKING:
    from bayes_synth.api import Fit

__all__ = ["longer_fits"]


def longer_fits(
    study: AbstractStudyData[Any],
    fits: Mapping[str, "Fit"],
    longer: AbstractStudyData[Any],
    *,
    strict: bool,
) -> Any:
    """Return the joint fit of a study with more rows; see :meth:`bayes_synth.JointFit.extend`.

    Returns
    -------
    JointFit or None
        None when there is no new row.
    """
    _require_extensible(study, fits)
    _require_same_study(study, longer)
    require_later_rows(study.times, longer.times, "study", ANEW_STUDY)
    require_same_cells(study, longer, ANEW_STUDY)
    if len(longer.times) == len(study.times):
        return None
    first = next(iter(fits.values()))
    known = {unit: KNOWN[fit] for unit, fit in fits.items() if fit in KNOWN}
    asked = {"known": known}
    joint = longer.fitted_by(first.model, _settings(first), strict=strict, asked=asked)
    made = {}
    for unit, fit in fits.items():
        made[unit] = _carried(fit, joint.fits[unit])
        require_same_past(fit, made[unit])
    return replace(joint, fits=made)


def _carried(fit: "Fit", longer: "Fit") -> "Fit":
    """Return the longer fit with the reasons for its model, and with what is remembered of it."""
    carried = carry_choices(fit, longer)
    return remembered(carried, KNOWN[longer]) if longer in KNOWN else carried


def _settings(fit: "Fit") -> Settings:
    """Return the settings of the study's fit; those of a study of one unit are the unit's."""
    seed = int(fit.idata.attrs.get(STUDY_SEED, fit.record.settings.random_seed))
    return replace(asked_for(fit.record), random_seed=seed)


def _require_extensible(study: AbstractStudyData[Any], fits: Mapping[str, "Fit"]) -> None:
    """Refuse a joint fit that is not whole, or has not converged.

    Raises
    ------
    ResultError
        R055 when units that were fitted with these are not among them, R043 when a unit's draws
        have not converged.
    """
    together = {str(fit.idata.attrs.get(STUDY, unit)) for unit, fit in fits.items()}
    if together != {listed(fits)}:
        raise ResultError(
            "R055",
            f"a joint fit must hold all units that were fitted together to be extended, got "
            f"{listed(fits)} of {'; '.join(sorted(together))}.\n  Extend it before "
            f"joint.keep([...]), or {ANEW_STUDY}.",
        )
    bad = [unit for unit, fit in fits.items() if not fit.convergence.ok]
    if bad:
        raise ResultError(
            "R043",
            f"a joint fit must be complete and converged to be extended, got {len(bad)} of "
            f"{len(fits)} units that are not: {listed(bad)};\n  {ANEW_STUDY}.",
        )


def _require_same_study(old: AbstractStudyData[Any], new: object) -> None:
    """Refuse other treated units, starts, donors or pools.

    Raises
    ------
    OptionError
        O001 for something that is no study.
    ResultError
        R041.
    """
    if not isinstance(new, AbstractStudyData):
        got = type(new).__name__
        text = f"study must be a bs.Study, got {got}; build one with bs.Study.from_long(...)."
        raise OptionError("O001", text)
    wrong = [
        f"{name}={listed(_words(there))} instead of {listed(_words(here))}"
        for name, here, there in (
            ("starts", old.starts, new.starts),
            ("ends", old.ends, new.ends),
            ("pools", old.pools, new.pools),
        )
        if dict(here) != dict(there)
    ]
    lost = [label for label in old.donors if label not in new.donors]
    added = [label for label in new.donors if label not in old.donors]
    wrong += [f"no donor {listed(lost)}"] if lost else []
    wrong += [f"also the donor {listed(added)}"] if added else []
    if wrong:
        raise ResultError(
            "R041",
            "study must have the treated units, the starts and the donors of the joint fit, got "
            f"{'; '.join(wrong)}.\n  Read it as the fitted one was read, or {ANEW_STUDY}.",
        )


def _words(role: Mapping[str, Any]) -> list[str]:
    each = {
        unit: listed(value) if isinstance(value, tuple) else short(value)
        for unit, value in role.items()
    }
    return [f"{unit}: {words}" for unit, words in each.items()] or ["none"]
