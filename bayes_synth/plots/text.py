"""Words on a picture: titles, labels and ticks, in which no letter of the data is markup."""

from textwrap import wrap
from typing import Any

from arviz_plots.plot_collection import backend_from_object

from bayes_synth.plots.look import Look
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import as_drawn

__all__ = ["alarm_lines", "other_alarms", "plain", "put_label", "put_ticks", "put_title", "wrapped"]

SAMPLER = ("A001", "A002")
"""Codes of the alarms that ``fit.convergence.alarms`` puts into words."""


def plain(text: str, backend: str) -> str:
    """Write a text so that the backend shows every letter of it, without breaks of its own."""
    text = "\n".join(" ".join(line.split()) for line in text.splitlines()) if text else text
    return as_drawn(text, backend)


def wrapped(text: str, width: int) -> str:
    """Break long lines between words, and words that are longer than a line."""
    rows = (wrap(row, width, break_on_hyphens=False) for row in text.splitlines())
    return "\n".join(line for row in rows for line in row)


def other_alarms(fit: AbstractFit) -> list[str]:
    """Return the codes of the alarms that are not about the sampler, which has its own words."""
    return [code for code, _ in fit.alarms if code not in SAMPLER]


def alarm_lines(fit: AbstractFit) -> list[str]:
    """Say what must be read first: the sampler's alarms in words, the others by their codes."""
    codes = other_alarms(fit)
    word = "ALARM" if len(codes) == 1 else "ALARMS"
    return [
        *fit.convergence.alarms,
        *([f"{word} {', '.join(codes)}: see fit.alarms"] * bool(codes)),
    ]


def put_title(
    fit: AbstractFit | None, text: str, target: Any, look: Look, width: int, part: str = "title"
) -> None:
    """Write a title, wrapped, below the alarms of the fit, which cannot be switched off."""
    rows = wrapped(text, width).splitlines() if look.shows(part) else []
    alarms = [] if fit is None else wrapped("\n".join(alarm_lines(fit)), width).splitlines()
    if not alarms and not rows:
        return
    red = {"color": "red"} if alarms else {}
    options = look.written("title") | red | dict(look.style.get(part) or {})
    text = plain("\n".join([*alarms, *rows]), look.backend)
    backend_from_object(target).title(text, target, **options)


def put_label(axis: str, text: str, target: Any, look: Look, width: int = 60) -> None:
    """Name the x or the y axis, unless the part is switched off or the word is empty."""
    part = f"{axis}label"
    if text and look.shows(part):
        write = getattr(backend_from_object(target), part)
        style = look.written("label") | dict(look.style.get(part) or {})
        write(plain(wrapped(text, width), look.backend), target, **style)


def put_ticks(heights: Any, labels: list[str], target: Any, look: Look) -> None:
    """Name the rows of a picture at the left."""
    if look.shows("yticks"):
        texts = [plain(label, look.backend) for label in labels]
        style = look.written("tick") | dict(look.style.get("yticks") or {})
        backend_from_object(target).yticks(heights, texts, target, **style)
