"""Write labels, times, lists and probabilities as people do, and name the dims of draws."""

import html
from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

HERE = (str(Path(__file__).parent),)
"""Folders that warnings skip, so that they point at the caller's line and not at ours."""
FIXED = (
    "font-family:ui-monospace,Menlo,Consolas,monospace;line-height:1.4;"
    "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
)
"""Style of preformatted text."""


def short(time: Hashable) -> str:
    """Write a time as a person does: midnight is not spelled out."""
    return str(time).removesuffix(" 00:00:00")


def span(times: "pd.Index") -> str:
    """Say how many periods there are, and from when to when."""
    return f"{len(times)} periods, {short(times[0])} to {short(times[-1])}"


def texts(labels: Any) -> list[str]:
    """Return one label, several or None as a list of text in which each label occurs once."""
    if labels is None:
        return []
    several = labels if _is_several(labels) else [labels]
    return list(dict.fromkeys(str(label) for label in several))


def listed(labels: Iterable[object], most: int = 5) -> str:
    """Join labels for a message: the first few, then how many more there are."""
    names = [str(label) for label in labels]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggestion(name: object, known: Sequence[str]) -> str:
    """Ask ``Did you mean ...?`` when a known name is close, else list the names that exist."""
    close = get_close_matches(str(name), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {listed(known, 8)}."


def public(names: Iterable[str]) -> list[str]:
    """Return the names that a user may type, in order: for tab completion."""
    return sorted(name for name in names if not name.startswith("_"))


def preformatted(text: str) -> str:
    """Return text as HTML that keeps its columns, also in pages whose style changes ``<pre>``.

    Exported notebooks have a proportional font and break lines within words.
    """
    return f"<pre style='{FIXED}'>{html.escape(text)}</pre>"


def left(text: object) -> str:
    """Return a cell of text for a table of HTML; exported notebooks put all cells at the right."""
    return f"<div style='text-align:left'>{html.escape(str(text))}</div>"


def card(title: str, facts: Mapping[str, str]) -> str:
    """Write a title and a line per fact, as data are shown at a prompt."""
    return "\n".join([title, *(f"  {name:<8} {text}" for name, text in facts.items())])


def html_card(title: str, facts: Mapping[str, str]) -> str:
    """Write the same as an HTML table, for a notebook."""
    cell = "<tr><th style='text-align:left'>{}</th><td style='text-align:left'>{}</td></tr>"
    rows = "".join(cell.format(html.escape(n), html.escape(t)) for n, t in facts.items())
    return f"<strong>{title}</strong><table>{rows}</table>"


def one_line(label: object) -> str:
    """Write a label on one line, whatever blanks and line breaks it has."""
    return " ".join(str(label).split())


def as_drawn(text: str, backend: str) -> str:
    """Escape what a backend of plots would take for mathematics or markup, so that it is drawn.

    matplotlib reads ``$...$`` as TeX, plotly markup and, beside MathJax, TeX, bokeh ``$$...$$``.
    """
    if backend == "matplotlib":
        return text.replace("$", r"\$")
    if backend == "plotly":
        return html.escape(text, quote=False).replace("$", "&#36;")
    # A word joiner takes no place, and keeps two marks from being one.
    joiner = "\u2060"
    marks = {"$$": f"${joiner}$", r"\(": f"\\{joiner}(", r"\[": f"\\{joiner}["}
    for mark, apart in marks.items() if backend == "bokeh" else ():
        text = text.replace(mark, apart)
    return text


SAMPLE_DIMS = ("chain", "draw")
"""Dims of posterior draws, in this order."""


def per_cent(share: float) -> str:
    """Write an interval's probability without rounding it to certainty: 99.5%, not 100%."""
    return f"{100 * share:.6g}%"


def probable(mass: float) -> str:
    """Write a probability with its sign, so that none pretends to be certain: ``> 0.999``."""
    return "> 0.999" if mass > 0.999 else "< 0.001" if mass < 0.001 else f"= {mass:.3f}"


def _is_several(labels: Any) -> bool:
    """Tell several labels from one: text is one label, and so is an array without dimensions."""
    return (
        isinstance(labels, Iterable)
        and not isinstance(labels, str | bytes)
        and getattr(labels, "ndim", 1) > 0
    )
