"""Functions that all plots share: backends, parts, sizes of points, and broken lines."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from arviz_base import rcParams
from arviz_plots import PlotCollection

from bayes_synth.errors import OptionError, ResultError
from bayes_synth.words import listed, suggestion

__all__ = [
    "Visuals",
    "chosen_backend",
    "lifted",
    "point_size",
    "require_known",
    "shortened",
    "shortened_apart",
    "styles",
]

Visuals = Mapping[str, bool | Mapping[str, Any]]
"""Parts of a plot by name: False leaves one out, a mapping styles it."""


def require_known(options: Mapping[str, Any], known: type) -> None:
    """Raise TypeError for options that a plot does not have, as Python does for named arguments."""
    for name in options:
        if name not in known.__annotations__:
            hint = suggestion(name, [*known.__annotations__])
            raise TypeError(f"the plot got an unexpected keyword argument {name!r}. {hint}")


NEEDS = {"plotly": ("plotly", "webcolors"), "bokeh": ("bokeh",), "matplotlib": ("matplotlib",)}


def chosen_backend(backend: str | None, canvas: PlotCollection | None = None) -> str:
    """Choose the collection's backend, the one asked for, or ArviZ's default, in this order.

    Raises
    ------
    OptionError
        O001 for an unknown backend.
    ResultError
        R006 when its packages are not installed.
    """
    name = canvas.backend if canvas is not None else backend or rcParams["plot.backend"]
    if name not in (*NEEDS, "none"):
        raise OptionError(
            "O001",
            f"backend must be one of {listed([*NEEDS, 'none'])}, got {name!r}. "
            f"{suggestion(name, [*NEEDS, 'none'])}",
        )
    missing = [package for package in NEEDS.get(name, ()) if find_spec(package) is None]
    if missing:
        raise ResultError(
            "R006",
            f"the {name} backend needs {', '.join(missing)}: pip install 'bayes_synth[{name}]'.",
        )
    return str(name)


def styles(visuals: Visuals | None, known: Sequence[str]) -> dict[str, dict[str, Any] | None]:
    """Return each part's style by name; None when the part is switched off.

    Raises
    ------
    OptionError
        O001 for a part that the plot does not have, or a style that is neither a boolean nor a
        mapping.
    """
    wanted = dict(visuals or {})
    for name, wish in wanted.items():
        if name not in known:
            hint = suggestion(name, known)
            raise OptionError("O001", f"visuals must name parts of the plot, got {name!r}. {hint}")
        if not isinstance(wish, bool | Mapping):
            raise OptionError(
                "O001",
                f"visuals[{name!r}] must be False or a mapping such as {{'color': 'C1'}}, "
                f"got {wish!r}.",
            )
    return {name: _style(wanted.get(name, True)) for name in known}


def _style(wish: bool | Mapping[str, Any]) -> dict[str, Any] | None:
    if isinstance(wish, Mapping):
        return dict(wish)
    return {} if wish else None


def point_size(backend: str) -> float:
    """Return a size that looks the same everywhere: bokeh's is a diameter, the others' an area."""
    return 45**0.5 if backend == "bokeh" else 45.0


def lifted(lines: np.ndarray) -> np.ndarray:
    """Join lines, shape ``(lines, points)``, to one that is broken between them."""
    breaks = np.full((len(lines), 1), np.nan)
    return np.concatenate([lines, breaks], axis=1).ravel()


def shortened(label: str, most: int = 28) -> str:
    """Cut a label to what fits beside an axis."""
    return label if len(label) <= most else label[: most - 1] + "…"


def shortened_apart(labels: Iterable[object], most: int) -> list[str]:
    """Cut labels to what fits beside an axis: in the middle if their ends tell them apart."""
    texts = [" ".join(str(label).split()) for label in labels]
    short = [shortened(text, most) for text in texts]
    if len(set(short)) == len(set(texts)):
        return short
    for tail in range((most - 1) // 2, most - 1):
        short = [_without_middle(text, most, tail) for text in texts]
        if len(set(short)) == len(set(texts)):
            break
    return short


def _without_middle(text: str, most: int, tail: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1 - tail]}…{text[-tail:]}"
