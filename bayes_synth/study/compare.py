"""Put fits of the same data side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayes_synth.api import Fit
from bayes_synth.errors import ResultError
from bayes_synth.results.calibrated import IN_A_SET, Calibrated
from bayes_synth.results.monte_carlo import two_sided
from bayes_synth.study.joint_fit import JointFit
from bayes_synth.words import listed

__all__ = ["compare"]

NORMAL_95 = 1.959963984540054


def compare(fits: Mapping[str, Fit | JointFit]) -> pd.DataFrame:
    """Compare models on the same data: how well they forecast donors, and what they find.

    Parameters
    ----------
    fits
        Fits of one panel, or joint fits of one study, by name. Differences are to the first.

    Returns
    -------
    pandas.DataFrame
        One row per fit. ``median``, ``lower``, ``upper`` (95 %), ``sd`` and ``p_two_sided`` of the
        average effect; ``shift``, its median minus the first fit's in sds of the first; ``kappa``
        (posterior mean) and ``covered``, the share of donors whose average error lay in the model's
        own 95 % interval before calibration; ``log_score``, the mean log predictive density of the
        donors' average errors, each by the kappa that the other donors teach, ``difference`` to the
        first, paired by donor, and its standard error ``difference_se``; ``width_ratio``,
        ``converged`` and ``alarms``. Numbers about donors are NaN without calibration, and scores
        of fits on another scale than the first.

    Raises
    ------
    ResultError
        R056 unless there are two fits of one kind and of the same data.

    Notes
    -----
    All fits condition on the same data, so there is no joint posterior of their effects, and the
    shift has no interval. Donors are untreated, so their errors after the start are held out: the
    log score says which model forecasts them better (Geisser and Eddy 1979, JASA 74(365)).

    Examples
    --------
    >>> other = bs.testing.fake_fit(
    ...     panel=panel, model=bs.SyntheticControl(noise=bs.noise.IID())
    ... )
    >>> bs.compare({"level": fit, "iid": other}).index.tolist()
    ['level', 'iid']
    """
    _require_comparable(fits)
    first = next(iter(fits.values()))
    scores = {name: _scores(fit) for name, fit in fits.items()}
    rows = {}
    for name, fit in fits.items():
        same_scale = fit.model.scale == first.model.scale
        rows[name] = (
            _effect(fit, first)
            | _donors(fit)
            | _scored(scores[name] if same_scale else pd.Series(dtype=float), _first(scores))
            | {"converged": fit.converged, "alarms": " ".join(code for code, _ in fit.alarms)}
        )
    return pd.DataFrame(rows).T.infer_objects().rename_axis("fit")


def _require_comparable(fits: Any) -> None:
    """Refuse anything but two fits of the same data."""
    many = isinstance(fits, Mapping) and len(fits) >= 2
    each = list(fits.values()) if many else []
    alike = many and all(isinstance(fit, Fit | JointFit) for fit in each)
    alike = alike and len({type(fit) for fit in each}) == 1
    if alike:
        data = [fit.panel if isinstance(fit, Fit) else fit.study for fit in each]
        alike = all(one == data[0] for one in data)
    if not alike:
        got = listed(fits) if isinstance(fits, Mapping) else type(fits).__name__
        raise ResultError(
            "R056",
            "compare needs at least two fits of the same panel, or joint fits of the same study, "
            f'by name, such as {{"level": a, "iid": b}}, got {got}.\n  Effects of different units '
            "are compared in a study: joint.contrast(...).",
        )


def _effect(fit: Fit | JointFit, first: Fit | JointFit) -> dict[str, float]:
    effect, own = fit.effect("average"), first.effect("average")
    low, high = (float(end) for end in effect.interval(0.95))
    shift = float(effect.draws.median() - own.draws.median()) / float(own.draws.std())
    return {
        "median": float(effect.draws.median()),
        "lower": low,
        "upper": high,
        "sd": float(effect.draws.std()),
        "p_two_sided": two_sided(effect.draws),
        "shift": shift,
    }


def _calibration(fit: Fit | JointFit) -> Calibrated:
    return fit.calibration if isinstance(fit, Fit) else next(iter(fit.fits.values())).calibration


def _donors(fit: Fit | JointFit) -> dict[str, float]:
    """Return kappa, and how often the model's own intervals held the donors' errors."""
    found = _calibration(fit)
    if found.kappa is None:
        return {"kappa": np.nan, "covered": np.nan, "width_ratio": np.nan}
    inside = (found.table["error"] / found.table["sd"]).abs() <= NORMAL_95
    return {
        "kappa": float(found.kappa.mean()),
        "covered": float(inside.mean()),
        "width_ratio": found.width_ratio,
    }


def _scores(fit: Fit | JointFit) -> pd.Series:
    """Return each donor's log predictive density by the kappa that the others teach."""
    found, plan = _calibration(fit), fit.model.calibration
    # A donor may be a member of several placebo sets: "donor (set 3)".
    donors = found.table.index.to_series().map(lambda row: IN_A_SET.sub("", str(row)))
    if found.kappa is None or plan is None or donors.nunique() < 2:
        return pd.Series(dtype=float)
    scores = {}
    for label, row in found.table.iterrows():
        others = plan.learn(found.table[donors != donors[label]])
        width = abs(row["error"] / row["z"])
        scores[label] = others.average.log_density(float(row["z"])) - float(np.log(width))
    return pd.Series(scores)


def _first(scores: Mapping[str, pd.Series]) -> pd.Series:
    return next(iter(scores.values()))


def _scored(own: pd.Series, first: pd.Series) -> dict[str, float]:
    """Return the mean score, and its difference to the first, paired by donor."""
    shared = own.index.intersection(first.index)
    apart = own[shared] - first[shared]
    count = len(shared)
    error = float(apart.std() / np.sqrt(count)) if count > 1 else np.nan
    return {
        "log_score": float(own.mean()) if len(own) else np.nan,
        "difference": float(apart.mean()) if count else np.nan,
        "difference_se": error,
    }
