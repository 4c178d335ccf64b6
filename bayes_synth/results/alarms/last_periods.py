"""A007: the last periods before the treatment are out of line."""

import numpy as np

from bayes_synth.results.alarms.registry import Evidence, alarm
from bayes_synth.results.calibrated import Calibrated
from bayes_synth.results.innovations import whitener
from bayes_synth.words import short

__all__ = ["last_periods", "out_of_line"]

LAST = 3
"""So many pre-periods before the start are looked at, alone and together."""
FEWEST = 8
"""Fewest innovations that tell what is usual."""
LIMIT = 3.5
"""Robust standard deviations above which a unit is out of line, at the least."""
QUANTILE = 0.985
"""Share of the donors' own windows that the treated unit's must exceed."""
FLOOR = 0.3
"""Innovations are standardised: a robust sd below this comes from ties."""


@alarm("A007")
def last_periods(evidence: Evidence) -> str:
    """Say that the forecast errors of the last one to three pre-periods are out of line."""
    inputs, seen = evidence.problem.inputs, evidence.seen
    if len(seen) <= FEWEST:
        return ""
    missing = np.setdiff1d(np.arange(inputs.periods), seen)
    matrix = whitener(evidence.problem.process, evidence.noise, missing, inputs.periods)
    residual = inputs.outcome - inputs.donor_outcomes[: inputs.periods] @ evidence.weights
    gaps = _in_own_steps(evidence.calibration)[:, : inputs.periods]
    size, limit = out_of_line(
        (matrix @ residual[seen])[1:], (gaps[:, seen] @ matrix.T)[:, 1:] if gaps.size else gaps
    )
    if size <= limit:
        return ""
    when = short(evidence.panel.pre[seen[-LAST]])
    return (
        f"LAST PERIODS OUT OF LINE: from {when} to the start the treated unit left its synthetic "
        f"control by {size:.2g} of its usual forecast errors, of donors {limit:.2g} is rare. The "
        "counterfactual starts from there: compare a fit with noise=bs.noise.LocalLevel("
        "degrees_of_freedom=4), or with an earlier start if the treatment was expected."
    )


def _in_own_steps(calibration: Calibrated) -> np.ndarray:
    """Return the donors' gaps in each one's typical steps, dims ``(donor, time)``.

    So no measure of the outcome decides whether :data:`FLOOR` binds.
    """
    gaps = calibration.gaps
    return gaps.to_numpy(float) / calibration.table.loc[gaps.index, ["step"]].to_numpy(float)


def out_of_line(own: np.ndarray, donors: np.ndarray) -> tuple[float, float]:
    """Return how far out the last innovations are, and above which size that is out of line.

    Parameters
    ----------
    own
        One-step-ahead errors of the treated unit, dims ``(time,)``.
    donors
        The same of the donors, dims ``(donor, time)``; empty without any.

    Notes
    -----
    All are divided by a robust sd, the treated unit's over what comes before the last periods.
    What the donors do in the same period is taken out of its size. The limit is the larger of
    :data:`LIMIT` and a quantile of the donors' own windows of three periods at any time.
    """
    scaled = own / _robust(own[:-LAST])
    if not donors.size:
        return float(_reach(scaled[-LAST:])), LIMIT
    others = donors / np.array([_robust(row) for row in donors])[:, None]
    common = np.maximum(1.0, 1.4826 * np.median(np.abs(others), axis=0))
    windows = np.lib.stride_tricks.sliding_window_view(others / common, LAST, axis=1)
    usual = float(np.quantile(_reach(windows), QUANTILE))
    return float(_reach((scaled / common)[-LAST:])), max(LIMIT, usual)


def _robust(values: np.ndarray) -> float:
    """Return the robust standard deviation about zero, not less than what ties would make of it."""
    return max(FLOOR, 1.4826 * float(np.median(np.abs(values))))


def _reach(windows: np.ndarray) -> np.ndarray:
    """Return the largest size of one, two or three last innovations together, each of sd one."""
    backwards = np.cumsum(windows[..., ::-1], axis=-1) / np.sqrt(np.arange(1, LAST + 1))
    return np.asarray(np.maximum(np.abs(windows).max(-1), np.abs(backwards).max(-1)))
