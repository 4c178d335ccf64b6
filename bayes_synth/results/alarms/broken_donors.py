"""A008: donors with weight are broken at some time from the start on."""

from bayes_synth.data.broken import Broken, cure, described
from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["broken_donors"]

WEIGHT = 0.01
"""Broken donors that together have less weight are remarked on by the panel only."""


@alarm("A008")
def broken_donors(evidence: Evidence) -> str:
    """Say which donors are broken from the start on, when, and what they do to the effect."""
    panel = evidence.panel
    pre, end = len(panel.pre), len(panel.times) - 1
    found = [
        each for each in evidence.broken if each.unit in panel.donors and each.within(pre, end)
    ]
    weights = dict(zip(panel.donors, evidence.weights, strict=True))
    units = list(dict.fromkeys(broken.unit for broken in found))
    weight = sum(float(weights[unit]) for unit in units)
    if weight < WEIGHT:
        return ""
    move = sum(float(weights[broken.unit]) * _share(broken, pre, end) for broken in found)
    effect = f", which moves the average effect by about {-move:+.3g}" if move else ""
    return (
        f"BROKEN DONORS: {'; '.join(described(found, panel.times))}. They have {weight:.0%} of the "
        f"weight{effect}. If these values are not real: {cure(found)}"
    )


def _share(broken: Broken, pre: int, end: int) -> float:
    """Return how much a stretch moves its donor's average after the start; filled ones by none."""
    if broken.kind in ("repeat", "line"):
        return 0.0
    periods = min(broken.last, end) - max(broken.first, pre) + 1
    return broken.move * periods / (end - pre + 1)
