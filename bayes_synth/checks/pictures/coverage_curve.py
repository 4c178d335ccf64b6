"""Draw the gaps of placebos and the treated unit, and how often our intervals hold zero."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.checks.pictures.paths import draw_paths
from bayes_synth.plots.common import chosen_backend, figure_options, make_room, pen, put_title
from bayes_synth.results.answers import AbstractFit

__all__ = ["plot_placebos"]


def plot_placebos(
    fit: AbstractFit,
    gaps: Mapping[str, pd.Series],
    own: pd.Series,
    held: xr.DataArray,
    *,
    backend: str | None = None,
) -> PlotCollection:
    """Draw gaps by time, and the share of placebos whose interval holds zero by its probability.

    ``held`` is that share, dims ``(nominal,)``.
    """
    canvas = PlotCollection.wrap(
        xr.Dataset({"gaps": 0.0, "coverage": 0.0}),
        cols=["__variable__"],
        col_wrap=2,
        backend=chosen_backend(backend),
        figure_kwargs=figure_options(1100, 450, None),
    )
    draw_paths(canvas, fit, "gaps", gaps, {"treated": own})
    canvas.map(
        _draw_curve, "curve", data=xr.Dataset({"coverage": 0.0}), held=held, color="C0", width=2.5
    )
    words = {
        "gaps": f"Gap, observed minus synthetic:\ntreated (bold), {len(gaps)} donors as if treated",
        "coverage": "Share of placebos whose interval\nholds zero (dashed: as promised)",
    }
    for variable, title in words.items():
        put_title(fit, title, canvas.get_target(variable, {}), {})
    make_room(canvas)
    return canvas


def _draw_curve(_: xr.DataArray, target: Any, *, held: xr.DataArray, **style: Any) -> Any:
    plain = pen(target)
    plain.line(
        np.array([0.0, 1.0]), np.array([0.0, 1.0]), target, color="gray", linestyle="C1", width=1
    )
    plain.xlabel("probability of the interval", target)
    plain.ylabel("share of placebos held", target)
    return plain.line(held["nominal"].to_numpy(), held.to_numpy(), target, **style)
