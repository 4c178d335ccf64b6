"""What a caller may wish of every picture: words, size, theme and parts, checked once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, TypedDict, cast, final

from arviz_plots import PlotCollection

from bayes_synth.errors import OptionError
from bayes_synth.plots.common import Visuals, chosen_backend, require_known, styles
from bayes_synth.results.bands import BandKind
from bayes_synth.words import listed, suggestion

__all__ = [
    "SIZES",
    "THEMES",
    "CanvasOptions",
    "Look",
    "PathOptions",
    "PictureOptions",
    "Size",
    "Theme",
]

Size = Literal["screen", "slide", "paper"]
Theme = Literal["light", "dark"]


class CanvasOptions(TypedDict, total=False):
    """Options that all plots share beside ``backend``.

    Parameters
    ----------
    title
        Title of the picture in place of ours; ``""`` for none. Alarms stay.
    labels
        Words in place of ours, by name, such as ``{"outcome": "Sales, 1,000 $", "time": "Week"}``.
    figsize
        Width and height in inches.
    size
        ``"slide"`` is 1600 x 900 dots with large text, ``"paper"`` 6.5 inches wide at 300 dots per
        inch, ``"screen"`` (default) what fits a notebook.
    theme
        ``"light"`` or ``"dark"`` pages and ink; by default those of the backend.
    visuals
        Parts to leave out (False) or to style (a mapping such as ``{"color": "C1"}``).
    plot_collection
        Draw on this collection, with its backend.
    figure_kwargs
        Passed to the backend's figure.

    Examples
    --------
    >>> options: bs.plots.CanvasOptions = {"size": "slide", "theme": "dark"}
    >>> figure = fit.plot(**options)
    """

    title: str | None
    labels: Mapping[str, str] | None
    figsize: tuple[float, float] | None
    size: Size
    theme: Theme | None
    visuals: Visuals | None
    plot_collection: PlotCollection | None
    figure_kwargs: Mapping[str, Any] | None


class PathOptions(CanvasOptions, total=False):
    """Options of plots of a path, beside those of all plots.

    Parameters
    ----------
    band
        ``"simultaneous"`` outlines, in the panels of the effect and of the cumulative effect, the
        band that holds the whole path; ``"none"`` (default) does not.
    """

    band: BandKind


class PictureOptions(CanvasOptions, total=False):
    """Options of pictures that a check draws: those of all plots, and the backend.

    Parameters
    ----------
    backend
        As in :func:`bayes_synth.plots.plot_fit`.
    """

    backend: str | None


class Format(NamedTuple):
    """Describe a size: width in hundredths of an inch, shape, zoom, text and dots per inch."""

    width: float | None
    height: float | None
    zoom: float
    text: float
    dpi: float | None


SIZES: Mapping[Size, Format] = {
    "screen": Format(None, None, 1.0, 1.0, None),
    "slide": Format(800, 450, 2.0, 1.0, 200),
    "paper": Format(650, None, 1.0, 0.82, 300),
}


class Palette(NamedTuple):
    """Hold the colours of a theme; no page means that the backend's own is kept."""

    ink: str
    accent: str
    soft: str
    page: str | None


OURS = Palette("B1", "C0", "gray", None)
THEMES: Mapping[Theme, Palette] = {
    "light": Palette("#222222", "#1f77b4", "#808080", "#ffffff"),
    "dark": Palette("#e8e8e8", "#64b5f6", "#9a9a9a", "#161616"),
}
CHECK_PARTS = ("legend", "title", "xlabel", "ylabel", "yticks")
"""Parts of a check's picture that can be left out or styled."""
TEXT = {"title": 11.0, "label": 10.0, "tick": 9.0, "legend": 9.0}
"""Sizes of text in points."""
NARROW = 6.0
"""Width in inches below which text becomes smaller."""
BROWSER = 1.25
"""Pixels that look like a point of matplotlib's."""


@final
@dataclass(frozen=True)
class Look:
    """Hold what the caller wants of a picture, once checked.

    Parameters
    ----------
    backend
        Where it is drawn.
    style
        Style of each part by name; None for a part that is left out.
    title
        The caller's title; None for ours.
    labels
        The caller's words by name.
    size, theme
        How large, and in which colours.
    options
        The options as given.
    """

    backend: str
    style: Mapping[str, dict[str, Any] | None]
    title: str | None
    labels: Mapping[str, str]
    size: Format
    palette: Palette
    options: CanvasOptions

    @classmethod
    def of(
        cls,
        backend: str | None,
        options: CanvasOptions,
        parts: Sequence[str] = (),
        labels: Sequence[str] = (),
    ) -> Self:
        """Check what the caller wants of a picture with these parts and labels.

        Raises
        ------
        OptionError
            O001 for an unknown backend or part, O040 for an unknown label, size or theme, or a
            size of figure that is none.
        ResultError
            R006 when the backend is not installed.
        """
        require_known(options, CanvasOptions)
        size, theme = options.get("size") or "screen", options.get("theme")
        _require_one_of("size", size, SIZES)
        palette = OURS
        if theme is not None:
            _require_one_of("theme", theme, THEMES)
            palette = THEMES[theme]
        return cls(
            chosen_backend(backend, options.get("plot_collection")),
            styles(options.get("visuals"), parts),
            _checked_title(options.get("title")),
            _checked_labels(options.get("labels"), labels),
            _checked_size(SIZES[size], options.get("figsize")),
            palette,
            options,
        )

    @classmethod
    def of_check(cls, options: "PictureOptions") -> Self:
        """Check what the caller wants of the picture of a check."""
        own = dict(options)
        backend = own.pop("backend", None)
        return cls.of(cast("str | None", backend), cast("CanvasOptions", own), CHECK_PARTS)

    @property
    def scale(self) -> float:
        """Return what widths of lines are multiplied by; on matplotlib the dots do that."""
        return 1.0 if self.backend == "matplotlib" else self.size.zoom

    def points(self, kind: str) -> float:
        """Return the size of a text, in what the backend counts in."""
        browser = 1.0 if self.backend == "matplotlib" else BROWSER * self.size.zoom
        return TEXT[kind] * self.size.text * browser

    def written(self, kind: str) -> dict[str, Any]:
        """Return the style of a text."""
        ink = {} if self.palette.page is None else {"color": self.palette.ink}
        return {"size": self.points(kind)} | ink

    def drawn(self, part: str, **ours: Any) -> dict[str, Any]:
        """Return the style of a part: ours, enlarged, below the caller's."""
        larger = dict(ours)
        if "width" in larger:
            larger["width"] *= self.scale
        if "size" in larger:
            larger["size"] *= self.scale if self.backend == "bokeh" else self.scale**2
        return larger | dict(self.style.get(part) or {})

    def shows(self, part: str) -> bool:
        """Tell whether a part is drawn."""
        return self.style.get(part, {}) is not None

    def colour(self, name: str) -> str:
        """Return the colour that one of our names has in the theme."""
        ink, accent, soft, page = self.palette
        return {"B1": ink, "C0": accent, "gray": soft, "B0": page or "B0"}.get(name, name)

    def word(self, name: str, ours: str) -> str:
        """Return the caller's word, or ours."""
        return self.labels.get(name, ours)


def _require_one_of(name: str, value: object, known: Mapping[Any, Any]) -> None:
    if value not in known:
        raise OptionError(
            "O040",
            f"{name} must be one of {listed(known)}, got {value!r}. "
            f"{suggestion(value, list(known))}",
        )


def _checked_title(title: object) -> str | None:
    if title is not None and not isinstance(title, str):
        raise OptionError("O040", f'title must be text ("" for none), got {title!r}.')
    return title


def _checked_labels(labels: Mapping[str, str] | None, known: Sequence[str]) -> Mapping[str, str]:
    for name, text in (labels or {}).items():
        if name not in known:
            hint = suggestion(name, known)
            raise OptionError(
                "O040", f"labels must name words of this picture, got {name!r}. {hint}"
            )
        if not isinstance(text, str):
            raise OptionError("O040", f"labels[{name!r}] must be text, got {text!r}.")
    return dict(labels or {})


def _checked_size(size: Format, figsize: tuple[float, float] | None) -> Format:
    if figsize is None:
        return size
    try:
        width, height = (float(end) for end in figsize)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (0 < width <= 100 and 0 < height <= 100):
        raise OptionError(
            "O040",
            f"figsize must be width and height in inches, such as (8, 4.5), got {figsize!r}.",
        )
    # Narrow figures have smaller text, which would otherwise leave no room for the panels.
    text = size.text * min(1.0, max(0.8, width / NARROW))
    return size._replace(width=100 * width, height=100 * height, text=text)
