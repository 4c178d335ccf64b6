"""Functions that all plots share: backend, parts, titles and time axes."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from textwrap import wrap
from typing import Any, TypedDict, final

import numpy as np
from arviz_base import rcParams
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.errors import OptionError, ResultError
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import as_drawn, listed, one_line, suggestion

__all__ = [
    "CanvasOptions",
    "Pen",
    "Visuals",
    "chosen_backend",
    "figure_options",
    "lifted",
    "make_room",
    "pen",
    "point_size",
    "put_title",
    "require_known",
    "shortened",
    "styles",
    "time_axis",
]

Visuals = Mapping[str, bool | Mapping[str, Any]]
"""Parts of a plot by name: False leaves one out, a mapping styles it."""


class CanvasOptions(TypedDict, total=False):
    """Options that all plots share beside ``backend``; see :func:`bayes_synth.plots.plot_fit`."""

    plot_collection: PlotCollection | None
    visuals: Visuals | None
    figure_kwargs: Mapping[str, Any] | None


def require_known(options: Mapping[str, Any], known: type) -> None:
    """Raise TypeError for options that a plot does not have, as Python does for named arguments."""
    for name in options:
        if name not in known.__annotations__:
            hint = suggestion(name, [*known.__annotations__])
            raise TypeError(f"the plot got an unexpected keyword argument {name!r}. {hint}")


@final
class Pen:
    """Draw with a backend of arviz-plots, writing every text as it is: no ``$`` starts a formula.

    All that this library writes into figures goes through one of these; see :func:`pen`.
    """

    def __init__(self, target: Any) -> None:
        self.name: str = backend_from_object(target, return_module=False)
        self.module = backend_from_object(target)

    def __getattr__(self, name: str) -> Any:
        """Return what the backend has to draw lines, areas and points with."""
        return getattr(self.module, name)

    def title(self, text: str, target: Any, **style: Any) -> Any:
        """Write a title."""
        return self.module.title(as_drawn(text, self.name), target, **style)

    def xlabel(self, text: str, target: Any, **style: Any) -> Any:
        """Label the x axis."""
        return self.module.xlabel(as_drawn(text, self.name), target, **style)

    def ylabel(self, text: str, target: Any, **style: Any) -> Any:
        """Label the y axis."""
        return self.module.ylabel(as_drawn(text, self.name), target, **style)

    def text(self, x: Any, y: Any, text: str, target: Any, **style: Any) -> Any:
        """Write a text into the figure."""
        return self.module.text(x, y, as_drawn(text, self.name), target, **style)

    def xticks(self, ticks: Any, labels: Any, target: Any, **style: Any) -> Any:
        """Label places on the x axis."""
        return self.module.xticks(ticks, self._each(labels), target, **style)

    def yticks(self, ticks: Any, labels: Any, target: Any, **style: Any) -> Any:
        """Label places on the y axis."""
        return self.module.yticks(ticks, self._each(labels), target, **style)

    def _each(self, labels: Any) -> Any:
        return labels if labels is None else [as_drawn(str(label), self.name) for label in labels]


def pen(target: Any) -> Pen:
    """Return the backend of a plot or a figure, which writes labels as they are."""
    return Pen(target)


NEEDS = {"plotly": ("plotly", "webcolors"), "bokeh": ("bokeh",), "matplotlib": ("matplotlib",)}
TITLE_WIDTH = 90
"""Characters of a title line that fit above the narrowest of the plots."""


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


def figure_options(
    width: int, height: int, wishes: Mapping[str, Any] | None, **ours: Any
) -> dict[str, Any]:
    """Return the options of the figure, with a size in dots unless the caller gives one.

    A size of the caller's is in inches, as ArviZ has it, unless ``figsize_units`` says dots.
    """
    size = (
        {} if "figsize" in (wishes or {}) else {"figsize": (width, height), "figsize_units": "dots"}
    )
    return size | ours | dict(wishes or {})


def put_title(fit: AbstractFit, title: str, target: Any, style: Mapping[str, Any] | None) -> None:
    """Write the title, wrapped, below the alarms of the fit, which cannot be switched off."""
    rows = [] if style is None else title.splitlines()
    rows = [line for text in rows for line in wrap(text, TITLE_WIDTH)]
    alarms = fit.convergence.alarms
    if alarms or rows:
        options = {"size": 11} | ({} if fit.converged else {"color": "red"}) | dict(style or {})
        pen(target).title("\n".join([*alarms, *rows]), target, **options)


def make_room(canvas: PlotCollection) -> None:
    """Let matplotlib fit long labels into the figure and align them, as the others always do."""
    if canvas.backend == "matplotlib":
        figure = canvas.viz["figure"].item()
        figure.set_layout_engine("constrained")
        figure.align_ylabels()


def time_axis(target: Any, times: np.ndarray, backend: str) -> None:
    """Put ticks on whole periods, with short calendar labels."""
    draw = {"matplotlib": _matplotlib_time, "bokeh": _bokeh_time}.get(backend)
    if draw is not None:
        draw(target, times.dtype.kind == "M")


def _matplotlib_time(target: Any, dates: bool) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    locator = (
        AutoDateLocator(maxticks=9)
        if dates
        else MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10])
    )
    target.xaxis.set_major_locator(locator)
    if dates:
        target.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _bokeh_time(target: Any, dates: bool) -> None:
    from bokeh.models import DatetimeTicker, DatetimeTickFormatter

    # Without them bokeh counts milliseconds since 1970, and puts ticks on round numbers of those.
    if dates:
        target.xaxis.ticker = DatetimeTicker()
        target.xaxis.formatter = DatetimeTickFormatter(days="%d %b", months="%b %Y", years="%Y")


def point_size(backend: str) -> float:
    """Return a size that looks the same everywhere: bokeh's is a diameter, the others' an area."""
    return 45**0.5 if backend == "bokeh" else 45.0


def lifted(lines: np.ndarray) -> np.ndarray:
    """Join lines, shape ``(lines, points)``, to one that is broken between them."""
    breaks = np.full((len(lines), 1), np.nan)
    return np.concatenate([lines, breaks], axis=1).ravel()


def shortened(label: str, most: int = 28) -> str:
    """Write a label on one line, and cut it to what fits beside an axis."""
    label = one_line(label)
    return label if len(label) <= most else label[: most - 1] + "…"
