"""Refits by least squares instead of sampling, and panels and samplers with a fault in them."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.checks.refits import RefitEffect
from bayes_synth.data.validation import locked
from bayes_synth.results.estimands import effect_draws
from bayes_synth.results.simplex import simplex_least_squares
from bayes_synth.sampling import slice_kernel, slice_sds

SLICES = {"broken_sds": slice_sds, "broken_kernel": slice_kernel}
"""Modules of the slice sampler, by the names of their broken copies."""


def least_squares(fit, cases, **_):
    """Refit every case by demeaned simplex least squares, with noise of the residual's size."""
    return {label: answer(case.panel) for label, case in cases.items()}


def answer(panel):
    rng = np.random.default_rng(0)
    outcome, donors = panel.treated_outcome.to_numpy(), panel.donor_outcomes.to_numpy()
    seen = ~np.isnan(outcome) & (np.arange(len(outcome)) < len(panel.pre))
    weights = simplex_least_squares(donors[seen], outcome[seen], level=True)
    gap = outcome - donors @ weights
    expected = (donors @ weights + gap[seen].mean())[len(panel.pre) :]
    sd = gap[seen].std() + 1e-6
    draws = expected + sd * (
        rng.standard_normal((2, 250, 1)) + rng.standard_normal((2, 250, len(expected)))
    )
    coords = {"chain": [0, 1], "draw": np.arange(250), "time": panel.post.to_numpy()}
    counterfactual = xr.DataArray(draws, dims=("chain", "draw", "time"), coords=coords)
    observed = panel.treated_outcome.sel(time=panel.post.to_numpy())
    return RefitEffect(
        effect_draws(observed, counterfactual), pd.Series(weights, index=panel.donors), ok=True
    )


def with_tails(average, late=None, times=(2000, 2001, 2002)):
    """A refit with these tail probabilities, in thousandths, of its average and of its path."""
    late = average if late is None else late

    def draws(share):
        return np.where(np.arange(2000) < round(1000 * share), -1.0, 1.0).reshape(2, 1000)

    coords = {"chain": [0, 1], "draw": np.arange(1000)}
    path = np.repeat(draws(late)[..., None], len(times), axis=2)
    effects = xr.Dataset(
        {
            "average": (("chain", "draw"), draws(average)),
            "pointwise": (("chain", "draw", "time"), path),
        },
        coords={**coords, "time": list(times)},
    )
    return RefitEffect(effects, pd.Series(dtype=float), ok=True)


def break_the_slice_sampler(right, wrong, monkeypatch, tmp_path):
    """Chains from now on run a copy of the slice sampler in which one passage is another."""
    sources = {name: Path(module.__file__).read_text() for name, module in SLICES.items()}
    assert any(right in source for source in sources.values())
    for name, source in sources.items():
        changed = source.replace(right, wrong).replace(
            "bayes_synth.sampling.slice_sds", "broken_sds"
        )
        (tmp_path / f"{name}.py").write_text(changed)
        sys.modules.pop(name, None)
    monkeypatch.syspath_prepend(tmp_path)
    broken = importlib.import_module("broken_kernel")
    monkeypatch.setattr("bayes_synth.sampling.slice.advance", broken.advance)


def changed(panel, unit, added):
    """The panel with numbers added to one unit, one per time."""
    here = panel.outcomes["unit"] == unit
    extra = xr.DataArray(
        np.asarray(added, dtype=float), dims="time", coords={"time": panel.outcomes["time"]}
    )
    return replace(
        panel, outcomes=locked((panel.outcomes + extra * here).transpose("time", "unit"))
    )


def hidden(panel, *positions):
    """The panel without the treated unit's outcome in these periods."""
    times = panel.times[list(positions)]
    gone = panel.outcomes["time"].isin(times) & (panel.outcomes["unit"] == panel.treated[0])
    return replace(panel, outcomes=locked(panel.outcomes.where(~gone)))
