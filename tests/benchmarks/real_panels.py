"""Public panels of the coverage scoreboard, and the two classical estimators it compares with."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT

import bayes_synth as bs
from bayes_synth.datasets import FETCHED
from bayes_synth.results.simplex import direction, simplex_least_squares

DATA = os.environ.get("BAYES_SYNTH_DATA", str(ROOT.parent / "shared" / "data"))


def local(
    name: str, file: str, *, leave_out: tuple[str, ...] | None = None, **changes: Any
) -> bs.Panel:
    """A dataset to fetch, from the copy in ``DATA``."""
    remote = FETCHED[name]
    out = remote.leave_out if leave_out is None else leave_out
    chosen = replace(remote, design=replace(remote.design, **changes), leave_out=out)
    return chosen.panel(pd.read_csv(f"{DATA}/{file}.csv"))


def monthly(file: str, unit: str, outcome: str, start: Any, time: str = "month") -> bs.Panel:
    """A panel without a treated unit: its first one stands in, so that it can be read."""
    frame = pd.read_csv(f"{DATA}/{file}.csv")
    treated = min(frame[unit])
    return bs.Panel.from_long(
        frame, unit=unit, time=time, outcome=outcome, treated=treated, start=start
    )


PANELS: dict[str, Callable[[], bs.Panel]] = {
    "Prop 99": lambda: bs.load_dataset("prop99"),
    "Germany": lambda: local("germany", "germany"),
    "Basque 1970": lambda: local("basque", "basque"),
    "Basque 1975": lambda: local("basque", "basque", start=1975),
    "GeoLift": lambda: local("geolift", "geolift_test", treated="chicago", leave_out=("portland",)),
    "Texas": lambda: bs.load_dataset("texas"),
    "Growth": lambda: monthly("growth_hongkong", "country", "growth", 44, "quarter"),
    "Prices": lambda: monthly("growth_ppi", "country", "growth", "2018-01-01"),
    "Unemployment": lambda: monthly("unemployment", "state", "rate", "2017-01-01"),
}


UNTREATED = ("Growth", "Prices", "Unemployment")
"""Panels that have placebos only."""


def simplex_effect(outcome: np.ndarray, donors: np.ndarray, pre: int) -> float:
    """Average gap after ``pre`` periods of outcome-only simplex least squares."""
    weights = simplex_least_squares(donors[:pre], outcome[:pre])
    return float((outcome - donors @ weights)[pre:].mean())


def sdid_effect(outcome: np.ndarray, donors: np.ndarray, pre: int) -> float:
    """Synthetic difference-in-differences for one treated unit.

    Arkhangelsky et al. (2021), American Economic Review 111(12), algorithm 1, with its penalty
    ``zeta = (treated periods)^(1/4) * sd of the donors' first differences``.
    """
    zeta = (len(outcome) - pre) ** 0.25 * np.diff(donors[:pre], axis=0).std(ddof=1)
    units = _ridge(donors[:pre], outcome[:pre], zeta * np.sqrt(pre))
    times = _ridge(donors[:pre].T, donors[pre:].mean(0), 1e-6 * zeta * np.sqrt(donors.shape[1]))
    gap = outcome - donors @ units
    return float(gap[pre:].mean() - times @ gap[:pre])


def _ridge(columns: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    """Least squares over the simplex with an intercept and a ridge penalty."""
    gaps = columns - target[:, None]
    return direction(np.vstack([gaps - gaps.mean(0), penalty * np.eye(gaps.shape[1])]))
