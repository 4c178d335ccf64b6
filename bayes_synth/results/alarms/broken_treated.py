"""A009: the treated unit's own series is broken."""

from bayes_synth.data.broken import Broken, described
from bayes_synth.results.alarms.registry import Evidence, alarm

__all__ = ["broken_treated"]


@alarm("A009")
def broken_treated(evidence: Evidence) -> str:
    """Say when the treated series is zero or repeats a value though its other values make it odd.

    Zeros from the start to the end may be what the treatment did: a panel's remark names them.
    """
    panel = evidence.panel
    pre, end = len(panel.pre), len(panel.times) - 1
    found = [
        each
        for each in evidence.broken
        if each.unit == panel.treated_name and not _may_be_effect(each, pre, end)
    ]
    if not found:
        return ""
    return (
        f"TREATED UNIT BROKEN: {'; '.join(described(found, panel.times))}. If these values are not "
        "real, make them missing (NaN) and pass missing='model'."
    )


def _may_be_effect(broken: Broken, pre: int, end: int) -> bool:
    """Tell whether a stretch runs from the start, or later, to the end."""
    return broken.first >= pre and broken.last == end
