"""What one refit of a past window says, and how the refits of one start are made."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bayes_synth.data.panel import Panel
from bayes_synth.fitting.placebos import (
    Answer,
    Refits,
    answer_over,
    placebo_groups,
    placebo_paths,
    placebo_refits,
)
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.sampling.settings import Settings

__all__ = ["Told", "refits_ahead", "refits_at"]


class Told(NamedTuple):
    """Hold what one refit says: an answer per length, and its forecast.

    ``path`` has dims ``(sample, post)``, on the model's scale; ``observed`` has dims ``(post,)``,
    in outcome units.
    """

    answers: dict[int, Answer]
    path: np.ndarray
    observed: np.ndarray


def refits_at(
    model: AbstractSyntheticControl, panel: Panel, periods: Sequence[int], settings: Settings
) -> Refits[Told]:
    """Refit the donors of one start's panel as if they had been treated.

    Parameters
    ----------
    model, settings
        As for the fit that will judge the test.
    panel
        It holds the longest window.
    periods
        The lengths of the test.
    """

    def told(problem: Problem, chosen: Settings) -> Told:
        best, paths = placebo_paths(problem, chosen)
        path = best.value.path
        answers = {length: answer_over(best, paths, length) for length in periods}
        return Told(answers, path.reshape(-1, path.shape[-1]), problem.observed)

    plan = model.calibration or Calibration()
    return placebo_refits(Problem.of(model, panel), plan, settings, told)


def refits_ahead(model: AbstractSyntheticControl, panels: Mapping[int, Panel]) -> int:
    """Count the refits that a bank takes."""
    plan = model.calibration or Calibration()
    problems = [Problem.of(model, panel) for panel in panels.values()]
    return sum(len(placebo_groups(p, plan).sets) * len(p.factors(plan)) for p in problems)
