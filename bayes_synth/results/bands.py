"""A band that holds a whole path with a stated probability, from the ranks of its draws.

Nothing here knows of panels or models. Imports no PyMC.
"""

from typing import Literal

import arviz_stats
import numpy as np
import xarray as xr

from bayes_synth.errors import ConvergenceWarning, OptionError, ResultError, warn
from bayes_synth.results.convergence import FIT
from bayes_synth.sampling.settings import require_probability
from bayes_synth.words import SAMPLE_DIMS, per_cent, suggestion

__all__ = ["KINDS", "BandKind", "band", "band_promise", "require_band", "warned"]

BandKind = Literal["none", "simultaneous"]
KINDS: tuple[BandKind, ...] = ("none", "simultaneous")


def band(draws: xr.DataArray, ci_prob: float = 0.95) -> xr.DataArray:
    """Return the rank envelope of a path.

    Parameters
    ----------
    draws
        Dims ``(chain, draw, time)``; times at which every draw is NaN are left out. Of a study the
        last dim may be another one.
    ci_prob
        Probability with which the band holds the path at all of its times.

    Returns
    -------
    xarray.DataArray
        Dims ``(time, ci_bound)``, in the draws' units, NaN where the draws are. Attributes:
        ``ci_prob``; ``ci_kind``, ``"simultaneous"``; ``held``, the share of draws that the band of
        all other draws holds; ``mcse``, the Monte Carlo error of this share; ``ess``, the effective
        sample size that it rests on; ``interval_prob``, the probability of the equal-tailed
        interval that the band has at each of its times.

    Raises
    ------
    OptionError
        O004 for a probability outside (0, 1).
    ResultError
        R030 for draws of one number.

    Notes
    -----
    Besag, Green, Higdon and Mengersen (1995), Statistical Science 10(1), section 6.3: rank the
    draws at each time, take each draw's most extreme rank over the times, and cut off the draws
    whose rank is the most extreme. Here a draw counts as held when the band that the *other* draws
    make would hold it, because a band that is narrow enough to leave out few draws on each side at
    each of many times holds its own draws more often than new ones.
    """
    require_probability("ci_prob", ci_prob, "O004")
    dims = [dim for dim in draws.dims if dim not in SAMPLE_DIMS]
    if not dims:
        raise ResultError(
            "R030",
            'a band needs a path, which the "pointwise" and the "cumulative" effect are, '
            "got one number; use its interval().",
        )
    present = draws.notnull().any(SAMPLE_DIMS).to_numpy()
    (over,) = dims
    path = draws.transpose(*SAMPLE_DIMS, over).to_numpy()[..., present]
    flat = path.reshape(-1, path.shape[-1])
    ordered = np.sort(flat, axis=0)
    depth = _depths(flat, ordered)
    kept = max(1, int(np.sum(_held(depth) >= ci_prob)))
    outside = (depth <= kept).reshape(path.shape[:2])
    ends = np.full((draws.sizes[over], 2), np.nan)
    ends[present] = np.stack([ordered[kept - 1], ordered[-kept]], axis=1)
    return xr.DataArray(
        ends,
        dims=(over, "ci_bound"),
        coords={over: draws[over].to_numpy(), "ci_bound": ["lower", "upper"]},
        name=draws.name,
        attrs={"ci_prob": ci_prob, "ci_kind": "simultaneous"}
        | _errors(outside, ci_prob)
        | {"interval_prob": 1 - 2 * (kept - 0.5) / len(flat)},
    )


def require_band(kind: str) -> None:
    """Refuse a kind of band that does not exist.

    Raises
    ------
    OptionError
        O001 for an unknown kind.
    """
    if kind not in KINDS:
        raise OptionError(
            "O001",
            f'band must be "none" or "simultaneous", got {kind!r}. {suggestion(kind, KINDS)}',
        )


def band_promise(found: xr.DataArray) -> str:
    """Say with which probability the band holds its path, how well that is known, what it lacks."""
    attrs = found.attrs
    error = f"share of draws {attrs['held']:.3f}, Monte Carlo error {attrs['mcse']:.3f}"
    facts = "; ".join(filter(None, [error, _shortage(found)]))
    return f"probability {per_cent(attrs['ci_prob'])} ({facts})"


def warned(found: xr.DataArray) -> xr.DataArray:
    """Return the band, with a warning when the draws are too few for it."""
    if lacks := _shortage(found):
        warn(
            ConvergenceWarning,
            "R032",
            f"the band rests on too few draws: {lacks}. Fit with more draws.",
        )
    return found


def _shortage(found: xr.DataArray) -> str:
    """Say what is wrong with the band's probability; empty when nothing is."""
    held, prob, ess = (found.attrs[name] for name in ("held", "ci_prob", "ess"))
    if held < prob:
        return f"even all draws together hold only {held:.3f} of new paths, not {prob:g}"
    if ess < FIT.ess:
        return f"the effective sample size of its most extreme ranks is {ess:.0f}, below {FIT.ess}"
    return ""


def _depths(flat: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Return how far inside the others each draw lies at the time at which it lies least so.

    1 for a draw that is the lowest or the highest of all at some time; equal draws all have the
    rank of the innermost. Shapes ``(draws, times)`` in, ``(draws,)`` out.
    """
    depth = np.full(len(flat), len(flat))
    for values, sorted_values in zip(flat.T, ordered.T, strict=True):
        low = np.searchsorted(sorted_values, values, side="right")
        high = len(flat) - np.searchsorted(sorted_values, values, side="left")
        depth = np.minimum(depth, np.minimum(low, high))
    return depth


def _held(depth: np.ndarray) -> np.ndarray:
    """Return the share of draws that the band of all others holds, if it goes 1, 2, ... deep."""
    deepest = (len(depth) + 1) // 2
    counts = np.bincount(np.minimum(depth, deepest + 1), minlength=deepest + 2)
    return 1 - np.cumsum(counts)[1 : deepest + 1] / len(depth)


def _errors(outside: np.ndarray, ci_prob: float) -> dict[str, float]:
    """Return the share held, its effective sample size and its Monte Carlo error."""
    held = 1 - float(outside.mean())
    # Draws that are all held, or none, say nothing about how they depend on each other.
    mixed = 0 < held < 1
    ess = float(arviz_stats.ess(outside.astype(float), method="mean")) if mixed else outside.size
    return {"held": held, "mcse": float(np.sqrt(ci_prob * (1 - ci_prob) / ess)), "ess": float(ess)}
