"""A010: the donors say that the model's spread is far off."""

from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["inflation"]

LOW, HIGH = 0.25, 4.0
"""Factors between these are ordinary."""


@alarm("A010")
def inflation(evidence: Evidence) -> str:
    """Say that calibration changes the model's spread by more than a factor of four."""
    factor = evidence.calibration.factor
    if not (factor < LOW or factor > HIGH):
        return ""
    word, done = ("SMALLER", "narrowed") if factor < LOW else ("LARGER", "widened")
    return (
        f"FORECAST ERRORS MUCH {word} THAN MODELLED: by what the donors missed, intervals are "
        f"{done} to {factor:.2g} times the model's own. Try another noise process, such as "
        f"{'bs.noise.IID()' if factor < LOW else 'bs.noise.LocalLinearTrend()'} or noise='auto'."
    )
