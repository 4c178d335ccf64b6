"""Choose the scale for ``scale="auto"``: on which the donors' realised errors are more probable.

Donors are refitted as if treated on either scale, as the calibration does anyway, and the refits of
the chosen one calibrate the fit. Nothing of the treated unit after ``start`` is used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from bayes_synth.data.panel import Panel
from bayes_synth.errors import PanelError
from bayes_synth.fitting.noise_choice import CANDIDATES
from bayes_synth.fitting.placebos import log_evidence, placebo_groups, placebos
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise import AbstractNoise
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.settings import Settings

__all__ = ["SCALES_TO_CHOOSE", "ScaleChoice", "choose_scale", "scale_evidence"]

SCALES_TO_CHOOSE: tuple[Literal["linear", "log"], ...] = ("linear", "log")
"""The scales that are compared; the first is kept where they cannot be."""
FEWEST = 5
"""Fewest independent placebos to choose by."""
UNDECIDED = 0.9
"""Below this probability the donors hardly tell the scales apart."""
Refits = Callable[[Problem, Calibration, Settings], Placebos]


class ScaleChoice(NamedTuple):
    """Hold the model with its scale, and how the scale was chosen.

    ``words`` say how, empty where the model named its scale; ``table`` has one row per scale, None
    where none was compared; ``placebos`` are the donors' refits by ``noise`` on the chosen scale.
    """

    model: AbstractSyntheticControl
    words: str = ""
    table: pd.DataFrame | None = None
    placebos: Placebos | None = None
    noise: AbstractNoise | None = None


def choose_scale(
    model: AbstractSyntheticControl, panel: Panel, settings: Settings, refit: Refits = placebos
) -> ScaleChoice:
    """Give the model the scale on which the donors' errors are more probable, unless it names one.

    Parameters
    ----------
    model, panel, settings
        As for the fit.
    refit
        Makes the placebos on one scale.

    Returns
    -------
    ScaleChoice
        Its table has ``log_evidence`` (log density of the donors' average outcomes from ``start``
        on, in outcome units, with kappa and the prior on ``q`` integrated out), ``probability``
        (both scales equally probable beforehand) and ``chosen``. The scale is linear where an
        outcome has no logarithm or fewer than :data:`FEWEST` independent placebos can be made.

    Raises
    ------
    KeyboardInterrupt
        When the refits are interrupted: the scales would be held to different placebos.

    References
    ----------
    Box and Cox (1964), JRSS B 26(2), section 3, for comparing transformations by the likelihood of
    the outcomes before them.
    """
    plan = model.calibration
    if model.scale != "auto" or plan is None:
        return ScaleChoice(model)
    noise = model.noise if isinstance(model.noise, AbstractNoise) else CANDIDATES[0]
    try:
        problems = {
            scale: Problem.of(replace(model, scale=scale, noise=noise), panel)
            for scale in SCALES_TO_CHOOSE
        }
    except PanelError as error:
        if error.code != "V013":
            raise
        return _linear(model, "some outcomes are zero or less and have no logarithm")
    groups = placebo_groups(problems["linear"], plan)
    if len(groups.sets) * groups.power < FEWEST:
        return _linear(model, _too_few(len(groups.sets)))
    refits = {scale: refit(problem, plan, settings) for scale, problem in problems.items()}
    if any(each.stopped for each in refits.values()):
        raise KeyboardInterrupt
    return _compared(model, noise, problems, refits)


def _linear(model: AbstractSyntheticControl, reason: str) -> ScaleChoice:
    """Keep the linear scale and say why."""
    words = f"linear scale: {reason}, so scales were not compared"
    return ScaleChoice(replace(model, scale="linear"), words)


def _too_few(count: int) -> str:
    return f"{count} placebos are too few to choose by"


def _compared(
    model: AbstractSyntheticControl,
    noise: AbstractNoise,
    problems: Mapping[Literal["linear", "log"], Problem],
    refits: Mapping[Literal["linear", "log"], Placebos],
) -> ScaleChoice:
    """Weigh the scales by the placebos that both have."""
    plan = model.calibration or Calibration()
    tables = [each.table for each in refits.values()]
    common = [label for label in tables[0].index if all(label in table.index for table in tables)]
    if len(common) * refits["linear"].power < FEWEST:
        return _linear(model, _too_few(len(common)))
    evidence = {
        scale: scale_evidence(problems[scale], plan, refits[scale], common) for scale in problems
    }
    shares = special.softmax(list(evidence.values()))
    chosen = SCALES_TO_CHOOSE[int(np.argmax(shares))]
    table = pd.DataFrame(
        {"log_evidence": list(evidence.values()), "probability": shares},
        index=pd.Index(list(evidence), name="scale").astype(object),
    ).assign(chosen=[float(scale == chosen) for scale in evidence])
    words = _words(chosen, float(shares.max()), len(common))
    return ScaleChoice(replace(model, scale=chosen), words, table, refits[chosen], noise)


def _words(chosen: str, share: float, count: int) -> str:
    """Say what was chosen, by what, and how surely."""
    sure = "over .99" if share > 0.99 else f"{share:.2f}"
    doubt = "; the donors hardly tell the scales apart" if share < UNDECIDED else ""
    return (
        f"{chosen} scale chosen by the realised errors of {count} placebos "
        f"(probability {sure}{doubt})"
    )


def scale_evidence(
    problem: Problem, plan: Calibration, refits: Placebos, labels: Sequence[str]
) -> float:
    """Return the log density of these placebos' average outcomes under a scale, in outcome units.

    Parameters
    ----------
    problem, plan
        The problem on that scale, and how it is calibrated.
    refits
        The refits on that scale.
    labels
        The placebos to judge by.

    Notes
    -----
    On the log scale the error is one of the mean logarithm ``g``. Given how the outcome moves
    between periods, the average outcome ``m`` is ``exp(g)`` times a constant, so that the density
    of ``m`` is that of ``g`` over ``m``.
    """
    prior = plan.q_probabilities if len(refits.each) > 1 else (1.0,)
    under_each = []
    for share, each in zip(prior, refits.each, strict=True):
        scored = plan.scored(each.table.loc[list(labels)])
        learnt = plan.learn(scored, each.growth, refits.power)
        under_each.append(np.log(share) + log_evidence(learnt, refits.power))
    members = {" + ".join(each): each for each in placebo_groups(problem, plan).sets}
    averages = np.array([_average_outcome(problem, members[label]) for label in labels])
    slopes = problem.inputs.scale.log_slope(averages)
    return float(special.logsumexp(under_each) + refits.power * np.sum(slopes))


def _average_outcome(problem: Problem, donors: Sequence[str]) -> float:
    """Average the outcome of these donors over the post-periods that the treated unit has."""
    at = [problem.donors.index(label) for label in donors]
    after = problem.donor_outcomes[problem.inputs.periods :][np.isfinite(problem.observed)]
    return float(after[:, at].mean())
