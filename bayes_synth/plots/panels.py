"""What each panel over time shows, as numbers: bands by probability, and the times in a window."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
import xarray as xr

from bayes_synth.data.times import time_label
from bayes_synth.errors import OptionError
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.bands import BandKind
from bayes_synth.results.effects import IntervalKind, as_text, interval, require_interval
from bayes_synth.results.estimands import ESTIMANDS
from bayes_synth.words import listed, per_cent, span, suggestion

__all__ = ["PANELS", "bands", "chosen_panels", "dataset", "shown_times", "widest_first"]


class Panel(NamedTuple):
    """Describe one panel: its columns in the table of bands, its title, and what it is about.

    ``level`` panels are about the outcome itself and show what was observed; the others are about
    differences from it and show zero.
    """

    source: str
    title: Callable[[AbstractFit, float, IntervalKind], str]
    level: bool = False


def _treated(fit: AbstractFit) -> str:
    treated = fit.panel.treated
    several = f"Mean of {len(treated)} units ({listed(treated, 3)})"
    return treated[0] if len(treated) == 1 else several


def _of(fit: AbstractFit, estimand: str) -> str:
    """Say of several treated units whether their mean or their sum is shown."""
    several = ESTIMANDS[estimand].of(len(fit.panel.treated))
    return f", {several}" if several else ""


def _number(fit: AbstractFit, estimand: str, ci_prob: float, ci_kind: IntervalKind) -> str:
    """Write the median and the interval of one number."""
    effect = fit.effect(estimand)
    low, high = (as_text(effect, float(end)) for end in effect.interval(ci_prob, ci_kind))
    middle = as_text(effect, float(effect.draws.median()))
    return f"{middle} [{low}, {high}] ({per_cent(ci_prob)} {ci_kind.upper()})"


def _effect_title(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> str:
    trust = fit.calibration.short.split(" (")[0]
    average = _number(fit, "average", ci_prob, ci_kind)
    return f"Effect per period{_of(fit, 'pointwise')}: average {average}, {trust}"


def _cumulative_title(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> str:
    total = _number(fit, "total", ci_prob, ci_kind)
    return f"Cumulative effect{_of(fit, 'cumulative')}: {total} at the end"


PANELS = {
    "path": Panel(
        "counterfactual",
        lambda fit, *_: f"{_treated(fit)}: observed, and counterfactual without the treatment",
        level=True,
    ),
    "effect": Panel("effect", _effect_title),
    "cumulative": Panel("cumulative", _cumulative_title),
    "synthetic": Panel(
        "synthetic",
        lambda fit, *_: f"{_treated(fit)}: observed, and synthetic (weighted donors, no noise)",
        level=True,
    ),
    "gap": Panel("gap", lambda fit, *_: f"Gap{_of(fit, 'pointwise')}: observed minus synthetic"),
}
"""Every panel of :func:`bayes_synth.plots.plot_fit` by name."""


def chosen_panels(panels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of panels, each once and known.

    Raises
    ------
    OptionError
        O041 for an unknown panel, one that is named twice, or none.
    """
    names = (panels,) if isinstance(panels, str) else tuple(panels)
    unknown = [name for name in names if name not in PANELS]
    if unknown or not names or len(set(names)) < len(names):
        hint = f" {suggestion(unknown[0], list(PANELS))}" if unknown else ""
        raise OptionError(
            "O041",
            f"panels must be some of {listed(PANELS)}, each at most once, got {panels!r}.{hint}",
        )
    return names


def widest_first(ci_probs: Sequence[float], ci_kind: IntervalKind) -> list[float]:
    """Return the probabilities of bands, the widest first.

    Raises
    ------
    OptionError
        O004 for probabilities outside (0, 1) or none at all, O001 for an unknown kind.
    """
    if isinstance(ci_probs, float | int) or not len(ci_probs):
        raise OptionError(
            "O004",
            f"ci_probs must be a sequence of probabilities such as (0.5, 0.95), got {ci_probs!r}.",
        )
    for prob in ci_probs:
        require_interval(prob, ci_kind)
    return sorted(set(ci_probs), reverse=True)


def bands(
    fit: AbstractFit,
    names: Sequence[str],
    ci_prob: float,
    ci_kind: IntervalKind,
    band: BandKind = "none",
) -> pd.DataFrame:
    """Return median, lower and upper of each panel's source, one row per time.

    With ``band`` the effect and the cumulative effect also have the ends of the band that holds the
    whole path.
    """
    table = fit.to_frame(ci_prob=ci_prob, ci_kind=ci_kind, band=band)
    synthetic = fit.synthetic
    draws = {"synthetic": synthetic, "gap": fit.panel.treated_outcome - synthetic}
    for name in names:
        if (source := PANELS[name].source) in draws:
            path = draws[source]
            bounds = interval(path, ci_prob, ci_kind)
            table[f"{source}_median"] = path.median(("chain", "draw")).to_numpy()
            for bound in ("lower", "upper"):
                table[f"{source}_{bound}"] = bounds.sel(ci_bound=bound).to_numpy()
    return table


def dataset(table: pd.DataFrame, column: str, names: Sequence[str]) -> xr.Dataset:
    """Return one column of the bands per panel, with NaN where a panel has no number."""
    series = {name: table[f"{PANELS[name].source}_{column}"].to_numpy() for name in names}
    return xr.Dataset(
        {name: ("time", values) for name, values in series.items()},
        coords={"time": table.index.array},
    )


def shown_times(window: slice | None, times: pd.Index) -> pd.Index:
    """Return the times of a window by label, ends included; all of them for None.

    Raises
    ------
    OptionError
        O042 unless the window is a slice that holds at least two of the times.
    """
    if window is None:
        return times
    if not isinstance(window, slice) or window.step is not None:
        raise OptionError(
            "O042", f"window must be a slice of times such as slice(start, end), got {window!r}."
        )
    ends = [
        # Text on a calendar means all of it: "2024-02" ends with February.
        end if isinstance(end, str) and isinstance(times, pd.DatetimeIndex) else label
        for end in (window.start, window.stop)
        for label in [None if end is None else time_label(end, times, what="window")]
    ]
    inside = times[times.slice_indexer(*ends)]  # type: ignore[arg-type]
    if len(inside) < 2:
        raise OptionError(
            "O042", f"window must hold at least two of the {span(times)}, got {window!r}."
        )
    return inside
