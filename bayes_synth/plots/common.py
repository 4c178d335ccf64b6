"""What all plots share: choosing the backend, switching parts off, and drawing atoms."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from arviz_base import rcParams
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.errors import PriorError, ResultError, suggestion

if TYPE_CHECKING:
    from bayes_synth.fit import Fit

__all__ = [
    "Visuals",
    "calendar",
    "chosen_backend",
    "draw_band",
    "draw_line",
    "figure_options",
    "ink",
    "start_line",
    "styles",
    "warned",
]

Visuals = Mapping[str, bool | Mapping[str, Any]]
"""Parts of a plot by name: False leaves one out, a mapping styles it."""

NEEDS = {"plotly": ("plotly", "webcolors"), "bokeh": ("bokeh",), "matplotlib": ("matplotlib",)}


def chosen_backend(backend: str | None) -> str:
    """The backend asked for, else ArviZ's default, once its packages are known to be there."""
    name = backend or rcParams["plot.backend"]
    if name not in (*NEEDS, "none"):
        raise PriorError("O001", f"backend={name!r} is unknown. {suggestion(name, [*NEEDS, 'none'])}")
    missing = [package for package in NEEDS.get(name, ()) if find_spec(package) is None]
    if missing:
        raise ResultError("R006", f"the {name} backend needs {missing}: pip install 'bayes_synth[{name}]'.")
    return str(name)


def styles(visuals: Visuals | None, known: Sequence[str]) -> dict[str, dict[str, Any] | None]:
    """Each part's style; None when it is switched off."""
    wanted = dict(visuals or {})
    for name in wanted:
        if name not in known:
            raise PriorError("O001", f"this plot has no part {name!r}. {suggestion(name, known)}")
    return {name: _style(wanted.get(name, True)) for name in known}


def _style(wish: bool | Mapping[str, Any]) -> dict[str, Any] | None:
    return None if wish is False else {} if wish is True else dict(wish)


def ink(target: Any) -> str:
    """Black or white, whichever shows on the target's background."""
    red, green, blue = _rgb(backend_from_object(target).get_background_color())
    return "black" if red + green + blue > 1.5 else "white"


def _rgb(colour: Any) -> tuple[float, ...]:
    if not isinstance(colour, str):
        return tuple(float(part) for part in colour[:3])
    if not colour.startswith("#"):
        return (0.0, 0.0, 0.0) if colour == "black" else (1.0, 1.0, 1.0)
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def draw_line(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """A line over time."""
    da = da.dropna("time")
    return backend_from_object(target).line(da["time"].to_numpy(), da.to_numpy(), target, **style)


def draw_band(da: xr.DataArray, target: Any, **style: Any) -> Any:
    """A band over time between the two bounds of an interval."""
    da = da.dropna("time")
    low, high = (da.sel(ci_bound=bound).to_numpy() for bound in ("lower", "upper"))
    return backend_from_object(target).fill_between_y(da["time"].to_numpy(), low, high, target, **style)


def start_line(da: xr.DataArray, target: Any, *, at: Any, **style: Any) -> Any:
    """Treatment begins: a vertical line."""
    return backend_from_object(target).vline(at, target, **style)


def figure_options(width: int, height: int, wishes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options of the figure, sized in dots, which every backend understands."""
    return {"figsize": (width, height), "figsize_units": "dots", **(wishes or {})}


def make_room(canvas: PlotCollection, backend: str) -> None:
    """Let matplotlib fit long labels into the figure; the others do so by themselves."""
    if backend == "matplotlib":
        canvas.viz["figure"].item().set_layout_engine("constrained")


def calendar(target: Any, times: np.ndarray, backend: str) -> None:
    """Short calendar labels where the backend would write long ones (matplotlib) or milliseconds (bokeh)."""
    if times.dtype.kind != "M":
        return
    if backend == "bokeh":
        from bokeh.models import DatetimeTickFormatter

        target.xaxis.formatter = DatetimeTickFormatter()
    if backend == "matplotlib":
        from matplotlib.dates import ConciseDateFormatter

        target.xaxis.set_major_formatter(ConciseDateFormatter(target.xaxis.get_major_locator()))


def warned(fit: "Fit", title: str) -> str:
    """The title, with the warning in front when the fit has not converged."""
    return title if fit.ok else f"NOT CONVERGED, do not use. {title}"
