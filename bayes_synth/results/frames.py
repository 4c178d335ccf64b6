"""Draws as tables: one row per time, or one per estimand."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.results.bands import BandKind, band_promise, require_band
from bayes_synth.results.effects import Effect, IntervalKind, interval
from bayes_synth.results.estimands import pointwise
from bayes_synth.results.monte_carlo import end_errors, two_sided

__all__ = ["path_frame", "summary_row", "with_old_row"]


def path_frame(
    panel: Panel,
    synthetic: xr.DataArray,
    counterfactual: xr.DataArray,
    paths: Mapping[str, Effect],
    *,
    ci_prob: float,
    ci_kind: IntervalKind,
    band: BandKind,
) -> pd.DataFrame:
    """Return what the plots show as numbers; see :meth:`AbstractFit.to_frame`.

    ``paths`` has the effects ``effect`` and ``cumulative`` from ``start`` on.
    """
    require_band(band)
    effect = pointwise(panel.treated_outcome, counterfactual)
    shown = {
        "counterfactual": counterfactual,
        "effect": effect,
        "cumulative": paths["cumulative"].draws,
    }
    table = pd.DataFrame(
        {
            "period": np.where(panel.times < panel.start, "pre", "post"),
            "observed": panel.treated_outcome.to_numpy(),
            "synthetic": synthetic.median(("chain", "draw")).to_numpy(),
        },
        index=panel.times.rename(_index_name(panel.time)),
    )
    table["gap"] = table["observed"] - table["synthetic"]
    for name, draws in shown.items():
        table[f"{name}_median"] = draws.median(("chain", "draw")).to_series()
        table = table.join(_ends(interval(draws, ci_prob, ci_kind), name))
    found = {name: path.band(ci_prob) for name, path in paths.items() if band != "none"}
    for name, ends in found.items():
        table = table.join(_ends(ends, f"{name}_band"))
    table.attrs = {"measures": {name: path.measure for name, path in paths.items()}}
    if found:
        table.attrs["bands"] = {name: band_promise(ends) for name, ends in found.items()}
    return table


def _index_name(time: str) -> str:
    """Name the index of a table of periods; one of its columns may have the name already."""
    ours = {"period", "observed", "synthetic", "gap"}
    bounds = ("counterfactual_", "effect_", "cumulative_")
    return "time" if time in ours or time.startswith(bounds) else time


def summary_row(effect: Effect, ci_prob: float, ci_kind: IntervalKind) -> dict[str, object]:
    """Return what the summary of a fit has about an effect that is one number."""
    lower, upper = effect.interval(ci_prob, ci_kind).to_numpy()
    errors = end_errors(effect.draws, lower, upper)
    return {
        "mean": float(effect.draws.mean()),
        "median": float(effect.draws.median()),
        "sd": float(effect.draws.std(ddof=1)),
        "lower": float(lower),
        "upper": float(upper),
        "ci_prob": ci_prob,
        "ci_kind": ci_kind,
        "p_below_0": effect.probability(below=0),
        "p_above_0": effect.probability(above=0),
        "p_two_sided": two_sided(effect.draws),
        "mcse_lower": errors[0],
        "mcse_upper": errors[1],
    }


def with_old_row(table: pd.DataFrame) -> pd.DataFrame:
    """Repeat the total under the name that it had in version 0.1, until 0.3."""
    after = list(table.index).index("total") + 1
    old = table.loc[["total"]].rename(index={"total": "cumulative"})
    return pd.concat([table.iloc[:after], old, table.iloc[after:]])


def _ends(bounds: xr.DataArray, name: str) -> pd.DataFrame:
    """Return the two ends of intervals, or of a band, as columns."""
    columns = {f"{name}_{end}": bounds.sel(ci_bound=end).to_numpy() for end in ("lower", "upper")}
    return pd.DataFrame(columns, index=bounds["time"].to_index())
