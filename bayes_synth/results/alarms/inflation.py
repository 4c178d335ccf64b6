"""A010: the donors say that the model's own interval is far off."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["inflation"]

LOW, HIGH = 0.25, 4.0
"""Ratios of the interval's width to the model's own between these are ordinary."""


@alarm("A010")
def inflation(evidence: Evidence) -> str:
    """Say that calibration changes the interval's width by more than a factor of four."""
    ratio = evidence.calibration.width_ratio
    if not (ratio < LOW or ratio > HIGH):
        return ""
    word, done = ("SMALLER", "narrowed") if ratio < LOW else ("LARGER", "widened")
    return (
        f"FORECAST ERRORS MUCH {word} THAN MODELLED: by what the donors missed, intervals are "
        f"{done} to {ratio:.2g} times the model's own. Try another noise process, such as "
        f"{'bs.noise.IID()' if ratio < LOW else 'bs.noise.LocalLinearTrend()'} or noise='auto'."
    )
