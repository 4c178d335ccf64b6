"""Foresee the work of a run of checks: how many refits, and about how long they take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import joblib

from bayes_synth.checks.refits import Case, as_calibration, case_key, made_before
from bayes_synth.checks.registry import Question
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.results.answers import AbstractFit
from bayes_synth.sampling.settings import Size

__all__ = ["Work", "foreseen"]

COMPILE_SECONDS = 10.0
"""Roughly what one refit takes that the slice sampler cannot do: most of it compiles its graph."""


@final
@dataclass(frozen=True)
class Work:
    """Hold how many refits lie ahead, and about how many seconds they take."""

    refits: int
    seconds: float

    def __str__(self) -> str:
        much = "under 10 s" if self.seconds < 10 else f"about {_rounded(self.seconds)}"
        noun = "refits" if self.refits > 1 else "refit"
        return f"The checks need {self.refits} {noun} of the model: {much}"


class _Asked(Exception):
    """Carries what a check asks to be refitted out of the check."""

    def __init__(self, about: Any, cases: Any) -> None:
        self.about, self.cases = about, cases


def _ask(about: Any, cases: Any, *_: Any, **__: Any) -> Any:
    raise _Asked(about, cases)


def foreseen(fit: AbstractFit, asked: Sequence[Question], options: Mapping[str, Any]) -> Work:
    """Foresee the refits of these questions, without those that were made before.

    Each check is asked with a refitter that only notes what it is to refit.
    """
    seed = int(options["random_seed"])
    cases: dict[Any, Case] = {}
    placebos = 0
    for question in (each for each in asked if each.refits):
        try:
            question.ask(fit, **{**options, "refit": _ask, "progressbar": False})
        except _Asked as work:
            if isinstance(work.cases, Calibration):
                placebos += min(work.cases.most, len(fit.panel.donors))
            else:
                cases |= {case_key(case, seed): case for case in work.cases.values()}
    todo = [case for key, case in cases.items() if key not in made_before(fit)]
    return Work(len(todo) + placebos, _seconds(fit, todo, placebos))


def _seconds(fit: AbstractFit, todo: Sequence[Case], placebos: int) -> float:
    """Estimate the time by that of the fit's own sampling, in proportion to the draws."""
    record, size = fit.record, as_calibration(fit, 0).size
    parallel = min(record.settings.cores, record.chains or 1)
    each = record.seconds * parallel * _steps(size) / max(1, _steps(record.settings.size))
    models = {repr(case.model): case for case in todo}
    compiled = {
        name
        for name, (model, panel, _) in models.items()
        if not Problem.of(model, panel).regression
    }
    slow = sum(repr(case.model) in compiled for case in todo)
    work = (len(todo) - slow + placebos) * each + slow * COMPILE_SECONDS
    return work / int(joblib.cpu_count())


def _steps(size: Size) -> int:
    return size.chains * (size.draws + size.tune)


def _rounded(seconds: float) -> str:
    """Write a duration no more exactly than it is known."""
    return f"{round(seconds, -1):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
