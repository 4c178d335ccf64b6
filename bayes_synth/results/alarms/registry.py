"""Declare alarms: what whoever shows a fit must say first, each with a code that programs can read.

An alarm of your own is one function under :func:`alarm`. From then on ``fit.alarms``, headlines,
reports and batches have it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self, final

import numpy as np

from bayes_synth.data.broken import Broken, broken_series
from bayes_synth.data.panel import Panel
from bayes_synth.model.problem import Problem
from bayes_synth.noise.base import MIXING, Draws
from bayes_synth.registry import Registry
from bayes_synth.results.calibrated import Calibrated
from bayes_synth.results.convergence import Convergence
from bayes_synth.results.fit_verdict import FitVerdict

__all__ = ["ALARMS", "Alarm", "Evidence", "alarm", "alarms_of", "as_number", "codes_in"]

MOST = 52
"""Codes go from A001 to A052, so that one number of a batch's table can hold a set of them."""


class Alarm(NamedTuple):
    """Hold one alarm: its code, which never changes its meaning, and the sentence to read first."""

    code: str
    sentence: str


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """Hold what alarms are raised on; a fit and a task of a batch both make one.

    Parameters
    ----------
    problem
        Model, panel and their arrays.
    weights
        Posterior means of the weights, dims ``(donor,)``.
    noise
        Posterior means of the noise's parameters in typical steps, as one draw.
    convergence, fit_verdict, calibration
        The verdicts on the sampler and on the donors, and how the intervals are calibrated.
    """

    problem: Problem
    weights: np.ndarray
    noise: Draws
    convergence: Convergence
    fit_verdict: FitVerdict
    calibration: Calibrated

    @classmethod
    def of(
        cls,
        problem: Problem,
        weights: np.ndarray,
        draws: Draws,
        mixing: np.ndarray | None,
        verdicts: tuple[Convergence, FitVerdict, Calibrated],
    ) -> Self:
        """Collect the evidence from draws of the noise's parameters and their mean mixing."""
        noise = {name: np.array([values.mean()]) for name, values in draws.items()}
        noise |= {} if mixing is None else {MIXING: mixing[None]}
        return cls(problem, weights, noise, *verdicts)

    @property
    def panel(self) -> Panel:
        """Return the data with their labels."""
        return self.problem.panel

    @cached_property
    def broken(self) -> list[Broken]:
        """Find the broken stretches of donors and treated series, as the panel's remarks do."""
        panel = self.panel
        return broken_series(
            panel.treated_outcome.to_numpy(),
            panel.donor_outcomes.to_numpy(),
            panel.donors,
            panel.treated_name,
        )

    @cached_property
    def seen(self) -> np.ndarray:
        """Return the positions of the pre-periods that have an outcome."""
        return np.flatnonzero(~np.isnan(self.problem.inputs.outcome))


ALARMS: Registry[Callable[[Evidence], str]] = Registry("alarm")
"""Every alarm by code."""


def alarm[F: Callable[[Evidence], str]](code: str) -> Callable[[F], F]:
    """Register a function as the alarm of this code.

    The function takes :class:`Evidence` and returns the sentence, empty when there is nothing to
    alarm about. The sentence begins with two or three words in capitals and says what to do.

    Parameters
    ----------
    code
        ``A`` and three digits, from ``"A001"`` to ``"A052"``.

    Raises
    ------
    TypeError
        For another code.
    """
    if code not in {f"A{number:03d}" for number in range(1, MOST + 1)}:
        raise TypeError(f"an alarm's code must lie between A001 and A{MOST:03d}, got {code!r}")

    def declared(function: F) -> F:
        ALARMS.add(code, function)
        return function

    return declared


def alarms_of(evidence: Evidence) -> tuple[Alarm, ...]:
    """Return every alarm that this evidence raises, in the order of the codes."""
    said = ((code, ALARMS[code](evidence)) for code in sorted(ALARMS))
    return tuple(Alarm(code, sentence) for code, sentence in said if sentence)


def as_number(alarms: tuple[Alarm, ...]) -> float:
    """Write a set of alarms as one number: alarm n is binary digit n."""
    return float(sum(1 << int(code[1:]) for code, _ in alarms))


def codes_in(number: float) -> str:
    """Read the codes that :func:`as_number` wrote, with spaces between; none of NaN."""
    if np.isnan(number):
        return ""
    return " ".join(f"A{n:03d}" for n in range(1, MOST + 1) if int(number) >> n & 1)
