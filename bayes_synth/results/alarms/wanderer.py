"""A011: the treated unit left its synthetic control for longer stretches than its donors do."""

import numpy as np

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["wanderer", "wandering"]

LIMIT = 3.5
"""Robust standard deviations of the donors above which the treated unit wanders more than they."""
FEWEST_PERIODS, FEWEST_DONORS = 8, 5
"""Fewest periods that tell how far gaps wander, and fewest donors that tell what is usual."""
FLOOR = 0.05
"""Least robust standard deviation of the donors: a smaller one comes from ties."""


@alarm("A011")
def wanderer(evidence: Evidence) -> str:
    """Say that the treated unit's gaps wander before treatment as those of the donors do not."""
    inputs, seen = evidence.problem.inputs, evidence.seen
    gaps = evidence.calibration.gaps.to_numpy(float)
    if len(seen) < FEWEST_PERIODS or len(gaps) < FEWEST_DONORS:
        return ""
    residual = inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ evidence.weights
    own, donors = wandering(residual[seen]), wandering(gaps[:, seen])
    usual = float(np.median(donors))
    spread = max(FLOOR, 1.4826 * float(np.median(np.abs(donors - usual))))
    if own - usual <= LIMIT * spread:
        return ""
    return (
        "WANDERS MORE THAN ITS DONORS: before treatment the treated unit's gaps spread "
        f"{np.exp(own):.2g} times as far as errors without memory of the same changes would, "
        f"donors' typically {np.exp(usual):.2g} times. Intervals learnt from such donors may be "
        "too narrow: add donors that move as the treated unit does, or compare calibrate=False."
    )


def wandering(gaps: np.ndarray) -> np.ndarray:
    """Return how far gaps wander for their changes, on a logarithmic scale.

    Parameters
    ----------
    gaps
        Observed less synthetic outcomes, dims ``(..., time)``.

    Notes
    -----
    The ratio of von Neumann (1941, Annals of Mathematical Statistics 12, p. 367), the mean squared
    successive difference over the variance, as minus half its logarithm: zero for white noise, and
    growing with the length of the series for a random walk.
    """
    centred = gaps - gaps.mean(-1, keepdims=True)
    changes = np.diff(gaps, axis=-1)
    tiny = np.finfo(float).tiny
    level, change = (centred**2).mean(-1), (changes**2).mean(-1) / 2
    return np.asarray(0.5 * (np.log(level + tiny) - np.log(change + tiny)))
