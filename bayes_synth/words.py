"""How labels, times, lists and probabilities are written, and the names of dims."""

from collections.abc import Hashable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

HERE = (str(Path(__file__).parent),)
"""Warnings point at the caller's line, not at ours."""


def short(time: Hashable) -> str:
    """A time as a person writes it: midnight is not spelled out."""
    return str(time).removesuffix(" 00:00:00")


def span(times: "pd.Index") -> str:
    """How many periods, and from when to when."""
    return f"{len(times)} periods, {short(times[0])} to {short(times[-1])}"


def texts(labels: Any) -> list[str]:
    """One label or several, as text, each once."""
    several = labels if _is_several(labels) else [] if labels is None else [labels]
    return list(dict.fromkeys(str(label) for label in several))


def listed(labels: Iterable[object], most: int = 5) -> str:
    """Labels for a message: the first few, then how many more."""
    names = [str(label) for label in labels]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggestion(name: object, known: Sequence[str]) -> str:
    """``Did you mean ...?`` when one of the known names is close, else which names exist."""
    close = get_close_matches(str(name), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {listed(known, 8)}."


SAMPLE_DIMS = ("chain", "draw")


def per_cent(share: float) -> str:
    """An interval's probability, never rounded to certainty: 99.5%, not 100%."""
    return f"{100 * share:.6g}%"


def probable(mass: float) -> str:
    """A probability that never pretends to be certain."""
    return "> 0.999" if mass > 0.999 else "< 0.001" if mass < 0.001 else f"= {mass:.3f}"


def _is_several(labels: Any) -> bool:
    """Whether this is a list of labels: text is one label, and so is an array without dimensions."""
    return (
        isinstance(labels, Iterable)
        and not isinstance(labels, str | bytes)
        and getattr(labels, "ndim", 1) > 0
    )
