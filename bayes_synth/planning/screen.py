"""Score sets without sampling: how far averages of a demeaned synthetic control miss."""

from collections.abc import Sequence

import numpy as np

from bayes_synth.data.history import AbstractHistory
from bayes_synth.results.simplex import simplex_least_squares

__all__ = ["plug_in", "screened"]


def plug_in(
    donors: np.ndarray, treated: np.ndarray, first: int, periods: int, *, effect: float = 0.0
) -> dict[str, float]:
    """Fit demeaned simplex least squares before a window, and read the effect off it.

    Parameters
    ----------
    donors, treated
        Series, dims ``(time, donor)`` and ``(time,)``.
    first, periods
        Position of the window's start, and its length.
    effect
        A fraction by which the treated series is multiplied in the window.

    Returns
    -------
    dict
        ``average`` (observed minus synthetic per period), ``lift`` (its share of the synthetic),
        ``imbalance`` (the misfit before the window over that of equal weights).
    """
    target = treated[: first + periods].copy()
    target[first:] *= 1 + effect
    before, own = donors[:first] - donors[:first].mean(0), target[:first].mean()
    weights = simplex_least_squares(before, target[:first] - own)
    synthetic = (donors[: first + periods] - donors[:first].mean(0)) @ weights + own
    gap, plain = target - synthetic, target[:first] - own - before.mean(1)
    return {
        "average": float(gap[first:].mean()),
        "lift": float(gap[first:].sum() / synthetic[first:].sum()),
        "imbalance": float(np.sqrt((gap[:first] ** 2).sum() / (plain**2).sum())),
    }


def screened(
    history: AbstractHistory,
    sets: Sequence[tuple[str, ...]],
    last: int,
    periods: int,
    most: int,
) -> list[tuple[str, ...]]:
    """Keep the sets whose averages over the length of the test miss least, as a share of them.

    Parameters
    ----------
    history, sets
        What is to be chosen from.
    last
        Position after the last period that may be looked at.
    periods
        Length of the test.
    most
        How many sets to keep, of every size equally many.
    """
    table = history.outcomes.isel(time=slice(last))
    whole = table.notnull().all("time").to_numpy()
    values, units = table.to_numpy()[:, whole], np.array(history.units, dtype=object)[whole]
    place = {label: k for k, label in enumerate(units)}
    scores = [(_score(values, [place[u] for u in s if u in place], periods), s) for s in sets]
    sizes = sorted({len(s) for s in sets})
    kept = []
    for size in sizes:
        ranked = sorted(each for each in scores if len(each[1]) == size)
        kept += [s for _, s in ranked[: max(1, most // len(sizes))]]
    return kept


def _score(values: np.ndarray, chosen: list[int], periods: int) -> float:
    """Return the root mean square of moving averages of the gap, over the mean outcome."""
    others = np.setdiff1d(np.arange(values.shape[1]), chosen)
    if not chosen or not len(others):
        return np.inf
    target, donors = values[:, chosen].mean(1), values[:, others]
    centred = donors - donors.mean(0)
    gap = target - target.mean() - centred @ simplex_least_squares(centred, target - target.mean())
    averages = np.convolve(gap, np.ones(periods) / periods, mode="valid")
    return float(np.sqrt(np.mean(averages**2)) / abs(target.mean()))
