"""Abadie's pictures: gaps of all donors as if treated, and ratios of post- to pre-period error."""

from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_plots.plot_collection import backend_from_object

from bayes_synth.errors import OptionError
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.plots.canvas import (
    finish,
    name_letters,
    new_canvas,
    plot_rows,
    plot_width,
    side_by_side,
)
from bayes_synth.plots.common import point_size, shortened, shortened_apart
from bayes_synth.plots.legend import Entry, put_legend
from bayes_synth.plots.look import CanvasOptions, Look
from bayes_synth.plots.paths import draw_paths
from bayes_synth.plots.text import put_label, put_ticks, put_title
from bayes_synth.results.answers import AbstractFit

__all__ = [
    "ROWS",
    "Gaps",
    "draw_gaps",
    "draw_ratios",
    "own_gap",
    "placebo_entries",
    "plot_placebos",
]

PARTS = ("lines", "front", "ratio", "legend", "title", "xlabel", "ylabel", "yticks")
LABELS = ("outcome", "time", "treated", "donors", "ratio")
ROWS = 30
"""Units whose ratio has a row; the treated unit always has one."""


class Gaps(NamedTuple):
    """Hold gaps (observed minus synthetic, on the model's scale), one column per time."""

    donors: pd.DataFrame
    own: pd.Series
    name: str
    pre: pd.Index

    @property
    def errors(self) -> pd.DataFrame:
        """Return the root mean square gap before and after the start, and their ratio.

        One row per unit; the treated unit is the first.
        """
        units = pd.concat([self.own.to_frame(self.name).T, self.donors])
        before = units.columns.isin(self.pre)
        table = pd.DataFrame(
            {"pre": _rms(units.loc[:, before]), "post": _rms(units.loc[:, ~before])}
        )
        return table.assign(ratio=table["post"] / table["pre"])


def _rms(gaps: pd.DataFrame) -> pd.Series:
    return (gaps**2).mean(axis=1) ** 0.5


def plot_placebos(
    fit: AbstractFit,
    *,
    within: float | None = None,
    backend: str | None = None,
    **options: Unpack[CanvasOptions],
) -> PlotCollection:
    """Plot the gaps of all donors as if treated, and the ratios of post- to pre-period error.

    Parameters
    ----------
    fit
        A calibrated fit of one treated unit: it holds its donors' refits. For another, see the
        picture of :func:`bayes_synth.checks.placebo_in_space`, which refits them.
    within
        Leave out donors whose root mean square gap before ``start`` is more than so many times the
        treated unit's, in the picture of gaps; None for all. Abadie, Diamond and Hainmueller leave
        out mean square gaps of more than 20, 5 and 2 times.
    backend, **options
        As in :func:`plot_fit`. Labels: outcome, time, ratio (axes), treated, donors (legend).
        Parts: lines, front, ratio, legend, title, xlabel, ylabel, yticks. A collection must have
        the variables gaps and ratios.

    Returns
    -------
    arviz_plots.PlotCollection
        Two panels beside each other: gaps over time, the treated unit in front, and one row per
        unit with its ratio, the largest on top.

    Raises
    ------
    OptionError
        O044 unless ``within`` is positive, O045 when the fit holds no refits of single donors;
        O001, O040 as in :func:`plot_fit`.
    ResultError
        R006 when the backend is not installed.

    Notes
    -----
    Neither picture decides anything here: gaps are not the effect (observed minus counterfactual),
    and the rank of a ratio says how unusual the treated unit is, not how large the effect is.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), Figures 4 to 8; Abadie (2021), Journal
    of Economic Literature 59(2), eq. 11.

    Examples
    --------
    >>> figure = bs.plots.plot_placebos(fit, within=5)
    """
    look = Look.of(backend, options, PARTS, LABELS)
    if within is not None and not within > 0:
        raise OptionError("O044", f"within must be a positive number or None, got {within!r}.")
    gaps = gaps_of(fit)
    shape = 1200.0, max(450.0, 140.0 + 18.0 * min(len(gaps.donors) + 1, ROWS))
    # matplotlib and bokeh leave room for the names of the rows by themselves.
    columns = side_by_side(look, shape)
    apart = {"plot_hspace": 0.26} if look.backend == "plotly" and columns == 2 else {}
    canvas = new_canvas(look, ["gaps", "ratios"], shape, columns=columns, **apart)
    width = plot_width(look, shape, columns)
    rows = min(ROWS, plot_rows(look, shape, 3 - columns))
    letters = name_letters(look, shape) // columns
    narrow = draw_ratios(canvas, gaps, look, width, rows=rows, letters=letters)
    # Names beside one of the panels narrow all that stand above each other.
    width = narrow if columns == 1 else width
    draw_gaps(canvas, fit, gaps, look, within=within, width=width)
    if look.shows("legend"):
        put_legend(canvas, look, placebo_entries(gaps, look))
    finish(canvas, look)
    return canvas


def gaps_of(fit: AbstractFit) -> Gaps:
    """Return the gaps that a calibrated fit holds.

    Raises
    ------
    OptionError
        O045 when it holds none of single donors.
    """
    donors = fit.calibration.gaps
    if not donors.shape[1] or len(fit.panel.treated) > 1:
        raise OptionError(
            "O045",
            "fit must be a calibrated fit of one treated unit, which holds its donors' refits; "
            "use bs.checks.placebo_in_space(fit).plot(), which refits them.",
        )
    return Gaps(donors, own_gap(fit), fit.panel.treated[0], fit.panel.pre)


def own_gap(fit: AbstractFit) -> pd.Series:
    """Return the treated unit's mean gap on the model's scale, as those of the placebos are."""
    scale, observed = outcome_scale(fit.model.scale), fit.panel.treated_outcome
    synthetic = scale.forward(fit.synthetic).mean(("chain", "draw"))
    gap: xr.DataArray = scale.forward(observed.where(observed > scale.least)) - synthetic
    return gap.to_series()


def placebo_entries(gaps: Gaps, look: Look) -> list[Entry]:
    """Return the rows of the legend."""
    treated = look.word("treated", shortened(gaps.name, 28))
    donors = look.word("donors", f"{len(gaps.donors)} donors as if treated")
    return [
        Entry(treated, "line", look.palette.ink, width=2.6),
        Entry(donors, "line", look.palette.soft, 0.8, width=1.0),
    ]


def draw_gaps(
    canvas: PlotCollection,
    fit: AbstractFit,
    gaps: Gaps,
    look: Look,
    *,
    within: float | None = None,
    width: int = 80,
) -> None:
    """Draw the gaps of the donors in grey, and the treated unit's in front."""
    errors = gaps.errors["pre"]
    kept = gaps.donors
    if within is not None:
        kept = kept[errors[kept.index] <= within * errors.iloc[0]]
    lines = {str(label): row for label, row in kept.iterrows()}
    draw_paths(canvas, fit, "gaps", lines, gaps.own, look, width=width)
    left_out = len(gaps.donors) - len(kept)
    title = "Gap: observed minus synthetic" if look.title is None else look.title
    words = f"; {left_out} donors that fit worse before the start left out" if left_out else ""
    put_title(fit, title + (words if title else ""), canvas.get_target("gaps", {}), look, width)


def draw_ratios(
    canvas: PlotCollection,
    gaps: Gaps,
    look: Look,
    width: int,
    *,
    rows: int = ROWS,
    letters: int = 32,
) -> int:
    """Draw the largest ratios, one row per unit, and the treated unit filled in ink.

    ``letters`` is how many of a name fit beside the panel, which is ``width`` letters of a title
    wide. Returns how many letters of a title fit beside these names.
    """
    ratios = gaps.errors["ratio"].sort_values(ascending=False, kind="stable")
    shown = ratios[(np.arange(len(ratios)) < rows) | (ratios.index == gaps.name)]
    heights = pd.Series(np.arange(len(shown), dtype=float)[::-1], index=shown.index)
    target = canvas.get_target("ratios", {})
    for group, chosen in (("donor", shown.index != gaps.name), ("own", shown.index == gaps.name)):
        colour = look.palette.ink if group == "own" else look.palette.soft
        size = point_size(canvas.backend) * (1.3 if group == "own" else 1.0)
        style = look.drawn("ratio", color=colour, facecolor=colour, size=size)
        canvas.map(
            _draw_points,
            f"ratio_{group}",
            data=xr.Dataset({"ratios": 0.0}),
            x=shown[chosen].to_numpy(float),
            heights=heights[chosen].to_numpy(),
            **style,
        )
    backend_from_object(target).ylim((-0.7, len(shown) - 0.3), target)
    backend_from_object(target).xlim((0.0, 1.05 * float(np.nanmax(ratios))), target)
    labels = shortened_apart(shown.index, letters)
    width = max(20, width - int(0.76 * max(map(len, labels))))
    put_ticks(heights.to_numpy(), labels, target, look)
    ratio = look.word("ratio", "ratio of post- to pre-period root mean square gap")
    put_label("x", ratio, target, look, width)
    rank, rest = 1 + int((ratios > ratios[gaps.name]).sum()), len(ratios) - len(shown)
    more = f" ({rest} smaller ones not shown)" if rest else ""
    put_title(None, f"Ratios: rank {rank} of {len(ratios)} units{more}", target, look, width)
    return width


def _draw_points(
    _: xr.DataArray, target: Any, *, x: np.ndarray, heights: np.ndarray, **style: Any
) -> Any:
    return backend_from_object(target).scatter(x, heights, target, **style)
